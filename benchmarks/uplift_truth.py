"""Outreach where every customer's own effect is known: does what is measured hold, does it pay?

    .venv/bin/python -m benchmarks.uplift_truth [--seeds 200] [--only coverage|looks|policy]

Companies of ``uplift_world.py``, another for each seed.

- **coverage**: one month of 6,000 customers; the riskiest tenth is contacted with odds of .9, the
  others with .15. How often the 95 % interval of the average effect holds the truth, and the
  always-valid one; what the predicted risk saves.
- **looks**: 40 new decisions a day for 180 days, half contacted, looked at every day. Where contact
  does nothing: in how many companies an effect is claimed on any day, by always-valid intervals and
  by single-look ones. Where it harms everybody alike (+.5 on the log odds): how many campaigns
  stop themselves, and when.
- **policy**: 10,000 customers a month, 800 contacts. In month 1 nothing is known and all are drawn
  at random; then 30 % of contacts explore, 10 % of the selected are held out. Effects are learned
  after months 1, 3 and 6 from the log alone. Month 7 is judged: the true net value of 800 contacts
  by the learned policy, by risk, and by the best on what can be observed; and customers contacted
  who are harmed. Beside it the six months' own sum, in which ours pays for exploring and the
  hold-out.
"""

from __future__ import annotations

import argparse
import multiprocessing

import numpy as np
import pandas as pd

from benchmarks.running import show
from benchmarks.uplift_world import Company, Costs, Month
from models.uplift import (
    NONE,
    Pair,
    UpliftModel,
    UpliftTrees,
    fit_uplift,
    joined,
    measure,
    stop,
    trial,
)
from models.uplift.measurement import measure_pair
from models.uplift.trial import Trial

ACTION = "check_in"
TREES = UpliftTrees(folds=3, rounds=40, none_per_contact=3.0)
Z = 1.96


def decided(
    month: Month, at: int, odds: np.ndarray, contacted: np.ndarray, rng: np.random.Generator
) -> pd.DataFrame:
    """The month's decisions as they would be logged, with what came of them; odds of 0 or 1 too."""
    chance = np.where(contacted, month.contact, month.none)
    inquiry_chance = 0.05 + month.induced * contacted
    return pd.DataFrame(
        {
            "customer_id": [f"c{i}" for i in range(len(odds))],
            "time": pd.Timestamp("2026-01-01") + pd.Timedelta(days=30 * at),
            "action": np.where(contacted, ACTION, NONE),
            "offered": ACTION,
            "propensity": np.where(contacted, odds, 1.0 - odds),
            "complained": (rng.random(len(odds)) < chance).astype(np.float64),
            "inquiries": (rng.random(len(odds)) < inquiry_chance).astype(np.float64),
            "risk": month.features["risk"].to_numpy(),
        }
    )


def coverage(seed: int, customers: int) -> dict[str, float]:
    rng = np.random.default_rng([seed, 21])
    month = Company(seed, customers).month(0)
    risk = month.features["risk"].to_numpy()
    odds = np.where(risk >= np.quantile(risk, 0.9), 0.9, 0.15)
    one = measure(trial(decided(month, 0, odds, rng.random(customers) < odds, rng)))
    truth = float(month.effect.mean())
    return {
        "covered": one.low <= truth <= one.high,
        "always": one.always_low <= truth <= one.always_high,
        "variance": one.variance_ratio,
        "width": one.high - one.low,
    }


def looks(seed: int, shift: float, *, days: int = 180, per_day: int = 40) -> dict[str, float]:
    """The first day on which something is claimed; NaN: on none."""
    size = days * per_day
    rng = np.random.default_rng([seed, 22])
    month = Company(seed, size, shift=shift).month(0)
    treated = rng.random(size) < 0.5
    y = (rng.random(size) < np.where(treated, month.contact, month.none)).astype(np.float64)
    risk = month.features["risk"].to_numpy()
    first_day = {"always": np.nan, "single": np.nan, "stopped": np.nan}
    for day in range(1, days + 1):
        n = day * per_day
        if min(y[:n][treated[:n]].sum(), y[:n][~treated[:n]].sum()) < 10:
            continue
        rows = np.arange(n)
        two = Pair(ACTION, "complained", rows, rows, treated[:n], np.full(n, 0.5), y[:n])
        one = measure_pair(two, risk[:n])
        claims = {
            "always": one.verdict != "not known",
            "single": abs(one.effect) > Z * one.se,
            "stopped": stop([one]) is not None,
        }
        for name, claim in claims.items():
            if claim and np.isnan(first_day[name]):
                first_day[name] = day
    return first_day


def policy(seed: int, *, customers: int = 10_000, capacity: int = 800) -> dict[str, float]:
    costs = Costs()
    company = Company(seed, customers)
    rng = np.random.default_rng([seed, 23])
    held = rng.random(customers) < 0.1
    log: list[Trial] = []
    model: UpliftModel | None = None
    induced, total = 0.0, {"ours": 0.0, "risk": 0.0, "best": 0.0}
    for at in range(6):
        month = company.month(at)
        explored = capacity if model is None else round(0.3 * capacity)
        ranked = _top(_net(model, month, induced, costs), capacity - explored)
        rest = np.setdiff1d(np.arange(customers), ranked)
        drawn = rng.choice(rest, explored, replace=False)
        odds = np.zeros(customers)
        odds[ranked], odds[rest] = 0.9, explored / len(rest) * 0.9
        contacted = np.zeros(customers, dtype=bool)
        contacted[np.concatenate([ranked, drawn])] = True
        contacted &= ~held
        log.append(trial(decided(month, at, odds, contacted, rng), month.features))
        net = month.net(costs)
        total["ours"] += net[contacted].sum()
        total["risk"] += net[_top(month.features["risk"].to_numpy(), capacity)].sum()
        total["best"] += net[_top(month.seen_net(costs), capacity)].sum()
        if at in (0, 2, 5):
            whole = joined(log)
            model = fit_uplift(whole, trees=TREES)
            induced = max(0.0, measure(whole, "inquiries").effect)
    month = company.month(6)
    net, harmed = month.net(costs), month.effect > 0
    chosen = {
        "ours": _top(_net(model, month, induced, costs), capacity),
        "risk": _top(month.features["risk"].to_numpy(), capacity),
        "best": _top(month.seen_net(costs), capacity),
    }
    values = {name: float(net[rows].sum()) for name, rows in chosen.items()}
    values |= {f"{name} harmed": float(harmed[rows].sum()) for name, rows in chosen.items()}
    values |= {f"{name} contacted": float(len(rows)) for name, rows in chosen.items()}
    return values | {f"{name} six": value for name, value in total.items()}


def _net(model: UpliftModel | None, month: Month, induced: float, costs: Costs) -> np.ndarray:
    if model is None:
        return np.full(len(month.none), -1.0)
    gain = model.gains(month.features)[ACTION].to_numpy()
    return gain * costs.complaint - costs.contact - induced * costs.inquiry


def _top(merit: np.ndarray, capacity: int) -> np.ndarray:
    """The first by merit, those above 0 only."""
    order = np.argsort(-merit, kind="stable")[:capacity]
    return order[merit[order] > 0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--only", choices=("coverage", "looks", "policy"))
    parser.add_argument("--jobs", type=int, default=2, help="processes of the policy's companies")
    options = parser.parse_args()
    seeds = range(options.seeds)
    if options.only in (None, "coverage"):
        frame = pd.DataFrame([coverage(seed, 6000) for seed in seeds]).astype(float)
        show(
            ["companies", "95 % interval holds", "always-valid holds", "width", "variance left"],
            [
                [
                    str(len(frame)),
                    f"{frame['covered'].mean():.1%}",
                    f"{frame['always'].mean():.1%}",
                    f"{frame['width'].mean():.3f}",
                    f"{frame['variance'].mean():.2f}",
                ]
            ],
        )
        print(flush=True)
    if options.only in (None, "looks"):
        lines = []
        for name, shift in (("nothing", 0.0), ("harm", 0.5)):
            days = pd.DataFrame([looks(seed, shift) for seed in seeds])
            known = days.notna().mean()
            first = days["stopped"].median()
            lines.append(
                [
                    name,
                    str(len(days)),
                    f"{known['always']:.1%}",
                    f"{known['single']:.1%}",
                    f"{known['stopped']:.1%}",
                    "" if np.isnan(first) else f"{first:.0f}",
                ]
            )
        header = ["contact does", "companies", "claimed, always valid", "claimed, single look"]
        show([*header, "stopped itself", "median day of those"], lines)
        print(flush=True)
    if options.only in (None, "policy"):
        rows = []
        with multiprocessing.Pool(options.jobs) as pool:
            for row in pool.imap(policy, seeds):
                rows.append(row)
                if len(rows) % 20 == 0 and len(rows) < len(seeds):
                    _tell(pd.DataFrame(rows))
                    print(flush=True)
        _tell(pd.DataFrame(rows))


def _tell(values: pd.DataFrame) -> None:
    lines = []
    for name, word in (("ours", "learned"), ("risk", "riskiest"), ("best", "best on what is seen")):
        lines.append(
            [
                word,
                f"{values[name].mean():.0f}",
                f"{values[name].sum() / values['risk'].sum():.2f}",
                f"{values[name].sum() / values['best'].sum():.2f}",
                f"{values[f'{name} contacted'].mean():.0f}",
                f"{values[f'{name} harmed'].mean():.1f}",
                f"{values[f'{name} harmed'].sum() / values['risk harmed'].sum():.2f}",
                f"{values[f'{name} six'].mean():.0f}",
            ]
        )
    header = ["policy", "net value in month 7", "/ riskiest", "/ best", "contacted"]
    show([*header, "of them harmed", "/ riskiest's", "net value of months 1 to 6"], lines)
    better = (values["ours"] > values["risk"]).mean()
    print(f"\n{len(values)} companies; learned above riskiest in {better:.1%} of them", flush=True)


if __name__ == "__main__":
    main()
