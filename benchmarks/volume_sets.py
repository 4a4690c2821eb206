"""The real series on which volume forecasts are measured, as volumes tables with their cutoffs."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

DATA = Path(os.environ.get("PRESAGE_DATA", ""))


@dataclass(frozen=True)
class Series:
    """One data set as a volumes table, with how it is forecast."""

    history: pd.DataFrame
    freq: str
    horizon: int
    every: int
    country: tuple[str, ...] = ()


def _hourly(table: pd.DataFrame) -> pd.DataFrame:
    hour = table.assign(ds=table["ds"].dt.floor("h"))
    return hour.groupby(["unique_id", "ds"], as_index=False)["y"].sum()


def _daily(table: pd.DataFrame) -> pd.DataFrame:
    day = table.assign(ds=table["ds"].dt.floor("D"))
    return day.groupby(["unique_id", "ds"], as_index=False)["y"].sum()


def _counts(times: pd.Series, names: pd.Series, freq: str, first: str, last: str) -> pd.DataFrame:
    """Rows per name and step on the full grid (a step without a row is a count of 0)."""
    frame = pd.DataFrame({"unique_id": names.astype("str"), "ds": times.dt.floor(freq), "y": 1.0})
    frame = frame[(frame["ds"] >= first) & (frame["ds"] < last)]
    grid = pd.date_range(first, last, freq=freq, inclusive="left")
    wide = frame.pivot_table(index="ds", columns="unique_id", values="y", aggfunc="sum")
    wide = wide.reindex(grid).fillna(0.0).rename_axis("ds")
    return wide.reset_index().melt(id_vars="ds", var_name="unique_id", value_name="y")


def technion_hourly() -> Series:
    table = pd.read_parquet(DATA / "bank_calls/technion_1999_hourly.parquet")
    return Series(table, "h", 168, 168, ("IL",))


def technion_daily() -> Series:
    table = pd.read_parquet(DATA / "bank_calls/technion_1999_hourly.parquet")
    return Series(_daily(table), "D", 14, 7, ("IL",))


def bank_hourly() -> Series:
    table = pd.read_parquet(DATA / "bank_calls/north_american_bank_5min.parquet")
    return Series(_hourly(table), "h", 168, 168, ("US",))


def bank_daily() -> Series:
    table = pd.read_parquet(DATA / "bank_calls/north_american_bank_5min.parquet")
    return Series(_daily(table), "D", 14, 7, ("US",))


def _requests(column: str, freq: str, most: int) -> pd.DataFrame:
    table = pd.read_parquet(DATA / "requests_311/boston_2011H2.parquet")
    top = table[column].value_counts().index[:most]
    table = table[table[column].isin(top)]
    return _counts(table["open_dt"], table[column], freq, "2011-07-01", "2012-01-01")


def requests_source() -> Series:
    return Series(_requests("source", "D", 8), "D", 14, 7, ("US",))


def requests_type() -> Series:
    return Series(_requests("type", "D", 25), "D", 14, 7, ("US",))


def requests_department() -> Series:
    return Series(_requests("department", "D", 8), "D", 14, 7, ("US",))


def requests_hourly() -> Series:
    return Series(_requests("source", "h", 4), "h", 168, 168, ("US",))


def incidents() -> Series:
    table = pd.read_parquet(DATA / "incidents/incident_event_log.parquet")
    first = table.sort_values("sys_mod_count").groupby("number", as_index=False).first()
    top = first["category"].value_counts().index[:15]
    first = first[first["category"].isin(top)]
    names = "category=" + first["category"].astype(int).astype(str)
    counts = _counts(first["opened_at"], names, "D", "2016-02-29", "2016-06-01")
    return Series(counts, "D", 7, 3)


def retail() -> Series:
    table = pd.read_parquet(DATA / "online_retail/online_retail_ii.parquet")
    baskets = table.groupby("basket_key", as_index=False).agg(
        ds=("InvoiceDate", "min"), cancelled=("is_cancel", "max")
    )
    names = baskets["cancelled"].map({True: "cancellations", False: "orders"})
    counts = _counts(baskets["ds"], names, "D", "2009-12-01", "2011-06-01")
    return Series(counts, "D", 14, 14, ("GB",))


SETS: dict[str, Callable[[], Series]] = {
    "technion-hourly": technion_hourly,
    "technion-daily": technion_daily,
    "bank-hourly": bank_hourly,
    "bank-daily": bank_daily,
    "requests-source": requests_source,
    "requests-type": requests_type,
    "requests-department": requests_department,
    "requests-hourly": requests_hourly,
    "incidents": incidents,
    "retail": retail,
}


def cutoffs_of(series: Series, most: int) -> list[pd.Timestamp]:
    """The last ``most`` cutoffs with a whole horizon after them, oldest first."""
    stamps = pd.date_range(series.history["ds"].min(), series.history["ds"].max(), freq=series.freq)
    last = len(stamps) - 1 - series.horizon
    first = 28 * (24 if series.freq == "h" else 1)
    places = [last - series.every * back for back in range(most)]
    return [stamps[place] for place in reversed(places) if place >= first]
