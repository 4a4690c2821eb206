"""Staffing: what plans promise, what callers get on demand no planner saw, and what it costs.

    .venv/bin/python -m benchmarks.staffing            # grids, makes, Erlang C, the mean
    .venv/bin/python -m benchmarks.staffing busy ours  # of that make, ours alone
    .venv/bin/python -m benchmarks.staffing short      # short backlog targets against a search
    .venv/bin/python -m benchmarks.staffing speed      # a week at 15 minutes, 6 channels, two pools

A company has 200 futures: its level, its days and its hours are uncertain together. A plan is made
from 200 of them, as `presage staff` makes it, and played contact by contact (``check``) on 200
others. `kept` is the share of played days, of those that hours allow, that keep the promise;
`weeks` the same of weeks; `claimed` what the plan says of them. Beside it, on the same unseen
futures: a plan on the mean forecast (one scenario, no margin), and Erlang C per channel and
interval on the mean, times the smallest factor (2 % steps) that keeps what ours keeps.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from data.arrays import Floats
from data.settings import DAYS, DEFAULT_SERVICE_LEVELS, Company, ServiceLevel, Settings, Staffing
from models.queueing import agents_required
from serving.staffing import Basis, passed_plan, plan
from serving.staffing.check import play

HOURS = dict.fromkeys(DAYS[:5], "08:00-18:00")
PROFILE = (0, 0, 0, 0, 0, 0, 1, 3, 9, 11, 12, 11, 9, 10, 9, 8, 7, 6, 4, 3, 2, 1, 1, 0)
FUTURES, RUNS = 200, 200
WITH_JUDGES = 2 * FUTURES
"""A forecast's paths: those that its plan is made from, and those that judge it."""


@dataclass(frozen=True)
class Make:
    """A kind of company: contacts of a weekday by channel, how uncertain its level, days and hours
    are (standard deviations of their logarithms), and whether its channels share agents."""

    daily: Mapping[str, float]
    level: float
    day: float
    hour: float
    pools: tuple[tuple[str, ...], ...] = ()


MAKES = {
    "usual": Make({"phone": 200, "chat": 80, "email": 100, "social": 30}, 0.06, 0.08, 0.1),
    "sparse": Make({"phone": 40, "chat": 15, "email": 30, "social": 8}, 0.06, 0.08, 0.1),
    "busy": Make({"phone": 900, "chat": 300, "email": 400}, 0.06, 0.08, 0.1),
    "uneasy": Make({"phone": 200, "chat": 80, "email": 100}, 0.1, 0.2, 0.2),
    "blended": Make(
        {"phone": 200, "chat": 80, "email": 100, "social": 30},
        0.06,
        0.08,
        0.1,
        (("phone", "chat", "email", "social"),),
    ),
}


def settings(minutes: int, channels: list[str]) -> Settings:
    """Oslo, weekdays 08:00 to 18:00; e-mail within four opening hours, eight at most."""
    email = ServiceLevel(target_seconds=4 * 3600, limit_seconds=8 * 3600)
    return Settings(
        company=Company(time_zone="Europe/Oslo"),
        opening_hours=dict.fromkeys(channels, HOURS),
        service_levels={**DEFAULT_SERVICE_LEVELS, "email": email},
        staffing=Staffing(interval_minutes=minutes, block_minutes=max(minutes, 30)),
    )


def futures(
    make: Make, days: int, seed: int, many: int = FUTURES
) -> tuple[pd.DataFrame, dict[str, Floats]]:
    """A forecast by the hour, and so many of its futures by channel."""
    ds = pd.date_range("2026-03-01 23:00", periods=24 * days, freq="h", unit="us")
    local = ds + pd.Timedelta(hours=1)
    weight = np.array(PROFILE)[local.hour] / sum(PROFILE) * np.where(local.day_of_week > 4, 0.5, 1)
    rng = np.random.default_rng(seed)
    day = np.arange(24 * days) // 24
    common = make.level * rng.standard_normal((many, 1))
    common = common + make.day * rng.standard_normal((many, days))[:, day]
    rows, paths = [], {}
    for channel, daily in make.daily.items():
        mean = weight * daily
        own = make.hour * rng.standard_normal((many, len(ds)))
        spread = make.level**2 + make.day**2 + make.hour**2
        paths[channel] = rng.poisson(mean * np.exp(common + own - spread / 2)).astype(float)
        low, high = np.quantile(paths[channel], [0.1, 0.9], axis=0)
        names = {"presage": mean, "presage-lo-80": low, "presage-hi-80": high}
        rows.append(pd.DataFrame({"unique_id": f"channel={channel}", "ds": ds, **names}))
    return pd.concat(rows, ignore_index=True), paths


def on_grid(paths: Mapping[str, Floats], minutes: int, seed: int) -> dict[str, Floats]:
    """Hours' contacts thrown into intervals."""
    rng, many = np.random.default_rng(seed), 60 // minutes
    cut = np.full(many, 1 / many)
    return {
        name: rng.multinomial(one.astype(int), cut).reshape(len(one), -1).astype(float)
        for name, one in paths.items()
    }


def hours_of(frame: pd.DataFrame) -> float:
    """Agent hours answering."""
    return float((frame["agents_net"] * frame["open_seconds"]).sum() / 3600)


def kept_of(
    frame: pd.DataFrame, counts: Mapping[str, Floats], known: Settings, runs: int
) -> pd.DataFrame:
    """By channel the shares of days and of weeks kept, on these futures."""
    rows = []
    for name, one in play(frame, settings=known, counts=counts, runs=runs, seed=5).items():
        reach = frame[frame["channel"] == name].groupby(
            (frame["starts_at"] + pd.Timedelta(hours=1)).dt.floor("D")
        )["reachable"]
        can = (reach.min().to_numpy() >= one.level.share)[: len(one.days)]
        can &= one.offered.sum(axis=0) > 0
        good, offered = one.good[:, can].sum(axis=1), one.offered[:, can].sum(axis=1)
        weeks = (good >= one.level.share * offered).mean()
        some = one.offered[:, can] > 0
        rows.append((name, one.days_kept[:, can][some].mean(), weeks))
    return pd.DataFrame(rows, columns=["channel", "kept", "weeks"]).set_index("channel")


def by_erlang_c(
    frame: pd.DataFrame, counts: Mapping[str, Floats], known: Settings, wanted: pd.Series, runs: int
) -> pd.DataFrame:
    """Erlang C on the mean, each real-time channel times the smallest factor that keeps days as
    often as ``wanted``; backlog channels as they were planned, each alone."""
    out = frame.assign(pool=frame["channel"], pool_agents=frame["agents_net"])
    for name in frame["channel"].unique():
        level, rows = known.service_levels[name], frame["channel"] == name
        if level.kind != "real_time":
            continue
        part = frame[rows]
        opened = part["open_seconds"] > 0
        rate = np.where(opened, part["volume"] / part["open_seconds"].where(opened, 1.0), 0.0)
        for factor in np.arange(0.9, 2.0, 0.02):
            agents = agents_required(
                rate * factor,
                part["handle_seconds"].to_numpy(),
                target_seconds=level.target_seconds or 0.0,
                share=level.share,
                max_occupancy=known.staffing.max_occupancy,
                concurrency=level.concurrency,
            )
            tried = part.assign(agents_net=agents, pool=name, pool_agents=agents)
            shares = kept_of(tried, {name: counts[name]}, known, runs)
            if shares["kept"].iloc[0] >= wanted[name] - 0.005:
                break
        out.loc[rows, "agents_net"] = agents
    return out


def main(runs: int = RUNS, days: int = 7) -> None:
    """Print the first table, or the rows that are asked for."""
    print("make grid plan hours claimed kept weeks kept_by_channel")
    asked = [name for name in sys.argv[1:] if name in MAKES] or list(MAKES)
    for name, make in ((name, MAKES[name]) for name in asked):
        forecast, paths = futures(make, days, 1, WITH_JUDGES)
        _, unseen = futures(make, days, seed=2)
        for minutes in (60, 30, 15) if name == "usual" else (30,):
            known = settings(minutes, list(make.daily))
            counts = on_grid(unseen, minutes, seed=3)
            basis = Basis(forecast, paths, pools=make.pools)
            ours = passed_plan(basis, settings=known).frame
            shares = kept_of(ours, counts, known, runs)
            _tell(name, minutes, "ours", ours, shares)
            if "ours" in sys.argv:
                continue
            mean = {one: paths[one].mean(axis=0, keepdims=True) for one in paths}
            flat = {one: np.repeat(np.rint(m), 2, axis=0) for one, m in mean.items()}
            plain = plan(forecast, settings=known, paths=flat, pools=make.pools)
            _tell(name, minutes, "mean", plain, kept_of(plain, counts, known, runs))
            alone = ours
            if make.pools:
                alone = passed_plan(replace(basis, pools=()), settings=known).frame
                _tell(name, minutes, "apart", alone, kept_of(alone, counts, known, runs))
            other = by_erlang_c(alone, counts, known, shares["kept"], runs=40)
            _tell(name, minutes, "erlang-c", other, kept_of(other, counts, known, runs))


def _tell(name: str, minutes: int, kind: str, frame: pd.DataFrame, shares: pd.DataFrame) -> None:
    can = frame[frame["confidence"].notna() & (frame["reachable"] >= 0.8)]
    said = can.groupby("channel")["confidence"].mean()
    claimed = said.mean()
    by_channel = " ".join(
        f"{channel}={row['kept']:.2f}({said.get(channel, np.nan):.2f})"
        for channel, row in shares.iterrows()
    )
    print(
        f"{name} {minutes} {kind} {hours_of(frame):.0f} {claimed:.2f} "
        f"{shares['kept'].mean():.2f} {shares['weeks'].mean():.2f} {by_channel}",
        flush=True,
    )


def searched(
    frame: pd.DataFrame, counts: Mapping[str, Floats], known: Settings, runs: int, budget: int
) -> pd.DataFrame:
    """A slow search over the same scenarios: agents are taken from blocks at random, one at a time,
    wherever the simulator still keeps the channel's days as often as before, until ``budget``
    trials in a row fail or are spent."""
    rng = np.random.default_rng(0)
    now = frame
    wanted = kept_of(now, counts, known, runs)["kept"].iloc[0]
    wanted = min(wanted, known.service_levels[frame["channel"].iloc[0]].confidence)
    block = now["starts_at"].dt.floor(f"{known.staffing.block_minutes}min")
    places = block[now["agents_net"] > 1].unique()
    for _ in range(budget if len(places) else 0):
        chosen = rng.choice(places)
        here = (block == chosen) & (now["agents_net"] > 1)
        if not here.any():
            continue
        fewer = now["agents_net"] - here.astype(int)
        tried = now.assign(agents_net=fewer, pool_agents=fewer)
        if kept_of(tried, counts, known, runs)["kept"].iloc[0] >= wanted:
            now = tried
    return now


def short(runs: int = 60, budget: int = 120, targets: tuple[int, ...] = (15, 30, 60, 240)) -> None:
    """Print what short backlog targets cost beside a search over the same scenarios."""
    print("target_minutes ours kept searched kept ratio")
    make = Make({"email": 120}, 0.06, 0.08, 0.1)
    for minutes in targets:
        forecast, paths = futures(make, 3, 1, WITH_JUDGES)
        known = settings(30, ["email"])
        level = ServiceLevel(target_seconds=60.0 * minutes, handle_seconds=240.0)
        known = replace(known, service_levels={"email": level})
        counts = on_grid(paths, 30, seed=3)
        ours = passed_plan(Basis(forecast, paths), settings=known).frame
        best = searched(ours, counts, known, runs, budget)
        shares = [kept_of(one, counts, known, runs)["kept"].iloc[0] for one in (ours, best)]
        print(
            f"{minutes} {hours_of(ours):.1f} {shares[0]:.2f} {hours_of(best):.1f} "
            f"{shares[1]:.2f} {hours_of(ours) / hours_of(best):.3f}",
            flush=True,
        )


def speed() -> None:
    """Print how long a week at 15 minutes takes: 6 channels, two pools, 200 scenarios."""
    daily = {
        "phone": 200.0,
        "chat": 80.0,
        "email": 100.0,
        "social": 30.0,
        "vip": 40.0,
        "post": 20.0,
    }
    make = Make(daily, 0.06, 0.08, 0.1, (("phone", "chat", "email"), ("vip", "social", "post")))
    forecast, paths = futures(make, 7, seed=1)
    known = settings(15, list(daily))
    vip = DEFAULT_SERVICE_LEVELS["phone"]
    levels = {**known.service_levels, "vip": vip, "post": known.service_levels["email"]}
    known = replace(known, service_levels=levels)
    begin = time.process_time(), time.perf_counter()
    plan(forecast, settings=known, paths=paths, pools=make.pools)
    spent = time.process_time() - begin[0], time.perf_counter() - begin[1]
    print(f"week, 15 minutes, 6 channels, 2 pools: cpu {spent[0]:.1f} s, wall {spent[1]:.1f} s")


if __name__ == "__main__":
    {"short": short, "speed": speed}.get((sys.argv[1:] or [""])[0], main)()
