"""The queueing formulas against exact fractions, a birth-death chain and published figures."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from data.errors import DataError
from models.queueing import erlang_b, erlang_c, queue_measures


def exact_b(servers: int, load: Fraction) -> Fraction:
    blocked = Fraction(1)
    for n in range(1, servers + 1):
        blocked = load * blocked / (n + load * blocked)
    return blocked


@pytest.mark.parametrize(
    ("servers", "load"), [(0, "1"), (1, "1/3"), (7, "5"), (60, "1/10"), (40, "200"), (300, "299")]
)
def test_erlang_b_and_c_equal_exact_fractions(servers: int, load: str) -> None:
    a = Fraction(load)
    b = exact_b(servers, a)
    assert erlang_b(servers, float(a)) == pytest.approx(float(b), rel=1e-9)
    if a < servers:
        assert erlang_c(servers, float(a)) == pytest.approx(
            float(servers * b / (servers - a * (1 - b))), rel=1e-9
        )
    else:
        assert erlang_c(servers, float(a)) == 1.0


def test_the_usual_textbook_call_centre() -> None:
    """100 calls in half an hour, 180 s each, 14 agents, 20 s: Pw 17.4 %, 88.8 %, ASA 7.8 s."""
    found = queue_measures(100 / 1800, 180.0, servers=14, target_seconds=20.0)
    assert found.wait_probability == pytest.approx(0.174, abs=5e-4)
    assert found.service_level == pytest.approx(0.888, abs=5e-4)
    assert found.asa_seconds == pytest.approx(7.8, abs=0.05)
    assert found.occupancy == pytest.approx(10 / 14)


def chain(rate: float, handle: float, n: int, patience: float, target: float) -> dict[str, float]:
    """M/M/n+M by brute force: the chain's stationary law, and each waiting place played in time."""
    places = 120
    log_p = np.zeros(n + places)
    for k in range(1, n + places):
        log_p[k] = log_p[k - 1] + np.log(rate / (min(k, n) / handle + max(k - n, 0) / patience))
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    ahead = np.arange(places)
    # of a caller with j ahead: they leave (1/patience) or the line moves (n/handle + j/patience)
    moves = n / handle + ahead / patience
    step = 0.05
    state = np.eye(places)
    for _ in range(round(target / step)):  # second order steps of the absorbing chain
        first = -state * (moves + 1 / patience)
        first[:, :-1] += state[:, 1:] * moves[1:]
        second = -first * (moves + 1 / patience)
        second[:, :-1] += first[:, 1:] * moves[1:]
        state = state + step * first + step**2 / 2 * second
    answered = np.zeros(places)  # P(answered in the end | j ahead)
    for j in range(places):
        answered[j] = (answered[j - 1] if j else 1.0) * moves[j] / (moves[j] + 1 / patience)
    weight = p[n:]
    served_late = float(weight @ state @ answered)
    gave_up = float(weight @ (1 - answered))
    line = float((np.arange(places) * weight).sum())
    return {
        "wait_probability": float(weight.sum()),
        "abandonment": gave_up,
        "service_level": 1 - gave_up - served_late,
        "occupancy": float((np.minimum(np.arange(n + places), n) * p).sum() / n),
        "mean_wait": line / rate,
    }


@pytest.mark.parametrize(
    ("rate", "handle", "n", "patience", "target"),
    [(0.02, 300.0, 5, 120.0, 20.0), (0.02, 300.0, 3, 60.0, 10.0), (0.001, 200.0, 1, 900.0, 30.0)],
)
def test_erlang_a_equals_a_birth_death_chain(
    rate: float, handle: float, n: int, patience: float, target: float
) -> None:
    truth = chain(rate, handle, n, patience, target)
    found = queue_measures(
        rate, handle, servers=n, target_seconds=target, patience_seconds=patience
    )
    for name in ("wait_probability", "abandonment", "occupancy"):
        assert getattr(found, name) == pytest.approx(truth[name], rel=1e-6), name
    assert found.service_level == pytest.approx(truth["service_level"], abs=2e-5)
    # all waiting = answered waits + waits that end in leaving; both means follow from E[wait]
    assert truth["mean_wait"] == pytest.approx(float(found.abandonment) * patience, rel=1e-6)


def test_the_three_service_levels_differ_by_who_left_within_the_target() -> None:
    found = queue_measures(0.02, 300.0, servers=5, target_seconds=20.0, patience_seconds=60.0)
    left = found.service_level_lenient - found.service_level
    assert 0.01 < left < found.abandonment
    assert found.service_level_of_answered == pytest.approx(found.service_level / (1 - left))


def test_endless_patience_is_erlang_c() -> None:
    a = queue_measures(0.02, 300.0, servers=8, target_seconds=20.0, patience_seconds=1e8)
    c = queue_measures(0.02, 300.0, servers=8, target_seconds=20.0)
    assert a.service_level == pytest.approx(c.service_level, abs=1e-5)
    assert a.asa_seconds == pytest.approx(c.asa_seconds, rel=1e-4)


def test_thousands_of_agents_and_any_load_stay_finite() -> None:
    rate = np.array([1e-9, 1.0, 16.6, 16.7, 100.0, 1e4])
    for patience in (None, 1.0, 120.0, 1e6):
        found = queue_measures(
            rate, 300.0, servers=5000, target_seconds=20.0, patience_seconds=patience
        )
        for name in ("service_level", "abandonment", "wait_probability", "occupancy"):
            values = getattr(found, name)
            assert np.isfinite(values).all() and (values >= 0).all() and (values <= 1).all(), name
        assert (np.diff(found.service_level) <= 1e-12).all()
    # a fluid queue: of a load of 30000 Erlang, 5000 agents answer a sixth
    found = queue_measures(100.0, 300.0, servers=5000, target_seconds=20.0, patience_seconds=120.0)
    assert found.abandonment == pytest.approx(5 / 6, abs=1e-3)
    assert found.asa_seconds == pytest.approx(120 * np.log(6), rel=1e-2)


def test_nobody_calls_or_nobody_answers() -> None:
    for patience in (None, 60.0):
        quiet = queue_measures(
            0.0, 300.0, servers=[0, 1, 9], target_seconds=20.0, patience_seconds=patience
        )
        assert quiet.service_level.tolist() == [1.0, 1.0, 1.0]
        assert quiet.occupancy.tolist() == [0.0, 0.0, 0.0]
        assert quiet.asa_seconds.tolist() == [0.0, 0.0, 0.0]
        alone = queue_measures(
            0.1, 300.0, servers=0, target_seconds=20.0, patience_seconds=patience
        )
        assert alone.service_level == 0.0
        assert np.isnan(alone.asa_seconds)
    assert alone.abandonment == 1.0


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"arrival_rate": -1.0}, "arrival_rate holds -1"),
        ({"arrival_rate": float("nan")}, "arrival_rate holds nan"),
        ({"handle_seconds": 0.0}, "handle_seconds holds 0"),
        ({"servers": -1}, "servers holds -1"),
        ({"target_seconds": float("inf")}, "target_seconds holds inf"),
        ({"patience_seconds": 0.0}, "patience_seconds holds 0"),
    ],
)
def test_bad_arguments_are_refused_by_name(changes: dict[str, float], word: str) -> None:
    good = {
        "arrival_rate": 0.1,
        "handle_seconds": 60.0,
        "servers": 3,
        "target_seconds": 20.0,
        "patience_seconds": 60.0,
    }
    with pytest.raises(DataError, match=word):
        queue_measures(**{**good, **changes})  # type: ignore[arg-type]
