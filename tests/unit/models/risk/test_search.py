"""The search: repeatable, resumable, bounded, never worse than what it began with."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from data.errors import NotEnoughHistory
from models.risk.search import RANGES, SearchResult, as_chosen, search, with_chosen
from models.risk.settings import RiskSettings, risk_settings
from models.risk.train import forward_loss, train_risk

World = Callable[..., tuple[pd.DataFrame, pd.DataFrame]]


@pytest.fixture(scope="module")
def rows(make_world: World) -> tuple[pd.DataFrame, pd.DataFrame]:
    return make_world(customers=250, weeks=10, seed=4)


def run(
    rows: tuple[pd.DataFrame, pd.DataFrame], small: RiskSettings, storage: Path, **more: object
) -> SearchResult:
    told: dict[str, object] = {"study": "rows", "trials": 4, "seed": 1}
    return search(*rows, horizons=(7, 14), settings=small, storage=storage, **(told | more))


def trials_in(storage: Path, study: str = "rows") -> list[tuple[dict[str, float], float]]:
    import optuna

    found = optuna.load_study(study_name=study, storage=f"sqlite:///{storage}")
    return [(trial.params, trial.value) for trial in found.trials]


def test_equal_seeds_give_equal_trials(
    rows: tuple[pd.DataFrame, pd.DataFrame], small: RiskSettings, tmp_path: Path
) -> None:
    one, two = (run(rows, small, tmp_path / f"{name}.db") for name in "ab")
    assert one == two
    assert trials_in(tmp_path / "a.db") == trials_in(tmp_path / "b.db")
    other = run(rows, small, tmp_path / "c.db", seed=2)
    assert trials_in(tmp_path / "c.db")[1:] != trials_in(tmp_path / "a.db")[1:]
    assert other.log_loss_before > 0


def test_it_begins_with_the_settings_as_they_are_and_is_never_worse(
    rows: tuple[pd.DataFrame, pd.DataFrame], small: RiskSettings, tmp_path: Path
) -> None:
    found = run(rows, small, tmp_path / "a.db", trials=5)
    told = trials_in(tmp_path / "a.db")
    assert told[0][0] == as_chosen(small)
    assert told[0][1] == found.log_loss_before
    assert found.log_loss == min(loss for _, loss in told) <= found.log_loss_before
    for chosen, _ in told[1:]:
        for name, (low, high) in RANGES.items():
            assert min(low, as_chosen(small)[name]) <= chosen[name]
            assert chosen[name] <= max(high, as_chosen(small)[name])
    again = forward_loss(*rows, horizons=(7, 14), seed=1, settings=found.settings)
    assert again == found.log_loss
    assert found.params()["search_trials"] == 5


def test_the_loss_is_the_one_that_training_finds_on_its_later_slices(
    rows: tuple[pd.DataFrame, pd.DataFrame], small: RiskSettings
) -> None:
    model = train_risk(*rows, horizons=(7, 14), seed=1, settings=small)
    losses = [model.notes["forward"][h]["log_loss"] for h in ("7", "14")]
    loss = forward_loss(*rows, horizons=(7, 14), seed=1, settings=small)
    assert loss == pytest.approx(sum(losses) / 2, abs=1e-12)


def test_it_goes_on_where_it_ended_and_begins_new_rows_with_the_best(
    rows: tuple[pd.DataFrame, pd.DataFrame],
    small: RiskSettings,
    make_world: World,
    tmp_path: Path,
) -> None:
    storage = tmp_path / "a.db"
    first = run(rows, small, storage, trials=3)
    more = run(rows, small, storage, trials=2)
    told = trials_in(storage)
    assert first.trials == 3 and more.trials == len(told) == 5
    assert len({tuple(chosen.items()) for chosen, _ in told}) == 5  # no draw twice
    assert more.log_loss <= first.log_loss
    run(make_world(customers=250, weeks=10, seed=5), small, storage, study="new", trials=2)
    began = [chosen for chosen, _ in trials_in(storage, "new")]
    assert began[0] == as_chosen(small)
    assert began[1] == dict(more.chosen) or dict(more.chosen) == as_chosen(small)


def test_a_search_that_was_killed_is_begun_again(
    rows: tuple[pd.DataFrame, pd.DataFrame], small: RiskSettings, tmp_path: Path
) -> None:
    import optuna

    storage = tmp_path / "a.db"
    study = optuna.create_study(storage=f"sqlite:///{storage}", study_name="rows")
    study.enqueue_trial(as_chosen(small))
    trial = study.ask()  # begun, never told how it ended
    trial.suggest_float("ridge", *RANGES["ridge"], log=True)
    found = run(rows, small, storage, trials=2)
    assert found.trials == 2 and found.log_loss <= found.log_loss_before


def test_it_ends_in_time_with_one_trial_at_least(
    rows: tuple[pd.DataFrame, pd.DataFrame], small: RiskSettings, tmp_path: Path
) -> None:
    began = time.perf_counter()
    found = run(rows, small, tmp_path / "a.db", trials=None, minutes=0.02)
    assert found.trials >= 1 and found.log_loss <= found.log_loss_before
    assert time.perf_counter() - began < 120
    least = run(rows, small, tmp_path / "b.db", trials=None, minutes=0.00001)
    assert least.trials == 1 and least.settings == small


def test_too_little_to_judge_by_is_said(
    rows: tuple[pd.DataFrame, pd.DataFrame], small: RiskSettings, tmp_path: Path
) -> None:
    few = tuple(part.head(300) for part in rows)
    with pytest.raises(NotEnoughHistory):
        run(few, small, tmp_path / "a.db")  # type: ignore[arg-type]


def test_what_is_chosen_is_what_is_used() -> None:
    class Growth:
        trees, leaves, learning_rate = 120, 12, 0.08

    usual = risk_settings(Growth())
    assert with_chosen(usual, as_chosen(usual)) == usual
    other = with_chosen(usual, as_chosen(usual) | {"leaves": 7, "trees": 40})
    assert other.trees.num_leaves == 7 and other.trees.rounds[-1] == 40
    assert other.trees.ridge == usual.trees.ridge and other.penalties == usual.penalties
