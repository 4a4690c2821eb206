"""What is taken without care is what care would make of it, and breaks no rule that is left out."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.check import check
from data.clean import rules, typed_value
from data.contract import table
from data.plain import FEW, is_plain, plain_sql
from data.settings_import import Import
from data.times import shapes_of
from data.workspace import init

NOW = datetime(2026, 6, 1)
ORDERS = table("orders")
ODD = (
    "", " ", " a", "a ", "a\t", "NULL", "nan", "n/a", "<NA>", "7.0", "-7.00", "1.23E+15", "1e5",
    "5e", "3e5a-11", "00001", "a.0", "v1.0", "ø", "1_000", "-0", "1e3", "inf", "123456789012",
    "1234567890123", "-12.50", "+5", ".5", "5.", "12,5", "2026-02-30", "2026-01-31", "1900-06-01",
    "1901-01-01", "2026-01-01T24:00:00", "2026-01-01 09:00:00.5Z", "2026-01-01T09:00:00+02:00",
    "2026-01-01T09:00:00Z", "2026-01-01 09:00", "2099-12-31T23:59:59.999999Z", "2026-13-01",
    "null", "None", "\\N", "undefined", "UNDEFINED", "x" * 2000, "a\0b", "2026-01-01T09:00:60Z",
)  # fmt: skip


def looked_at(texts: list[str]) -> None:
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    for name in ("order_id", "carrier", "amount", "ordered_at"):
        spec, reading = ORDERS.column(name), Import()
        con.register("t", pa.table({name: pa.array(texts, pa.string())}))
        rows = con.table("t")
        plain = rows.filter(f"coalesce({is_plain(spec, reading)}, false)")
        careful = typed_value(spec, "VARCHAR", reading, shapes_of(rows, ()))
        both = plain.project(f"{name} AS text, {plain_sql(spec)} AS plain, {careful} AS careful")
        for text, left, right in both.fetchall():
            assert left == right and type(left) is type(right), (name, text)
        every = rules(ORDERS, [name], NOW)
        asked = {r.name for r in rules(ORDERS, [name], NOW, [name])}
        typed = plain.project(f'{careful} AS {name}, {name} AS "found:{name}", NULL AS recorded_at')
        left_out = [rule for rule in every if rule.name not in asked]
        counts = ", ".join(f"count(*) FILTER ({rule.condition})" for rule in left_out)
        if counts:
            (broken,) = typed.aggregate(counts).fetchall()
            told = zip(left_out, broken, strict=True)
            assert not any(broken), [(name, rule.name) for rule, count in told if count]


def test_odd_texts() -> None:
    looked_at(list(ODD))


@settings(max_examples=25 if os.environ.get("PRESAGE_FULL") == "1" else 8, deadline=None)
@given(st.lists(st.text("0123456789eE+-. :TZnNaAlL", max_size=20), min_size=20, max_size=60))
def test_any_text(texts: list[str]) -> None:
    looked_at(texts)


@pytest.mark.parametrize("at", [0, FEW, FEW + 9])
def test_one_odd_row_among_many_is_found(tmp_path: Path, at: int) -> None:
    rows = [f"o{n},2026-01-05T09:00:00Z,c{n % 9},{n}.5,post" for n in range(FEW + 10)]
    rows[at] = "o5x,03/04/2025,c1,1e400,NULL"
    workspace = init(tmp_path)
    head = "order_id,ordered_at,customer_id,amount,carrier\n"
    (workspace.tables_dir / "orders.csv").write_text(head + "\n".join(rows))
    report = check(workspace, NOW)
    told = {(v.rule, v.row) for v in report.violations if v.row}
    assert told == {("ambiguous date", at + 1), ("type", at + 1), ("no value", at + 1)}
    assert report.quarantined == {"orders": 1}


def test_a_key_that_comes_again_among_many_is_found(tmp_path: Path) -> None:
    rows = [f"o{n},2026-01-05T09:00:00Z,c{n}" for n in range(FEW + 10)]
    rows[7] = "o3,2026-01-05T09:00:00Z,c3"
    rows[8] = "o4,2026-02-05T09:00:00Z,c9"
    workspace = init(tmp_path)
    text = "order_id,ordered_at,customer_id\n" + "\n".join(rows)
    (workspace.tables_dir / "orders.csv").write_text(text)
    told = {(v.rule, v.value) for v in check(workspace, NOW).violations}
    assert {("duplicate key", "o3"), ("number used again", "o4")} <= told
