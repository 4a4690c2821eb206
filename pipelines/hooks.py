"""presage hooks: the secrets of those whose webhooks are taken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from data.errors import Conflict, UsageError, did_you_mean
from data.store import put_secret, read_secret
from data.workspace import Workspace
from pipelines.console import Result, table
from serving.api.hooks import SENDERS, secret_names

ACTIONS = ("list", "set", "finish", "drop")
FEWEST = 16
"""Characters of a secret: fewer could be guessed."""


def manage_hooks(
    directory: Path, action: str, sender: str | None, ask: Callable[[], str]
) -> Result:
    """List whose secrets are kept; keep a new one (``ask`` gives it), end the rotation, drop both.

    UsageError for another action, sender or a secret that is too short; Conflict where the
    environment has the secret, which nothing here can change.
    """
    workspace = Workspace.open(directory)
    if action not in ACTIONS:
        raise UsageError(
            f"hooks {action!r}: there are {', '.join(ACTIONS)}.{did_you_mean(action, ACTIONS)}"
        )
    if action == "list":
        secrets = [
            (name, *(read_secret(workspace, one) is not None for one in secret_names(name)))
            for name in SENDERS
        ]
        rows = [
            [name, "yes" if new else "no", "yes" if old else "no"] for name, new, old in secrets
        ]
        return Result(
            {
                "hooks": [
                    {"sender": name, "secret": new, "before": old} for name, new, old in secrets
                ]
            },
            table(["sender", "secret kept", "the one before too"], rows),
        )
    if sender is None or sender not in SENDERS:
        near = did_you_mean(sender or "", SENDERS)
        raise UsageError(f"hooks {action} {sender or ''}: name one of {', '.join(SENDERS)}.{near}")
    new, old = secret_names(sender)
    for name in (new, old):
        if read_secret(workspace, name) != read_secret(workspace, name, {}):
            raise Conflict(
                f"PRESAGE_SECRET_{name.upper()} is set: change it there, where it comes from"
            )
    if action == "drop":
        put_secret(workspace, new, None)
        put_secret(workspace, old, None)
        return Result({"dropped": sender}, [f"nothing of {sender} is believed any more"])
    if action == "finish":
        put_secret(workspace, old, None)
        return Result({"finished": sender}, [f"only the newest secret of {sender} is believed"])
    secret = ask().strip()
    if len(secret) < FEWEST or not secret.isprintable():
        raise UsageError(f"a secret of {sender} is one line of at least {FEWEST} characters")
    before = read_secret(workspace, new, {})
    if before is not None and before != secret:
        put_secret(workspace, old, before)
    put_secret(workspace, new, secret)
    lines = [f"webhooks of {sender} are taken at /v1/hooks/{sender}"]
    if read_secret(workspace, old, {}) is not None:
        lines.append(
            f"the secret before is believed too, until `presage hooks DIR finish {sender}`"
        )
    return Result({"kept": sender}, lines)
