"""Local days, clock changes, half-hour zones, months: the grid against pandas' own calendar."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data.errors import DataError, UsageError
from models.volume.context import VolumeContext
from models.volume.grid import Grid, grid_of, parse_frequency
from models.volume.panel import panel_of


def times(*values: str) -> np.ndarray:
    return np.array(values, dtype="datetime64[us]")


@pytest.mark.parametrize(
    ("text", "unit", "count", "season"),
    [
        ("15min", "minute", 15, 672),
        ("h", "minute", 60, 168),
        ("D", "day", 1, 7),
        ("W-SUN", "week", 1, 52),
        ("MS", "month", 1, 12),
        ("QE", "month", 3, 4),
    ],
)
def test_frequencies_by_their_pandas_names(text, unit, count, season):
    found = parse_frequency(text)
    assert (found.unit, found.count, found.season) == (unit, count, season)


@pytest.mark.parametrize("text", ["fortnight", "7min", "0h", "", "2D", "W-XYZ"])
def test_an_unknown_frequency_is_wrong_usage(text):
    with pytest.raises(UsageError, match="frequency"):
        parse_frequency(text)


def test_hours_follow_the_local_clock_through_both_changes_of_oslo():
    ds = pd.date_range("2024-03-30T00:00", "2024-04-01T00:00", freq="h").to_numpy()
    grid = grid_of(ds, parse_frequency("h"), "Europe/Oslo")
    _, slot = grid.cells(grid.index(ds))
    sunday = [int(s) - 6 * 24 for s in slot if s >= 6 * 24]
    assert sunday == [0, 1, *range(3, 24)]  # 02:00 did not exist on 31 March 2024
    ds = pd.date_range("2024-10-26T22:00", "2024-10-27T22:00", freq="h").to_numpy()
    _, slot = grid.cells(grid.index(ds))
    sunday = [int(s) - 6 * 24 for s in slot if s >= 6 * 24]
    assert sunday == [0, 1, 2, 2, *range(3, 24)]  # 02:00 came twice on 27 October 2024


def test_local_days_given_as_utc_instants_come_back_as_such():
    local = pd.date_range("2024-03-25", "2024-04-05", freq="D", tz="Europe/Oslo")
    ds = local.tz_convert("UTC").tz_localize(None).to_numpy()
    grid = grid_of(ds, parse_frequency("D"), "Europe/Oslo")
    index = grid.index(ds)
    assert np.array_equal(np.diff(index), np.ones(len(ds) - 1))
    assert np.array_equal(grid.ds(index), ds.astype("datetime64[us]"))
    assert np.array_equal(grid.days(index), local.tz_localize(None).to_numpy().astype("M8[D]"))


def test_dates_stay_dates_wherever_the_company_is():
    ds = pd.date_range("2024-03-25", "2024-04-05", freq="D").to_numpy()
    grid = grid_of(ds, parse_frequency("D"), "America/New_York")
    assert np.array_equal(grid.days(grid.index(ds)), ds.astype("M8[D]"))
    assert str(grid.ds(np.array([grid.index(ds)[-1] + 1]))[0]).startswith("2024-04-06T00:00")


def test_half_hour_zone_has_whole_local_hours():
    ds = pd.date_range("2024-01-01T18:30", periods=50, freq="h").to_numpy()
    grid = grid_of(ds, parse_frequency("h"), "Asia/Kolkata")
    assert grid.cells(grid.index(ds[:1]))[1][0] == 24  # Tuesday 00:00 in Kolkata
    assert np.array_equal(grid.ds(grid.index(ds)), ds.astype("datetime64[us]"))


@pytest.mark.parametrize("freq", ["MS", "ME", "QS", "QE", "W-SUN", "W-WED", "30min", "D"])
def test_next_steps_are_those_of_pandas(freq):
    ds = pd.date_range("2021-03-01", periods=30, freq=freq)
    grid = grid_of(ds.to_numpy(), parse_frequency(freq), "UTC")
    index = grid.index(ds.to_numpy())
    assert np.array_equal(np.diff(index), np.ones(len(ds) - 1))
    expected = pd.date_range(ds[-1], periods=6, freq=freq)[1:]
    assert np.array_equal(
        grid.ds(index[-1] + np.arange(1, 6)), expected.to_numpy().astype("M8[us]")
    )


def history(**columns) -> pd.DataFrame:
    base = {"unique_id": "calls", "ds": pd.date_range("2024-01-01", periods=5), "y": [1.0] * 5}
    return pd.DataFrame(base | columns)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": [1, 2, -3, 4, 5]}, "'calls' row 2: y is -3"),
        ({"y": [1, 2, 3, np.inf, 5]}, "'calls' row 3: y is inf"),
        ({"y": ["1", "2", "x", "4", "5"]}, "'calls' row 2: y is 'x'"),
        ({"ds": ["2024-01-01"] * 2 + ["2024-01-03"] * 3}, "'calls' row 1: ds .* is there twice"),
        ({"ds": ["2024-01-01", "late", *["2024-01-03"] * 3]}, "'calls' row 1: ds 'late'"),
        ({"unique_id": ["calls", None, "calls", "calls", "calls"]}, "row 1: unique_id is null"),
    ],
)
def test_bad_rows_are_named_by_series_and_row(change, message):
    with pytest.raises(DataError, match=message):
        panel_of(history(**change), "D")


def test_a_missing_column_names_its_nearest():
    table = history().rename(columns={"unique_id": "uniqe_id"})
    with pytest.raises(DataError, match='Did you mean "uniqe_id"'):
        panel_of(table, "D")


def test_a_time_between_two_steps_is_refused():
    ds = list(pd.date_range("2024-01-01", periods=5))
    ds[3] += pd.Timedelta(hours=7)
    with pytest.raises(DataError, match="row 3: ds 2024-01-04T07"):
        panel_of(history(ds=ds), "D")


def test_rows_in_any_order_make_the_same_panel():
    table = history(y=[1.0, 2, 3, 4, 5])
    shuffled = table.sample(frac=1, random_state=1)
    assert np.array_equal(panel_of(table, "D").y, panel_of(shuffled, "D").y)


def test_until_forgets_series_and_steps_that_come_later():
    late = history(unique_id="late", ds=pd.date_range("2024-01-04", periods=5))
    panel = panel_of(pd.concat([history(), late]), "D", VolumeContext())
    cut = panel.until(panel.start + 2)
    assert cut.ids == ("calls",)
    assert cut.y.shape == (1, 3)


def test_grid_of_months_counts_from_1970():
    grid = Grid(parse_frequency("ME"), "UTC", phase=0)
    assert grid.index(times("1970-02-28"))[0] == 1
