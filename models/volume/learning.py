"""What a volume model learns: the judge's trials, and from them weights, shares and spread."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from data.arrays import Floats
from models.one_number import Record
from models.volume.intervals import learn_spread
from models.volume.judge import Workbench, share_of, tried, weights_of
from models.volume.model import Driven, VolumeModel
from models.volume.paths import scores_of
from models.volume.series import TOTAL
from models.volume.tested import Tested


def learn(bench: Workbench, cutoff: int, freq: str, beside: Workbench | None = None) -> VolumeModel:
    """The model of everything up to step ``cutoff``; ``beside``: the same bench, with drivers."""
    trials = bench.trials(cutoff)
    weight = weights_of(trials)
    past = bench.panel.until(cutoff)
    combined = tried(trials)
    frequency = bench.panel.grid.frequency
    per_day = frequency.per_day if frequency.unit == "minute" else 1
    driven, tested = None, Tested.of(combined, trials, per_day=per_day)
    if beside is not None and beside.useful(cutoff):
        others = beside.trials(cutoff)
        with_drivers = tried(others)
        share = share_of(combined, with_drivers, trials.actual)
        combined = combined + share[None, :, None] * (with_drivers - combined)
        driven = Driven(weights_of(others), beside.model(cutoff), share)
        tested = Tested.of(combined, trials, others, per_day=per_day)
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
        tested,
    )


def _record_of(ids: Sequence[str], forecast: Floats, actual: Floats, windows: float) -> Record:
    """The trials' sums over the horizon of the total; none where there is no total."""
    if TOTAL not in ids or not len(forecast):
        return Record()
    row = ids.index(TOTAL)
    both = forecast[:, row].sum(axis=1), actual[:, row].sum(axis=1)
    whole = ~np.isnan(both[0]) & ~np.isnan(both[1])
    sums = [tuple(float(value) for value in each[whole]) for each in both]
    return Record(sums[0], sums[1], windows * float(whole.mean()))
