"""The decay benchmark: one model, older week by week, judged on what it had not seen."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from benchmarks.risk_decay import WEEK, Case, aged, lines
from data.settings import Settings
from data.simulate import Company
from data.tables import MemoryTables
from models.risk.settings import RiskSettings
from models.risk.trees import TreeSettings

QUICK = RiskSettings(
    trees=TreeSettings(learning_rate=0.1, num_leaves=7, rounds=(40,)), penalties=(300.0,), slices=1
)
WEEKS = 6


@pytest.fixture(scope="module")
def case() -> Case:
    company = Company(customers=700, days=230, seed=6, hazard_every=0)
    while company.day < company.days:
        company.step()
    return Case("small", MemoryTables(company.tables()), Settings(), 14, company.now)


@pytest.fixture(scope="module")
def frame(case: Case) -> pd.DataFrame:
    return aged(case, WEEKS, settings=QUICK, say=False)


def test_each_week_is_judged_by_one_model_on_complete_labels(
    case: Case, frame: pd.DataFrame
) -> None:
    assert sorted(frame["weeks_old"].unique()) == list(range(1, WEEKS + 1))
    assert frame["label"].notna().all()
    learned_at = case.known_as_of - timedelta(days=14) - WEEK * WEEKS
    assert (frame["as_of"] == learned_at + frame["weeks_old"] * pd.Timedelta(WEEK)).all()

    # nothing after the moment of learning has a say in the first week's scores but that week
    tickets = case.tables.frame("tickets")
    later = learned_at + WEEK
    cut = {name: case.tables.frame(name) for name in case.tables.names}
    moved = tickets["opened_at"] >= later
    cut["tickets"] = tickets[~moved]
    other = Case("cut", MemoryTables(cut), Settings(), 14, case.known_as_of)
    again = aged(other, WEEKS, settings=QUICK, say=False)
    first, same = (f[f["weeks_old"] == 1] for f in (frame, again))
    np.testing.assert_array_equal(first["risk"], same["risk"])
    assert first["label"].sum() > same["label"].sum() == 0


def test_the_lines_tell_each_span_with_interval_and_baselines(
    case: Case, frame: pd.DataFrame
) -> None:
    fresh = [aged(case, WEEKS, settings=QUICK, trained_weeks=at, say=False) for at in (0, 2, 4)]
    told = lines("small", frame, fresh)
    assert [line[1] for line in told] == ["1 to 2", "3 to 4", "5 to 8"]
    assert sum(int(line[2]) for line in told) == len(frame)
    for line in told:
        estimate, low, high = (float(x) for x in line[4].replace("(", "").replace(")", "")
                               .replace(",", "").split())  # fmt: skip
        assert 0 < low <= estimate <= high < 1
    assert told[0][-1] == "+0.000 (+0.000, +0.000)"  # trained at the same moment: the same model
    assert told[1][-1] != told[0][-1]
