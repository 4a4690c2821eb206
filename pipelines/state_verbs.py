"""Verbs on the store: API keys, and whether the decision log is intact."""

from __future__ import annotations

from pathlib import Path

from data.clock import SYSTEM
from data.errors import UsageError, did_you_mean
from data.store import (
    SCOPES,
    Store,
    create_key,
    list_keys,
    open_store,
    revoke_key,
    verify_log,
)
from data.workspace import Workspace
from pipelines.console import Result, table

ACTIONS = ("create", "list", "revoke")


def manage_keys(directory: Path, action: str, name: str | None, scopes: str | None) -> Result:
    """Create a key (shown once), list all, or revoke one by name."""
    workspace = Workspace.open(directory)
    if action not in ACTIONS:
        raise UsageError(
            f"keys {action!r}: there are {', '.join(ACTIONS)}.{did_you_mean(action, ACTIONS)}"
        )
    if action != "list" and not (name or "").strip():
        raise UsageError(f"keys {action} needs the key's name")
    if scopes is not None and action != "create":
        raise UsageError(f"--scopes is for create; keys {action} takes none")
    with open_store(workspace) as store:
        if action == "list":
            return _listed(store)
        assert name is not None
        if action == "revoke":
            revoke_key(store, name, SYSTEM.now())
            return Result({"revoked": name}, [f"the key {name!r} opens nothing any more"])
        if not (scopes or "").strip():
            raise UsageError(f"keys create needs --scopes, some of {','.join(SCOPES)}")
        assert scopes is not None
        wanted = [scope.strip() for scope in scopes.split(",") if scope.strip()]
        key = create_key(store, name, wanted, SYSTEM.now())
    return Result(
        {"key": key, "name": name, "scopes": sorted(set(wanted))},
        [key, f"the key {name!r} is shown this once; send it as `Authorization: Bearer {key}`"],
    )


def verify_decisions(directory: Path) -> Result:
    """Recompute the decision log's chain; DamagedFile (exit 1) names the first broken entry."""
    with open_store(Workspace.open(directory)) as store:
        state = verify_log(store)
    return Result(
        {
            "intact": True,
            "entries": state.entries,
            "forgotten": state.forgotten,
            "head": state.head,
        },
        [
            f"the decision log is intact: {state.entries} entries, the texts of "
            f"{state.forgotten} forgotten, head {state.head}"
        ],
    )


def _listed(store: Store) -> Result:
    keys = list_keys(store)
    listed = [
        {
            "name": key.name,
            "scopes": list(key.scopes),
            "created_at": key.created_at,
            "revoked_at": key.revoked_at,
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
