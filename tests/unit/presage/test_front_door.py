"""``import presage as ps``: lazy names, arguments as people have them, any folder to start in."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import presage as ps
from data.errors import UsageError
from data.tables import MemoryTables
from features.compute import compute
from features.labels import labels
from presage import given

ROOT = Path(__file__).resolve().parents[3]
ORDERS = pd.DataFrame(
    {
        "order_id": ["1", "2", "3"],
        "customer_id": ["a", "a", "b"],
        "ordered_at": pd.to_datetime(["2026-01-01", "2026-01-05", "2026-01-05"]),
    }
)
SPINE = pd.DataFrame({"customer_id": ["a", "b"], "as_of": pd.to_datetime(["2026-01-06"] * 2)})
VIEW = ps.FeatureView((ps.count(ps.ORDERS, days=3), ps.since_last(ps.ORDERS)))


def python(code: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *options, "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", ps.__all__)
def test_every_name_is_there_and_says_what_it_is(name: str) -> None:
    found = getattr(ps, name)
    assert found is not None
    if callable(found):
        assert found.__doc__
    assert name in dir(ps)


def test_about_sixty_names() -> None:
    assert 55 <= len(ps.__all__) <= 80


def test_nothing_heavy_is_imported_before_it_is_used(tmp_path: Path) -> None:
    code = "import sys, presage; print({'numpy', 'pandas', 'typer'} & set(sys.modules))"
    assert python(code, tmp_path).stdout.strip() == "set()"


def test_a_near_miss_is_named() -> None:
    with pytest.raises(AttributeError, match='Did you mean "forecast"'):
        ps.forcast  # noqa: B018


@pytest.mark.parametrize(
    "spine",
    [
        SPINE,
        [("a", "2026-01-06"), ("b", pd.Timestamp("2026-01-06"))],
        {"customer_id": ["a", "b"], "as_of": [datetime(2026, 1, 6), date(2026, 1, 6)]},
        [
            {"customer_id": "a", "as_of": "2026-01-06T01:00+01:00"},
            {"customer_id": "b", "as_of": np.datetime64("2026-01-06")},
        ],
    ],
)
@pytest.mark.parametrize(
    "tables",
    [MemoryTables({"orders": ORDERS}), {"orders": ORDERS}, {"orders": ORDERS.to_dict("records")}],
)
@pytest.mark.parametrize("view", [VIEW, list(VIEW.features)])
def test_compute_takes_what_is_at_hand(view: Any, spine: Any, tables: Any) -> None:
    wanted = compute(VIEW, SPINE, MemoryTables({"orders": ORDERS}))
    pd.testing.assert_frame_equal(ps.compute(view, spine, tables), wanted)


def test_a_workspace_is_read_by_its_folder(tmp_path: Path) -> None:
    ps.init(tmp_path)
    ps.write_tables(tmp_path, {"orders": ORDERS})
    by_frames = ps.compute(VIEW, SPINE, {"orders": ORDERS})
    for tables in (str(tmp_path), tmp_path, ps.open_workspace(tmp_path), ps.snapshot(tmp_path)):
        pd.testing.assert_frame_equal(ps.compute(VIEW, SPINE, tables), by_frames)


def test_labels_take_a_list_of_topics_and_any_moment() -> None:
    tickets = pd.DataFrame(
        {
            "ticket_id": ["1", "2"],
            "customer_id": ["a", "b"],
            "opened_at": ["2026-01-08", "2026-01-09"],
            "channel": "email",
            "topic": ["billing", "delivery"],
        }
    )
    found = ps.labels(
        SPINE, {"tickets": tickets}, known_as_of="2026-03-01", horizons=7, complaint=["billing"]
    )
    assert found["label_7d"].tolist() == [1.0, 0.0]
    wanted = labels(
        SPINE,
        MemoryTables({"tickets": tickets}),
        horizons=(7,),
        known_as_of=datetime(2026, 3, 1),
        complaint=ps.complaint_rule({"topics": ["billing"]}),
    )
    pd.testing.assert_frame_equal(found, wanted)


def test_a_series_by_time_is_forecast() -> None:
    days = pd.date_range("2026-01-01", periods=70, freq="D")
    counts = pd.Series([10, 20, 30, 40, 50, 5, 5] * 10, index=days, name="total")
    found = ps.forecast(counts, horizon=7)
    rows = [{"unique_id": "total", "ds": day, "y": y} for day, y in counts.items()]
    pd.testing.assert_frame_equal(found, ps.forecast(rows, horizon=7, freq="D"))
    assert found["ds"].iloc[0] == pd.Timestamp("2026-03-12")


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: ps.compute("orders", SPINE, {"orders": ORDERS}), "view: expected a FeatureView"),
        (lambda: ps.compute(VIEW, 5, {"orders": ORDERS}), "spine: expected a DataFrame"),
        (lambda: ps.compute(VIEW, {"customer_id": ["a"]}, {"orders": ORDERS}), "missing as_of"),
        (lambda: ps.compute(VIEW, [("a", "soon")], {"orders": ORDERS}), "as_of: expected a moment"),
        (lambda: ps.compute(VIEW, [("a", None)], {"orders": ORDERS}), "found None"),
        (lambda: ps.compute(VIEW, SPINE, ORDERS), "tables: expected frames by the name"),
        (lambda: ps.compute(VIEW, SPINE, {"order": ORDERS}), 'Did you mean "orders"'),
        (lambda: ps.labels(SPINE, {}, known_as_of="x"), "known_as_of: expected a moment"),
        (lambda: ps.labels(SPINE, {}, known_as_of="2026-01-01", horizons=0), "whole numbers"),
        (lambda: ps.complaint_rule({"topic": ["a"]}), "complaint: expected the keys"),
        (lambda: ps.forecast([1, 2], horizon=3), "history: expected"),
        (lambda: ps.forecast("daily", horizon=3), "history: expected"),
        (lambda: ps.compute(VIEW, [("a",)], {"orders": ORDERS}), "spine: expected a DataFrame"),
        (lambda: ps.forecast(ORDERS, horizon=3), "missing unique_id, ds, y"),
        (lambda: ps.open_workspace(3), "expected the workspace's folder"),
    ],
)
def test_a_wrong_argument_is_told_what_was_expected(call: Any, expected: str) -> None:
    with pytest.raises(ps.PresageError) as caught:
        call()
    assert expected in str(caught.value)


def test_moments_are_utc() -> None:
    zoned = pd.Timestamp("2026-07-01 00:00", tz="Europe/Oslo")
    assert given.moment(zoned, "t") == datetime(2026, 6, 30, 22)
    assert given.moment(datetime(2026, 1, 1, tzinfo=UTC), "t") == datetime(2026, 1, 1)
    with pytest.raises(UsageError, match="expected a moment"):
        given.moment(pd.NaT, "t")


def test_a_view_is_shown_as_a_table() -> None:
    view = ps.view(VIEW.features[0], ps.now(ps.ORDERS, until="delivered_at", label="a<b"))
    shown = view._repr_html_()
    assert shown.count("<tr>") == 3 and "2 features" in shown
    assert "orders in the last 3 days" in shown and "<b" not in shown.replace("<body", "")


@pytest.mark.parametrize("name", ["data", "models", "features"])
def test_it_works_beside_a_folder_of_that_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "mine.csv").write_text("a\n1\n")
    done = python("import presage as ps; print(ps.count(ps.ORDERS, days=3).name)", tmp_path)
    assert (done.stdout, done.stderr) == ("orders_count_3d\n", "")
    asked = [sys.executable, "-m", "presage", "--help"]
    told = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert told.returncode == 0 and "simulate" in told.stdout


@pytest.mark.parametrize("file", ["data.py", "models/__init__.py"])
def test_a_package_of_that_name_is_refused_in_one_line(tmp_path: Path, file: str) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text("")
    done = python("import presage as ps; ps.count", tmp_path)
    assert done.returncode == 1
    said = done.stderr.splitlines()[-1]
    assert str(tmp_path / file) in said and "rename it, or start Python with -P" in said
    asked = [sys.executable, "-m", "presage", "--help"]
    told = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert told.returncode == 1 and told.stderr.count("\n") == 1 and "hides" in told.stderr
    works = python("import presage as ps; print(ps.count(ps.ORDERS).name)", tmp_path, "-P")
    assert works.returncode == 0, works.stderr


def test_the_command_starts_beside_packages_of_its_own_names(tmp_path: Path) -> None:
    (tmp_path / "data.py").write_text("raise SystemExit('not this one')")
    command = Path(sys.executable).with_name("presage")
    done = subprocess.run(
        [command, "--help"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "simulate" in done.stdout


def test_the_wheel_holds_the_door_and_not_the_lab() -> None:
    import tomllib

    from setuptools import find_packages

    told = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found = find_packages(str(ROOT), **told["tool"]["setuptools"]["packages"]["find"])
    assert {"presage", "data", "pipelines"} <= set(found)
    assert not [name for name in found if name.split(".")[0] in ("lab", "benchmarks", "tests")]
