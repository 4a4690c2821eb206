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
    given = finish(spine, honest(draw, tables)(spine, tables))
    if kind == "label overlap":
        name, spoil = list(OVERLAPS.items())[number]
        return Case(kind, name, "label" if "read" in name else "as_of", spoil(given, draw))
    if kind == "entity across folds":
        name, spoil = list(ENTITIES.items())[number]
        spoilt = spoil(given if "same T" in name else by_entity(given), draw)
        also = ("as_of",) if "same T" in name else ()
        return Case(kind, name, (spoilt.apart or ("customer_id",))[0], spoilt, also)
    if kind == "order of ids":
        name, spoil = list(ORDERS.items())[number - 6]
        columns = {"set sorted by outcome": "(row order)", "cases numbered by outcome": "case_id",
                   "row number of a sorted set": "row_number"}  # fmt: skip
        return Case(kind, name, columns.get(name, "customer_id"), spoil(given, draw),
                    ("(row order)",) if "row number" in name else ())  # fmt: skip
    table = "orders" if kind == "later event" else "usage"
    rows = visible_rows(
        spine, tables, Flaw(table, born=timedelta(days=3), recorded=timedelta(days=30))
    )  # fmt: skip
    if kind == "event against recorded time":
        name, share = (("last_recorded_at", 1.0), ("usage_loaded_at", 0.3),
                       ("usage_ingested_at", 0.1))[number - 10]  # fmt: skip
        rows = rows[rows["at"] < rows["as_of"]]
        kept = rows.iloc[draw.permutation(len(rows))[: int(len(rows) * share)]]
        kept = kept.sort_values("recorded_at")
        found = kept.groupby(["customer_id", "as_of"])["recorded_at"].agg("last")
        return Case(kind, f"{name} after T", name, _with(given, name, _aligned(found, spine)))
    y = given.label
    name = ("tickets_nearby", "escalated", "last_order_at")[number - 10]
    if name == "last_order_at":
        found = rows.groupby(["customer_id", "as_of"])["at"].max()
        return Case(kind, "last order within 3 days after T", name,
                    _with(given, name, _aligned(found, spine)))  # fmt: skip
    if name == "tickets_nearby":
        noisy = y * 1.0 + draw.normal(0, 0.28, len(y))
        return Case(kind, "a count that the outcome is part of", name, _with(given, name, noisy))
    flag = ((y > 0) & (draw.random(len(y)) < 0.4)).astype(float)
    return Case(kind, "a flag set after the outcome, of 40 % of them", name,
                _with(given, name, flag))  # fmt: skip


def _aligned(found: pd.Series, spine: pd.DataFrame) -> pd.Series:
    key = pd.MultiIndex.from_frame(spine[["customer_id", "as_of"]])
    return pd.Series(found.reindex(key).to_numpy())


def _with(given: TrainingSet, name: str, values: object) -> TrainingSet:
    return replace(given, frame=given.frame.assign(**{name: values}))


def _moved(given: TrainingSet, rows: np.ndarray, as_of: object) -> TrainingSet:
    times = given.frame["as_of"].copy()
    times[rows] = pd.Timestamp(as_of)
    return replace(given, frame=given.frame.assign(as_of=times))


def _some(rows: np.ndarray, count: int, draw: Draw) -> np.ndarray:
    chosen = np.zeros(len(rows), dtype=bool)
    chosen[draw.permutation(np.flatnonzero(rows))[:count]] = True
    return chosen


# ---------------------------------------------------------------- label overlap


def _random_rows(given: TrainingSet, draw: Draw) -> TrainingSet:
    training = draw.random(len(given.frame)) < 0.6
    return replace(given, training=training, evaluation=~training)


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


def by_entity(given: TrainingSet) -> TrainingSet:
    """Split by customer, all times on both sides."""
    training = pd.util.hash_pandas_object(given.frame["customer_id"], index=False) % 10 < 6
    return replace(given, training=training.to_numpy(), evaluation=~training.to_numpy(),
                   by="entity")  # fmt: skip


def _written(change: Callable[[str], str], customers: int = 8) -> Spoil:
    """Some training customers judge as well, under ids written in another way."""

    def spoil(given: TrainingSet, draw: Draw) -> TrainingSet:
        names = given.frame["customer_id"]
        found = draw.permutation(names[given.training].unique())[:customers]
        # their last row goes to the other fold
        last = names[names.isin(found)].drop_duplicates(keep="last").index
        training, evaluation = given.training.copy(), given.evaluation.copy()
        training[last], evaluation[last] = False, True
        ids = names.astype(object).copy()
        ids[last] = [change(name) for name in names[last]]
        frame = given.frame.assign(customer_id=ids.astype("str"))
        return replace(given, frame=frame, training=training, evaluation=evaluation)

    return spoil


def _copies(count: int, change: bool) -> Spoil:
    """Training rows once more in the evaluation, as somebody else; perhaps a column changed."""

    def spoil(given: TrainingSet, draw: Draw) -> TrainingSet:
        rows = given.frame[_some(given.training, count, draw)].copy()
        label = given.label[rows.index]
        rows["customer_id"] = [f"C{9000 + i}" for i in range(len(rows))]
        if change:
            rows["usage_scaled"] = rows["usage_scaled"].round(1)
        size = len(rows)
        return replace(
            given, frame=pd.concat([given.frame, rows], ignore_index=True),
            label=np.concatenate([given.label, label]),
            training=np.append(given.training, np.zeros(size, dtype=bool)),
            evaluation=np.append(given.evaluation, np.ones(size, dtype=bool)),
        )  # fmt: skip

    return spoil


def _households(written: bool) -> Spoil:
    """Two customers a household; split by customer where it should be by household."""

    def spoil(given: TrainingSet, draw: Draw) -> TrainingSet:
        digits = given.frame["customer_id"].str[1:].astype(int) // 2
        names = "House " + digits.astype("str")
        if written:
            odd = given.frame["customer_id"].str[1:].astype(int) % 2 == 1
            names = names.where(~odd, names.str.upper().str.replace(" ", "-0"))
        frame = given.frame.assign(household=names)
        return replace(given, frame=frame, apart=("household",))

    return spoil


def _same_rows(given: TrainingSet, draw: Draw) -> TrainingSet:
    both = _some(given.evaluation, 12, draw)
    return replace(given, training=given.training | both)


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
    def spoil(given: TrainingSet, draw: Draw) -> TrainingSet:
        noise = 0.15 if column else 0.3
        order = np.argsort(given.label + draw.normal(0, noise, len(given.label)), kind="stable")
        frame = given.frame.iloc[order].reset_index(drop=True)
        if column:
            frame[column] = np.arange(len(frame))
        parts = {n: getattr(given, n)[order] for n in ("label", "training", "evaluation")}
        return replace(given, frame=frame, **parts)

    return spoil


def _renumbered(write: Callable[[int, bool, Draw], str], noise: float) -> Spoil:
    """Customers get new ids in the order of their outcomes."""

    def spoil(given: TrainingSet, draw: Draw) -> TrainingSet:
        rate = pd.Series(given.label).groupby(given.frame["customer_id"].to_numpy()).mean()
        order = (rate + draw.normal(0, noise, len(rate))).sort_values().index
        some = rate.reindex(order) > rate.median()
        new = {old: write(at, bool(some[old]), draw) for at, old in enumerate(order)}
        return replace(given, frame=given.frame.assign(
            customer_id=given.frame["customer_id"].map(new)))  # fmt: skip

    return spoil


def _cases(given: TrainingSet, draw: Draw) -> TrainingSet:
    order = np.argsort(np.argsort(given.label + draw.normal(0, 0.2, len(given.label))))
    frame = given.frame.assign(case_id=[f"case-{at}" for at in order])
    return replace(given, frame=frame, identifiers=("customer_id", "case_id"))


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
