"""What a training run leaves for people to look at: numbers, plots, tables, an example.

>>> flat_numbers({"ap": Interval(0.3, 0.2, 0.4), "seconds": 12})
{'ap': 0.3, 'ap_low': 0.2, 'ap_high': 0.4, 'seconds': 12.0}
"""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from data.errors import DataError
from models.metrics import Interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METRIC_NAME = re.compile(r"[A-Za-z0-9_\-./: ]{1,240}")


def at_the_edge(frame: pd.DataFrame) -> pd.DataFrame:
    """float64, text and times only: nullable integers and booleans silently lose MLflow's
    signature."""
    if frame.empty:
        raise DataError("the model's signature needs an example of at least one row and column")
    columns = {}
    for name, column in frame.items():
        numeric = pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)
        if pd.api.types.is_datetime64_any_dtype(column):
            columns[str(name)] = column.astype("datetime64[ns]")
        elif numeric:
            columns[str(name)] = column.astype("float64")
        else:
            columns[str(name)] = column.astype("str").astype("object").where(column.notna(), None)
    return pd.DataFrame(columns)


def of_nobody(frame: pd.DataFrame, count: int = 5, seed: int = 0) -> pd.DataFrame:
    """Rows of usual values that are nobody's: every column drawn from other rows. What is kept of
    them with a model need not be found again when a person is erased.

    >>> of_nobody(pd.DataFrame({"orders": [1, 2, 3], "plan": ["a", "b", "c"]}), 2)
       orders plan
    0       2    c
    1       3    a
    """
    rng, rows = np.random.default_rng(seed), min(count, len(frame))
    drawn = {name: rng.choice(len(frame), rows, replace=False) for name in frame.columns}
    columns = {name: frame[name].iloc[at].reset_index(drop=True) for name, at in drawn.items()}
    return pd.DataFrame(columns)


def write_artifacts(
    folder: Path,
    plots: Mapping[str, Figure | Path | bytes],
    tables: Mapping[str, pd.DataFrame],
    pages: Mapping[str, str] | None = None,
) -> None:
    """``plots/<name>.png``, ``tables/<name>.json``, and each page (HTML) as ``<name>.html``."""
    for part in ("plots", "tables"):
        (folder / part).mkdir(parents=True)
    for name, plot in plots.items():
        if isinstance(plot, Path):
            shutil.copy(plot, folder / "plots" / f"{name}{plot.suffix}")
        elif isinstance(plot, bytes):
            (folder / "plots" / f"{name}.png").write_bytes(plot)
        else:
            plot.savefig(folder / "plots" / f"{name}.png", dpi=110)
    for name, table in tables.items():
        # MLflow's UI shows this layout as a table
        text = table.to_json(orient="split", index=False, date_format="iso", default_handler=str)
        (folder / "tables" / f"{name}.json").write_text(text)
    for name, page in (pages or {}).items():
        (folder / f"{name}.html").write_text(page, "utf-8")


def flat_numbers(metrics: Mapping[str, float | Interval]) -> dict[str, float]:
    """One number per name; an Interval becomes ``name``, ``name_low`` and ``name_high``.

    NaN is logged as such. DataError for an infinite number, which MLflow would store as the largest
    float, and for a name that it cannot hold, such as a series id: those belong into a table.
    """
    numbers: dict[str, float] = {}
    for name, value in metrics.items():
        if not METRIC_NAME.fullmatch(name):
            raise DataError(
                f'"{name}" cannot name a metric: letters, digits, "_", "-", ".", "/", ":" and '
                "blanks, at most 240; log series and segments as a table"
            )
        if isinstance(value, Interval):
            numbers |= {
                name: value.estimate,
                f"{name}_low": value.low,
                f"{name}_high": value.high,
            }
        else:
            numbers[name] = float(value)
    infinite = [name for name, value in numbers.items() if math.isinf(value)]
    if infinite:
        raise DataError(
            f"metrics {infinite} are infinite; a prediction of exactly 0 or 1 was wrong"
        )
    return numbers
