"""Long-running verbs: ``serve`` (API and page) and ``up`` (that, Prefect, MLflow and schedules).

Everything listens on loopback. The API leaves it only behind a proxy that brings TLS, and with at
least one key.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from data.clock import SYSTEM
from data.errors import PresageError, UsageError
from data.store import list_keys, open_store, read_secret
from data.store.keys import SECRET
from data.workspace import Workspace
from pipelines.console import Progress, Result, say
from pipelines.exclusive import only_one
from pipelines.flow_server import origins
from pipelines.processes import (
    PACKAGES,
    Process,
    free_port,
    python,
    start,
    stop_all,
    until_signalled,
    watch,
)
from pipelines.wiring import (
    QUIET,
    key_file,
    local_prefect,
    prefect_client,
    prefect_server,
    remember_prefect,
)
from serving.monitoring.nights import leases_held, night_findings
from serving.published import Kind, pointer
from serving.runs import keep_schedule

API_UP_SECONDS = 120.0
ALL_UP_SECONDS = 240.0
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "0",
}


def serve(
    directory: Path,
    host: str,
    port: int,
    clock: datetime | None,
    behind_proxy: bool,
    report: Progress,
) -> Result:
    """Serve until interrupted; publishes what is missing first."""
    workspace = Workspace.open(directory)
    check_address(workspace, host, behind_proxy)
    port = free_port(host, port)
    check_state(workspace)
    with until_signalled() as stopped:
        publish_missing(workspace, clock, report)
        if stopped.is_set():
            return Result({"stopped": True}, ["stopped"])
        report("starting the service")
        processes: list[Process] = []
        try:
            processes.append(start_api(workspace, host, port, clock))
            watch(
                processes,
                up_within_seconds=API_UP_SECONDS,
                tell=lambda process: _tell_api(workspace, host, port),
                stopped=stopped,
            )
        finally:
            stop_all(processes)
    return Result({"stopped": True, "port": port}, ["stopped"])


def up(
    directory: Path,
    port: int,
    report: Progress,
    prefect_port: int = 4200,
    mlflow_port: int = 5000,
) -> Result:
    """Prefect's server, the schedules, MLflow's UI and the API, until interrupted or one ends."""
    from pipelines.delivery import check_delivery

    workspace = Workspace.open(directory)
    pushes = check_delivery(workspace)
    host = "127.0.0.1"
    port, prefect_port, mlflow_port = (
        free_port(host, wanted) for wanted in (port, prefect_port, mlflow_port)
    )
    with only_one(workspace, "up"), until_signalled() as stopped:
        check_state(workspace)
        publish_missing(workspace, None, report)
        processes: list[Process] = []
        report("starting Prefect, MLflow and the API")

        elsewhere = workspace.settings.prefect.url

        def tell(process: Process) -> None:
            if process.name == "API":
                _tell_api(workspace, host, port)
            else:
                address = (process.url or "").removesuffix("/api/health").removesuffix("/health")
                say(f"{process.name:<10} up{': ' + address if address else ''}")
            if process.name == "Prefect":
                say(f"{'':<10} it asks for a key: {key_file(workspace.state_dir)}")
                remember_prefect(workspace.state_dir, prefect_port)
                client = prefect_client(workspace.state_dir, local_prefect(prefect_port))
                processes.append(start_schedules(workspace, client))

        try:
            if elsewhere:
                say(f"{'Prefect':<10} {elsewhere}: [prefect] url")
                processes.append(
                    start_schedules(workspace, {"PREFECT_API_URL": elsewhere, **QUIET})
                )
            else:
                processes.append(start_prefect(workspace, prefect_port))
            processes.append(start_mlflow(workspace, mlflow_port))
            processes.append(start_api(workspace, host, port, None))
            if pushes:
                processes.append(start_sender(workspace))
            watch(
                processes,
                up_within_seconds=ALL_UP_SECONDS,
                tell=tell,
                then=lambda: say("all up; Ctrl-C stops everything"),
                every_minute=watchdog(workspace),
                stopped=stopped,
            )
        finally:
            remember_prefect(workspace.state_dir, None)
            stop_all(processes)
            keep_schedule(workspace.state_dir, None)
    return Result({"stopped": True}, ["all stopped"])


def watchdog(workspace: Workspace) -> Callable[[], None]:
    """Says each run that is stuck, slow, late or failed once, when it is first seen."""
    names: set[str] = set()

    def look() -> None:
        now = SYSTEM.now()
        try:
            with open_store(workspace) as store:
                held = leases_held(store, now)
        except PresageError as error:  # the store is busy: the next minute looks again
            say(f"the runs could not be looked at: {error}")
            return
        findings = night_findings(workspace.state_dir, workspace.settings.nights, held, now)
        for finding in findings:
            name = f"{finding.what} {finding.since}"
            if finding.act and name not in names:
                names.add(name)
                say(f"{finding.status.upper()} {finding.area}: {finding.text}")
                say(f"{'':<10} {finding.act}")

    return look


def start_api(workspace: Workspace, host: str, port: int, clock: datetime | None) -> Process:
    """The BentoML service of ``serving.api.service``, as a process."""
    command = python("bentoml", "serve", "serving.api.service:Presage")
    command += ["--host", host, "--port", str(port), "--working-dir", str(PACKAGES)]
    environ = {
        **ONE_THREAD,
        "PRESAGE_WORKSPACE": str(workspace.path),
        "PRESAGE_CLOCK": clock.isoformat() if clock else "",
        "BENTOML_HOME": str(workspace.state_dir / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "True",
        "DO_NOT_TRACK": "1",
    }
    log = workspace.state_dir / "logs" / "api.log"
    url = f"{address(host, port)}/livez"
    return start("API", command, log, url=url, environ=environ, folder=work_folder(workspace))


def start_prefect(workspace: Workspace, port: int) -> Process:
    """Prefect's server and UI, its database below ``.presage/prefect``."""
    command = python("pipelines.flow_server", str(port))
    log = workspace.state_dir / "logs" / "prefect.log"
    environ = prefect_server(workspace.state_dir, port, origins(port))
    url = f"{local_prefect(port)}/health"
    return start("Prefect", command, log, url=url, environ=environ, folder=work_folder(workspace))


def start_schedules(workspace: Workspace, client: Mapping[str, str]) -> Process:
    """The process that runs the nightly and weekly flows when they are due; ``client``: the
    environment in which it calls Prefect."""
    command = python("pipelines.schedules", str(workspace.path))
    log = workspace.state_dir / "logs" / "schedules.log"
    environ = {**ONE_THREAD, **client}
    return start("Schedules", command, log, environ=environ, folder=work_folder(workspace))


def start_sender(workspace: Workspace) -> Process:
    """The process that sends decisions to the endpoint when they are due."""
    command = python("presage", "outbox", str(workspace.path), "run", "--commit")
    log = workspace.state_dir / "logs" / "sender.log"
    return start("Sender", command, log, environ=ONE_THREAD, folder=work_folder(workspace))


def start_mlflow(workspace: Workspace, port: int) -> Process:
    """MLflow's UI over the workspace's registry."""
    command = python("mlflow", "server", "--workers", "1")
    command += ["--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{workspace.state_dir / 'mlflow.db'}"]
    command += ["--artifacts-destination", (workspace.state_dir / "mlartifacts").as_uri()]
    environ = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "MLFLOW_ALLOW_MODEL_CODE_EXECUTION": "false",
    }
    log = workspace.state_dir / "logs" / "mlflow.log"
    url = f"http://127.0.0.1:{port}/health"
    return start("MLflow", command, log, url=url, environ=environ, folder=work_folder(workspace))


def work_folder(workspace: Workspace) -> Path:
    """Where the processes of a workspace work: a folder of our own, with no module in it."""
    folder = workspace.state_dir / "work"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def check_state(workspace: Workspace) -> None:
    """PresageError where the service could not open the store or the secrets: its own process would
    be started again and again, and say so in its log alone."""
    with open_store(workspace):
        read_secret(workspace, SECRET)


def publish_missing(workspace: Workspace, clock: datetime | None, report: Progress) -> None:
    """Score, forecast and staff where nothing is published yet, nothing later than ``clock``.

    What cannot be built (no model yet, no service level) is said in a line: the rest is served.
    """
    flows: dict[Kind, str] = {"scores": "score", "forecast": "forecast", "staffing": "staff"}
    missing = [kind for kind in flows if pointer(workspace.state_dir, kind) is None]
    if not missing:  # a start waits for no import that it does not need
        return
    from pipelines.flows import run

    for kind in missing:
        name = flows[kind]
        report(f"nothing is published of {kind}: running presage {name}")
        try:
            # a replay starts from what was known at its clock, and publishes that
            past = clock is not None and clock < workspace.default_as_of()
            as_of = clock if past else None
            run(name, report, workspace=workspace.path, as_of=as_of, publish=past)
        except PresageError as error:
            say(f"no {kind} to serve yet: {error}")


def check_address(workspace: Workspace, host: str, behind_proxy: bool) -> None:
    """Refuse to leave loopback without a proxy in front and a key to ask for."""
    try:
        outside = not ipaddress.ip_address(host).is_loopback
    except ValueError:
        outside = host != "localhost"
    if not outside:
        return
    if not behind_proxy:
        raise UsageError(
            f"--host {host} is not loopback: requests and keys would cross the network as plain "
            "text. Put a proxy with TLS in front and say --behind-proxy"
        )
    with open_store(workspace) as store:
        in_force = [key for key in list_keys(store) if key.revoked_at is None]
    if not in_force:
        raise UsageError(
            f"--host {host} needs at least one API key: "
            f"presage keys {workspace.path} create NAME --scopes score"
        )


def address(host: str, port: int) -> str:
    """The URL of a service that is bound there, as one on this machine asks it.

    >>> address("::1", 3000), address("0.0.0.0", 80)
    ('http://[::1]:3000', 'http://127.0.0.1:80')
    """
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


def _tell_api(workspace: Workspace, host: str, port: int) -> None:
    base = address(host, port)
    say(f"{'API':<10} up: {base}/v1 (described by {base}/openapi.json)")
    say(f"{'Page':<10} up: {base}/planner")
    with open_store(workspace) as store:
        if not any(key.revoked_at is None for key in list_keys(store)):
            say(
                "there is no API key yet: "
                f"presage keys {workspace.path} create planner --scopes forecasts"
            )
