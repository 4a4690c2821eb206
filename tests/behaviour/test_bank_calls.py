"""A real call centre's waits, foretold by the simulator that judges plans."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.bank_calls import (
    by_formula,
    draw_patience,
    errors,
    fitted,
    happened_in,
    patience_of,
    read,
    simulated,
)


def test_patience_is_that_of_those_who_left_and_of_those_who_were_answered() -> None:
    calls = pd.DataFrame({"wait": [5.0, 10.0, 10.0, 20.0], "answered": [True, False, True, False]})
    seconds, longer = patience_of(calls)
    assert seconds.tolist() == [5, 10, 20]
    np.testing.assert_allclose(longer, [1.0, 2 / 3, 0.0])
    drawn = draw_patience((seconds, longer), 4000, np.random.default_rng(1))
    assert set(drawn) == {10.0, 20.0}
    assert abs((drawn == 10.0).mean() - 1 / 3) < 0.03


def test_later_days_are_foretold_better_than_by_a_formula_per_half_hour(
    real_data: Callable[[str], Path],
) -> None:
    calls = read(real_data("bank_calls") / "call_log_february_1999.parquet")
    days = {int(n): own.reset_index(drop=True) for n, own in calls.groupby("day")}
    fit = fitted(pd.concat([day for n, day in days.items() if n <= 14]))
    late = [day for n, day in days.items() if n > 14]
    number = range(len(late))
    happened = pd.concat([happened_in(day) for day in late], keys=number)
    played = pd.concat([simulated(day, fit, 0.94, 6, seed=1) for day in late], keys=number)
    formula = [by_formula(day, fit, 0.96, patient=False) for day in late]
    erlang = pd.concat(formula, keys=number)
    for what in ("wait", "left"):
        assert errors(happened, played, what) < errors(happened, erlang, what), what
