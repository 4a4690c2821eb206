"""Tables × contract → every violation in one report; bad rows to quarantine, good rows kept.

A violation names table, file, row (the first data row is 1), column, rule, the value found and
what to do. Errors keep their row out of every snapshot; ``.presage/quarantine/NAME.parquet``
lists all of them. Warnings change nothing. A table that cannot be read, or lacks a required
column, is an error without a row: ``presage check`` reports it, and a run refuses to start.

Rows that share a key and a stated ``recorded_at`` are versions. Rows that share a key and a birth
and state no ``recorded_at`` are a doubled export: the later one counts, the others are errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from data.births import finished
from data.clean import (
    TEXT_OF,
    Rule,
    date_attributes,
    missing_columns,
    plain_of,
    rules,
    time_shapes,
    typed,
    without_erased,
)
from data.clock import SYSTEM
from data.contract import TABLES, Table, table
from data.csv_files import NoRows
from data.engines import duckdb_connection, for_reading, quoted
from data.errors import DataError, did_you_mean
from data.folder import Folder
from data.money import Money, amounts_by_currency, currency_sql, money_of
from data.notices import Notice, mixed_offsets, of_table, unknown_attributes
from data.quarantine import forget_quarantine, write_quarantine
from data.references import derived_sign_ups, unknown_references
from data.source_files import Source, open_source, with_folders
from data.tables import attribute_name, attributes_of
from data.violations import BROKEN_LINE, Report, Violation

if TYPE_CHECKING:
    import duckdb

    from data.store import Erased

SMALL = 50_000
"""Rows up to which a table is typed once and kept in memory; more are typed as often as asked."""
LISTED = 1000
"""Violations of one rule that a report lists; quarantine has all."""


@dataclass(frozen=True)
class Cleaned:
    """One table's good rows as a lazy relation in the form of data/tables.py, and the rest told.

    ``relation`` is None if the table is absent, or broken as a whole (then ``fatal`` says why).
    ``unique``: no key comes twice.
    ``next_moment``: when the first of the rows that lie in the future no longer does.
    """

    name: str
    relation: duckdb.DuckDBPyRelation | None = None
    violations: tuple[Violation, ...] = ()
    counts: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    rows: int = 0
    quarantined: int = 0
    attributes: tuple[str, ...] = ()
    fatal: tuple[str, ...] = ()
    next_moment: datetime | None = None
    money: Money = field(default_factory=Money)
    unique: bool = False


def check(workspace: Folder, now: datetime | None = None) -> Report:
    """Every violation of the contract in the workspace's tables, and quarantine brought up to date.

    ``now`` (naive UTC) is the moment after which nothing can have happened; default: the clock.
    """
    from data.store import erased_in_workspace

    limit = newest_possible(workspace, now)
    con, erased = engine(workspace), erased_in_workspace(workspace)
    cleaned: dict[str, Cleaned] = {}
    good: dict[str, duckdb.DuckDBPyRelation | None] = {}
    violations = [
        Violation("", "tables", None, None, "stray file", None, text, "warning")
        for text in workspace.strangers()
    ]
    for name in TABLES:
        orders = cleaned.get("orders")
        cleaned[name] = clean(con, workspace, name, limit, orders=orders, erased=erased)
        violations += cleaned[name].violations
        good[name] = cleaned[name].relation
        violations += unknown_references(name, good)
    violations += derived_sign_ups(good, limit)
    violations += _set_aside(workspace)
    return Report(
        tuple(violations),
        {key: n for one in cleaned.values() for key, n in one.counts.items()},
        {name: one.rows for name, one in cleaned.items() if one.rows},
        {name: one.quarantined for name, one in cleaned.items() if one.quarantined},
    )


def _set_aside(workspace: Folder) -> list[Violation]:
    """Posted rows that an earlier version accepted and nobody can read, where none that can be read
    has taken their place since."""
    from data.store import events_since, has_store, open_store, readable

    if not has_store(workspace):
        return []
    with open_store(workspace) as store:
        events = events_since(store, 0)
    newest = {(event.table, event.key): event.seq for event in events if event.key}
    return [
        Violation(
            one.event.table,
            "store.db",
            one.event.seq,
            one.column,
            "set aside",
            str(one.event.payload.get(one.column))[:60],
            f"{one.column} is {one.wanted}: post the row again",
            "warning",
        )
        for one in readable(events)[1]
        if newest.get((one.event.table, one.event.key), one.event.seq) == one.event.seq
    ]


def newest_possible(workspace: Folder, now: datetime | None = None) -> datetime:
    """Nothing is born after the clock's now, or after ``complete_to`` where that is later."""
    moment = SYSTEM.now() if now is None else now
    return max(moment, workspace.settings.data.complete_to or moment)


def engine(workspace: Folder) -> duckdb.DuckDBPyConnection:
    """The workspace's engine, which sees its state and its tables."""
    workspace.state_dir.mkdir(mode=0o700, exist_ok=True)
    return duckdb_connection(
        for_reading(workspace.settings.engine),
        [workspace.state_dir, workspace.tables_dir.resolve()],
    )


def clean(
    con: duckdb.DuckDBPyConnection,
    workspace: Folder,
    name: str,
    limit: datetime,
    posted: Source | None = None,
    orders: Cleaned | None = None,
    erased: Erased | None = None,
) -> Cleaned:
    """Type a table's sources, part good rows from bad, write quarantine.

    ``posted`` are the store's events of the table, ``orders`` the cleaned orders, from which
    order_items take their births and currencies; ``erased``: who was, and is left out.
    """
    import duckdb

    try:
        return _cleaned(con, workspace, name, limit, posted, orders, erased)
    except (duckdb.InvalidInputException, duckdb.ConversionException) as error:
        paths = workspace.sources(name)
        if not paths:
            raise
        files = ", ".join(p.relative_to(workspace.tables_dir).as_posix() for p in paths)
        reason = next((line for line in str(error).splitlines() if line.strip()), "unknown")
        return _fatal(name, "unreadable", [f"{files} is damaged: {reason}; export it again"])


def _cleaned(
    con: duckdb.DuckDBPyConnection,
    workspace: Folder,
    name: str,
    limit: datetime,
    posted: Source | None,
    orders: Cleaned | None,
    erased: Erased | None,
) -> Cleaned:
    contract, reading = table(name), workspace.settings.import_
    try:
        paths = workspace.sources(name)
    except DataError as error:
        return _fatal(name, "unreadable", [str(error)])
    sources, problems, missing, blank = [], [], [], list[str]()
    wanted = (*contract.names, *attributes_of(name, workspace.settings.data.attributes))
    for path in paths:
        label = path.relative_to(workspace.tables_dir).as_posix()
        try:
            source = open_source(con, path, label, reading, workspace.state_dir)
            source = with_folders(source, wanted)
        except NoRows as error:
            blank.append(str(error))
            continue
        except DataError as error:
            problems.append(str(error))
            continue
        missing += missing_columns(contract, list(source.types), label)
        sources.append(source)
    forget_quarantine(workspace, name)
    problems += [] if sources else blank  # beside parts with rows an empty one is no loss
    if problems or missing:
        return _fatal(name, "unreadable" if problems else "missing column", problems + missing)
    notes = _notes(name, contract, sources, workspace.settings.data.attributes)
    broken_lines = [
        Violation(name, one.label, line, None, BROKEN_LINE, text, f"it is no row: {why}")
        for one in sources
        for line, text, why in one.broken
    ]
    notes += broken_lines[:LISTED]
    notes += [Violation(name, name, None, None, "no rows", None, t, "warning") for t in blank]
    named = () if posted and not sources else workspace.settings.data.attributes
    notes += [
        _violation_of(name, contract, one) for one in unknown_attributes(name, sources, named)
    ]
    every = [*sources, posted] if posted else sources
    if not every:
        return Cleaned(name, None, tuple(notes))
    have = sorted({column for source in every for column in source.types})
    attributes = tuple(
        a for a in attributes_of(name, workspace.settings.data.attributes) if a in have
    )
    relation, offset, settings = None, 0, workspace.settings
    careful: set[str] = set()
    for source in every:
        own = reading.of_posted() if source is posted else reading
        plain = plain_of(source, contract, own)
        careful |= set(source.types) - set(plain)
        shapes = time_shapes(source, contract, plain)
        if source is not posted:
            mixed = [_violation_of(name, contract, one) for one in mixed_offsets(shapes)]
            notes += [replace(one, file=source.label) for one in mixed]
        part = source.relation.project(
            typed(source, contract, attributes, offset, own, plain, shapes)
        )
        relation = part if relation is None else relation.union(part)
        offset += source.rows
    assert relation is not None
    if offset <= SMALL:
        relation = _as_table(con, relation, name)
    relation, gone = without_erased(relation, have, erased)
    offset -= gone
    notes += [_erased_words(name, gone)] if gone else []
    broken = _broken(relation, rules(contract, have, limit, set(have) - careful))
    errors = [rule for rule, count in broken if rule.severity == "error"]
    notes += [v for rule, _ in broken for v in _listed(relation, name, rule, LISTED)]
    counts = {(name, rule.column, rule.name): n for rule, n in broken}
    bad = " OR ".join(f"coalesce({rule.condition}, false)" for rule in errors)
    good = relation.filter(f"NOT ({bad})") if bad else relation
    again = _again(con, good, contract)
    doubled = _doubled(con, again, contract, quantity=sum(s.rows for s in sources))
    if doubled is not None:
        rule = Rule(
            contract.key[0],
            "duplicate key",
            "true",
            "the row comes again later, and that one counts; state recorded_at if it is a version",
        )
        notes += _listed(doubled, name, rule, LISTED)
        counts[name, rule.column, rule.name] = int(doubled.count("*").fetchall()[0][0])
        good = good.set_alias("g").join(
            doubled.project("_row").set_alias("d"), "g._row = d._row", how="anti"
        )
    write_quarantine(con, workspace, relation, name, errors, doubled, broken_lines)
    if broken_lines:
        counts[name, "", BROKEN_LINE] = len(broken_lines)
    counts_of = amounts_by_currency(good, contract, settings)
    money = orders.money if orders and name == "order_items" else money_of(settings, counts_of)
    dates = date_attributes(name, settings.data.attributes, attributes, reading)
    cautions = of_table(good, again, contract, settings, money, counts_of, dates)
    whole = [_violation_of(name, contract, one) for one in cautions]
    notes += whole
    counts |= {(name, v.column or "", v.rule): 1 for v in whole}
    good_rows = int(good.count("*").fetchall()[0][0]) if errors or doubled is not None else offset
    return Cleaned(
        name,
        finished(
            con,
            good,
            contract,
            attributes,
            orders.relation if orders else None,
            settings.zone_of,
            money,
            currency_sql(contract, settings),
            dates,
        ),
        tuple(notes),
        counts,
        offset + len(broken_lines),
        offset - good_rows + len(broken_lines),
        attributes,
        next_moment=_next_moment(relation, errors),
        money=money,
        unique=again is None,
    )


def _as_table(
    con: duckdb.DuckDBPyConnection, relation: duckdb.DuckDBPyRelation, name: str
) -> duckdb.DuckDBPyRelation:
    """The same rows as a table: what is asked of them plans and reads their values once."""
    con.execute(f"DROP TABLE IF EXISTS typed_{name}")
    relation.create(f"typed_{name}")
    return con.table(f"typed_{name}")


def _violation_of(name: str, contract: Table, notice: Notice) -> Violation:
    one = notice
    return Violation(name, name, None, one.column, one.rule, one.value, one.fix, one.severity)


def _erased_words(name: str, count: int) -> Violation:
    fix = "of people who were erased; they are left out: take them out of the export too"
    rows = f"erased: {count} row{'s' * (count > 1)}"
    return Violation(name, name, None, None, rows, None, fix, "warning")


def _next_moment(relation: duckdb.DuckDBPyRelation, broken: Sequence[Rule]) -> datetime | None:
    moments: list[datetime] = []
    for rule in broken:
        if rule.name == "future":
            ahead = relation.filter(rule.condition)
            moments += [row[0] for row in ahead.aggregate(f"min({quoted(rule.column)})").fetchall()]
    return min(moments, default=None)


def _fatal(name: str, rule: str, messages: Sequence[str]) -> Cleaned:
    violations = tuple(Violation(name, name, None, None, rule, None, text) for text in messages)
    return Cleaned(name, None, violations, {(name, "", rule): len(messages)}, fatal=tuple(messages))


def _notes(
    name: str, contract: Table, sources: Sequence[Source], attributes: Sequence[str]
) -> list[Violation]:
    """Warnings about whole sources: no rows, columns that nobody will read."""
    notes = []
    named: set[str] = set()
    for source in sources:
        for column in source.types:
            if column in contract.names or column in named or column == "_row":
                continue
            if column in attributes_of(name, attributes):
                continue
            named.add(column)
            hint = did_you_mean(column, contract.names)
            if not hint:
                hint = f' To use it: [data] attributes = ["{attribute_name(name, column)}"].'
            text = (
                f"{source.label}: column {column!r} is not in the contract and is not read.{hint}"
            )
            notes.append(
                Violation(name, source.label, None, column, "unknown column", None, text, "warning")
            )
    for source in sources:
        notes += [
            Violation(name, source.label, None, None, "how it is read", None, text, "warning")
            for text in source.notes
        ]
    if sources and not any(source.rows for source in sources):
        label = sources[0].label
        notes.append(
            Violation(name, label, None, None, "no rows", None, "the table is empty", "warning")
        )
    return notes


def _broken(relation: duckdb.DuckDBPyRelation, rules: Sequence[Rule]) -> list[tuple[Rule, int]]:
    """The rules that some row breaks, with the number of rows; one pass over the table."""
    tallies = ", ".join(f"count(*) FILTER ({rule.condition})" for rule in rules)
    numbers = relation.aggregate(tallies).fetchall()[0]
    return [(rule, int(n)) for rule, n in zip(rules, numbers, strict=True) if n]


def _listed(relation: duckdb.DuckDBPyRelation, name: str, rule: Rule, most: int) -> list[Violation]:
    series = quoted(TEXT_OF + "unique_id") if name == "volumes" else "NULL"
    broken_rows = (
        relation.filter(rule.condition)
        .project(f'file, "row", {quoted(TEXT_OF + rule.column)}, {series} AS series')
        .limit(most)
        .fetchall()
    )
    return [
        Violation(name, file, int(row), rule.column, rule.name, value, rule.fix, rule.severity, of)
        for file, row, value, of in broken_rows
    ]


def _again(
    con: duckdb.DuckDBPyConnection, good: duckdb.DuckDBPyRelation, contract: Table
) -> duckdb.DuckDBPyRelation | None:
    """The rows whose key comes more than once, and a few others; None where no row's does.

    Hashes of 8 bytes find them, so that most tables never sort their keys. Of keys of several
    columns, whose first comes again in any case, all rows.
    """
    if len(contract.key) != 1:
        return good if contract.key else None
    key = quoted(contract.key[0])
    hashes = good.filter(f"{key} IS NOT NULL").project(f"hash({key}) AS h")
    name = f"again_{contract.name}"
    con.execute(f"DROP TABLE IF EXISTS {name}")
    hashes.aggregate("h, count(*) AS n", "h").filter("n > 1").project("h").create(name)
    repeats = con.table(name)
    if not repeats.limit(1).fetchall():
        return None
    rows = good.set_alias("g").join(repeats.set_alias("a"), f"hash(g.{key}) = a.h", how="semi")
    return rows.set_alias("again")


def _doubled(
    con: duckdb.DuckDBPyConnection,
    again: duckdb.DuckDBPyRelation | None,
    contract: Table,
    quantity: int,
) -> duckdb.DuckDBPyRelation | None:
    """The rows of files whose key and birth come again later, no recorded_at stated; or None.

    Only rows of a key that comes again are looked at: of most tables none.
    """
    if again is None:
        return None
    birth = [contract.birth] if contract.birth else []
    same = ", ".join(quoted(column) for column in (*contract.key, *birth))
    known = " AND ".join(f"{quoted(key)} IS NOT NULL" for key in contract.key)
    of_files = again.filter(f"recorded_at IS NULL AND _row < {quantity} AND {known}")
    hashes = of_files.project(f"hash({same}) AS h").aggregate("h, count(*) AS n", "h")
    con.execute("DROP TABLE IF EXISTS doubled_hashes")
    hashes.filter("n > 1").project("h").create("doubled_hashes")
    alike = con.table("doubled_hashes")
    if not alike.limit(1).fetchall():
        return None
    candidates = (
        of_files.project(f"*, hash({same}) AS h")
        .set_alias("c")
        .join(alike.set_alias("a"), "c.h = a.h", how="semi")
    )
    later = f"*, lead(_row) OVER (PARTITION BY {same} ORDER BY _row) AS later"
    name = f"doubled_{contract.name}"
    con.execute(f"DROP TABLE IF EXISTS {name}")
    candidates.project(later).filter("later IS NOT NULL").order("_row").create(name)
    doubled = con.table(name)
    return doubled if doubled.limit(1).fetchall() else None
