"""Which Prefect a workspace's flows run in: the one that is configured, or the one of ``up``.

``PREFECT_API_URL``, or ``[prefect] url``, names a server of one's own. Without it, ``presage up``
starts one for the workspace and writes its address and key below ``.presage/prefect``, so that
verbs in another terminal run in it. Nothing else is looked for.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import urllib.error
import urllib.request
from pathlib import Path

from data.files import write_whole
from data.settings import environment, set_environment

QUIET = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_LEVEL": "INFO",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",  # its page has the rest
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
}


def prefect_of(state_dir: Path, own: str = "", timeout_seconds: float = 1.0) -> str | None:
    """The address of the Prefect API that this workspace's flows run in, if it answers; ``own``:
    the one of ``[prefect] url``.

    Sets the environment that Prefect's client reads, so it is called before its first import.
    """
    configured = environment("PREFECT_API_URL") or own
    url = configured or _address_of_up(state_dir)
    if url is None or not _answers(url, timeout_seconds):
        return None
    key = {} if configured else prefect_client(state_dir, url)
    set_environment({"PREFECT_API_URL": url, **key, **QUIET})
    return url


def prefect_client(state_dir: Path, url: str) -> dict[str, str]:
    """The environment of a process that calls the workspace's own Prefect."""
    return {
        "PREFECT_API_URL": url,
        "PREFECT_API_AUTH_STRING": prefect_key(state_dir),
        "PREFECT_HOME": str(state_dir / "prefect"),
        **QUIET,
    }


def prefect_server(state_dir: Path, port: int, origins: tuple[str, ...]) -> dict[str, str]:
    """The environment of the workspace's own Prefect server."""
    url = local_prefect(port)
    return {
        **prefect_client(state_dir, url),
        "PREFECT_SERVER_API_AUTH_STRING": prefect_key(state_dir),
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": ",".join(origins),
        "PREFECT_UI_API_URL": url,
    }


def local_prefect(port: int) -> str:
    """The address of the API of a Prefect server on this machine."""
    return f"http://127.0.0.1:{port}/api"


def prefect_key(state_dir: Path) -> str:
    """``admin:SECRET``, the workspace's own, written once; only its owner may read the file."""
    file = key_file(state_dir)
    if not file.exists():
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = file.with_name(f"key.{secrets.token_hex(8)}")
        write_whole(draft, f"admin:{secrets.token_urlsafe(24)}".encode(), 0o600)
        with contextlib.suppress(FileExistsError):
            os.link(draft, file)  # the first of several at once stays
        draft.unlink()
    return file.read_text().strip()


def key_file(state_dir: Path) -> Path:
    """Where the key of the workspace's Prefect server lies."""
    return state_dir / "prefect" / "key"


def remember_prefect(state_dir: Path, port: int | None) -> None:
    """Write where ``up`` has started the workspace's Prefect; None: it has ended."""
    file = state_dir / "prefect" / "address.json"
    if port is None:
        file.unlink(missing_ok=True)
    else:
        write_whole(file, json.dumps({"url": local_prefect(port)}).encode())


def _address_of_up(state_dir: Path) -> str | None:
    file = state_dir / "prefect" / "address.json"
    try:
        url = json.loads(file.read_text())["url"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return url if isinstance(url, str) and url.startswith("http://127.0.0.1:") else None


def _answers(url: str, timeout_seconds: float) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=timeout_seconds) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False
