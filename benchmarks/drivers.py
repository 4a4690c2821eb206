"""What drivers are worth: volume forecasts of simulated companies around strikes, and in all weeks.

    .venv/bin/python -m benchmarks.drivers [--customers 6000] [--days 420] [--seeds 21,22,23,24]
        [--cache FOLDER] [--every 14] [--runs 16]

A company is simulated per seed. Around every strike of its truth, and once every so many days over
the rest, the total and the topics are forecast a week ahead by day, with and without drivers, from
what was known at each cutoff. A strike's window is its first two weeks, forecast from every day of
them: the first cutoff knows the strike's first day. The best driverless forecast is chosen
afterwards, by its error in these very windows, among Presage without drivers and its members
alone. Beside them stands what could be known at best: the company itself, run on from each cutoff
(``drivers_ideal.py``). Intervals: strikes (cutoffs, over all weeks) drawn 2,000 times in pairs.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.drivers_ideal import ideal
from benchmarks.simulated import companies, options_of, tables_of
from data.tables import MemoryTables
from models.volume import VolumeContext, backtest, series_from_tickets
from models.volume.drivers import DriverSource
from models.volume.forecaster import ordered
from models.volume.judge import Workbench
from models.volume.members import NAMES
from models.volume.panel import panel_of

HORIZON = 7
WINDOW = 14
LONG = 5
SOON = 3
BEGIN = 120
TABLES = ("customers", "orders", "usage", "tickets", "calendar")
ZONE = "Europe/Oslo"


def history_of(tables: MemoryTables, context: VolumeContext) -> pd.DataFrame:
    """Daily counts of the total and the topics, up to the last whole day."""
    newest = tables.frame("tickets", ["opened_at"])["opened_at"].max()
    table = series_from_tickets(tables, newest.ceil("D").to_pydatetime(), "D", context)
    wanted = (table["unique_id"] == "total") | table["unique_id"].str.startswith("topic=")
    return table[wanted].reset_index(drop=True)


def strikes(folder: Path, days: pd.DatetimeIndex) -> dict[int, int]:
    """The strikes' first days, as places among ``days``, and how many days each lasted."""
    truth = pd.read_parquet(folder / "truth" / "incidents.parquet")
    truth = truth[truth["kind"] == "strike"].sort_values("starts_at")
    lasted = (truth["ends_at"] - truth["starts_at"]).dt.round("D").dt.days
    places = days.searchsorted(truth["starts_at"])
    return {
        int(place): int(last)
        for place, last in zip(places, lasted, strict=True)
        if BEGIN <= place <= len(days) - WINDOW - 1
    }


def forecasts(folder: Path, every: int) -> pd.DataFrame:
    """Rows ``unique_id, ds, cutoff, y``, a column per method, ``strike`` (its number, -1 in none's
    window), the days it ``lasted`` and ``plan`` (whether the cutoff is one of all weeks').
    """
    tables = tables_of(folder, TABLES)
    context = VolumeContext(country=("NO",), time_zone=ZONE, local_days=True)
    history = history_of(tables, context)
    days = pd.DatetimeIndex(sorted(history["ds"].unique()))
    begun = strikes(folder, days)
    usual = list(range(BEGIN, len(days) - HORIZON, every))
    around = {place: number for number, s in enumerate(begun) for place in range(s, s + WINDOW - 1)}
    places = sorted({*usual, *around})
    cutoffs = [days[place].to_pydatetime() for place in places]
    wanted = {"history": history, "cutoffs": cutoffs, "horizon": HORIZON, "freq": "D"}
    without = backtest(**wanted, context=context)
    driven = replace(context, drivers=DriverSource(tables, ZONE))
    forecast = backtest(**wanted, context=driven)
    frame = forecast[["unique_id", "ds", "cutoff", "y"]].copy()
    frame["presage with drivers"] = forecast["presage-median"]
    frame["inside 80"] = forecast["y"].between(forecast["presage-lo-80"], forecast["presage-hi-80"])
    frame["presage without"] = without["presage-median"]
    bench = Workbench(ordered(panel_of(history, "D", context)), HORIZON, context, 0)
    alone = {name: [] for name in NAMES}
    for place in places:
        at = int(bench.panel.grid.index(np.array([days[place]], "datetime64[us]"))[0])
        members = bench.forecasts(at, bench.model(bench.anchor(at)))
        order = np.argsort(bench.panel.until(at).ids, kind="stable")
        for name, values in zip(NAMES, members, strict=True):
            alone[name].append(values[order].reshape(-1))
    for name in NAMES:
        frame[name] = np.concatenate(alone[name])
    at = {days[place]: place for place in places}
    place = frame["cutoff"].map(at)
    number = place.map(around).fillna(-1).astype(int)
    last = number.map(dict(enumerate(begun))).fillna(0).astype(int) + WINDOW
    inside = days.get_indexer(frame["ds"]) < last
    frame["strike"] = np.where(inside, number, -1)
    frame["lasted"] = number.map(dict(enumerate(begun.values()))).fillna(0).astype(int)
    frame["plan"] = place.isin(usual)
    frame["place"], frame["step"] = place, frame.groupby(["unique_id", "cutoff"]).cumcount() + 1
    return frame


METHODS = ("presage without", *NAMES)


def compare(name: str, frame: pd.DataFrame, group: list[str]) -> str:
    """A line of the table: both WAPE, their ratio and its interval, ``group`` drawn in pairs."""
    frame = frame[frame["y"].notna()]
    errors = {
        method: (frame[method] - frame["y"]).abs()
        for method in ("presage with drivers", "ideal", *METHODS)
        if frame[method].notna().all()
    }
    total = frame["y"].sum()
    best = min((m for m in errors if m in METHODS), key=lambda m: errors[m].sum())
    both = pd.DataFrame({"with": errors["presage with drivers"], "best": errors[best]})
    sums = both.groupby([frame[key] for key in group]).sum().to_numpy()
    pick = np.random.default_rng(0).integers(0, len(sums), (2000, len(sums)))
    drawn = sums[pick].sum(axis=1)
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [0.025, 0.975])
    wapes = [errors[m].sum() / total for m in ("presage with drivers", "presage without", best)]
    cells = [name, len(sums), *(f"{w:.3f}" for w in wapes), best]
    cells += [f"{wapes[0] / wapes[2]:.3f} ({low:.3f} to {high:.3f})"]
    reach = errors["ideal"].sum() / total
    cells += [f"{wapes[0] / wapes[1]:.3f}", f"{reach:.3f}", f"{reach / wapes[2]:.3f}"]
    cells += [f"{frame['inside 80'].mean():.2f}"]
    return f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    options = options_of(
        __doc__,
        customers=6000,
        seeds="21,22,23,24",
        every=(14, "days between the cutoffs of all weeks"),
        runs=(16, "runs of the company itself per cutoff"),
    )
    parts = []
    for seed, folder in companies(options):
        rows = forecasts(folder, options.every)
        places = sorted(rows["place"].unique())
        best = ideal(options.customers, options.days, seed, places, HORIZON, options.runs)
        rows = rows.merge(best, on=["unique_id", "place", "step"], how="left", validate="1:1")
        parts.append(rows.assign(seed=seed))
    frame = pd.concat(parts, ignore_index=True)
    frame.to_parquet(options.cache / "drivers.parquet")
    header = ["where", "strikes or cutoffs", "WAPE with drivers", "Presage without"]
    header += ["best without", "which", "ratio to the best (95 %)", "to Presage without"]
    header += ["the company itself", "its ratio to the best", "inside 80 %"]
    print(f"| {' | '.join(header)} |\n{'|---' * len(header)}|")
    topics = frame["unique_id"] != "total"
    nodes = {"total": ~topics, "delivery": frame["unique_id"] == "topic=delivery"}
    for name, node in {**nodes, "all topics": topics}.items():
        part = frame[node & (frame["strike"] >= 0)]
        print(compare(f"{name}, around strikes", part, ["seed", "strike"]))
        long = part[part["lasted"] >= LONG]
        print(compare(f"{name}, around strikes of {LONG} days and more", long, ["seed", "strike"]))
        soon = part[part["ds"] <= part["cutoff"] + pd.Timedelta(days=SOON, hours=1)]
        print(compare(f"{name}, around strikes, 1 to {SOON} days ahead", soon, ["seed", "strike"]))
        part = frame[node & frame["plan"]]
        print(compare(f"{name}, all weeks", part, ["seed", "cutoff"]))


if __name__ == "__main__":
    main()
