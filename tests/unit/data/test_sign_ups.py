"""Sign-ups that were derived from first tickets are found and named; honest ones are not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.check import check
from data.sign_ups import suspect_in
from data.tables import MemoryTables
from data.workspace import init, write_tables

NOW = datetime(2026, 12, 1)
CUSTOMERS = 200


def company(seed: int = 0) -> dict[str, pd.DataFrame]:
    """People who sign up over the months, by and by order, and of whom many write at some time."""
    rng = np.random.default_rng(seed)
    ids = np.array([f"c{at}" for at in range(CUSTOMERS)])
    signed_up = pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.uniform(0, 100, CUSTOMERS), "D")
    ordered = signed_up + pd.to_timedelta(rng.exponential(3, CUSTOMERS), unit="D")
    wrote = signed_up + pd.to_timedelta(rng.exponential(20, CUSTOMERS), unit="D")
    twice = np.tile(ids, 2)
    later = wrote + pd.to_timedelta(rng.exponential(20, CUSTOMERS), unit="D")
    return {
        "customers": pd.DataFrame({"customer_id": ids, "signed_up_at": signed_up}),
        "orders": pd.DataFrame(
            {"order_id": ids, "customer_id": ids, "ordered_at": ordered}
        ),
        "tickets": pd.DataFrame(
            {
                "ticket_id": [f"t{at}" for at in range(2 * CUSTOMERS)],
                "customer_id": twice,
                "opened_at": [*wrote, *later],
                "channel": "email",
            }
        ),
    }  # fmt: skip


def derived(frames: dict[str, pd.DataFrame], table: str, birth: str) -> dict[str, pd.DataFrame]:
    """The same, its customers made from a table: they sign up on the day of their first row."""
    first = frames[table].groupby("customer_id")[birth].min().dt.normalize()
    return {**frames, "customers": first.rename("signed_up_at").reset_index()}


def warnings(folder: Path, frames: dict[str, pd.DataFrame]) -> list[str]:
    workspace = init(folder)
    write_tables(folder, frames)
    report = check(workspace, NOW)
    assert report.ok
    return [str(one) for one in report.warnings]


def test_sign_ups_made_from_tickets_are_named_with_an_example(tmp_path: Path) -> None:
    frames = derived(company(), "tickets", "opened_at")
    [warning] = warnings(tmp_path / "w", frames)
    assert warning.startswith("customers: signed_up_at: ")
    assert "200 of 200 customers who wrote (100%; chance would give" in warning
    found = suspect_in(MemoryTables(frames), NOW)
    assert found is not None and found.earlier == 200 and found.example in warning
    row = frames["customers"].set_index("customer_id").loc[found.customer_id]
    assert f"{found.customer_id} signed up {row['signed_up_at']:%Y-%m-%d} 00:00" in warning
    assert "leave the customers table out" in warning and "docs/adapters.md" in warning


def test_honest_sign_ups_are_not(tmp_path: Path) -> None:
    assert warnings(tmp_path / "w", company()) == []


def test_to_sign_up_with_the_first_order_is_usual(tmp_path: Path) -> None:
    frames = derived(company(), "orders", "ordered_at")
    assert warnings(tmp_path / "w", frames) == []


def test_dates_without_a_time_are_honest_too() -> None:
    frames = company()
    days = frames["customers"]["signed_up_at"].dt.normalize()
    frames["customers"]["signed_up_at"] = days
    assert suspect_in(MemoryTables(frames), NOW) is None


def test_the_very_moment_tells_nothing_in_advance_but_is_named() -> None:
    frames = company()
    first = frames["tickets"].groupby("customer_id")["opened_at"].min()
    frames["customers"] = first.rename("signed_up_at").reset_index()
    found = suspect_in(MemoryTables(frames), NOW)
    assert found is not None and (found.same_day, found.earlier) == (200, 0)
    assert "at the very moment" in str(found)


@pytest.mark.parametrize(("share", "named"), [(0.5, True), (0.1, False)])
def test_a_large_share_is_enough(share: float, named: bool) -> None:
    frames = company()
    made = derived(frames, "tickets", "opened_at")["customers"].set_index("customer_id")
    some = frames["customers"]["customer_id"].isin([f"c{at}" for at in range(int(200 * share))])
    moved = frames["customers"].loc[some, "customer_id"].map(made["signed_up_at"])
    frames["customers"].loc[some, "signed_up_at"] = moved
    assert (suspect_in(MemoryTables(frames), NOW) is not None) == named


def test_of_a_week_of_history_and_of_a_few_nothing_is_said() -> None:
    frames = company()
    for name, birth in (("customers", "signed_up_at"), ("tickets", "opened_at")):
        frames[name] = frames[name].copy()
        frames[name][birth] = (
            pd.Timestamp("2026-01-01") + (frames[name][birth] - pd.Timestamp("2026-01-01")) / 60
        )  # all of it within two days: chance puts nearly all on the first
    assert suspect_in(MemoryTables(frames), datetime(2026, 1, 3)) is None
    few = derived(company(), "tickets", "opened_at")
    few["customers"] = few["customers"][:10]
    assert suspect_in(MemoryTables(few), NOW) is None


def test_the_public_issue_tracker_is_found(real_data: Callable[[str], Path]) -> None:
    folder = real_data("issue_tracker")
    tables = {n: pd.read_parquet(folder / f"{n}.parquet") for n in ("customers", "tickets")}
    found = suspect_in(MemoryTables(tables), datetime(2009, 9, 1))
    assert found is not None and found.same_day == found.wrote > 1500
