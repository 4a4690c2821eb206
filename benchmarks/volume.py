"""Volume forecasts on real series: ours and the named peers, on the same cutoffs.

    PRESAGE_DATA=... .venv/bin/python -m benchmarks.volume --cache FOLDER [SET ...] [--cutoffs 12]
        [--peers none|ours|all] [--plots FOLDER]

Prints a line per data set and method: WAPE of the median, mean pinball loss over the mean count,
coverage of the 80 and 95 % intervals, seconds; of our forecasts of series with few contacts also
the randomised PIT, whose shares are not blurred by whole numbers as coverage is; then the ratios to
the best peer of each set, chosen afterwards, and to the mean of the last eight same slots. Only
steps with a count are scored. Every method sees the rows up to the cutoff and nothing else. The
open libraries run in an environment of their own under --cache (``volume_environment.py``), which
also keeps their answers.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.volume_environment import peer_forecasts
from benchmarks.volume_scores import Scores, geometric, paired_interval, scores_of, sparse_pit
from benchmarks.volume_sets import SETS, Series, cutoffs_of
from models.volume import VolumeContext, backtest, mean_of_same_slots

EIGHT = "mean of 8 slots"
LEVELS = (20, 40, 60, 80, 90, 95, 98)


def ours(series: Series, cutoffs: list[pd.Timestamp]) -> pd.DataFrame:
    """Presage's backtest in the form of the peers' answers."""
    context = VolumeContext(country=series.country)
    out = backtest(
        series.history,
        cutoffs=cutoffs,
        horizon=series.horizon,
        freq=series.freq,
        context=context,
        levels=LEVELS,
    )
    return out.rename(columns={name: name.removeprefix("presage-") for name in out.columns})


def eight(series: Series, cutoffs: list[pd.Timestamp]) -> pd.DataFrame:
    """The planners' baseline, which has no interval."""
    parts = []
    for cutoff in cutoffs:
        past = series.history[series.history["ds"] <= cutoff]
        forecast = mean_of_same_slots(past, horizon=series.horizon, freq=series.freq)
        parts.append(forecast.assign(cutoff=cutoff))
    return pd.concat(parts, ignore_index=True).rename(columns={"mean_of_same_slots": "median"})


def one_set(
    name: str, most: int, peers: str, cache: Path
) -> tuple[dict[str, Scores], pd.DataFrame]:
    """Every method's scores on one data set, and our forecasts."""
    series = SETS[name]()
    cutoffs = cutoffs_of(series, most)
    forecasts: dict[str, pd.DataFrame] = {}
    for method, make in (("presage", ours), (EIGHT, eight)):
        begun = time.perf_counter()
        forecasts[method] = make(series, cutoffs).assign(seconds=0.0)
        forecasts[method]["seconds"] = time.perf_counter() - begun
        if peers == "none":
            break
    if peers == "all":
        forecasts |= peer_forecasts(
            name, series.history, series.freq, series.horizon, cutoffs, series.country, cache
        )
    actual = series.history[["unique_id", "ds", "y"]].assign(
        unique_id=series.history["unique_id"].astype(object)
    )
    scores = {}
    for method, frame in forecasts.items():
        frame = frame.drop(columns="y", errors="ignore")
        frame["unique_id"] = frame["unique_id"].astype(object)
        scores[method] = scores_of(frame.merge(actual, on=["unique_id", "ds"]).dropna(subset="y"))
    return scores, forecasts["presage"]


def line(name: str, method: str, scores: Scores) -> str:
    cells = [f"{scores.wape:.4f}", f"{scores.bias:+.3f}", number(scores.pinball, 4)]
    cells += [number(scores.cover80, 3), number(scores.cover95, 3)]
    return f"| {name} | {method} | {' | '.join(cells)} | {scores.cutoffs} | {scores.seconds:.0f} |"


def number(value: float, digits: int) -> str:
    return "" if np.isnan(value) else f"{value:.{digits}f}"


def summary(by_set: dict[str, dict[str, Scores]]) -> list[str]:
    """The ratios per set and their geometric means, and the coverages' means."""
    out = [
        "",
        "| set | best peer | WAPE ratio | ratio to 8 slots (95 %) | best pinball | pinball ratio |",
        "|---|---|---|---|---|---|",
    ]
    wapes, eights, pinballs = [], [], []
    for name, scores in by_set.items():
        mine = scores["presage"]
        others = {key: value for key, value in scores.items() if key != "presage"}
        best = min(others, key=lambda key: others[key].wape)
        wapes.append(mine.wape / best_of(scores).wape)
        eights.append(mine.wape / others[EIGHT].wape)
        low, high = paired_interval(mine, others[EIGHT])
        fans = {key: value.pinball for key, value in others.items() if value.pinball > 0}
        sharp, ratio = "", float("nan")
        if fans:
            sharp = min(fans, key=lambda key: fans[key])
            ratio = mine.pinball / fans[sharp]
            pinballs.append(ratio)
        out.append(
            f"| {name} | {best} | {wapes[-1]:.3f} | {eights[-1]:.3f} ({low:.3f} to {high:.3f}) | "
            f"{sharp} | {number(ratio, 3)} |"
        )
    last = number(geometric(pinballs), 3) if pinballs else ""
    out.append(
        f"| geometric mean | | {geometric(wapes):.3f} | {geometric(eights):.3f} | | {last} |"
    )
    return out


def pits(fans: dict[str, pd.DataFrame]) -> list[str]:
    """The randomised PIT of the sparse series of each set that has some."""
    out = ["", "| set | sparse series | counts | PIT in the middle 80 % | 95 % | distance |"]
    out.append("|---|---|---|---|---|---|")
    for name, frame in fans.items():
        fit = sparse_pit(frame)
        if fit is not None:
            out.append(
                f"| {name} | {fit.series} | {fit.rows} | {fit.inside80:.3f} | "
                f"{fit.inside95:.3f} | {fit.distance:.3f} |"
            )
    return out


def best_of(scores: dict[str, Scores]) -> Scores:
    """The best single peer, chosen afterwards."""
    return min((value for key, value in scores.items() if key != "presage"), key=lambda s: s.wape)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", default=[])
    parser.add_argument("--cutoffs", type=int, default=12)
    parser.add_argument("--peers", choices=["none", "ours", "all"], default="all")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "presage-peers")
    parser.add_argument("--plots", type=Path)
    options = parser.parse_args(arguments)
    print("| set | method | WAPE | bias | pinball | 80 % | 95 % | cutoffs | s |")
    print("|---|---|---|---|---|---|---|---|---|")
    by_set: dict[str, dict[str, Scores]] = {}
    fans: dict[str, pd.DataFrame] = {}
    for name in options.sets or SETS:
        by_set[name], fans[name] = one_set(name, options.cutoffs, options.peers, options.cache)
        for method, scores in by_set[name].items():
            print(line(name, method, scores), flush=True)
    mine = [scores["presage"] for scores in by_set.values()]
    means = [np.mean([getattr(one, key) for one in mine]) for key in ("cover80", "cover95")]
    print(f"\nmean over sets: {means[0]:.3f} inside the 80 % interval, {means[1]:.3f} inside 95 %")
    print("\n".join(pits(fans)))
    if options.peers != "none":
        print("\n".join(summary(by_set)))
    if options.plots and options.peers != "none":
        from volume_plots import save_fans

        ratios = {
            name: scores["presage"].wape / best_of(scores).wape for name, scores in by_set.items()
        }
        save_fans(ratios, fans, {name: SETS[name]().history for name in fans}, options.plots)


if __name__ == "__main__":
    main(sys.argv[1:])
