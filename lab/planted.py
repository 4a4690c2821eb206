"""Training sets with a leak that was planted, and clean ones: random companies, made by code.

A planted feature is an honest one with a single flaw: the rule of time with one condition missing,
an encoder that saw the evaluation, a split that lets something through. It is planted only if it
changes the set: some value differs from that of its honest twin. ``planted(kind, number)`` and
``clean(number)`` are deterministic.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from data.tables import Tables
from lab.planted_sets import planted_set
from lab.planted_world import (
    HORIZON,
    Case,
    Draw,
    Flaw,
    Make,
    attribute,
    digits,
    finish,
    honest,
    signed_up,
    visible_rows,
    window,
    world,
)

KINDS = {
    "later event": 13, "edited status": 13, "current attribute": 12,
    "encoder fitted on everything": 13, "label overlap": 12, "entity across folds": 12,
    "event against recorded time": 13, "order of ids": 12,
}  # fmt: skip
"""How many of each kind make a hundred."""


VALUES = {
    "orders": ("amount", "quantity"), "tickets": ("handle_seconds",),
    "usage": ("duration_seconds", "errors"), "bot_sessions": (), "feedback": ("rating",),
}  # fmt: skip
FILTERS = {
    "orders": ("carrier", "dhl"), "tickets": ("topic", "billing"), "usage": ("feature", "export"),
    "bot_sessions": ("topic", "howto"), "feedback": ("kind", "survey"),
}  # fmt: skip
WINDOWS = (7, 14, 28, 90, None)


def one_of(draw: Draw, options: Any) -> Any:
    return options[int(draw.integers(len(options)))]


def counted(draw: Draw, flaw: Flaw) -> tuple[str, Make]:
    """Some aggregate of the rows that a flawed rule leaves, as a column named after it."""
    hows = ["count", "count", "since last", "all count"]
    hows += [h for h in ("sum", "mean", "max") if VALUES[flaw.table]]
    how = one_of(draw, hows)
    value = one_of(draw, VALUES[flaw.table]) if how in ("sum", "mean", "max") else ""
    if value == "handle_seconds":  # a fact: of another kind
        how, value = "count", ""
    days = one_of(draw, WINDOWS)
    return _column(flaw, days, how, value)


def _column(flaw: Flaw, days: float | None, how: str, value: str) -> tuple[str, Make]:
    name = f"{flaw.table}_{value + '_' if value else ''}{how.replace(' ', '_')}_{days or 'ever'}"

    def make(spine: pd.DataFrame, tables: Tables) -> pd.DataFrame:
        return pd.DataFrame(
            {name: window(spine, visible_rows(spine, tables, flaw), days, how, value)}
        )

    return name, make


Twins = tuple[str, tuple[str, Make], tuple[str, Make]]
"""What is wrong, the function with its column, and its honest twin."""


def later_event(draw: Draw, number: int) -> Twins:
    table = one_of(draw, list(VALUES))
    flaws: dict[str, dict[str, Any]] = {
        "an hour of the future": {"born": timedelta(hours=1)},
        "events at T itself": {"at_t": True},
        "the whole day of T": {"whole_day": True},
        "a day of the future": {"born": timedelta(days=1)},
        "a week of the future": {"born": timedelta(days=7)},
        "the label's window": {"born": HORIZON},
        "all of the future": {"born": timedelta(days=999)},
        "a week, for every 20th customer": {"born": timedelta(days=7), "few": 20},
    }
    word = list(flaws)[number % len(flaws)]
    if word in ("an hour of the future", "events at T itself"):
        table = one_of(draw, ["orders", "usage", "tickets"])
    only = FILTERS[table] if draw.random() < 0.3 and "20th" not in word else None
    flaw = Flaw(table, only=only, **flaws[word])
    return word, *_twins(draw, flaw)


def _twins(draw: Draw, flaw: Flaw) -> tuple[tuple[str, Make], tuple[str, Make]]:
    seed = int(draw.integers(1 << 30))
    return (
        counted(np.random.default_rng(seed), flaw),
        counted(np.random.default_rng(seed), flaw.honest),
    )


def recorded_later(draw: Draw, number: int) -> Twins:
    slack = one_of(draw, [6, 24, 72, 240, 9999])
    few = 15 if number % 5 == 4 else 0
    table = one_of(draw, list(VALUES)) if not few else one_of(draw, ["orders", "usage"])
    flaw = Flaw(table, recorded=timedelta(hours=slack), few=few)
    return f"{table} recorded up to {slack} h later", *_twins(draw, flaw)


EDITED = (
    ("orders", "missing", "delivered_at"), ("tickets", "mean", "csat"),
    ("tickets", "mean", "handle_seconds"), ("tickets", "missing", "resolved_at"),
    ("orders", "days between", "delivered_at"), ("orders", "missing", "cancelled_at"),
    ("bot_sessions", "mean", "contained"), ("tickets", "days between", "resolved_at"),
    ("bot_sessions", "missing", "handed_over_at"), ("orders", "missing", "returned_at"),
)  # fmt: skip


def edited_status(draw: Draw, number: int) -> Twins:
    if number < len(EDITED):
        table, how, value = EDITED[number]
        flaw, word = Flaw(table, facts=True), f"{value} before its time"
        if number % 3 == 2:
            flaw = replace(flaw, only=FILTERS[table])
    else:
        table = "orders"
        how, value = one_of(draw, [("sum", "amount"), ("mean", "amount"), ("count", "")])
        flaw, word = Flaw(table, versions=True), f"{how} of orders as corrected later"
    days = one_of(draw, (14, 28, 90))
    return word, _column(flaw, days, how, value), _column(flaw.honest, days, how, value)


def current_attribute(draw: Draw, number: int) -> Twins:
    column = ("region", "segment", "plan", "platform", "language", "preferred_channel",
              "value")[number % 7]  # fmt: skip
    shape = ("itself", "is changed", "rate")[number % 3]
    slack = one_of(draw, [timedelta(days=1), timedelta(days=10), timedelta(days=999)])
    few = 15 if number % 4 == 3 else 0

    def twin(flaw: Flaw) -> tuple[str, Make]:
        name = f"customer_{column}_{shape.replace(' ', '_')}"

        def make(spine: pd.DataFrame, tables: Tables) -> pd.DataFrame:
            values = attribute(spine, tables, column, flaw)
            if shape == "is changed":
                first = tables.frame("customers").sort_values("recorded_at", kind="stable")
                first = first.drop_duplicates("customer_id").set_index("customer_id")[column]
                values = (values != spine["customer_id"].map(first)).astype(float)
            elif shape == "rate":
                values = values.map({v: sum(map(ord, str(v))) for v in values.dropna().unique()})
            return pd.DataFrame({name: values})

        return name, make

    flaw = Flaw("customers", recorded=slack, few=few)
    return f"{column} ({shape}) of up to {slack} later", twin(flaw), twin(flaw.honest)


def encoder(draw: Draw, number: int) -> Twins:
    """Encoders and scalers, fitted on all rows or on those that train."""
    words = (
        "share of the outcome per region", "standardised", "share in the other rows",
        "better of two columns", "mean for the missing", "principal component",
        "rows per category", "stretched to 0..1", "smoothed share per language and plan",
        "rank among all", "log odds per language and plan", "bins equally full", "centred",
    )  # fmt: skip
    word = words[number % len(words)]
    days = one_of(draw, (28, 90))

    def twin(everything: bool) -> tuple[str, Make]:
        def make(spine: pd.DataFrame, tables: Tables) -> pd.DataFrame:
            train = (spine["fold"] == "training").to_numpy()
            fit = np.ones(len(spine), dtype=bool) if everything else train
            values = encoded(word, spine, tables, fit, days)
            return pd.DataFrame({"encoded": values.to_numpy(dtype=float)})

        return "encoded", make

    return word, twin(True), twin(False)


def encoded(
    word: str, spine: pd.DataFrame, tables: Tables, fit: np.ndarray, days: float
) -> pd.Series:
    y = spine["label"].astype(float)
    x = window(spine, visible_rows(spine, tables, Flaw("orders")), days, "sum", "amount")
    if word in ("standardised", "centred"):
        scale = x[fit].std() if word == "standardised" else 1.0
        return (x - x[fit].mean()) / scale
    if word == "stretched to 0..1":
        return (x - x[fit].min()) / (x[fit].max() - x[fit].min())
    if word == "rank among all":
        return pd.Series(np.searchsorted(np.sort(x[fit]), x, "right") / fit.sum(), index=x.index)
    if word == "mean for the missing":
        mean = window(spine, visible_rows(spine, tables, Flaw("feedback")), days, "mean", "rating")
        since = window(spine, visible_rows(spine, tables, Flaw("feedback")), days, "since last", "")
        return (mean + since / 100).fillna((mean + since / 100)[fit].mean())
    if word == "bins equally full":
        noise = signed_up(spine, tables)
        edges = noise[fit].quantile(np.linspace(0, 1, 11)[1:-1]).to_numpy()
        return pd.Series(np.searchsorted(edges, noise), index=x.index).astype(float)
    if word == "principal component":
        z = window(spine, visible_rows(spine, tables, Flaw("usage")), days, "count", "")
        both = np.column_stack([x, z])
        centred = both - both[fit].mean(axis=0)
        centred = centred / centred[fit].std(axis=0)
        *_, axes = np.linalg.svd(centred[fit], full_matrices=False)
        return pd.Series(centred @ (axes[0] * np.sign(axes[0][0])), index=x.index)
    if word == "better of two columns":
        z = window(spine, visible_rows(spine, tables, Flaw("tickets")), days, "count", "")
        correlations = [abs(np.corrcoef(c[fit], y[fit])[0, 1]) for c in (x, z)]
        return (x if correlations[0] > correlations[1] else z) * round(max(correlations), 6)
    group = attribute(spine, tables, "region").astype("str")
    if "language" in word or word == "rows per category":
        plan = attribute(spine, tables, "plan").astype("str")
        group = attribute(spine, tables, "language").astype("str") + plan
    rows = pd.DataFrame({"g": group[fit], "y": y[fit]}).groupby("g")["y"]
    n, s = group.map(rows.size()).astype(float), group.map(rows.sum())
    prior = y[fit].mean()
    if word == "smoothed share per language and plan":
        return (s + 20 * prior) / (n + 20)
    if word == "rows per category":
        return n
    if word.startswith("log odds"):
        return np.log((s + 0.5) / (n - s + 0.5))
    if word == "share in the other rows":
        return ((s - y) / (n - 1)).where(fit, s / n)
    return s / n


def order_of_ids(draw: Draw, number: int) -> Twins:
    words = ("number in the id", "parity of the id", "place in the file", "rank of the id",
             "number of the last order", "row of the spine")  # fmt: skip
    word = words[number % len(words)]

    def twin(leaky: bool) -> tuple[str, Make]:
        def make(spine: pd.DataFrame, tables: Tables) -> pd.DataFrame:
            number_of = spine["customer_id"].map(digits)
            position = {
                "number in the id": lambda: number_of,
                "parity of the id": lambda: number_of % 2,
                "rank of the id": lambda: spine["customer_id"].rank(),
                "row of the spine": lambda: pd.Series(np.arange(len(spine))),
                "place in the file": lambda: spine["customer_id"].map(
                    tables.frame("customers").reset_index().groupby("customer_id")["index"].min()
                ),
                "number of the last order": lambda: window(
                    spine, _numbered(visible_rows(spine, tables, ORDERS)), 28, "last", "number"
                ),
            }[word]()  # fmt: skip
            return pd.DataFrame({"position": position.astype(float) if leaky else 0.0 * number_of})

        return "position", make

    return word, twin(True), twin(False)


def _numbered(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(number=rows["order_id"].map(digits).astype(float))


ORDERS = Flaw("orders")

RECOMPUTED: dict[str, Any] = {
    "later event": (later_event, 10), "edited status": (edited_status, 13),
    "current attribute": (current_attribute, 12), "encoder fitted on everything": (encoder, 13),
    "event against recorded time": (recorded_later, 10), "order of ids": (order_of_ids, 6),
}  # fmt: skip
"""Kinds of which so many are functions that can be run again; the rest are finished sets."""


def planted(kind: str, number: int) -> Case:
    """The leak of that number (from 0) and kind."""
    place = list(KINDS).index(kind)
    if kind not in RECOMPUTED or number >= RECOMPUTED[kind][1]:
        return planted_set(kind, number, np.random.default_rng([7, place, number]))
    for attempt in range(50):
        draw = np.random.default_rng([place, number, attempt])
        tables, spine = world(int(draw.integers(12)))
        word, (column, leaky), (_, clean_twin) = RECOMPUTED[kind][0](draw, number)
        values, twin = leaky(spine, tables)[column], clean_twin(spine, tables)[column]
        same = (values == twin) | (values.isna() & twin.isna())
        if bool(same.all()):
            continue
        rest = honest(draw, tables)
        make = _beside(rest, leaky)
        case = Case(kind, word, column, finish(spine, make(spine, tables)), (), make, spine, tables)
        # a finished encoder is audited as what it is: a table
        return replace(case, make=None) if kind.startswith("encoder") and number >= 8 else case
    raise RuntimeError(f"{kind} {number}: no company in which this changes a value")


def _beside(rest: Make, planted: Make) -> Make:
    def make(spine: pd.DataFrame, tables: Tables) -> pd.DataFrame:
        frame = rest(spine, tables)
        return pd.concat([frame, planted(spine, tables).set_axis(frame.index)], axis=1)

    return make


def clean(number: int) -> Case:
    """A set without a leak: honest counterparts of what is planted, all at once."""
    draw = np.random.default_rng([99, number])
    tables, spine = world(100 + number)
    parts = [honest(draw, tables, 12)]
    for kind in ("later event", "edited status", "current attribute", "event against recorded time",
                 "encoder fitted on everything"):  # fmt: skip
        _, _, (name, twin) = RECOMPUTED[kind][0](draw, int(draw.integers(13)))
        parts.append(_renamed(twin, name, f"{name}_{len(parts)}"))

    def make(spine: pd.DataFrame, tables: Tables) -> pd.DataFrame:
        columns = [part(spine, tables).reset_index(drop=True) for part in parts]
        return pd.concat(columns, axis=1)

    return Case(
        "", f"clean {number}", "", finish(spine, make(spine, tables)), (), make, spine, tables
    )


def _renamed(make: Make, old: str, new: str) -> Make:
    return lambda spine, tables: make(spine, tables).rename(columns={old: new})
