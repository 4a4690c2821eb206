"""Waits and abandonment of a real call centre, foretold from arrivals and agents alone.

    PRESAGE_DATA=... .venv/bin/python -m benchmarks.bank_calls [--runs 100]

The call log of an Israeli bank, February 1999. Handling times (by type of call) and patience
(Kaplan-Meier: whoever was answered would have waited at least so long) are of days 1 to 14. Of days
15 to 28 only two things are taken: when calls came to the queue, and the agents. What is foretold
is the mean wait and the share that gave up, by half-hour, set beside what happened:

- the simulator that judges every plan of ours (models/queueing/simulator.py), which carries the
  queue over from one half-hour to the next;
- Erlang A by half-hour with the fitted mean patience, and Erlang C without patience.

Agents are inferred, for the log has no head counts, from the calls that name them. An agent is
there from one call to the next unless ``PASSED_BY`` calls were taken by others in between; before
the first and after the last call of a spell for as long as ``BEFORE`` others take, half an hour at
most. Between two calls they need a moment even where somebody waits: measured on days 1 to 14, and
counted as handling. Not all of the rest do they take calls: the share that they do is fitted on
days 1 to 14, for each method by itself, so that it foretells those days best. What was chosen was
chosen on days 1 to 14. Internet calls have agents of their own and are left out, and so are phantom
calls.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.running import show
from models.queueing import erlang
from models.queueing.simulator import simulate_queue

Floats = NDArray[np.float64]
PASSED_BY, BEFORE, LONGEST_IDLE = 10, 2, 1800.0
HALF_HOUR = 1800.0
OPEN_FROM, OPEN_UNTIL = 7, 24
FEWEST, NAMED = 5, 0.9
"""A half-hour is judged that has so many calls, of whose answered ones so many name their agent: of
the others nobody can be inferred."""
MANY, OPEN, SECONDS = 10, 0.2, 30.0
"""A half-hour of so many calls is left out, for every method, where fewer than this share were
answered, or most answered ones took less than so many seconds (usual: 110)."""
SHARES = np.linspace(0.5, 1.0, 26)
JUDGED = ("wait", "left")
OTHERS = ("IN", "TT")
"""Types of call with agents of their own, or that never come to the queue."""


def read(path: Path) -> pd.DataFrame:
    """The calls that came to the queue: day, type, seconds of the day, what became of each."""
    log = pd.read_parquet(path)
    log = log[log["outcome"].isin(["AGENT", "HANG"]) & ~log["type"].isin(OTHERS)]
    calls = pd.DataFrame(
        {
            "day": log["date"].dt.day,
            "type": log["type"],
            "at": pd.to_timedelta(log["vru_exit"]).dt.total_seconds(),
            "wait": log["q_time"].astype(float),
            "answered": log["outcome"] == "AGENT",
            "handling": log["ser_time"].astype(float),
            "server": log["server"],
            "begin": pd.to_timedelta(log["ser_start"]).dt.total_seconds(),
            "end": pd.to_timedelta(log["ser_exit"]).dt.total_seconds(),
        }
    )
    inside = calls["at"].between(OPEN_FROM * 3600, OPEN_UNTIL * 3600, inclusive="left")
    calls = calls[inside].sort_values(["day", "at"]).reset_index(drop=True)
    return calls[~broken(calls)].reset_index(drop=True)


def broken(calls: pd.DataFrame) -> pd.Series:
    """Which calls lie in half-hours of another kind: nearly nobody was answered (the line was shut
    or broken; 401 calls came in one half-hour and hung up after 10 seconds), or most calls were
    over in seconds (one evening, several hundred)."""
    place = [calls["day"], (calls["at"] // HALF_HOUR).astype(int)]
    answered = calls["answered"].groupby(place).transform("mean")
    length = calls["handling"].where(calls["answered"]).groupby(place).transform("median")
    count = calls["answered"].groupby(place).transform("size")
    return (count >= MANY) & ((answered < OPEN) | (length < SECONDS))


def agents_of(day: pd.DataFrame) -> tuple[Floats, NDArray[np.int64]]:
    """When the number of agents changes (seconds of the day), and to what."""
    named = day[day["answered"] & (day["server"] != "NO_SERVER") & (day["end"] >= day["begin"])]
    starts = np.sort(named["begin"].to_numpy())
    changes: list[tuple[float, int]] = []
    for _, own in named.sort_values("begin").groupby("server"):
        begin, end = own["begin"].to_numpy(), np.maximum.accumulate(own["end"].to_numpy())
        passed_by = np.searchsorted(starts, begin[1:], "left") - np.searchsorted(
            starts, end[:-1], "right"
        )
        cut = np.flatnonzero(passed_by >= PASSED_BY)
        for first, last in zip(np.append(0, cut + 1), np.append(cut, len(own) - 1), strict=True):
            # nobody had come for them yet, and nobody came any more
            came = np.searchsorted(starts, begin[first], "left") - BEFORE
            went = np.searchsorted(starts, end[last], "right") + BEFORE - 1
            since = max(starts[came] if came >= 0 else 0.0, begin[first] - LONGEST_IDLE)
            until = min(starts[went] if went < len(starts) else 86400.0, end[last] + LONGEST_IDLE)
            changes += [(float(since), 1), (float(until), -1)]
    frame = pd.DataFrame(changes, columns=["at", "by"]).groupby("at")["by"].sum().cumsum()
    return frame.index.to_numpy(dtype=float), frame.to_numpy(dtype=np.int64)


def patience_of(calls: pd.DataFrame) -> tuple[Floats, Floats]:
    """Kaplan-Meier of patience: seconds, and the share that would wait longer than each."""
    waits = calls.groupby("wait")["answered"].agg(["size", "sum"]).sort_index()
    left, all_of = (waits["size"] - waits["sum"]).to_numpy(), waits["size"].to_numpy()
    at_risk = all_of[::-1].cumsum()[::-1]
    return waits.index.to_numpy(dtype=float), np.cumprod(1.0 - left / at_risk)


def draw_patience(curve: tuple[Floats, Floats], size: int, rng: np.random.Generator) -> Floats:
    """Patiences by the curve; beyond it, with the mean that is left at its end."""
    seconds, longer = curve
    draws = rng.random(size)
    place = np.searchsorted(-longer, -draws, side="right")
    beyond = place >= len(seconds)
    found = seconds[np.minimum(place, len(seconds) - 1)]
    return np.where(beyond, seconds[-1] + rng.exponential(seconds[-1], size), found)


def turnaround_of(calls: pd.DataFrame) -> Floats:
    """Seconds from the end of a call to the agent's next one, where its caller was waiting."""
    named = calls[calls["answered"] & (calls["server"] != "NO_SERVER")]
    gaps = []
    for _, own in named.sort_values(["day", "begin"]).groupby(["day", "server"]):
        end, begin, came = (own[c].to_numpy() for c in ("end", "begin", "at"))
        gap, waiting = begin[1:] - end[:-1], came[1:] < end[:-1]
        gaps.append(gap[waiting & (gap >= 0) & (gap < LONGEST_IDLE)])
    return np.concatenate(gaps)


@dataclass(frozen=True)
class Fitted:
    """What days 1 to 14 tell."""

    handling: dict[str, Floats]
    turnaround: Floats
    mean_handling: float
    curve: tuple[Floats, Floats]
    mean_patience: float


def fitted(calls: pd.DataFrame) -> Fitted:
    """Handling by type, patience as a curve and as a mean of exponential patience."""
    answered = calls[calls["answered"] & (calls["handling"] > 0)]
    handling = {str(t): own.to_numpy() for t, own in answered.groupby("type")["handling"]}
    gave_up = int((~calls["answered"]).sum())
    turnaround = turnaround_of(calls)
    return Fitted(
        handling,
        turnaround,
        float(answered["handling"].mean() + turnaround.mean()),
        patience_of(calls),
        float(calls["wait"].sum()) / gave_up,
    )


def half_hours(day: pd.DataFrame, wait: Floats, answered: Floats) -> pd.DataFrame:
    """By half-hour of arrival: calls, mean wait in seconds, share that gave up."""
    slot = (day["at"] // HALF_HOUR).astype(int)
    frame = pd.DataFrame({"slot": slot, "wait": wait, "left": 1.0 - answered})
    return frame.groupby("slot").agg(
        calls=("wait", "size"), wait=("wait", "mean"), left=("left", "mean")
    )


def simulated(day: pd.DataFrame, fit: Fitted, share: float, runs: int, seed: int) -> pd.DataFrame:
    """The day played ``runs`` times."""
    rng = np.random.default_rng(seed)
    edges, counts = agents_of(day)
    types = day["type"].to_numpy()
    at = day["at"].to_numpy()
    wait, answered = np.zeros(len(day)), np.zeros(len(day))
    for _ in range(runs):
        handling = np.empty(len(day))
        for kind in np.unique(types):
            mine = types == kind
            known = fit.handling.get(str(kind), np.array([fit.mean_handling]))
            handling[mine] = rng.choice(known, int(mine.sum()))
        handling += rng.choice(fit.turnaround, len(day))
        servers = np.floor(counts * share + rng.random())
        patience = draw_patience(fit.curve, len(day), rng)
        served = simulate_queue(at, handling, edges=edges, servers=servers, patience=patience)
        wait += np.minimum(served.waited, patience)
        answered += served.answered
    return half_hours(day, wait / runs, answered / runs)


def by_formula(day: pd.DataFrame, fit: Fitted, share: float, *, patient: bool) -> pd.DataFrame:
    """Erlang A, or C where callers are ``patient``, half-hour by half-hour."""
    edges, counts = agents_of(day)
    happened = happened_in(day)
    grid = np.arange(0, 86400, 60.0)
    place = np.searchsorted(edges, grid, side="right") - 1
    by_minute = np.where(place < 0, 0, counts[np.maximum(place, 0)])
    mean_agents = by_minute.reshape(-1, int(HALF_HOUR // 60)).mean(axis=1)[happened.index]
    servers = np.maximum(1.0, mean_agents * share)
    # a number of agents between two whole ones is the mixture of both
    low, weight = np.floor(servers), servers % 1
    waits, shares = np.zeros(len(low)), np.zeros(len(low))
    for number, part in ((low, 1 - weight), (low + 1, weight)):
        measures = erlang.queue_measures(
            happened["calls"].to_numpy() / HALF_HOUR,
            fit.mean_handling,
            servers=number,
            target_seconds=20.0,
            patience_seconds=None if patient else fit.mean_patience,
        )
        own = measures.abandonment
        mean = measures.asa_seconds if patient else own * fit.mean_patience
        waits += part * np.minimum(np.nan_to_num(mean, posinf=HALF_HOUR), HALF_HOUR)
        shares += part * own
    return happened.assign(wait=waits, left=shares)


Method = Callable[[pd.DataFrame, Fitted, float], pd.DataFrame]


def share_of(method: Method, days: list[pd.DataFrame], fit: Fitted) -> float:
    """The share of an agent's time there in which they take calls, with which the half-hours of
    these days are foretold best: waits and abandonment, each over its mean."""
    happened = pd.concat([happened_in(day) for day in days], keys=range(len(days)))
    weight = happened["calls"] * happened["judged"]
    scale = {c: float(np.average(happened[c], weights=weight)) for c in JUDGED}
    gaps = []
    for share in SHARES:
        foretold = pd.concat(
            [method(day, fit, float(share)) for day in days], keys=range(len(days))
        )
        gaps.append(sum(errors(happened, foretold, c) / scale[c] for c in JUDGED))
    return float(SHARES[int(np.argmin(gaps))])


def happened_in(day: pd.DataFrame) -> pd.DataFrame:
    """What the log says of a day's half-hours, and which of them can be judged."""
    answered = day["answered"].to_numpy(dtype=float)
    happened = half_hours(day, day["wait"].to_numpy(), answered)
    named = (day["answered"] & (day["server"] != "NO_SERVER")).to_numpy(dtype=float)
    slot = (day["at"] // HALF_HOUR).astype(int)
    shares = pd.DataFrame({"named": named, "answered": answered}).groupby(slot).sum()
    known = shares["named"] >= NAMED * shares["answered"]
    return happened.assign(judged=known & (happened["calls"] >= FEWEST) & (shares["answered"] > 0))


def errors(happened: pd.DataFrame, foretold: pd.DataFrame, column: str) -> float:
    """Mean absolute error over the calls of half-hours that are judged."""
    gap = (happened[column] - foretold[column]).abs()
    return float(np.average(gap, weights=happened["calls"] * happened["judged"]))


def totals_of(of: pd.DataFrame) -> list[str]:
    """The mean wait and the share that gave up, over all calls."""
    wait, left = (float(np.average(of[c], weights=of["calls"])) for c in JUDGED)
    return [f"{wait:.0f}", f"{left:.1%}"]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=100, help="of the simulator, a day")
    parser.add_argument("--seed", type=int, default=5)
    chosen = parser.parse_args()
    calls = read(Path(os.environ["PRESAGE_DATA"]) / "bank_calls/call_log_february_1999.parquet")
    days = {int(n): own.reset_index(drop=True) for n, own in calls.groupby("day")}
    early, late = [[d for n, d in days.items() if (n > 14) == after] for after in (False, True)]
    fit = fitted(pd.concat(early))
    print(
        f"{len(calls)} calls; mean handling {fit.mean_handling:.0f} s, "
        f"mean patience {fit.mean_patience:.0f} s (days 1 to 14)\n"
    )
    seed = chosen.seed
    methods: dict[str, tuple[Method, Method]] = {
        "simulator": (
            lambda day, fit, share: simulated(day, fit, share, 3, seed),
            lambda day, fit, share: simulated(day, fit, share, chosen.runs, seed),
        ),
        "Erlang A": (lambda *given: by_formula(*given, patient=False),) * 2,
        "Erlang C": (lambda *given: by_formula(*given, patient=True),) * 2,
    }
    truth = [happened_in(day) for day in late]
    judged = pd.concat(truth, keys=range(len(late)))
    kept = judged["judged"]
    lines, by_day = [], {}
    for name, (quick, whole) in methods.items():
        # Erlang C loses nobody: its agents are those of Erlang A
        share = share_of(quick if name != "Erlang C" else methods["Erlang A"][0], early, fit)
        foretold = pd.concat([whole(d, fit, share) for d in late], keys=range(len(late)))
        by_day[name] = [
            [errors(judged[kept].loc[n], foretold[kept].loc[n], c) for c in JUDGED]
            for n in range(len(late))
        ]
        wait, left = (errors(judged[kept], foretold[kept], c) for c in JUDGED)
        lines.append(
            [name, f"{share:.2f}", *totals_of(foretold[kept]), f"{wait:.1f}", f"{100 * left:.1f}"]
        )
    lines.append(["what happened", "", *totals_of(judged[kept]), "", ""])
    head = ["method", "time that takes calls", "mean wait, s", "gave up"]
    show([*head, "wait: off by, s", "gave up: off by, points"], lines)
    rng = np.random.default_rng(seed)
    ours, theirs = np.array(by_day["simulator"]), np.array(by_day["Erlang A"])
    weight = np.array([d["calls"].sum() for d in truth], dtype=float)
    draws = rng.integers(0, len(late), (2000, len(late)))
    for at, what in enumerate(("wait", "gave up")):
        ratio = [
            np.average(ours[d, at], weights=weight[d])
            / np.average(theirs[d, at], weights=weight[d])
            for d in draws
        ]
        low, high = np.quantile(ratio, [0.025, 0.975])
        print(f"\n{what}: the simulator's error over Erlang A's {np.mean(ratio):.2f} "
              f"[{low:.2f}, {high:.2f}], days drawn anew")  # fmt: skip


if __name__ == "__main__":
    main()
