"""A source read by a mapping: every row in a table, left out by the mapping, or set aside by name.

Values are typed and judged by the contract's own rules, so what an import accepts, ``presage
check`` accepts. A row that breaks one is not imported: it is counted in the notes with its file,
row, column and value, and kept in ``.presage/quarantine/import-NAME.parquet``.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from data.adapters.aside import ASIDE, MOST, notes_of
from data.adapters.beside import files_beside, with_beside
from data.adapters.elements import MissingColumn, elements_of
from data.adapters.export_files import document, files_of, matching
from data.adapters.expressions import ROWS, NoExpression, check_expression, faulty_rows, sandbox
from data.adapters.interface import Imported
from data.adapters.local_time import complete_to, from_utc, last_midnight, moment_to_utc, to_utc
from data.adapters.mapping import MapFile, TableMap
from data.adapters.reading import plain
from data.clean import TEXT_OF, rules, typed
from data.contract import Table, table
from data.csv_files import NoRows
from data.engines import duckdb_connection, literal, quoted
from data.errors import DataError, UsageError, did_you_mean
from data.notices import numbers_again
from data.settings_tree import Engine
from data.source_files import KINDS, Source, open_source
from data.times import HAS_ZONE

if TYPE_CHECKING:
    import duckdb

LATEST = datetime(2100, 1, 1)
HISTORY = ("orders", "usage", "tickets", "volumes")
"""The tables whose newest birth says how far an export reaches."""
ENOUGH = 10
"""Values from which on it can be said that a column holds something else."""
NAME = re.compile(r"\w[\w /().:#&'-]*")


@dataclass(frozen=True)
class Part:
    """One file's rows of one table: the good ones, and those set aside with what they broke."""

    good: pd.DataFrame
    bad: pd.DataFrame
    left_out: int
    rows: int
    notes: tuple[str, ...]


def read_mapped(mapping: MapFile, source: Path, options: Mapping[str, str]) -> Imported:
    """The tables that ``mapping`` makes of the files at ``source`` (a file, or a folder of them).

    Raises DataError where a table finds none of its columns, where an expression is wrong, or where
    no row is good.
    """
    frames: dict[str, list[pd.DataFrame]] = {}
    aside: dict[str, list[pd.DataFrame]] = {}
    notes: list[str] = []
    lacking: list[tuple[str, str, MissingColumn]] = []
    read: set[tuple[str, str]] = set()
    unread = {path.name for path in files_of(source)}
    unread -= {path.name for one in mapping.tables for path in files_beside(one, source)}
    with tempfile.TemporaryDirectory() as scratch:
        for one, paths in _sources(mapping, source):
            if not paths and len(mapping.tables) > 1:
                notes.append(f"{one.name}: no file matches {one.files!r}; left out")
                continue
            if not paths:
                raise UsageError(f"{source} has no file that matches {one.files or KINDS}")
            for path in paths:
                unread.discard(path.name)
                try:
                    part = _part(mapping, one, source, path, Path(scratch))
                except NoRows as error:
                    notes.append(f"left out: {error}")
                    continue
                except MissingColumn as error:
                    if len(mapping.tables) == 1:
                        raise
                    lacking.append((one.name, path.name, error))
                    continue
                read.add((one.name, path.name))
                frames.setdefault(one.name, []).append(part.good)
                aside.setdefault(one.name, []).append(part.bad)
                notes += part.notes
    if lacking and not frames:
        raise lacking[0][2]
    notes += [f"left out: {why}" for name, file, why in lacking if (name, file) not in read]
    if unread:
        notes.append(f"not read by this mapping: {', '.join(sorted(unread))}")
    tables = {name: _joined(name, parts, notes) for name, parts in frames.items()}
    bad = {name: pd.concat(parts, ignore_index=True) for name, parts in aside.items()}
    if not any(len(frame) for frame in tables.values()):
        raise DataError(f"{source} has no row that a table could hold: {'; '.join(notes)}")
    settings = dict(mapping.settings)
    if mapping.time_zone != "UTC":
        settings["company.time_zone"] = mapping.time_zone
    settings |= {f"sites.{name}.time_zone": zone for name, zone in mapping.sites.items()}
    ends = _end(tables, mapping.time_zone)
    if ends is not None:
        settings["data.complete_to"] = complete_to(options, ends)
    own = _own_columns(mapping, tables)
    if own:
        settings["data.attributes"] = own
    return Imported(
        {name: frame for name, frame in tables.items() if len(frame)},
        settings,
        tuple(notes),
        set_aside={name: frame for name, frame in bad.items() if len(frame)},
    )


def _sources(mapping: MapFile, source: Path) -> list[tuple[TableMap, list[Path]]]:
    """Each table's files. A single file that no pattern names was meant all the same: by all."""
    paths_of = [(one, list(matching(source, one.files, one.besides))) for one in mapping.tables]
    if source.is_file() and not any(paths for _, paths in paths_of):
        return [(one, [source]) for one, _ in paths_of]
    return [(one, paths) for one, paths in paths_of if paths or not source.is_file()]


def _joined(name: str, parts: Sequence[pd.DataFrame], notes: list[str]) -> pd.DataFrame:
    """All files' rows; of rows with one key and recorded_at the last counts, as an update does.

    Events without an id get one made of what they say, so that an import again doubles none.
    """
    whole = pd.concat(parts, ignore_index=True)
    key = table(name).key
    if not key:
        return whole
    if key[0] not in whole.columns:
        says = pd.util.hash_pandas_object(whole.astype("str"), index=False)
        nth = says.groupby(says).cumcount()
        ids = says.map("{:016x}".format) + ("-" + nth.astype("str")).where(nth > 0, "")
        notes.append(f"{name}: no {key[0]} in the source; each is made of what its row says")
        return whole.assign(**{key[0]: ids})
    keys = [*key, *(["recorded_at"] if "recorded_at" in whole.columns else [])]
    again = whole.duplicated(keys, keep="last")
    if again.any():
        example = " ".join(map(str, whole.loc[again, list(key)].iloc[0]))
        notes.append(
            f"{name}: {int(again.sum()):,} rows come again later under one key ({example}), and "
            "the last counts; where they are lines of one, `group` in the mapping makes them one"
        )
        notes += numbers_again(table(name), whole)
    return whole[~again].reset_index(drop=True)


def _own_columns(mapping: MapFile, tables: Mapping[str, pd.DataFrame]) -> list[str]:
    known = set(table("customers").names)
    return [c for c in tables.get("customers", pd.DataFrame()).columns if c not in known]


def _end(tables: Mapping[str, pd.DataFrame], zone: str) -> datetime | None:
    ends = []
    for name in HISTORY:
        birth = table(name).birth or "ds"
        if name in tables and len(tables[name]):
            ends.append(last_midnight(from_utc(tables[name][birth], zone)))
    return moment_to_utc(max(ends), zone) if ends else None


def _part(mapping: MapFile, one: TableMap, whole: Path, path: Path, scratch: Path) -> Part:
    folders = {path.parent.resolve(), *(p.parent.resolve() for p in files_beside(one, whole))}
    con = duckdb_connection(Engine(), [*folders, scratch])
    readable = document(path, one.rows, scratch)
    opened = open_source(con, readable, path.name, mapping.reading, scratch)
    relation, types, beside = with_beside(con, one, whole, opened, mapping.reading, scratch)
    opened = replace(opened, relation=relation, types=types, notes=(*opened.notes, *beside))
    if one.each:
        opened = elements_of(con, opened, one.each, one.name)
    box = sandbox()
    box.register(ROWS, opened.relation.to_arrow_table())
    part = part_of(mapping, one, box, opened, bound_to(box, one, opened, mapping.reading.statuses))
    aside = part.bad
    lines = [(one.name, path.name, n, None, "broken line", t, w) for n, t, w in opened.broken]
    if lines:
        aside = pd.concat([aside] * bool(len(aside)) + [pd.DataFrame(lines, columns=list(ASIDE))])
    notes = [*part.notes, *notes_of(one.name, path.name, aside)]
    if part.left_out:
        notes.append(
            f"{one.name}: {part.left_out:,} rows of {path.name} are left out by the mapping"
        )
    return replace(part, bad=aside, rows=part.rows + len(lines), notes=(*opened.notes, *notes))


def part_of(
    mapping: MapFile, one: TableMap, box: duckdb.DuckDBPyConnection, opened: Source, bound: Bound
) -> Part:
    """The rows of one table that ``mapping`` makes of a source, judged by the contract's rules.

    ``box`` holds the source's rows as ``ROWS``. DataError where they cannot be computed.
    """
    source, left_out, aside = evaluate(box, one, opened, bound)
    contract = table(one.name)
    own = tuple(c for c in one.columns if c not in contract.names and c in source.types)
    relation = source.relation.project(typed(source, contract, own, 0, mapping.reading))
    relation.create("typed")
    relation = box.table("typed")
    have = list(source.types)
    unread = _unread_columns(relation, contract, have)
    have = [column for column in have if column not in unread]
    errors = [r for r in rules(contract, have, LATEST) if r.severity == "error"]
    tallies = ", ".join(f"count(*) FILTER ({rule.condition})" for rule in errors)
    counts = relation.aggregate(tallies).fetchall()[0] if errors else ()
    broken = [rule for rule, count in zip(errors, counts, strict=True) if count]
    good = relation
    bad = [aside] if len(aside) else []
    for rule in broken:
        bad.append(
            relation.filter(rule.condition)
            .project(
                f'{literal(one.name)} AS "table", file, "row", {literal(rule.column)} AS '
                f'"column", {literal(rule.name)} AS rule, {quoted(TEXT_OF + rule.column)} AS '
                f'"value", {literal(rule.fix)} AS fix'
            )
            .df()
        )
        good = good.filter(f"NOT coalesce({rule.condition}, false)")
    aside = pd.concat(bad, ignore_index=True) if bad else pd.DataFrame(columns=list(ASIDE))
    frame, clock_notes = _frame(good.df(), contract, source, own, mapping)
    frame = frame.drop(columns=list(unread))
    notes = tuple(f"{one.name}: {note}" for note in clock_notes)
    notes += tuple(
        f"{one.name}: {column} is left out: {opened.label} holds {example!r} there, and nothing "
        "that it could be"
        for column, example in unread.items()
    )
    return Part(frame, aside, left_out, opened.rows, (*bound.notes, *notes))


def _unread_columns(
    relation: duckdb.DuckDBPyRelation, contract: Table, have: Sequence[str]
) -> dict[str, str]:
    """Columns that a row may lack and of which no value is what it takes, with an example: another
    thing under the same name, for which no row is set aside."""
    optional = [
        c.name
        for c in contract.columns
        if c.name in have and not c.required and c.dtype in ("timestamp", "float", "integer")
    ]
    if not optional:
        return {}
    parts = []
    for c in optional:
        text = quoted(TEXT_OF + c)
        parts += [f"count({quoted(c)})", f"count(nullif(trim({text}), ''))", f"min({text})"]
    counts = relation.aggregate(", ".join(parts)).fetchall()[0]
    counts_of = {c: counts[3 * n : 3 * n + 3] for n, c in enumerate(optional)}
    return {
        column: str(example)
        for column, (read, there, example) in counts_of.items()
        if not read and there >= ENOUGH
    }


@dataclass(frozen=True)
class Bound:
    """A mapping's expressions for a source with certain columns: each checked, and of several the
    one that the source has."""

    columns: Mapping[str, str]
    where: str | None
    group: str | None
    notes: tuple[str, ...]


def bound_to(
    box: duckdb.DuckDBPyConnection,
    one: TableMap,
    opened: Source,
    statuses: Mapping[str, str] | None = None,
) -> Bound:
    """The expressions of one table for the columns that a source has; MissingColumn, DataError."""
    columns: dict[str, str] = {}
    notes: list[str] = []
    for name, choices in one.columns.items():
        bound = _bound(box, choices, opened)
        if bound is None and name in table(one.name).required:
            near = did_you_mean(choices[0], list(opened.types))
            raise MissingColumn(
                f"{opened.label}: {one.name}.{name} is mapped from {' or '.join(choices)}, and "
                f"there is no such column.{near} It has: {', '.join(opened.types)}"
            )
        if bound is not None:
            columns[name] = _with_words(bound, one.values.get(name, {}))
    if statuses and one.name == "tickets" and not one.group:
        notes += _by_status(box, columns, statuses, opened)
    absent = [name for name in one.columns if name not in columns]
    if absent:
        notes.append(f"{one.name}: {opened.label} has nothing for {', '.join(absent)}")
    where = _bound(box, one.where, opened) if one.where else None
    group = _bound(box, one.group, opened) if one.group else None
    return Bound(columns, where, group, tuple(notes))


def evaluate(
    box: duckdb.DuckDBPyConnection, one: TableMap, opened: Source, bound: Bound
) -> tuple[Source, int, pd.DataFrame]:
    """The mapped columns as a source of their own, how many rows ``where`` leaves out, and the rows
    of which an expression cannot be computed, set aside; DataError where that is most of them."""
    import duckdb

    aside = pd.DataFrame(columns=list(ASIDE))
    try:
        left_out = opened.rows - _mapped_rows(box, bound, ROWS)
    except duckdb.Error as error:
        expressions = {**bound.columns, **({"where": bound.where} if bound.where else {})}
        faulty = pd.DataFrame() if bound.group else faulty_rows(box, expressions)
        count = faulty["row"].nunique() if len(faulty) else 0
        reason = next((x for x in str(error).splitlines() if x.strip()), "unknown")
        if not count or count > MOST * opened.rows:
            raise DataError(
                f"{opened.label}: the mapping of {one.name} cannot be computed: {reason}"
            ) from None
        fix = "mend the value, or the expression in the mapping"
        where = {"table": one.name, "file": opened.label, "rule": "not computed", "fix": fix}
        aside = faulty.assign(**where)[list(ASIDE)]
        box.register("faulty", faulty)
        sound = box.table(ROWS).filter("row NOT IN (SELECT row FROM faulty)")
        sound.create("sound")
        left_out = opened.rows - count - _mapped_rows(box, bound, "sound")
    relation = box.table("mapped")
    kinds = {
        name: str(kind).strip('"')
        for name, kind in zip(relation.columns, relation.types, strict=True)
        if name != "row"
    }
    rows = int(relation.count("*").fetchall()[0][0])
    return Source(opened.label, relation, kinds, rows), left_out, aside


def _mapped_rows(box: duckdb.DuckDBPyConnection, bound: Bound, rows: str) -> int:
    """Make the table ``mapped`` of ``rows``; how many of them ``where`` keeps."""
    condition = f" WHERE coalesce({bound.where}, false)" if bound.where else ""
    counted = box.execute(f"SELECT count(*) FROM {rows}{condition}").fetchall()[0][0]  # noqa: S608
    row = "min(row)" if bound.group else "row"
    listed = ", ".join(f"{e} AS {quoted(name)}" for name, e in bound.columns.items())
    grouped = f" GROUP BY {bound.group}" if bound.group else ""
    query = f"SELECT {listed}, {row} AS row FROM {rows}{condition}{grouped} ORDER BY {row}"  # noqa: S608
    box.execute(f"CREATE TABLE mapped AS {query}")
    return int(counted)


STATUS = ("status", "Ticket status", "Case Status", "state", "fields->>'$.status.name'")


def _by_status(
    box: duckdb.DuckDBPyConnection,
    columns: dict[str, str],
    statuses: Mapping[str, str],
    opened: Source,
) -> list[str]:
    """What a help desk's own status says beside its columns: a deleted ticket is deleted, spam is a
    machine's, and one that is open is not resolved, whatever time an earlier solution left."""
    status = _bound(box, STATUS, opened)
    if status is None:
        return [f"tickets: {opened.label} has no status, so [import] statuses says nothing of it"]
    words = " ".join(f"WHEN {literal(a)} THEN {literal(b)}" for a, b in statuses.items())
    meaning = f"coalesce(CASE CAST({status} AS VARCHAR) {words} END, '')"
    for column, word in (("deleted", "deleted"), ("is_machine", "spam")):
        before = f"coalesce(try_cast({columns.get(column, 'false')} AS BOOLEAN), false)"
        columns[column] = f"({before} OR {meaning} = '{word}')"
    if "resolved_at" in columns:
        columns["resolved_at"] = f"CASE WHEN {meaning} <> 'open' THEN {columns['resolved_at']} END"
    return []


def _bound(box: duckdb.DuckDBPyConnection, choices: Sequence[str], opened: Source) -> str | None:
    """The first of the expressions whose columns the source has; DataError for a wrong one."""
    import duckdb

    spelled = {plain(name): name for name in reversed(list(opened.types))}
    for choice in choices:
        if choice in opened.types:
            return quoted(choice)
        if plain(choice) in spelled and not any(mark in choice for mark in "('+*|"):
            return quoted(spelled[plain(choice)])
        try:
            check_expression(box, choice)
        except NoExpression:
            if NAME.fullmatch(choice) and choice.count("(") == choice.count(")"):
                continue  # the name of a column that is not there
            raise
        try:
            box.execute(f"SELECT {choice} FROM {ROWS} LIMIT 0")  # noqa: S608
        except duckdb.BinderException as error:
            if "not found" in str(error) or "does not have a column" in str(error):
                continue
            reason = str(error).splitlines()[0]
            raise DataError(f'{opened.label}: the expression "{choice}": {reason}') from None
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            raise DataError(f'{opened.label}: the expression "{choice}": {reason}') from None
        return f"({choice})"
    return None


def _with_words(expression: str, words: Mapping[str, str]) -> str:
    if not words:
        return expression
    whens = " ".join(f"WHEN {literal(a)} THEN {literal(b)}" for a, b in words.items())
    text = f"CAST({expression} AS VARCHAR)"
    return f"CASE {text} {whens} ELSE {text} END"


def _frame(
    rows: pd.DataFrame, contract: Table, source: Source, own: Sequence[str], mapping: MapFile
) -> tuple[pd.DataFrame, list[str]]:
    """Typed rows as a frame of the mapped columns, local times in UTC, and what is said of those
    that the clock shows twice or not at all."""
    out = {}
    notes: list[str] = []
    zones = pd.Series(mapping.time_zone, index=rows.index)
    if mapping.sites and "site" in source.types:
        zones = rows["site"].map(mapping.sites).fillna(zones)
    for spec in contract.columns:
        kind = source.types.get(spec.name)
        if kind is None:
            continue
        values = rows[spec.name]
        if spec.dtype == "timestamp":
            values = values.astype("datetime64[us]")
            if "TIME ZONE" not in kind and "TZ" not in kind:
                texts = rows[TEXT_OF + spec.name].fillna("")
                local = ~texts.str.contains(HAS_ZONE, regex=True) & values.notna()
                for zone in sorted(set(zones) - {"UTC"}):
                    there = local & (zones == zone)
                    converted = to_utc(values.where(there), zone)
                    values = values.mask(there, converted.utc)
                    notes += converted.notes(spec.name)
        elif spec.dtype == "bool":
            values = values.astype("boolean")
        out[spec.name] = values
    for name in own:
        out[name] = rows[name]
    return pd.DataFrame(out), notes
