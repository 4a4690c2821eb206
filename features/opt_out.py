"""Who asked not to be profiled: never scored, whatever the moment that is looked from.

The newest word counts, also where a run looks from an earlier moment: an objection holds from when
it is known, and for every run after that.

>>> from data.tables import MemoryTables
>>> rows = pd.DataFrame({"customer_id": ["a", "b", "b"], "signed_up_at": "2026-01-01",
...                      "do_not_profile": [True, True, False],
...                      "recorded_at": ["2026-01-01", "2026-01-01", "2026-01-09"]})
>>> not_profiled(MemoryTables({"customers": rows}))
frozenset({'a'})
"""

from __future__ import annotations

import pandas as pd

from data.tables import ROW, Tables


def not_profiled(tables: Tables) -> frozenset[str]:
    """The customers whose newest row says ``do_not_profile``."""
    return flagged(tables, "do_not_profile")


def flagged(tables: Tables, flag: str) -> frozenset[str]:
    """The customers whose newest row says ``flag``, a column of truths of ``customers``."""
    if not tables.has("customers"):
        return frozenset()
    customers = tables.frame("customers", ["customer_id", flag, "recorded_at", ROW])
    if not customers[flag].fillna(False).any():
        return frozenset()
    newest = (
        customers.sort_values(["recorded_at", ROW], kind="stable").groupby("customer_id").tail(1)
    )
    on = newest[flag].fillna(False).astype(bool)
    return frozenset(newest.loc[on, "customer_id"].astype(str))


def profiled(spine: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """The rows of a spine of those who may be profiled, numbered anew."""
    refused = not_profiled(tables)
    return spine[~spine["customer_id"].isin(refused)].reset_index(drop=True) if refused else spine
