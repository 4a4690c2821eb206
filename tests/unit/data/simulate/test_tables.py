"""What is written: the contract's tables, versions included, nothing from after the end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from data.check import check
from data.contract import TABLES
from data.errors import UsageError
from data.simulate import Company, simulate
from data.tables import MemoryTables
from data.workspace import Workspace

DTYPES = {"timestamp": "M", "float": "f", "integer": "i", "bool": "b"}


@pytest.fixture(scope="module")
def company_written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Company]:
    folder = tmp_path_factory.mktemp("simulated") / "acme"
    return folder, simulate(folder, customers=600, days=120, seed=3, truth_runs=1)


def read(folder: Path, part: str = "tables") -> dict[str, pd.DataFrame]:
    return {p.stem: pd.read_parquet(p) for p in sorted((folder / part).glob("*.parquet"))}


def test_the_check_finds_nothing_wrong(company_written: tuple[Path, Company]) -> None:
    report = check(Workspace.open(company_written[0]))
    assert report.violations == ()


def test_columns_and_types_are_the_contract_s(company_written: tuple[Path, Company]) -> None:
    tables = read(company_written[0])
    assert set(tables) == set(TABLES) - {"volumes", "identities", "forecasts"}
    for name, frame in tables.items():
        assert set(frame.columns) <= set(TABLES[name].names)
        assert set(TABLES[name].required) <= set(frame.columns)
        assert len(frame), name
        for column in frame.columns:
            dtype = TABLES[name].column(column).dtype
            if dtype in DTYPES and frame[column].dtype != object:
                assert frame[column].dtype.kind == DTYPES[dtype], (name, column)


def test_nothing_is_later_than_the_end(company_written: tuple[Path, Company]) -> None:
    folder, company = company_written
    end = Workspace.open(folder).settings.data.complete_to
    assert end == company.now
    for name, frame in read(folder).items():
        table = TABLES[name]
        for column in frame.columns:
            known = table.column(column).known_at
            if column in (table.birth, "recorded_at") or known == column:
                assert not (frame[column] >= end).any(), (name, column)
            elif known is not None:
                assert frame.loc[frame[known].isna(), column].isna().all(), (name, column)


def test_facts_follow_their_rows(company_written: tuple[Path, Company]) -> None:
    tables = read(company_written[0])
    orders, tickets = tables["orders"], tables["tickets"]
    for early, late in (
        ("ordered_at", "shipped_at"),
        ("shipped_at", "delivered_at"),
        ("delivered_at", "returned_at"),
        ("ordered_at", "cancelled_at"),
    ):
        both = orders.dropna(subset=[early, late])
        assert len(both), (early, late)
        assert (both[early] < both[late]).all()
    assert not (orders["delivered_at"].notna() & orders["cancelled_at"].notna()).any()
    for early, late in (
        ("opened_at", "first_response_at"),
        ("first_response_at", "resolved_at"),
        ("resolved_at", "reopened_at"),
        ("resolved_at", "csat_at"),
    ):
        both = tickets.dropna(subset=[early, late])
        assert len(both), (early, late)
        assert (both[early] <= both[late]).all()
    known = tables["customers"].drop_duplicates("customer_id").set_index("customer_id")
    for name in ("orders", "usage", "tickets", "treatments"):
        frame = tables[name].dropna(subset=["customer_id"])
        born = known["signed_up_at"].reindex(frame["customer_id"])
        assert (born.to_numpy() < frame[TABLES[name].birth].to_numpy()).all(), name


def test_versions_are_exercised(company_written: tuple[Path, Company]) -> None:
    tables = read(company_written[0])
    for name in ("customers", "orders", "tickets"):
        assert tables[name].duplicated(list(TABLES[name].key)).any(), name
    assert (tables["usage"]["recorded_at"] > tables["usage"]["used_at"]).any()
    assert tables["tickets"]["deleted"].any()
    lines = tables["order_items"].groupby("order_id")["amount"].sum()
    last = tables["orders"].sort_values("recorded_at").drop_duplicates("order_id", keep="last")
    totals = last.set_index("order_id")["amount"].reindex(lines.index)
    assert np.allclose(lines, totals, atol=0.011)


def test_bots_hand_over_to_tickets_that_exist(company_written: tuple[Path, Company]) -> None:
    tables = read(company_written[0])
    handed = tables["bot_sessions"].dropna(subset=["handed_over_at"])
    tickets = tables["tickets"].drop_duplicates("ticket_id").set_index("ticket_id")
    opened = tickets["opened_at"].reindex(handed["ticket_id"])
    assert len(handed)
    assert (opened.to_numpy() == handed["handed_over_at"].to_numpy()).all()
    given_up = ~tables["bot_sessions"]["contained"] & tables["bot_sessions"]["ticket_id"].isna()
    assert given_up.any()


def test_csv_and_parquet_say_the_same(
    company_written: tuple[Path, Company], tmp_path: Path
) -> None:
    tables = read(company_written[0])
    for name, frame in tables.items():
        if "skills" in frame:
            frame = frame.assign(skills=frame["skills"].map(",".join))
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    again = {n: pd.read_csv(tmp_path / f"{n}.csv", dtype=str) for n in tables}
    one, two = MemoryTables(tables), MemoryTables(again)
    for name in tables:
        pd.testing.assert_frame_equal(one.frame(name), two.frame(name))


def test_tables_equal_the_files(company_written: tuple[Path, Company]) -> None:
    folder, company = company_written
    for name, frame in company.tables().items():
        if name != "usage":  # drained into the file while the company ran
            pd.testing.assert_frame_equal(frame, read(folder)[name])


def test_equal_seeds_equal_files(company_written: tuple[Path, Company], tmp_path: Path) -> None:
    simulate(tmp_path, customers=600, days=120, seed=3, truth_runs=1)
    for part in ("tables", "truth"):
        one, two = read(company_written[0], part), read(tmp_path, part)
        for name in one:
            pd.testing.assert_frame_equal(one[name], two[name])


def test_truth_is_beside_the_tables(company_written: tuple[Path, Company]) -> None:
    truth = read(company_written[0], "truth")
    assert set(truth) == {
        "hazards", "contacts", "latents", "incidents", "expected_volume", "hourly_shares",
        "staffing",        "effects", "probabilities",
    }  # fmt: skip
    assert len(truth["latents"]) == 600
    assert (truth["hazards"]["contact"] >= truth["hazards"]["complaint"]).all()
    chances = truth["probabilities"]
    assert (chances["complaint_7d"] <= chances["complaint_30d"]).all()
    assert (chances["complaint_7d"] <= chances["contact_7d"] + 0.02).all()
    assert "seed 3" in (company_written[0] / "truth" / "README.md").read_text("utf-8")


def test_a_folder_with_tables_is_refused(company_written: tuple[Path, Company]) -> None:
    with pytest.raises(UsageError, match="exists already"):
        simulate(company_written[0], customers=10, days=30, seed=1)


@pytest.mark.parametrize(("customers", "days"), [(1, 1), (20, 30)])
def test_the_smallest_companies_are_whole(tmp_path: Path, customers: int, days: int) -> None:
    simulate(tmp_path, customers, days, seed=1, truth_runs=0)
    found = check(Workspace.open(tmp_path)).violations
    assert [v for v in found if v.severity == "error"] == []
    assert len(read(tmp_path)["customers"]["customer_id"].unique()) == customers


def test_footer_of_usage_counts_every_row(company_written: tuple[Path, Company]) -> None:
    rows = pq.read_metadata(company_written[0] / "tables" / "usage.parquet").num_rows
    assert 0.05 < rows / (600 * 120) < 0.4
