"""Reasons: contributions gathered into what a person would call one cause.

Six columns count overdue orders over six windows; to an agent that is one reason. Columns belong
together when their names say the same subject: a name is ``source_filter_..._operation_window``
(features/language.py), so its subject is what is left without operation and window. A group's
contribution is the sum of its columns', so all groups and the base still add up to the score; the
column that contributes most in the group's direction speaks for it.

>>> subject("tickets_complaint_count_28d"), subject("tickets_complaint_since_last_days")
('tickets_complaint', 'tickets_complaint')
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.risk.words import sentence, subject

Array = npt.NDArray[np.float64]


def reasons(
    columns: Sequence[str],
    cards: Mapping[str, Mapping[str, Any]],
    features: pd.DataFrame,
    amounts: Array,
    top: int | None,
    language: str = "en",
) -> list[list[dict[str, Any]]]:
    """Per row its groups, those that raise the risk most first.

    ``amounts``: rows × ``columns``, log odds. With ``top`` only that many, and only groups that
    raise the risk; with None every group that moves it at all. Each is ``feature`` (the column that
    speaks for the group), ``value`` (None if not known), ``text`` (in
    ``language``, models/risk/words.py), ``contribution`` (the group's).
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
                    "text": sentence(name, value, language, cards.get(name)),
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
