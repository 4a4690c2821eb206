"""Products are built once: what is current is opened, what something changed for is built again."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from data.store import append_events, open_store
from data.workspace import Workspace, init, set_setting, write_tables
from pipelines import console
from pipelines.console import Result
from pipelines.flows import run_plainly
from pipelines.steps import forecast as forecasts
from pipelines.steps import risk
from serving.published import newest, pointer

START = datetime(2026, 1, 1)

# one worker trains the company once


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty who write every ninth day and order once, with a risk model."""
    folder = tmp_path_factory.mktemp("products") / "w"
    init(folder)
    rows = [
        {
            "ticket_id": f"t{i}-{day}",
            "opened_at": START + timedelta(days=day, hours=9 + i % 8),
            "channel": "email",
            "customer_id": f"c{i}",
            "is_complaint": (i + day) % 3 == 0,
        }
        for i in range(40)
        for day in range(i % 9, 60, 9)
    ]
    ids = [f"c{i}" for i in range(40)]
    customers = pd.DataFrame({"customer_id": ids, "signed_up_at": START})
    orders = pd.DataFrame({"order_id": ids, "ordered_at": START, "customer_id": ids})
    write_tables(folder, {"customers": customers, "tickets": pd.DataFrame(rows), "orders": orders})
    set_setting(folder, "volume.horizon_days", 3.0)
    run_plainly("train", console.silent, {"workspace": folder, "as_of": None, "only": "risk"})
    return folder


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was built, in order, by the real builders."""
    names: list[str] = []

    def watched(name: str, builder: Callable[..., Any]) -> Callable[..., Any]:
        def build(*args: Any) -> Any:
            names.append(name)
            return builder(*args)

        return build

    monkeypatch.setattr(risk, "scored", watched("scores", risk.scored))
    monkeypatch.setattr(forecasts, "_built", watched("forecast", forecasts._built))
    return names


def do(verb: str, folder: Path, **options: Any) -> Result:
    return run_plainly(verb, console.silent, {"workspace": folder, "as_of": None, **options})


def test_a_day_scores_once_and_forecasts_once(company: Path, built: list[str], tmp_path: Path):
    scored = do("score", company, out=tmp_path / "1.csv")
    forecast = do("forecast", company)
    do("staff", company)
    do("outreach", company)
    assert built == ["scores", "forecast"]
    # an opened product says what the built one said, scaled to the one number since
    assert forecast.data["one_number"] is not None
    again = do("forecast", company, out=tmp_path / "f.csv")
    assert again.data["one_number"] == forecast.data["one_number"]
    assert again.data["accuracy"] == forecast.data["accuracy"]
    assert again.lines[:-1] == forecast.lines
    scores = do("score", company, out=tmp_path / "2.csv")
    assert scores.data["expected_complaints"] == scored.data["expected_complaints"]
    assert scores.data["one_number"] == forecast.data["one_number"]
    assert built == ["scores", "forecast"]
    one, two = (pd.read_csv(tmp_path / f"{n}.csv") for n in (1, 2))
    pd.testing.assert_frame_equal(
        one.drop(columns="expected_tickets_30d"), two.drop(columns="expected_tickets_30d")
    )


def test_what_a_product_stands_on_builds_it_again(company: Path, built: list[str]) -> None:
    do("score", company)
    do("forecast", company)
    built.clear()
    set_setting(company, "risk.reasons_language", "es")
    do("score", company)
    do("forecast", company)
    assert built == ["scores"]
    do("forecast", company, horizon="2d")
    assert built == ["scores", "forecast"]
    do("forecast", company, horizon="2d", why="total")  # what an opened one cannot answer
    assert built == ["scores", "forecast", "forecast"]
    built.clear()
    row = {"ticket_id": "new", "opened_at": "2026-02-01", "channel": "email", "customer_id": "c1"}
    with open_store(Workspace.open(company)) as store:
        append_events(store, {"tickets": [row]}, datetime(2026, 3, 1))
    do("score", company)
    do("forecast", company)
    assert built == ["scores", "forecast"]


@pytest.mark.parametrize("damage", ["frame", "pointer", "no pointer", "gone"])
def test_a_damaged_product_is_built_again(
    damage: str, company: Path, built: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    do("score", company)
    built.clear()
    state = Workspace.open(company).state_dir
    about = pointer(state, "scores")
    assert about is not None
    home = state / "published"
    if damage == "pointer":
        (home / "scores.json").write_text('{"file": ')
    elif damage == "no pointer":
        (home / "scores.json").unlink()
    elif damage == "gone":
        (home / about["file"]).unlink()
    else:
        content = bytearray((home / about["file"]).read_bytes())
        content[len(content) // 2] ^= 1
        (home / about["file"]).write_bytes(content)
    do("score", company)
    assert built == ["scores"]
    assert "it is built again" in capsys.readouterr().err
    assert newest(state, "scores") is not None


def test_a_product_of_a_newer_release_is_built_again(company: Path, built: list[str]) -> None:
    do("score", company)
    built.clear()
    file = Workspace.open(company).state_dir / "published" / "scores.json"
    about = json.loads(file.read_text())
    file.write_text(json.dumps({"format": 9, **about, "key": "0" * 32, "of_a_later_release": {}}))
    do("score", company)
    assert built == ["scores"]
    assert "of_a_later_release" not in json.loads(file.read_text())


COUNTING = """
import hashlib, sys
passes = []
for name in ("file_digest", "sha256"):
    def counted(*args, _real=getattr(hashlib, name), **options):
        if not (args and isinstance(args[0], bytes) and len(args[0]) < 4096):  # a pointer
            passes.append(1)
        return _real(*args, **options)
    setattr(hashlib, name, counted)
from pipelines.cli import main
sys.argv = ["presage", "staff", sys.argv[1]]
try:
    main()
finally:
    print(f"passes: {len(passes)}", file=sys.stderr)
"""


def test_staff_on_an_unchanged_workspace_hashes_little(company: Path) -> None:
    do("forecast", company)
    command = [sys.executable, "-c", COUNTING, str(company)]
    for _ in range(2):  # the first remembers the hashes of files
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
    passes = int(done.stderr.rpartition("passes: ")[2])
    assert passes <= 12
