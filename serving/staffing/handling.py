"""How long a contact takes, per channel, from the tickets resolved so far.

A channel's handling time is its topics' means weighted by the topics that are forecast for it, or,
where no topics are, by those of its latest contacts, open ones included: topics that take long are
resolved late, and a plain mean of resolved tickets would miss them. Thin topics lean on the
channel's mean, thin channels on ``handle_seconds`` of their service level, each as if it had
``WEIGHT`` tickets. Where no ticket tells, the setting is used, and ``source`` says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import pandas as pd

from data.errors import DataError
from data.settings import ServiceLevel
from models.volume.series import attributes

WEIGHT = 20.0
RESOLVED_WITHIN = timedelta(days=182)
MIX_OF = timedelta(days=56)
IN_LINE = timedelta(days=14)


def handle_seconds_by_channel(
    tickets: pd.DataFrame,
    service_levels: Mapping[str, ServiceLevel],
    as_of: datetime,
    forecast: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """``channel, handle_seconds, tickets, source``: a row per channel of the tickets or settings.

    ``tickets`` is the as-of view of the table. ``tickets`` in the result counts those that the
    mean rests on; ``source`` is "tickets", or "setting" where there was none. ``forecast``
    (``unique_id, presage``) weights topics by what its ids channel=C/topic=T expect. Machine-made
    tickets do not count. DataError for a negative or infinite handling time, by ticket.
    """
    contacts = (
        tickets[~tickets["is_machine"].fillna(False).astype(bool)] if len(tickets) else tickets
    )
    resolved = contacts[
        contacts["handle_seconds"].notna() & (contacts["resolved_at"] >= as_of - RESOLVED_WITHIN)
    ]
    wrong = resolved[~resolved["handle_seconds"].between(0, 1e9)]
    if len(wrong):
        first = wrong.iloc[0]
        raise DataError(
            f"ticket {first['ticket_id']!r}: handle_seconds is {first['handle_seconds']}; a "
            "handling time is finite and not negative"
        )
    recent = contacts[contacts["opened_at"] >= as_of - MIX_OF]
    ahead = {} if forecast is None else topic_mix(forecast)
    rows = []
    for channel in sorted({*service_levels, *contacts["channel"].dropna().unique()}):
        level = service_levels.get(channel, ServiceLevel())
        mine = resolved[resolved["channel"] == channel]
        seconds, source = level.handle_seconds, "setting"
        if len(mine):
            source = "tickets"
            latest = recent.loc[recent["channel"] == channel, "topic"].fillna("")
            mix = ahead.get(channel, latest.value_counts(normalize=True))
            seconds = _mean_of_mix(mine, mix, seconds)
        rows.append((channel, float(seconds), len(mine), source))
    return pd.DataFrame(rows, columns=["channel", "handle_seconds", "tickets", "source"])


def waiting_by_channel(tickets: pd.DataFrame, as_of: datetime) -> dict[str, float]:
    """Contacts in line as of T by channel: opened in the last ``IN_LINE`` and not yet answered.

    Empty if no ticket ever had a first response: then the log does not tell who waits. ``tickets``
    is the as-of view. Whoever waits longer than ``IN_LINE`` has been forgotten, not put in line.
    """
    if not len(tickets) or tickets["first_response_at"].isna().all():
        return {}
    contacts = tickets[~tickets["is_machine"].fillna(False).astype(bool)]
    line = contacts[
        contacts["first_response_at"].isna()
        & contacts["resolved_at"].isna()
        & (contacts["opened_at"] >= as_of - IN_LINE)
    ]
    return {str(name): float(n) for name, n in line["channel"].value_counts().sort_index().items()}


def topic_mix(forecast: pd.DataFrame) -> dict[str, pd.Series]:
    """Each channel's shares of topics over a whole forecast (topic not given: ""); channels without
    forecast topics, or without a contact expected, are left out.

    >>> ids = ["channel=chat/topic=bill", "channel=chat/topic=", "channel=chat", "total"]
    >>> frame = pd.DataFrame({"unique_id": ids, "presage": [3.0, 1.0, 4.0, 4.0]})
    >>> topic_mix(frame)["chat"].to_dict()
    {'': 0.25, 'bill': 0.75}
    """
    totals = forecast.groupby("unique_id")["presage"].sum()
    sums: dict[str, dict[str, float]] = {}
    for name, total in totals.items():
        split = attributes(str(name))
        if split.keys() == {"channel", "topic"} and split["channel"] is not None:
            sums.setdefault(split["channel"], {})[split["topic"] or ""] = float(total)
    mixes = {channel: pd.Series(mix).sort_index() for channel, mix in sums.items()}
    return {channel: mix / mix.sum() for channel, mix in mixes.items() if mix.sum() > 0}


def _mean_of_mix(resolved: pd.DataFrame, mix: pd.Series, setting: float) -> float:
    total, count = resolved["handle_seconds"].sum(), len(resolved)
    channel = (total + WEIGHT * setting) / (count + WEIGHT)
    topics = resolved.assign(topic=resolved["topic"].fillna("")).groupby("topic")["handle_seconds"]
    means = (topics.sum() + WEIGHT * channel) / (topics.count() + WEIGHT)
    if mix.empty:
        return float(channel)
    return float((mix * means.reindex(mix.index).fillna(channel)).sum())
