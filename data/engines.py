"""The engine that computes over tables: DuckDB, within the memory and threads of the settings.

A connection sees the named folders and nothing else, cannot load extensions, and its
configuration is locked: a value in somebody's table stays a value.

>>> con = duckdb_connection(Engine(memory_limit_gb=0.5, threads=1), [])
>>> con.sql("SELECT 40 + 2 AS answer").fetchall()
[(42,)]
>>> con.read_csv("/etc/hostname")
Traceback (most recent call last):
...
_duckdb.PermissionException: Permission Error: Cannot access file "/etc/hostname" ...
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import NotBuiltYet
from data.settings_tree import Engine

if TYPE_CHECKING:
    import duckdb


READING_GB = 1.4
"""Memory for reading files, however large: with what Python takes the process stays within 2 GB."""

COLUMNS = "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, DICTIONARY_SIZE_LIMIT 1000)"
"""How a table is written: more effort, or a longer list of a column's values, saves no byte."""


def for_reading(engine: Engine) -> Engine:
    """The engine for reading tables: what is more than ``READING_GB`` goes to disk."""
    return replace(engine, memory_limit_gb=min(engine.memory_limit_gb, READING_GB))


def duckdb_connection(engine: Engine, folders: Sequence[Path]) -> duckdb.DuckDBPyConnection:
    """A locked in-memory DuckDB connection that may read and write below ``folders`` only.

    What does not fit the memory limit is spilled to ``.spill`` in the first of the folders.
    Times are UTC. Raises NotBuiltYet for an engine other than duckdb.
    """
    connection = _unlocked(engine, folders)
    _lock(connection)
    return connection


def quoted(text: str) -> str:
    """A name as an SQL identifier.

    >>> quoted('plan "b"')
    '"plan ""b\"""'
    """
    return '"' + text.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as an SQL literal.

    >>> literal("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def _unlocked(engine: Engine, folders: Sequence[Path]) -> duckdb.DuckDBPyConnection:
    if engine.kind != "duckdb":
        raise NotBuiltYet(
            f'[engine] kind = "{engine.kind}" comes with a later release; use "duckdb" until then'
        )
    import duckdb

    connection = duckdb.connect(":memory:")
    settings = {
        "TimeZone": "UTC",
        "memory_limit": f"{engine.memory_limit_gb}GB",
        "preserve_insertion_order": "true",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "enable_progress_bar": "false",
    }
    if engine.threads:
        settings["threads"] = str(engine.threads)
    settings["temp_directory"] = str(folders[0].absolute() / ".spill") if folders else ""
    for name, value in settings.items():
        connection.execute(f"SET {name} = {literal(value)}")
    inside = ", ".join(literal(f"{folder.absolute()}/") for folder in folders)
    connection.execute(f"SET allowed_directories = [{inside}]")
    return connection


def _lock(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
