"""The verb of planners: plan."""

from __future__ import annotations

from typing import Annotated

import typer

from pipelines.console import Result
from pipelines.verb import Debug, Dir, Json, Out, parse_time, verb


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""

    @verb(app)
    def plan(
        directory: Dir,
        action: Annotated[
            str,
            typer.Argument(
                help="show, export, overrides, withdraw, scenarios, publish, versions, restore, "
                "lock or unlock."
            ),
        ] = "show",
        name: Annotated[
            str | None, typer.Argument(help="The override, scenario or version.")
        ] = None,
        reason: Annotated[str | None, typer.Option(help="Why; kept with your name.")] = None,
        layout: Annotated[
            str | None, typer.Option(help="xlsx, csv, parquet or calabrio. Default: by --out.")
        ] = None,
        channel: Annotated[str | None, typer.Option(help="One channel only.")] = None,
        starts: Annotated[
            str | None, typer.Option("--from", metavar="T", help="From this time on, UTC.")
        ] = None,
        ends: Annotated[
            str | None, typer.Option("--to", metavar="T", help="Before this time, UTC.")
        ] = None,
        clock: Annotated[
            str | None, typer.Option("--clock", metavar="T", help="As if it were T.")
        ] = None,
        out: Out = None,
        as_json: Json = False,
        debug: Debug = False,
    ) -> Result:
        """The plan in force: days at risk, a file of it, overrides, scenarios, versions.

        Example: presage plan company export --channel email --out plan.xlsx
        """
        from pipelines.plan_verb import run

        moments = [
            parse_time(text, option) if text else None
            for text, option in ((starts, "--from"), (ends, "--to"), (clock, "--clock"))
        ]
        return run(
            directory,
            action,
            name,
            reason=reason,
            layout=layout,
            channel=channel,
            span=(moments[0], moments[1]),
            clock=moments[2],
            out=out,
        )
