"""Does the loop hold? Twelve monthly retrains under outreach, and the forecast while it begins.

    .venv/bin/python -m benchmarks.outreach_loop [--customers 4000] [--seeds 8] [--only risk|volume]

**Risk.** A company whose customers' true monthly risk without contact is known, drawn anew each
month from features that the model sees. Each month the riskiest twentieth is contacted, a tenth of
all left alone for ever; a contact takes half of the risk away. Two models are trained each month on
the last twelve: one that knows who was treated (features/untreated.py), one that learns from what
came of everybody. Each decides for its own world. Both are judged each month on everybody's true
risk without contact: average precision (true probabilities as soft labels), beside
that of the first model, which saw no outreach; and on the hold-out the mean gap between predicted
and true risk by tenth (ECE).

**Volume.** Contacts by day. Outreach explores a few customers a day until it is measured, then
grows fivefold. A model that is trained again each month forecasts the next 28 days: with the line
of outreach (models/outreach_line.py) as it was decided to go on that night, with the line of the
last four weeks going on, and by the counts alone; printed is the sum of forecasts over the sum of
what came.

Bars: ECE <= .02; average precision within 2 % of the start over the last three months, and the
naive model's decay shown; bias of volume within 2 %.
"""

from __future__ import annotations

import argparse
import multiprocessing
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from benchmarks.running import show
from data.arrays import Bools, Floats
from features.untreated import Exposures, untreated
from models.metrics import average_precision
from models.outreach_line import Contacted, measured_change, with_line
from models.risk.model import RiskModel
from models.risk.settings import RiskSettings
from models.risk.train import train_risk
from models.risk.trees import TreeSettings
from models.uplift import trial
from models.volume import VolumeContext, train_volume

START = datetime(2024, 1, 1)
MONTH = timedelta(days=30)
BEFORE, RETRAINS, LEARNED = 12, 12, 12
"""Months before outreach, months under it, months that a model learns from."""
HOLDOUT, CONTACTED, FACTOR = 0.1, 0.05, 0.5
BASE, EXPLORED, GROWN = 160.0, 12, 60
"""Contacts on a usual day without outreach; customers drawn a day while it explores, and then."""
USUAL, AVERTED, INDUCED = 0.6, 0.45, 0.05
"""Contacts of a drawn customer in 30 days, the share that a contact averts, those it causes."""
FEATURES = ("orders_late", "errors", "tickets", "tenure", "spend")


@dataclass
class World:
    """One company: its customers' fixed traits, its hold-out, and what was seen so far."""

    rng: np.random.Generator
    customers: int
    traits: Floats
    held: Bools
    features: list[pd.DataFrame] = field(default_factory=list)
    labels: list[pd.DataFrame] = field(default_factory=list)
    truth: list[Floats] = field(default_factory=list)
    drawn: list[pd.DataFrame] = field(default_factory=list)

    def month(self) -> tuple[pd.DataFrame, Floats]:
        """This month's features of everybody, and their true risk if they are left alone."""
        rng, n = self.rng, self.customers
        x = np.column_stack(
            [
                rng.poisson(0.4 * np.exp(0.5 * self.traits)),
                rng.poisson(0.6, n),
                rng.poisson(0.5 * np.exp(0.8 * self.traits)),
                rng.exponential(2.0, n),
                rng.lognormal(0, 0.7, n),
            ]
        ).astype(np.float64)
        rate = (
            0.02 + 0.10 * np.minimum(x[:, 0], 4) + 0.05 * x[:, 1] * (x[:, 3] < 1) + 0.06 * x[:, 2]
        )
        at = START + MONTH * len(self.features)
        frame = pd.DataFrame(x, columns=list(FEATURES))
        frame.insert(0, "as_of", pd.Timestamp(at))
        frame.insert(0, "customer_id", [f"c{i:06d}" for i in range(n)])
        return frame, -np.expm1(-rate)

    def live(self, frame: pd.DataFrame, truth: Floats, chosen: Bools) -> None:
        """A month in which those ``chosen`` are contacted, but for the hold-out."""
        contacted = chosen & ~self.held
        complains = self.rng.random(self.customers) < np.where(contacted, FACTOR * truth, truth)
        labels = frame[["customer_id", "as_of"]].copy()
        for name in ("label_30d", "contact_30d", "tickets_30d"):
            labels[name] = complains.astype(np.float64)
        self.features.append(frame)
        self.labels.append(labels)
        self.truth.append(truth)
        self.drawn.append(
            pd.DataFrame(
                {"customer_id": frame["customer_id"], "at": frame["as_of"], "contacted": contacted,
                 "odds": 1.0 - HOLDOUT, "ours": True}
            )[chosen]
        )  # fmt: skip

    def learned(self, knows: bool, seed: int, most_weight: float) -> RiskModel:
        """A model of the last ``LEARNED`` months; ``knows``: who was treated."""
        features = pd.concat(self.features[-LEARNED:], ignore_index=True)
        labels = pd.concat(self.labels[-LEARNED:], ignore_index=True)
        if knows:
            drawn = pd.concat(self.drawn, ignore_index=True)
            labels = untreated(
                labels, Exposures(drawn, HOLDOUT, 1.0), horizons=[30], gap_days=0,
                known_as_of=START + MONTH * len(self.features),
            )  # fmt: skip
        settings = RiskSettings(
            trees=TreeSettings(rounds=(15, 30, 60)), penalties=(100.0,), most_weight=most_weight
        )
        return train_risk(
            features, labels, horizons=[30], seed=seed, settings=settings, choices=False
        )


def new_world(customers: int, seed: int) -> World:
    """A company that has lived ``BEFORE`` months without outreach."""
    rng = np.random.default_rng(seed)
    traits = rng.normal(0, 1, customers)
    world = World(rng, customers, traits, rng.random(customers) < HOLDOUT)
    for _ in range(BEFORE):
        world.live(*world.month(), np.zeros(customers, dtype=bool))
    return world


def gap_by_tenth(truth: Floats, risk: Floats) -> float:
    """Mean absolute gap between predicted and true risk over tenths of predicted risk."""
    tenths = np.array_split(np.argsort(risk), 10)
    return float(np.mean([abs(risk[t].mean() - truth[t].mean()) for t in tenths]))


def risk_months(
    customers: int, seed: int, knows: bool, most_weight: float, retrains: int = RETRAINS
) -> pd.DataFrame:
    """A row a month under outreach: average precision of the newest model and of the first one,
    the true risk's own, ECE on the hold-out, mean predicted over mean true risk of those chosen."""
    world = new_world(customers, seed)
    first = model = world.learned(knows, seed, most_weight)
    rows = []
    for number in range(retrains + 1):
        frame, truth = world.month()
        plain = frame.drop(columns=["customer_id", "as_of"])
        risk = model.predict(plain, choices=False)["risk_30d"].to_numpy()
        start = risk if not number else first.predict(plain, choices=False)["risk_30d"].to_numpy()
        chosen = np.zeros(customers, dtype=bool)
        chosen[np.argsort(-risk)[: round(customers * CONTACTED)]] = True
        rows.append(
            {
                "month": number,
                "ap": average_precision(truth, risk),
                "ap_start": average_precision(truth, start),
                "ece": gap_by_tenth(truth[world.held], risk[world.held]),
                "level": risk[chosen].mean() / truth[chosen].mean(),
            }
        )
        world.live(frame, truth, chosen)
        if number < retrains:
            model = world.learned(knows, seed, most_weight)
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Volume:
    """By month: the actual contacts, the forecasts of them with the line of outreach (as planned,
    and as in the last four weeks) and without, the line itself, and what outreach truly changed."""

    actual: Floats
    planned: Floats
    as_before: Floats
    alone: Floats
    line: Floats
    truth: Floats


def volume_months(seed: int, months: int = 12) -> Volume:
    """Outreach explores a few a day until it is measured, then grows; forecasts beside what came.

    A contacted customer writes less and asks more over the 30 days after it; the model is trained
    again each month.
    """
    rng = np.random.default_rng([seed, 7])
    past, explored = 300, 112
    days = past + 28 * months
    a_day = np.zeros(days, dtype=np.int64)
    a_day[past - explored :], a_day[past:] = EXPLORED, GROWN
    week = np.array([1.2, 1.1, 1.0, 1.0, 0.95, 0.5, 0.4])
    changed = np.zeros(days + 30)
    drawn = []
    for day in np.flatnonzero(a_day):
        held = rng.random(a_day[day]) < HOLDOUT * (5 if day < past else 1)
        without = rng.poisson(USUAL, len(held))
        averted = np.where(held, 0, rng.binomial(without, AVERTED))
        inquiries = np.where(held, 0, rng.poisson(INDUCED, len(held)))
        np.subtract.at(changed, day + rng.integers(0, 30, averted.sum()), 1.0)
        np.add.at(changed, day + rng.integers(0, 30, inquiries.sum()), 1.0)
        complaints = without - averted
        odds = HOLDOUT * (5 if day < past else 1)
        drawn.append(
            pd.DataFrame(
                {"customer_id": [f"{day}-{i}" for i in range(len(held))],
                 "time": START + timedelta(days=int(day)),
                 "action": np.where(held, "none", "check_in"),
                 "propensity": np.where(held, odds, 1 - odds),
                 "complained": np.minimum(complaints, 1.0),
                 "contacts": complaints + inquiries * 1.0,
                 "inquiries": inquiries * 1.0}
            )
        )  # fmt: skip
    log = pd.concat(drawn, ignore_index=True)
    y = np.maximum(rng.poisson(BASE * week[np.arange(days) % 7]) + changed[:days], 0.0)
    ds = pd.date_range(START, periods=days)
    history = pd.DataFrame({"unique_id": "total", "ds": ds, "y": y})
    treated = (log["action"] == "check_in").groupby(log["time"]).sum().reindex(ds, fill_value=0)
    planned, as_before, alone, line = (np.zeros(months) for _ in range(4))
    context = VolumeContext()
    for month in range(months):
        now = past + 28 * month
        known = history[:now]
        model = train_volume(known, horizon=28, freq="D", context=context, seed=seed)
        frame = model.forecast(known, horizon=28, context=context)
        planned[month] = as_before[month] = alone[month] = frame["presage"].sum()
        ended = log["time"] + timedelta(days=30) <= ds[now]
        change = measured_change(trial(log[ended].reset_index(drop=True)))
        if change is not None:
            by_day = tuple(treated[:now].astype(float))
            as_before[month] = with_line(frame, Contacted(by_day), change)["presage"].sum()
            frame = with_line(frame, Contacted(by_day, float(treated.iloc[now])), change)
            planned[month], line[month] = frame["presage"].sum(), frame["outreach"].sum()
    by_month = changed[past:days].reshape(months, 28).sum(axis=1)
    actual = y[past:].reshape(months, 28).sum(axis=1)
    return Volume(actual, planned, as_before, alone, line, by_month)


def _risk(customers: int, seeds: int, most_weight: float, jobs: int) -> None:
    rows, means = [], {}
    for knows, name in ((True, "treated known"), (False, "naive")):
        asked = [(customers, seed, knows, most_weight) for seed in range(seeds)]
        with multiprocessing.Pool(jobs) as pool:
            worlds = [_last_months(months) for months in pool.starmap(risk_months, asked)]
        for figure in ("ap", "ece", "level"):
            means[name, figure] = _mean([world[figure] for world in worlds])
    for figure, word in (("ap", "average precision against the first model's"),
                         ("ece", "ECE on the hold-out"),
                         ("level", "predicted over true risk of the riskiest")):  # fmt: skip
        rows.append([word, means["treated known", figure], means["naive", figure]])
    print(f"{seeds} companies of {customers}, last three of {RETRAINS} months; no row weighs more "
          f"than {most_weight:g}")  # fmt: skip
    show(["mean over companies (95 %)", "treated known", "naive"], rows)


def _last_months(months: pd.DataFrame) -> dict[str, float]:
    last = months.iloc[-3:]
    found = {
        "ap": float(last["ap"].sum() / last["ap_start"].sum() - 1),
        "ece": float(last["ece"].mean()),
        "level": float(last["level"].mean()),
    }
    print(", ".join(f"{name} {value:+.4f}" for name, value in found.items()), flush=True)
    return found


def _mean(values: list[float]) -> str:
    """The mean, and Student's 95 % interval of it."""
    from scipy.stats import t

    mean, count = float(np.mean(values)), len(values)
    if count < 2:
        return f"{mean:.4f}"
    reach = float(t.ppf(0.975, count - 1) * np.std(values, ddof=1) / count**0.5)
    return f"{mean:.4f} ({mean - reach:.4f} to {mean + reach:.4f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=4000)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--only", choices=("risk", "volume"))
    parser.add_argument("--most-weight", type=float, default=RiskSettings().most_weight)
    parser.add_argument("--jobs", type=int, default=1, help="processes that play the seeds")
    options = parser.parse_args()
    if options.only != "volume":
        _risk(options.customers, options.seeds, options.most_weight, options.jobs)
    if options.only != "risk":
        with multiprocessing.Pool(options.jobs) as pool:
            _volume(pool.map(volume_months, range(options.seeds)))


def _volume(worlds: list[Volume]) -> None:
    rows = []
    for name, span in (("1", slice(0, 1)), ("2", slice(1, 2)), ("3", slice(2, 3)),
                       ("4 to 12", slice(3, 12)), ("1 to 12", slice(0, 12))):  # fmt: skip
        planned, as_before, alone, actual, line, truth = (
            sum(float(getattr(one, part)[span].sum()) for one in worlds)
            for part in ("planned", "as_before", "alone", "actual", "line", "truth")
        )
        biases = (f"{said / actual - 1:+.1%}" for said in (planned, as_before, alone))
        rows.append([name, *biases, f"{line / actual:+.1%}", f"{truth / actual:+.1%}"])
    heads = ["months", "bias with the line", "of last month's line", "of counts alone", "the line",
             "the truth"]  # fmt: skip
    show(heads, rows)


if __name__ == "__main__":
    main()
