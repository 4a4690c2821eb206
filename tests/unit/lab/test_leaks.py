"""Planted leaks are caught and named, clean sets accused of nothing; a few of each kind.

The hundred of eight kinds and the twenty clean sets: ``python -m benchmarks.leaks``.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data.contract import TABLES
from data.errors import DataError
from data.tables import MemoryTables
from features.asof import as_of_view
from lab import planted, planted_world
from lab.finished import TrainingSet, audit_set, cleaned
from lab.fitted import confession
from lab.futures import futures, shuffled_ids
from lab.leaks import KINDS, audit

FEW = {
    "later event": (1, 11), "edited status": (12,), "current attribute": (3,),
    "encoder fitted on everything": (0, 8), "label overlap": (1, 9), "entity across folds": (4, 7),
    "event against recorded time": (0, 11), "order of ids": (1, 8),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "number"), [(k, n) for k, ns in FEW.items() for n in ns])
def test_a_planted_leak_is_caught(kind: str, number: int) -> None:
    case = planted.planted(kind, number)
    found = audit_set(case.finished)
    if case.make is not None:
        few = case.spine.iloc[::3].reset_index(drop=True)
        found += audit(case.make, few, case.tables)
    assert {a.column for a in found} == {case.column}, (case.name, list(map(str, found)))
    assert {a.kind for a in found} & {kind, "knows the outcome"}, case.name
    assert all(a.remedy and str(a).startswith(case.column) for a in found)


@pytest.mark.parametrize("number", [0])
def test_a_clean_set_is_accused_of_nothing(number: int) -> None:
    case = planted.clean(number)
    few = case.spine.iloc[::3].reset_index(drop=True)
    alarms = [*audit(case.make, few, case.tables), *audit_set(case.finished)]
    assert not alarms, list(map(str, alarms))


def test_the_example_of_the_documentation_raises_its_alarm(
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "leaks.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    tables, spine = planted_world.world(3)
    exec(example, {"spine": spine.head(200), "tables": tables})  # noqa: S102
    assert "days_since_delivery: edited status: customer " in capsys.readouterr().out


def test_an_alarm_shows_who_when_and_both_values() -> None:
    orders = pd.DataFrame(
        {"order_id": ["1", "2"], "customer_id": ["a", "a"],
         "ordered_at": ["2026-01-01", "2026-01-03"]}
    )  # fmt: skip
    spine = pd.DataFrame({"customer_id": ["a"], "as_of": pd.to_datetime(["2026-01-03"])})

    def at_most(spine: pd.DataFrame, tables: MemoryTables) -> pd.DataFrame:
        rows = tables.frame("orders").merge(spine, on="customer_id")
        return pd.DataFrame({"orders": [float((rows["ordered_at"] <= rows["as_of"]).sum())]})

    first, *_ = audit(at_most, spine, MemoryTables({"orders": orders}))
    assert (first.kind, first.column, first.customer_id) == ("later event", "orders", "a")
    assert (first.as_of, first.value, first.without) == (datetime(2026, 1, 3), 2.0, 1.0)


def test_worlds_with_another_future_have_the_same_past() -> None:
    """By the rule of time, whose code the worlds do not use: every table as of T, to the cell."""
    tables, _ = planted_world.world(3)
    t = planted_world.EVALUATION[0]
    before = {name: as_of_view(tables, name, t) for name in tables.names}
    for future in futures(tables, t, seed=5):
        changed = False
        for name, view in before.items():
            other = as_of_view(future.tables, name, t)
            key = list(TABLES[name].key)
            left, right = (v.sort_values(key).reset_index(drop=True) for v in (view, other))
            pd.testing.assert_frame_equal(left, right, obj=f"{name} {future.change}")
            changed |= not tables.frame(name).equals(future.tables.frame(name))
        assert changed, f"{future.change}: nothing differs at all"


def test_shuffled_ids_keep_who_did_what() -> None:
    tables, spine = planted_world.world(3)
    other, renamed = shuffled_ids(tables, spine, seed=2)
    assert set(renamed["customer_id"]) == set(spine["customer_id"])
    counts = [t.frame("orders").groupby("customer_id").size() for t in (tables, other)]
    new = dict(zip(spine["customer_id"], renamed["customer_id"], strict=True))
    for old in list(new)[:40]:
        assert counts[0].get(old, 0) == counts[1].get(new[old], 0)
    assert sum(old != new_id for old, new_id in new.items()) > 100


def test_a_function_that_gives_other_values_each_time_is_refused() -> None:
    draw = np.random.default_rng(0)
    spine = pd.DataFrame({"customer_id": ["a"], "as_of": pd.to_datetime(["2026-01-03"])})
    tables = MemoryTables({})
    with pytest.raises(DataError, match="run again"):
        audit(lambda s, t: pd.DataFrame({"x": draw.random(len(s))}), spine, tables)
    with pytest.raises(DataError, match="made 0 rows for 1"):
        audit(lambda s, t: pd.DataFrame({"x": []}), spine, tables)


def finished(**changes: Any) -> TrainingSet:
    """Two customers at two times, as far apart as their labels are long."""
    frame = pd.DataFrame({
        "customer_id": ["a", "b", "a", "b"], "x": [1.0, 2.0, 3.0, 4.0],
        "as_of": pd.to_datetime(["2026-01-01", "2026-01-01", "2026-01-08", "2026-01-08"]),
    })  # fmt: skip
    judged = np.array([False, False, True, True])
    given: dict[str, Any] = {
        "frame": frame, "label": np.array([0, 1, 1, 0]), "training": ~judged, "evaluation": judged,
        "horizon": timedelta(days=7), **changes,
    }  # fmt: skip
    return TrainingSet(**given)


def test_a_label_may_end_when_the_evaluation_begins_and_not_a_microsecond_later() -> None:
    tick = timedelta(microseconds=1)
    assert audit_set(finished()) == []
    for wrong in (
        {"horizon": timedelta(days=7) + tick}, {"gap": tick}, {"embargo": tick},
        {"known_as_of": datetime(2026, 1, 15) - tick},
    ):  # fmt: skip
        assert [a.kind for a in audit_set(finished(**wrong))] == ["label overlap"], wrong
    assert audit_set(finished(known_as_of=datetime(2026, 1, 15))) == []


def test_customers_may_be_in_both_folds_of_a_split_by_time_only() -> None:
    assert audit_set(finished(by="time")) == []
    (alarm,) = audit_set(finished(by="entity"))
    assert alarm.kind == "entity across folds" and "2 in both folds" in alarm.evidence


def test_a_set_that_does_not_fit_together_is_refused() -> None:
    with pytest.raises(DataError, match="no column 'household'"):
        finished(apart=("household",))
    with pytest.raises(DataError, match="label has 1 values for 4 rows"):
        finished(label=np.array([1]))
    with pytest.raises(DataError, match='"time" or by "entity"'):
        finished(by="customer")


def test_ids_that_differ_are_not_made_equal() -> None:
    ids = pd.Series(["C10", "C1", "C01", "10", "1O", "C1-0", "a@b.de", "ab.de"])
    assert cleaned(ids).nunique() == 6  # C1 and C01; C10 and C1-0


@pytest.mark.parametrize("word", ["scaled", "ranked", "filled", "encoded", "counted", "stretched"])
def test_a_fit_on_all_rows_confesses_and_one_on_training_rows_does_not(word: str) -> None:
    draw = np.random.default_rng(4)
    x = pd.Series(draw.gamma(2.0, 3.0, 400))
    group = pd.Series(
        draw.choice(list("abcdefgh"), 400, p=[0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.06, 0.04])
    )
    y = (draw.random(400) < 0.3).astype(float)
    training = np.arange(400) < 250
    x[399], x[398] = 90.0, 0.001

    def fit(rows: np.ndarray) -> pd.Series:
        if word == "scaled":
            return (x - x[rows].mean()) / x[rows].std()
        if word == "ranked":
            return pd.Series(np.searchsorted(np.sort(x[rows]), x, "right") / rows.sum())
        if word == "filled":
            return x.mask(x.index % 7 == 0).fillna(x[rows & (x.index % 7 != 0)].mean())
        if word == "encoded":
            return group.map(pd.Series(y)[rows].groupby(group[rows]).mean())
        if word == "counted":
            return group.map(group[rows].value_counts()).astype(float)
        return (x - x[rows].min()) / (x[rows].max() - x[rows].min())

    assert confession(fit(np.ones(400, dtype=bool)), y, training) is not None
    assert confession(fit(training), y, training) is None


def test_every_kind_has_a_remedy() -> None:
    assert set(planted.KINDS) < set(KINDS) and sum(planted.KINDS.values()) == 100
