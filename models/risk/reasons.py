"""Reasons: contributions gathered into what a person would call one cause.

Six columns count overdue orders over six windows; to an agent that is one reason. Columns belong
together when their names say the same subject: a name is ``source_filter_..._operation_window``
(features/language.py), so its subject is what is left without operation and window. A group's
contribution is the sum of its columns', so all groups and the base still add up to the score; the
column that contributes most in the group's direction speaks for it.

>>> subject("tickets_complaint_count_28d"), subject("tickets_complaint_since_last_days")
('tickets_complaint', 'tickets_complaint')
>>> sentence("tickets_complaint_count_28d", 3.0, {})
'3 complaints in 28 days'
>>> sentence("orders_since_last_days", 12.4, {})
'12.4 days since the last of orders'
>>> sentence("orders_overdue_now", 1.0, {"note": "orders past their promised day"})
'orders past their promised day: 1'
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Array = npt.NDArray[np.float64]

_WINDOW = re.compile(r"_(?:next_)?(\d+)(d|h|min)(?=_|$)")
_OPERATIONS = (
    "since_last_days",
    "since_first_days",
    "gap_elapsed",
    "gap_days",
    "age_days",
    "count",
    "sum",
    "mean",
    "share",
    "distinct",
    "largest",
    "smallest",
    "last",
    "rate",
    "now",
    "over",
)
_UNITS = {"d": "days", "h": "hours", "min": "minutes"}


def subject(name: str) -> str:
    """What the feature is about: its name without windows and operations."""
    left = _WINDOW.sub("", name)
    for operation in _OPERATIONS:
        left = re.sub(rf"_{operation}(?=_|$)", "", left)
    return left or name


def sentence(name: str, value: object, card: Mapping[str, Any]) -> str:
    """The feature's value in plain English: by its card's note, else by its name."""
    said = spoken(value)
    note = str(card.get("note") or "").strip().rstrip(".")
    if note:
        return f"{note}: {said}"
    window = _WINDOW.search(name)
    within = f" in {window[1]} {_UNITS[window[2]]}" if window else ""
    of = _words(subject(name))
    for ending, form in (
        ("since_last_days", "{said} days since the last of {of}"),
        ("since_first_days", "{said} days since the first of {of}"),
        ("gap_days", "{said} days between {of} on average"),
        ("gap_elapsed", "{of}: {said} usual intervals have passed"),
        ("age_days", "{of}: for {said} days"),
        ("share", "share of {of}{within}: {said}"),
        ("mean", "mean of {of}{within}: {said}"),
        ("last", "last {of}: {said}"),
        ("now", "{counted} now"),
        ("count", "{counted}{within}"),
    ):
        if re.search(rf"_{ending}(?=_|$)", name):
            counted = _counted(said, of) + ("" if window or ending == "now" else " so far")
            return form.format(said=said, of=of, within=within, counted=counted)
    return f"{_words(name)}: {said}"


def spoken(value: object) -> str:
    """A value as a person would write it; what is not known says so."""
    if value is None or value is pd.NA:
        return "not known"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | float | np.integer | np.floating):
        number = float(value)
        if math.isnan(number):
            return "not known"
        return f"{number:.0f}" if number.is_integer() or abs(number) >= 100 else f"{number:.3g}"
    return str(value)


def reasons(
    columns: Sequence[str],
    cards: Mapping[str, Mapping[str, Any]],
    features: pd.DataFrame,
    amounts: Array,
    top: int | None,
) -> list[list[dict[str, Any]]]:
    """Per row its groups, those that raise the risk most first.

    ``amounts``: rows × ``columns``, log odds. With ``top`` only that many, and only groups that
    raise the risk; with None every group that moves it at all. Each is ``feature`` (the column that
    speaks for the group), ``value`` (None if not known), ``text``, ``contribution`` (the group's).
    """
    names = [str(cards.get(name, {}).get("group") or subject(name)) for name in columns]
    groups = list(dict.fromkeys(names))
    position = {group: at for at, group in enumerate(groups)}
    of_column = np.array([position[name] for name in names], dtype=np.int64)
    totals = np.zeros((len(amounts), len(groups)))
    for at, group in enumerate(of_column):
        totals[:, group] += amounts[:, at]
    values = {name: features[name].tolist() for name in columns}
    found = []
    for row in range(len(amounts)):
        order = np.argsort(-totals[row], kind="stable")
        chosen = [g for g in order if totals[row, g] > 0 or (top is None and totals[row, g] != 0)]
        said = []
        for group in chosen if top is None else chosen[:top]:
            members = np.flatnonzero(of_column == group)
            own = amounts[row, members]
            speaker = int(members[own.argmax() if totals[row, group] > 0 else own.argmin()])
            name = columns[speaker]
            value = values[name][row]
            said.append(
                {
                    "feature": name,
                    "value": _plain(value),
                    "text": sentence(name, value, cards.get(name, {})),
                    "contribution": float(totals[row, group]),
                }
            )
        found.append(said)
    return found


def _plain(value: object) -> object:
    """The value as JSON can hold it."""
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    return value.item() if isinstance(value, np.generic) else value


_CALLED = {"tickets_complaint": "complaints", "usage": "uses", "usage_errors": "errors met"}
"""Subjects whose usual word is another than filter and source."""


def _words(name: str) -> str:
    """``tickets_open`` → ``open tickets``: what kind of it, then the source."""
    if name in _CALLED:
        return _CALLED[name]
    first, _, rest = name.partition("_")
    if first == "usage":
        return f"{rest.replace('_', ' ')} events"
    return f"{rest.replace('_', ' ')} {first}" if rest else first


def _counted(said: str, of: str) -> str:
    """``1 open ticket``, ``3 open tickets``."""
    return f"{said} {of[:-1] if said == '1' and of.endswith('s') else of}"
