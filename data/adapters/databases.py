"""A database by its SQLAlchemy URL: read in batches, and from where the last import ended.

Tables named as the contract's are taken as they are; others by a mapping whose ``from`` names them.
With a cursor column only rows at or after the greatest value of the last import are asked for:
those of that very value come again, and rows are merged by key, so none is lost and none doubled.
How far a table was read is kept in ``.presage/cursors.json``, without the password.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.adapters.interface import Imported
from data.adapters.mapped import read_mapped
from data.adapters.mapping import MAPS, MapFile, TableMap, load_mapping
from data.contract import TABLES, table
from data.errors import DataError, UsageError, did_you_mean
from data.files import write_whole
from data.source_files import kind_of

if TYPE_CHECKING:
    import sqlalchemy as sa

CURSORS = "cursors.json"
BATCH = 50_000


def read_database(
    url: str, options: Mapping[str, str], workspace: Path, say: Callable[[str], object]
) -> Imported:
    """The tables of the database at ``url`` in the contract's form.

    Raises UsageError for a URL that names no database we can open, for unknown tables and cursor
    columns; DataError for what the rows hold.
    """
    import sqlalchemy as sa

    if url.startswith("duckdb:"):
        return _of_duckdb(url, options, workspace, say)
    try:
        engine = sa.create_engine(url)
        connection = engine.connect()
    except (sa.exc.SQLAlchemyError, ImportError, ValueError) as error:
        raise UsageError(f"the database cannot be opened: {_in_words(error)}") from None
    before = cursors_of(workspace / ".presage")
    cursors: dict[str, str] = {}
    notes: list[str] = []
    with connection, tempfile.TemporaryDirectory() as folder:
        reflected = sa.inspect(engine)
        schema = options.get("schema")
        there = [*reflected.get_table_names(schema), *reflected.get_view_names(schema)]
        for name in _wanted(options, there):
            query = _query(name, options, schema, engine, there)
            key = _key(url, name, options)
            cursor = options.get("cursor")
            rows, newest, count = query, None, 0
            if cursor is not None:
                rows = _since(query, cursor, before.get(key), name)
            stream = connection.execution_options(stream_results=True, max_row_buffer=BATCH)
            try:
                count, newest = _stage(stream, rows, Path(folder) / f"{name}.jsonl", cursor)
            except sa.exc.SQLAlchemyError as error:
                raise DataError(f"{name} cannot be read: {_in_words(error)}") from None
            say(f"{name}: {count:,} rows")
            if newest is not None:
                cursors[key] = newest
            if before.get(key) and cursor:
                notes.append(f"{name}: {count:,} rows since {cursor} = {before[key]}")
            if not count:
                (Path(folder) / f"{name}.jsonl").unlink()
        engine.dispose()
        if not list(Path(folder).iterdir()):
            raise DataError(
                "the database has no row that is new"
                if cursors or before
                else "the database has no row in these tables"
            )
        mapping = _mapping(options, Path(folder))
        imported = read_mapped(mapping, Path(folder), options)
    return replace(imported, notes=(*notes, *imported.notes), cursors=cursors)


def _of_duckdb(
    url: str, options: Mapping[str, str], workspace: Path, say: Callable[[str], object]
) -> Imported:
    """The same of a DuckDB file, for which SQLAlchemy has no driver that reads its format of now.

    The file is attached for reading to a connection that opens nothing else.
    """
    import duckdb

    from data.engines import literal, quoted

    path = Path(url.removeprefix("duckdb:").removeprefix("//").removeprefix("/"))
    path = path if path.exists() else Path("/") / path
    if not path.is_file():
        raise UsageError(f"the database cannot be opened: there is no file {path}")
    con = duckdb.connect(":memory:")
    con.execute("SET TimeZone = 'UTC'")
    try:
        con.execute(f"ATTACH {literal(str(path.absolute()))} AS theirs (READ_ONLY)")
    except duckdb.Error as error:
        raise UsageError(f"the database cannot be opened: {_in_words(error)}") from None
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")
    schema, cursor = options.get("schema", "main"), options.get("cursor")
    there = [
        str(row[0])
        for row in con.execute(
            "SELECT table_name FROM information_schema.tables "
            "WHERE table_catalog = 'theirs' AND table_schema = ?",
            [schema],
        ).fetchall()
    ]
    before, cursors, notes = cursors_of(workspace / ".presage"), {}, []
    with tempfile.TemporaryDirectory() as folder:
        for name in _wanted(options, there):
            if "query" not in options and name not in there:
                raise UsageError(f'the database has no table "{name}".{did_you_mean(name, there)}')
            source = options.get("query") or f"FROM theirs.{quoted(schema)}.{quoted(name)}"
            key = _key(url, name, options)
            query = f"SELECT * FROM ({source})"  # noqa: S608
            if cursor is not None:
                condition = " WHERE {0} >= CAST(? AS {1})" if before.get(key) else ""
                try:
                    kind = con.sql(f"SELECT {quoted(cursor)} FROM ({source})").types[0]  # noqa: S608
                except duckdb.Error as error:
                    raise UsageError(
                        f'{name} has no column "{cursor}": {_in_words(error)}'
                    ) from None
                query += condition.format(quoted(cursor), kind) + f" ORDER BY {quoted(cursor)}"
            try:
                result = con.execute(query, [before[key]] if cursor and before.get(key) else [])
                rows = _batches(result, [column[0] for column in result.description or ()])
                count, newest = _write(rows, Path(folder) / f"{name}.jsonl", cursor)
            except duckdb.Error as error:
                raise DataError(f"{name} cannot be read: {_in_words(error)}") from None
            say(f"{name}: {count:,} rows")
            if newest is not None:
                cursors[key] = newest
            if cursor and before.get(key):
                notes.append(f"{name}: {count:,} rows since {cursor} = {before[key]}")
            if not count:
                (Path(folder) / f"{name}.jsonl").unlink()
        con.close()
        if not list(Path(folder).iterdir()):
            raise DataError("the database has no row in these tables")
        imported = read_mapped(_mapping(options, Path(folder)), Path(folder), options)
    return replace(imported, notes=(*notes, *imported.notes), cursors=cursors)


def _batches(result: Any, names: list[str]) -> Iterator[dict[str, Any]]:
    while batch := result.fetchmany(BATCH):
        for row in batch:
            yield dict(zip(names, row, strict=True))


def _in_words(error: Exception) -> str:
    first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return first.split("(Background on this error")[0]


def _wanted(options: Mapping[str, str], there: list[str]) -> list[str]:
    if "tables" in options:
        return [name.strip() for name in options["tables"].split(",") if name.strip()]
    if "query" in options:
        raise UsageError(
            "query needs tables=NAME: the table that its rows are, or that a mapping "
            "names in `from`"
        )
    if "map" in options:
        mapping = _map_of(options["map"])
        named: dict[str, str] = {}
        for one in mapping.tables:
            named |= dict.fromkeys(_patterns(one.files), one.besides)
            named |= dict.fromkeys(_patterns("|".join(b.files for b in one.beside)), "")
        names = [
            name
            for name in there
            if any(
                fnmatch(name.lower(), p) and not any(fnmatch(name.lower(), o) for o in _patterns(b))
                for p, b in named.items()
            )
        ]
        if not names:
            raise UsageError(
                f"the database has none of {', '.join(sorted(named)) or 'the tables'}."
                f" It has: {', '.join(there)}"
            )
        return names
    names = [name for name in there if name.lower() in TABLES]
    if not names:
        raise UsageError(
            f"no table of the database is named as one of the contract's ({', '.join(TABLES)}); "
            f"give map=FILE. It has: {', '.join(there) or 'no table'}"
        )
    return names


def _patterns(files: str) -> list[str]:
    """What a mapping's ``from`` says of tables; what ends as a file does says nothing of them."""
    named = (one.strip().lower() for one in files.split("|"))
    return [one for one in named if one and not kind_of(Path(one))]


def _map_of(name: str) -> MapFile:
    """The mapping in a file, or that of an adapter by its name (``map=zendesk``)."""
    own = MAPS / f"{name}.toml"
    return load_mapping(own if own.is_file() else Path(name))


def _query(
    name: str, options: Mapping[str, str], schema: str | None, engine: sa.Engine, there: list[str]
) -> Any:
    import sqlalchemy as sa

    if "query" in options:
        return (
            sa.text(options["query"]).columns().subquery("asked").select()
            if False
            else (sa.select(sa.text("*")).select_from(sa.text(f"({options['query']}) AS asked")))
        )
    if name not in there:
        raise UsageError(
            f'the database has no table "{name}".{did_you_mean(name, there)} It has: '
            f"{', '.join(there)}"
        )
    return sa.select(sa.Table(name, sa.MetaData(), schema=schema, autoload_with=engine))


def _since(query: Any, cursor: str, last: str | None, name: str) -> Any:
    import sqlalchemy as sa

    columns = getattr(query, "selected_columns", None)
    if columns is not None and len(columns) and cursor not in columns and columns.keys() != ["*"]:
        raise UsageError(f'{name} has no column "{cursor}".{did_you_mean(cursor, columns.keys())}')
    column: Any = (
        columns[cursor] if columns is not None and cursor in columns else sa.column(cursor)
    )
    ordered = query.order_by(column)
    if last is None:
        return ordered
    kind = getattr(column, "type", None)
    value: Any = last
    if isinstance(kind, sa.DateTime):
        value = datetime.fromisoformat(last)
    elif isinstance(kind, sa.Date):
        value = date.fromisoformat(last)
    elif isinstance(kind, sa.Integer):
        value = int(last)
    elif isinstance(kind, sa.Numeric):
        value = Decimal(last)
    return ordered.where(column >= value)


def _stage(
    connection: sa.Connection, query: Any, place: Path, cursor: str | None
) -> tuple[int, str | None]:
    """The rows as JSON lines of texts, a batch in memory at a time; the cursor's greatest value."""
    return _write(_rows(connection, query), place, cursor)


def _write(
    rows: Iterator[dict[str, Any]], place: Path, cursor: str | None
) -> tuple[int, str | None]:
    count, newest = 0, None
    with place.open("w", encoding="utf-8") as out:
        for row in rows:
            out.write(json.dumps({k: _text(v) for k, v in row.items()}, ensure_ascii=False) + "\n")
            count += 1
            if cursor is not None and row.get(cursor) is not None:
                newest = row[cursor] if newest is None else max(newest, row[cursor])
    return count, None if newest is None else str(_text(newest))


def _rows(connection: sa.Connection, query: Any) -> Iterator[dict[str, Any]]:
    for batch in connection.execute(query).mappings().partitions(BATCH):
        for row in batch:
            yield dict(row)


def _text(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, dict | list):
        return value
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return str(value)


def _mapping(options: Mapping[str, str], folder: Path) -> MapFile:
    """The mapping that was named, or the columns as they are, of files named as tables."""
    if "map" in options:
        mapping = _map_of(options["map"])
        tables = []
        for one in mapping.tables:
            beside = tuple(replace(b, files=_staged(b.files)) for b in one.beside)
            tables.append(replace(one, files=_staged(one.files), beside=beside))
        return replace(mapping, tables=tuple(tables))
    maps: list[TableMap] = []
    for path in sorted(folder.iterdir()):
        name = path.stem.lower()
        if name not in TABLES:
            raise UsageError(f"{path.stem} is no table of the contract; give map=FILE")
        with path.open(encoding="utf-8") as file:
            columns = json.loads(file.readline())
        lowered = {c.lower(): c for c in columns}
        known = {c: (lowered[c],) for c in table(name).names if c in lowered}
        missing = [c for c in table(name).required if c not in known]
        if missing:
            raise DataError(
                f"{path.stem} has no {', '.join(missing)}, which every row of {name} needs; give "
                f"map=FILE. It has: {', '.join(columns)}"
            )
        maps.append(TableMap(name, known, path.name))
    return MapFile("sql", tuple(maps))


def _staged(files: str) -> str:
    """The same patterns of the files into which tables are written."""
    return "|".join(f"{one}.jsonl" for one in _patterns(files)) if files else ""


def _key(url: str, name: str, options: Mapping[str, str]) -> str:
    """What a cursor belongs to: database, table, query and column; no password in it."""
    import sqlalchemy as sa

    parts = sa.make_url(url)
    where = f"{parts.drivername}://{parts.host}:{parts.port}/{parts.database}"
    identity = "|".join((where, options.get("schema", ""), name, options.get("query", "")))
    digest = hashlib.sha256(identity.encode()).hexdigest()[:12]
    return f"{name}.{options.get('cursor', '')}.{digest}"


def cursors_of(state: Path) -> dict[str, str]:
    """How far each source was read, by what was read; DataError where the file is damaged."""
    file = state / CURSORS
    if not file.is_file():
        return {}
    try:
        return {str(k): str(v) for k, v in json.loads(file.read_text("utf-8")).items()}
    except ValueError:
        raise DataError(f"{file} is damaged; delete it, and the next import reads all") from None


def remember(state: Path, cursors: Mapping[str, str]) -> None:
    """Keep how far the tables were read."""
    write_whole(state / CURSORS, json.dumps({**cursors_of(state), **cursors}, indent=1).encode())
