"""The company's queue against textbook formulas and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from data.simulate.answering import Desk
from data.simulate.timeline import NEVER, SECOND


def erlang_c(agents: int, load: float) -> float:
    """P(wait) of M/M/n (Erlang 1917), written out here for the test alone."""
    top = load**agents / math.factorial(agents) * agents / (agents - load)
    return top / (sum(load**k / math.factorial(k) for k in range(agents)) + top)


def run_long(agents: int, load: float, patience: float | None, count: int = 60_000) -> Desk:
    rng = np.random.default_rng(11)
    handle = rng.exponential(300.0, count)
    gaps = rng.exponential(300.0 / load, count)
    arrivals = (np.cumsum(gaps) * SECOND).astype(np.int64)
    waits = rng.exponential(patience or 1.0, count) * SECOND
    until = arrivals + waits.astype(np.int64) if patience else np.full(count, NEVER)
    rows = zip(
        arrivals.tolist(),
        (handle * SECOND).astype(np.int64).tolist(),
        until.tolist(),
        range(count),
        strict=True,
    )
    desk = Desk()
    desk.run([0, int(arrivals[-1]) + 10**12], [agents], list(rows))
    desk.arrivals = arrivals  # type: ignore[attr-defined]
    return desk


def test_share_that_waits_is_erlang_c() -> None:
    desk = run_long(agents=8, load=6.0, patience=None)
    begun = np.array(desk.answered)
    waited = begun[:, 1] > desk.arrivals[begun[:, 0]]  # type: ignore[attr-defined]
    assert waited.mean() == pytest.approx(erlang_c(8, 6.0), abs=0.025)


def test_patience_loses_contacts_even_when_overloaded() -> None:
    desk = run_long(agents=5, load=6.0, patience=300.0)
    lost = len(desk.abandoned) / 60_000
    # patience as long as handling makes it M/M/inf: P(lost) = E[(N - 5)+] / 6, N ~ Poisson(6)
    pmf = [math.exp(-6) * 6**n / math.factorial(n) for n in range(60)]
    assert lost == pytest.approx(sum((n - 5) * p for n, p in enumerate(pmf) if n > 5) / 6, abs=0.01)


def test_every_contact_is_answered_lost_or_waiting_once() -> None:
    rng = np.random.default_rng(2)
    desk, edges = Desk(), [0, 50, 100, 150, 200]
    arrivals = sorted(
        (int(a), int(h), int(a + p), k)
        for k, (a, h, p) in enumerate(
            zip(
                rng.integers(0, 200, 80),
                rng.integers(1, 30, 80),
                rng.integers(1, 60, 80),
                strict=True,
            )
        )
    )
    desk.run(edges, [2, 0, 5, 1], arrivals)
    seen = [c for c, _, _ in desk.answered] + [c for c, _ in desk.abandoned]
    seen += [c[3] for c in desk.waiting]
    assert sorted(seen) == list(range(80))


def test_never_more_contacts_at_once_than_agents_when_staffing_is_constant() -> None:
    desk = run_long(agents=4, load=5.0, patience=600.0, count=4_000)
    moments = [(b, 1) for _, b, _ in desk.answered] + [(e, -1) for _, _, e in desk.answered]
    held = np.cumsum([change for _, change in sorted(moments)])
    assert held.max() == 4


def test_line_is_first_come_first_served() -> None:
    desk = run_long(agents=3, load=3.5, patience=None, count=2_000)
    begun = np.array(desk.answered)
    assert (np.diff(begun[:, 0]) > 0).all()


def test_work_waits_for_tomorrow() -> None:
    desk = Desk()
    desk.run([0, 100], [0], [(10, 20, NEVER, 1)])
    assert desk.answered == []
    assert desk.waiting_work() == 20
    desk.run([100, 200], [1], [])
    assert desk.answered == [(1, 100, 120)]
