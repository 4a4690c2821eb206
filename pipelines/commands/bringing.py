"""Verbs that bring a company's own data: import, map, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.console import Result, progress, table
from pipelines.verb import Debug, Dir, Json, verb


def register(app: typer.Typer) -> None:
    """Add these verbs to the application."""

    @verb(app, "import")
    def import_(
        adapter: Annotated[
            str, typer.Argument(help="zendesk, shopify, sql, ..., or a mapping such as map.toml.")
        ],
        source: Annotated[str, typer.Argument(help="The export: a file, a folder, or a URL.")],
        directory: Dir,
        option: Annotated[
            list[str] | None,
            typer.Option("--option", metavar="NAME=VALUE", help="An option of the adapter."),
        ] = None,
        as_json: Json = False,
        debug: Debug = False,
    ) -> Result:
        """Bring a real export into the contract's tables; again is by key, never doubled.

        Example: presage import incidents incident_event_log.csv company

        Example: presage import map.toml exports company
        """
        from data.adapters import run_import
        from data.errors import UsageError
        from pipelines.exclusive import writing_if_there

        options: dict[str, str] = {}
        for pair in option or []:
            name, equals, value = pair.partition("=")
            if not equals or not name:
                raise UsageError(f"--option {pair!r} is not NAME=VALUE")
            options[name] = value
        with progress(as_json) as report, writing_if_there(directory, "import"):
            imported = run_import(adapter, source, directory, options=options, progress=report)
        return Result(imported.as_dict(), [*imported.lines(), f"Next: presage check {directory}"])

    @verb(app, "map")
    def map_(
        source: Annotated[Path, typer.Argument(help="The export: a file, or a folder of them.")],
        out: Annotated[
            Path | None, typer.Option(metavar="FILE", help="Write the mapping here.")
        ] = None,
        table_name: Annotated[
            str | None,
            typer.Option("--table", metavar="NAME", help="The table that the rows are of."),
        ] = None,
        as_json: Json = False,
        debug: Debug = False,
    ) -> Result:
        """Propose how a source's columns become the contract's, with the first ten rows of it.

        Example: presage map exports --out map.toml
        """
        from data.adapters.proposing import propose
        from data.errors import UsageError
        from data.files import write_whole

        if out is not None and out.exists():
            raise UsageError(f"{out} is there already; name another file, or move it away")
        with progress(as_json) as report:
            report(f"reading {source}")
            proposal = propose(source, table_name)
        if out is not None:
            write_whole(out, proposal.text.encode())
        lines = [proposal.text.rstrip("\n")]
        for name, rows in proposal.rows.items():
            lines += ["", f"The first rows of {name}:"]
            shown = rows.astype("str").to_numpy().tolist()
            lines += table([str(c) for c in rows.columns], shown)
        lines += ["", *(f"open: {one}" for one in proposal.open)] if proposal.open else []
        lines += ["", f"Next: presage import {out or 'map.toml'} {source} DIR"]
        data = {
            "mapping": proposal.text,
            "open": list(proposal.open),
            "rows": {n: rows.astype("str").to_dict("records") for n, rows in proposal.rows.items()},
        }
        return Result(data, lines)

    @verb(app)
    def doctor(directory: Dir, as_json: Json = False, debug: Debug = False) -> Result:
        """What is there, what is missing, what it would add, and what to fix first.

        Example: presage doctor company
        """
        from pipelines.steps.doctor import examine

        with progress(as_json) as report:
            report("reading the tables")
            return examine(directory)
