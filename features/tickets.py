"""What past contacts tell: who complained will complain, who waits for an answer will ask again.

>>> from data.settings import Complaint
>>> from features.complaint import complaint_predicate
>>> features = ticket_features(complaint_predicate(Complaint(all=True)))
>>> "tickets_complaint_count_28d" in [feature.name for feature in features]
True
"""

from __future__ import annotations

from features.expression import Minus
from features.language import (
    active_days,
    age,
    count,
    decayed,
    distinct,
    gap,
    largest,
    last,
    mean,
    now,
    of_all,
    overdue_ratio,
    rate,
    share,
    shrunk_daily_rate,
    shrunk_rate,
    since_first,
    since_last,
    smallest,
    total,
    total_age,
    trend,
)
from features.predicate import Compare, In, Past, Predicate
from features.sources import CUSTOMERS, ORDERS, TICKETS, USAGE
from features.spec import Feature

REOPENED = Past(TICKETS["reopened_at"])
LIVE = In(TICKETS["channel"], ("phone", "call", "voice", "chat")).named("live")
"""Nobody calls back later: a call without an answer is lost."""
UNHAPPY = Compare("<=", TICKETS["csat"], 2).named("unhappy")
FIRST_RESPONSE = Minus(TICKETS["first_response_at"], TICKETS["opened_at"], "first_response")
RESOLUTION = Minus(TICKETS["resolved_at"], TICKETS["opened_at"], "resolution")


def ticket_features(complaint: Predicate, time_zone: str = "UTC") -> tuple[Feature, ...]:
    """The features of tickets, given which of them are complaints; days are of ``time_zone``."""
    return (
        *(count(TICKETS, days=days) for days in (1, 3, 7, 14, 28, 56, 90, 180, 365)),
        *(count(TICKETS, where=complaint, days=days) for days in (7, 14, 28, 56, 90, 180, 365)),
        count(TICKETS),
        count(TICKETS, where=complaint),
        since_last(TICKETS),
        since_last(TICKETS, where=complaint),
        since_first(TICKETS),
        since_first(TICKETS, where=complaint),
        gap(TICKETS, where=complaint),
        overdue_ratio(TICKETS, where=complaint),
        trend(count(TICKETS, days=28), count(TICKETS, days=180)),
        share(TICKETS, of=complaint, days=365),
        now(TICKETS, until="resolved_at", label="open"),
        age(TICKETS, until="resolved_at", label="open"),
        total_age(TICKETS, until="resolved_at", label="open", at_most=7),
        now(TICKETS, until="resolved_at", label="complaint_open", where=complaint),
        now(TICKETS, until=("first_response_at", "resolved_at"), label="unanswered"),
        age(TICKETS, until=("first_response_at", "resolved_at"), label="unanswered"),
        decayed(
            now(
                TICKETS,
                until=("first_response_at", "resolved_at"),
                label="live_unanswered",
                where=LIVE,
            ),
            1.5,
        ),
        since_last(TICKETS, since="resolved_at"),
        since_last(TICKETS, since="reopened_at"),
        count(TICKETS, since="reopened_at", days=90),
        share(TICKETS, of=REOPENED, days=365),
        mean(TICKETS, FIRST_RESPONSE, since="first_response_at", days=90),
        largest(TICKETS, FIRST_RESPONSE, since="first_response_at", days=28),
        mean(TICKETS, RESOLUTION, since="resolved_at", days=180),
        last(TICKETS, RESOLUTION),
        total(TICKETS, RESOLUTION, since="resolved_at"),
        total(TICKETS, "handle_seconds", days=90),
        mean(TICKETS, "csat", days=365),
        smallest(TICKETS, "csat", days=90),
        last(TICKETS, "csat"),
        since_last(TICKETS, where=UNHAPPY, since="csat_at"),
        count(TICKETS, where=UNHAPPY, since="csat_at", days=60),
        decayed(count(TICKETS, where=UNHAPPY, since="csat_at"), 21),
        distinct(TICKETS, "topic", days=90),
        distinct(TICKETS, "channel", days=365),
        last(TICKETS, "topic"),
        last(TICKETS, "channel"),
        last(TICKETS, "priority"),
        *(shrunk_daily_rate(TICKETS, where=complaint, days=days) for days in (90, 365)),
        shrunk_rate(
            count(TICKETS, where=complaint, days=365),
            count(ORDERS, days=365),
            of_all(
                rate(
                    count(TICKETS, where=complaint, days=365, by=""),
                    count(ORDERS, days=365, by=""),
                    "complaints_per_order",
                )
            ),
            3.0,
            "tickets_complaint_per_order_shrunk_365d",
        ),
        rate(count(TICKETS, days=365), count(ORDERS, days=365), "tickets_per_order_365d"),
        rate(
            count(TICKETS, days=90),
            active_days(USAGE, days=90, time_zone=time_zone),
            "tickets_per_active_day_90d",
        ),
        rate(
            count(TICKETS, days=90), distinct(TICKETS, "issue_id", days=90), "tickets_per_issue_90d"
        ),
        rate(count(TICKETS), since_first(CUSTOMERS), "tickets_per_day"),
        rate(count(TICKETS, where=complaint), count(ORDERS), "tickets_complaint_per_order"),
    )
