"""Who could have been contacted when, and who was: the risk that is learned is of the untreated."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd

from data.settings import Settings
from data.store import Store, contacts, selected_decisions
from data.tables import Tables
from features.asof import as_of_view
from features.untreated import Exposures
from models.uplift.sources import CONTROL_ARMS
from serving.outreach.candidates import RUN

COLUMNS = ("customer_id", "at", "contacted", "odds", "ours")


def exposures_of(
    tables: Tables, store: Store, settings: Settings, as_of: datetime
) -> Exposures | None:
    """Everything drawn by ``as_of``: our own decisions, contacted where they left the house, and
    the ``treatments`` table. None where nobody was ever drawn.

    Those drawn to explore who were spared are left out: everybody has nearly the same, small odds.
    """
    ours = pd.DataFrame(
        selected_decisions(store, RUN, RUN[:-1] + "."),
        columns=["decision_id", "customer_id", "as_of", "arm", "propensity"],
    )
    with store.reading() as connection:
        left = {name: at for of in contacts(connection, None).values() for name, at in of.items()}
    ours["as_of"] = pd.to_datetime(ours["as_of"]).astype("datetime64[us]")
    went = ours["decision_id"].map(left).astype("datetime64[us]")
    treats = ours["arm"] == "treat"
    own = pd.DataFrame(
        {
            "customer_id": ours["customer_id"].astype("str"),
            "at": went.fillna(ours["as_of"]),
            "contacted": went.notna() & treats,
            "odds": ours["propensity"].astype("float64"),
            "ours": True,
        }
    )
    every = pd.concat([own, _of_campaigns(tables, ours, as_of)], ignore_index=True)
    every = every[every["at"] < as_of].reset_index(drop=True)
    if every.empty:
        return None
    share = float(own.loc[treats, "contacted"].mean()) if treats.any() else 1.0
    return Exposures(every, settings.outreach.holdout_share, share)


def _of_campaigns(tables: Tables, ours: pd.DataFrame, as_of: datetime) -> pd.DataFrame:
    """The ``treatments`` table, but for our own decisions that came back with it."""
    if not tables.has("treatments"):
        return pd.DataFrame({name: [] for name in COLUMNS})
    names = ["customer_id", "treated_at", "arm", "propensity"]
    rows = as_of_view(tables, "treatments", as_of, names)
    known = pd.MultiIndex.from_frame(ours[["customer_id", "as_of"]])
    rows = rows[~pd.MultiIndex.from_frame(rows[["customer_id", "treated_at"]]).isin(known)]
    control = rows["arm"].str.lower().isin(CONTROL_ARMS).to_numpy(bool)
    odds = rows["propensity"].astype("float64").fillna(1.0).to_numpy(np.float64)
    return pd.DataFrame(
        {
            "customer_id": rows["customer_id"].astype("str").to_numpy(),
            "at": rows["treated_at"].to_numpy("datetime64[us]"),
            "contacted": ~control,
            "odds": np.where(control, 1.0 - odds, odds),
            "ours": False,
        }
    )
