"""What customers are to meet if they go on as usual: uses, errors, orders, releases of their app.

Past counts tell it, as long as they still come. Whether they do shows in how long they have been
silent for somebody of their pace. The company's calendar tells of what will meet them that they
have not met yet.

>>> names = [feature.name for feature in ahead_features()]
>>> "usage_count_28d_if_active" in names, "usage_release_next_7d" in names
(True, True)
"""

from __future__ import annotations

from features.context import USAGE_OF_CUSTOMERS
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
from features.notes import note_of
from features.predicate import In
from features.sources import CALENDAR, CUSTOMERS, ORDERS, USAGE
from features.spec import Feature

RELEASE = In(CALENDAR["kind"], ("release",)).named("release")


def ahead_features(time_zone: str = "UTC") -> tuple[Feature, ...]:
    """The features of what is to come; days are of ``time_zone``."""
    platform = customer(CUSTOMERS["platform"])
    active = still_active(USAGE, days=90, time_zone=time_zone)

    def if_active(feature: Feature) -> Feature:
        """As much as before, as far as they are still there."""
        product = times(feature, active, f"{feature.name}_if_active")
        return product.named(product.name, f"{note_of(feature.node)}, as far as they still come")

    uses = {days: if_active(count(USAGE, days=days)) for days in (28, 90)}

    def expected_errors(of_days: int, days: int) -> Feature:
        """Their uses times errors per use of everybody on their platform."""
        errors = total(USAGE_OF_CUSTOMERS, "errors", days=days, by="platform")
        use_count = count(USAGE_OF_CUSTOMERS, days=days, by="platform")
        per_use = of(rate(errors, use_count, "per_use"), platform)
        name = f"usage_errors_expected_{of_days}d_as_in_{days}d"
        like = "the last day" if days == 1 else f"the last {days} days"
        what = f"errors to expect in {of_days} days of their use"
        note = f"{what}, as in {like} of all on their platform"
        return times(uses[of_days], per_use, name).named(name, note)

    def release(days: int) -> Feature:
        """Their uses that a release will meet."""
        coming = due(
            CALENDAR, at="starts_at", days=days, label="release", by="platform", where=RELEASE
        )
        name = f"usage_release_next_{days}d"
        note = f"uses in the last 28 days of an app with a release in the next {days} days"
        return times(uses[28], of(coming, platform), name).named(name, note)

    return (
        active,
        *uses.values(),
        if_active(active_days(USAGE, days=28, time_zone=time_zone)),
        *(expected_errors(of_days, days) for of_days in (28, 90) for days in (1, 3, 28)),
        *(release(days) for days in (7, 14, 30)),
        *(if_active(count(ORDERS, days=days)) for days in (90, 365)),
    )
