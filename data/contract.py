"""The tables of the contract, once: columns, keys, births and known-from rules.

Everything else that knows a table's shape (JSON Schema, checks, snapshots, features, the API's
event schemas) is derived from ``TABLES``. A column's ``known_at`` names the column of the same
table whose value is the moment from which this one is known: None means from the row's birth; a
column that names itself is a time known once it has passed. Before that moment it reads as null.

>>> TABLES["orders"].key
('order_id',)
>>> TABLES["tickets"].column("handle_seconds").known_at
'resolved_at'
>>> TABLES["orders"].column("promised_at").known_at is None
True
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from types import MappingProxyType
from typing import Literal

from data.errors import DataError, did_you_mean

DType = Literal["string", "timestamp", "float", "integer", "bool", "strings"]

MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Column:
    """One column: its type, whether it must be there, and from when its value is known.

    ``otherwise``: the column whose value holds where this one is null.
    """

    name: str
    dtype: DType
    required: bool = False
    known_at: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    note: str = ""
    otherwise: str = ""


@dataclass(frozen=True)
class Table:
    """One table: its key, the column of its birth, and its columns in order.

    ``birth`` is None for ``order_items`` (born with their order) and for ``volumes`` (born when
    the step that ``ds`` begins is over). ``key`` is empty for ``article_events``, whose rows are
    all distinct.
    """

    name: str
    key: tuple[str, ...]
    birth: str | None
    columns: tuple[Column, ...]
    note: str = ""

    def column(self, name: str) -> Column:
        """The column of that name; DataError with the nearest name if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        names = [column.name for column in self.columns]
        raise DataError(f"{self.name} has no column {name!r}.{did_you_mean(name, names)}")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All column names of the contract, the two that every table may carry included."""
        return tuple(column.name for column in self.columns)

    @property
    def required(self) -> tuple[str, ...]:
        """The names of the columns that must be there."""
        return tuple(column.name for column in self.columns if column.required)


def _id(name: str, required: bool = False, note: str = "") -> Column:
    return Column(name, "string", required, note=note)


def _text(name: str, required: bool = False, note: str = "", known_at: str | None = None) -> Column:
    return Column(name, "string", required, known_at, note=note)


def _birth(name: str) -> Column:
    return Column(name, "timestamp", required=True, note="the row's birth")


def _later(name: str, note: str = "") -> Column:
    """A time that is known once it has passed."""
    return Column(name, "timestamp", known_at=name, note=note)


def _planned(name: str, required: bool = False, note: str = "known from birth") -> Column:
    """A time that is stated beforehand, so known from the row's birth."""
    return Column(name, "timestamp", required, note=note)


def _number(
    name: str, minimum: float | None = None, note: str = "", known_at: str | None = None
) -> Column:
    return Column(name, "float", known_at=known_at, minimum=minimum, note=note)


def _flag(name: str, note: str = "", known_at: str | None = None) -> Column:
    return Column(name, "bool", known_at=known_at, note=note)


EVERY_TABLE = (
    Column("recorded_at", "timestamp", note="when we learned the row; default: its birth"),
    Column("deleted", "bool", note="true: from this version on the row is gone"),
)


def _table(
    name: str, key: tuple[str, ...], birth: str | None, *columns: Column, note: str = ""
) -> Table:
    return Table(name, key, birth, columns + EVERY_TABLE, note)


CUSTOMERS = _table(
    "customers",
    ("customer_id",),
    "signed_up_at",
    _id("customer_id", required=True),
    _birth("signed_up_at"),
    _text("region"),
    _text("segment"),
    _text("plan"),
    _text("platform"),
    _text("language", note="BCP 47"),
    _text("time_zone", note="IANA"),
    _text("preferred_channel"),
    _text("name", note="never a feature"),
    _number("value", note="money a year"),
    _flag("email_consent", note="unknown counts as refused"),
    _flag("sms_consent", note="unknown counts as refused"),
    _flag("phone_consent", note="unknown counts as refused"),
    _flag("do_not_contact"),
    _flag("do_not_profile", note="true: never scored; never a feature"),
    _flag("vulnerable", note="never a feature"),
    _later("closed_at"),
)

IDENTITIES = _table(
    "identities",
    ("id", "valid_from"),
    "valid_from",
    _id("id", required=True, note="an earlier or other id of the customer"),
    Column("valid_from", "timestamp", required=True, note="the row's birth: known from then on"),
    _id("customer_id", required=True, note="whose id it is"),
    _text("source"),
    note="merges: rows of id are the customer's, from valid_from on",
)

ORDERS = _table(
    "orders",
    ("order_id",),
    "ordered_at",
    _id("order_id", required=True),
    _birth("ordered_at"),
    _id("customer_id", required=True),
    _id("product_id"),
    _text("product_category"),
    _number("quantity"),
    _number("amount"),
    _text("currency", note="ISO 4217"),
    _text("carrier"),
    _planned("promised_at"),
    _later("shipped_at"),
    _later("delivered_at"),
    _later("cancelled_at"),
    _later("returned_at"),
    _later("refunded_at", "money was first given back"),
    Column(
        "last_refund_at",
        "timestamp",
        known_at="last_refund_at",
        note="money was last given back; default: refunded_at",
        otherwise="refunded_at",
    ),
    _number("refund_amount", 0, "all given back, known at last_refund_at", "last_refund_at"),
)

ORDER_ITEMS = _table(
    "order_items",
    ("order_id", "line"),
    None,
    _id("order_id", required=True),
    _id("line", required=True),
    _id("product_id"),
    _text("product_category"),
    _number("quantity"),
    _number("amount"),
    note="born with their order",
)

USAGE = _table(
    "usage",
    ("event_id",),
    "used_at",
    _id("event_id", note="required when posted"),
    _birth("used_at"),
    _id("customer_id", required=True),
    _text("feature", required=True, note="what was used, or e.g. payment_failed"),
    _number("quantity", note="default 1"),
    _number("errors", minimum=0, note="default 0"),
    _number("duration_seconds", minimum=0),
    _text("platform"),
    _text("version"),
)

TICKETS = _table(
    "tickets",
    ("ticket_id",),
    "opened_at",
    _id("ticket_id", required=True),
    _birth("opened_at"),
    _id("customer_id", note="null: anonymous"),
    _text("channel", required=True),
    _text("topic"),
    _flag("is_complaint", note="null: by the [complaint] rule"),
    _text("priority"),
    _id("order_id"),
    _id("product_id"),
    _text("text"),
    _text("language", note="BCP 47"),
    _flag("public"),
    _flag("is_machine", note="spam, automations: not volume"),
    _id("issue_id", note="contacts of one issue over channels"),
    _text("site", note="where it is worked on: NAME of [sites.NAME]"),
    _later("first_response_at"),
    _later("resolved_at"),
    _later("reopened_at"),
    _number("handle_seconds", 0, "known at resolved_at", known_at="resolved_at"),
    Column("csat", "float", known_at="csat_at", minimum=1, maximum=5, note="known at csat_at"),
    _later("csat_at"),
    _id("agent_id"),
)

BOT_SESSIONS = _table(
    "bot_sessions",
    ("session_id",),
    "started_at",
    _id("session_id", required=True),
    _birth("started_at"),
    _id("customer_id"),
    _text("topic"),
    _later("ended_at"),
    _flag("contained", "known at ended_at", known_at="ended_at"),
    _later("handed_over_at"),
    Column("ticket_id", "string", known_at="handed_over_at", note="known at handed_over_at"),
)

FEEDBACK = _table(
    "feedback",
    ("feedback_id",),
    "given_at",
    _id("feedback_id", required=True),
    _birth("given_at"),
    _id("customer_id"),
    Column("kind", "string", required=True, choices=("survey", "review", "mention")),
    _number("rating"),
    _text("text"),
    _text("language", note="BCP 47"),
    _flag("public"),
    _id("product_id"),
)

ARTICLES = _table(
    "articles",
    ("article_id",),
    "published_at",
    _id("article_id", required=True),
    _birth("published_at"),
    _text("topic", required=True),
    _text("language", note="BCP 47"),
    _text("title"),
    _later("retired_at"),
)

ARTICLE_EVENTS = _table(
    "article_events",
    (),
    "viewed_at",
    _birth("viewed_at"),
    _id("article_id", required=True),
    _id("customer_id"),
    _flag("helpful"),
)

CALENDAR = _table(
    "calendar",
    ("event_id",),
    "announced_at",
    _id("event_id", required=True),
    _birth("announced_at"),
    _text("name", required=True),
    _text("kind", required=True, note="holiday, campaign, release, outage, closure, ..."),
    _planned("starts_at", required=True),
    _planned("ends_at", required=True),
    _text("channel"),
    _text("topic"),
    _text("platform", note="whose users it concerns, as in customers.platform"),
    _number("size"),
)

VOLUMES = _table(
    "volumes",
    ("unique_id", "ds"),
    None,
    _id("unique_id", required=True),
    Column("ds", "timestamp", required=True, note="the interval's start"),
    Column("y", "float", required=True, minimum=0, note="the interval's count"),
    _text("site", note="NAME of [sites.NAME], in whose zone its days end"),
    note="born when the next step begins, in local time; for those without a ticket log",
)

FORECASTS = _table(
    "forecasts",
    ("unique_id", "ds", "issued_at"),
    "issued_at",
    _id("unique_id", required=True),
    Column("ds", "timestamp", required=True, note="the interval's start"),
    _birth("issued_at"),
    Column("y", "float", required=True, minimum=0, note="the count that was foretold"),
    _text("source", note="who foretold it"),
    note="a planner's own forecasts, compared with ours in `backtest volume`",
)

AGENTS = _table(
    "agents",
    ("agent_id",),
    "hired_at",
    _id("agent_id", required=True),
    _birth("hired_at"),
    Column("skills", "strings", note="channels"),
    _number("hours_per_week", 0),
    _number("hourly_cost", 0),
    _text("time_zone", note="IANA"),
    _text("site", note="NAME of [sites.NAME]: its zone where time_zone is null"),
    _text("contract", note="whose rules hold: NAME of [contracts.NAME]; null: [shifts]"),
    Column("unavailable", "strings", note="times without work: mon, 2026-12-24, mon 08:00-12:00"),
    Column("wishes_off", "strings", note="times they would rather not work, written alike"),
    _later("left_at"),
)

TREATMENTS = _table(
    "treatments",
    ("treatment_id",),
    "treated_at",
    _id("treatment_id", required=True),
    _birth("treated_at"),
    _id("customer_id", required=True),
    _text("campaign", required=True),
    _text("arm", required=True),
    Column("propensity", "float", minimum=0, maximum=1),
    _text("action"),
    _text("channel"),
    note="randomised or logged contacts of the past, from which uplift is learned",
)

TABLES: Mapping[str, Table] = MappingProxyType(
    {
        table.name: table
        for table in (
            IDENTITIES,
            CUSTOMERS,
            ORDERS,
            ORDER_ITEMS,
            USAGE,
            TICKETS,
            BOT_SESSIONS,
            FEEDBACK,
            ARTICLES,
            ARTICLE_EVENTS,
            CALENDAR,
            VOLUMES,
            FORECASTS,
            AGENTS,
            TREATMENTS,
        )
    }
)
"""Every table of the contract, by name, in the order of the documentation."""


def table(name: str) -> Table:
    """The table of that name; DataError with the nearest name if there is none."""
    if name not in TABLES:
        raise DataError(f"the contract has no table {name!r}.{did_you_mean(name, TABLES)}")
    return TABLES[name]
