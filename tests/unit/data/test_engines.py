"""The engine sees the folders it was given, and a value in a table stays a value."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd
import pytest

from data.engines import READING_GB, duckdb_connection, for_reading, literal, quoted
from data.errors import NotBuiltYet
from data.settings import Engine

SMALL = Engine(memory_limit_gb=0.25, threads=1)


def test_it_reads_inside_and_nowhere_else(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    for folder in (inside, outside):
        folder.mkdir()
        pd.DataFrame({"x": [1]}).to_parquet(folder / "a.parquet")
    con = duckdb_connection(SMALL, [inside])
    assert con.read_parquet(str(inside / "a.parquet")).fetchall() == [(1,)]
    with pytest.raises(duckdb.PermissionException):
        con.read_parquet(str(outside / "a.parquet"))
    for change in (
        "SET enable_external_access = true",
        "SET memory_limit = '100GB'",
        "LOAD httpfs",
    ):
        with pytest.raises(duckdb.Error):
            con.execute(change)


def test_names_and_values_cannot_end_their_quotes() -> None:
    con = duckdb_connection(SMALL, [])
    for text in ("a'b", 'a"b', "x'); DROP TABLE t; --", "é\n"):
        row = con.execute(f"SELECT {literal(text)} AS {quoted(text)}")
        assert row.description[0][0] == text
        assert row.fetchall() == [(text,)]


def test_spark_is_said_to_come_later() -> None:
    with pytest.raises(NotBuiltYet, match=r"spark.*later release"):
        duckdb_connection(Engine(kind="spark"), [])


def test_reading_takes_no_more_than_it_needs_whatever_may_be_had() -> None:
    assert for_reading(Engine(memory_limit_gb=64)).memory_limit_gb == READING_GB
    assert for_reading(SMALL) == SMALL
