"""Hazards: rates are found, causes add up, contributions too, and readiness is learned."""

from __future__ import annotations

import numpy as np
import pytest

from models.risk.encode import Encoder
from models.risk.hazards import (
    COMPLAINTS,
    Hazards,
    Roles,
    fit_hazards,
    hazards_from_json,
    roles_of,
)

ROWS = 40_000
NAMES = ("late", "errors", "noise", "never", "borne", COMPLAINTS, "share")
ROLES = {"late": "now", "errors": "now", "noise": "now", "never": "now", "borne": "ever",
         COMPLAINTS: "ever"}  # fmt: skip
ENCODER = Encoder(NAMES, {})


def world(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Complaints at .02 + .3 late + .1 errors, times a tendency of gamma(.8) of which the past
    tells: complaints so far are Poisson of tendency x borne."""
    rng = np.random.default_rng(seed)
    tendency = rng.gamma(0.8, 1 / 0.8, ROWS)
    late, errors = rng.poisson(0.1, ROWS), rng.poisson(0.3, ROWS)
    noise = rng.poisson(0.5, ROWS)
    borne = rng.gamma(2.0, 1.0, ROWS)
    so_far = rng.poisson(tendency * borne)
    hazard = tendency * (0.02 + 0.3 * late + 0.1 * errors)
    y = (rng.random(ROWS) < -np.expm1(-hazard)).astype(np.float64)
    share = rng.random(ROWS)
    zero = np.zeros(ROWS)
    matrix = np.column_stack([late, errors, noise, zero, borne, so_far, share])
    return matrix.astype(np.float32), y


@pytest.fixture(scope="module")
def fitted() -> Hazards:
    matrix, y = world(1)
    return fit_hazards(matrix, y, np.ones(ROWS), roles_of(ENCODER, ROLES), penalty=20.0)


def test_roles_are_those_of_amounts() -> None:
    roles = roles_of(ENCODER, ROLES)
    assert roles == Roles(causes=(0, 1, 2, 3), ever=(4,), complaints=5)
    assert roles_of(ENCODER, {}) == Roles((), (), None)


def test_rates_and_readiness_are_found(fitted: Hazards) -> None:
    rates = {cause.column: cause.rate for cause in fitted.causes}
    assert fitted.base == pytest.approx(0.02, rel=0.3)
    # the penalty draws the scale of rates and weights alike; what causes are to each other stays
    assert rates[0] == pytest.approx(0.3, rel=0.25)
    assert rates[0] / rates[1] == pytest.approx(3.0, rel=0.2)
    assert rates.get(2, 0.0) < 0.004  # nothing to it
    assert 3 not in rates  # never there
    assert fitted.shape == pytest.approx(0.8, rel=0.3)
    assert [cause.column for cause in fitted.ever] == [4]


def test_the_score_is_calibrated_on_others(fitted: Hazards) -> None:
    matrix, y = world(2)
    risk = 1 / (1 + np.exp(-fitted.score(matrix)))
    assert risk.mean() == pytest.approx(y.mean(), rel=0.05)
    order = np.argsort(risk)
    for part in np.array_split(order, 5):
        assert risk[part].mean() == pytest.approx(y[part].mean(), abs=0.012)


def test_one_more_of_a_cause_never_lowers_the_score(fitted: Hazards) -> None:
    matrix, _ = world(3)
    for column in (0, 1, 2):
        more = matrix.copy()
        more[:, column] += 1
        assert (fitted.score(more) >= fitted.score(matrix)).all()
        more[:, column] = 1e6  # of more than was ever seen nobody knows
        most = matrix.copy()
        most[:, column] = world(1)[0][:, column].max()
        np.testing.assert_array_equal(fitted.score(more), fitted.score(most))
    often, bore = matrix.copy(), matrix.copy()
    often[:, 5] += 1
    bore[:, 4] += 1
    assert (fitted.score(often) > fitted.score(matrix)).all()
    assert (fitted.score(bore) < fitted.score(matrix)).all()


def test_contributions_add_up_and_speak_of_their_columns(fitted: Hazards) -> None:
    matrix, _ = world(4)
    parts = fitted.contributions(matrix)
    np.testing.assert_allclose(
        parts.sum(axis=1) + fitted.intercept, fitted.score(matrix), atol=1e-9
    )
    assert (parts[:, 6] == 0).all() and (parts[:, 3] == 0).all()
    late = matrix[:, 0] > 0
    assert parts[late, 0].min() > 0 > parts[~late, 0].max()


def test_missing_and_negative_amounts_are_none(fitted: Hazards) -> None:
    nothing = np.zeros((1, len(NAMES)), dtype=np.float32)
    unknown = np.full((1, len(NAMES)), np.nan, dtype=np.float32)
    assert fitted.score(nothing) == fitted.score(unknown) == fitted.score(nothing - 5)


def test_nobody_is_certain_to_complain(fitted: Hazards) -> None:
    worst = np.zeros((1, len(NAMES)), dtype=np.float32)
    worst[0, [0, 1, 5]] = (500, 500, 4000)
    assert fitted.score(worst)[0] == pytest.approx(14.0, abs=1e-4)
    np.testing.assert_allclose(
        fitted.contributions(worst).sum(axis=1) + fitted.intercept, fitted.score(worst)
    )


def test_a_row_does_not_depend_on_its_neighbours(fitted: Hazards) -> None:
    matrix, _ = world(5)
    alone = np.concatenate([fitted.score(matrix[at : at + 1]) for at in range(300)])
    assert alone.tobytes() == fitted.score(matrix)[:300].tobytes()


def test_json_gives_the_same_back(fitted: Hazards) -> None:
    assert hazards_from_json(fitted.to_json()) == fitted


def test_a_start_leads_to_the_same_place(fitted: Hazards) -> None:
    matrix, y = world(1)
    again = fit_hazards(
        matrix, y, np.ones(ROWS), roles_of(ENCODER, ROLES), penalty=20.0, start=fitted
    )
    np.testing.assert_allclose(again.score(matrix), fitted.score(matrix), atol=0.02)
