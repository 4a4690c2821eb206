"""One pool of agents: urgent work first, what may wait in the troughs.

Real-time channels (phone, chat) are served by whoever of the pool is free; backlog channels by
those that real-time work leaves, in the order of the pool. An agent who writes a mail takes a call
that comes in and goes on afterwards. So the pool first has the agents that its real-time promises
need; each backlog channel adds what its deadlines need beyond the idle time that is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from data.arrays import Floats, Ints
from data.settings import Staffing
from models.queueing.backlog import Outcome
from serving.staffing.pools import Pool
from serving.staffing.realtime import Line, RealTimePool
from serving.staffing.waiting_work import Waiting


@dataclass(frozen=True)
class Answer:
    """Of one channel, per planned interval: agents (its part of the pool's), and what the scenarios
    make of them. ``reachable``: the largest share of the day's contacts that any staffing answers
    in time; ``in_limit``: share of the offered answered within the limit.
    """

    agents: Ints
    pool_agents: Ints
    planned_volume: Floats
    service_level: Floats
    occupancy: Floats
    abandonment: Floats
    backlog: Floats
    asa_seconds: Floats
    confidence: Floats
    reachable: Floats
    gain_per_hour: Floats


@dataclass(frozen=True)
class PoolWork:
    """The channels of a pool that have contacts, in its order; ``days`` and ``blocks`` of the
    planned intervals."""

    pool: Pool
    lines: Sequence[Line]
    waiting: Sequence[Waiting]
    days: Ints
    blocks: Ints
    staffing: Staffing


def agents_of(work: PoolWork) -> tuple[Ints, Ints, RealTimePool | None]:
    """The fewest agents of each planned interval, those after it who answer what it leaves, and the
    real-time lines to ask of them."""
    planned = len(work.days)
    at_most = work.pool.at_most
    lines = None
    agents = np.zeros(planned, np.int64)
    ahead = np.zeros(0, np.int64)
    if work.lines:
        lines = RealTimePool(
            work.lines,
            days=work.days,
            blocks=work.blocks,
            max_occupancy=work.staffing.max_occupancy,
            at_most=at_most,
        )
        agents = lines.smallest()
    taken = _taken(lines, work, agents)
    for one in work.waiting:
        more = one.every - planned
        least = np.pad(agents, (0, more))
        opened = (one.seconds > 0) & (np.pad(one.expected, (0, more)) > 0)
        least = np.maximum(least, opened)
        shares = None if taken is None else np.pad(taken, ((0, 0), (0, more)))
        levels = one.smallest(least, shares, at_most)
        agents, ahead = levels[:planned], np.maximum(levels[planned:], ahead if len(ahead) else 0)
        if one is not work.waiting[-1]:
            taken = _taken_more(one, one.outcome(levels, shares), taken, planned)
    return smoothed(agents, work), ahead, lines


def smoothed(agents: Ints, work: PoolWork) -> Ints:
    """Agents raised so that neighbouring blocks differ by ``[staffing] largest_step`` at most."""
    step = work.staffing.largest_step
    if step is None:
        return agents
    opened = _opened(work)
    out = agents.copy()
    for order in (range(1, len(out)), range(len(out) - 2, -1, -1)):
        for at in order:
            before = at - 1 if order.step > 0 else at + 1
            if opened[at] and opened[before]:
                out[at] = max(out[at], out[before] - step)
    for block in np.unique(work.blocks):
        here = (work.blocks == block) & opened
        out[here] = out[here].max(initial=0)
    return out if work.pool.at_most is None else np.minimum(out, work.pool.at_most)


def _opened(work: PoolWork) -> np.ndarray:
    seconds = [line.seconds for line in work.lines]
    seconds += [one.seconds[: len(work.days)] for one in work.waiting]
    return np.asarray(np.max(seconds, axis=0) > 0)


def _taken(lines: RealTimePool | None, work: PoolWork, agents: Ints) -> Floats | None:
    """Agents whom real-time work takes, by scenario and interval."""
    if lines is None:
        return None
    busy = sum(lines.busy(number, agents) for number in range(len(work.lines)))
    seconds = np.max([line.seconds for line in work.lines], axis=0)
    return np.asarray(busy / np.where(seconds > 0, seconds, 1.0))


def _taken_more(one: Waiting, outcome: Outcome, taken: Floats | None, planned: int) -> Floats:
    handled = outcome.handled[:, :planned]
    per_agent = one.per_agent[:planned]
    used = handled / np.where(per_agent > 0, per_agent, 1.0)
    return np.asarray(used if taken is None else taken + used)


def answers(
    work: PoolWork,
    agents: Ints,
    ahead: Ints,
    lines: RealTimePool | None,
    handles: Mapping[str, float],
) -> dict[str, Answer]:
    """What each channel has of the pool's ``agents`` (and of those after the plan, ``ahead``).
    ``handles``: seconds that contacts take."""
    planned = len(work.days)
    answer_of: dict[str, Answer] = {}
    loads: dict[str, Floats] = {}
    raw: dict[str, dict[str, Floats]] = {}
    none = np.zeros(planned)
    if lines is not None:
        for number, line in enumerate(work.lines):
            answer = lines.answer(number, agents)
            slower = handles[line.channel] / line.handle_seconds
            loads[line.channel] = (
                slower
                * lines.busy(number, agents).mean(axis=0)
                / np.where(line.seconds > 0, line.seconds, 1.0)
            )
            raw[line.channel] = {
                "planned_volume": answer.planned_volume,
                "service_level": answer.service_level,
                "abandonment": answer.abandonment,
                "backlog": answer.backlog,
                "asa_seconds": answer.asa_seconds,
                "confidence": answer.confidence,
                "reachable": none + 1.0,
                "gain_per_hour": lines.gain_per_hour(number, agents),
            }
    taken = _taken(lines, work, agents)
    for one in work.waiting:
        more = one.every - planned
        shares = None if taken is None else np.pad(taken, ((0, 0), (0, more)))
        whole = np.concatenate([agents, ahead])
        outcome = one.outcome(whole, shares)
        taken = _taken_more(one, outcome, taken, planned)
        come = one.counts.sum(axis=0)
        some = np.where(come > 0, come, 1.0)
        handled = outcome.handled[:, :planned].mean(axis=0)
        seconds = np.where(one.seconds[:planned] > 0, one.seconds[:planned], 1.0)
        loads[one.channel] = handled * handles[one.channel] / one.level.concurrency / seconds
        has_wait = ~np.isnan(outcome.waited[:, :planned])
        waited = np.where(has_wait, outcome.waited[:, :planned], 0.0) * one.counts
        heard = (one.counts * has_wait).sum(axis=0)
        raw[one.channel] = {
            "planned_volume": np.quantile(one.counts, one.level.confidence, axis=0),
            "service_level": np.where(
                come > 0, outcome.on_time[:, :planned].sum(axis=0) / some, np.nan
            ),
            "abandonment": np.where(come > 0, 0.0, np.nan),
            "backlog": outcome.backlog[:, :planned].mean(axis=0),
            "asa_seconds": np.where(
                heard > 0, waited.sum(axis=0) / np.where(heard > 0, heard, 1.0), np.nan
            ),
            "confidence": one.confidence(outcome.on_time),
            "reachable": one.reachable(),
            "gain_per_hour": one.gain_per_hour(whole, shares, outcome.on_time),
        }
    parts = _parts(work, agents, loads)
    for channel, values in raw.items():
        mine = parts[channel]
        busy = np.where(mine > 0, loads[channel] / np.where(mine > 0, mine, 1), 0.0)
        answer_of[channel] = Answer(
            agents=mine, pool_agents=agents, occupancy=np.minimum(busy, 1.0), **values
        )
    return answer_of


def _parts(work: PoolWork, agents: Ints, loads: Mapping[str, Floats]) -> dict[str, Ints]:
    """The pool's agents by channel, whole people: by their work, the largest remainder first."""
    names = [line.channel for line in work.lines] + [one.channel for one in work.waiting]
    if len(names) == 1:
        return {names[0]: agents}
    seconds = [line.seconds for line in work.lines]
    seconds += [one.seconds[: len(agents)] for one in work.waiting]
    opened = np.stack(seconds) > 0
    weight = np.where(opened, np.stack([loads[name] for name in names]) + 1e-6, 0.0)
    total = weight.sum(axis=0)
    exact = agents * weight / np.where(total > 0, total, 1.0)
    whole = np.floor(exact)
    left = np.where(total > 0, agents - whole.sum(axis=0), 0)
    rank = np.argsort(np.argsort(-(exact - whole), axis=0, kind="stable"), axis=0)
    whole += rank < left[None, :]
    return {name: whole[row].astype(np.int64) for row, name in enumerate(names)}
