"""Real sets as tables, with fewer customers unless PRESAGE_FULL is 1."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from data.adapters import ADAPTERS
from data.tables import MemoryTables

EVERY = {"online-retail": 1 if os.environ.get("PRESAGE_FULL") == "1" else 5}


def of_every(frames: dict[str, pd.DataFrame], every: int) -> dict[str, pd.DataFrame]:
    """The rows of every so manyth customer, whole: those of an order with its items."""
    ids = frames["customers"]["customer_id"].drop_duplicates().iloc[::every]
    orders = frames["orders"].loc[frames["orders"]["customer_id"].isin(ids), "order_id"]
    mine = {"customer_id": ids, "order_id": orders}
    out = {}
    for name, frame in frames.items():
        key = next((key for key in mine if key in frame), None)
        out[name] = frame if key is None else frame[frame[key].isin(mine[key])]
    return out


@pytest.fixture(scope="session")
def real_tables(real_data: Callable[[str], Path]) -> Callable[[str, str, str], MemoryTables]:
    """``real_tables(adapter, folder, which)``: a real set as tables, read once a process."""

    @functools.lru_cache(maxsize=1)
    def tables(adapter: str, folder: str, which: str = "") -> MemoryTables:
        options = {"which": which} if which else {}
        frames = dict(ADAPTERS[adapter].read(real_data(folder), options).tables)
        every = EVERY.get(adapter, 1)
        return MemoryTables(frames if every == 1 else of_every(frames, every))

    return tables
