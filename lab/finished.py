"""Has a finished training set seen the future? Asked of a table where nothing can be recomputed.

What its structure tells: label windows that reach into the evaluation, entities (cleaned of
spelling, or the same row under another id) in both folds, ids and places of rows that know the
outcome, moments that are not before T. What its numbers tell is in suspicion.py.

>>> import numpy as np, pandas as pd
>>> from datetime import timedelta
>>> frame = pd.DataFrame({"customer_id": ["a", "b", "a", "b"], "orders": [1, 2, 3, 4],
...     "as_of": pd.to_datetime(["2026-01-01", "2026-01-01", "2026-01-06", "2026-01-06"])})
>>> judged = np.array([False, False, True, True])
>>> [alarm] = audit_set(TrainingSet(frame, np.array([0, 1, 1, 0]), ~judged, judged,
...                                 horizon=timedelta(days=7)))
>>> print(alarm)
as_of: label overlap: the label of customer a as of 2026-01-01 00:00:00 is over at 2026-01-08 ...
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.arrays import Bools
from data.errors import DataError, did_you_mean
from lab.fitted import fitted_on_everything
from lab.futures import LATER_EVENT, RECORDED_LATER
from lab.leaks import (
    ENTITY_ACROSS_FOLDS,
    KINDS,
    LABEL_OVERLAP,
    ORDER_OF_IDS,
    Alarm,
)
from lab.suspicion import following, order_knows, residuals, too_good, words_of_ids

RARE = 0.001
"""A value that at most this share of the rows has (or four) says something about who a row is."""
ALIKE = 5
"""Rows that agree in so many rare values are one entity under two ids."""


@dataclass(frozen=True)
class TrainingSet:
    """What a model is to be trained and judged on.

    ``frame`` has customer_id, as_of and the features; ``label`` 0 or 1 for each row, whose window
    is ``[T + gap, T + gap + horizon)``; ``training`` and ``evaluation`` say which rows do what.
    ``by`` "time": the evaluation is later than the training, customers may be in both; "entity":
    both are of the same times, and no value of the columns ``apart`` may be in both.
    ``known_as_of``: when the labels were read. ``identifiers``: columns that are no features.
    """

    frame: pd.DataFrame
    label: npt.NDArray[np.int64] | npt.NDArray[np.float64]
    training: Bools
    evaluation: Bools
    horizon: timedelta
    gap: timedelta = timedelta(0)
    embargo: timedelta = timedelta(0)
    by: str = "time"
    apart: tuple[str, ...] = ()
    known_as_of: datetime | None = None
    identifiers: tuple[str, ...] = ("customer_id",)

    def __post_init__(self) -> None:
        for name in ("customer_id", "as_of", *self.apart, *self.identifiers):
            if name not in self.frame.columns:
                raise DataError(
                    f"the training set has no column {name!r}."
                    f"{did_you_mean(name, map(str, self.frame.columns))}"
                )
        for name in ("label", "training", "evaluation"):
            if len(getattr(self, name)) != len(self.frame):
                raise DataError(
                    f"{name} has {len(getattr(self, name))} values for {len(self.frame)} rows"
                )
        if self.by not in ("time", "entity"):
            raise DataError(f'by={self.by!r}: folds are split by "time" or by "entity"')

    @property
    def features(self) -> list[str]:
        """The columns that a model would see."""
        no = {"customer_id", "as_of", "fold", *self.apart, *self.identifiers}
        return [str(name) for name in self.frame.columns if name not in no]


def audit_set(train_set: TrainingSet) -> list[Alarm]:
    """Every alarm that the finished set gives cause for, one per kind and column."""
    alarms: dict[tuple[str, str], Alarm] = {}
    for check in (_overlap, _entities, _moments, _orders, _numbers):
        for alarm in check(train_set):
            alarms.setdefault((alarm.kind, alarm.column), alarm)
    order = {kind: place for place, kind in enumerate(KINDS)}
    return sorted(alarms.values(), key=lambda alarm: (alarm.column, order[alarm.kind]))


def _row(train_set: TrainingSet, at: int) -> tuple[str, pd.Timestamp]:
    return str(train_set.frame["customer_id"].iloc[at]), train_set.frame["as_of"].iloc[at]


def _overlap(train_set: TrainingSet) -> Iterator[Alarm]:
    """Training labels over by the embargo before the evaluation; all labels over when read."""
    as_of = train_set.frame["as_of"].to_numpy().astype("datetime64[us]")
    over = as_of + np.timedelta64(train_set.gap + train_set.horizon)
    if train_set.by == "time" and train_set.training.any() and train_set.evaluation.any():
        begins = as_of[train_set.evaluation].min()
        late = np.flatnonzero(
            train_set.training & (over + np.timedelta64(train_set.embargo) > begins)
        )
        if len(late):
            at = int(late[np.argmax(over[late])])
            who, when = _row(train_set, at)
            evidence = (
                f"the label of customer {who} as of {when} is over at {pd.Timestamp(over[at])}, "
                f"but the evaluation begins at {pd.Timestamp(begins)}"
                + (f" after an embargo of {train_set.embargo}" if train_set.embargo else "")
                + f" ({len(late)} of {int(train_set.training.sum())} rows that train)"
            )
            yield Alarm(LABEL_OVERLAP, "as_of", evidence, who, when.to_pydatetime())
    if train_set.known_as_of is not None:
        known = ~np.isnan(np.asarray(train_set.label, dtype=np.float64))
        early = np.flatnonzero(known & (over > np.datetime64(train_set.known_as_of, "us")))
        if len(early):
            who, when = _row(train_set, int(early[0]))
            evidence = (
                f"customer {who} as of {when} has a label whose window is over at "
                f"{pd.Timestamp(over[early[0]])}, after {train_set.known_as_of}, when it was read "
                f"({len(early)} rows)"
            )
            yield Alarm(LABEL_OVERLAP, "label", evidence, who, when.to_pydatetime())


def cleaned(ids: pd.Series) -> pd.Series:
    """Ids without what people and exports do to them: case, spaces, signs, leading zeros, ".0".

    >>> cleaned(pd.Series(["C-0012 ", "c12", "7.0", "007"])).tolist()
    ['c12', 'c12', '7', '7']
    """

    def clean(text: str) -> str:
        text = re.sub(r"\.0+$", "", text.strip().casefold())
        text = re.sub(r"[^0-9a-z@]+", "", text)
        return re.sub(r"(?<![0-9])0+(?=[0-9])", "", text)

    return ids.astype("str").map(clean, na_action="ignore")


def _entities(train_set: TrainingSet) -> Iterator[Alarm]:
    apart = train_set.apart or (("customer_id",) if train_set.by == "entity" else ())
    for name in apart:
        ids = cleaned(train_set.frame[name])
        ids = ids.where(train_set.frame[name].notna())
        shared = set(ids[train_set.training].dropna()) & set(ids[train_set.evaluation].dropna())
        both = np.flatnonzero(ids.isin(shared).to_numpy() & train_set.evaluation)
        if len(both):
            at = int(both[0])
            who, when = _row(train_set, at)
            twin = int(np.flatnonzero((ids == ids.iloc[at]).to_numpy() & train_set.training)[0])
            evidence = (
                f"{name} {train_set.frame[name].iloc[at]!r} judges and {name} "
                f"{train_set.frame[name].iloc[twin]!r} trains ({len(shared)} in both folds)"
            )
            yield Alarm(ENTITY_ACROSS_FOLDS, name, evidence, who, when.to_pydatetime())
    pairs = pd.DataFrame(
        {"who": cleaned(train_set.frame["customer_id"]), "when": train_set.frame["as_of"]}
    )
    inside = pairs[train_set.training].merge(pairs[train_set.evaluation]).drop_duplicates()
    if len(inside) and "customer_id" not in apart:
        who, when = inside.iloc[0]
        evidence = f"customer {who} as of {when} is in both folds ({len(inside)} such rows)"
        yield Alarm(ENTITY_ACROSS_FOLDS, "customer_id", evidence, who, when.to_pydatetime())
    yield from _twins(train_set)


def _twins(train_set: TrainingSet) -> Iterator[Alarm]:
    """Rows of both folds that agree too well to be of two customers: copies under another id.

    They agree in several values that hardly any other row has; or in all their values, where rows
    of one fold that are of two customers hardly ever do.
    """
    rare: dict[str, pd.Series] = {}
    for name in train_set.features:
        values = train_set.frame[name]
        counts = values.map(values.value_counts()).astype("float64")
        is_rare = values.notna() & (counts <= max(4, RARE * len(values)))
        rare[name] = values.astype("str").where(is_rare)
    signs = pd.DataFrame(rare, index=train_set.frame.index)
    rare_values = signs.notna().sum(axis=1)
    pairs = _alike(train_set, signs.fillna(""), (rare_values >= ALIKE).to_numpy())
    where = "in several values that hardly any other row has"
    if pairs.empty and len(train_set.features) >= ALIKE:
        whole = train_set.frame[train_set.features].astype("str").fillna("(null)")
        every = np.ones(len(whole), dtype=bool)
        pairs = _alike(train_set, whole, every)
        train, judge = int(train_set.training.sum()), int(train_set.evaluation.sum())
        inside = len(_alike(train_set, whole, every, train_set.training, train_set.training))
        expected = inside / max(1, train) * judge
        if len(pairs) < 3 or len(pairs) < 4 * expected:
            return
        where = "in all values"
    if pairs.empty:
        return
    at, twin = int(pairs["place"].iloc[0]), int(pairs["place_twin"].iloc[0])
    (who, when), (other, then) = _row(train_set, at), _row(train_set, twin)
    evidence = (
        f"the row of customer {who} as of {when} judges, and that of customer {other} as of {then} "
        f"trains; they agree {where} ({len(pairs)} such rows)"
    )
    yield Alarm(ENTITY_ACROSS_FOLDS, "customer_id", evidence, who, when.to_pydatetime())


def _alike(
    train_set: TrainingSet, signs: pd.DataFrame, rows: Bools, left: Bools | None = None,
    right: Bools | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Rows (``place``) that judge with one that trains (``place_twin``), of another customer and
    with the same signs; or those of two other folds."""
    rows_of_all = pd.DataFrame(
        {
            "key": pd.util.hash_pandas_object(signs, index=False).to_numpy(),
            "who": cleaned(train_set.frame["customer_id"]).to_numpy(),
            "place": np.arange(len(signs)),
        }
    )
    judges = rows_of_all[rows & (train_set.evaluation if left is None else left)]
    trains = rows_of_all[rows & (train_set.training if right is None else right)]
    # one row of a customer is enough to compare with, and two where the first is one's own
    few = trains.drop_duplicates(["key", "who"]).groupby("key").head(2)
    pairs = judges.merge(few, on="key", suffixes=("", "_twin"))
    return pairs[pairs["who"] != pairs["who_twin"]].drop_duplicates("place")


def _moments(train_set: TrainingSet) -> Iterator[Alarm]:
    """Columns of times must lie before T; when something was recorded, at T at the latest."""
    as_of = train_set.frame["as_of"]
    for name in train_set.features:
        values = train_set.frame[name]
        if not pd.api.types.is_datetime64_any_dtype(values.dtype):
            continue
        recorded = "record" in name or "learned" in name or "loaded" in name or "ingest" in name
        late = np.flatnonzero((values > as_of if recorded else values >= as_of).to_numpy())
        # a planned time may lie ahead, so it must do so for more than a few of the rows
        planned = re.search(r"promis|plan|due|starts|ends|expire|renew", name)
        if len(late) and not planned:
            at = int(late[0])
            who, when = _row(train_set, at)
            evidence = (
                f"customer {who} as of {when} has {values.iloc[at]}, which nobody knew then "
                f"({len(late)} of {len(values)} rows)"
            )
            kind = RECORDED_LATER if recorded else LATER_EVENT
            yield Alarm(kind, name, evidence, who, when.to_pydatetime(), values.iloc[at])


def _orders(train_set: TrainingSet) -> Iterator[Alarm]:
    """Ids and places of rows, against what the features leave unexplained of the outcome."""
    left = residuals(train_set.frame[train_set.features], train_set.label, train_set.training)
    for name in train_set.identifiers:
        ids = train_set.frame[name].astype("str")
        per_id = pd.Series(left).groupby(ids.to_numpy()).mean()
        in_order = per_id.to_numpy()[np.argsort(_natural(per_id.index))]
        for share, order in (
            (order_knows([in_order]), "ids next to each other"),
            (words_of_ids(left, ids), "ids that look alike"),
        ):
            if share is not None:
                yield Alarm(ORDER_OF_IDS, name, f"{order} have the same outcome: {share}")
    as_of = train_set.frame["as_of"].to_numpy()
    share = order_knows([left[as_of == moment] for moment in np.unique(as_of)])
    if share is not None:
        evidence = f"rows next to each other in the set have the same outcome: {share}"
        for name in ("(row order)", *following(train_set.frame[train_set.features])):
            yield Alarm(ORDER_OF_IDS, name, evidence)


def _natural(ids: Iterable[str]) -> npt.NDArray[np.int64]:
    """The rank of each id, numbers inside it by value: c9 before c10."""
    keys = [
        tuple((0, int(part), "") if part.isdigit() else (1, 0, part)
              for part in re.findall(r"[0-9]{1,15}|[^0-9]+", text))
        for text in ids
    ]  # fmt: skip
    order = sorted(range(len(keys)), key=lambda at: keys[at])
    rank = np.empty(len(keys), dtype=np.int64)
    rank[order] = np.arange(len(keys))
    return rank


def _numbers(train_set: TrainingSet) -> Iterator[Alarm]:
    """What the columns' numbers give away (fitted.py, suspicion.py)."""
    columns_and_folds = (
        train_set.frame,
        train_set.features,
        train_set.label,
        train_set.training,
        train_set.evaluation,
    )
    yield from fitted_on_everything(*columns_and_folds)
    yield from too_good(*columns_and_folds)
