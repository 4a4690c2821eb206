"""The staffing plan: a row per channel and interval, from forecast, handling times and settings.

``agents_net`` are whole people answering; ``agents_gross`` = net / (1 - shrinkage), rounded up to
hundredths, are paid ones: it is not rounded to whole people, because shrinkage falls on whoever is
rostered and a fraction rounded up every half hour would hire people for nobody's breaks. Whole
people are a roster's business. The agents of a pool are divided among its channels by their work:
the rows of an interval add up to ``pool_agents``, all of whom serve all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from data.arrays import Floats, Ints
from data.errors import DataError, did_you_mean
from data.settings import ServiceLevel, Settings
from features.calendar import local_times
from features.opening import hours_of, local_days, open_seconds
from serving.staffing.blending import Answer, PoolWork, agents_of, answers
from serving.staffing.changes import Changes
from serving.staffing.outreach_hours import with_outreach
from serving.staffing.pools import Pool, pools_of
from serving.staffing.realtime import Line
from serving.staffing.waiting_work import AFTER_SECONDS, Waiting
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
    "gain_per_hour",
    "kind",
    "pool",
    "pool_agents",
)
SCENARIOS = 200
MOST_REMEMBERED = 64

Memo = dict[tuple[object, ...], list[pd.DataFrame]]


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
    pools: Sequence[Sequence[str]] = (),
    pace: Mapping[str, float] | None = None,
    memo: Memo | None = None,
) -> pd.DataFrame:
    """The plan, columns ``COLUMNS``, sorted by channel and start (naive UTC).

    Parameters
    ----------
    forecast : long, as ``presage forecast`` writes it, at an hour or finer; its series
        ``channel=NAME`` are planned.
    settings : promises, opening hours, pools, shrinkage.
    handle : from ``handle_seconds_by_channel``, or seconds by channel; a channel left out uses its
        service level's ``handle_seconds``.
    waiting : contacts already in a backlog channel's line.
    closures : ``starts_at, ends_at`` and optionally ``channel`` (null: all).
    paths : joint sample paths (scenarios x forecast steps) by channel; without, ``scenario_count``
        are drawn from the intervals with ``seed``.
    at_most : agents there are, by channel; of a pool the fewest said of any of its channels.
    changes : a planner's question, answered by the plan as it then would be.
    pools : channels that the same agents serve, where ``[pools]`` says none.
    pace : by channel, what handling takes longer than it does, for the plan alone: how a plan is
        raised until the simulator passes it (``gate``).
    memo : keeps each pool's plan for another call with the same scenarios and promises.

    Returns
    -------
    frame : contacts that reach a real-time channel while it is closed are not offered to anyone:
        they stand in ``volume``, but no service level counts them. Those of backlog channels wait
        for the opening. ``service_level`` and ``abandonment`` are means over scenarios, NaN where
        nothing is offered; ``backlog`` is the mean line (at the interval's end for backlog work);
        ``confidence`` is the share of scenarios in which the local day reaches the promised share,
        ``reachable`` the largest share of that day which any staffing could (below 1 where a
        calendar clock runs out while the channel is closed).

    Raises
    ------
    DataError : a channel has contacts and no service level, or is never open.
    """
    return scenario_plan(
        forecast,
        settings=settings,
        handle=handle,
        waiting=waiting,
        closures=closures,
        paths=paths,
        scenario_count=scenario_count,
        seed=seed,
        at_most=at_most,
        changes=changes,
        pools=pools,
        pace=pace,
        memo=memo,
    )[0]


def scenario_plan(
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
    pools: Sequence[Sequence[str]] = (),
    pace: Mapping[str, float] | None = None,
    memo: Memo | None = None,
) -> tuple[pd.DataFrame, dict[str, Floats]]:
    """``plan``, and the scenarios that it stands on (scenarios x intervals) by channel."""
    assumed = changes or Changes()
    loads = workloads(forecast, settings.staffing.interval_minutes)
    assumed.check(sorted(loads))
    settings, closures = assumed.settings(settings), assumed.closures(closures)
    most = {**(at_most or {}), **assumed.at_most}
    seconds = _handle_by_channel(handle)
    channels: dict[str, _Channel] = {}
    for channel, before in loads.items():
        load = before.times(assumed.contacts(channel, before.starts))
        if not (load.volume.any() or (waiting or {}).get(channel)):
            continue
        level = _level(channel, settings)
        taken = seconds.get(channel, level.handle_seconds) * assumed.factor("handle", channel)
        if not (np.isfinite(taken) and taken > 0):
            raise DataError(f"channel {channel!r} has handle_seconds {taken}; it must be above 0")
        _refuse_never_open(channel, settings)
        counts = scenarios(
            load,
            settings.company.time_zone,
            scenario_count,
            seed,
            checked_paths(paths, channel),
        )
        channels[channel] = _Channel(
            load.with_interval(counts),
            counts,
            level,
            taken,
            taken * (pace or {}).get(channel, 1.0),
            (waiting or {}).get(channel, 0.0),
            _of_channel(closures, channel),
        )
    frames = []
    for pool in pools_of(settings, sorted(channels), pools):
        here = {name: channels[name] for name in pool.channels if name in channels}
        counted = [most[name] for name in here if name in most]
        counted += [] if pool.at_most is None else [pool.at_most]
        limited = replace(pool, at_most=min(counted)) if counted else pool
        for part in _same_grid(here):
            frames += _remembered(limited, part, settings, memo)
    drawn = {name: one.counts for name, one in channels.items()}
    if not frames:
        return _empty(), drawn
    frame = pd.concat(frames, ignore_index=True)
    frame = frame.sort_values(["channel", "starts_at"], ignore_index=True, kind="stable")
    hours = assumed.outreach_hours
    hours = settings.outreach.agent_hours_per_day if hours is None else hours
    return with_outreach(frame, settings, hours or 0.0), drawn


def scenario_counts(
    forecast: pd.DataFrame,
    *,
    settings: Settings,
    paths: Mapping[str, Floats],
    seed: int,
    changes: Changes | None = None,
) -> dict[str, Floats]:
    """Scenarios (scenarios x intervals) by channel as ``scenario_plan`` has them, and no plan of
    them: others, for other ``paths`` or, where a channel has none, another ``seed``."""
    assumed = changes or Changes()
    zone = settings.company.time_zone
    count = min((len(one) for one in paths.values()), default=SCENARIOS)
    return {
        channel: scenarios(
            load.times(assumed.contacts(channel, load.starts)),
            zone,
            count,
            seed,
            checked_paths(paths, channel),
        )
        for channel, load in workloads(forecast, settings.staffing.interval_minutes).items()
    }


@dataclass(frozen=True)
class _Channel:
    load: Workload
    counts: Floats
    level: ServiceLevel
    handle: float
    pace_seconds: float
    waiting: float
    closures: pd.DataFrame | None


def _same_grid(channels: Mapping[str, _Channel]) -> list[dict[str, _Channel]]:
    """Channels whose forecasts have the same intervals can be planned together."""
    groups: dict[tuple[object, ...], dict[str, _Channel]] = {}
    for name, one in channels.items():
        key = (one.load.starts[0], len(one.load.starts), one.load.step_seconds, len(one.counts))
        groups.setdefault(key, {})[name] = one
    return list(groups.values())


def _remembered(
    pool: Pool, channels: Mapping[str, _Channel], settings: Settings, memo: Memo | None
) -> list[pd.DataFrame]:
    if memo is None:
        return _planned(pool, channels, settings)
    key: list[object] = [pool, replace(settings.staffing, shrinkage=0.0), settings.company]
    for name, one in channels.items():
        closed = "" if one.closures is None else one.closures.to_csv()
        hours = str((settings.opening_hours.get(name), sorted(settings.sites.items())))
        counts = hashlib.blake2b(one.counts.tobytes()).digest()
        rest = one.load.volume.tobytes(), one.load.forecast.tobytes()
        key += [name, one.level, one.handle, one.pace_seconds, one.waiting, closed, hours, counts]
        key += [one.load.starts[0], rest]
    whole = tuple(key)
    if whole not in memo:
        if len(memo) >= MOST_REMEMBERED:
            memo.pop(next(iter(memo)), None)
        memo[whole] = _planned(pool, channels, settings)
    gross = settings.staffing.shrinkage
    return [one.assign(agents_gross=_gross(one["agents_net"], gross)) for one in memo[whole]]


def _gross(net: Floats | Ints | pd.Series, shrinkage: float) -> Floats:
    """Paid people, rounded up to hundredths."""
    return np.asarray(
        np.ceil(np.asarray(net, float) / (1 - shrinkage) * 100 - 1e-6) / 100 + 0.0
    )  # no -0.0


def _planned(
    pool: Pool, channels: Mapping[str, _Channel], settings: Settings
) -> list[pd.DataFrame]:
    first = next(iter(channels.values())).load
    zone, staffing = settings.company.time_zone, settings.staffing
    step, planned = first.step_seconds, len(first.starts)
    after = [0.0] + [
        AFTER_SECONDS + max(one.level.limit_seconds or 0.0, one.level.target_seconds or 0.0)
        for one in channels.values()
        if one.level.kind == "backlog"
    ]
    more = int(np.ceil(max(after) / step))
    micros = np.timedelta64(round(step * 1e6), "us")
    starts = np.concatenate([first.starts, first.starts[-1] + micros * np.arange(1, more + 1)])
    days = local_days(starts, zone)
    opened = {
        name: open_seconds(starts, step, hours_of(settings, name, starts), zone, one.closures)
        for name, one in channels.items()
    }
    blocks = _blocks(starts, list(opened.values()), zone, staffing.block_minutes)
    here = slice(0, planned)
    lines, waiting = [], []
    for name in pool.channels:
        one = channels.get(name)
        if one is None:
            continue
        if one.level.kind == "real_time":
            offered = np.where(opened[name][here] > 0, one.counts, 0.0)
            expected = np.where(opened[name][here] > 0, one.load.volume, 0.0)
            lines.append(
                Line(name, offered, expected, opened[name][here], one.pace_seconds, one.level)
            )
        else:
            waiting.append(
                Waiting(
                    name,
                    one.counts,
                    one.load.volume,
                    opened[name],
                    step,
                    days,
                    blocks,
                    one.pace_seconds,
                    one.level,
                    staffing.max_occupancy,
                    one.waiting,
                )
            )
    work = PoolWork(pool, lines, waiting, days[here], blocks[here], staffing)
    agents, ahead, real_time = agents_of(work)
    handles = {name: one.handle for name, one in channels.items()}
    answer_of = answers(work, agents, ahead, real_time, handles)
    name = "+".join(one for one in pool.channels if one in channels)
    return [
        _frame(one, answer_of[channel], opened[channel][here], staffing.shrinkage, name)
        for channel, one in channels.items()
    ]


def _blocks(starts: np.ndarray, opened: Sequence[Floats], zone: str, block_minutes: int) -> Ints:
    """Ascending numbers of the blocks in which the number of agents stays: of the local clock, cut
    where a channel opens or closes."""
    minutes = local_times(starts, zone).astype("datetime64[m]").astype(np.int64)
    bins = minutes // max(block_minutes, 1)
    changed = np.diff(bins) != 0
    for seconds in opened:
        changed |= np.diff(seconds > 0)
    return np.concatenate([[0], np.cumsum(changed)]).astype(np.int64)


def _refuse_never_open(channel: str, settings: Settings) -> None:
    own = [hours for hours in (settings.opening_hours.get(channel),) if hours is not None]
    at_sites = [site.opening_hours.get(channel) or {} for site in settings.sites.values()]
    if own and not any(
        text.strip().lower() not in ("", "closed")
        for hours in (*own, *at_sites)
        for text in hours.values()
    ):
        raise DataError(
            f"channel {channel!r} has contacts but [opening_hours.{channel}] opens on no "
            'day; add for example mon = "08:00-18:00"'
        )


def _frame(
    channel: _Channel, answer: Answer, opened: Floats, shrinkage: float, pool: str
) -> pd.DataFrame:
    load = channel.load
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
            "handle_seconds": channel.handle,
            "open_seconds": opened,
            "agents_net": answer.agents,
            "agents_gross": _gross(answer.agents, shrinkage),
            "service_level": answer.service_level,
            "confidence": answer.confidence,
            "reachable": answer.reachable,
            "occupancy": answer.occupancy,
            "abandonment": answer.abandonment,
            "backlog": answer.backlog,
            "asa_seconds": answer.asa_seconds,
            "gain_per_hour": answer.gain_per_hour,
            "kind": channel.level.kind,
            "pool": pool,
            "pool_agents": np.where(opened > 0, answer.pool_agents, 0),
        }
    )


def _empty() -> pd.DataFrame:
    kinds = {"channel": "str", "kind": "str", "pool": "str"}
    kinds |= {"agents_net": "int64", "pool_agents": "int64"}
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
