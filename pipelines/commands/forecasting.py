"""Verbs that train, predict and look back: train, score, forecast, backtest, models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.console import Result, progress
from pipelines.verb import (
    AsOf,
    Debug,
    Dir,
    Json,
    Out,
    Publish,
    Retrain,
    parse_days,
    parse_time,
    parse_times,
    verb,
)

Whole = Annotated[bool, typer.Option("--whole", help="Median and intervals in whole contacts.")]
Horizons = Annotated[str, typer.Option(help="Days ahead, separated by commas.")]
RequiredOut = Annotated[
    Path, typer.Option("--out", metavar="FILE", help="Write here: .csv, .parquet, .xlsx or .jsonl.")
]
Cutoffs = Annotated[str, typer.Option(metavar="T1,T2", help="Forecast from these times.")]


def register(app: typer.Typer) -> None:
    """Add these verbs to the application."""

    @verb(app)
    def train(
        directory: Dir,
        as_of: AsOf = None,
        only: Annotated[
            str | None, typer.Option(help="Train only this model: risk or volume.")
        ] = None,
        search: Annotated[
            float | None,
            typer.Option(
                metavar="MINUTES", min=0, help="Search for better settings of the risk model first."
            ),
        ] = None,
        no_promote: Annotated[
            bool,
            typer.Option("--no-promote", help="Train and judge; it becomes the challenger only."),
        ] = False,
        accept_changes: Annotated[
            bool,
            typer.Option(
                "--accept-changes", help="Tables or columns that are gone keep nothing back."
            ),
        ] = False,
        as_json: Json = False,
        debug: Debug = False,
    ) -> Result:
        """Snapshot, features, risk and volume models, evaluation, MLflow, gate, promotion.

        Exit 1 when the gate refuses a model; the champion then stays. With a champion at work, a
        source that stopped or a column that vanished keeps a new model back.

        Example: presage train company --as-of 2026-03-01
        """
        from data.errors import UsageError
        from pipelines.flows import run
        from pipelines.steps.promotion import Promotion

        if only not in (None, "risk", "volume"):
            raise UsageError(f"--only {only!r}: choose risk or volume")
        moment = parse_time(as_of) if as_of else None
        with progress(as_json) as report:
            return run(
                "train",
                report,
                workspace=directory,
                as_of=moment,
                only=only,
                search_minutes=search,
                promotion=Promotion(not no_promote, accept_changes),
            )

    @verb(app)
    def score(
        directory: Dir,
        as_of: AsOf = None,
        horizons: Annotated[
            str | None, typer.Option(help="Days ahead; default: all that the model has.")
        ] = None,
        publish: Publish = False,
        retrain: Retrain = False,
        out: Out = None,
        as_json: Json = False,
        debug: Debug = False,
    ) -> Result:
        """One row per customer: risk, expected tickets, topic, channel and reasons.

        As of a past moment the model at work then scores, and nothing is published.

        Example: presage score company --out scores.parquet
        """
        from pipelines.flows import run

        moment = parse_time(as_of) if as_of else None
        days = parse_days(horizons) if horizons else None
        with progress(as_json) as report:
            return run(
                "score",
                report,
                workspace=directory,
                as_of=moment,
                horizons=days,
                out=out,
                publish=publish,
                retrain=retrain,
            )

    @verb(app)
    def forecast(
        directory: Dir,
        as_of: AsOf = None,
        horizon: Annotated[
            str | None,
            typer.Option(help="How far: 28d, 48h. Default: [volume] horizon_days, 28d."),
        ] = None,
        freq: Annotated[
            str | None,
            typer.Option(
                help="Interval: h, D, 30min, W, MS. Default: that of volumes, else [volume] freq."
            ),
        ] = None,
        why: Annotated[
            str | None,
            typer.Option(metavar="UNIQUE_ID", help="Take this series' number apart, step --ds."),
        ] = None,
        ds: Annotated[
            str | None, typer.Option(metavar="T", help="The step for --why; default: the next.")
        ] = None,
        paths: Annotated[
            Path | None, typer.Option(metavar="FILE", help="Write joint sample paths here.")
        ] = None,
        number: Annotated[int, typer.Option(help="How many sample paths.", min=1)] = 100,
        whole: Whole = False,
        publish: Publish = False,
        retrain: Retrain = False,
        out: Out = None,
        as_json: Json = False,
        debug: Debug = False,
    ) -> Result:
        """Contact volume per channel and topic, with its mean, median and intervals.

        Example: presage forecast company --horizon 28d --freq h --out forecast.csv
        """
        from data.errors import UsageError
        from pipelines.flows import run

        if ds is not None and why is None:
            raise UsageError("--ds says which step --why is about; give --why UNIQUE_ID too")
        moment = parse_time(as_of) if as_of else None
        step = parse_time(ds) if ds else None
        with progress(as_json) as report:
            return run(
                "forecast",
                report,
                workspace=directory,
                as_of=moment,
                horizon=horizon,
                freq=freq,
                out=out,
                why=why,
                ds=step,
                paths=paths,
                count=number,
                whole=whole,
                publish=publish,
                retrain=retrain,
            )

    backtests = typer.Typer(
        help="Forecast from past times with only what was known then, and compare.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    app.add_typer(backtests, name="backtest")

    @verb(backtests, "risk")
    def backtest_risk(
        directory: Dir,
        cutoffs: Cutoffs,
        out: RequiredOut,
        horizons: Horizons = "7,14,30",
        as_json: Json = False,
        debug: Debug = False,
    ) -> Result:
        """Risk at past times: customer_id, cutoff, risk_7d, label_7d, ...

        Example: presage backtest risk company --cutoffs 2026-01-01,2026-02-01 --out risk.csv
        """
        from pipelines.flows import run

        times, days = parse_times(cutoffs, "--cutoffs"), parse_days(horizons)
        with progress(as_json) as report:
            return run(
                "backtest-risk", report, workspace=directory, cutoffs=times, horizons=days, out=out
            )

    @verb(backtests, "volume")
    def backtest_volume(
        directory: Dir,
        cutoffs: Cutoffs,
        horizon: Annotated[int, typer.Option(help="How many intervals ahead.", min=1)],
        freq: Annotated[str, typer.Option(help="Interval: h, D, 30min, W, MS.")],
        out: RequiredOut,
        level: Annotated[str, typer.Option(help="Intervals in percent.")] = "80,95",
        whole: Whole = False,
        as_json: Json = False,
        debug: Debug = False,
    ) -> Result:
        """Volume at past times: unique_id, ds, cutoff, y, presage, presage-median, ...

        A cutoff is the ds of the last complete interval.

        Example: presage backtest volume company --cutoffs 2026-02-01 --horizon 28 --freq D
        --out volume.csv
        """
        from pipelines.flows import run

        times = parse_times(cutoffs, "--cutoffs")
        levels = parse_days(level, "--level")
        with progress(as_json) as report:
            return run(
                "backtest-volume",
                report,
                workspace=directory,
                cutoffs=times,
                horizon=horizon,
                freq=freq,
                levels=levels,
                out=out,
                whole=whole,
            )

    @verb(app, "models")
    def models_(
        directory: Dir,
        action: Annotated[str, typer.Argument(help="show, compare, promote, rollback.")] = "show",
        kind: Annotated[str, typer.Option(help="risk or volume.")] = "risk",
        version: Annotated[
            int | None, typer.Option(help="The version to promote or compare.", min=1)
        ] = None,
        against: Annotated[
            int | None, typer.Option(help="Compare with this one; default: the champion.", min=1)
        ] = None,
        as_json: Json = False,
        debug: Debug = False,
    ) -> Result:
        """The registry's history, and its levers: show, compare, promote, rollback.

        Example: presage models company promote --kind risk --version 2
        """
        from pipelines.registry_verbs import act

        with progress(as_json) as report:
            return act(directory, action, kind, version, report, against)
