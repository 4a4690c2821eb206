"""The staffing plan: a row per channel and interval, from forecast, handling times and settings.

``agents_net`` are whole people answering; ``agents_gross`` = net / (1 - shrinkage), rounded up to
hundredths, are paid ones: it is not rounded to whole people, because shrinkage falls on whoever is
rostered and a fraction rounded up every half hour would hire people for nobody's breaks. Whole
people are a roster's business.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from data.arrays import Floats
from data.errors import DataError, did_you_mean
from data.settings import ServiceLevel, Settings
from serving.staffing.changes import Changes
from serving.staffing.hours import local_days, open_seconds
from serving.staffing.realtime import Answer, staff_real_time
from serving.staffing.waiting_work import AFTER_SECONDS, staff_waiting_work
from serving.staffing.workload import Workload, checked_paths, scenarios, workloads

COLUMNS = (
    "channel",
    "starts_at",
    "ends_at",
    "volume",
    "volume_lo_80",
    "volume_hi_80",
    "volume_forecast",
    "planned_volume",
    "handle_seconds",
    "open_seconds",
    "agents_net",
    "agents_gross",
    "service_level",
    "confidence",
    "reachable",
    "occupancy",
    "abandonment",
    "backlog",
    "asa_seconds",
    "kind",
)
SCENARIOS = 200


def plan(
    forecast: pd.DataFrame,
    *,
    settings: Settings,
    handle: pd.DataFrame | Mapping[str, float] | None = None,
    waiting: Mapping[str, float] | None = None,
    closures: pd.DataFrame | None = None,
    paths: Mapping[str, Floats] | None = None,
    scenario_count: int = SCENARIOS,
    seed: int = 0,
    at_most: Mapping[str, int] | None = None,
    changes: Changes | None = None,
) -> pd.DataFrame:
    """The plan, columns ``COLUMNS``, sorted by channel and start (naive UTC).

    ``forecast``: long, as ``presage forecast`` writes it, at an hour or finer; its series
    ``channel=NAME`` are planned. ``handle``: from ``handle_seconds_by_channel``, or seconds by
    channel; a channel left out uses its service level's ``handle_seconds``. ``waiting``: contacts
    already in a backlog channel's line. ``closures``: ``starts_at, ends_at`` and optionally
    ``channel`` (null: all). ``paths``: joint sample paths (scenarios x forecast steps) by channel,
    which then replace the scenarios made from the intervals. ``at_most``: agents there are.
    ``changes``: a planner's question, answered by the plan as it then would be.

    Contacts that reach a real-time channel while it is closed are not offered to anyone: they
    stand in ``volume``, but no service level counts them. Those of backlog channels wait for the
    opening. ``service_level`` and ``abandonment`` are means over scenarios, NaN where nothing is
    offered; ``backlog`` is the mean line (at the interval's end for backlog work); ``confidence``
    is the share of scenarios in which the local day reaches the promised share, ``reachable`` the
    largest share of that day which any staffing could (below 1 where a calendar clock runs out
    while the channel is closed).

    DataError names a channel that has contacts and no service level, or is never open.
    """
    asked = changes or Changes()
    loads = workloads(forecast, settings.staffing.interval_minutes)
    asked.check(sorted(loads))
    settings, closures = asked.settings(settings), asked.closures(closures)
    at_most = {**(at_most or {}), **asked.at_most}
    seconds = _handle_by_channel(handle)
    frames = []
    for channel, before in loads.items():
        load = before.times(asked.contacts(channel, before.starts))
        if not load.volume.any():
            continue
        level = _level(channel, settings)
        taken = seconds.get(channel, level.handle_seconds) * asked.factor("handle", channel)
        if not (np.isfinite(taken) and taken > 0):
            raise DataError(f"channel {channel!r} has handle_seconds {taken}; it must be above 0")
        draws = (
            checked_paths(paths, load) * asked.contacts(channel, load.starts)
            if paths is not None and channel in paths
            else scenarios(load, settings.company.time_zone, scenario_count, seed)
        )
        answer, opened = _staff(
            load,
            draws,
            level,
            taken,
            settings,
            _of_channel(closures, channel),
            (waiting or {}).get(channel, 0.0),
            at_most.get(channel),
        )
        frames.append(_frame(load, answer, opened, taken, level, settings.staffing.shrinkage))
    if not frames:
        return _empty()
    return pd.concat(frames, ignore_index=True)


def _staff(
    load: Workload,
    paths: Floats,
    level: ServiceLevel,
    handle: float,
    settings: Settings,
    closures: pd.DataFrame | None,
    waiting: float,
    at_most: int | None,
) -> tuple[Answer, Floats]:
    zone = settings.company.time_zone
    step = np.timedelta64(round(load.step_seconds * 1e6), "us")
    after = AFTER_SECONDS + (level.limit_seconds or level.target_seconds or 0.0)
    more = int(np.ceil(after / load.step_seconds)) if level.kind == "backlog" else 0
    starts = np.concatenate([load.starts, load.starts[-1] + step * np.arange(1, more + 1)])
    hours = settings.opening_hours.get(load.channel)
    opened = open_seconds(starts, load.step_seconds, hours, zone, closures)
    days = local_days(starts, zone)
    here = slice(0, len(load.starts))
    if hours is not None and not any(
        text.strip().lower() not in ("", "closed") for text in hours.values()
    ):
        raise DataError(
            f"channel {load.channel!r} has contacts but [opening_hours.{load.channel}] opens on no "
            'day; add for example mon = "08:00-18:00"'
        )
    if level.kind == "real_time":
        answer = staff_real_time(
            paths,
            load.volume,
            opened[here],
            days[here],
            handle,
            level,
            settings.staffing.max_occupancy,
            at_most,
        )
    else:
        answer = staff_waiting_work(
            paths,
            load.step_seconds,
            opened,
            days,
            handle,
            level,
            settings.staffing.max_occupancy,
            waiting,
            at_most,
        )
    return answer, opened[here]


def _frame(
    load: Workload,
    answer: Answer,
    opened: Floats,
    handle: float,
    level: ServiceLevel,
    shrinkage: float,
) -> pd.DataFrame:
    step = np.timedelta64(round(load.step_seconds * 1e6), "us")
    return pd.DataFrame(
        {
            "channel": load.channel,
            "starts_at": load.starts,
            "ends_at": load.starts + step,
            "volume": load.volume,
            "volume_lo_80": load.low,
            "volume_hi_80": load.high,
            "volume_forecast": load.forecast,
            "planned_volume": answer.planned_volume,
            "handle_seconds": handle,
            "open_seconds": opened,
            "agents_net": answer.agents,
            "agents_gross": np.ceil(answer.agents / (1 - shrinkage) * 100 - 1e-6) / 100
            + 0.0,  # no -0.0
            "service_level": answer.service_level,
            "confidence": answer.confidence,
            "reachable": answer.reachable,
            "occupancy": answer.occupancy,
            "abandonment": answer.abandonment,
            "backlog": answer.backlog,
            "asa_seconds": answer.asa_seconds,
            "kind": level.kind,
        }
    )


def _empty() -> pd.DataFrame:
    kinds = {"channel": "str", "kind": "str", "agents_net": "int64"}
    kinds |= {"starts_at": "datetime64[us]", "ends_at": "datetime64[us]"}
    return pd.DataFrame({name: pd.Series(dtype=kinds.get(name, "float64")) for name in COLUMNS})


def _level(channel: str, settings: Settings) -> ServiceLevel:
    level = settings.service_levels.get(channel)
    if level is None:
        raise DataError(
            f"channel {channel!r} has contacts but no service level, so nobody can say how many "
            f"agents it needs; add to presage.toml: [service_levels.{_key(channel)}] "
            f'target_seconds = 14400, share = 0.9, kind = "backlog" (or "real_time").'
            f"{did_you_mean(channel, settings.service_levels)}"
        )
    return level


def _key(channel: str) -> str:
    """The channel as a TOML key, quoted where it must be."""
    plain = channel.isascii() and channel.replace("_", "a").replace("-", "a").isalnum()
    if plain:
        return channel
    return '"' + channel.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _handle_by_channel(handle: pd.DataFrame | Mapping[str, float] | None) -> dict[str, float]:
    if handle is None:
        return {}
    if isinstance(handle, pd.DataFrame):
        return dict(zip(handle["channel"], handle["handle_seconds"].astype(float), strict=True))
    return dict(handle)


def _of_channel(closures: pd.DataFrame | None, channel: str) -> pd.DataFrame | None:
    if closures is None or "channel" not in closures:
        return closures
    return closures[closures["channel"].isna() | (closures["channel"] == channel)]
