"""The one number beside each of its sources: contacts of thirty days on simulated companies.

    .venv/bin/python -m benchmarks.one_number [--customers 2000] [--days 420] [--seeds 31,32]
        [--cutoffs 8] [--cache FOLDER]

At cutoffs thirty days apart the company's contacts of the next thirty days are told three ways: by
the series' forecast (with drivers), by the customers' expected tickets with the share of others,
and by the two made one, each weighted by its errors at the cutoffs before (complete by then).
Printed: WAPE over all cutoffs but the first two of each company, and ratios with intervals (cutoffs
drawn 2,000 times in pairs). Risk is trained anew at each cutoff, which takes most of the time; its
answers are kept under --cache.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.simulated import companies, options_of, tables_of
from data.tables import MemoryTables
from data.workspace import Workspace
from features.asof import as_of_view
from models.one_number import SPAN_DAYS, Record, join, others_expected
from models.risk.backtest import backtest_risk
from models.volume import VolumeContext, forecast, series_from_tickets
from models.volume.drivers import DriverSource

SPAN = timedelta(days=SPAN_DAYS)


def answers(folder: Path, cutoffs: int) -> pd.DataFrame:
    """``cutoff, series, customers, others, came`` of one company, kept beside it."""
    file = folder / f"one-number-{cutoffs}.parquet"
    if file.exists():
        return pd.read_parquet(file)
    opened = Workspace.open(folder)
    tables = tables_of(folder)
    end = opened.settings.data.complete_to
    assert end is not None
    zone, country = opened.settings.company.time_zone, opened.settings.company.country
    times = [end - SPAN * back for back in range(cutoffs, 0, -1)]
    risk = backtest_risk(
        tables, times, (7, 14, 30), opened.settings, known_as_of=end, baselines=(), time_zone=zone
    )
    expected = risk.groupby("cutoff")["expected_tickets_30d"].sum()
    context = VolumeContext(country, zone, local_days=True, drivers=DriverSource(tables, zone))
    rows = [
        one_cutoff(tables, time, context, float(expected[pd.Timestamp(time)])) for time in times
    ]
    frame = pd.DataFrame(rows)
    frame.to_parquet(file)
    return frame


def one_cutoff(
    tables: MemoryTables, time: datetime, context: VolumeContext, customers: float
) -> dict[str, object]:
    history = series_from_tickets(tables, time, "D", context)
    top = history["unique_id"].str.match("total$|topic=")
    frame = forecast(history[top], horizon=SPAN_DAYS, freq="D", context=context)
    later = as_of_view(tables, "tickets", time + SPAN, ["opened_at", "is_machine"])
    machine = later["is_machine"].fillna(False).astype(bool)
    return {
        "cutoff": time,
        "series": float(frame.loc[frame["unique_id"] == "total", "presage"].sum()),
        "customers": customers,
        "others": others_expected(tables, time),
        "came": float(((later["opened_at"] >= time) & ~machine).sum()),
    }


def joined(frame: pd.DataFrame) -> pd.DataFrame:
    """The answers with ``bottom`` and ``one``, each cutoff's weights from those before it."""
    frame = frame.sort_values("cutoff").reset_index(drop=True)
    frame["bottom"] = frame["customers"] + frame["others"]
    totals, weights = [], []
    for place, row in frame.iterrows():
        past = frame.iloc[:place]
        records = [Record(tuple(past[name]), tuple(past["came"])) for name in ("series", "bottom")]
        one = join(
            row["series"], row["customers"], row["others"],
            days=SPAN_DAYS, series=records[0], customers=records[1],
        )  # fmt: skip
        totals.append(one.total)
        weights.append(one.series_weight)
    return frame.assign(one=totals, weight=weights)


def main() -> None:
    options = options_of(
        __doc__, customers=2000, seeds="31,32", cutoffs=(8, "cutoffs of each company")
    )
    parts = [
        joined(answers(folder, options.cutoffs)).assign(seed=seed)
        for seed, folder in companies(options)
    ]
    frame = pd.concat(parts, ignore_index=True)
    print("| seed | cutoff | series | customers and others | weight of the series | one | came |")
    print("|---|---|---|---|---|---|---|")
    for row in frame.itertuples():
        cells = [row.seed, f"{row.cutoff:%Y-%m-%d}", f"{row.series:.0f}", f"{row.bottom:.0f}"]
        cells += [f"{row.weight:.2f}", f"{row.one:.0f}", f"{row.came:.0f}"]
        print(f"| {' | '.join(map(str, cells))} |")
    judged = frame[frame.groupby("seed").cumcount() >= 2]
    errors = {
        name: (judged[name] - judged["came"]).abs().to_numpy()
        for name in ("one", "series", "bottom")
    }
    pick = np.random.default_rng(0).integers(0, len(judged), (2000, len(judged)))
    print(f"\n{len(judged)} cutoffs judged; WAPE of the one number "
          f"{errors['one'].sum() / judged['came'].sum():.3f}")  # fmt: skip
    for name in ("series", "bottom"):
        drawn = errors["one"][pick].sum(axis=1) / errors[name][pick].sum(axis=1)
        low, high = np.quantile(drawn, [0.025, 0.975])
        ratio = errors["one"].sum() / errors[name].sum()
        alone = errors[name].sum() / judged["came"].sum()
        print(f"{name} alone {alone:.3f}: ratio {ratio:.3f} ({low:.3f} to {high:.3f})")


if __name__ == "__main__":
    main()
