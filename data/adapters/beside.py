"""Rows of other files beside a table's own: the metrics, comments and tags of a ticket, which help
desks and pipelines keep in tables of their own.

They come along as one column of JSON, so that an expression still sees its row and nothing else.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from data.adapters.export_files import document, matching
from data.adapters.mapping import Beside, TableMap
from data.engines import literal, quoted
from data.settings_import import Import
from data.source_files import Source, open_source

if TYPE_CHECKING:
    import duckdb


def files_beside(one: TableMap, source: Path) -> list[Path]:
    """The files whose rows come along with those of a table."""
    return [path for other in one.beside for path in matching(source, other.files)]


def with_beside(
    con: duckdb.DuckDBPyConnection,
    one: TableMap,
    source: Path,
    opened: Source,
    reading: Import,
    scratch: Path,
) -> tuple[duckdb.DuckDBPyRelation, dict[str, str], tuple[str, ...]]:
    """The source's rows with a column for each file beside it, their types, and what was noted.

    A column that the source has already stays as it is; a list of which there is no file is null.
    ``con`` may read the files.
    """
    relation, types, notes = opened.relation, dict(opened.types), list[str]()
    for place, other in enumerate(one.beside):
        if other.name in types:
            continue
        paths = list(matching(source, other.files)) if other.on in types else []
        parts = []
        for number, path in enumerate(paths):
            export = open_source(
                con, document(path, other.rows, scratch), path.name, reading, scratch
            )
            if other.key not in export.types:
                notes.append(f"{path.name} has no {other.key}, so it tells nothing of {one.name}")
                continue
            name = f"beside_{place}_{number}"
            export.relation.project(_object(export, other)).create(name)
            parts.append(f"SELECT key, doc, {number} AS part, row FROM {name}")  # noqa: S608
        if not parts:
            if other.all:  # none: an empty list, so that an expression can ask several in turn
                relation = relation.project(f"*, CAST(NULL AS VARCHAR) AS {quoted(other.name)}")
                types[other.name] = "VARCHAR"
            continue
        gather = "CAST(to_json(list(doc ORDER BY part, row)) AS VARCHAR)"
        last = "CAST(arg_max(doc, (part, row)) AS VARCHAR)"
        union = " UNION ALL ".join(parts)
        rows = con.sql(
            f"SELECT key, {gather if other.all else last} AS doc FROM ({union}) GROUP BY key"  # noqa: S608
        )
        rows.create(f"beside_{place}")
        listed = ", ".join(f"r.{quoted(name)}" for name in (*types, "row"))
        on = f"CAST(r.{quoted(other.on)} AS VARCHAR) = b.key"
        relation = (
            relation.set_alias("r")
            .join(con.table(f"beside_{place}").set_alias("b"), on, how="left")
            .project(f"{listed}, b.doc AS {quoted(other.name)}")
            .order("row")
        )
        types[other.name] = "VARCHAR"
    return relation, types, tuple(notes)


def _object(source: Source, other: Beside) -> str:
    """The projection of a row as its key and an object of JSON; JSON within stays JSON."""
    pairs = []
    for name in source.types:
        text = f"CAST({quoted(name)} AS VARCHAR)"
        nested = f"regexp_matches({text}, '^[{{\\[]') AND json_valid({text})"
        pairs += [
            literal(name),
            f"CASE WHEN {nested} THEN CAST({text} AS JSON) ELSE to_json({text}) END",
        ]
    key = f"CAST({quoted(other.key)} AS VARCHAR) AS key"
    return f"{key}, json_object({', '.join(pairs)}) AS doc, row"
