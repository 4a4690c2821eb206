"""The observer knows the usual company; companies of a make are refused by name.

Their constants are not in what it was given, their words are not those that it reads, and what
they leave out it would need. A guess would look like an answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from data.errors import DataError, UsageError
from data.simulate import rates as names
from data.simulate.rates import Rates

if TYPE_CHECKING:
    import pandas as pd

NEEDED = {
    "customers": "region segment plan platform language preferred_channel email_consent "
    "do_not_contact closed_at recorded_at",
    "orders": "product_id carrier promised_at shipped_at delivered_at cancelled_at returned_at",
    "usage": "feature errors version recorded_at",
    "tickets": "channel topic is_complaint order_id text is_machine issue_id first_response_at "
    "resolved_at reopened_at handle_seconds csat csat_at",
    "bot_sessions": "topic contained handed_over_at",
    "feedback": "rating text product_id",
    "article_events": "helpful",
    "calendar": "kind starts_at",
    "treatments": "arm propensity action",
}
"""The optional tables and columns that the observer reads."""
WORDS = (
    ("customers", "region", names.REGIONS),
    ("customers", "segment", names.SEGMENTS),
    ("customers", "plan", names.PLANS),
    ("customers", "platform", names.PLATFORMS),
    ("customers", "preferred_channel", names.CHANNELS),
    ("orders", "carrier", names.CARRIERS),
    ("usage", "feature", names.FEATURES),
    ("tickets", "channel", names.CHANNELS),
    ("tickets", "topic", names.TOPICS),
)


def refuse_makes(tables: Mapping[str, pd.DataFrame], rates: Rates | None) -> None:
    """UsageError for the rates of a make, DataError for tables that lack or say something else."""
    if rates is not None and rates.make is not None:
        raise UsageError(
            f"the ideal observer does not know makes; found the rates of make {rates.make}. "
            "Judge by truth/probabilities.parquet, or simulate without a make."
        )
    for name, needed in NEEDED.items():
        names_there = tables[name].columns if name in tables else ()
        lacking = (
            [name] if name not in tables else [c for c in needed.split() if c not in names_there]
        )
        if lacking:
            raise DataError(
                f"the ideal observer reads all that the usual company records; {name} lacks "
                f"{', '.join(lacking)}. Companies of a make are not for it."
            )
    for name, column, known in WORDS:
        others = set(tables[name][column].dropna().unique()) - set(known)
        if others:
            raise DataError(
                f"the ideal observer knows the usual company's words; {name}.{column} has "
                f"{min(others)!r}. Companies of a make are not for it."
            )


__all__ = ["refuse_makes"]
