"""Feature sets on disk: equal to compute(), whole or not there, and reused only while they hold."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.errors import DamagedFile, DataError
from data.settings_tree import Engine
from data.simulate import simulate
from data.snapshot import Snapshot, take
from data.workspace import Workspace, init, write_tables
from features.compute import compute
from features.sets import FeatureSet, estimate, write_sets
from features.spec import FeatureView
from features.spine import customers_at
from features.views import default_view

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> tuple[Snapshot, FeatureView, datetime]:
    folder = tmp_path_factory.mktemp("company")
    simulate(folder, 200, 120, seed=5, progress=None)
    workspace = Workspace.open(folder)
    snapshot = take(workspace)
    view = default_view(snapshot, workspace.settings)
    return snapshot, view, workspace.default_as_of()


def same(found: FeatureSet, wanted: pd.DataFrame) -> None:
    frame = found.frame()
    assert list(frame.columns) == list(wanted.columns)
    assert frame["customer_id"].tolist() == wanted["customer_id"].tolist()
    for name in frame.columns.drop(["customer_id", "as_of"]):
        if frame[name].dtype == np.float32:
            assert frame[name].to_numpy().tobytes() == wanted[name].to_numpy().tobytes(), name
        else:
            assert frame[name].astype("str").tolist() == wanted[name].astype("str").tolist(), name


@pytest.mark.parametrize("memory_limit_gb", [0.1, 0.004])
@pytest.mark.parametrize("active_within_days", [None, 14])
def test_a_set_has_the_bits_of_compute_in_any_number_of_shards(
    company: tuple[Snapshot, FeatureView, datetime],
    tmp_path: Path,
    memory_limit_gb: float,
    active_within_days: int | None,
) -> None:
    snapshot, view, as_of = company
    times = [as_of, as_of - 20 * DAY, as_of - 3 * DAY - timedelta(microseconds=7)]
    engine = Engine(memory_limit_gb=memory_limit_gb)
    told = estimate(view, snapshot, times, tmp_path, engine)
    assert told.sets == 3 and told.reused == 0
    assert told.shards == 1 if memory_limit_gb == 0.1 else told.shards > 2
    heard: list[float] = []
    sets = write_sets(
        view, snapshot, times, tmp_path, engine,
        active_within_days=active_within_days, progress=lambda share, what: heard.append(share),
    )  # fmt: skip
    assert heard == sorted(heard) and heard[-1] == 1.0
    for t, found in zip(times, sets, strict=True):
        assert len(list(found.path.glob("part-*"))) == told.shards
        spine = customers_at(snapshot, [t], active_within_days)
        same(found, compute(view, spine, snapshot))
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(s.path.name for s in sets)


def orders(amount: float = 5.0, days: int = 40) -> pd.DataFrame:
    at = [datetime(2026, 1, 1) + timedelta(days=d) for d in range(days)]
    return pd.DataFrame(
        {
            "order_id": [str(d) for d in range(days)],
            "customer_id": [f"c{d % 3}" for d in range(days)],
            "ordered_at": at,
            "amount": [amount, *[9.0] * (days - 1)],
            "delivered_at": [t + 2 * DAY for t in at],
        }
    )


def snapshot_of(folder: Path, frame: pd.DataFrame) -> Snapshot:
    workspace = Workspace.open(folder) if folder.exists() else init(folder)
    write_tables(folder, {"orders": frame})
    return take(workspace, now=datetime(2027, 1, 1))


def test_the_next_day_computes_the_next_day_only(tmp_path: Path) -> None:
    engine, out = Engine(memory_limit_gb=1), tmp_path / "sets"
    days = [datetime(2026, 1, 20), datetime(2026, 1, 30)]
    today = snapshot_of(tmp_path / "a", orders(days=35))
    view = default_view(today, Workspace.open(tmp_path / "a").settings)
    first = write_sets(view, today, days, out, engine)
    made = [s.path.stat().st_mtime_ns for s in first]

    tomorrow = snapshot_of(tmp_path / "a", orders(days=36))
    assert tomorrow.fingerprint != today.fingerprint
    again = write_sets(view, tomorrow, [*days, datetime(2026, 2, 5)], out, engine)
    assert [s.path for s in again[:2]] == [s.path for s in first]
    assert [s.path.stat().st_mtime_ns for s in again[:2]] == made
    for found in again:
        spine = customers_at(tomorrow, [found.as_of])
        same(found, compute(view, spine, tomorrow))

    told = estimate(view, tomorrow, [*days, datetime(2026, 2, 6)], out, engine)
    assert (told.sets, told.reused) == (1, 2)


def test_a_correction_of_an_old_row_makes_the_sets_that_knew_it_anew(tmp_path: Path) -> None:
    engine, out = Engine(memory_limit_gb=1), tmp_path / "sets"
    days = [datetime(2026, 1, 1), datetime(2026, 1, 20)]
    before = snapshot_of(tmp_path / "a", orders())
    view = default_view(before, Workspace.open(tmp_path / "a").settings)
    first = write_sets(view, before, days, out, engine)
    after = snapshot_of(tmp_path / "a", orders(amount=50.0))
    again = write_sets(view, after, days, out, engine)
    assert again[0].path == first[0].path, "nothing was known then"
    assert again[1].path != first[1].path
    same(again[1], compute(view, customers_at(after, [days[1]]), after))


def test_a_fact_that_comes_after_a_set_leaves_it_as_it_is(tmp_path: Path) -> None:
    frame = orders()
    t = datetime(2026, 1, 20)
    first = snapshot_of(tmp_path / "a", frame)
    late = frame.assign(delivered_at=frame["delivered_at"].mask(frame["delivered_at"] >= t))
    second = snapshot_of(tmp_path / "b", late)
    assert first.known_at(t, ["orders"]) == second.known_at(t, ["orders"])
    assert first.known_at(t + 5 * DAY, ["orders"]) != second.known_at(t + 5 * DAY, ["orders"])
    odd = t + timedelta(minutes=7)
    assert first.known_at(odd, ["orders"]) == first.fingerprint, "no quarter of an hour"


def test_a_damaged_set_is_refused_and_says_what_to_do(tmp_path: Path) -> None:
    snapshot = snapshot_of(tmp_path / "a", orders())
    view = default_view(snapshot, Workspace.open(tmp_path / "a").settings)
    times, engine = [datetime(2026, 1, 20)], Engine(memory_limit_gb=1)
    (made,) = write_sets(view, snapshot, times, tmp_path / "sets", engine)
    part = next(made.path.glob("part-*.parquet"))
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    with pytest.raises(DamagedFile, match="Delete the folder"):
        write_sets(view, snapshot, times, tmp_path / "sets", engine)
    (made.path / "manifest.json").unlink()
    with pytest.raises(DamagedFile, match="not whole"):
        write_sets(view, snapshot, times, tmp_path / "sets", engine)


def test_a_view_of_columns_that_no_file_has_is_refused(tmp_path: Path) -> None:
    from features.expression import Column
    from features.language import customer

    snapshot = snapshot_of(tmp_path / "a", orders())
    customers = pd.DataFrame({"customer_id": ["c0"], "signed_up_at": ["2026-01-01"]})
    write_tables(tmp_path / "a", {"customers": customers})
    snapshot = take(Workspace.open(tmp_path / "a"), now=datetime(2027, 1, 1))
    view = FeatureView([customer(Column("customers", "mood", "text"))])
    with pytest.raises(DataError, match=r"customers has no column .mood. on disk"):
        write_sets(view, snapshot, [datetime(2026, 1, 20)], tmp_path / "s", Engine())
