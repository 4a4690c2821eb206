"""Leaks that sit in a finished training set: folds, labels, ids, columns of unknown making."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd

from lab.finished import TrainingSet
from lab.planted_world import (
    EVALUATION,
    HORIZON,
    Case,
    Draw,
    Flaw,
    finish,
    honest,
    visible_rows,
    world,
)

MICROSECOND = timedelta(microseconds=1)
Spoil = Callable[[TrainingSet, Draw], TrainingSet]


def planted_set(kind: str, number: int, draw: Draw) -> Case:
    """The finished set of that kind and number."""
    tables, spine = world(int(draw.integers(12)))
    train_set = finish(spine, honest(draw, tables)(spine, tables))
    if kind == "label overlap":
        name, spoil = list(OVERLAPS.items())[number]
        return Case(kind, name, "label" if "read" in name else "as_of", spoil(train_set, draw))
    if kind == "entity across folds":
        name, spoil = list(ENTITIES.items())[number]
        spoilt = spoil(train_set if "same T" in name else by_entity(train_set), draw)
        also = ("as_of",) if "same T" in name else ()
        return Case(kind, name, (spoilt.apart or ("customer_id",))[0], spoilt, also)
    if kind == "order of ids":
        name, spoil = list(ORDERS.items())[number - 6]
        columns = {"set sorted by outcome": "(row order)", "cases numbered by outcome": "case_id",
                   "row number of a sorted set": "row_number"}  # fmt: skip
        return Case(kind, name, columns.get(name, "customer_id"), spoil(train_set, draw),
                    ("(row order)",) if "row number" in name else ())  # fmt: skip
    table = "orders" if kind == "later event" else "usage"
    rows = visible_rows(
        spine, tables, Flaw(table, born=timedelta(days=3), recorded=timedelta(days=30))
    )  # fmt: skip
    if kind == "event against recorded time":
        name, share = (("last_recorded_at", 1.0), ("usage_loaded_at", 0.3),
                       ("usage_ingested_at", 0.1))[number - 10]  # fmt: skip
        rows = rows[rows["at"] < rows["as_of"]]
        sample = rows.iloc[draw.permutation(len(rows))[: int(len(rows) * share)]]
        sample = sample.sort_values("recorded_at")
        latest = sample.groupby(["customer_id", "as_of"])["recorded_at"].agg("last")
        return Case(kind, f"{name} after T", name, _with(train_set, name, _aligned(latest, spine)))
    y = train_set.label
    name = ("tickets_nearby", "escalated", "last_order_at")[number - 10]
    if name == "last_order_at":
        latest = rows.groupby(["customer_id", "as_of"])["at"].max()
        return Case(kind, "last order within 3 days after T", name,
                    _with(train_set, name, _aligned(latest, spine)))  # fmt: skip
    if name == "tickets_nearby":
        noisy = y * 1.0 + draw.normal(0, 0.28, len(y))
        return Case(
            kind, "a count that the outcome is part of", name, _with(train_set, name, noisy)
        )
    flag = ((y > 0) & (draw.random(len(y)) < 0.4)).astype(float)
    return Case(kind, "a flag set after the outcome, of 40 % of them", name,
                _with(train_set, name, flag))  # fmt: skip


def _aligned(values: pd.Series, spine: pd.DataFrame) -> pd.Series:
    key = pd.MultiIndex.from_frame(spine[["customer_id", "as_of"]])
    return pd.Series(values.reindex(key).to_numpy())


def _with(train_set: TrainingSet, name: str, values: object) -> TrainingSet:
    return replace(train_set, frame=train_set.frame.assign(**{name: values}))


def _moved(train_set: TrainingSet, rows: np.ndarray, as_of: object) -> TrainingSet:
    times = train_set.frame["as_of"].copy()
    times[rows] = pd.Timestamp(as_of)
    return replace(train_set, frame=train_set.frame.assign(as_of=times))


def _some(rows: np.ndarray, count: int, draw: Draw) -> np.ndarray:
    chosen = np.zeros(len(rows), dtype=bool)
    chosen[draw.permutation(np.flatnonzero(rows))[:count]] = True
    return chosen


# ---------------------------------------------------------------- label overlap


def _random_rows(train_set: TrainingSet, draw: Draw) -> TrainingSet:
    training = draw.random(len(train_set.frame)) < 0.6
    return replace(train_set, training=training, evaluation=~training)


OVERLAPS: dict[str, Spoil] = {
    "training a week too late": lambda s, d: _moved(
        s, (s.frame["as_of"] == s.frame["as_of"][s.training].max()).to_numpy(),
        EVALUATION[0] - timedelta(days=7)),
    "one row a day too late": lambda s, d: _moved(
        s, _some(s.training, 1, d), EVALUATION[0] - HORIZON + timedelta(days=1)),
    "split for 14 days, label of 30": lambda s, d: replace(s, horizon=timedelta(days=30),
                                                           known_as_of=None),
    "gap of 20 days forgotten": lambda s, d: replace(s, gap=timedelta(days=20), known_as_of=None),
    "embargo asked for, not left": lambda s, d: replace(s, embargo=timedelta(days=15)),
    "one row of the evaluation too early": lambda s, d: _moved(
        s, _some(s.evaluation, 1, d), s.frame["as_of"][s.training].max() + timedelta(days=13)),
    "evaluation before the training": lambda s, d: replace(
        s, training=s.evaluation, evaluation=s.training),
    "rows split at random": _random_rows,
    "labels read before they were over": lambda s, d: replace(
        s, known_as_of=EVALUATION[1] + HORIZON - timedelta(hours=1)),
    "a microsecond": lambda s, d: _moved(
        s, _some(s.training, 40, d), EVALUATION[0] - HORIZON + MICROSECOND),
    "one row in twenty too late": lambda s, d: _moved(
        s, _some(s.training, int(s.training.sum()) // 20, d), EVALUATION[0] - timedelta(days=3)),
    "customers split, same times": lambda s, d: replace(by_entity(s), by="time"),
}  # fmt: skip

# ---------------------------------------------------------------- entities in both folds


def by_entity(train_set: TrainingSet) -> TrainingSet:
    """Split by customer, all times on both sides."""
    training = pd.util.hash_pandas_object(train_set.frame["customer_id"], index=False) % 10 < 6
    return replace(train_set, training=training.to_numpy(), evaluation=~training.to_numpy(),
                   by="entity")  # fmt: skip


def _written(change: Callable[[str], str], customers: int = 8) -> Spoil:
    """Some training customers judge as well, under ids written in another way."""

    def spoil(train_set: TrainingSet, draw: Draw) -> TrainingSet:
        names = train_set.frame["customer_id"]
        chosen = draw.permutation(names[train_set.training].unique())[:customers]
        # their last row goes to the other fold
        last = names[names.isin(chosen)].drop_duplicates(keep="last").index
        training, evaluation = train_set.training.copy(), train_set.evaluation.copy()
        training[last], evaluation[last] = False, True
        ids = names.astype(object).copy()
        ids[last] = [change(name) for name in names[last]]
        frame = train_set.frame.assign(customer_id=ids.astype("str"))
        return replace(train_set, frame=frame, training=training, evaluation=evaluation)

    return spoil


def _copies(count: int, change: bool) -> Spoil:
    """Training rows once more in the evaluation, as somebody else; perhaps a column changed."""

    def spoil(train_set: TrainingSet, draw: Draw) -> TrainingSet:
        rows = train_set.frame[_some(train_set.training, count, draw)].copy()
        label = train_set.label[rows.index]
        rows["customer_id"] = [f"C{9000 + i}" for i in range(len(rows))]
        if change:
            rows["usage_scaled"] = rows["usage_scaled"].round(1)
        size = len(rows)
        return replace(
            train_set, frame=pd.concat([train_set.frame, rows], ignore_index=True),
            label=np.concatenate([train_set.label, label]),
            training=np.append(train_set.training, np.zeros(size, dtype=bool)),
            evaluation=np.append(train_set.evaluation, np.ones(size, dtype=bool)),
        )  # fmt: skip

    return spoil


def _households(written: bool) -> Spoil:
    """Two customers a household; split by customer where it should be by household."""

    def spoil(train_set: TrainingSet, draw: Draw) -> TrainingSet:
        digits = train_set.frame["customer_id"].str[1:].astype(int) // 2
        names = "House " + digits.astype("str")
        if written:
            odd = train_set.frame["customer_id"].str[1:].astype(int) % 2 == 1
            names = names.where(~odd, names.str.upper().str.replace(" ", "-0"))
        frame = train_set.frame.assign(household=names)
        return replace(train_set, frame=frame, apart=("household",))

    return spoil


def _same_rows(train_set: TrainingSet, draw: Draw) -> TrainingSet:
    both = _some(train_set.evaluation, 12, draw)
    return replace(train_set, training=train_set.training | both)


ENTITIES: dict[str, Spoil] = {
    "rows split at random": _random_rows,
    "one customer in both": _written(lambda name: name, 1),
    "in small letters": _written(str.lower),
    "with a space": _written(lambda name: name + " "),
    "with zeros": _written(lambda name: name[0] + "00" + name[1:]),
    "made a float": _written(lambda name: name + ".0"),
    "copies under new ids": _copies(60, change=False),
    "ten copies": _copies(10, change=False),
    "households split": _households(written=False),
    "households written in two ways": _households(written=True),
    "same T, same customer, twelve rows": _same_rows,
    "with a sign": _written(lambda name: f"{name[0]}-{name[1:]}"),
}

# ---------------------------------------------------------------- order of ids


def _sorted(column: str | None) -> Spoil:
    def spoil(train_set: TrainingSet, draw: Draw) -> TrainingSet:
        noise = 0.15 if column else 0.3
        order = np.argsort(
            train_set.label + draw.normal(0, noise, len(train_set.label)), kind="stable"
        )
        frame = train_set.frame.iloc[order].reset_index(drop=True)
        if column:
            frame[column] = np.arange(len(frame))
        parts = {n: getattr(train_set, n)[order] for n in ("label", "training", "evaluation")}
        return replace(train_set, frame=frame, **parts)

    return spoil


def _renumbered(write: Callable[[int, bool, Draw], str], noise: float) -> Spoil:
    """Customers get new ids in the order of their outcomes."""

    def spoil(train_set: TrainingSet, draw: Draw) -> TrainingSet:
        rate = pd.Series(train_set.label).groupby(train_set.frame["customer_id"].to_numpy()).mean()
        order = (rate + draw.normal(0, noise, len(rate))).sort_values().index
        some = rate.reindex(order) > rate.median()
        new = {old: write(at, bool(some[old]), draw) for at, old in enumerate(order)}
        return replace(train_set, frame=train_set.frame.assign(
            customer_id=train_set.frame["customer_id"].map(new)))  # fmt: skip

    return spoil


def _cases(train_set: TrainingSet, draw: Draw) -> TrainingSet:
    order = np.argsort(np.argsort(train_set.label + draw.normal(0, 0.2, len(train_set.label))))
    frame = train_set.frame.assign(case_id=[f"case-{at}" for at in order])
    return replace(train_set, frame=frame, identifiers=("customer_id", "case_id"))


def _odd(at: int, some: bool, draw: Draw) -> str:
    return f"C{2 * at + 2000 + (some != (draw.random() < 0.1))}"


def _prefix(at: int, some: bool, draw: Draw) -> str:
    return f"{'M' if some and draw.random() < 0.7 else 'C'}{draw.integers(10**8, 10**9)}"


ORDERS: dict[str, Spoil] = {
    "set sorted by outcome": _sorted(None),
    "row number of a sorted set": _sorted("row_number"),
    "ids given by outcome": _renumbered(lambda at, some, draw: f"C{1000 + at}", 0.3),
    "letters for those with the outcome": _renumbered(_prefix, 5.0),
    "odd for those with the outcome": _renumbered(_odd, 5.0),
    "cases numbered by outcome": _cases,
}
