"""What every number of a forecast is made of, all of them in one table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.volume.components import ForecastComponents
from models.volume.panel import Panel, long_frame


def parts_of(panel: Panel, components: ForecastComponents) -> pd.DataFrame:
    """What every number of a forecast is made of, one row a series and step, sorted by both.

    ``unique_id, ds, combined, holiday_effect, event_effect, load, reconciled``, and for each member
    that counts anywhere ``NAME`` (what it says) and ``NAME weight`` (0 if silent), float32.
    """
    silent = np.isnan(components.members)
    weight = np.where(silent, 0.0, components.weight[:, :, None])
    whole = weight.sum(axis=0)
    weight = weight / np.where(whole > 0, whole, 1.0)
    load = np.ones_like(components.mean) if components.load is None else components.load
    columns = {
        "combined": components.combined,
        "holiday_effect": components.effect,
        "event_effect": components.event,
        "load": load,
        "reconciled": components.mean - components.combined,
    }
    for place, name in enumerate(components.names):
        if weight[place].any():
            columns[name] = np.nan_to_num(components.members[place])
            columns[f"{name} weight"] = weight[place]
    ds = panel.grid.ds(panel.future(components.mean.shape[1]))
    small = {name: values.astype("float32") for name, values in columns.items()}
    frame = long_frame(panel.ids, ds, **small)
    return frame.sort_values(["unique_id", "ds"], ignore_index=True)


def members_in(parts: pd.Series) -> list[dict[str, float | str]]:
    """The members of one row of ``parts_of``, the weightiest first: ``member, forecast, weight,
    part``.
    """
    members: list[dict[str, float | str]] = []
    for name in parts.index:
        weight = float(parts[name]) if str(name).endswith(" weight") else 0.0
        if weight > 0:
            member = str(name).removesuffix(" weight")
            forecast = float(parts[member])
            members.append(
                {
                    "member": member,
                    "forecast": forecast,
                    "weight": weight,
                    "part": forecast * weight,
                }
            )
    return sorted(members, key=lambda one: -float(one["weight"]))
