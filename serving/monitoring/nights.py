"""The watchdog: runs that are stuck, slow, failed or were killed, and nights that did not begin.

It looks at what runs wrote down (serving/runs.py) and at the leases in the store, so any process
can ask: the monitor, ``presage up``, the service. It ends nothing by itself: a lease that ran out
is taken over by the next run, and its holder finds its token outdated before it writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from statistics import median
from zoneinfo import ZoneInfo

from data.settings_nights import Nights
from data.store import Store, lease_holder
from serving.monitoring.finding import Finding
from serving.runs import OneRun, Runs, Schedule, StepTime, runs_in, schedule_in

NIGHT = "night"
LEASES = ("writing", "training")
USUAL = 3
"""So many ended runs of a step have to be known before its usual time is."""
EXPECTED = ("UsageError", "NotEnoughHistory", "Conflict", "KeyboardInterrupt", "SystemExit")
"""Ends of runs that are no failure: the person, or the history, was not ready."""


def leases_held(store: Store, now: datetime) -> dict[str, int]:
    """The token of each lease that runs."""
    held = {name: lease_holder(store, name, now) for name in LEASES}
    return {name: holder[1] for name, holder in held.items() if holder is not None}


def night_findings(
    state_dir: Path, limits: Nights, held: Mapping[str, int], now: datetime, but: str = ""
) -> list[Finding]:
    """A finding for each run that is stuck, slow, failed or was killed, and for a night that did
    not begin; one that says so where there is none. ``but``: a verb that is not looked at while it
    runs (the one that looks)."""
    every = runs_in(state_dir)
    findings = _late(schedule_in(state_dir), every, limits, now)
    for runs in every:
        run = runs.newest
        if run is None or (run.ended_at is None and run.verb == but):
            continue
        if run.ended_at is not None:
            findings += _ended(run)
        elif run.token and held.get(run.lease) != run.token:
            findings += _killed(run)
        else:
            findings += _running(run, runs, limits, now)
    if findings:
        return findings
    return [Finding("nights", "runs", "ok", "no run is stuck, slow or late, and none failed")]


def _running(run: OneRun, runs: Runs, limits: Nights, now: datetime) -> list[Finding]:
    """Of a run that is on: stuck, or at a step that takes too long."""
    hours = (now - run.started_at) / timedelta(hours=1)
    at = run.step
    where = "" if at is None else f"; it is at {at.name} since {at.started_at:%H:%M} UTC"
    if hours > limits.longest_hours:
        text = (
            f"{run.holder} runs for {hours:.1f} hours{where}; "
            f"{limits.longest_hours:g} are allowed ([nights] longest_hours)"
        )
        act = (
            "See what it does (Prefect's page, .presage/logs). If nothing, end that process: its "
            "lease is free at once on this machine, after 30 s elsewhere, and the next run goes on."
        )
        return [
            Finding(
                "nights", f"{run.verb} stuck", "alarm", text, act, since=run.started_at,
                value=hours, limit=limits.longest_hours,
            )
        ]  # fmt: skip
    usual = None if at is None else _usual_seconds(at, runs)
    if at is None or usual is None:
        return []
    seconds = (now - at.started_at).total_seconds()
    limit = max(limits.slow_times * usual, 60 * limits.slow_minutes)
    if seconds <= limit:
        return []
    text = (
        f"presage {run.verb}: {at.name} takes {seconds / 60:.0f} minutes so far, usually "
        f"{usual / 60:.1f}"
    )
    act = "See whether the machine is busy or its disk full (`presage doctor`)."
    return [
        Finding(
            "nights", f"{run.verb} slow", "alarm", text, act, since=at.started_at,
            value=seconds, limit=limit,
        )
    ]  # fmt: skip


def _usual_seconds(at: StepTime, runs: Runs) -> float | None:
    known = [
        step.seconds
        for run in runs.past
        for step in run.steps
        if step.name == at.name and step.seconds is not None and not run.error
    ]
    return median(known) if len(known) >= USUAL else None


def _ended(run: OneRun) -> list[Finding]:
    if not run.error or run.error in EXPECTED:
        return []
    where = f" at {run.steps[-1].name}" if run.steps else ""
    return [
        Finding(
            "nights",
            f"{run.verb} failed",
            "alarm",
            f"presage {run.verb} of {run.started_at:%Y-%m-%d %H:%M} UTC ended with a "
            f"{run.error}{where}",
            f"Run `presage {run.verb}` to see why; what was published before stands.",
            since=run.started_at,
        )
    ]


def _killed(run: OneRun) -> list[Finding]:
    where = f" at {run.steps[-1].name}" if run.steps else ""
    return [
        Finding(
            "nights",
            f"{run.verb} killed",
            "notice",
            f"{run.holder}, begun {run.started_at:%Y-%m-%d %H:%M} UTC, was killed{where}",
            f"Nothing is half written; run `presage {run.verb}`, or wait for the next night.",
            since=run.started_at,
        )
    ]


def _late(
    schedule: Schedule | None, every: list[Runs], limits: Nights, now: datetime
) -> list[Finding]:
    if schedule is None:
        return []
    due = _newest_due(schedule, now - timedelta(minutes=limits.late_minutes))
    begun = [runs.newest.started_at for runs in every if runs.newest and runs.newest.verb == NIGHT]
    # a scheduler may start a little early by its own clock
    if due < schedule.since or any(at >= due - timedelta(minutes=1) for at in begun):
        return []
    return [
        Finding(
            "nights",
            "night late",
            "alarm",
            f"the night of {due:%Y-%m-%d %H:%M} UTC ({schedule.at} {schedule.time_zone}) has not "
            f"begun by {now:%H:%M}",
            "See whether `presage up` runs, and .presage/logs/schedules.log; `presage score`, "
            "`forecast`, `staff` and `monitor` do the night's work by hand.",
            since=due,
            value=(now - due) / timedelta(minutes=1),
            limit=limits.late_minutes,
        )
    ]


def _newest_due(schedule: Schedule, before: datetime) -> datetime:
    """The newest moment not after ``before`` (naive UTC) at which a night was to begin."""
    zone = ZoneInfo(schedule.time_zone)
    local = before.replace(tzinfo=UTC).astimezone(zone)
    wanted = datetime.combine(local.date(), time.fromisoformat(schedule.at), zone)
    if wanted > local:
        yesterday = local.date() - timedelta(days=1)
        wanted = datetime.combine(yesterday, time.fromisoformat(schedule.at), zone)
    return wanted.astimezone(UTC).replace(tzinfo=None)
