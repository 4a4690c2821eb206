"""What a plan stands on, opened from what is published: a plan can be made again in no time.

``presage staff`` publishes beside its plan how long contacts take, who waits, closures and pools.
With the published forecast and its sample paths that is a ``Basis``; ``replan`` turns it into a
plan: the published one where nothing changes, or that of a what-if or an override. Nothing is
forecast, and no table is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pandas as pd

from data.arrays import Floats
from data.errors import DataError, NotEnoughHistory
from data.settings import Settings
from data.store.overrides import Override
from serving.overrides import planned
from serving.published import newest, pointer
from serving.staffing.changes import Changes
from serving.staffing.gate import FEWEST_RUNS, PlayedPlan, raise_to_pass
from serving.staffing.requirements import SCENARIOS, Memo, scenario_counts, scenario_plan

FEWEST_PATHS = 20


@dataclass(frozen=True)
class Basis:
    """``forecast`` (every series, as published), ``paths`` (scenarios x forecast steps) by channel,
    ``handle`` seconds and ``waiting`` contacts by channel, ``closures`` and the last ``plan``;
    ``pools`` by the agents' skills, and the ``pace`` with which the simulator passed the plan.
    ``memo`` keeps pools' plans: a basis that is kept answers the next question sooner.
    """

    forecast: pd.DataFrame
    paths: Mapping[str, Floats] = field(default_factory=dict)
    handle: Mapping[str, float] = field(default_factory=dict)
    waiting: Mapping[str, float] = field(default_factory=dict)
    closures: pd.DataFrame | None = None
    plan: pd.DataFrame | None = None
    seed: int = 0
    pools: tuple[tuple[str, ...], ...] = ()
    pace: Mapping[str, float] = field(default_factory=dict)
    memo: Memo = field(default_factory=dict, repr=False, compare=False)

    def document(self) -> dict[str, Any]:
        """What is published with a plan, for ``open_basis``."""
        closed = [] if self.closures is None else self.closures.to_dict("records")
        return {
            "handle": dict(self.handle),
            "waiting": dict(self.waiting),
            "closures": [
                {
                    "starts_at": one["starts_at"].isoformat(),
                    "ends_at": one["ends_at"].isoformat(),
                    "channel": None if pd.isna(one.get("channel")) else str(one["channel"]),
                }
                for one in closed
            ],
            "seed": self.seed,
            "pools": [list(one) for one in self.pools],
            "pace": dict(self.pace),
        }


def open_basis(state_dir: Path) -> Basis:
    """The basis of the newest plan, from the newest forecast. NotEnoughHistory if there is none."""
    forecast, staffing = newest(state_dir, "forecast"), newest(state_dir, "staffing")
    if forecast is None or staffing is None:
        raise NotEnoughHistory("there is no plan to change yet: run `presage staff` first")
    paths = newest(state_dir, "paths")
    about: dict[str, Any] = staffing.about.get("basis", {})
    closed = about.get("closures", [])
    closures = pd.DataFrame(closed, columns=["starts_at", "ends_at", "channel"])
    for name in ("starts_at", "ends_at"):
        closures[name] = pd.to_datetime(closures[name])
    frame = forecast.frame
    same = paths is not None and paths.about["as_of"] == forecast.about["as_of"]
    return Basis(
        frame,
        paths_of(paths.frame, frame) if paths is not None and same else {},
        about.get("handle", {}),
        about.get("waiting", {}),
        closures if closed else None,
        staffing.frame,
        int(about.get("seed", 0)),
        tuple(tuple(one) for one in about.get("pools", [])),
        about.get("pace", {}),
    )


def basis_stamp(state_dir: Path) -> tuple[str, str]:
    """Another value once another forecast or plan is the newest."""
    pointers = (pointer(state_dir, "forecast") or {}, pointer(state_dir, "staffing") or {})
    return str(pointers[0].get("sha256", "")), str(pointers[1].get("sha256", ""))


def replan(
    basis: Basis,
    *,
    settings: Settings,
    changes: Changes | None = None,
    overrides: Sequence[Override] = (),
    begin: datetime | None = None,
    end: datetime | None = None,
    scenario_count: int | None = None,
) -> pd.DataFrame:
    """The plan of ``basis`` with the ``overrides`` in force and the ``changes`` of a question.

    Parameters
    ----------
    basis : of ``open_basis``; not changed.
    settings : the workspace's.
    changes : what is otherwise; None or empty: nothing.
    overrides : planners' changes that hold, in their order.
    begin, end : plan only intervals of the forecast in [begin, end), naive UTC. A line that the
        last plan expects at ``begin`` is waiting then.
    scenario_count : so many of the paths, the first; None: ``SCENARIOS``. Those beyond judge.

    Returns
    -------
    frame : as ``plan``, which raises what is wrong.
    """
    inside = _inside(basis, settings, changes, overrides, begin, end, scenario_count)
    return scenario_plan(**inside)[0]


def passed_plan(
    basis: Basis,
    *,
    settings: Settings,
    changes: Changes | None = None,
    overrides: Sequence[Override] = (),
    rounds: int | None = None,
) -> PlayedPlan:
    """``replan``, raised until the simulator passes it: what is published. Its judges are the paths
    beyond the first ``SCENARIOS``, where there are enough, and else those of its own scenarios that
    its agents were not found with."""
    inputs = _inside(basis, settings, changes, overrides, None, None, None)
    promised = (changes or Changes()).settings(settings)

    def make(pace: Mapping[str, float]) -> tuple[pd.DataFrame, Mapping[str, Floats]]:
        return scenario_plan(**(inputs | {"pace": pace}))

    others = {name: basis.paths[name][SCENARIOS:] for name in inputs["paths"]}
    judges = None
    if all(len(one) >= FEWEST_RUNS for one in others.values()):
        judges = scenario_counts(
            inputs["forecast"],
            settings=settings,
            paths=others,
            seed=basis.seed + 1,
            changes=changes,
        )
    return raise_to_pass(
        make,
        promised,
        judges=judges,
        waiting=inputs["waiting"],
        pace=basis.pace,
        seed=basis.seed + 11,
        **({} if rounds is None else {"rounds": rounds}),
    )


def _inside(
    basis: Basis,
    settings: Settings,
    changes: Changes | None,
    overrides: Sequence[Override],
    begin: datetime | None,
    end: datetime | None,
    scenario_count: int | None,
) -> dict[str, Any]:
    """What ``scenario_plan`` is called with."""
    volume = planned(basis.forecast, list(overrides))
    volume = volume[volume["unique_id"].astype(str).str.startswith("channel=")]
    waiting = dict(basis.waiting)
    ds = volume["ds"]
    rows = np.ones(len(volume), bool)
    moments = pd.DatetimeIndex(np.sort(ds.unique()))
    in_span = np.ones(len(moments), bool)
    if begin is not None:
        rows &= (ds >= begin).to_numpy()
        in_span &= np.asarray(moments >= begin)
        if len(moments) and moments[0] < begin:
            waiting = _line_at(basis.plan, begin)
    if end is not None:
        rows &= (ds < end).to_numpy()
        in_span &= np.asarray(moments < end)
    if not rows.any():
        raise DataError(f"no step of the forecast lies from {begin} to {end}")
    paths = {
        channel: counts[: scenario_count or SCENARIOS, in_span]
        for channel, counts in basis.paths.items()
        if counts.shape[1] == len(moments)
    }
    return {
        "forecast": volume[rows],
        "settings": settings,
        "handle": basis.handle,
        "waiting": waiting,
        "closures": basis.closures,
        "paths": paths,
        "seed": basis.seed,
        "changes": changes,
        "scenario_count": scenario_count or SCENARIOS,
        "pools": basis.pools if settings.staffing.blend else (),
        "pace": basis.pace,
        "memo": basis.memo,
    }


def _line_at(frame: pd.DataFrame | None, moment: datetime) -> dict[str, float]:
    """Contacts of backlog channels that the plan expects in line when an interval begins."""
    if frame is None:
        return {}
    before = frame[(frame["ends_at"] <= moment) & (frame["kind"] == "backlog")]
    last = before.sort_values("ends_at").groupby("channel").tail(1)
    return dict(zip(last["channel"].astype(str), last["backlog"].astype(float), strict=True))


def path_table(ids: Sequence[str], ds: Any, counts: Floats, mean: pd.DataFrame) -> pd.DataFrame:
    """Sample paths as they are published: ``unique_id, ds, presage`` (the mean they were drawn
    for), ``p0, p1, ...``. ``counts``: paths x series x steps."""
    many, series, steps = counts.shape
    table = pd.DataFrame(
        counts.transpose(1, 2, 0).reshape(series * steps, many).astype("float32"),
        columns=[f"p{number}" for number in range(many)],
    )
    table.insert(0, "unique_id", np.repeat(np.array(list(ids), dtype=object), steps))
    table.insert(1, "ds", pd.DatetimeIndex(np.tile(ds, series)))
    table["unique_id"] = table["unique_id"].astype("str")
    table["ds"] = table["ds"].astype(mean["ds"].dtype)
    means = mean[["unique_id", "ds", "presage"]]
    joined = table.merge(means, on=["unique_id", "ds"], how="left")
    return joined[["unique_id", "ds", "presage", *table.columns[2:]]]


def paths_of(table: pd.DataFrame, forecast: pd.DataFrame) -> dict[str, Floats]:
    """Paths (scenarios x steps) by channel, with the forecast's present mean: a forecast that was
    scaled since, to one number or by what today brought, scales its paths."""
    names = [name for name in table.columns if name[:1] == "p" and name[1:].isdigit()]
    if len(names) < FEWEST_PATHS:
        return {}
    now = forecast[["unique_id", "ds", "presage"]].rename(columns={"presage": "now"})
    paths: dict[str, Floats] = {}
    for unique_id, rows in table.groupby("unique_id", sort=True):
        both = rows.merge(now, on=["unique_id", "ds"], how="inner").sort_values("ds")
        mean, then = both["now"].to_numpy(float), both["presage"].to_numpy(float)
        factor = np.where(then > 0, mean / np.where(then > 0, then, 1.0), 1.0)
        counts = both[names].to_numpy(float).T
        paths[unquote(str(unique_id).removeprefix("channel="))] = counts * factor
    return paths
