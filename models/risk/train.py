"""From features and labels to a risk model.

1. Check that there is enough to learn from; say what is missing otherwise.
2. On later slices of time, with everything trained before them (and after an embargo as long as the
   label): choose the number of trees and the regression's penalty, learn how to mix the scores of
   trees and regressions of all horizons, and with that their calibration.
3. Train the parts again on all rows.
4. Set the level so that the newest complete labels are met, drawn to what the trees say.

Rows are whatever the caller gives: many as-of times stacked, for one population. Rows whose label
is not complete (NaN) are left out for that horizon only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.errors import DataError, NotEnoughHistory
from models.metrics import average_precision, log_loss, roc_auc
from models.risk.choice import learn_choice
from models.risk.encode import Encoder, Matrix, feature_columns, learn_encoder, varying
from models.risk.linear import Term, design, designed, fit_linear
from models.risk.mixture import Mixture, levelled, mix, recalibrated_loss
from models.risk.model import Part, RiskModel, Tickets
from models.risk.rows import (
    Digest,
    Mask,
    Slice,
    age_weights,
    content_order,
    customer_digests,
    digest,
    draws,
    later_slices,
    microseconds,
    thinned,
    with_both,
)
from models.risk.settings import RiskSettings
from models.risk.trees import grow, raw_score, staged

Array = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """Training rows in the order of their content."""

    matrix: Matrix
    as_of: Times
    y: Mapping[int, Array]
    drawn: Array
    customers: Digest
    encoder: Encoder
    weights: Array

    def known(self, horizon: int) -> Mask:
        return ~np.isnan(self.y[horizon])


@dataclass(frozen=True)
class Chosen:
    """What the later slices chose for one horizon."""

    rounds: int
    penalty: float


def train_risk(
    features: pd.DataFrame,
    labels: pd.DataFrame,
    *,
    horizons: Sequence[int] = (7, 14, 30),
    seed: int = 0,
    settings: RiskSettings | None = None,
    cards: Sequence[Mapping[str, Any]] = (),
    gap_days: float = 0.0,
) -> RiskModel:
    """Learn P(complaint in [T + gap, T + gap + h)) for every h of ``horizons`` (days).

    ``features``: what ``features.compute`` returns; ``labels``: what ``features.labels`` returns,
    row by row the same customers and times. ``cards``: the view's, for the reasons' words.

    Raises NotEnoughHistory, naming horizon, days and complaints missing, for too little history;
    DataError for labels of one class, for features that never vary, and for rows that do not match.
    Equal rows (in any order), settings, seed and machine give equal models.
    """
    settings = settings or RiskSettings()
    wanted = tuple(sorted(set(horizons)))
    _check_rows(features, labels, wanted)
    _check_history(labels, wanted, settings)
    columns = varying(features, feature_columns(features))
    if not columns:
        raise DataError(
            f"none of the {len(feature_columns(features))} features varies over the {len(features)}"
            " training rows, so no customer can be told from another; check that the tables' "
            "customer_id match each other"
        )
    encoder = learn_encoder(features, columns)
    rows, order = _rows(features, labels, encoder, wanted, settings)
    slices = _slices(rows, wanted, settings, gap_days)
    contacts = _contacts(labels.iloc[order], wanted)
    tried = [_Trial(rows, part, wanted, contacts, settings, seed) for part in slices]
    chosen = {h: _choose(rows, tried, h, settings) for h in wanted}
    mixtures, forward = _mixtures(rows, tried, chosen, wanted, settings)

    parts: list[Part] = []
    for h in wanted:
        kept, weights = _training(rows, rows.known(h), h, settings)
        booster = _trees(rows, kept, weights, h, chosen[h].rounds, settings, seed)
        parts.append(Part("trees", h, booster))
        terms = design(rows.matrix[kept], encoder, weights)
        values = designed(rows.matrix[kept], terms)
        [linear] = fit_linear(
            values, terms, rows.y[h][kept], weights, penalties=(chosen[h].penalty,)
        )
        parts.append(Part("linear", h, linear))
    mixtures = _levels(rows, parts, mixtures, wanted, settings)
    sorted_labels = labels.iloc[order]
    tickets = _tickets(rows, contacts, tried, wanted[-1], settings, seed)
    alarms = _leaks(rows, tried, wanted, settings)
    return RiskModel(
        horizons=wanted,
        encoder=encoder,
        parts=tuple(parts),
        mixtures=mixtures,
        tickets=tickets,
        topic=_next(rows, sorted_labels, "next_topic", seed, settings),
        channel=_next(rows, sorted_labels, "next_channel", seed, settings),
        cards={str(card["name"]): _card(card) for card in cards if card["name"] in columns},
        golden=rows.matrix[np.linspace(0, len(rows.matrix) - 1, 2000).astype(np.int64)],
        notes=_notes(rows, wanted, chosen, forward, alarms, settings, seed, gap_days),
    )


def _check_rows(features: pd.DataFrame, labels: pd.DataFrame, horizons: Sequence[int]) -> None:
    if len(features) != len(labels):
        raise DataError(f"{len(features)} rows of features, but {len(labels)} of labels")
    for key in ("customer_id", "as_of"):
        differ = features[key].to_numpy() != labels[key].to_numpy()
        if differ.any():
            at = int(differ.argmax())
            raise DataError(
                f"row {at} is {key} {features[key].iloc[at]} in the features and "
                f"{labels[key].iloc[at]} in the labels; both must follow the same spine"
            )
    for h in horizons:
        if f"label_{h}d" not in labels.columns:
            raise DataError(f"the labels have no column label_{h}d; compute them with this horizon")


def _check_history(labels: pd.DataFrame, horizons: Sequence[int], settings: RiskSettings) -> None:
    for h in horizons:
        known = labels[labels[f"label_{h}d"].notna()]
        times = known["as_of"].nunique()
        if times < settings.minimum_as_ofs:
            missing = settings.minimum_as_ofs - times
            raise NotEnoughHistory(
                f"{h}-day risk: {times} as-of times have a complete label and {missing} more are "
                f"needed; wait that many training steps (weeks, by default), or leave out the "
                f"horizon of {h} days"
            )
        complaining = known[known[f"label_{h}d"] > 0]
        if len(complaining) and len(complaining) == len(known):
            raise DataError(
                f"{h}-day risk: every one of the {len(known)} labels is 1, so there is nobody to "
                "tell complainers from; check the [complaint] rule"
            )
        rows, people = len(complaining), complaining["customer_id"].nunique()
        if rows == 0:
            raise NotEnoughHistory(
                f"{h}-day risk: not one of {len(known)} rows is followed by a complaint (one class "
                f"only); at least {settings.minimum_complaints} are needed. Check the [complaint] "
                "rule, or bring more history"
            )
        enough = settings.minimum_complaints
        if rows < enough or people < enough // 2:
            raise NotEnoughHistory(
                f"{h}-day risk: {rows} rows of {people} customers are followed by a complaint; at "
                f"least {enough} rows of {enough // 2} customers are needed, so "
                f"{max(enough - rows, 0)} rows and {max(enough // 2 - people, 0)} customers are "
                f"missing (about {_days_missing(known, rows, enough):.0f} more days of history)"
            )


def _days_missing(known: pd.DataFrame, rows: int, enough: int) -> float:
    span = (known["as_of"].max() - known["as_of"].min()).total_seconds() / 86400 + 7
    return max(span * (enough / rows - 1), 7.0)


def _rows(
    features: pd.DataFrame,
    labels: pd.DataFrame,
    encoder: Encoder,
    horizons: Sequence[int],
    settings: RiskSettings,
) -> tuple[Rows, npt.NDArray[np.int64]]:
    matrix = encoder.matrix(features)
    as_of = microseconds(features["as_of"])
    y = np.column_stack([labels[f"label_{h}d"].to_numpy(dtype=np.float64) for h in horizons])
    digests = digest(matrix, as_of, y)
    customers = customer_digests(features["customer_id"], digests)
    order = content_order(as_of, digests)
    as_of = as_of[order]
    rows = Rows(
        matrix=np.ascontiguousarray(matrix[order]),
        as_of=as_of,
        y={h: (y[order, at] > 0) * 1.0 + y[order, at] * 0 for at, h in enumerate(horizons)},
        drawn=draws(digests[order]),
        customers=customers[order],
        encoder=encoder,
        weights=age_weights(as_of, settings.half_life_days),
    )
    return rows, order


def _slices(
    rows: Rows, horizons: Sequence[int], settings: RiskSettings, gap_days: float
) -> list[Slice]:
    known = {h: rows.known(h) for h in horizons}

    def cut(slices: int, share: float) -> list[Slice]:
        return later_slices(
            rows.as_of, known, rows.customers, slices=slices, share=share, gap_days=gap_days
        )

    def usable(parts: list[Slice]) -> list[Slice]:
        return [
            part
            for part in parts
            if all(
                with_both(part.before[h], rows.y[h], 20) and with_both(part.judged, rows.y[h], 10)
                for h in horizons
            )
        ]

    for parts in (cut(settings.slices, settings.slice_share), cut(1, 0.01), cut(1, 2.0)):
        found = usable(parts)
        if found:
            return found
    raise NotEnoughHistory(
        "complaints are too few to hold some of them back for calibration: no later slice and no "
        "third of the customers has 10 of them with 20 left to learn from; bring more history"
    )


class _Trial:
    """The parts trained before one later slice, and their scores on it, for every candidate."""

    def __init__(
        self,
        rows: Rows,
        part: Slice,
        horizons: Sequence[int],
        contacts: Array,
        settings: RiskSettings,
        seed: int,
    ) -> None:
        self.judged = part.judged
        held = rows.matrix[part.judged]
        booster = _poisson(
            rows, part.before[horizons[-1]], contacts, settings.trees.rounds[-1], settings, seed
        )
        rounds = settings.trees.rounds
        scores = staged(booster, held, rounds, num_threads=settings.num_threads)
        self.contacts = dict(zip(rounds, scores, strict=True))
        self.trees: dict[int, dict[int, Array]] = {}
        self.linear: dict[int, dict[float, Array]] = {}
        for h in horizons:
            kept, weights = _training(rows, part.before[h], h, settings)
            most = settings.trees.rounds[-1]
            booster = _trees(rows, kept, weights, h, most, settings, seed)
            scores = staged(booster, held, rounds, num_threads=settings.num_threads)
            self.trees[h] = dict(zip(rounds, scores, strict=True))
            terms: tuple[Term, ...] = design(rows.matrix[kept], rows.encoder, weights)
            values = designed(rows.matrix[kept], terms)
            y = rows.y[h][kept]
            fitted = fit_linear(values, terms, y, weights, penalties=settings.penalties)
            self.linear[h] = {
                penalty: line.score(held)
                for penalty, line in zip(settings.penalties, fitted, strict=True)
            }


def _training(
    rows: Rows, allowed: Mask, horizon: int, settings: RiskSettings
) -> tuple[Mask, Array]:
    """Which of the allowed rows to train on, and the weights of those."""
    kept = allowed.copy()
    chosen, weight = thinned(
        rows.y[horizon][allowed], rows.drawn[allowed], settings.others_per_complaint
    )
    kept[allowed] = chosen
    return kept, (weight * rows.weights[allowed])[chosen]


def _trees(
    rows: Rows,
    kept: Mask,
    weights: Array,
    horizon: int,
    rounds: int,
    settings: RiskSettings,
    seed: int,
) -> Any:
    return grow(
        rows.matrix[kept],
        rows.y[horizon][kept],
        weights,
        rows.encoder.categorical,
        settings.trees,
        rounds=rounds,
        seed=seed,
        num_threads=settings.num_threads,
    )


def _choose(rows: Rows, tried: Sequence[_Trial], horizon: int, settings: RiskSettings) -> Chosen:
    """Rounds and penalty with the least recalibrated loss, over the slices by their rows."""

    def loss(of: str, candidate: float) -> float:
        losses, sizes = [], []
        for trial in tried:
            score = getattr(trial, of)[horizon][candidate]
            y = rows.y[horizon][trial.judged]
            losses.append(recalibrated_loss(score, y, np.ones(len(y))))
            sizes.append(len(y))
        return float(np.average(losses, weights=sizes))

    rounds = min(settings.trees.rounds, key=lambda count: loss("trees", count))
    penalty = min(settings.penalties, key=lambda value: loss("linear", value))
    return Chosen(rounds, penalty)


def _mixtures(
    rows: Rows,
    tried: Sequence[_Trial],
    chosen: Mapping[int, Chosen],
    horizons: Sequence[int],
    settings: RiskSettings,
) -> tuple[dict[int, Mixture], dict[int, dict[str, float]]]:
    """Per horizon the mixture of all parts, and how it did on the later slices."""
    scores = np.vstack(
        [
            np.column_stack(
                [
                    score
                    for h in horizons
                    for score in (
                        trial.trees[h][chosen[h].rounds],
                        trial.linear[h][chosen[h].penalty],
                    )
                ]
            )
            for trial in tried
        ]
    )
    mixtures, forward = {}, {}
    for at, h in enumerate(horizons):
        y = np.concatenate([rows.y[h][trial.judged] for trial in tried])
        prior = np.zeros(scores.shape[1])
        prior[2 * at : 2 * at + 2] = 0.5
        ones = np.ones(len(y))
        mixtures[h] = mix(scores, y, ones, prior=prior, strength=settings.mixture_prior)
        risk = 1 / (1 + np.exp(-mixtures[h].score(scores)))
        forward[h] = {
            "rows": float(len(y)),
            "base_rate": float(y.mean()),
            "average_precision": average_precision(y, risk),
            "roc_auc": roc_auc(y, risk),
            "log_loss": log_loss(y, risk),
        }
    return mixtures, forward


def _levels(
    rows: Rows,
    parts: Sequence[Part],
    mixtures: Mapping[int, Mixture],
    horizons: Sequence[int],
    settings: RiskSettings,
) -> dict[int, Mixture]:
    """The mixtures with their level set on the newest complete labels.

    Each horizon first meets its own weighed training rows at large. The labels of the shortest
    horizon are complete soonest, so they tell every horizon how far the level has moved since.
    """
    scores = np.column_stack([part.score(rows.matrix, settings.num_threads) for part in parts])
    usual: dict[int, float] = {}
    for h in horizons:
        known = rows.known(h)
        score = Mixture(0.0, mixtures[h].shares).score(scores[known])
        usual[h] = levelled(score, rows.y[h][known], rows.weights[known], strength=0.0)
    soonest = horizons[0]
    known = rows.known(soonest)
    score = Mixture(usual[soonest], mixtures[soonest].shares).score(scores[known])
    newest = age_weights(rows.as_of[known], settings.level_half_life_days)
    step = levelled(score, rows.y[soonest][known], newest, strength=settings.level_prior)
    return {h: Mixture(usual[h] + step, mixtures[h].shares) for h in horizons}


def _contacts(labels: pd.DataFrame, horizons: Sequence[int]) -> Array:
    """Contacts within the longest horizon, NaN where not complete."""
    name = f"tickets_{horizons[-1]}d"
    if name not in labels.columns:
        raise DataError(f"the labels have no column {name}; compute them with this horizon")
    return labels[name].to_numpy(dtype=np.float64, na_value=np.nan)


def _tickets(
    rows: Rows,
    contacts: Array,
    tried: Sequence[_Trial],
    days: int,
    settings: RiskSettings,
    seed: int,
) -> Tickets:
    """Expected contacts within ``days``: rounds by the later slices' deviance after levelling."""

    def deviance(rounds: int) -> float:
        total = 0.0
        for trial in tried:
            y, raw = contacts[trial.judged], trial.contacts[rounds]
            raw = raw + np.log(max(y.sum(), 1.0) / np.exp(raw).sum())
            total += float((np.exp(raw) - y * raw).sum())
        return total

    known = ~np.isnan(contacts)
    booster = _poisson(
        rows, known, contacts, min(settings.trees.rounds, key=deviance), settings, seed
    )
    raw = raw_score(booster, rows.matrix[known], num_threads=settings.num_threads)
    newest = age_weights(rows.as_of[known], settings.level_half_life_days)
    seen = float((newest * contacts[known]).sum())
    said = float((newest * np.exp(raw)).sum())
    level = (seen + settings.level_prior) / (said + settings.level_prior)
    return Tickets(booster, level, days)


def _poisson(
    rows: Rows, allowed: Mask, contacts: Array, rounds: int, settings: RiskSettings, seed: int
) -> Any:
    """Trees for the log of expected contacts; nobody is thinned by a label, only by a draw."""
    most = settings.most_rows
    kept = allowed & ~np.isnan(contacts)
    kept &= rows.drawn < most / max(int(kept.sum()), 1)
    return grow(
        rows.matrix[kept],
        contacts[kept],
        rows.weights[kept],
        rows.encoder.categorical,
        settings.trees,
        objective="poisson",
        rounds=rounds,
        seed=seed,
        num_threads=settings.num_threads,
    )


def _next(rows: Rows, labels: pd.DataFrame, column: str, seed: int, settings: RiskSettings) -> Any:
    if column not in labels.columns:
        return None
    return learn_choice(
        rows.matrix[labels[column].notna().to_numpy()],
        labels[column].dropna().reset_index(drop=True),
        rows.weights[labels[column].notna().to_numpy()],
        rows.as_of[labels[column].notna().to_numpy()],
        rows.encoder.categorical,
        seed=seed,
        num_threads=settings.num_threads,
    )


def _leaks(
    rows: Rows, tried: Sequence[_Trial], horizons: Sequence[int], settings: RiskSettings
) -> list[str]:
    """Alarms for single features that rank later complaints too well to be true."""
    judged = np.logical_or.reduce([trial.judged for trial in tried])
    y = rows.y[horizons[0]][judged]
    found = []
    for at, name in enumerate(rows.encoder.columns):
        if at in rows.encoder.categorical:
            continue
        values = rows.matrix[judged, at].astype(np.float64)
        lowest = float(np.nanmin(values, initial=0.0))
        area = roc_auc(y, np.where(np.isnan(values), lowest - 1.0, values))
        area = max(area, 1 - area)
        if area >= settings.leak_auc:
            found.append(
                f"the feature {name} alone ranks later complaints almost perfectly (AUC "
                f"{area:.3f}): it probably knows the outcome; check when its values become known"
            )
    return found


def _notes(
    rows: Rows,
    horizons: Sequence[int],
    chosen: Mapping[int, Chosen],
    forward: Mapping[int, Mapping[str, float]],
    alarms: Sequence[str],
    settings: RiskSettings,
    seed: int,
    gap_days: float,
) -> dict[str, Any]:
    times = pd.to_datetime(np.unique(rows.as_of), unit="us")
    return {
        "rows": len(rows.matrix),
        "as_of_times": len(times),
        "first_as_of": times[0].isoformat(),
        "last_as_of": times[-1].isoformat(),
        "gap_days": gap_days,
        "seed": seed,
        "base_rates": {str(h): float(np.nanmean(rows.y[h])) for h in horizons},
        "rounds": {str(h): chosen[h].rounds for h in horizons},
        "penalties": {str(h): chosen[h].penalty for h in horizons},
        "forward": {str(h): dict(forward[h]) for h in horizons},
        "settings": {k: list(v) if isinstance(v, tuple) else v for k, v in _flat(settings).items()},
        "alarms": list(alarms),
    }


def _flat(settings: RiskSettings) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in asdict(settings).items():
        if isinstance(value, dict):
            found |= {f"{name}.{inner}": of for inner, of in value.items()}
        else:
            found[name] = value
    return found


def _card(card: Mapping[str, Any]) -> dict[str, Any]:
    return {key: str(card[key]) for key in ("source", "note", "formula", "group") if card.get(key)}
