"""SQL: streamed, by cursor, on real databases; nothing doubled, no password kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import duckdb
import pandas as pd
import pytest
import sqlalchemy as sa

from data.adapters import run_import
from data.errors import DataError, UsageError
from data.urls import without_password

ROWS = [
    (1, datetime(2026, 1, 5, 10), "Mail", "c1", datetime(2026, 1, 5, 10)),
    (9007199254740993, datetime(2026, 1, 6, 10), "Call", None, datetime(2026, 1, 6, 10)),
]
LATER = [
    (1, datetime(2026, 1, 5, 10), "Mail", "c9", datetime(2026, 1, 7, 10)),
    (3, datetime(2026, 1, 7, 10), "Call", "c2", datetime(2026, 1, 7, 10)),
]
MAP = """
[tickets]
from = "cases"
ticket_id = "id"
opened_at = "opened"
channel = "origin"
customer_id = "client"
values.channel = {Mail = "email", Call = "phone"}
"""
Insert = Callable[[list[tuple[object, ...]]], None]


def by_sqlalchemy(url: str) -> Insert:
    engine = sa.create_engine(url)
    cases = sa.Table(
        "cases",
        sa.MetaData(),
        sa.Column("id", sa.BigInteger),
        sa.Column("opened", sa.DateTime),
        sa.Column("origin", sa.Text),
        sa.Column("client", sa.Text),
        sa.Column("changed", sa.DateTime),
    )
    with engine.begin() as connection:
        cases.drop(connection, checkfirst=True)
        cases.create(connection)

    def insert(rows: list[tuple[object, ...]]) -> None:
        with engine.begin() as connection:
            connection.execute(
                cases.insert(), [dict(zip(cases.columns.keys(), r, strict=True)) for r in rows]
            )
        engine.dispose()

    return insert


def by_duckdb(path: Path) -> Insert:
    def insert(rows: list[tuple[object, ...]]) -> None:
        with duckdb.connect(str(path)) as con:
            con.execute(
                "CREATE TABLE IF NOT EXISTS cases "
                "(id BIGINT, opened TIMESTAMP, origin TEXT, client TEXT, changed TIMESTAMP)"
            )
            con.executemany("INSERT INTO cases VALUES (?, ?, ?, ?, ?)", rows)

    return insert


@pytest.fixture(params=["sqlite", "duckdb", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Insert]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/help.sqlite"
        return url, by_sqlalchemy(url)
    if request.param == "duckdb":
        return f"duckdb:///{tmp_path}/help.duckdb", by_duckdb(tmp_path / "help.duckdb")
    url = request.getfixturevalue("postgres").url()
    return url, by_sqlalchemy(url)


def tickets(workspace: Path) -> list[list[object]]:
    frame = pd.read_parquet(workspace / "tables" / "tickets.parquet").sort_values("ticket_id")
    frame = frame[["ticket_id", "channel", "customer_id"]]
    return frame.astype(object).where(frame.notna(), None).to_numpy().tolist()


def test_a_database_is_read_from_where_the_last_import_ended(
    database: tuple[str, Insert], tmp_path: Path
) -> None:
    url, insert = database
    (tmp_path / "map.toml").write_text(MAP)
    options = {"map": str(tmp_path / "map.toml"), "cursor": "changed"}
    insert(ROWS)
    run_import("sql", url, tmp_path / "w", options)
    first = [["1", "email", "c1"], ["9007199254740993", "phone", None]]
    assert tickets(tmp_path / "w") == first
    again = run_import("sql", url, tmp_path / "w", options)
    assert again.rows == {"tickets": 1}  # the newest row comes again, and is not doubled
    assert tickets(tmp_path / "w") == first
    insert(LATER)
    run_import("sql", url, tmp_path / "w", options)
    after = [["1", "email", "c9"], ["3", "phone", "c2"], ["9007199254740993", "phone", None]]
    assert tickets(tmp_path / "w") == after


def test_tables_of_the_contract_need_no_mapping(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "a.duckdb")) as con:
        con.execute(
            "CREATE TABLE tickets AS SELECT 1 AS ticket_id, TIMESTAMPTZ "
            "'2026-01-05 10:00:00+02' AS opened_at, 'email' AS channel, 'x' AS other"
        )
    run_import("sql", f"duckdb:///{tmp_path}/a.duckdb", tmp_path / "w")
    made = pd.read_parquet(tmp_path / "w" / "tables" / "tickets.parquet")
    assert made["opened_at"].tolist() == [datetime(2026, 1, 5, 8)]


FIVETRAN = """
CREATE TABLE ticket AS SELECT * FROM (VALUES
  (7, TIMESTAMP '2026-01-05 10:00', 42, 'web', false),
  (8, TIMESTAMP '2026-01-05 10:00', 43, 'email', false)
  ) AS t (id, created_at, requester_id, via_channel, _fivetran_deleted);
CREATE TABLE ticket_comment AS SELECT * FROM (VALUES
  (1, 7, 42, TIMESTAMP '2026-01-05 10:00', true, 'web'), (2, 7, -1, TIMESTAMP '2026-01-05 10:01',
  true, 'rule'), (3, 7, 9, TIMESTAMP '2026-01-05 12:00', true, 'web')
  ) AS t (id, ticket_id, user_id, created, public, via_channel);
CREATE TABLE ticket_tag AS SELECT 8 AS ticket_id, 'spam' AS tag;
CREATE TABLE ticket_field_history AS SELECT 7 AS ticket_id, 'status' AS field_name,
  TIMESTAMP '2026-01-06' AS updated, 'solved' AS value;
"""
SINGER = """
CREATE TABLE tickets AS SELECT 7 AS id, TIMESTAMP '2026-01-05 10:00' AS created_at,
  42 AS requester_id, 'web' AS via__channel, '[]' AS tags UNION ALL
  SELECT 8, TIMESTAMP '2026-01-05 10:00', 43, 'email', '["spam"]';
CREATE TABLE ticket_metrics AS SELECT 1 AS id, 7 AS ticket_id, TIMESTAMP '2026-01-06' AS solved_at,
  '{"calendar": 120, "business": 60}' AS reply_time_in_minutes;
CREATE TABLE ticket_comments AS SELECT 1 AS id, 8 AS ticket_id, 43 AS author_id, true AS public,
  TIMESTAMP '2026-01-05 10:00' AS created_at;
"""
AIRBYTE = SINGER.replace("'web' AS via__channel", '\'{"channel": "web"}\' AS via').replace(
    "43, 'email'", '43, \'{"channel": "email"}\''
)


@pytest.mark.parametrize(
    "tables", [FIVETRAN, AIRBYTE, SINGER], ids=["fivetran", "airbyte", "singer"]
)
def test_a_pipelines_tables_of_a_help_desk_are_known_by_name(tmp_path: Path, tables: str) -> None:
    with duckdb.connect(str(tmp_path / "a.duckdb")) as con:
        con.execute(tables)
    run_import("sql", f"duckdb:///{tmp_path}/a.duckdb", tmp_path / "w", {"map": "zendesk"})
    made = pd.read_parquet(tmp_path / "w" / "tables" / "tickets.parquet").set_index("ticket_id")
    assert made["channel"].to_dict() == {"7": "web", "8": "email"}
    assert made["is_machine"].to_dict() == {"7": False, "8": True}
    assert made.loc["7", "first_response_at"] == datetime(2026, 1, 5, 12)
    assert made.loc["7", "resolved_at"] == datetime(2026, 1, 6)
    assert pd.isna(made.loc["8", "first_response_at"])


def test_what_is_wrong_is_told_by_name(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/help.sqlite"
    by_sqlalchemy(url)(ROWS)
    for options, told in (
        ({}, "no table of the database is named"),
        ({"tables": "case"}, 'Did you mean "cases"'),
        ({"tables": "cases"}, "no table of the contract"),
        ({"tables": "cases", "cursor": "chagned"}, 'Did you mean "changed"'),
        ({"query": "SELECT 1"}, "tables=NAME"),
        ({"tables": "tickets", "query": "SELECT nothing"}, "cannot be read"),
    ):
        with pytest.raises((UsageError, DataError), match=told):
            run_import("sql", url, tmp_path / "w", options)
    with pytest.raises(UsageError, match="cannot be opened"):
        run_import("sql", "nosuch://x", tmp_path / "w")


def test_no_password_is_shown_or_kept(tmp_path: Path) -> None:
    assert "secret" not in without_password("postgresql://reader:secret@db/help")
    url = f"sqlite:///{tmp_path}/help.sqlite"
    by_sqlalchemy(url)(ROWS)
    (tmp_path / "map.toml").write_text(MAP)
    options = {"map": str(tmp_path / "map.toml"), "cursor": "changed"}
    run_import("sql", url, tmp_path / "w", options)
    kept = json.loads((tmp_path / "w" / ".presage" / "cursors.json").read_text())
    assert list(kept.values()) == ["2026-01-06T10:00:00"]
    assert not any("sqlite" in key for key in kept)
