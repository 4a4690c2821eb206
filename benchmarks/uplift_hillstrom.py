"""Whom an e-mail moves: Hillstrom's randomised campaign, beside the usual uplift libraries.

    .venv/bin/python -m benchmarks.uplift_hillstrom --peers PYTHON [--splits 20] [--cache DIR]

Two arms (men's and women's e-mail) against none, the outcome a visit within two weeks. A third of
the customers is held back at random, learners learn on the rest, one arm at a time; 20 splits. Each
learner's ranking of the held-back third gets its Qini (visits per customer; doubly robust scores
whose arms' means are the only model, the same for all) and, over the splits, its mean, the spread,
and its mean rank. An interval is given for the first split by resampled customers, and for the mean
over splits by Nadeau & Bengio's (2003) corrected resampled t: splits share rows, so the variance is
multiplied by (1/J + test/train). Then the policy that ``fit_uplift`` learned from both arms (the
better mail, or none): visits per customer by doubly robust evaluation, against all, and none, where
a visit is worth 1 and a mail costs ``--mail-cost`` of it.

PYTHON is that of an environment with ``causalml econml scikit-uplift lightgbm pyarrow``; the peers
run in ``uplift_peers.py`` there. Without ``--peers`` ours are printed alone. Data: PRESAGE_DATA.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import models.uplift
from benchmarks.running import show
from lab.uplift import best_by, compare_policies, gain_scores, qini, qini_interval
from models.uplift import NONE, Trial, fit_uplift, pair, trial

ARMS = {"Mens E-Mail": "men's", "Womens E-Mail": "women's", "No E-Mail": NONE}
FEATURES = ["recency", "history", "mens", "womens", "zip_code", "newbie", "channel"]
PEERS = Path(__file__).with_name("uplift_peers.py")
OURS = "presage"


def hillstrom(path: Path) -> Trial:
    """The campaign as a trial; a visit is what is wanted, so its outcome is ``value``."""
    rows = pd.read_csv(path)
    frame = pd.DataFrame(
        {
            "customer_id": [f"h{i}" for i in range(len(rows))],
            "time": pd.Timestamp("2008-03-01"),
            "action": rows["segment"].map(ARMS),
            "propensity": 1 / 3,
            "value": rows["visit"].astype(float),
        }
    )
    features = rows[FEATURES].assign(
        zip_code=rows["zip_code"].astype("category"), channel=rows["channel"].astype("category")
    )
    return trial(frame, features, arms=list(ARMS.values()))


def part(of: Trial, rows: np.ndarray) -> Trial:
    assert of.features is not None
    return trial(of.frame.iloc[rows], of.features.iloc[rows])


def splits(size: int, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """(learn, judge) positions; a third is held back."""
    cuts = []
    for at in range(count):
        order = np.random.default_rng([at, 2008]).permutation(size)
        cuts.append((np.sort(order[size // 3 :]), np.sort(order[: size // 3])))
    return cuts


def ours(of: Trial, cuts: list, folder: Path) -> list[pd.DataFrame]:
    """Our gains of the held-back rows of each split; a split that this code has answered before is
    read back."""
    code = hashlib.sha256()
    for name in ("trial", "folds", "nuisance", "learners", "shrink", "model"):
        code.update((Path(models.uplift.__path__[0]) / f"{name}.py").read_bytes())
    gains = []
    for at, (learn, judge) in enumerate(cuts):
        path = folder / f"ours-{at}-{code.hexdigest()[:12]}.parquet"
        if not path.exists():
            model = fit_uplift(part(of, learn), outcome="value")
            model.gains(part(of, judge).features).to_parquet(path)
        gains.append(pd.read_parquet(path))
    return gains


def peers(python: str, of: Trial, cuts: list, folder: Path, learners: str | None) -> pd.DataFrame:
    """``split, arm, learner, row, gain`` by the libraries in that environment."""
    assert of.features is not None
    encoded = of.features.copy()
    for name in ("zip_code", "channel"):
        for value in encoded[name].cat.categories[1:]:
            encoded[f"{name}_{value}"] = (encoded[name] == value).astype(float)
        encoded = encoded.drop(columns=name)
    beside = of.frame[["action", "value"]].assign(action=of.frame["action"].astype(object))
    pd.concat([encoded.astype(float), beside], axis=1).to_parquet(folder / "rows.parquet")
    learn = np.zeros((len(of.frame), len(cuts)), dtype=bool)
    for at, (inside, _) in enumerate(cuts):
        learn[inside, at] = True
    np.save(folder / "learn.npy", learn)
    own = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run([python, PEERS, folder, *([learners] if learners else [])], check=True, env=own)
    return pd.concat(
        [pd.read_parquet(path) for path in sorted(folder.glob("gains-*.parquet"))],
        ignore_index=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", help="Python of an environment with the libraries")
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--mail-cost", type=float, default=0.02)
    parser.add_argument("--cache", type=Path, help="keep the peers' answers there")
    parser.add_argument("--learners", help="the peers' names, parted by ';'; all by default")
    options = parser.parse_args()
    root = os.environ.get("PRESAGE_DATA")
    if not root:
        raise SystemExit("PRESAGE_DATA is not set; it holds outreach/hillstrom.csv.gz")
    whole = hillstrom(Path(root) / "outreach/hillstrom.csv.gz")
    cuts = splits(len(whole.frame), options.splits)
    theirs = pd.DataFrame(columns=["split", "arm", "learner", "row", "gain"])
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.cache or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        own = ours(whole, cuts, folder)
        if options.peers:
            theirs = peers(options.peers, whole, cuts, folder, options.learners)
    scored, policies = [], []
    for at, (_, judge) in enumerate(cuts):
        held, gains = part(whole, judge), own[at]
        for arm in gains.columns:
            two = pair(held, arm, "value")
            observed = gain_scores(two)
            gains_by = {OURS: gains[arm].to_numpy()[two.rows]}
            mine = theirs[(theirs["split"] == at) & (theirs["arm"] == arm)]
            for learner, group in mine.groupby("learner"):
                gains_by[str(learner)] = (
                    group.set_index("row")["gain"].loc[judge[two.rows]].to_numpy()
                )
            for learner, ranking in gains_by.items():
                line = {"split": at, "arm": arm, "learner": learner}
                line["qini"] = qini(observed, ranking)
                if at == 0:
                    line["interval"] = qini_interval(observed, ranking, two.customers)
                scored.append(line)
        worth = held.frame["value"] - options.mail_cost * (held.frame["action"] != NONE)
        paid = trial(held.frame.assign(value=worth), held.features)
        size = len(judge)
        named = {
            "none": np.full(size, NONE, dtype=object),
            "all, men's": np.full(size, "men's", dtype=object),
            "all, women's": np.full(size, "women's", dtype=object),
            "presage": best_by(gains - options.mail_cost),
        }
        values = compare_policies(paid, named, "value", expected=_means(paid))
        policies.append(values.assign(split=at))
    _tell(pd.DataFrame(scored), options.splits)
    _tell_policies(pd.concat(policies), options.splits)


def _means(of: Trial) -> pd.DataFrame:
    """Arms' means for every row: unbiased, and cheap."""
    means = of.frame.groupby("action")["value"].mean()
    return pd.DataFrame({arm: np.full(len(of.frame), mean) for arm, mean in means.items()})


def _tell(scored: pd.DataFrame, count: int) -> None:
    scored["rank"] = scored.groupby(["split", "arm"])["qini"].rank(ascending=False)
    lines = []
    for learner, group in scored.groupby("learner"):
        line = [str(learner)]
        for arm in ("men's", "women's"):
            own = group[group["arm"] == arm]
            mean, reach = _corrected(own["qini"].to_numpy(), count)
            first = own.loc[own["split"] == 0, "interval"].iloc[0]
            line.append(
                f"{1000 * mean:.2f} ({1000 * (mean - reach):.2f}, {1000 * (mean + reach):.2f})"
            )
            line.append(
                f"{1000 * first.estimate:.2f} ({1000 * first.low:.2f}, {1000 * first.high:.2f})"
            )
            line.append(f"{own['rank'].mean():.2f}")
        lines.append([*line, f"{group['rank'].mean():.2f}"])
    lines.sort(key=lambda line: float(line[-1]))
    header = ["learner"]
    for arm in ("men's", "women's"):
        header += [f"{arm}: Qini × 1000", "first split", "mean rank"]
    show([*header, "mean rank of both"], lines)
    print()


def _tell_policies(policies: pd.DataFrame, count: int) -> None:
    lines = []
    for name, group in policies.groupby("policy", sort=False):
        line = [str(name), f"{group['contacted'].mean():.2f}"]
        for column in ("value", "over_none"):
            mean, reach = _corrected(group[column].to_numpy(), count)
            line.append(f"{1000 * mean:.1f}" + (f" ± {1000 * reach:.1f}" if reach else ""))
        first = group.iloc[0]
        line.append(f"{1000 * first['low']:.1f} to {1000 * first['high']:.1f}")
        lines.append(line)
    header = ["policy", "mailed", "value per 1000", "over none", "value, first split (95 %)"]
    show(header, lines)


def _corrected(values: np.ndarray, count: int) -> tuple[float, float]:
    """The mean over splits and its 95 % half-width, corrected for rows that splits share."""
    from scipy.stats import t

    if count < 2:
        return float(values.mean()), float("nan")
    variance = float(values.var(ddof=1)) * (1 / count + 1 / 2)
    return float(values.mean()), float(t.ppf(0.975, count - 1)) * variance**0.5


if __name__ == "__main__":
    main()
