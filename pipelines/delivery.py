"""``presage outbox``: what is to leave the house, what left, and what is stuck."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from data.clock import SYSTEM
from data.errors import Conflict, DataError, StorageFailure, UsageError, did_you_mean
from data.snapshot import Snapshot, take
from data.store import (
    Message,
    Store,
    Verdict,
    disabled_since,
    enable_endpoint,
    message_counts,
    messages_of,
    next_due,
    open_store,
    outcome_counts,
    preview,
    replay,
    salt,
)
from data.workspace import Workspace
from pipelines.console import Progress, Result, say, table
from pipelines.processes import until_signalled
from serving.delivery.sender import Sender
from serving.delivery.signature import keys_of, rotate
from serving.outreach.people import LOOK_AGAIN, People
from serving.outreach.still_allowed import Gate, Standing, standing_of

ACTIONS = ("list", "dead", "show", "send", "run", "replay", "enable", "rotate")
LISTED = 20
PREVIEWED = 100_000
SHOW_SECONDS = 1.0
POLL_SECONDS = 1.0
"""So often a running sender looks for what is due: decisions come in between."""


def act(
    directory: Path,
    action: str,
    ids: Sequence[str],
    *,
    commit: bool,
    state: str | None,
    finish: bool,
    report: Progress,
) -> Result:
    """One of ``ACTIONS`` on a workspace's outbox; see docs/outreach.md, Delivery.

    ``send``, ``run`` and ``replay`` change nothing without ``commit``. Raises UsageError for an
    unknown action, message or state, SettingsError for an endpoint or key that cannot be used.
    """
    workspace = Workspace.open(directory)
    if action not in ACTIONS:
        raise UsageError(
            f"outbox {action!r}: there are {', '.join(ACTIONS)}.{did_you_mean(action, ACTIONS)}"
        )
    if ids and action not in ("show", "replay"):
        raise UsageError(f"outbox {action} takes no message ids; show and replay do")
    if action == "rotate":
        return _rotate(workspace, finish)
    with open_store(workspace) as store:
        if action == "list":
            return _overview(workspace, store)
        if action == "dead":
            return _listed(messages_of(store, status="dead"), "dead")
        if action == "show":
            return _shown(store, ids)
        if action == "replay":
            return _replay(workspace, store, ids, state, commit)
        if action == "enable":
            return _enable(workspace, store)
        if not commit:
            return _preview(workspace, store, report)
        return _send(workspace, store, report, forever=action == "run")


def check_delivery(workspace: Workspace) -> bool:
    """Whether decisions are pushed; SettingsError where they are to be, and cannot be signed."""
    if not workspace.settings.delivery.endpoint:
        return False
    keys_of(workspace)
    return True


def gate_of(workspace: Workspace, store: Store) -> Gate:
    """What says whether a decision may still be sent."""
    secret = bytes.fromhex(salt(store, SYSTEM.now()))
    return Gate(People(workspace), workspace.settings, secret)


def _send(workspace: Workspace, store: Store, report: Progress, *, forever: bool) -> Result:
    """Send what is due, once or until interrupted."""
    delivery = workspace.settings.delivery
    _needs_endpoint(workspace)
    keys, gate, rng = keys_of(workspace), gate_of(workspace, store), random.Random()
    total: Counter[str] = Counter()
    held, gone, lookup = False, False, Lookup(workspace, store)
    with until_signalled() as stopped:
        while not stopped.is_set():
            try:
                disabled = disabled_since(store, delivery.endpoint)
                if disabled is not None and not held:
                    say(_disabled_words(workspace, *disabled))
                held = disabled is not None
                due = next_due(store)
                if not held and due is not None and due <= SYSTEM.now():
                    judge = lookup.gate(gate, SYSTEM.now())
                    sender = Sender(store, judge, delivery, keys, SYSTEM, rng)
                    total += _one_round(sender, stopped, report, store)
                if not forever:
                    break
                stopped.wait(_pause(store, SYSTEM.now()))
                gone = False
            except StorageFailure as error:  # a database that restarts; what was claimed is freed
                if not forever:
                    raise
                if not gone:
                    say(f"{error}. It is tried again until it is there")
                gone = True
                stopped.wait(POLL_SECONDS)
            keys = keys_of(workspace)  # rotated meanwhile, perhaps
    data: dict[str, Any] = {**_counted(total), "disabled": held}
    lines = [_sentence(total)]
    return Result(data, lines, exit_code=1 if held and not forever else 0)


class Lookup:
    """What the tables say of the messages that are due: read every ten minutes, not every round.

    Tables that cannot be read just now are said; consent, hold-out and caps are judged as ever.
    """

    def __init__(self, workspace: Workspace, store: Store) -> None:
        self._workspace = workspace
        self._store = store
        self._tables: Snapshot | None = None
        self._at: datetime | None = None
        self._standing = Standing()
        self._looked_up: set[str] = set()

    def gate(self, gate: Gate, now: datetime, messages: Sequence[Message] | None = None) -> Gate:
        """The gate with what is known of the customers of these messages; None: of those that are
        due by ``now``."""
        gate.people.look(now)
        if self._at is None or now - self._at > LOOK_AGAIN:
            self._at, self._standing, self._looked_up = now, Standing(), set()
            try:
                self._tables = take(self._workspace)
            except (Conflict, DataError) as error:
                say(f"open complaints are looked up in the tables as they were: {error}")
        if self._tables is not None:
            if messages is None:
                messages = [m for m, _ in preview(self._store, _unjudged, now, PREVIEWED)]
            due = {m.customer_id for m in messages}
            new = sorted(due - self._looked_up)
            if new:
                self._standing |= standing_of(self._tables, self._workspace.settings, new, now)
                self._looked_up |= due
        return replace(gate, standing=self._standing)


def _unjudged(_: Any, messages: Sequence[Message], now: datetime) -> list[Verdict]:
    return [Verdict(True)] * len(messages)


def _one_round(
    sender: Sender, stopped: threading.Event, report: Progress, store: Store
) -> Counter[str]:
    waits = message_counts(store)
    due = waits["waiting"] + waits["sending"]

    shown = time.monotonic()

    def tell(outcomes: Counter[str]) -> None:
        nonlocal shown
        if time.monotonic() - shown < SHOW_SECONDS:
            return
        shown = time.monotonic()
        ended = sum(outcomes.values())
        report(f"sending: {_sentence(outcomes)}", min(1.0, ended / due) if due else None)

    return sender.send_due(stopped, tell)


def _pause(store: Store, now: datetime) -> float:
    due = next_due(store)
    ahead = POLL_SECONDS if due is None else (due - now).total_seconds()
    return min(max(ahead, 0.05), POLL_SECONDS)


def _preview(workspace: Workspace, store: Store, report: Progress) -> Result:
    """What would be sent now, and what not and why; nothing is changed."""
    _needs_endpoint(workspace)
    report("judging what is due")
    now = SYSTEM.now()
    gate = Lookup(workspace, store).gate(gate_of(workspace, store), now)
    verdicts = preview(store, gate, now, PREVIEWED)
    sends = [message for message, verdict in verdicts if verdict.allowed]
    later, never, why = _put_off(verdict for _, verdict in verdicts)
    lines = [f"a dry run: {len(sends)} messages would be sent to {_endpoint(workspace)} now"]
    lines += [*why, *_rows(sends[:LISTED])]
    disabled = disabled_since(store, workspace.settings.delivery.endpoint)
    if disabled is not None:
        lines.append(_disabled_words(workspace, *disabled))
    lines.append("--commit sends them")
    return Result(
        {
            "committed": False,
            "would_send": len(sends),
            "later": later,
            "never": never,
            "disabled": disabled is not None,
        },
        lines,
    )


def _put_off(verdicts: Iterable[Verdict]) -> tuple[dict[str, int], dict[str, int], list[str]]:
    """What may not be sent now: reasons of what may be later, and of what never, and as lines."""
    aside = [verdict for verdict in verdicts if not verdict.allowed]
    later = Counter(v.reason for v in aside if v.until is not None)
    never = Counter(v.reason for v in aside if v.until is None)
    lines = [f"  later: {reason}: {n}" for reason, n in later.most_common()]
    lines += [f"  never: {reason}: {n}" for reason, n in never.most_common()]
    return dict(later), dict(never), lines


def _overview(workspace: Workspace, store: Store) -> Result:
    counts, outcomes = message_counts(store), outcome_counts(store)
    endpoint = workspace.settings.delivery.endpoint
    disabled = disabled_since(store, endpoint) if endpoint else None
    lines = ["  ".join(f"{state}: {n}" for state, n in counts.items())]
    lines.append(
        f"pushed to {_endpoint(workspace)}" if endpoint else "pulled: no [delivery] endpoint is set"
    )
    if disabled is not None:
        lines.append(_disabled_words(workspace, *disabled))
    due = next_due(store)
    if due is not None:
        lines.append(f"next due at {due:%Y-%m-%d %H:%M:%S} UTC")
    refused = Counter(m.note or "" for m in messages_of(store, status="refused"))
    lines += [f"refused: {reason}: {n}" for reason, n in refused.most_common()]
    if outcomes:
        header = ["action", "channel", "outcome", "decisions", "repeated", "never sent"]
        rows = [
            [
                row["action"] or "(forgotten)",
                row["channel"] or "",
                row["outcome"],
                int(row["decisions"]),
                int(row["repeats"]),
                int(row["never_sent"]),
            ]
            for row in outcomes
        ]
        lines += table(header, rows)
    else:
        lines.append("no outcomes were reported yet")
    return Result(
        {
            "messages": counts,
            "endpoint": _endpoint(workspace) if endpoint else None,
            "disabled_at": disabled[0] if disabled else None,
            "next_due": due,
            "refused": dict(refused),
            "outcomes": outcomes,
        },
        lines,
    )


def _listed(messages: Sequence[Message], state: str) -> Result:
    lines = _rows(messages) if messages else [f"no message is {state}"]
    if messages:
        lines.append("queue them again: presage outbox DIR replay --state dead --commit")
    return Result({"messages": [_row(m) for m in messages]}, lines)


def _shown(store: Store, ids: Sequence[str]) -> Result:
    if not ids:
        raise UsageError(
            "outbox show needs the ids of messages; `outbox list` and `dead` name some"
        )
    by_id = {m.decision_id: m for m in messages_of(store, decision_ids=ids)}
    for identity in ids:
        if identity not in by_id:
            raise UsageError(f"the outbox has no message {identity!r}")
    messages = [by_id[identity] for identity in ids]
    lines = []
    for message in messages:
        lines += [f"{name}: {value}" for name, value in _row(message).items()]
        body = message.body.decode() if message.body else "not rendered yet"
        lines += [f"body: {body}", ""]
    return Result({"messages": [_row(m) for m in messages]}, lines)


def _replay(
    workspace: Workspace, store: Store, ids: Sequence[str], state: str | None, commit: bool
) -> Result:
    """Queue again what may still be sent, by the same rules as sending."""
    if bool(ids) == bool(state):
        raise UsageError("outbox replay needs either the ids of messages or --state, e.g. dead")
    if state == "sending":
        raise UsageError("messages that are being sent cannot be replayed; wait until they are not")
    messages = messages_of(store, status=state, decision_ids=ids)
    names, now = list(ids) or [m.decision_id for m in messages], SYSTEM.now()
    gate = Lookup(workspace, store).gate(gate_of(workspace, store), now, messages)
    gate = replace(gate, waits=bool(workspace.settings.delivery.endpoint))
    verdicts = [verdict for _, verdict in replay(store, gate, names, now, commit=commit)]
    later, never, why = _put_off(verdicts)
    queued = len(verdicts) - sum(never.values())
    same = "under the same id, with the same bytes"
    first = f"{queued} queued again, {same}"
    if not commit:
        first = f"a dry run: {queued} messages would be queued again"
    lines = [first, *why, *([] if commit else ["--commit does it"])]
    count = "replayed" if commit else "would_replay"
    return Result({"committed": commit, count: queued, "later": later, "never": never}, lines)


def _enable(workspace: Workspace, store: Store) -> Result:
    _needs_endpoint(workspace)
    was = enable_endpoint(store, workspace.settings.delivery.endpoint)
    outcome = "is sent to again" if was else "was not disabled"
    return Result({"enabled": was}, [f"{_endpoint(workspace)} {outcome}"])


def _rotate(workspace: Workspace, finish: bool) -> Result:
    two = rotate(workspace, finish=finish)
    where = "the key `webhook` in .presage/secrets"
    if finish:
        state = f"only {where} signs now"
    elif two:
        state = f"a new key is {where}; the old one signs too until `rotate --finish`"
    else:
        state = f"a key was made: {where}; give it to whoever receives the webhooks"
    return Result({"keys": 2 if two else 1}, [state, "a running sender signs so from now on"])


def _needs_endpoint(workspace: Workspace) -> None:
    if not workspace.settings.delivery.endpoint:
        raise UsageError(
            "no [delivery] endpoint is set, so decisions are pulled from /v1/outreach; set one in "
            f"{workspace.path / 'presage.toml'} to push them"
        )


def _endpoint(workspace: Workspace) -> str:
    """The endpoint without its query, which may hold a receiver's secret."""
    shown, mark, _ = workspace.settings.delivery.endpoint.partition("?")
    return shown + ("?..." if mark else "")


def _disabled_words(workspace: Workspace, since: datetime, why: str) -> str:
    return (
        f"{_endpoint(workspace)} is disabled since {since:%Y-%m-%d %H:%M} UTC ({why}); what waits "
        f"can be pulled. `presage outbox {workspace.path} enable` sends there again"
    )


def _counted(outcomes: Counter[str]) -> dict[str, int]:
    names = ("sent", "failed", "dead", "deferred", "refused", "expired")
    return {name: outcomes[name] for name in names}


def _sentence(outcomes: Counter[str]) -> str:
    return ", ".join(f"{n} {name}" for name, n in _counted(outcomes).items())


def _row(message: Message) -> dict[str, Any]:
    return {
        "outreach_id": message.decision_id,
        "customer_id": message.customer_id,
        "action": message.action,
        "channel": message.channel,
        "status": message.status,
        "attempts": message.attempts,
        "due_at": message.next_attempt_at,
        "contacted_at": message.contacted_at,
        "settled_at": message.settled_at,
        "note": message.note,
    }


def _rows(messages: Sequence[Message]) -> list[str]:
    header = ["outreach_id", "customer", "action", "by", "attempts", "note"]
    rows = [
        [m.decision_id, m.customer_id, m.action, m.channel, m.attempts, m.note or ""]
        for m in messages
    ]
    return table(header, rows) if rows else []
