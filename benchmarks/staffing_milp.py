"""One channel's week beside a sample-average approximation: an integer programme over scenarios.

    .venv/bin/python -m benchmarks.staffing_milp            # phone of three kinds of company
    .venv/bin/python -m benchmarks.staffing_milp --make usual --seconds 60

The programme chooses the agents of every interval so that the hours are fewest and the promised
share is reached in ``confidence`` of 200 scenarios, day by day (Kleywegt, Shapiro & Homem-de-Mello
2002; Luedtke & Ahmed 2008). Of each scenario's interval it knows the share answered in time for
every number of agents, by Erlang A. OR-tools' CP-SAT solves it, setting out from our agents, for so
many seconds a day; that it found the best it seldom proves. Our plan is made from the same
scenarios, as ``presage staff`` makes it; both keep to the same least number of agents
(``max_occupancy``, one while open). Both are played contact by contact on 200 futures that neither
saw.

``kept`` is the share of days kept there. The programme is solved for several confidences: its hours
at **our** kept share lie on the line between the two answers that enclose it.
"""

from __future__ import annotations

import argparse
import itertools
import time
from dataclasses import replace

import numpy as np
import pandas as pd

from benchmarks.staffing import (
    FUTURES,
    MAKES,
    RUNS,
    WITH_JUDGES,
    Make,
    futures,
    hours_of,
    kept_of,
    on_grid,
)
from benchmarks.staffing import settings as company_settings
from data.arrays import Floats, Ints
from data.settings import ServiceLevel
from features.opening import local_days
from models.queueing import queue_measures
from serving.staffing import Basis, passed_plan

CHANNEL, MINUTES, DAYS = "phone", 30, 7
CONFIDENCES = (0.66, 0.74, 0.82, 0.9)
SCALE, ENOUGH = 1000, 0.01
BEYOND = 6
"""So many agents more than the largest load may be chosen."""


def answered(
    counts: Floats, seconds: float, level: ServiceLevel, handle: float, most: int
) -> Floats:
    """Contacts answered in time, expected: scenarios x intervals x agents from 0 to ``most``."""
    values, place = np.unique(counts, return_inverse=True)
    measures = queue_measures(
        values[:, None] / seconds,
        handle,
        servers=np.arange(most + 1)[None, :].astype(float),
        target_seconds=level.target_seconds or 0.0,
        patience_seconds=level.patience_seconds,
    )
    shares = np.nan_to_num(measures.service_level, nan=1.0) * values[:, None]
    shares[:, 0] = 0.0
    return np.asarray(shares[place.reshape(counts.shape)])


def solve(
    good: Floats,
    offered: Floats,
    least: Ints,
    begin: Ints,
    *,
    share: float,
    confidence: float,
    seconds: float,
) -> Ints:
    """The agents of a day, the fewest in all.

    ``good`` as ``answered`` gives it; ``offered``: contacts by scenario; ``least``: agents that
    must be there; ``begin``: those from which the search sets out, for so many ``seconds``.
    """
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    scenarios, intervals = good.shape[:2]
    most = _enough(good)
    more = [  # the k-th agent of an interval is there
        [model.new_bool_var(f"{t}.{k}") for k in range(int(least[t]) + 1, int(most[t]) + 1)]
        for t in range(intervals)
    ]
    for t, row in enumerate(more):
        for k, var in enumerate(row, int(least[t]) + 1):
            model.add_hint(var, bool(begin[t] >= k))
    for row in more:
        for before, after in itertools.pairwise(row):
            model.add_implication(after, before)
    gains = np.floor(np.diff(good, axis=2) * SCALE).astype(np.int64)
    base = np.floor(np.take_along_axis(good, least[None, :, None], 2)[..., 0] * SCALE).sum(axis=1)
    goal = np.ceil(share * offered * SCALE - base).astype(np.int64)
    kept = [model.new_bool_var(f"kept {s}") for s in range(scenarios)]
    for s in range(scenarios):
        if goal[s] <= 0:
            model.add(kept[s] == 1)
            continue
        terms = [
            int(gains[s, t, int(least[t]) + k]) * var
            for t in range(intervals)
            for k, var in enumerate(more[t])
            if gains[s, t, int(least[t]) + k] > 0
        ]
        model.add(sum(terms) >= int(goal[s]) * kept[s])
    model.add(sum(kept) >= int(np.ceil(confidence * scenarios - 1e-9)))
    model.minimize(sum(var for row in more for var in row))
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = seconds
    solver.parameters.num_workers = 2
    solver.parameters.random_seed = 1
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        raise ValueError(f"the programme found nothing in {seconds:g} s; give it more (--seconds)")
    agents = [int(least[t]) + sum(map(solver.value, row)) for t, row in enumerate(more)]
    return np.array(agents, np.int64)


def _enough(good: Floats) -> Ints:
    """Of each interval the agents beyond which nobody more is answered in time, in any scenario."""
    whole = good >= good[:, :, -1:] - ENOUGH
    return np.asarray(whole.argmax(axis=2).max(axis=0), np.int64)


def least_agents(frame: pd.DataFrame, max_occupancy: float) -> Ints:
    """Of each interval of a one-channel plan: those that ``max_occupancy`` of the expected load
    needs, one where it is open and anybody is expected."""
    opened = frame["open_seconds"].to_numpy()
    load = frame["volume"] * frame["handle_seconds"] / np.where(opened > 0, opened, 1.0)
    floor = np.maximum(np.ceil(load / max_occupancy - 1e-9), 1)
    return np.asarray(np.where((opened > 0) & (frame["volume"] > 0), floor, 0), np.int64)


def week_of(frame: pd.DataFrame, counts: Floats, level: ServiceLevel, least: Ints, zone: str,
            confidence: float, seconds: float) -> Ints:  # fmt: skip
    """The programme's week: a day at a time, for a day's promise reaches no other day."""
    opened = frame["open_seconds"].to_numpy()
    handle = float(frame["handle_seconds"].iloc[0])
    day = local_days(frame["starts_at"].to_numpy(), zone)
    agents = np.zeros(len(frame), np.int64)
    for one in np.unique(day[opened > 0]):
        here = np.flatnonzero((day == one) & (opened > 0))
        load = counts[:, here].max() * handle / opened[here].min()
        most = int(np.ceil(load + BEYOND))
        agents[here] = solve(
            answered(counts[:, here], float(opened[here[0]]), level, handle, most),
            counts[:, here].sum(axis=1),
            least[here],
            frame["agents_net"].to_numpy()[here],
            share=level.share,
            confidence=confidence,
            seconds=seconds,
        )
    return agents


def at_equal_kept(kept: float, hours: list[float], shares: list[float]) -> float:
    """Hours on the line through the answers that enclose ``kept``; NaN outside of them.

    >>> at_equal_kept(0.9, [100.0, 110.0], [0.88, 0.92])
    105.0
    """
    order = np.argsort(shares)
    ends = np.array(shares)[order], np.array(hours)[order]
    return float(np.interp(kept, *ends, left=np.nan, right=np.nan))


def compared(
    make: Make,
    seconds: float,
    confidences: tuple[float, ...] = CONFIDENCES,
    *,
    days: int = DAYS,
    minutes: int = MINUTES,
    runs: int = RUNS,
) -> pd.DataFrame:
    """Our plan and the programme's answers: ``plan, confidence, hours, kept, seconds``."""
    alone = replace(make, daily={CHANNEL: make.daily[CHANNEL]}, pools=())
    known = company_settings(minutes, [CHANNEL])
    level, zone = known.service_levels[CHANNEL], known.company.time_zone
    forecast, paths = futures(alone, days, 1, WITH_JUDGES)
    unseen = on_grid(futures(alone, days, seed=2)[1], minutes, seed=3)
    began = time.perf_counter()
    ours = passed_plan(Basis(forecast, paths), settings=known).frame
    rows = [("ours", level.confidence, ours, time.perf_counter() - began)]
    counts = on_grid({CHANNEL: paths[CHANNEL][:FUTURES]}, minutes, seed=4)[CHANNEL]
    least = least_agents(ours, known.staffing.max_occupancy)
    for confidence in confidences:
        began = time.perf_counter()
        agents = week_of(ours, counts, level, least, zone, confidence, seconds)
        frame = ours.assign(agents_net=agents, pool_agents=agents)
        rows.append(("programme", confidence, frame, time.perf_counter() - began))
    return pd.DataFrame(
        {
            "plan": plan,
            "confidence": confidence,
            "hours": hours_of(frame),
            "kept": kept_of(frame, unseen, known, runs)["kept"].iloc[0],
            "seconds": took,
        }
        for plan, confidence, frame, took in rows
    )


def main() -> None:
    """Print a table a company, and our hours over the programme's at equal kept share."""
    arguments = argparse.ArgumentParser(prog="staffing_milp", description=__doc__)
    arguments.add_argument("--make", choices=list(MAKES), action="append")
    arguments.add_argument("--seconds", type=float, default=20.0, help="of search, a day")
    options = arguments.parse_args()
    print(f"{CHANNEL}, {MINUTES} minutes, {FUTURES} scenarios, {options.seconds:g} s a day")
    print("make plan confidence hours kept seconds")
    for name in options.make or ["usual", "busy", "uneasy"]:
        table = compared(MAKES[name], options.seconds)
        for row in table.itertuples():
            print(
                f"{name} {row.plan} {row.confidence:.2f} {row.hours:.1f} "
                f"{row.kept:.3f} {row.seconds:.0f}",
                flush=True,
            )
        ours, others = table.iloc[0], table.iloc[1:]
        equal = at_equal_kept(ours["kept"], others["hours"].tolist(), others["kept"].tolist())
        print(f"{name} ours / programme at kept {ours['kept']:.3f}: {ours['hours'] / equal:.3f}")


if __name__ == "__main__":
    main()
