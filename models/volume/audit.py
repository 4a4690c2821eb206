"""One number, followed back: members, weights, holiday effect, reconciliation, interval.

``audit`` gives what a planner needs to redo a forecast by hand:

    combined = sum of weight x forecast over members   (holiday effect already in each)
    presage  = combined + moved by reconciliation
    hi-80    = centre + residual x unit                (lo-80, ... alike, never below 0)

with ``unit = sqrt((f + phi f^2) x growth^2 + doubt^2 f^2)``, ``centre = f - f / (f + 10) x the
median residual x unit``, f the forecast; trouble that may end early or late widens it by ``reach``.

>>> from models.volume import train_volume
>>> days = pd.date_range("2024-01-01", periods=70, freq="D")
>>> table = pd.DataFrame({"unique_id": "a", "ds": days, "y": [10, 20, 30, 40, 50, 5, 5] * 10})
>>> model = train_volume(table, horizon=2, freq="D")
>>> told = audit(model, table, "a", days[-1] + pd.Timedelta(days=2))
>>> round(told.combined), told.holiday_effect, told.reconciled
(20, 1.0, 0.0)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.errors import UsageError, did_you_mean
from models.volume.context import VolumeContext
from models.volume.intervals import PROBABILITIES, centre_of, doubted, unit_of
from models.volume.model import VolumeModel
from models.volume.panel import panel_of


@dataclass(frozen=True)
class Audit:
    """``members`` has ``member, forecast, weight, part`` of those that count, the judge's
    ``score``, of which weights are made, and their ``wape`` in the trials; ``holiday_effect`` is
    the factor that all of them carry, ``event_effect`` that of the calendar's events, ``load`` the
    one that those with drivers carry beside them (each 1.0 where there are none);
    ``reconciled`` what adding up moved the number by; ``quantiles`` has ``probability, residual``
    (in units) ``, count``; ``unit`` is made of ``phi``, the step's ``growth`` and on special days
    and near events the ``doubt`` beyond phi; ``reach`` is how far (contacts) the early and the late
    end of trouble are from the forecast; ``trials`` says on how many past origins it rests.
    """

    unique_id: str
    ds: pd.Timestamp
    members: pd.DataFrame
    combined: float
    holiday_effect: float
    event_effect: float
    load: float
    reconciled: float
    presage: float
    phi: float
    growth: float
    doubt: float
    unit: float
    centre: float
    reach: tuple[float, float]
    quantiles: pd.DataFrame
    trials: int


def audit(
    model: VolumeModel,
    history: pd.DataFrame,
    unique_id: str,
    ds: pd.Timestamp,
    context: VolumeContext | None = None,
) -> Audit:
    """How the forecast of one series and step comes about; UsageError for one not forecast."""
    context = context or VolumeContext()
    panel = panel_of(history, model.freq, context)
    if unique_id not in panel.ids:
        raise UsageError(
            f"there is no series {unique_id!r} in the history.{did_you_mean(unique_id, panel.ids)}"
        )
    stamp = np.array([ds], dtype="datetime64[us]")
    ahead = int(panel.grid.index(stamp)[0]) - panel.end
    if ahead < 1 or panel.grid.ds(panel.grid.index(stamp))[0] != stamp[0]:
        raise UsageError(
            f"{ds} is no step after the history's last, {panel.grid.ds(panel.index[-1:])[0]}."
        )
    row, step = panel.ids.index(unique_id), ahead - 1
    components = model.components(panel, max(ahead, model.horizon), context)
    forecasts = components.members[:, row, step]
    weight = np.where(np.isnan(forecasts), 0.0, components.weight[:, row])
    weight = weight / weight.sum() if weight.sum() > 0 else weight
    counted = weight > 0
    members = pd.DataFrame(
        {
            "member": np.array(components.names)[counted],
            "forecast": forecasts[counted],
            "weight": weight[counted],
            "part": forecasts[counted] * weight[counted],
            **{
                name: _tried(model, unique_id, len(forecasts), scores=name == "score")[counted]
                for name in ("score", "wape")
            },
        }
    ).sort_values("weight", ascending=False, ignore_index=True)
    quantiles = components.quantiles(PROBABILITIES.tolist())
    mine = components.spread
    bare = unit_of(components.mean, mine)
    unit = doubted(bare, components.mean, mine, components.doubt)
    growth = mine.growth[min(step, len(mine.growth) - 1)]
    doubt = 0.0 if components.doubt is None else float(components.doubt[row, step])
    away = (0.0, 0.0)
    if components.paths is not None:
        early, late = ((components.paths[:, row, step] - 1) * components.mean[row, step]).tolist()
        away = (min(early, 0.0), max(late, 0.0))
    combined, mean = float(components.combined[row, step]), float(components.mean[row, step])
    return Audit(
        unique_id,
        pd.Timestamp(ds),
        members,
        combined,
        float(components.effect[row, step]),
        float(components.event[row, step]),
        1.0 if components.load is None else float(components.load[row, step]),
        mean - combined,
        mean,
        float(mine.phi[row]),
        float(growth),
        float(np.sqrt(max(doubt**2 - mine.phi[row], 0.0))) if doubt > 0 else 0.0,
        float(unit[row, step]),
        float(centre_of(components.mean, unit, mine)[row, step]),
        away,
        pd.DataFrame(
            {
                "probability": PROBABILITIES,
                "residual": mine.quantiles[row],
                "count": quantiles[:, row, step],
            }
        ),
        model.origins,
    )


def _tried(model: VolumeModel, unique_id: str, members: int, *, scores: bool) -> np.ndarray:
    """The members' scores or WAPE in the trials of one series; NaN where there was none."""
    if model.tested is None or unique_id not in model.ids:
        return np.full(members, np.nan)
    errors = model.tested.scores if scores else model.tested.members
    out = np.full(members, np.nan)
    out[: len(errors)] = errors[:members, model.ids.index(unique_id)]
    return out
