"""What a customer is to meet if he goes on as usual: uses, errors, orders, releases of his app.

Past counts tell it, as long as he still comes. Whether he does shows in how long he has been silent
for somebody of his pace. The company's calendar tells of what will meet him that he has not met
yet.

>>> names = [feature.name for feature in ahead_features()]
>>> "usage_count_28d_if_active" in names, "usage_release_next_7d" in names
(True, True)
"""

from __future__ import annotations

from features.language import (
    active_days,
    count,
    customer,
    due,
    of,
    rate,
    still_active,
    times,
    total,
)
from features.predicate import In
from features.sources import CALENDAR, CUSTOMERS, ORDERS, USAGE
from features.spec import Feature

USAGE_OF_CUSTOMERS = USAGE.with_customer()
RELEASE = In(CALENDAR["kind"], ("release",)).named("release")


def ahead_features(time_zone: str = "UTC") -> tuple[Feature, ...]:
    """The features of what is to come; days are of ``time_zone``."""
    platform = customer(CUSTOMERS["platform"])
    active = still_active(USAGE, days=90, time_zone=time_zone)
    uses = {
        days: times(count(USAGE, days=days), active, f"usage_count_{days}d_if_active")
        for days in (28, 90)
    }

    def errors_per_use(days: int) -> Feature:
        """Of everybody on his platform."""
        errors = total(USAGE_OF_CUSTOMERS, "errors", days=days, by="platform")
        return of(rate(errors, count(USAGE_OF_CUSTOMERS, days=days, by="platform"), "x"), platform)

    def release(days: int) -> Feature:
        """Releases for his platform that are announced for the next days."""
        found = due(
            CALENDAR, at="starts_at", days=days, label="release", by="platform", where=RELEASE
        )
        return of(found, platform)

    return (
        active,
        *uses.values(),
        times(
            active_days(USAGE, days=28, time_zone=time_zone),
            active,
            "usage_active_days_28d_if_active",
        ),
        *(
            times(
                uses[of_days],
                errors_per_use(days),
                f"usage_errors_expected_{of_days}d_as_in_{days}d",
            )
            for of_days in (28, 90)
            for days in (1, 3, 28)
        ),
        *(times(uses[28], release(days), f"usage_release_next_{days}d") for days in (7, 14, 30)),
        *(
            times(count(ORDERS, days=days), active, f"orders_count_{days}d_if_active")
            for days in (90, 365)
        ),
    )
