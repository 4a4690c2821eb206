"""Verbs that act on the forecasts and keep the state: staff, outreach, serve, up, keys, erase."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.console import Result, progress
from pipelines.verb import AsOf, Debug, Dir, Json, Out, Publish, Retrain, parse_time, verb

Host = Annotated[str, typer.Option(help="The address to bind to.")]
Port = Annotated[int, typer.Option(help="The port to bind to.", min=0, max=65535)]
StartsAt = Annotated[
    str | None, typer.Option("--clock", metavar="T", help="Start the service's clock at T.")
]


def register(app: typer.Typer) -> None:
    """Add these verbs to the application."""
    _decisions(app)
    _services(app)
    _state(app)


def _decisions(app: typer.Typer) -> None:
    @verb(app)
    def staff(
        directory: Dir,
        as_of: AsOf = None,
        out: Out = None,
        horizon: Annotated[
            str | None,
            typer.Option(help="How far: 28d, 48h. Default: [volume] horizon_days, 28d."),
        ] = None,
        freq: Annotated[
            str | None,
            typer.Option(
                help="Interval: h, 30min, 15min. Default: that of volumes, else [volume] freq."
            ),
        ] = None,
        shifts: Annotated[
            bool,
            typer.Option(help="Also a roster of the agents' shifts, and with --out a calendar."),
        ] = False,
        waiting: Annotated[
            list[str] | None,
            typer.Option(
                metavar="CHANNEL=CONTACTS",
                help="Contacts in line, instead of what the ticket log tells: email=239, or a "
                "table with columns channel and waiting.",
            ),
        ] = None,
        publish: Publish = False,
        retrain: Retrain = False,
        as_json: Json = False,
        debug: Debug = False,
    ) -> Result:
        """People needed per channel and interval, with the service level they reach.

        Example: presage staff company --out plan.xlsx
        """
        from pipelines.flows import run
        from pipelines.steps.waiting import read_waiting

        moment = parse_time(as_of) if as_of else None
        with progress(as_json) as report:
            return run(
                "staff",
                report,
                workspace=directory,
                as_of=moment,
                horizon=horizon,
                freq=freq,
                out=out,
                publish=publish,
                retrain=retrain,
                waiting=read_waiting(waiting or []),
                shifts=shifts,
            )

    @verb(app)
    def outreach(
        directory: Dir,
        as_of: AsOf = None,
        commit: Annotated[bool, typer.Option("--commit", help="Record the decisions.")] = False,
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask before committing.")] = False,
        publish: Publish = False,
        retrain: Retrain = False,
        out: Out = None,
        plot: Annotated[
            Path | None,
            typer.Option(
                metavar="FILE",
                help="Value against number contacted: .png, .svg, or a page with the table: .html.",
            ),
        ] = None,
        as_json: Json = False,
        debug: Debug = False,
    ) -> Result:
        """Whom to contact, for what, why, worth how much; a dry run unless --commit.

        Example: presage outreach company --out outreach.csv --plot outreach.html
        """
        import sys

        from data.errors import UsageError
        from pipelines.flows import run

        moment = parse_time(as_of) if as_of else None
        if commit and not yes:
            if not sys.stdin.isatty():
                raise UsageError("--commit asks first; without a terminal say --yes too")
            if not typer.confirm("Record these decisions and queue the actions?", err=True):
                return Result({"committed": False}, ["nothing was recorded"])
        with progress(as_json) as report:
            return run(
                "outreach",
                report,
                workspace=directory,
                as_of=moment,
                commit=commit,
                out=out,
                plot=plot,
                publish=publish,
                retrain=retrain,
            )


def _services(app: typer.Typer) -> None:
    @verb(app)
    def serve(
        directory: Dir,
        host: Host = "127.0.0.1",
        port: Port = 3000,
        clock: StartsAt = None,
        behind_proxy: Annotated[
            bool, typer.Option("--behind-proxy", help="Required to leave loopback.")
        ] = False,
        as_json: Json = False,
        debug: Debug = False,
    ) -> Result:
        """The API and the planners' page, from the newest published results.

        Example: presage serve company --port 3000
        """
        from pipelines.services import serve as run

        moment = parse_time(clock, "--clock") if clock else None
        with progress(as_json) as report:
            return run(directory, host, port, moment, behind_proxy, report)

    @verb(app)
    def up(
        directory: Dir,
        port: Port = 3000,
        prefect_port: Annotated[int, typer.Option(help="Prefect's port.", min=0, max=65535)] = 4200,
        mlflow_port: Annotated[int, typer.Option(help="MLflow's port.", min=0, max=65535)] = 5000,
        as_json: Json = False,
        debug: Debug = False,
    ) -> Result:
        """Prefect's server and schedules, MLflow's UI and the API together, on loopback.

        Example: presage up company
        """
        from pipelines.services import up as run

        with progress(as_json) as report:
            return run(directory, port, report, prefect_port, mlflow_port)

    @verb(app)
    def sandbox(
        directory: Annotated[Path, typer.Argument(help="Where to make it.")] = Path("sandbox"),
        port: Port = 3000,
        as_json: Json = False,
        debug: Debug = False,
    ) -> Result:
        """A small simulated company to try the API on: made once, a key printed, served.

        Example: presage sandbox
        """
        from pipelines.sandbox import run

        with progress(as_json) as report:
            return run(directory, port, report)

    @verb(app)
    def demo(
        directory: Annotated[Path, typer.Argument(help="Where to make the company.")] = Path(
            "demo"
        ),
        once: Annotated[bool, typer.Option("--once", help="End instead of serving.")] = False,
        customers: Annotated[int, typer.Option(help="How many customers.", min=300)] = 8_000,
        days: Annotated[int, typer.Option(help="Days of history.", min=200)] = 400,
        seed: Annotated[int, typer.Option(help="Equal seeds, equal companies.")] = 1,
        as_json: Json = False,
        debug: Debug = False,
    ) -> Result:
        """The whole loop on a simulated company, then serves it.

        Ends without serving with --once, or where there is no terminal.

        Example: presage demo --once
        """
        from pipelines.demo import run

        with progress(as_json) as report:
            return run(directory, once, customers, days, seed, as_json, report)


def _state(app: typer.Typer) -> None:
    @verb(app)
    def keys(
        directory: Dir,
        action: Annotated[str, typer.Argument(help="create, list, rotate or revoke.")],
        name: Annotated[str | None, typer.Argument(help="The key's name.")] = None,
        scopes: Annotated[
            str | None,
            typer.Option(help="score,events,customers,customers:read_text,forecasts,plan,outreach"),
        ] = None,
        expires_in: Annotated[
            str | None, typer.Option(help="The key's life: 90d, 12h. Default: no end.")
        ] = None,
        overlap: Annotated[
            str | None, typer.Option(help="How long the key before a rotation opens: 7d.")
        ] = None,
        as_json: Json = False,
        debug: Debug = False,
    ) -> Result:
        """API keys: create (shown once), list, rotate, revoke.

        Example: presage keys company create crm --scopes score,events
        """
        from pipelines.state_verbs import manage_keys

        return manage_keys(directory, action, name, scopes, expires_in, overlap)

    @verb(app)
    def monitor(
        directory: Dir,
        as_of: AsOf = None,
        out: Out = None,
        publish: Publish = False,
        as_json: Json = False,
        debug: Debug = False,
    ) -> Result:
        """Sources, drift, calibration, forecast bias, KPIs against targets; exit 1 on an alarm.

        Each alarm says what, since when, how bad, and what to do. The service shows the newest
        under /v1/monitor, /v1/kpis and /metrics.

        Example: presage monitor company --out findings.csv
        """
        from pipelines.flows import run

        moment = parse_time(as_of) if as_of else None
        with progress(as_json) as report:
            return run(
                "monitor", report, workspace=directory, as_of=moment, out=out, publish=publish
            )

    @verb(app)
    def erase(
        directory: Dir,
        customer_id: Annotated[str | None, typer.Argument(help="Whom to forget.")] = None,
        commit: Annotated[bool, typer.Option("--commit", help="Remove it.")] = False,
        expired: Annotated[
            bool, typer.Option("--expired", help="What is older than [retention] says.")
        ] = False,
        as_json: Json = False,
        debug: Debug = False,
    ) -> Result:
        """Forget a person, with proof; a dry run unless --commit.

        Example: presage erase company c-17 --commit
        """
        from data.errors import UsageError
        from pipelines.erasing import erase_customer, erase_expired

        if (customer_id is None) == (not expired):
            raise UsageError("erase needs either a customer's id or --expired")
        with progress(as_json) as report:
            if customer_id is None:
                return erase_expired(directory, commit, report)
            return erase_customer(directory, customer_id, commit, report)

    @verb(app)
    def export(
        directory: Dir,
        customer_id: Annotated[str, typer.Argument(help="Whose data.")],
        out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="A new folder.")],
        as_json: Json = False,
        debug: Debug = False,
    ) -> Result:
        """All that is held about one person, as CSV and JSON with a README.

        Example: presage export company c-17 --out c-17
        """
        from pipelines.erasing import export_customer

        with progress(as_json) as report:
            return export_customer(directory, customer_id, out, report)
