"""What only a whole table shows: keys used again, several currencies, one channel in three
spellings, times with and without an offset in one column.

Each is a warning of ``presage check`` that names table, column, an example and what to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from data.contract import TABLES, Table
from data.engines import quoted
from data.errors import did_you_mean
from data.money import AMOUNTS, Money, is_stated
from data.source_files import Source
from data.tables import attribute_name, attributes_of
from data.times import Shapes

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

    from data.settings import Settings

SPELLED = ("channel", "topic")
MOST_SPELLINGS = 5
MOST_CURRENCIES = 8
WITH_AGE = ("orders", "usage", "tickets", "volumes")
FAR_DAYS, FEW_SHARE = 1500, 0.01
"""How long nothing happened, in days, and how few rows came before, that these are none of it."""


@dataclass(frozen=True)
class Notice:
    """One finding; ``value`` is an example."""

    column: str
    rule: str
    value: str
    fix: str
    severity: Literal["error", "warning"] = "warning"


def mixed_offsets(shapes: Mapping[str, Shapes]) -> Iterator[Notice]:
    """Columns of text in which some times carry an offset and others none, and columns without any
    beside others that have them."""
    zoned = next((column for column, one in shapes.items() if one.zoned and not one.naive), None)
    for column, one in shapes.items():
        if one.zoned and one.naive:
            yield Notice(
                column,
                "offsets in some rows",
                f"{one.zoned} with, {one.naive} without",
                "times without an offset are read as UTC: export all with one, or none",
            )
        elif one.naive and zoned:
            yield Notice(
                column,
                "no offsets in this column",
                f"{one.naive} without",
                f"they are read as UTC, and those of {zoned} carry an offset: if these are local "
                "times, export them with one too",
            )


def unknown_attributes(
    name: str, sources: Sequence[Source], attributes: Sequence[str]
) -> Iterator[Notice]:
    """Attributes of a table that none of its files has: misspelt, or left out of the export.

    Where the table is not there, those that name another: ``ticket.plan``."""
    if not sources and name == "customers":
        for column in attributes_of(name, attributes):
            owner, _, rest = column.partition(".")
            near = did_you_mean(owner, list(TABLES)) if rest else ""
            table = owner if rest else name
            fix = f"[data] attributes names it, and there is no table {table}.{near}"
            yield Notice(column, "unknown attribute", column, fix, "error")
    have = list(dict.fromkeys(column for source in sources for column in source.types))
    for column in attributes_of(name, attributes) if sources else ():
        if column not in have:
            near = did_you_mean(column, have) or f" It has: {', '.join(have)}."
            attribute = attribute_name(name, column)
            yield Notice(
                column,
                "unknown attribute",
                attribute,
                f"[data] attributes names it, and {name} has no such column.{near}",
                "error",
            )


def _unread_dates(good: duckdb.DuckDBPyRelation, dates: Mapping[str, str]) -> Iterator[Notice]:
    """Values of attributes that are said to be dates, and are none."""
    for column, date in dates.items():
        name = quoted(column)
        unread = f"trim({name}) <> '' AND ({date}) IS NULL"
        count, example = good.filter(unread).aggregate(f"count(*), min({name})").fetchall()[0]
        if count:
            yield Notice(
                column,
                "no date",
                example,
                f"[data] attributes says that it is a date; {count} values are not and count as "
                "unknown. [import] dates or time_formats says how dates are written",
            )


def of_table(
    good: duckdb.DuckDBPyRelation,
    again: duckdb.DuckDBPyRelation | None,
    contract: Table,
    settings: Settings,
    money: Money,
    counts: Sequence[tuple[str | None, int]],
    dates: Mapping[str, str],
) -> Iterator[Notice]:
    """What a table's good rows show together; ``again``: those whose key comes more than once,
    ``counts``: how many amounts are in each currency, ``dates``: attributes that are dates."""
    yield from _of_rows(good, again, contract)
    yield from _of_money(contract, settings, money, counts)
    yield from _of_sites(good, contract, settings)
    yield from _unread_dates(good, dates)


def _of_rows(
    good: duckdb.DuckDBPyRelation, again: duckdb.DuckDBPyRelation | None, contract: Table
) -> Iterator[Notice]:
    names = set(contract.names)
    if again is not None and contract.birth and contract.birth not in contract.key:
        yield from _keys_again(again, contract)
    yield from _far_from_others(good, contract)
    for column in SPELLED:
        if column in names:
            yield from _spellings(good, column)
    if contract.name in ("volumes", "forecasts"):
        yield from _spellings(good, "unique_id")


def _keys_again(good: duckdb.DuckDBPyRelation, contract: Table) -> Iterator[Notice]:
    """Keys with several births: other things under a number used again. A row that is stated to be
    a version (``recorded_at``), or is the same customer's, may have moved its birth."""
    key, birth = quoted(contract.key[0]), quoted(contract.birth or "")
    owned = "customer_id" in contract.names and contract.key != ("customer_id",)
    owner = "count(DISTINCT coalesce(customer_id, ''))" if owned else "0"
    nobody = " AND customer_id IS NULL" if owned else ""
    again = (
        good.filter(f"{key} IS NOT NULL")
        .aggregate(
            f"{key} AS k, count(DISTINCT {birth}) AS births, {owner} AS customers, "
            f"count(DISTINCT {birth}) FILTER (recorded_at IS NULL{nobody}) AS unstated",
            key,
        )
        .filter("(births > 1 AND customers > 1) OR unstated > 1")
        .aggregate("count(*), min(k), sum(births - 1), bool_or(customers > 1)")
    )
    count, example, lost, others = again.fetchall()[0]
    if count:
        yield Notice(
            contract.key[0],
            "number used again",
            example,
            f"{count} keys come again with {'another customer and ' * bool(others)}another "
            f"{contract.birth}; rows with one key are versions of one, so {lost} earlier rows "
            "count no more from then on. If they are others, put something before the number "
            "(2024/T-1)",
        )


def numbers_again(contract: Table, whole: pd.DataFrame) -> list[str]:
    """A note where a key comes again for another customer at another time: a number used again."""
    key, birth = contract.key[0], contract.birth
    if key == "customer_id" or "customer_id" not in whole.columns or birth not in whole.columns:
        return []
    kinds = whole.groupby(key)[["customer_id", str(birth)]].nunique()
    again = kinds[(kinds > 1).all(axis=1)]
    if again.empty:
        return []
    return [
        f"{contract.name}: {len(again):,} numbers are used again for another customer "
        f"({again.index[0]}), and the earlier rows are lost: put something before the number in "
        f"the mapping, such as {key} = \"strftime(created, '%Y') || '-' || id\""
    ]


def _far_from_others(good: duckdb.DuckDBPyRelation, contract: Table) -> Iterator[Notice]:
    """A few births long before all others, with nothing in between, as where a system's first day
    (1904-01-01) stands for no date."""
    born = contract.birth or ("ds" if contract.name == "volumes" else None)
    if born is None or contract.name not in WITH_AGE:
        return
    births = (
        good.aggregate(f"date_trunc('month', {quoted(born)}) AS month, count(*) AS n", "month")
        .order("month")
        .fetchall()
    )
    months = [(row[0], int(row[1])) for row in births if row[0] is not None]
    total, before = sum(n for _, n in months), 0
    for (earlier, n), (later, _) in pairwise(months):
        before += n
        if before > max(1, FEW_SHARE * total):
            return
        if (later - earlier).days > FAR_DAYS:
            yield Notice(
                born,
                "long before the others",
                f"{earlier:%Y-%m}",
                f"{before} rows of {total} lie before an empty stretch of "
                f"{(later - earlier).days // 365} years, which ends in {later:%Y-%m}: where that "
                "is a system's first day for no date, leave it empty; a forecast begins after it",
            )
            return


def _of_money(
    contract: Table, settings: Settings, money: Money, counts: Sequence[tuple[str | None, int]]
) -> Iterator[Notice]:
    """Amounts of several currencies, which cannot be added; and of one that nobody stated."""
    if not counts or not money.main:
        return
    named: dict[str, int] = {}
    for name, count in counts:
        named[name or money.main] = named.get(name or money.main, 0) + count
    column = "currency" if "currency" in contract.names else AMOUNTS[contract.name][0]
    others = {name: count for name, count in named.items() if name != money.main}
    unknown = [name for name in others if name not in money.factors]
    origin = "[company] currency" if is_stated(settings) else "the commonest, as none is set"
    if others:
        ranked = sorted(named.items(), key=lambda one: (-one[1], one[0]))
        left = sum(others[name] for name in unknown)
        fix = f"amounts count in {money.main} ({origin})"
        if unknown:
            rates = ", ".join(f"{name} = ..." for name in unknown[:5])
            fix += (
                f"; {left} in others have no rate and count as unknown: say what one is worth in "
                f"{money.main} with [data] exchange_rates = {{{rates}}}, or convert them in the "
                "export"
            )
        else:
            fix += "; those in others are converted by [data] exchange_rates"
        value = ", ".join(f"{name} {count}" for name, count in ranked[:MOST_CURRENCIES])
        yield Notice(column, "several currencies", value, fix)
    elif not is_stated(settings) and money.main != settings.company.currency:
        yield Notice(
            column,
            "currency not set",
            money.main,
            f"amounts are in {money.main}, and costs in the settings are shown in "
            f'{settings.company.currency}: set [company] currency = "{money.main}"',
        )


def _of_sites(
    good: duckdb.DuckDBPyRelation, contract: Table, settings: Settings
) -> Iterator[Notice]:
    """Sites of a table that presage.toml does not know, where it knows any."""
    if not settings.sites or "site" not in contract.names:
        return
    named = good.filter("site IS NOT NULL").aggregate("site, count(*)", "site").order("site")
    for site, count in named.fetchall():
        if site not in settings.sites:
            yield Notice(
                "site",
                "unknown site",
                site,
                f"{count} rows name it, and no [sites.{site}] says what clock it has: the "
                f"company's is taken.{did_you_mean(site, settings.sites)}",
            )


def _spellings(good: duckdb.DuckDBPyRelation, column: str) -> Iterator[Notice]:
    name = quoted(column)
    alike = f"lower(trim({name}))"
    rows = (
        good.filter(f"{name} IS NOT NULL")
        .aggregate(f"{alike} AS alike, {name} AS spelled, count(*) AS n", f"{alike}, {name}")
        .aggregate("alike, list(spelled ORDER BY n DESC, spelled) AS all, count(*) AS n", "alike")
        .filter("n > 1")
        .order("alike")
        .limit(MOST_SPELLINGS)
        .fetchall()
    )
    for _, spelled, _ in rows:
        listed = ", ".join(repr(one) for one in spelled)
        # the usual one of those without blanks around them
        best = next((one for one in spelled if one == one.strip()), spelled[0].strip())
        pairs = ", ".join(f'"{one}" = "{best}"' for one in spelled if one != best)
        fix = f"to make them one: [import.{column}s] {pairs}"
        if column not in SPELLED:
            fix = "export one series under one name"
        text = f"{listed} are kept apart; {fix}"
        yield Notice(column, "several spellings", str(spelled[0]), text)
