"""What use of the product tells: how much, how well, and whether it fades.

>>> "usage_errors_sum_7d" in [feature.name for feature in usage_features()]
True
"""

from __future__ import annotations

from features.language import (
    active_days,
    count,
    decayed,
    distinct,
    gap,
    last,
    mean,
    overdue_ratio,
    rate,
    since_first,
    since_last,
    total,
    trend,
)
from features.predicate import Compare, In
from features.sources import USAGE
from features.spec import Feature

WITH_ERRORS = Compare(">", USAGE["errors"], 0).named("with_errors")
PAYMENT = In(USAGE["feature"], ("payment", "payment_failed")).named("payment")
PAYMENT_FAILED = In(USAGE["feature"], ("payment_failed",)).named("payment_failed")


def usage_features(time_zone: str = "UTC") -> tuple[Feature, ...]:
    """The features of use; days are those of ``time_zone``."""
    return (
        *(count(USAGE, days=days) for days in (1, 3, 7, 14, 28, 90)),
        since_last(USAGE),
        since_first(USAGE),
        gap(USAGE),
        overdue_ratio(USAGE),
        trend(count(USAGE, days=7), count(USAGE, days=28)),
        trend(count(USAGE, days=28), count(USAGE, days=180)),
        active_days(USAGE, days=7, time_zone=time_zone),
        active_days(USAGE, days=28, time_zone=time_zone),
        rate(
            total(USAGE, "errors", days=28),
            active_days(USAGE, days=28, time_zone=time_zone),
            "usage_errors_per_active_day_28d",
        ),
        total(USAGE, "errors", hours=6),
        *(total(USAGE, "errors", days=days) for days in (1, 3, 7, 14, 28, 90)),
        total(USAGE, "errors"),
        decayed(total(USAGE, "errors"), 2),
        *(count(USAGE, where=WITH_ERRORS, days=days) for days in (3, 7, 28)),
        rate(total(USAGE, "errors", days=7), count(USAGE, days=7), "usage_errors_per_use_7d"),
        rate(total(USAGE, "errors", days=90), count(USAGE, days=90), "usage_errors_per_use_90d"),
        since_last(USAGE, where=WITH_ERRORS),
        *(count(USAGE, where=PAYMENT_FAILED, days=days) for days in (3, 7, 14, 28, 90)),
        count(USAGE, where=PAYMENT_FAILED),
        since_last(USAGE, where=PAYMENT_FAILED),
        last(USAGE, "feature", where=PAYMENT),
        distinct(USAGE, "feature", days=28),
        total(USAGE, "duration_seconds", days=7),
        total(USAGE, "duration_seconds", days=28),
        mean(USAGE, "duration_seconds", days=28),
        last(USAGE, "platform"),
        last(USAGE, "feature"),
    )
