"""What a table says of another: ids that are nowhere, sign-ups that were made from tickets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from data.engines import quoted
from data.sign_ups import REMEDY, suspect_sign_ups
from data.violations import Violation

if TYPE_CHECKING:
    import duckdb

Relations = Mapping[str, "duckdb.DuckDBPyRelation | None"]
"""The good rows of each table."""

REFERENCES = {
    "orders": ("customer_id", "customers"),
    "usage": ("customer_id", "customers"),
    "tickets": ("customer_id", "customers"),
    "treatments": ("customer_id", "customers"),
    "order_items": ("order_id", "orders"),
    "article_events": ("article_id", "articles"),
}
OTHERS = {
    "tickets": (("order_id", "orders"),),
    "bot_sessions": (("customer_id", "customers"), ("ticket_id", "tickets")),
    "feedback": (("customer_id", "customers"),),
    "article_events": (("customer_id", "customers"),),
}
"""References that need not be known: only another spelling of one is an error there."""
WITH_CUSTOMERS = ("orders", "usage", "tickets")
"""Whose customers others are compared with where there is no table of customers."""


@dataclass(frozen=True)
class Spelling:
    """A way in which one id is written as two: the form in which they are one, as an expression of
    ``id``, which ids it may concern, and what mends it."""

    rule: str
    form: str
    concerns: str
    how: str
    fix: str


PADDED = Spelling(
    "padded ids",
    "ltrim(id, '0')",
    "regexp_full_match(id, '[0-9]+')",
    "with other leading zeros",
    'export it alike in both, or set [import] ids = "unpadded"',
)
CASED = Spelling(
    "ids in another case",
    "lower(id)",
    "lower(id) <> upper(id)",
    "in other letters, small or capital",
    "export it alike in both, or write it as lower(...) in a mapping of both",
)


def unknown_references(name: str, good: Relations) -> list[Violation]:
    """A warning for the rows of ``name`` whose customer, order or article is in no table; an error
    where it is there in another spelling: other leading zeros, other case."""
    spelt = []
    for column, to in OTHERS.get(name, ()):
        spelt += _spelt_otherwise(name, column, to, good)
    if good.get("customers") is None:
        for to in WITH_CUSTOMERS:
            spelt += _spelt_otherwise(name, "customer_id", to, good) if to != name else []
    return spelt + _unknown(name, good)


def _spelt_otherwise(name: str, column: str, to: str, good: Relations) -> list[Violation]:
    """An error where rows of ``name`` name something that ``to`` has in another spelling only."""
    ours, theirs = good.get(name), good.get(to)
    if ours is None or theirs is None or column not in ours.columns or column not in theirs.columns:
        return []
    mine = (
        ours.project(f"{quoted(column)} AS id")
        .filter("id IS NOT NULL")
        .aggregate("id, count(*) AS n", "id")
    )
    others = _known(theirs, column, good).project(f"{quoted(column)} AS id").distinct()
    unknown = mine.set_alias("o").join(others.set_alias("t"), "o.id = t.id", how="anti")
    for one in (PADDED, CASED):
        count, *example = _pairs(unknown, others, one)
        if count and one is CASED and (_case_matters(mine) or _case_matters(others)):
            count, *example = _pairs(unknown.filter(ADDRESS), others, one)
        if count:
            text = f"{count} rows of {name} name a {column} that {to} has {one.how}: {one.fix}"
            return [Violation(name, name, None, column, one.rule, " against ".join(example), text)]
    return []


ADDRESS = "contains(id, '@')"
"""Addresses of mail are one whatever the case of their letters."""


def _pairs(
    unknown: duckdb.DuckDBPyRelation, others: duckdb.DuckDBPyRelation, one: Spelling
) -> tuple[Any, ...]:
    """How many rows name an id in another spelling than it has, and an example of both."""
    return (
        unknown.filter(one.concerns)
        .project(f"id, n, {one.form} AS form")
        .set_alias("u")
        .join(others.project(f"id, {one.form} AS form").set_alias("k"), "u.form = k.form")
        .aggregate("coalesce(sum(u.n), 0)::BIGINT, min(u.id), arg_min(k.id, u.id)")
        .fetchall()[0]
    )


def _case_matters(ids: duckdb.DuckDBPyRelation) -> bool:
    """Whether a table has ids, none of them addresses, that differ in the case of letters only."""
    twice = ids.filter(f"NOT {ADDRESS}").aggregate("lower(id) AS form, count(*) AS n", "form")
    return bool(twice.filter("n > 1").limit(1).fetchall())


def _known(
    theirs: duckdb.DuckDBPyRelation, column: str, good: Relations
) -> duckdb.DuckDBPyRelation:
    """The ids of a table; of customers also those that are theirs by ``identities``."""
    merged = good.get("identities")
    if merged is None or column != "customer_id":
        return theirs.project(quoted(column))
    return theirs.project(column).union(merged.project("id AS customer_id"))


def _unknown(name: str, good: Relations) -> list[Violation]:
    if name not in REFERENCES:
        return []
    column, to = REFERENCES[name]
    ours = good[name]
    theirs = good.get(to)
    if ours is None or theirs is None:
        return []
    strangers: Any = (
        ours.project(quoted(column))
        .filter(f"{quoted(column)} IS NOT NULL")
        .set_alias("o")
        .join(_known(theirs, column, good).set_alias("t"), f"o.{column} = t.{column}", how="anti")
        .aggregate(f"count(*), min({quoted(column)})")
        .fetchall()
    )
    count, example = strangers[0]
    if not count:
        return []
    spelt = _spelt_otherwise(name, column, to, good)
    if spelt:
        return spelt
    text = f"{count} rows of {name} name a {column} that {to} does not have"
    return [Violation(name, name, None, column, "unknown reference", example, text, "warning")]


def derived_sign_ups(good: Relations, limit: datetime) -> list[Violation]:
    """A warning where customers seem to sign up with their first ticket (data/sign_ups.py)."""
    births = []
    for name, birth in (("customers", "signed_up_at"), ("tickets", "opened_at")):
        rows = good.get(name)
        if rows is None:
            return []
        there = rows.filter("customer_id IS NOT NULL AND NOT deleted")
        births.append(there.aggregate(f"customer_id, min({birth}) AS {birth}", "customer_id"))
    first = births[0].join(births[1], "customer_id").df()
    newest = first["opened_at"].max() + timedelta(microseconds=1)
    suspicion = suspect_sign_ups(first, min(limit, newest.to_pydatetime())) if len(first) else None
    if suspicion is None:
        return []
    rule, who = f"derived sign-ups: {suspicion}", suspicion.customer_id
    return [Violation("customers", "customers", None, "signed_up_at", rule, who, REMEDY, "warning")]
