"""Is there enough to learn from? If not: how much is missing, in complaints and in days."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from data.errors import DataError, NotEnoughHistory
from models.risk.settings import RiskSettings


def check_rows(features: pd.DataFrame, labels: pd.DataFrame, horizons: Sequence[int]) -> None:
    """Refuse labels that are not, row by row, of the features' customers and times."""
    if len(features) != len(labels):
        raise DataError(f"{len(features)} rows of features, but {len(labels)} of labels")
    for key in ("customer_id", "as_of"):
        differ = features[key].to_numpy() != labels[key].to_numpy()
        if differ.any():
            at = int(differ.argmax())
            raise DataError(
                f"row {at} is {key} {features[key].iloc[at]} in the features and "
                f"{labels[key].iloc[at]} in the labels; both must follow the same spine"
            )
    for h in horizons:
        if f"label_{h}d" not in labels.columns:
            raise DataError(f"the labels have no column label_{h}d; compute them with this horizon")


def check_history(labels: pd.DataFrame, horizons: Sequence[int], settings: RiskSettings) -> None:
    """Refuse, per horizon, too few as-of times or complaints, and labels of one class."""
    for h in horizons:
        known = labels[labels[f"label_{h}d"].notna()]
        times = known["as_of"].nunique()
        if times < settings.minimum_as_ofs:
            missing = settings.minimum_as_ofs - times
            days = missing * _step_days(labels) + (h if times == 0 else 0)
            raise NotEnoughHistory(
                f"{h}-day risk: {times} as-of times have a complete label and {missing} more are "
                f"needed; wait that many training steps (weeks, by default; about {days:.0f} "
                f"days), or leave out the horizon of {h} days"
            )
        complaining = known[known[f"label_{h}d"] > 0]
        if len(complaining) and len(complaining) == len(known):
            raise DataError(
                f"{h}-day risk: every one of the {len(known)} labels is 1, so there is nobody to "
                "tell complainers from; check the [complaint] rule"
            )
        rows, people = len(complaining), complaining["customer_id"].nunique()
        if rows == 0:
            raise NotEnoughHistory(
                f"{h}-day risk: not one of {len(known)} rows is followed by a complaint (one "
                f"class only); at least {settings.minimum_complaints} are needed. Tickets must "
                "name their customer in customer_id; check that column and the [complaint] rule, "
                "or bring more history"
            )
        enough = settings.minimum_complaints
        if rows < enough or people < enough // 2:
            days = max(
                _days_missing(known, rows, enough), _days_missing(known, people, enough // 2)
            )
            raise NotEnoughHistory(
                f"{h}-day risk: {rows} rows of {people} customers are followed by a complaint; at "
                f"least {enough} rows of {enough // 2} customers are needed, so "
                f"{max(enough - rows, 0)} rows and {max(enough // 2 - people, 0)} customers are "
                f"missing (about {days:.0f} more days of history)"
            )


def days_until_enough(
    labels: pd.DataFrame, span_days: float, step_days: float, settings: RiskSettings
) -> float | None:
    """About how many more days of history a model that learns (and its twin) will need.

    At the pace of these labels' shortest horizon, ``span_days`` of history so far. None where
    waiting alone will not do: nobody has complained, or customers are too few.
    """
    least = settings.minimum_complaints // 2
    named = [str(c) for c in labels.columns if str(c).startswith("label_")]
    shortest = min(int(name[6:-1]) for name in named)
    known = labels[labels[f"label_{shortest}d"].notna()]
    complaining = known[known[f"label_{shortest}d"] > 0]
    if complaining.empty or labels["customer_id"].nunique() < least:
        return None
    a_week = min(7 / shortest, 7.0)  # a day's label holds a seventh of a week's complaints
    times = known["as_of"].nunique()
    needed = max(
        settings.minimum_as_ofs,
        settings.minimum_complaints / (len(complaining) * a_week / times),
        least / (complaining["customer_id"].nunique() * a_week / times),
    )
    learned_and_judged = (needed - 1) * step_days + 14
    # a quarter of the history is looked back on, four weeks at most
    whole = min(learned_and_judged / 0.75, learned_and_judged + 28)
    return max(whole - span_days, step_days)


def _step_days(labels: pd.DataFrame) -> float:
    """Days between two as-of times; a week where there is but one."""
    times = pd.Series(labels["as_of"].unique()).sort_values()
    return float(times.diff().median().total_seconds() / 86400) if len(times) > 1 else 7.0


def _days_missing(known: pd.DataFrame, rows: int, enough: int) -> float:
    span = (known["as_of"].max() - known["as_of"].min()).total_seconds() / 86400 + 7
    return max(span * (enough / rows - 1), 7.0)
