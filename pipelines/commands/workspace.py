"""Verbs about a workspace and its tables: init, simulate, check, settings, features."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.console import Result, progress, table
from pipelines.verb import Debug, Dir, Json, parse_time, verb


def register(app: typer.Typer) -> None:
    """Add these verbs to the application."""

    @verb(app)
    def init(
        directory: Annotated[Path, typer.Argument(help="The folder to make.")],
        as_json: Json = False,
        debug: Debug = False,
    ) -> Result:
        """Make an empty workspace with a commented presage.toml.

        Example: presage init company
        """
        from data.workspace import init as make

        workspace = make(directory)
        return Result(
            {"workspace": str(workspace.path)},
            [
                f"{workspace.path} is ready: put tables into {workspace.tables_dir}, "
                "or run `presage import`; presage.toml explains every setting.",
                f"Next: presage check {workspace.path}",
            ],
        )

    @verb(app)
    def simulate(
        directory: Annotated[Path, typer.Argument(help="The workspace to make.")],
        customers: Annotated[int, typer.Option(help="How many customers.", min=1)] = 2000,
        days: Annotated[int, typer.Option(help="How many days of history.", min=30)] = 540,
        seed: Annotated[int, typer.Option(help="Equal seeds, equal companies.")] = 0,
        make: Annotated[
            int | None,
            typer.Option(
                help="What kind of company: causes, rates, words and columns drawn from this "
                "number. Without it the usual one.",
                min=0,
            ),
        ] = None,
        as_json: Json = False,
        debug: Debug = False,
    ) -> Result:
        """Make a company with known truth (DIR/truth/): tables of the contract, as Parquet.

        Example: presage simulate company --customers 2000 --days 540 --seed 1

        Example: presage simulate other --customers 2000 --days 540 --seed 1 --make 7
        """
        from data.simulate import simulate as run

        with progress(as_json) as report:
            company = run(directory, customers, days, seed, progress=report, make=make)
        from data.workspace import Workspace

        opened = Workspace.open(directory)
        drawn = company.make
        return Result(
            {"workspace": str(directory), "complete_to": opened.default_as_of()}
            | (drawn.as_dict() if drawn else {}),
            [
                f"{directory}: {customers} customers over {days} days, "
                f"complete to {opened.default_as_of():%Y-%m-%d %H:%M} UTC; the truth is in "
                f"{directory / 'truth'}.",
                *((f"Make {drawn.number}.", *drawn.lines()) if drawn else ()),
                f"Next: presage train {directory}",
            ],
        )

    @verb(app)
    def check(
        directory: Dir,
        clock: Annotated[
            str | None,
            typer.Option(help="Times after this are in the future; default: now.", metavar="T"),
        ] = None,
        limit: Annotated[int, typer.Option(help="How many violations to print.", min=0)] = 50,
        as_json: Json = False,
        debug: Debug = False,
    ) -> Result:
        """Every violation of the contract, by table, file, row, column and rule.

        Bad rows go to .presage/quarantine/. Exit 1 when there is any.

        Example: presage check company
        """
        from data.check import check as run
        from data.workspace import Workspace
        from pipelines.reports import check_result
        from pipelines.steps.inputs import count_features

        workspace = Workspace.open(directory)
        with progress(as_json) as report:
            report("reading the tables")
            now = parse_time(clock, "--clock") if clock else None
            violations = run(workspace, now=now)
            if not violations.ok or not violations.rows:
                return check_result(violations, limit)
            names, missing = count_features(directory, report)
        return check_result(violations, limit, names, missing)

    @verb(app)
    def settings(directory: Dir, as_json: Json = False, debug: Debug = False) -> Result:
        """Every setting, its value, and where it came from.

        Example: presage settings company
        """
        from data.settings import explain
        from data.workspace import Workspace

        rows = explain(Workspace.open(directory).settings)
        return Result(
            {"settings": [{"name": r.name, "value": r.value, "source": r.source} for r in rows]},
            table(["setting", "value", "from"], [[r.name, r.value, r.source] for r in rows]),
        )

    @verb(app)
    def features(
        directory: Dir,
        write: Annotated[
            bool, typer.Option("--write", help="Write feature sets below .presage/features.")
        ] = False,
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="Tell what --write would take, and end.")
        ] = False,
        as_of: Annotated[
            str | None, typer.Option(help="The last time; default: see above.")
        ] = None,
        times: Annotated[int, typer.Option(min=1, help="How many as-of times.")] = 1,
        step_days: Annotated[float, typer.Option(min=0.001, help="Days between them.")] = 7.0,
        as_json: Json = False,
        debug: Debug = False,
    ) -> Result:
        """The features a model sees: name, what it is, source, window, cost, null share, formula.

        With --write their values of every customer, in a folder per as-of time; those that are
        there, and still true, are kept.

        Example: presage features company

        Example: presage features company --write --times 12 --dry-run
        """
        from pipelines.reports import features_line
        from pipelines.steps.inputs import describe_features, write_feature_sets

        if write or dry_run:
            moment = parse_time(as_of) if as_of else None
            with progress(as_json) as report:
                sets = write_feature_sets(directory, moment, times, step_days, dry_run, report)
            plan = sets["plan"]
            lines = [
                f"{plan['sets']} sets of {plan['features']} features to compute, {plan['reused']} "
                f"there already; {plan['customers']:,} customers, {plan['events']:,} rows to read",
                f"in {plan['shards']} shards: about {plan['cpu_seconds']:.0f} s of CPU, "
                f"{plan['memory_bytes'] / 1e9:.1f} GB of memory, "
                f"{plan['disk_bytes'] / 1e6:.0f} MB on disk",
            ]
            written = [[s["as_of"], f"{s['rows']:,}", s["folder"]] for s in sets.get("sets", [])]
            shown = table(["as of", "customers", "folder"], written) if written else []
            return Result(sets, [*lines, *shown])
        with progress(as_json) as report:
            cards, missing = describe_features(directory, report)
        rows = [
            [
                *(c[k] for k in ("name", "note", "source", "window", "cost", "null_share")),
                c["formula"],
            ]
            for c in cards
        ]
        return Result(
            {
                "features": cards,
                "missing": [{"name": name, "features": count} for name, count in missing],
            },
            [
                *table(["name", "is", "source", "window", "cost", "null share", "formula"], rows),
                features_line(len(cards), missing),
            ],
        )
