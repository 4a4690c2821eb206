"""What the next complaint is about: causes tell it, and trees refine what causes say."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from models.risk.about import About, about, about_from_json, learn_about
from models.risk.choice import Choice, choice_from_json, learn_choice
from models.risk.hazards import Cause, Hazards

ROWS, CAUSES = 3000, 9
HAZARDS = Hazards(
    base=0.05,
    causes=tuple(Cause(column, 0.3, 0.3, 99.0) for column in range(CAUSES)),
    ever=(),
    complaints=None,
    shape=1.0,
    usual_complaints=0.0,
)
OF_CAUSE = [[0.9, 0.05, 0.05], [0.1, 0.85, 0.05], [0.05, 0.05, 0.9]]
ABOUT = np.array([[0.3, 0.3, 0.4], *(OF_CAUSE[k % 3] for k in range(CAUSES))])
TOPICS = np.array(["delivery", "error", "other"])


def complaints(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows × (nine amounts, noise), and what each row's complaint is about."""
    rng = np.random.default_rng(seed)
    amounts = rng.gamma(0.5, 1.0, (ROWS, CAUSES))
    matrix = np.column_stack([amounts, rng.poisson(2.0, ROWS)]).astype(np.float32)
    parts = HAZARDS.parts(matrix)
    chances = (parts / parts.sum(axis=1, keepdims=True)) @ ABOUT
    drawn = (chances.cumsum(axis=1) < rng.random((ROWS, 1))).sum(axis=1)
    return matrix, drawn


@pytest.fixture(scope="module")
def learned() -> About:
    matrix, drawn = complaints(1)
    return about(HAZARDS, matrix, drawn, np.ones(ROWS), 3)


def test_what_each_cause_is_about_is_found_though_nobody_wrote_causes_down(learned: About) -> None:
    found = learned.shares[1:]
    assert (found.argmax(axis=1) == ABOUT[1:].argmax(axis=1)).all()
    assert found == pytest.approx(ABOUT[1:], abs=0.25)
    assert np.abs(found - ABOUT[1:]).mean() < 0.08
    assert learned.shares.sum(axis=1) == pytest.approx(np.ones(1 + CAUSES))


def test_a_cause_without_complaints_is_about_what_all_are_about() -> None:
    parts = np.column_stack([np.full(90, 0.1), np.zeros(90)])
    drawn = np.repeat([0, 1, 1], 30)
    shares = learn_about(parts, drawn, np.ones(90), 2, prior=10.0)
    assert shares == pytest.approx(np.array([[1 / 3, 2 / 3]] * 2))


def test_a_row_is_told_the_same_alone_and_among_others(learned: About) -> None:
    matrix, _ = complaints(2)
    every = learned.probabilities(matrix)
    assert every.sum(axis=1) == pytest.approx(np.ones(ROWS))
    for row in (0, 17, ROWS - 1):
        assert (learned.probabilities(matrix[row : row + 1])[0] == every[row]).all()
    again = about_from_json(json.loads(json.dumps(learned.to_json())))
    assert (again.probabilities(matrix) == every).all()


def choice(causes: Hazards | None, few: int = ROWS) -> Choice:
    matrix, drawn = complaints(3)
    times = np.repeat(np.arange(10), ROWS // 10)
    found = learn_choice(
        matrix[:few],
        pd.Series(TOPICS[drawn][:few]),
        np.ones(few),
        times[:few],
        (),
        causes=causes,
        seed=0,
        num_threads=1,
    )
    assert found is not None
    return found


def loss(found: Choice) -> float:
    """Of other rows of the same world."""
    matrix, drawn = complaints(4)
    place = {value: at for at, value in enumerate(found.values)}
    at = np.array([place[topic] for topic in TOPICS[drawn]])
    return float(-np.log(found.probabilities(matrix)[np.arange(ROWS), at]).mean())


def test_trees_that_stand_on_causes_tell_more_than_trees_alone() -> None:
    with_causes, alone = choice(HAZARDS), choice(None)
    assert with_causes.about is not None and alone.about is None
    assert loss(with_causes) < loss(alone)
    matrix, _ = complaints(5)
    chances = with_causes.probabilities(matrix)
    assert chances.sum(axis=1) == pytest.approx(np.ones(ROWS))
    likeliest = with_causes.likeliest(matrix)
    assert (likeliest == np.array(with_causes.values)[chances.argmax(axis=1)]).all()


def test_causes_that_say_nothing_are_not_stood_on() -> None:
    """Rates of noise alone: the trees know better."""
    noise = Hazards(0.01, (Cause(CAUSES, 0.5, 2.0, 20.0),), (), None, 1.0, 0.0)
    found = choice(noise)
    assert loss(found) < loss(choice(None)) + 0.01


def test_a_choice_comes_back_from_json() -> None:
    found = choice(HAZARDS)
    again = choice_from_json(json.loads(json.dumps(found.to_json())), found.booster)
    matrix, _ = complaints(6)
    assert (again.probabilities(matrix) == found.probabilities(matrix)).all()


def test_too_few_rows_get_the_shares_of_the_past() -> None:
    found = choice(HAZARDS, few=200)
    assert found.booster is None and found.about is None
    matrix, _ = complaints(7)
    assert found.probabilities(matrix) == pytest.approx(np.tile(found.shares, (ROWS, 1)))


def test_a_choice_that_nobody_made_yet_has_a_finite_score() -> None:
    """A topic that is new in the later rows: those before know nothing of it."""
    matrix, drawn = complaints(8)
    learned = about(HAZARDS, matrix, drawn, np.ones(ROWS), 4)
    assert (learned.probabilities(matrix)[:, 3] == 0).all()
    assert np.isfinite(learned.score(matrix)).all()
