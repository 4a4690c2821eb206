"""The simulator by hand, and the formulas against it."""

from __future__ import annotations

import numpy as np
import pytest

from data.errors import DataError
from models.queueing import queue_measures, simulate_queue


def test_patience_ends_a_wait_and_frees_the_line() -> None:
    served = simulate_queue(
        [0.0, 1.0, 2.0], [10.0, 5.0, 5.0], edges=[0.0], servers=[1], patience=[99.0, 3.0, 99.0]
    )
    assert served.answered.tolist() == [True, False, True]
    assert served.waited.tolist() == [0.0, 3.0, 8.0]
    assert served.busy_seconds == 15.0


def test_agents_come_and_go_and_finish_what_they_hold() -> None:
    served = simulate_queue(
        [0.0, 1.0, 2.0], [10.0, 4.0, 4.0], edges=[5.0, 6.0, 30.0], servers=[2, 1, 0]
    )
    # two begin at 5; at 6 one place goes, so the third waits until the first ends at 15
    assert served.end_times.tolist() == [15.0, 9.0, 19.0]
    nobody = simulate_queue([0.0], [10.0], edges=[0.0], servers=[0])
    assert nobody.waited.tolist() == [np.inf]
    assert not nobody.answered.any()


def test_unsorted_arrivals_are_refused() -> None:
    with pytest.raises(DataError, match="ascend"):
        simulate_queue([1.0, 0.0], [1.0, 1.0], edges=[0.0], servers=[1])


@pytest.mark.parametrize(
    ("rate", "servers", "patience"),
    [(60 / 3600, 5, 120.0), (60 / 3600, 3, 120.0), (10 / 3600, 2, 600.0), (60 / 3600, 7, None)],
)
def test_formulas_lie_within_the_error_of_the_simulation(
    rate: float, servers: int, patience: float | None
) -> None:
    """30 independent runs of 2,000 contacts; every measure within 4 standard errors of its mean."""
    found = queue_measures(
        rate,
        300.0,
        servers=servers,
        target_seconds=20.0,
        patience_seconds=patience,
        limit_seconds=90.0,
    )
    rng = np.random.default_rng(11)
    seen = []
    for _ in range(30):
        at = np.cumsum(rng.exponential(1 / rate, 2300))
        patient = None if patience is None else rng.exponential(patience, 2300)
        served = simulate_queue(
            at, rng.exponential(300.0, 2300), edges=[0.0], servers=[servers], patience=patient
        )
        keep = slice(300, None)  # the line starts empty
        ok, wait = served.answered[keep], served.waited[keep]
        seen.append(
            [
                (ok & (wait <= 20)).mean(),
                1 - ok.mean(),
                wait[ok].mean(),
                (wait > 90).mean(),
                (wait > 0).mean(),
            ]
        )
    mean = np.mean(seen, axis=0)
    error = np.std(seen, axis=0, ddof=1) / np.sqrt(len(seen))
    formula = [
        found.service_level,
        found.abandonment,
        found.asa_seconds,
        found.beyond,
        found.wait_probability,
    ]
    assert np.abs(np.array(formula, float) - mean) == pytest.approx(0, abs=4 * error.max() + 1e-9)
    assert (np.abs(np.array(formula, float) - mean) <= 4 * error + 1e-12).all()
