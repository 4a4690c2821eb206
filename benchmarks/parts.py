"""What each part of the risk model is worth where we did not write the company.

    PRESAGE_DATA=... .venv/bin/python -m benchmarks.parts [--companies a,b] [--real]

Every company below ``PRESAGE_DATA/companies`` is learned as of its cutoff, and judged by soft
labels; ``--real`` adds online retail and incidents, each at all its cutoffs, judged by what came.
Then one part is switched off at a time and the model is learned again:

- hazards: the regression on all features stands in;
- days: all days of a window are worth the same;
- mixing: the usual shares of a horizon's own parts, calibrated by a slope and a level;
- other horizons: a horizon is mixed from its own parts alone;
- level: one step for each horizon, no track through time.

A line gives what the part gains: the mean over cases and horizons of the relative gain in average
precision and in log loss, each with twice its standard error over the cases, and on how many cases
it is positive. Causes of topics are judged on the newest fifth of each training set: the gain in
the log loss of the next complaint's topic. Texts are judged by ``benchmarks.texts``.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.risk import Case, real
from benchmarks.running import show
from data.settings import Settings
from data.tables import MemoryTables
from features.compute import compute
from features.labels import labels
from features.spine import customers_at
from features.views import default_view
from models.metrics import average_precision, log_loss
from models.risk import choice, forward, train
from models.risk.days import learn_days
from models.risk.fit import fit_causes, training
from models.risk.level import Labelled, Track
from models.risk.mixture import Mixture, levelled, mix
from models.risk.model import RiskModel
from models.risk.population import TrainingSet, training_set
from models.risk.settings import RiskSettings, risk_settings

Array = npt.NDArray[np.float64]
SURE = 1e-6


@dataclass(frozen=True)
class Judged:
    """What a case is learned from, and the rows and labels by horizon that judge it."""

    name: str
    horizons: tuple[int, ...]
    settings: RiskSettings
    rows: TrainingSet
    cards: Sequence[Mapping[str, Any]]
    days: Any
    now: pd.DataFrame
    y: Mapping[int, Array]


def companies(root: Path, only: Sequence[str]) -> Iterator[Judged]:
    """The companies of other makes, with soft labels."""
    for folder in sorted(path for path in (root / "companies").iterdir() if path.is_dir()):
        if only and folder.name not in only:
            continue
        tables = {f.stem: pd.read_parquet(f) for f in sorted((folder / "tables").glob("*.parquet"))}
        cutoff = pd.Timestamp(json.loads((folder / "cutoff.json").read_text())["cutoff"])
        at = cutoff.tz_convert("UTC").tz_localize(None).to_pydatetime()
        case = Case(folder.name, MemoryTables(tables), Settings(), [at], (7, 14, 30), at)
        truth = pd.read_parquet(folder / "truth.parquet").set_index("customer_id")
        for case_at in learned(case):
            there = truth.reindex(case_at.now["customer_id"])
            soft = {h: there[f"oracle_{h}"].to_numpy(np.float64) for h in case.horizons}
            yield Judged(**{**case_at.__dict__, "y": soft})


def learned(case: Case) -> Iterator[Judged]:
    """The case at each of its cutoffs."""
    settings, zone = case.settings, case.settings.company.time_zone
    for cutoff in case.cutoffs:
        view = default_view(case.tables, settings, cutoff, zone)
        rows = training_set(case.tables, view, cutoff, case.horizons, settings)
        spine = customers_at(case.tables, [cutoff], settings.risk.active_within_days)
        outcomes = labels(
            spine,
            case.tables,
            horizons=case.horizons,
            known_as_of=case.known_as_of,
            complaint=settings.complaint,
        )
        yield Judged(
            f"{case.name} {cutoff:%Y-%m-%d}",
            case.horizons,
            risk_settings(settings.risk, num_threads=2),
            rows,
            view.cards(),
            learn_days(
                case.tables,
                cutoff,
                settings.complaint,
                countries=settings.company.country,
                time_zone=zone,
            ),
            compute(view, spine, case.tables),
            {h: outcomes[f"label_{h}d"].to_numpy(np.float64) for h in case.horizons},
        )


def own_shares(scores: Array, y: Array, weights: Array, **options: Any) -> Mixture:
    """The usual shares, stretched by one slope."""
    prior = options["prior"]
    one = mix((scores @ prior)[:, None], y, weights, prior=np.ones(1), strength=100.0)
    return Mixture(one.level, one.shares[0] * prior)


def own_parts(scores: Array, y: Array, weights: Array, **options: Any) -> Mixture:
    """Parts of other horizons, whose usual share is none, get none."""
    own = np.flatnonzero(options["prior"])
    mixture = mix(scores[:, own], y, weights, **{**options, "prior": options["prior"][own]})
    shares = np.zeros(scores.shape[1])
    shares[own] = mixture.shares
    return Mixture(mixture.level, shares)


def one_step(of: Mapping[int, Labelled], *, strength: float) -> tuple[dict[int, float], Track]:
    """A step for each horizon, from all rows by their age."""
    steps = {h: levelled(r.score, r.y, r.weights, strength=strength) for h, r in of.items()}
    return steps, Track(np.zeros(1), 0.0, 0.0, 0.0)


def nothing(*_: Any, **__: Any) -> None:
    return None


OFF: Mapping[str, Sequence[tuple[Any, str, Callable[..., Any]]]] = {
    "hazards": ((forward, "fit_causes", nothing), (train, "fit_causes", nothing)),
    "days": (),
    "mixing": ((forward, "mix", own_shares),),
    "other horizons": ((forward, "mix", own_parts),),
    "level": ((train, "levels", one_step),),
}
ANEW = ("hazards",)
"""Parts whose switch changes what is fitted; the others only change how it is mixed."""


@contextmanager
def without(part: str, fits: dict[object, Any]) -> Iterator[None]:
    """The part is switched off. ``fits``: what the whole model fitted, used again where it can."""

    def again(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            key = (name, arguments[1] if name == "_parts" else None)
            if key not in fits:
                fits[key] = function(*arguments, **more)
            return fits[key]

        return call

    with ExitStack() as stack:
        for room, name, instead in OFF.get(part, ()):
            stack.enter_context(mock.patch.object(room, name, instead))
        stack.enter_context(mock.patch.object(train, "_next", nothing))
        if part not in ANEW:
            for name in ("try_parts", "_parts", "_tickets"):
                wrapped = again(name, getattr(train, name))
                stack.enter_context(mock.patch.object(train, name, wrapped))
        yield


def figures(case: Judged, part: str, fits: dict[object, Any]) -> dict[int, tuple[float, float]]:
    """Average precision and log loss by horizon, of the model without the part."""
    with without(part, fits):
        model: RiskModel = train.train_risk(
            case.rows.features,
            case.rows.labels,
            horizons=case.horizons,
            settings=case.settings,
            cards=case.cards,
            days=None if part == "days" else case.days,
        )
    risk = model.predict(case.now, choices=False)
    by_horizon = {}
    for h in case.horizons:
        there = ~np.isnan(case.y[h])
        y, p = case.y[h][there], risk[f"risk_{h}d"].to_numpy()[there]
        by_horizon[h] = average_precision(y, p), log_loss(y, np.clip(p, SURE, 1 - SURE))
    return by_horizon


def of_topics(case: Judged) -> float | None:
    """The relative gain in log loss of the next topic by the hazards' causes; None where there are
    no topics, causes or rows enough."""
    rows, order = train._rows(
        case.rows.features, case.rows.labels, case.horizons, case.settings, case.cards
    )
    h = case.horizons[-1]
    rows_used, weights = training(rows, rows.known(h), h, case.settings, 80_000)
    causes = fit_causes(rows, rows_used, weights, h, case.settings)
    next_topic = case.rows.labels["next_topic"].iloc[order].reset_index(drop=True)
    there = next_topic.notna().to_numpy()
    if causes is None or not there.any():
        return None
    losses: list[float] = []  # by number of trees: without the causes, then with them

    def watched(*arguments: Any) -> float:
        losses.append(kept_loss(*arguments))
        return losses[-1]

    kept_loss = choice._loss
    with mock.patch.object(choice, "_loss", watched):
        choice.learn_choice(
            rows.matrix[there],
            next_topic[there].reset_index(drop=True),
            rows.weights[there],
            rows.as_of[there],
            rows.encoder.categorical,
            causes=causes,
            seed=0,
            num_threads=1,
        )
    many = len(choice.ROUNDS)
    if len(losses) < 2 * many:
        return None
    return 1 - min(losses[many : 2 * many]) / min(losses[:many])


def gain(values: Sequence[float]) -> str:
    """A mean in percent with twice its standard error, and the share of positive ones."""
    gains = np.array(values)
    error = 2 * gains.std(ddof=1) / np.sqrt(len(gains)) if len(gains) > 1 else float("nan")
    return f"{gains.mean():+.2%} ± {error:.2%} ({(gains > 0).sum()} of {len(gains)})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--companies", help="folders, with commas between")
    parser.add_argument("--real", action="store_true", help="online retail and incidents too")
    options = parser.parse_args()
    data = os.environ.get("PRESAGE_DATA")
    if not data:
        raise SystemExit("PRESAGE_DATA is not set: it names the folder of the data sets")
    groups: dict[str, list[dict[str, tuple[float, float]]]] = {}
    topics: dict[str, list[float]] = {}

    def run(group: str, case: Judged) -> None:
        began = time.perf_counter()
        fits: dict[object, Any] = {}
        whole = figures(case, "", fits)
        gains = {}
        for part in OFF:
            off = figures(case, part, fits)
            ap = np.mean([whole[h][0] / off[h][0] - 1 for h in whole])
            loss = np.mean([1 - whole[h][1] / off[h][1] for h in whole])
            gains[part] = float(ap), float(loss)
        groups.setdefault(group, []).append(gains)
        topic = of_topics(case)
        if topic is not None:
            topics.setdefault(group, []).append(topic)
        print(f"{case.name}: {time.perf_counter() - began:.0f} s", flush=True)

    for judged in companies(Path(data), [c for c in (options.companies or "").split(",") if c]):
        run("companies", judged)
    if options.real:
        for case in real(Path(data)):
            for judged in learned(case):
                run(case.name, judged)
    lines = [
        [part, group, gain([of[part][0] for of in cases]), gain([of[part][1] for of in cases])]
        for part in OFF
        for group, cases in groups.items()
    ]
    lines += [["causes of topics", group, "", gain(values)] for group, values in topics.items()]
    show(["part", "cases", "gain in average precision", "gain in log loss"], lines)


if __name__ == "__main__":
    main()
