"""A trained volume model: what was learned from the past, apart from the past itself.

It holds the judge's weights, the intervals' quantiles and the tree member; the counts it
forecasts from are handed over each time, so a model trained last week forecasts from this
morning's counts. On disk it is a bundle: LightGBM text and JSON, hashed, nothing pickled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.errors import DamagedFile, UsageError
from models.bundle import Bundle, read_bundle, write_bundle
from models.coherence import reconcile, sums_of
from models.one_number import Record
from models.volume import intervals
from models.volume.context import VolumeContext
from models.volume.drivers import loads_at
from models.volume.intervals import Spread, apply_spread, learn_spread, unit_of
from models.volume.judge import Workbench, combine, share_of, tried, untried, weights_of
from models.volume.members import NAMES, forecasts_at, origin_of, special_at
from models.volume.panel import Floats, Panel, long_frame, panel_of
from models.volume.paths import TAILS, Paths, copula, draw, scores_of
from models.volume.series import TOTAL
from models.volume.trees import TreeModel, series_codes

LEVELS = (80, 95)
KIND = "volume"
NEVER_TRIED = Record()


@dataclass(frozen=True)
class Made:
    """One forecast before its quantiles are read off: ``members`` (members x series x steps, the
    special days' ``effect`` in them; with drivers each twice, the second time on what drivers leave
    and multiplied by ``load``), ``weight`` (members x series), what they ``combined`` to and
    the reconciled ``mean`` (series x steps), ``spread`` and special days' ``doubt``; ``rows`` are
    the series' places in the model, -1 for new ones.
    """

    members: Floats
    weight: Floats
    effect: Floats
    combined: Floats
    mean: Floats
    spread: Spread
    doubt: Floats | None
    rows: npt.NDArray[np.int64]
    load: Floats | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The members' names, in their order."""
        return NAMES if self.load is None else (*NAMES, *(f"{one} with drivers" for one in NAMES))


@dataclass(frozen=True)
class Driven:
    """What was learned of the members on what drivers leave: their ``weight`` (members x series),
    trees, and the ``share`` (series) that forecasts with drivers have in the answer.
    """

    weight: Floats
    trees: TreeModel | None
    share: Floats


@dataclass(frozen=True)
class VolumeModel:
    """Weights (members x series), spread and trees for the series ``ids``, of one frequency.

    ``horizon`` is the number of steps that was tried; longer forecasts keep the last step's
    spread. ``record``: what the trials said of the total of a whole horizon, and what came.
    """

    freq: str
    horizon: int
    ids: tuple[str, ...]
    weight: Floats
    spread: Spread
    trees: TreeModel | None
    origins: int
    scores: npt.NDArray[np.float32]
    driven: Driven | None = None
    record: Record = NEVER_TRIED

    def forecast(
        self,
        history: pd.DataFrame,
        *,
        horizon: int | None = None,
        context: VolumeContext | None = None,
        levels: Sequence[int] = LEVELS,
    ) -> pd.DataFrame:
        """The next steps after the last ``ds`` of ``history``: see ``forecaster.forecast``."""
        return self.told(history, horizon=horizon, context=context, levels=levels)[0]

    def told(
        self,
        history: pd.DataFrame,
        *,
        horizon: int | None = None,
        context: VolumeContext | None = None,
        levels: Sequence[int] = LEVELS,
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The forecast, and what each of its numbers is made of: see ``audit.parts_of``."""
        from models.volume.audit import parts_of

        steps = self.horizon if horizon is None else horizon
        check(steps, levels)
        panel = panel_of(history, self.freq, context)
        made = self.made(panel, steps, context or VolumeContext())
        return self._frame(panel, made, steps, levels), parts_of(panel, made)

    def on(
        self, panel: Panel, horizon: int, context: VolumeContext, levels: Sequence[int]
    ) -> pd.DataFrame:
        """The forecast from a panel that ends at the cutoff; sorted by series and time."""
        return self._frame(panel, self.made(panel, horizon, context), horizon, levels)

    def _frame(self, panel: Panel, made: Made, horizon: int, levels: Sequence[int]) -> pd.DataFrame:
        tails = sorted({0.5, *(t for level in levels for t in (_low(level), _high(level)))})
        quantiles = apply_spread(made.mean, made.spread, tails, made.doubt)
        columns = {"presage": made.mean, "presage-median": quantiles[tails.index(0.5)]}
        for level in levels:
            columns[f"presage-lo-{level}"] = quantiles[tails.index(_low(level))]
            columns[f"presage-hi-{level}"] = quantiles[tails.index(_high(level))]
        frame = long_frame(panel.ids, panel.grid.ds(panel.future(horizon)), **columns)
        return frame.sort_values(["unique_id", "ds"], ignore_index=True)

    def paths(
        self,
        history: pd.DataFrame,
        count: int,
        *,
        seed: int,
        horizon: int | None = None,
        context: VolumeContext | None = None,
        whole: bool = True,
    ) -> Paths:
        """``count`` joint sample paths of the next steps: see ``models.volume.paths``."""
        steps = self.horizon if horizon is None else horizon
        check(steps, ())
        panel = panel_of(history, self.freq, context)
        made = self.made(panel, steps, context or VolumeContext())
        rng = np.random.default_rng(seed)
        normal = copula(self.scores, made.rows, steps, count, rng)
        quantiles = apply_spread(made.mean, made.spread, list(TAILS), made.doubt)
        counts = draw(normal, quantiles, sums_of(panel.ids, panel.y), whole=whole)
        return Paths(panel.ids, panel.grid.ds(panel.future(steps)), counts)

    def made(self, panel: Panel, horizon: int, context: VolumeContext) -> Made:
        """Everything that the next steps' forecast is made of."""
        place = {name: row for row, name in enumerate(self.ids)}
        rows = np.array([place.get(name, -1) for name in panel.ids])
        codes = np.where(rows >= 0, series_codes(len(self.ids))[rows], np.nan)
        ready = origin_of(panel, horizon, context)
        members = forecasts_at(ready, horizon, context, self.trees, codes)
        new = self._newcomers(len(rows), self.weight)
        weight = np.where(rows >= 0, self.weight[:, rows], new)
        spread = self._spread_of(rows)
        load = None
        if self.driven is not None and context.drivers is not None:
            loads = loads_at(context.drivers, panel)
            if loads is not None:
                load = loads.coming(panel, horizon)
                bare = origin_of(loads.without(panel), horizon, context)
                more = forecasts_at(bare, horizon, context, self.driven.trees, codes) * load
                share = np.where(rows >= 0, self.driven.share[rows], self.driven.share.mean())
                new = self._newcomers(len(rows), self.driven.weight)
                other = np.where(rows >= 0, self.driven.weight[:, rows], new)
                members = np.concatenate([members, more])
                weight = np.concatenate([(1 - share) * weight, share * other])
        combined = combine(members, weight)
        special = special_at(ready, horizon, context)
        effect, doubt = special if special is not None else (np.ones_like(combined), None)
        mean = self._coherent(panel, combined, spread)
        return Made(members, weight, effect, combined, mean, spread, doubt, rows, load)

    def weights(self) -> pd.DataFrame:
        """Who counts how much: ``unique_id``, then a column per member (rows add up to 1)."""
        frame = pd.DataFrame(self.weight.T, columns=list(NAMES))
        frame.insert(0, "unique_id", list(self.ids))
        return frame

    def save(self, folder: Path) -> None:
        """Write the model as a bundle."""
        files: dict[str, Any] = {
            "judge.json": {
                "members": list(NAMES),
                "ids": list(self.ids),
                "weight": self.weight.tolist(),
            },
            "spread.json": {
                "probabilities": intervals.PROBABILITIES.tolist(),
                "phi": self.spread.phi.tolist(),
                "growth": self.spread.growth.tolist(),
                "quantiles": self.spread.quantiles.tolist(),
            },
            "scores.npy": self.scores,
        }
        golden = {}
        driven = None if self.driven is None else self.driven.trees
        for prefix, trees in (("", self.trees), ("driven-", driven)):
            if trees is not None:
                both = f"{prefix}trees.txt", f"{prefix}trees-median.txt"
                files[both[0]], files[both[1]] = trees.booster, trees.median
                golden[both[0]] = golden[both[1]] = trees.golden
        if self.driven is not None:
            files["driven.json"] = {
                "weight": self.driven.weight.tolist(),
                "share": self.driven.share.tolist(),
            }
        meta = {
            "kind": KIND,
            "freq": self.freq,
            "horizon": self.horizon,
            "origins": self.origins,
            "record": [list(self.record.said), list(self.record.came), self.record.windows],
        }
        write_bundle(folder, files, meta, golden=golden)

    def _newcomers(self, n: int, weight: Floats) -> Floats:
        """Weights of series that the model was not trained on: the mean of those it was."""
        if len(self.ids) == 0:
            return untried(n)
        return np.repeat(weight.mean(axis=1, keepdims=True), n, axis=1)

    def _spread_of(self, rows: np.ndarray) -> Spread:
        old, known = self.spread, rows >= 0
        typical = np.median(old.phi) if len(old.phi) else 0.09
        return Spread(
            np.where(known, old.phi[rows], typical),
            old.growth,
            np.where(known[:, None], old.quantiles[rows], old.quantiles.mean(axis=0)),
        )

    def _coherent(self, panel: Panel, mean: Floats, spread: Spread) -> Floats:
        sums = sums_of(panel.ids, panel.y)
        if not sums:
            return mean
        return reconcile(mean, unit_of(mean, spread) ** 2, sums)


def _low(level: int) -> float:
    return 0.5 - level / 200


def _high(level: int) -> float:
    return 0.5 + level / 200


def check(horizon: int, levels: Sequence[int]) -> None:
    """UsageError for a horizon below one step or a level that is no percentage."""
    if horizon < 1:
        raise UsageError(f"the horizon is {horizon} steps; it must be at least 1.")
    wrong = [level for level in levels if not 0 < level < 100]
    if wrong:
        raise UsageError(f"the level {wrong[0]} is not between 0 and 100 percent.")


def learn(bench: Workbench, cutoff: int, freq: str, beside: Workbench | None = None) -> VolumeModel:
    """The model of everything up to step ``cutoff``; ``beside``: the same bench, with drivers."""
    trials = bench.trials(cutoff)
    weight = weights_of(trials)
    past = bench.panel.until(cutoff)
    combined = tried(trials)
    driven = None
    if beside is not None:
        others = beside.trials(cutoff)
        with_drivers = tried(others)
        share = share_of(combined, with_drivers, trials.actual)
        combined = combined + share[None, :, None] * (with_drivers - combined)
        driven = Driven(weights_of(others), beside.model(cutoff), share)
    spread = learn_spread(combined, trials.actual, trials.windows)
    return VolumeModel(
        freq,
        bench.horizon,
        past.ids,
        weight,
        spread,
        bench.model(cutoff),
        len(trials.actual),
        scores_of(combined, trials.actual, spread),
        driven,
        _record_of(past.ids, combined, trials.actual, trials.windows),
    )


def _record_of(ids: Sequence[str], said: Floats, came: Floats, windows: float) -> Record:
    """The trials' sums over the horizon of the total; none where there is no total."""
    if TOTAL not in ids or not len(said):
        return Record()
    row = ids.index(TOTAL)
    both = said[:, row].sum(axis=1), came[:, row].sum(axis=1)
    whole = ~np.isnan(both[0]) & ~np.isnan(both[1])
    kept = [tuple(float(value) for value in each[whole]) for each in both]
    return Record(kept[0], kept[1], windows * float(whole.mean()))


def load_volume(folder: Path) -> VolumeModel:
    """The model saved in ``folder``; DamagedFile if a file is not what was written."""
    bundle = read_bundle(folder)
    judge, spread = bundle.documents["judge.json"], bundle.documents["spread.json"]
    if bundle.kind != KIND or judge["members"] != list(NAMES):
        raise DamagedFile(
            f"{folder}: was written by another version of Presage (members {judge['members']}); "
            "train again."
        )
    ids = tuple(judge["ids"])
    said, came, windows = bundle.meta["record"]
    driven = None
    if "driven.json" in bundle.documents:
        told = bundle.documents["driven.json"]
        driven = Driven(
            np.array(told["weight"], dtype="float64").reshape(len(NAMES), len(ids)),
            _trees_of(bundle, "driven-"),
            np.array(told["share"], dtype="float64"),
        )
    return VolumeModel(
        bundle.meta["freq"],
        int(bundle.meta["horizon"]),
        ids,
        np.array(judge["weight"], dtype="float64").reshape(len(NAMES), len(ids)),
        Spread(
            np.array(spread["phi"], dtype="float64"),
            np.array(spread["growth"], dtype="float64"),
            np.array(spread["quantiles"], dtype="float64").reshape(len(ids), -1),
        ),
        _trees_of(bundle, ""),
        int(bundle.meta["origins"]),
        bundle.arrays["scores.npy"],
        driven,
        Record(tuple(said), tuple(came), windows),
    )


def _trees_of(bundle: Bundle, prefix: str) -> TreeModel | None:
    if f"{prefix}trees.txt" not in bundle.boosters:
        return None
    return TreeModel(
        bundle.boosters[f"{prefix}trees.txt"],
        bundle.boosters[f"{prefix}trees-median.txt"],
        bundle.arrays[f"{prefix}trees.golden-inputs.npy"],
    )
