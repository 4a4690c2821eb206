"""A long table of counts as one matrix: a row per series, a column per step of the grid.

``NaN`` is a step without a row: closed, or not known; ``prepare`` decides which. Nothing is
filled here.

>>> ds = pd.to_datetime(["2024-01-03", "2024-01-01"])
>>> table = pd.DataFrame({"unique_id": ["a", "a"], "ds": ds, "y": [3, 1]})
>>> panel_of(table, "D").y
array([[ 1., nan,  3.]])
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.arrays import Bools, Floats, Ints, Times
from data.errors import DataError, NotEnoughHistory, did_you_mean
from models.volume.context import VolumeContext
from models.volume.grid import Grid, grid_of, parse_frequency, require_on_grid


@dataclass(frozen=True)
class Panel:
    """``y`` (series x steps, float64), the series' ids in order of name, and the grid.

    Column ``j`` is the grid's step ``start + j``.
    """

    ids: tuple[str, ...]
    grid: Grid
    start: int
    y: Floats

    @property
    def end(self) -> int:
        """The index of the last column."""
        return self.start + self.y.shape[1] - 1

    @property
    def index(self) -> Ints:
        """The grid's index of every column."""
        return np.arange(self.start, self.end + 1)

    def until(self, last: int) -> Panel:
        """The panel as if nothing after step ``last`` had been written, and ending there.

        Series that have no row by then, and columns before the first row, are not in it; steps
        after the last row are gaps.
        """
        y = self.y[:, : max(last - self.start + 1, 0)]
        if last > self.end:
            gaps = np.full((len(self.ids), last - self.end), np.nan)
            y = np.concatenate([y, gaps], axis=1)
        has_count: Bools = ~np.isnan(y)
        present: Bools = np.asarray(has_count.any(axis=1))
        if not present.any():
            return replace(self, ids=(), y=np.empty((0, 0)))
        first = int(has_count[present].any(axis=0).argmax())
        ids = tuple(name for name, keep in zip(self.ids, present, strict=True) if keep)
        return Panel(ids, self.grid, self.start + first, y[present, first:])

    def future(self, steps: int) -> Ints:
        """The indices of the next ``steps`` steps."""
        return np.arange(self.end + 1, self.end + 1 + steps)


def panel_of(history: pd.DataFrame, freq: str, context: VolumeContext | None = None) -> Panel:
    """The table's counts on its grid; rows may come in any order.

    A null ``y`` is a gap. Raises DataError naming series and row for missing columns, null or
    unreadable times, duplicated times, negative or infinite counts, times off the grid;
    NotEnoughHistory where there is no count at all.
    """
    context = context or VolumeContext()
    frequency = parse_frequency(freq)
    for column in ("unique_id", "ds", "y"):
        if column not in history.columns:
            raise DataError(
                f"the history has no column {column!r}; it needs unique_id, ds and y."
                + did_you_mean(column, [str(name) for name in history.columns])
            )
    if len(history) == 0:
        raise NotEnoughHistory("the history has no rows; a forecast needs at least one count.")
    names, ds, y = _columns(history)
    grid = grid_of(ds, frequency, context.time_zone, context.local_days)
    require_on_grid(grid, ds, names)
    index = grid.index(ds)
    ids, code = np.unique(names, return_inverse=True)
    start, width = int(index.min()), int(index.max() - index.min()) + 1
    flat = code.astype("int64") * width + (index - start)
    _refuse_duplicates(flat, names, ds)
    matrix = np.full(len(ids) * width, np.nan)
    matrix[flat] = y
    if np.isnan(y).all():
        raise NotEnoughHistory("every y of the history is null; a forecast needs one count.")
    return Panel(tuple(str(name) for name in ids), grid, start, matrix.reshape(len(ids), width))


def _columns(history: pd.DataFrame) -> tuple[npt.NDArray[np.object_], Times, Floats]:
    names = history["unique_id"].to_numpy(dtype=object)
    if pd.isna(names).any():
        row = int(pd.isna(names).argmax())
        raise DataError(f"history row {row}: unique_id is null; every count needs its series.")
    times = history["ds"]
    if not pd.api.types.is_datetime64_any_dtype(times):
        parsed = pd.to_datetime(times, errors="coerce")
        if parsed.isna().any():
            row = int(parsed.isna().to_numpy().argmax())
            raise DataError(
                f"series {names[row]!r} row {row}: ds {times.iloc[row]!r} is not a time; "
                "write it as 2024-03-31 or 2024-03-31T08:15."
            )
        times = parsed
    if getattr(times.dt, "tz", None) is not None:
        times = times.dt.tz_convert("UTC").dt.tz_localize(None)
    if times.isna().any():
        row = int(times.isna().to_numpy().argmax())
        raise DataError(f"series {names[row]!r} row {row}: ds is null; every count needs its time.")
    numbers = pd.to_numeric(history["y"], errors="coerce")
    wrong = numbers.isna() & history["y"].notna()
    y = numbers.to_numpy(dtype="float64", na_value=np.nan)
    bad = wrong.to_numpy() | (y < 0) | np.isinf(y)
    if bad.any():
        row = int(bad.argmax())
        value = history["y"].iloc[row]
        shown = repr(value) if isinstance(value, str) else f"{value:g}"
        raise DataError(
            f"series {names[row]!r} row {row}: y is {shown}; a count is a "
            f"number of at least 0 ({int(bad.sum())} rows are wrong). Fix them or leave y null."
        )
    return np.array([str(name) for name in names], dtype=object), times.to_numpy(), y


def _refuse_duplicates(flat: Ints, names: npt.NDArray[np.object_], ds: Times) -> None:
    order = np.argsort(flat, kind="stable")
    twice = np.flatnonzero(np.diff(flat[order]) == 0)
    if len(twice):
        row = int(order[twice + 1].min())
        raise DataError(
            f"series {names[row]!r} row {row}: ds {ds[row]} is there twice; a series has one "
            f"count per step ({len(twice)} rows are doubled). Remove or add them up."
        )


def long_frame(ids: tuple[str, ...], ds: Times, **values: npt.NDArray[np.floating]) -> pd.DataFrame:
    """Matrices (series x steps) as a long table ``unique_id, ds, ...`` sorted by series, time."""
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat(np.array(ids, dtype=object), len(ds)),
            "ds": np.tile(ds.astype("datetime64[us]"), len(ids)),
        }
    )
    frame["unique_id"] = frame["unique_id"].astype("str")
    for name, matrix in values.items():
        frame[name] = matrix.reshape(-1)
    return frame


def whole_contacts(frame: pd.DataFrame) -> pd.DataFrame:
    """A forecast with its median rounded and its intervals out to whole contacts, so that none
    holds less than before; the mean, which adds up, as it is.

    >>> one = {"presage": 0.4, "presage-median": 0.6, "presage-lo-80": 0.2, "presage-hi-80": 1.1}
    >>> whole_contacts(pd.DataFrame([one])).iloc[0].tolist()
    [0.4, 1.0, 0.0, 2.0]
    """
    ways: dict[str, Callable[[pd.Series], pd.Series]] = {
        "presage-median": np.round,
        "presage-lo": np.floor,
        "presage-hi": np.ceil,
    }
    out = frame.copy()
    for name in map(str, frame.columns):
        way = ways.get(name) or ways.get(name.rpartition("-")[0])
        if way is not None:  # what stands a hair beside a whole number is it
            out[name] = way(frame[name].round(6))
    return out
