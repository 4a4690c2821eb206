"""A trained volume model: what was learned from the past, apart from the past itself.

It holds the judge's weights, the intervals' quantiles and the tree member; the counts it
forecasts from are handed over each time, so a model trained last week forecasts from this
morning's counts. ``learning`` makes it, ``stored`` keeps it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.arrays import Floats
from data.errors import UsageError
from models.bundle import write_bundle
from models.coherence import reconcile, sums_of
from models.one_number import Record
from models.volume.components import ForecastComponents
from models.volume.context import VolumeContext
from models.volume.drivers import loads_at
from models.volume.intervals import PROBABILITIES, Spread, reaching, unit_of
from models.volume.judge import combine, untried
from models.volume.members import NAMES, events_at, forecasts_at, hours_at, origin_of, special_at
from models.volume.newcomers import behind
from models.volume.panel import Panel, long_frame, panel_of
from models.volume.parts import parts_of
from models.volume.paths import TAILS, Paths, copula, draw, means_of
from models.volume.prepare import closed_by_calendar, with_wholes
from models.volume.special_hours import OPENED_DOUBT, SpecialHours
from models.volume.tested import Tested
from models.volume.trees import TreeModel, series_codes

KIND = "volume"
LEVELS = (80, 95)
LOOSE = 1e4
NEVER_TRIED = Record()


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
    spread. ``record``: what the trials said of the total of a whole horizon, and what came;
    ``tested``: how far off they were for each series.
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
    tested: Tested | None = None

    def forecast(
        self,
        history: pd.DataFrame,
        *,
        horizon: int | None = None,
        context: VolumeContext | None = None,
        levels: Sequence[int] = LEVELS,
    ) -> pd.DataFrame:
        """The next steps after the last ``ds`` of ``history``: see ``forecaster.forecast``."""
        return self.forecast_with_components(
            history, horizon=horizon, context=context, levels=levels
        )[0]

    def forecast_with_components(
        self,
        history: pd.DataFrame,
        *,
        horizon: int | None = None,
        context: VolumeContext | None = None,
        levels: Sequence[int] = LEVELS,
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The forecast, and what each of its numbers is made of: see ``parts.parts_of``."""
        steps = self.horizon if horizon is None else horizon
        check(steps, levels)
        panel = panel_of(history, self.freq, context)
        components = self.components(panel, steps, context or VolumeContext())
        return self._frame(panel, components, steps, levels), parts_of(panel, components)

    def on(
        self, panel: Panel, horizon: int, context: VolumeContext, levels: Sequence[int]
    ) -> pd.DataFrame:
        """The forecast from a panel that ends at the cutoff; sorted by series and time."""
        return self._frame(panel, self.components(panel, horizon, context), horizon, levels)

    def _frame(
        self, panel: Panel, components: ForecastComponents, horizon: int, levels: Sequence[int]
    ) -> pd.DataFrame:
        tails = sorted({0.5, *(t for level in levels for t in (_low(level), _high(level)))})
        quantiles = components.quantiles(tails)
        columns = {"presage": components.mean, "presage-median": quantiles[tails.index(0.5)]}
        for level in levels:
            columns[f"presage-lo-{level}"] = quantiles[tails.index(_low(level))]
            columns[f"presage-hi-{level}"] = quantiles[tails.index(_high(level))]
        future = panel.future(horizon)
        frame = long_frame(panel.ids, panel.grid.ds(future), **columns)
        there = panel.grid.exists(future)
        if not there.all():
            frame = frame[np.tile(there, len(panel.ids))]
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
        means: pd.DataFrame | None = None,
        only: Sequence[str] | None = None,
    ) -> Paths:
        """``count`` joint sample paths of the next steps: see ``models.volume.paths``.

        ``means``: a forecast (``unique_id, ds, presage``) whose means the paths take, and its
        quantiles in proportion; None: the model's own. ``only``: of these series alone, each by its
        own quantiles (none added up from parts).
        """
        steps = self.horizon if horizon is None else horizon
        check(steps, ())
        panel = panel_of(history, self.freq, context)
        components = self.components(panel, steps, context or VolumeContext())
        rng = np.random.default_rng(seed)
        here = np.arange(len(panel.ids))
        sums = sums_of(panel.ids, panel.y)
        if only is not None:
            here, sums = np.flatnonzero(np.isin(panel.ids, list(only))), ()
        normal = copula(self.scores, components.rows[here], steps, count, rng)
        quantiles, mean = components.quantiles(list(TAILS))[:, here], components.mean[here]
        ids = tuple(panel.ids[place] for place in here)
        ds = panel.grid.ds(panel.future(steps))
        if means is not None:
            wanted = means_of(means, ids, ds)
            quantiles = quantiles * np.where(mean > 0, wanted / np.where(mean > 0, mean, 1.0), 1.0)
            mean = wanted
        counts = draw(normal, quantiles, mean, sums, rng, whole=whole)
        return Paths(ids, ds, counts)

    def components(self, panel: Panel, horizon: int, context: VolumeContext) -> ForecastComponents:
        """Everything that the next steps' forecast is made of."""
        place = {name: row for row, name in enumerate(self.ids)}
        rows = np.array([place.get(name, -1) for name in panel.ids])
        codes = np.where(rows >= 0, series_codes(len(self.ids))[rows], np.nan)
        ready = origin_of(panel, horizon, context)
        members = forecasts_at(ready, horizon, context, self.trees, codes)
        new = self._newcomers(len(rows), self.weight)
        weight = np.where(rows >= 0, self.weight[:, rows], new)
        spread = reaching(self._spread_of(rows), panel.y.shape[1], horizon)
        load = paths = None
        if self.driven is not None and context.drivers is not None:
            loads = loads_at(context.drivers, panel)
            if loads is not None:
                load = loads.coming(panel, horizon)
                bare = origin_of(loads.without(panel), horizon, context)
                more = forecasts_at(bare, horizon, context, self.driven.trees, codes) * load
                share = np.where(rows >= 0, self.driven.share[rows], self.driven.share.mean())
                new = self._newcomers(len(rows), self.driven.weight)
                other = np.where(rows >= 0, self.driven.weight[:, rows], new)
                weight = np.concatenate([(1 - share) * weight, share * other])
                turn = loads.coming_by_path(panel, horizon) / load
                every = [np.concatenate([members, more * one]) for one in turn]
                paths = np.stack([combine(one, weight) for one in every])
                members = np.concatenate([members, more])
        combined = combine(members, weight)
        if paths is not None:
            paths = np.where(combined > 0, paths / np.where(combined > 0, combined, 1.0), 1.0)
        special = special_at(ready, horizon, context)
        effect, doubt = special if special is not None else (np.ones_like(combined), None)
        events = events_at(ready, horizon)
        event = np.ones_like(combined) if events is None else events[0]
        if events is not None:
            doubt = events[1] if doubt is None else np.hypot(doubt, events[1])
        hours = hours_at(ready, horizon, context)
        if hours.opened.any():
            doubt = np.hypot(0.0 if doubt is None else doubt, OPENED_DOUBT * hours.opened)
        mean = self._coherent(panel, ready.panel.y, combined, spread, context, hours)
        return ForecastComponents(
            members,
            weight,
            effect,
            event,
            combined,
            mean,
            spread,
            doubt,
            rows,
            load,
            paths,
            np.nan_to_num(ready.panel.y).max(axis=1),
        )

    def weights(self) -> pd.DataFrame:
        """Who counts how much: ``unique_id``, then a column per member (rows add up to 1)."""
        frame = pd.DataFrame(self.weight.T, columns=list(NAMES))
        frame.insert(0, "unique_id", list(self.ids))
        return frame

    def accuracy(self) -> pd.DataFrame:
        """How far off each series' trials were, beside two plain rules: see ``Tested.table``. Empty
        for a model that was saved before that was kept.
        """
        if self.tested is None:
            return Tested.none(0).table((), 0)
        return self.tested.table(self.ids, self.origins)

    def save(self, folder: Path) -> None:
        """Write the model as a bundle; ``stored.load_volume`` reads it."""
        files: dict[str, Any] = {
            "judge.json": {
                "members": list(NAMES),
                "ids": list(self.ids),
                "weight": self.weight.tolist(),
            },
            "spread.json": {
                "probabilities": PROBABILITIES.tolist(),
                "phi": self.spread.phi.tolist(),
                "growth": self.spread.growth.tolist(),
                "quantiles": self.spread.quantiles.tolist(),
            },
            "scores.npy": self.scores,
        }
        if self.tested is not None:
            one = self.tested
            files["tested.npy"] = np.vstack(
                [one.mean[None], one.presage[None], one.members, one.scores]
            )
            files["tested-days.npy"] = one.days
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
            "record": [list(self.record.forecast), list(self.record.actual), self.record.windows],
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

    def _coherent(
        self,
        panel: Panel,
        usual: Floats,
        mean: Floats,
        spread: Spread,
        context: VolumeContext,
        hours: SpecialHours,
    ) -> Floats:
        sums = sums_of(panel.ids, panel.y)
        if not sums:
            return mean
        variance = unit_of(mean, spread) ** 2
        future = panel.future(mean.shape[1])
        as_of = panel.grid.ds(future[:1])[0]
        shut = closed_by_calendar(panel, future, context, as_of, kinds=("closure",))
        shut |= hours.closed | hours.opened
        if shut.any():  # a total does not know of it, its open parts do not take the others' work
            loose = with_wholes(shut, sums) & ~hours.opened
            variance = np.where(loose, LOOSE * variance, variance)
        frequency = panel.grid.frequency
        if frequency.unit in ("minute", "day"):
            late = behind(panel.y, usual, sums, frequency.per_day)
            variance = np.where(late[:, None], LOOSE * variance, variance)
        return reconcile(mean, variance, sums)


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
