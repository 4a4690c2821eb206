"""Key figures beside what they are held to: the channels' promises, and ``[kpi_targets]``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from data.settings import Settings
from data.settings_kpis import KpiTarget

MISSED, MET, OPEN = "missed", "kept", "within noise"


def targets_of(settings: Settings) -> dict[str, KpiTarget]:
    """Named targets: the share that each channel's service level promises, then those of
    ``[kpi_targets]``."""
    promised = {
        f"service level of {channel}": KpiTarget(
            kpi="answered_in_time", channel=channel, at_least=level.share
        )
        for channel, level in settings.service_levels.items()
    }
    return promised | dict(settings.kpi_targets)


def beside_targets(figures: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """``figures`` with ``target, target_name, verdict``; empty where no target is valid that week.

    ``missed`` and ``kept`` where the whole interval is on one side, else ``within noise``. Of two
    targets for one figure the one of ``[kpi_targets]`` counts, of these the later in the file.
    """
    out = figures.assign(target=float("nan"), target_name="", verdict="")
    for name, target in targets_of(settings).items():
        mine = (out["kpi"] == target.kpi) & (out["channel"] == target.channel)
        weeks = [pd.Timestamp(week).to_pydatetime() for week in out["week"]]
        mine &= np.array([target.valid_at(week) for week in weeks], bool)
        out.loc[mine, "target"] = target.at_least if target.at_least is not None else target.at_most
        out.loc[mine, "target_name"] = name
        out.loc[mine, "verdict"] = [verdict(target, row) for _, row in out[mine].iterrows()]
    return out


def verdict(target: KpiTarget, figure: Mapping[str, Any] | pd.Series) -> str:
    """How a figure (value, low, high) stands to its target."""
    ends = [float(figure[end]) for end in ("low", "high")]
    known = [end for end in ends if end == end] or [float(figure["value"])]
    holds = [target.holds(end) for end in known]
    if len(known) == 2 and all(holds):
        return MET
    if len(known) == 2 and not any(holds):
        return MISSED
    if len(known) == 1:
        return MET if target.holds(float(figure["value"])) else MISSED
    return OPEN


def missed(figures: pd.DataFrame, week: datetime) -> pd.DataFrame:
    """The rows of ``beside_targets`` of a week that surely miss their target."""
    return figures[(figures["week"] == week) & (figures["verdict"] == MISSED)]
