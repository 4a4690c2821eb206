"""Verbs about what leaves the house, and what others send: outbox, hooks, verify-log."""

from __future__ import annotations

from typing import Annotated

import typer

from pipelines.console import Result, progress
from pipelines.verb import Debug, Dir, Json, verb


def register(app: typer.Typer) -> None:
    """Add these verbs to the application."""

    @verb(app)
    def outbox(
        directory: Dir,
        action: Annotated[
            str,
            typer.Argument(help="list, dead, show, send, run, replay, enable or rotate."),
        ] = "list",
        ids: Annotated[
            list[str] | None, typer.Argument(help="Messages, for show and replay.")
        ] = None,
        commit: Annotated[
            bool, typer.Option("--commit", help="Send, or queue again; else a dry run.")
        ] = False,
        state: Annotated[
            str | None, typer.Option(help="For replay: all messages in this state, e.g. dead.")
        ] = None,
        finish: Annotated[
            bool, typer.Option("--finish", help="For rotate: drop the old key.")
        ] = False,
        as_json: Json = False,
        debug: Debug = False,
    ) -> Result:
        """What is to leave the house: see it, send it, send it again.

        list: counts, and what became of it. dead: messages that were given up. send: what is due,
        once; run: until stopped. replay: queue again, same id and bytes. enable: an endpoint that
        answered 410. rotate: a new signing key beside the old one.

        Example: presage outbox company send --commit
        """
        from pipelines.delivery import act

        with progress(as_json) as report:
            return act(
                directory,
                action,
                ids or [],
                commit=commit,
                state=state,
                finish=finish,
                report=report,
            )

    @verb(app)
    def hooks(
        directory: Dir,
        action: Annotated[str, typer.Argument(help="list, set, finish or drop.")] = "list",
        sender: Annotated[str | None, typer.Argument(help="zendesk, shopify or segment.")] = None,
        as_json: Json = False,
        debug: Debug = False,
    ) -> Result:
        """Whose webhooks are believed: the secrets by which Zendesk, Shopify and Segment sign.

        set: asks for the sender's secret, or reads it from standard input; the one before it is
        believed too, until finish. drop: nothing of this sender is believed any more.

        Example: presage hooks company set zendesk < secret.txt
        """
        from pipelines.hooks import manage_hooks

        def ask() -> str:
            import sys

            if sys.stdin.isatty():
                return str(typer.prompt(f"the secret of {sender}", hide_input=True))
            return sys.stdin.read()

        return manage_hooks(directory, action, sender, ask)

    @verb(app)
    def replay(
        directory: Dir,
        decision_id: Annotated[
            str | None, typer.Argument(help="One decision; without it all that are logged.")
        ] = None,
        as_json: Json = False,
        debug: Debug = False,
    ) -> Result:
        """Make past decisions again from what they were made on. Exit 1 if one differs from the
        decision log in a single bit.

        Example: presage replay company

        Example: presage replay company 20260301T000000-f2a9dfa69a24871de5a0
        """
        from pipelines.replaying import replay as run

        with progress(as_json) as report:
            return run(directory, decision_id, report)

    @verb(app, "verify-log")
    def verify_log(
        directory: Dir,
        head: Annotated[
            str | None,
            typer.Option(metavar="N:HASH", help="An entry noted elsewhere; must be there still."),
        ] = None,
        renew: Annotated[
            bool, typer.Option("--renew", help="Seal the log as it stands, after a restore.")
        ] = False,
        as_json: Json = False,
        debug: Debug = False,
    ) -> Result:
        """Is the decision log intact? Exit 1 and the first broken or missing entry if not.

        Example: presage verify-log company
        """
        from pipelines.state_verbs import verify_decisions

        return verify_decisions(directory, head, renew)
