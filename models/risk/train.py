"""From features and labels to a risk model.

1. Check that there is enough to learn from; say what is missing otherwise.
2. On later slices of time, with everything trained before them (and after an embargo as long as the
   label): choose the number of trees and the regression's penalty, learn how to mix the scores of
   the parts of all horizons, and with that their calibration.
3. Train the parts again on all rows.
4. Set the level as it stands now, tracked through the labels that were complete soonest.

Rows are whatever the caller gives: many as-of times stacked, for one population. Rows whose label
is not complete (NaN) are left out for that horizon only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from data.arrays import Bools, Floats, Ints
from data.errors import DataError
from models.risk.choice import learn_choice
from models.risk.days import Days, shifted
from models.risk.encode import Matrix, feature_columns, learn_encoder, varying
from models.risk.enough import check_history, check_rows
from models.risk.fit import (
    Rows,
    drawn,
    fit_causes,
    fit_contacts,
    fit_regressions,
    fit_trees,
    gather,
    together,
    training,
    try_contacts,
)
from models.risk.forward import Trials, leaks, mixtures_of, slices_of, try_parts
from models.risk.hazards import Hazards
from models.risk.level import Labelled, levels
from models.risk.mixture import Mixture, levelled
from models.risk.model import Part, RiskModel, Tickets, cards_of, scores_of
from models.risk.rows import age_weights, thinned
from models.risk.settings import RiskSettings
from models.risk.trees import raw_score
from models.threads import one_thread

CHOICES = ("next_topic", "next_channel")


@one_thread
def train_risk(
    features: pd.DataFrame,
    labels: pd.DataFrame,
    *,
    horizons: Sequence[int] = (7, 14, 30),
    seed: int = 0,
    settings: RiskSettings | None = None,
    cards: Sequence[Mapping[str, Any]] = (),
    gap_days: float = 0.0,
    days: Days | None = None,
    choices: bool = True,
) -> RiskModel:
    """Learn P(complaint in [T + gap, T + gap + h)) for every h of ``horizons`` (days).

    ``features``: what ``features.compute`` returns; ``labels``: what ``features.labels`` returns,
    row by row the same customers and times. ``cards``: the view's, for the reasons' words and for
    what each feature can be among causes (``role``); without them there are no hazards. ``days``:
    what the days of windows are worth (models/risk/days.py); None: all the same. ``choices``: learn
    the next topic and channel too.

    Raises NotEnoughHistory, naming horizon, days and complaints missing, for too little history;
    DataError for labels of one class, for features that never vary, and for rows that do not match.
    Equal rows (in any order), settings, seed and machine give equal models.
    """
    settings = settings or RiskSettings()
    wanted = tuple(sorted(set(horizons)))
    rows, order = _rows(features, labels, wanted, settings, cards)
    encoder = rows.encoder
    sorted_labels = labels.iloc[order]
    followed = sorted_labels if choices else sorted_labels.drop(columns=[*CHOICES], errors="ignore")
    contacts = _contacts(sorted_labels, wanted)
    slices = slices_of(rows, wanted, settings, gap_days)
    outcome = try_parts(rows, slices, wanted, settings, seed)
    rows, last = outcome.rows, outcome.trials[-1]
    mixtures, forward = mixtures_of(outcome, wanted, settings)

    alone = replace(settings, num_threads=1)
    before, judged = slices[-1].before[wanted[-1]], slices[-1].judged
    causes = last.causes.get(wanted[-1])
    fits: list[Callable[[], Any]] = [
        lambda: _tickets(rows, contacts, wanted[-1], before, judged, alone, seed),
        *(partial(_parts, outcome, h, alone, seed) for h in wanted),
        *(partial(_next, rows, followed, of, causes, seed, alone) for of in CHOICES),
    ]
    tickets, *learned, topic, channel = together(fits, settings.num_threads)
    parts = [part for of_horizon in learned for part in of_horizon]
    mixtures, level = _levels(rows, parts, mixtures, wanted, settings, days)
    alarms = leaks(outcome, wanted, settings)
    return RiskModel(
        horizons=wanted,
        encoder=encoder,
        parts=tuple(parts),
        mixtures=mixtures,
        tickets=tickets,
        topic=topic,
        channel=channel,
        cards=cards_of(cards, encoder.columns),
        golden=_of_nobody(rows.matrix, seed),
        notes=_notes(outcome, wanted, forward, alarms, settings, seed, gap_days) | {"level": level},
        days=days,
    )


def _of_nobody(matrix: Matrix, seed: int) -> Matrix:
    """Rows of usual values to remember boosters by, each column of other customers than the next:
    what is kept of them tells of no person."""
    chosen = matrix[np.linspace(0, len(matrix) - 1, 2000).astype(np.int64)]
    return np.random.default_rng(seed).permuted(chosen, axis=0)


def _parts(outcome: Trials, horizon: int, settings: RiskSettings, seed: int) -> list[Part]:
    """The parts of one horizon, learned from all rows; hazards begin where the last trial's are."""
    h, rows = horizon, outcome.rows
    known = rows.known(h)
    mask, weights = training(rows, known, h, settings, settings.most_rows)
    trees = Part("trees", h, fit_trees(rows, mask, weights, h, outcome.rounds[h], settings, seed))
    start = outcome.trials[-1].causes.get(h)
    if start is not None:
        more = training(
            rows, known, h, settings, settings.most_rows_of_hazards, settings.others_of_hazards
        )
        return [trees, Part("hazards", h, fit_causes(rows, *more, h, settings, start))]
    [linear] = fit_regressions(rows, mask, weights, h, (outcome.penalty,), settings)
    return [trees, Part("linear", h, linear)]


def forward_loss(
    features: pd.DataFrame,
    labels: pd.DataFrame,
    *,
    horizons: Sequence[int],
    seed: int,
    settings: RiskSettings,
    cards: Sequence[Mapping[str, Any]] = (),
    gap_days: float = 0.0,
) -> float:
    """Mean log loss over the horizons on the later slices, of the model up to its mixture.

    What a choice of settings is worth without training anything on all rows. Raises what
    ``train_risk`` raises.
    """
    wanted = tuple(sorted(set(horizons)))
    rows, _ = _rows(features, labels, wanted, settings, cards)
    slices = slices_of(rows, wanted, settings, gap_days)
    outcome = try_parts(rows, slices, wanted, settings, seed)
    _, forward = mixtures_of(outcome, wanted, settings)
    return float(np.mean([forward[h]["log_loss"] for h in wanted]))


def _rows(
    features: pd.DataFrame,
    labels: pd.DataFrame,
    horizons: tuple[int, ...],
    settings: RiskSettings,
    cards: Sequence[Mapping[str, Any]],
) -> tuple[Rows, Ints]:
    """The checked training rows in the order of their content, and where each came from."""
    check_rows(features, labels, horizons)
    check_history(labels, horizons, settings)
    every = feature_columns(features)
    columns = varying(features, every)
    if not columns:
        raise DataError(
            f"none of the {len(every)} features varies over the {len(features)} training rows, so "
            "no customer can be told from another; check that the tables' customer_id match each "
            "other"
        )
    roles = {str(card["name"]): str(card.get("role") or "") for card in cards}
    return gather(features, labels, learn_encoder(features, columns), horizons, settings, roles)


def _levels(
    rows: Rows,
    parts: Sequence[Part],
    mixtures: Mapping[int, Mixture],
    horizons: Sequence[int],
    settings: RiskSettings,
    days: Days | None,
) -> tuple[dict[int, Mixture], dict[str, float]]:
    """The mixtures with their level set as it stands now (models/risk/level.py), and its track.

    Each window's log odds are told as of what its days were worth, so that a closure in the past is
    no fall of the level.
    """
    mask, counts = _few(rows, horizons[0], settings.most_rows_levelled)
    matrix = rows.matrix if mask.all() else rows.matrix[mask]
    scores = scores_of(parts, mixtures.values(), matrix, settings.num_threads)
    labelled: dict[int, Labelled] = {}
    starts: dict[int, float] = {}
    for h in horizons:
        known = rows.known(h)[mask]
        y, count = rows.y[h][mask][known], counts[known]
        weights = (rows.age * rows.stands_for)[mask][known] * count
        as_of = rows.as_of[mask][known]
        worth = np.ones(len(y)) if days is None else days.worth(as_of, h)
        score = Mixture(0.0, mixtures[h].shares).score(scores[known])
        starts[h] = levelled(shifted(score, worth), y, weights, strength=0.0)
        score = shifted(score + starts[h], worth)
        labelled[h] = Labelled(as_of, score, y, weights, count)
    steps, level_track = levels(labelled, strength=settings.level_prior)
    figures = {"now": level_track.now, "drift": level_track.drift, "noise": level_track.noise}
    return {h: Mixture(starts[h] + steps[h], mixtures[h].shares) for h in horizons}, figures


def _few(rows: Rows, horizon: int, most: int) -> tuple[Bools, Floats]:
    """Every row with a complaint within ``horizon`` days, ``most`` others; rows each stands for."""
    mask = rows.known(horizon)
    y = rows.y[horizon][mask]
    chosen, counts = thinned(y, rows.drawn[mask], most / max(float(y.sum()), 1.0), len(y))
    mask[mask] = chosen
    return mask, counts[chosen]


def _contacts(labels: pd.DataFrame, horizons: Sequence[int]) -> Floats:
    """Contacts within the longest horizon, NaN where not complete."""
    name = f"tickets_{horizons[-1]}d"
    if name not in labels.columns:
        raise DataError(f"the labels have no column {name}; compute them with this horizon")
    return labels[name].to_numpy(dtype=np.float64, na_value=np.nan)


def _tickets(
    rows: Rows,
    contacts: Floats,
    days: int,
    before: Bools,
    judged: Bools,
    settings: RiskSettings,
    seed: int,
) -> Tickets:
    """Expected contacts within ``days``; what was learned ``before`` the rows ``judged`` tells by
    how many trees."""
    rounds = try_contacts(rows, contacts, before, judged, settings, seed)
    known = ~np.isnan(contacts)
    booster = fit_contacts(rows, known, contacts, rounds, settings, seed)
    known = drawn(rows, known, settings.most_rows_levelled)
    raw = raw_score(booster, rows.matrix[known], num_threads=settings.num_threads)
    newest = age_weights(rows.as_of[known], settings.level_half_life_days)
    newest = newest * rows.stands_for[known]
    actual = float((newest * contacts[known]).sum())
    predicted = float((newest * np.exp(raw)).sum())
    level = (actual + settings.level_prior) / (predicted + settings.level_prior)
    expected = np.exp(raw) * level
    any_seen = float(newest @ (contacts[known] > 0))
    dispersion = _dispersion(expected, newest, any_seen)
    return Tickets(booster, level, days, dispersion)


def _dispersion(expected: Floats, weights: Floats, any_seen: float) -> float:
    """The k in [0.05, 50] with which as many have any contact as did, by bisection on its log."""
    low, high = np.log(0.05), np.log(50.0)
    for _ in range(40):
        middle = (low + high) / 2
        k = np.exp(middle)
        share = float(weights @ -np.expm1(-k * np.log1p(expected / k)))
        low, high = (middle, high) if share < any_seen else (low, middle)
    return float(np.exp((low + high) / 2))


def _next(
    rows: Rows,
    labels: pd.DataFrame,
    column: str,
    causes: Hazards | None,
    seed: int,
    settings: RiskSettings,
) -> Any:
    """What the next complaint chooses; ``causes``: those of the longest horizon, as the last trial
    learned them, so that later rows can tell whether they help."""
    if column not in labels.columns:
        return None
    followed = drawn(rows, labels[column].notna().to_numpy(), settings.most_rows_of_choice)
    return learn_choice(
        rows.matrix[followed],
        labels.loc[followed, column].reset_index(drop=True),
        rows.weights[followed],
        rows.as_of[followed],
        rows.encoder.categorical,
        causes=causes,
        seed=seed,
        num_threads=settings.num_threads,
    )


def _notes(
    outcome: Trials,
    horizons: Sequence[int],
    forward: Mapping[int, Mapping[str, float]],
    alarms: Sequence[str],
    settings: RiskSettings,
    seed: int,
    gap_days: float,
) -> dict[str, Any]:
    rows = outcome.rows
    times = pd.to_datetime(np.unique(rows.as_of), unit="us")
    return {
        "rows": len(rows.matrix),
        "as_of_times": len(times),
        "first_as_of": times[0].isoformat(),
        "last_as_of": times[-1].isoformat(),
        "gap_days": gap_days,
        "seed": seed,
        "base_rates": {str(h): float(np.nanmean(rows.y[h])) for h in horizons},
        "rounds": {str(h): outcome.rounds[h] for h in horizons},
        "penalties": {str(h): outcome.penalty for h in horizons},
        "forward": {str(h): dict(forward[h]) for h in horizons},
        "settings": {k: list(v) if isinstance(v, tuple) else v for k, v in _flat(settings).items()},
        "alarms": list(alarms),
    }


def _flat(settings: RiskSettings) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in asdict(settings).items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": of for inner, of in value.items()}
        else:
            flat[name] = value
    return flat
