"""Settings and environment to everything that talks to the outside: Prefect, MLflow, the store."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

from data.settings import environment

LOCAL_PREFECT = "http://127.0.0.1:4200/api"
QUIET = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
}


def prefect_api(timeout_seconds: float = 1.0) -> str | None:
    """The address of a Prefect API that answers, or None.

    ``PREFECT_API_URL`` where it is set, else the address that ``presage up`` starts one at.
    """
    configured = environment("PREFECT_API_URL")
    url = configured or LOCAL_PREFECT
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=timeout_seconds) as answer:
            healthy = answer.status == 200
    except (urllib.error.URLError, OSError, ValueError):
        healthy = False
    if not healthy:
        return None
    quiet_prefect(url)
    return url


def quiet_prefect(url: str) -> None:
    """Keep Prefect on this machine and its console ours; before its first import."""
    from data.settings import set_environment

    set_environment({"PREFECT_API_URL": url, **QUIET})


def prefect_environment(state_dir: Path, port: int) -> dict[str, str]:
    """The environment of Prefect's own processes: all it keeps below ``state_dir``."""
    url = f"http://127.0.0.1:{port}/api"
    return {"PREFECT_API_URL": url, "PREFECT_HOME": str(state_dir / "prefect"), **QUIET}
