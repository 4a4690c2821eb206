"""Rows from files are those of memory, to the last bit; damaged files are made anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.contract import TABLES
from data.files import HashBook
from data.packs import SUFFIX, Pack, PackWriter, heed_memory, resident
from data.tables import MemoryTables
from serving.held_rows import HeldRows, owner_of
from serving.kept_rows import IN_PACKS, KeptRows, Place, keep_rows, kept_rows
from serving.own_rows import OwnRows

NUMBER = 400


def company() -> MemoryTables:
    """Tables with values of every kind: absent, all alike, negative zeros, texts in any script."""
    draw = np.random.default_rng(7)
    times = pd.Timestamp("2026-01-01") + pd.to_timedelta(draw.integers(0, 10**12, NUMBER), "us")
    who = [None if n == 0 else f"c{n}" for n in draw.integers(0, 40, NUMBER)]
    known = pd.Series(times).where(draw.random(NUMBER) < 0.5)
    tickets = pd.DataFrame(
        {"ticket_id": [f"t{n}" for n in draw.integers(0, 300, NUMBER)], "opened_at": times,
         "customer_id": who, "channel": draw.choice(["email", "chat"], NUMBER),
         "text": [f"Ünïcode 語 {n}" if n % 3 else None for n in range(NUMBER)],
         "order_id": [f"o{n}" if n < 90 else None for n in draw.integers(0, 100, NUMBER)],
         "is_complaint": draw.choice([True, False, None], NUMBER), "resolved_at": known,
         "handle_seconds": draw.random(NUMBER), "csat": draw.choice([1, 5, None], NUMBER),
         "deleted": draw.random(NUMBER) < 0.1, "plan": draw.choice(["a", None], NUMBER)}
    )  # fmt: skip
    orders = pd.DataFrame(
        {"order_id": [f"o{n}" for n in range(100)], "ordered_at": times[:100],
         "customer_id": [i or "c1" for i in who[:100]], "amount": [-0.0, 0.0] * 50}
    )  # fmt: skip
    items = pd.DataFrame(
        {"order_id": [f"o{n}" for n in draw.integers(0, 120, NUMBER)],
         "line": [str(n) for n in range(NUMBER)], "quantity": draw.integers(0, 9, NUMBER)}
    )  # fmt: skip
    people = pd.DataFrame({"customer_id": [f"c{n}" for n in range(40)], "signed_up_at": times[:40]})
    frames = {"tickets": tickets, "orders": orders, "order_items": items, "customers": people}
    return MemoryTables(frames, ["tickets.plan"])


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "packs", HashBook(tmp_path / "hashes.json"))


def test_rows_from_packs_are_those_of_memory(place: Place) -> None:
    base = company()
    keep_rows(base, place)
    held, kept = HeldRows(base), kept_rows(base, place)
    assert set(kept.packs) == {"tickets", "orders", "order_items", "customers"}
    for name in kept.packs:
        columns = list(base.frame(name).columns)
        for column in {owner_of(name), *TABLES[name].key[:1], *({"order_id"} & set(columns))}:
            for text in {*base.frame(name)[column].dropna(), "nobody"}:
                rows = [
                    one.take(name, one.find(name, column, {text}), columns).sort_values("_row")
                    for one in (held, kept)
                ]
                pd.testing.assert_frame_equal(
                    *(one.reset_index(drop=True) for one in rows), check_exact=True
                )
                if "amount" in columns:
                    signs = [np.signbit(one["amount"].to_numpy()).tolist() for one in rows]
                    assert signs[0] == signs[1]
        assert kept.take(name, kept.find(name, "customer_id", set()), columns).dtypes.equals(
            base.frame(name).dtypes
        )
    both = [OwnRows(base, rows).of({"c3", "c9"}) for rows in (held, kept)]
    for name in base.names:
        frames = [one.frame(name).sort_values("_row").reset_index(drop=True) for one in both]
        pd.testing.assert_frame_equal(*frames, check_exact=True)


def test_a_pack_is_made_anew_where_it_is_damaged_or_of_other_tables(place: Place) -> None:
    base = company()
    keep_rows(base, place)
    (pack,) = place.folder.glob(f"tickets-*{SUFFIX}")
    whole = pack.read_bytes()
    for bad in (whole[:-9], b"", whole[:64] + b"\1" + whole[65:]):
        pack.write_bytes(bad)
        assert "tickets" not in kept_rows(base, place).packs  # from memory instead
        keep_rows(base, place)
        assert pack.read_bytes() == whole
    one_less = MemoryTables({"tickets": base.frame("tickets").iloc[1:]})
    assert not kept_rows(one_less, place).packs
    keep_rows(one_less, place)
    assert len(list(place.folder.glob("tickets-*"))) == 1  # what it took the place of is gone


def test_memory_that_was_looked_at_is_given_back(tmp_path: Path) -> None:
    writer = PackWriter(tmp_path / "one.pack")
    writer.add("n", np.arange(2_000_000))
    writer.close()
    pack = Pack(tmp_path / "one.pack")
    before = resident()
    assert pack.array("n").sum() == sum(range(2_000_000))
    if not before or resident() - before < 8 << 20:
        pytest.skip("this system does not tell how much of files is in memory")
    heed_memory(1 << 20)
    assert resident() - before < 4 << 20
    assert pack.array("n")[7] == 7


def test_every_table_about_customers_is_kept() -> None:
    assert {name for name, one in TABLES.items() if "customer_id" in one.names} < set(IN_PACKS)
    assert isinstance(KeptRows(company(), {}), HeldRows)
