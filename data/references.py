"""What a table says of another: ids that are nowhere, sign-ups that were made from tickets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from data.engines import quoted
from data.notices import padded
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
"""References that need not be known: only other leading zeros are an error there."""


def unknown_references(name: str, good: Relations) -> list[Violation]:
    """A warning for the rows of ``name`` whose customer, order or article is in no table; an error
    where it is there under other leading zeros."""
    violations = []
    for column, to in OTHERS.get(name, ()):
        ours, theirs = good[name], good.get(to)
        if ours is not None and theirs is not None and column in ours.columns:
            zeros = padded(ours, theirs, column)
            violations += [_padded(name, column, to, zeros)] if zeros is not None else []
    return violations + _unknown(name, good)


def _padded(name: str, column: str, to: str, zeros: tuple[int, str]) -> Violation:
    text = (
        f"{zeros[0]} rows of {name} name a {column} that {to} has with other leading zeros: "
        'export it alike in both, or set [import] ids = "unpadded"'
    )
    return Violation(name, name, None, column, "padded ids", zeros[1], text)


def _unknown(name: str, good: Relations) -> list[Violation]:
    if name not in REFERENCES:
        return []
    column, to = REFERENCES[name]
    ours = good[name]
    theirs = good.get(to)
    if ours is None or theirs is None:
        return []
    merged = good.get("identities")
    if merged is not None and column == "customer_id":
        theirs = theirs.project(column).union(merged.project("id AS customer_id"))
    strangers: Any = (
        ours.project(quoted(column))
        .filter(f"{quoted(column)} IS NOT NULL")
        .set_alias("o")
        .join(theirs.project(quoted(column)).set_alias("t"), f"o.{column} = t.{column}", how="anti")
        .aggregate(f"count(*), min({quoted(column)})")
        .fetchall()
    )
    count, example = strangers[0]
    if not count:
        return []
    zeros = padded(ours, theirs, column)
    if zeros is not None:
        return [_padded(name, column, to, zeros)]
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
