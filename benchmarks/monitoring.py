"""Does the monitor see what goes wrong, and is it silent where nothing does?

    python -m benchmarks.monitoring [--makes 11,12] [--customers 8000] [--incidents 50] [--years 2]
                                    [--only drifts,quiet,incidents]

Companies of several makes in which nothing goes wrong by itself. **Drifts**: each of twenty faults
is planted in each company; the monitor is asked after each of the seven days since. **Quiet
years**: the monitor is asked every night of the years; an alarm is counted when it begins.
**Incidents**: contacts on one topic by customers with something in common; the search for issues is
asked every hour. The volume leaves its band in the first hour in which the contacts of the last 24
hours are above the 97.5 % point of those of the same hours on the 56 days before. An alarm on
another topic, or before the incident, is false. The driver is judged in the hour of the alarm.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.monitoring_worlds import (
    BIRTHS,
    DRIFTS,
    LASTS,
    Frames,
    incident_in,
    quiet_company,
    recent_frames,
    with_incident,
)
from benchmarks.running import show
from data.tables import MemoryTables
from serving.monitoring.issues import emerging
from serving.monitoring.sources import source_findings

ZONE = "Europe/Oslo"
PARTS = ("drifts", "quiet", "incidents")
DAYS = 56
ASKING = 12.0
"""So many times as often do customers ask where incidents are planted: a busy company."""


def alarms(tables: MemoryTables, as_of: datetime) -> set[str]:
    found = source_findings(tables, as_of, ZONE)
    return {finding.what for finding in found if finding.status == "alarm"}


def drifts_found(frames: Frames, end: datetime, seed: int) -> list[int | None]:
    """After how many days each drift is an alarm; None: not within seven."""
    since = end - timedelta(days=7)
    before = alarms(MemoryTables(frames), since)
    found: list[int | None] = []
    for drift in DRIFTS:
        tables = MemoryTables(drift.planted(frames, since, seed))
        days = (day for day in range(1, 8) if alarms(tables, since + timedelta(days=day)) - before)
        found.append(next(days, None))
    return found


def quiet_alarms(frames: Frames, end: datetime, days: int) -> Iterator[tuple[datetime, str]]:
    """Each alarm of the last ``days`` nights when it begins: not one of the night before."""
    on: set[str] = set()
    for first in range(days, -1, -30):
        begin = end - timedelta(days=first)
        part = {
            name: frame[
                frame[BIRTHS[name]].between(begin - timedelta(days=75), begin + timedelta(days=30))
            ]
            for name, frame in frames.items()
            if name in BIRTHS
        }
        tables = MemoryTables({**part, "customers": frames["customers"]})
        for night in range(min(30, first + 1)):
            moment = begin + timedelta(days=night)
            now = alarms(tables, moment)
            yield from ((moment, what) for what in sorted(now - on))
            on = now


def left_its_band(opened: pd.Series, at: datetime) -> bool:
    """Whether the contacts of the last day are above their 97.5 % point."""
    hours = ((pd.Timestamp(at) - opened).dt.total_seconds() / 3600).to_numpy()
    days = np.bincount(np.floor(hours[hours > 0] / 24).astype(int), minlength=DAYS + 1)[: DAYS + 1]
    past = days[1:].astype(float)
    weekday = (past[6::7].sum() + past.mean()) / (past.mean() * (len(past[6::7]) + 1))
    mean = past.mean() * weekday
    spread = max(past.var(ddof=1), mean * 1.001)
    size = mean**2 / (spread - mean)
    return bool(days[0] > stats.nbinom.ppf(0.975, size, size / (size + mean)))


def incident_found(frames: Frames, end: datetime, seed: int) -> dict[str, float]:
    """In which hour an incident was an alarm and the volume left its band (inf: not while it
    lasted), whether the driver was named, and how many alarms were false."""
    rng = np.random.default_rng(seed)
    incident = incident_in(frames, end, rng)
    planted = recent_frames(with_incident(frames, incident, rng), incident.since - timedelta(62))
    tables = MemoryTables(planted)
    seen: set[str] = set()
    alarm, left, named = np.inf, np.inf, 0.0
    for hour in (-24, -16, -8, *range(1, int(LASTS) + 1)):
        at = incident.since + timedelta(hours=hour)
        if hour > 0 and np.isinf(left) and left_its_band(planted["tickets"]["opened_at"], at):
            left = hour
        if np.isinf(alarm):
            for _, row in emerging(tables, at).iterrows():
                if hour > 0 and row["topic"] == incident.topic:
                    also = [part.split(" (")[0] for part in row["also"].split("; ")]
                    alarm, named = hour, float(incident.driver in [row["driver"], *also])
                else:
                    seen.add(row["topic"])
        elif not np.isinf(left):
            break
    return {"alarm": alarm, "left": left, "named": named, "false": float(len(seen))}


def show_drifts(makes: Sequence[int], customers: int) -> None:
    by_make = [drifts_found(*quiet_company(make, customers, 130, 1), seed=make) for make in makes]
    rows = [
        [drift.name, *(str(days or "-") for days in found)]
        for drift, found in zip(DRIFTS, zip(*by_make, strict=True), strict=True)
    ]
    print("Days until a planted drift is an alarm (-: not within seven)\n")
    show(["drift", *(f"make {make}" for make in makes)], rows)
    print("\nfound:", ", ".join(f"{sum(d is not None for d in f)} of {len(f)}" for f in by_make))


def show_quiet_years(make: int, customers: int, days: int) -> None:
    frames, end = quiet_company(make, customers, days + 75, 2)
    false = list(quiet_alarms(frames, end, days))
    print(f"\nAlarms in {days} quiet nights of make {make}: {len(false)}")
    for moment, what in false:
        print(f"  {moment:%Y-%m-%d} {what}")


def show_incidents(makes: Sequence[int], customers: int, count: int) -> None:
    found = []
    for at, make in enumerate(makes):
        frames, end = quiet_company(make, customers, 100, 3, asking=ASKING)
        share = count // len(makes)
        found += [incident_found(frames, end, 1000 * at + n) for n in range(share)]
    table = pd.DataFrame(found)
    hit = np.isfinite(table["alarm"])
    # a volume that never left its band left it when the incident was over at the earliest
    lead = np.minimum(table["left"], LASTS) - table["alarm"]
    lines = [
        ["planted", f"{len(table)}"],
        ["found while they lasted (recall)", f"{hit.mean():.0%}"],
        ["true alarms of all (precision)", f"{hit.sum() / (hit.sum() + table['false'].sum()):.0%}"],
        ["hours to the alarm, median", f"{table.loc[hit, 'alarm'].median():.0f}"],
        ["volume left its band while they lasted", f"{np.isfinite(table['left']).mean():.0%}"],
        ["hours before the volume left, median", f"{lead[hit].median():.0f}"],
        ["true driver among the first three", f"{table.loc[hit, 'named'].mean():.0%}"],
    ]
    print("\nIncidents\n")
    show(["", ""], lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--makes", default="11,12")
    parser.add_argument("--customers", type=int, default=8000)
    parser.add_argument("--incidents", type=int, default=50)
    parser.add_argument("--years", type=float, default=2)
    parser.add_argument("--only", default=",".join(PARTS), help="with commas between")
    options = parser.parse_args()
    makes = [int(make) for make in options.makes.split(",")]
    parts = options.only.split(",")
    if "drifts" in parts:
        show_drifts(makes, options.customers)
    if "quiet" in parts and options.years:
        show_quiet_years(makes[0], options.customers // 2, int(365 * options.years))
    if "incidents" in parts and options.incidents >= len(makes):
        show_incidents(makes, options.customers, options.incidents)


if __name__ == "__main__":
    main()
