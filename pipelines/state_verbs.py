"""Verbs on the store: API keys, and whether the decision log is intact."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

from data.clock import SYSTEM
from data.errors import UsageError, did_you_mean
from data.store import (
    SCOPES,
    Store,
    create_key,
    list_keys,
    open_store,
    renew_head,
    revoke_key,
    rotate_key,
    verify_log,
)
from data.workspace import Workspace
from pipelines.console import Result, table

ACTIONS = ("create", "list", "rotate", "revoke")
OVERLAP = "7d"
"""How long the key before still opens after a rotation."""


def manage_keys(
    directory: Path,
    action: str,
    name: str | None,
    scopes: str | None,
    expires_in: str | None = None,
    overlap: str | None = None,
) -> Result:
    """Create a key (shown once), list all, put another in the place of one, or revoke by name."""
    workspace = Workspace.open(directory)
    if action not in ACTIONS:
        raise UsageError(
            f"keys {action!r}: there are {', '.join(ACTIONS)}.{did_you_mean(action, ACTIONS)}"
        )
    if action != "list" and not (name or "").strip():
        raise UsageError(f"keys {action} needs the key's name")
    if scopes is not None and action != "create":
        raise UsageError(f"--scopes is for create; keys {action} takes none")
    if expires_in is not None and action != "create":
        raise UsageError(f"--expires-in is for create; keys {action} takes none")
    if overlap is not None and action != "rotate":
        raise UsageError(f"--overlap is for rotate; keys {action} takes none")
    with open_store(workspace) as store:
        if action == "list":
            return _listed(store)
        assert name is not None
        if action == "revoke":
            revoke_key(store, name, SYSTEM.now())
            return Result({"revoked": name}, [f"the key {name!r} opens nothing any more"])
        if action == "rotate":
            span = parse_span(overlap or OVERLAP, "--overlap")
            key, ends = rotate_key(store, name, SYSTEM.now(), span)
            lines = [
                key,
                f"shown this once; the key before it opens until {ends:%Y-%m-%d %H:%M} UTC",
            ]
            return Result({"key": key, "name": name, "before_until": ends}, lines)
        if not (scopes or "").strip():
            raise UsageError(f"keys create needs --scopes, some of {','.join(SCOPES)}")
        assert scopes is not None
        wanted = [scope.strip() for scope in scopes.split(",") if scope.strip()]
        now = SYSTEM.now()
        until = None if expires_in is None else now + parse_span(expires_in, "--expires-in")
        key = create_key(store, name, wanted, now, until)
    return Result(
        {"key": key, "name": name, "scopes": sorted(set(wanted))},
        [key, f"the key {name!r} is shown this once; send it as `Authorization: Bearer {key}`"],
    )


def parse_span(text: str, option: str) -> timedelta:
    """``"90d"``, ``"12h"``, ``"30m"`` or ``"0d"``; UsageError for anything else.

    >>> parse_span("90d", "--expires-in").days
    90
    """
    match = re.fullmatch(r"(\d{1,5})([mhd])", text.strip())
    if not match:
        raise UsageError(f"{option} {text!r} is not a span; write 90d, 12h or 30m")
    unit = {"m": "minutes", "h": "hours", "d": "days"}[match[2]]
    return timedelta(**{unit: int(match[1])})


def verify_decisions(directory: Path, head: str | None = None, renew: bool = False) -> Result:
    """Recompute the decision log's chain and compare its heads; DamagedFile (exit 1) names the
    first entry that is broken or missing.

    ``head``: ``N:HASH``, an entry that was noted elsewhere. ``renew``: seal the log as it stands.
    """
    expected = _noted(head) if head is not None else None
    with open_store(Workspace.open(directory)) as store:
        sealed = renew_head(store, SYSTEM.now()) if renew else None
        state = verify_log(store, expected)
    lines = [
        f"the decision log is intact: {state.entries} entries, the texts of "
        f"{state.forgotten} forgotten, head {state.entries}:{state.head}"
    ]
    lines += [f"entry {seq} seals what was there before it: {note}" for seq, note in state.seals]
    if state.signed < state.entries:
        lines.append("no head is signed yet; one is with the next decision")
    return Result(
        {
            "intact": True,
            "entries": state.entries,
            "forgotten": state.forgotten,
            "head": state.head,
            "signed": state.signed,
            "seals": [{"entry": seq, "note": json.loads(note)} for seq, note in state.seals],
            "renewed": sealed,
        },
        lines,
    )


def _noted(head: str) -> tuple[int, str]:
    number, _, digest = head.partition(":")
    if not number.isdigit() or not re.fullmatch("[0-9a-f]{64}", digest):
        raise UsageError(f"--head {head!r} is not N:HASH, as verify-log prints it")
    return int(number), digest


def _listed(store: Store) -> Result:
    keys = list_keys(store)
    listed = [
        {
            "name": key.name,
            "scopes": list(key.scopes),
            "created_at": key.created_at,
            "revoked_at": key.revoked_at,
            "expires_at": key.expires_at,
        }
        for key in keys
    ]
    rows = [
        [
            key.name,
            ",".join(key.scopes),
            f"{key.created_at:%Y-%m-%d %H:%M}",
            f"revoked {key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else "in force",
        ]
        for key in keys
    ]
    lines = table(["name", "scopes", "created (UTC)", "state"], rows) if rows else ["no keys yet"]
    return Result({"keys": listed}, lines)
