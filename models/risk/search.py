"""Better settings for the learners of one company: a search, bounded in time, that can go on later.

Optuna (Akiba et al. 2019) tries settings; each is trained before the later slices of
models/risk/forward.py and costs the mean log loss on them over all horizons. The rows are those
that the twin learns from, so nothing that judges a model has a say in it. The settings as they are
go first: what is found is never worse on those slices, and not better where nothing helps.

Trials are kept in one SQLite file, a study for each set of rows: a search on the same rows goes on
where the last one ended, on new rows it begins with the best of the newest studies. With a number
of trials in place of minutes, equal seeds and an empty file give equal trials.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from models.risk.settings import RiskSettings, rounds_up_to
from models.risk.train import forward_loss

RANGES: Mapping[str, tuple[float, float]] = {
    "leaves": (4, 32),
    "trees": (40, 200),
    "learning_rate": (0.02, 0.2),
    "ridge": (1.0, 100.0),
    "min_rows_in_leaf": (20, 300),
    "feature_share": (0.1, 1.0),
    "half_life_days": (60.0, 720.0),
}
"""What is tried, on a logarithmic scale; a range is stretched to the settings as they are."""
WHOLE = ("leaves", "trees", "min_rows_in_leaf")
EARLIER = 3
"""Studies of earlier rows whose best settings are tried again."""


@dataclass(frozen=True)
class SearchResult:
    """The best settings, what was chosen by name, and mean log loss: theirs, and as it was."""

    settings: RiskSettings
    chosen: Mapping[str, float]
    log_loss: float
    log_loss_before: float
    trials: int
    tried: tuple[tuple[float, Mapping[str, float]], ...] = ()
    """Log loss and choice of each trial."""

    def params(self) -> dict[str, float]:
        """As MLflow is told."""
        params = {f"search_{name}": value for name, value in self.chosen.items()}
        return params | {
            "search_trials": self.trials,
            "search_log_loss": self.log_loss,
            "search_log_loss_before": self.log_loss_before,
        }


def search(
    features: pd.DataFrame,
    labels: pd.DataFrame,
    *,
    horizons: tuple[int, ...],
    settings: RiskSettings,
    storage: Path,
    study: str,
    minutes: float | None = None,
    trials: int | None = None,
    seed: int = 0,
    cards: Sequence[Mapping[str, Any]] = (),
    gap_days: float = 0.0,
    say: Callable[[str], None] = lambda message: None,
) -> SearchResult:
    """Try settings for so many ``minutes`` (the last trial is finished) or ``trials`` more.

    ``study`` names the rows: trials of the same name are comparable and are gone on with. Raises
    what ``train_risk`` raises for too little history.
    """
    import optuna

    logging.getLogger("alembic").setLevel(logging.ERROR)  # tells every table of a new file
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage.parent.mkdir(parents=True, exist_ok=True)
    history = optuna.storages.RDBStorage(f"sqlite:///{storage.absolute()}")
    earlier = _earlier(optuna, history, study)
    optimiser = optuna.create_study(storage=history, study_name=study, load_if_exists=True)
    # a sampler begins its draws anew each time; other draws than the trials that are there
    optimiser.sampler = optuna.samplers.TPESampler(seed=seed + len(optimiser.trials))
    now = as_chosen(settings)
    ended = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.WAITING)
    known = [
        t.system_attrs.get("fixed_params", t.params) for t in optimiser.trials if t.state in ended
    ]
    for chosen in (now, *earlier):
        if chosen not in known:  # one that a killed search began does not count
            optimiser.enqueue_trial(chosen)

    def cost(trial: Any) -> float:
        chosen = {}
        for name, (low, high) in RANGES.items():
            low, high = min(low, now[name]), max(high, now[name])
            chosen[name] = (
                trial.suggest_int(name, int(low), int(high), log=True)
                if name in WHOLE
                else trial.suggest_float(name, low, high, log=True)
            )
        loss = forward_loss(
            features,
            labels,
            horizons=horizons,
            seed=seed,
            settings=with_chosen(settings, chosen),
            cards=cards,
            gap_days=gap_days,
        )
        say(f"search: trial {trial.number + 1}, mean log loss {loss:.5f}")
        return loss

    # the settings as they are always get their trial, however short the time
    timeout = None if minutes is None else max(minutes * 60, 0.001)
    optimiser.optimize(cost, n_trials=trials, timeout=timeout)
    trials_done = [
        (float(trial.value), dict(trial.params))
        for trial in optimiser.trials
        if trial.state == optuna.trial.TrialState.COMPLETE and trial.value is not None
    ]
    before = next(loss for loss, chosen in trials_done if chosen == now)
    loss, best = min(trials_done, key=lambda each: each[0])
    return SearchResult(
        with_chosen(settings, best), best, loss, before, len(trials_done), tuple(trials_done)
    )


def as_chosen(settings: RiskSettings) -> dict[str, float]:
    """These settings as what a trial may choose."""
    return {
        "leaves": settings.trees.num_leaves,
        "trees": settings.trees.rounds[-1],
        "learning_rate": settings.trees.learning_rate,
        "ridge": settings.trees.ridge,
        "min_rows_in_leaf": settings.trees.min_rows_in_leaf,
        "feature_share": settings.trees.feature_share,
        "half_life_days": settings.half_life_days,
    }


def with_chosen(settings: RiskSettings, chosen: Mapping[str, float]) -> RiskSettings:
    """The settings with what a trial chose; all else, and what it left, as it was."""
    if dict(chosen) == as_chosen(settings):
        return settings  # the very numbers of trees that were set, not those of their maximum
    trees = replace(
        settings.trees,
        num_leaves=int(chosen["leaves"]),
        rounds=rounds_up_to(int(chosen["trees"])),
        learning_rate=chosen["learning_rate"],
        ridge=chosen["ridge"],
        min_rows_in_leaf=int(chosen["min_rows_in_leaf"]),
        feature_share=chosen["feature_share"],
    )
    return replace(
        settings,
        trees=trees,
        half_life_days=chosen["half_life_days"],
    )


def _earlier(optuna: Any, storage: Any, study: str) -> list[dict[str, float]]:
    """The best choices of the newest other studies in the file."""
    summaries = optuna.study.get_all_study_summaries(storage=storage)
    others = [each for each in summaries if each.study_name != study and each.best_trial]
    others.sort(key=lambda each: each.datetime_start, reverse=True)
    return [dict(each.best_trial.params) for each in others[:EARLIER]]
