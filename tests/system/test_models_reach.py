"""Through a running service: promote and roll back, counts alone, and a folder full of traps."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.workspace import init, set_setting, write_tables

from .conftest import PRESAGE, Service, free_port, interrupt, presage, wait_for

pytestmark = [pytest.mark.system]

START = datetime(2026, 1, 1)


@contextmanager
def serving(folder: Path, until: str = "readyz") -> Iterator[Service]:
    """``presage serve`` of a folder, with a key; stopped by Ctrl-C, which must end well."""
    key = presage("keys", folder, "create", "test", "--scopes", "score,forecasts")["key"]
    port = free_port()
    command = [*PRESAGE, "serve", str(folder), "--port", str(port)]
    with (folder / "serve.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, text=True)
    try:
        wait_for(f"http://127.0.0.1:{port}/{until}", process)
        yield Service(f"http://127.0.0.1:{port}", folder, key, START, process)
    finally:
        code = interrupt(process) if process.poll() is None else process.returncode
    told = (folder / "serve.log").read_text()
    assert code == 0, told
    assert "Traceback" not in told


def test_promote_and_rollback_reach_the_next_answer_of_a_running_service(tmp_path: Path) -> None:
    folder = tmp_path / "company"
    init(folder)
    rows = [
        {
            "ticket_id": f"t{i}-{day}",
            "opened_at": START + timedelta(days=day, hours=9),
            "channel": "email",
            "customer_id": f"c{i}",
            "is_complaint": (i + day) % 3 == 0,
        }
        for i in range(40)
        for day in range(i % 9, 60, 9)
    ]
    customers = pd.DataFrame({"customer_id": [f"c{i}" for i in range(40)], "signed_up_at": START})
    write_tables(folder, {"customers": customers, "tickets": pd.DataFrame(rows)})
    set_setting(folder, "volume.freq", "D")
    # what lies in the workspace is data: none of this may be run by the service
    for name in ("bentoml.py", "random.py", "mlflow/__init__.py"):
        trap = folder / name
        trap.parent.mkdir(exist_ok=True)
        trap.write_text(f"open({str(tmp_path / 'sprung')!r}, 'w').close()\n")
    presage("train", folder, "--only", "risk", "--as-of", "2026-02-10")
    presage("train", folder, "--only", "risk")
    with serving(folder) as service:
        (second,) = service.predict("c1")
        presage("models", folder, "rollback")
        (first,) = service.predict("c1")
        ready = service.ask("GET", "/readyz").json()["model_version"]
        assert first["model_version"] == ready != second["model_version"]
        assert first["risk"] != second["risk"]
        assert first["as_of"] == second["as_of"]
        presage("models", folder, "promote", "--version", 2)
        assert service.predict("c1") == [second]
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "freq", ["D", "W-MON"] if os.environ.get("PRESAGE_FULL") == "1" else ["W-MON"]
)
def test_a_workspace_of_counts_alone_is_served(freq: str, tmp_path: Path) -> None:
    folder = tmp_path / "counts"
    init(folder)
    ds = pd.date_range("2025-01-06", periods=70, freq=freq)
    y = np.random.default_rng(0).poisson(30, len(ds))
    write_tables(folder, {"volumes": pd.DataFrame({"unique_id": "calls", "ds": ds, "y": y})})
    with serving(folder, until="livez") as service:
        assert service.ask("GET", "/readyz").status == 503
        found = service.ask("GET", "/v1/forecasts?unique_id=calls").json()["items"]
        assert pd.Timestamp(found[0]["ds"]).tz_localize(None) > ds[-1]
        assert service.ask("GET", "/v1/staffing").status == 503
