"""What reading texts is worth: how well they are read, what it costs, and what risk gains by it.

    .venv/bin/python -m benchmarks.texts [--customers 3000] [--days 400] [--seeds 1,2,3]

On simulated companies, whose texts are made from templates: easier than what people write. The
model is fitted half a year before the end and reads what is recorded later; "never seen" are later
texts that it did not learn from. Risk is backtested with and without features of texts, at two
cutoffs; differences are paired, with the 95 % interval over resampled customers, against what came
and against the true probabilities ("soft").
"""

from __future__ import annotations

import argparse
import time
from datetime import timedelta

import numpy as np
import pandas as pd

from benchmarks.risk import Case, simulated
from features.messages import Texts, WithTexts
from features.text_learning import fit_text
from models.metrics import average_precision, log_loss, paired_bootstrap, roc_auc
from models.risk.backtest import backtest_risk


def read_later(case: Case) -> list[list[str]]:
    """A row per language: accuracy beside that of the commonest answer."""
    moment = case.known_as_of - timedelta(days=180)
    began = time.process_time()
    model = fit_text(case.tables, moment, case.settings.complaint)
    fitting = time.process_time() - began
    began = time.process_time()
    frame = WithTexts(case.tables, model).frame("tickets")
    reading = time.process_time() - began
    learned = sum(model.learned["complaint"].values())
    print(
        f"{case.name}: {learned} texts learned from in {fitting:.1f} CPU s, {len(frame)} read in "
        f"{reading:.1f} CPU s, {len(model.to_json()) / 1e6:.2f} MB"
    )
    written = frame[frame["text"].notna() & ~frame["is_machine"].fillna(False).astype(bool)]
    later = written[written["recorded_at"] > moment]
    fresh = later[~later["text"].isin(written.loc[written["opened_at"] < moment, "text"])]
    rows = []
    for which, tickets in (("later", later), ("never seen", fresh)):
        for language in ("en", "es", "nb"):
            some = tickets[tickets["language"].str.startswith(language).fillna(False)]
            is_complaint = some["is_complaint"].astype(bool)
            rated = some[some["csat"].isin([1, 2, 4, 5])]
            rows.append(
                [
                    case.name,
                    which,
                    language,
                    f"{len(some)}",
                    f"{((some['text_complaint'] >= 0.5) == is_complaint).mean():.3f}",
                    f"{max(is_complaint.mean(), 1 - is_complaint.mean()):.3f}",
                    f"{(some['text_topic'] == some['topic']).mean():.3f}",
                    f"{some['topic'].value_counts(normalize=True).max():.3f}",
                    f"{roc_auc(rated['csat'] >= 4, rated['text_sentiment']):.3f}",
                ]
            )
    return rows


def judged(case: Case, texts: Texts) -> pd.DataFrame:
    """The backtest with or without features of texts, beside the truth."""
    frame = backtest_risk(
        case.tables,
        case.cutoffs,
        case.horizons,
        case.settings,
        known_as_of=case.known_as_of,
        baselines=(),
        texts=texts,
    )
    assert case.truth is not None
    columns = {f"complaint_{h}d": f"truth_{h}d" for h in case.horizons}
    truth = case.truth[["customer_id", "cutoff", *columns]].rename(columns=columns)
    frame = frame.merge(truth, on=["customer_id", "cutoff"], how="left", validate="one_to_one")
    return frame.assign(customer_id=frame["customer_id"] + "@" + case.name)


def gains(name: str, without: pd.DataFrame, read: pd.DataFrame) -> list[list[str]]:
    """A row per horizon: what features of texts add."""
    rows = []
    for h in (7, 14, 30):
        y, soft = (read[f"{c}_{h}d"].to_numpy(np.float64) for c in ("label", "truth"))
        more, less = (f[f"risk_{h}d"].to_numpy(np.float64) for f in (read, without))
        row = [name, f"{h} d", f"{len(y)}", f"{y.mean():.3f}", f"{average_precision(y, less):.3f}"]
        for metric, target in (
            (average_precision, y),
            (log_loss, y),
            (average_precision, soft),
            (log_loss, soft),
        ):
            gain = paired_bootstrap(
                metric, target, more, less, groups=read["customer_id"].to_numpy()
            )
            row.append(f"{gain.estimate:+.4f} ({gain.low:+.4f}, {gain.high:+.4f})")
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=3000)
    parser.add_argument("--days", type=int, default=400)
    parser.add_argument("--seeds", default="1,2,3")
    options = parser.parse_args()
    reads: list[list[str]] = []
    gained: list[list[str]] = []
    pool: dict[Texts, list[pd.DataFrame]] = {"no": [], "yes": []}
    for seed in map(int, options.seeds.split(",")):
        case = simulated(seed, options.customers, options.days, 2)
        reads += read_later(case)
        for texts, frames in pool.items():
            frames.append(judged(case, texts))
        gained += gains(case.name, pool["no"][-1], pool["yes"][-1])
        for line in gained[-3:]:  # what is known so far: all of it comes below
            print(" ".join(line), flush=True)
    whole = [pd.concat(frames, ignore_index=True) for frames in pool.values()]
    gained += gains("pooled", *whole)
    header = ["company", "texts", "language", "tickets", "complaint right", "commonest"]
    header += ["topic right", "commonest", "AUC of sentiment for CSAT"]
    for line in (header, ["---"] * len(header), *reads):
        print("| " + " | ".join(line) + " |")
    header = ["company", "horizon", "rows", "base rate", "AP without", "AP gained (95 %)"]
    header += ["log loss (95 %)", "soft AP gained (95 %)", "soft log loss (95 %)"]
    print()
    for line in (header, ["---"] * len(header), *gained):
        print("| " + " | ".join(line) + " |")


if __name__ == "__main__":
    main()
