"""What a contact is worth, in money: what it avoids less what it costs, by customer and action.

    value = uplift x avoided - price - induced x handling - annoyance

``avoided``: what one complaint of this customer costs: handling (measured handle time of the
channel they are expected to write through, at what an agent's hour costs), more so in public, and
the share of their yearly value that a complaint loses. ``price``: what the contact itself takes, an
agent's time and what is given away. ``induced``: contacts that one of ours causes, at what handling
one takes. Measured are ``uplift`` and ``induced``; the rest are the company's own prices, each a
setting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from data.arrays import Bools, Floats
from data.settings import Outreach, Settings
from data.tables import Tables
from features.asof import as_of_view
from serving.outreach.actions import ACTIONS, CHANNELS, Action
from serving.staffing.handling import handle_seconds_by_channel


@dataclass(frozen=True)
class Prices:
    """What handling costs: money an agent's hour, and by channel of contact the money that handling
    one takes and the share of them that are public. ``usual`` stands for a channel not named."""

    hour: float
    contact: dict[str, float]
    public: dict[str, float]
    usual: float

    def of(self, channels: pd.Series) -> tuple[Floats, Floats]:
        """The money that handling one takes, and the public share, for each of ``channels``."""
        money = channels.map(self.contact).astype("float64").fillna(self.usual)
        public = channels.map(self.public).astype("float64").fillna(0.0)
        return money.to_numpy(np.float64), public.to_numpy(np.float64)


def prices(tables: Tables, settings: Settings, as_of: datetime) -> Prices:
    """What handling costs by what was known at ``as_of``: measured handle times where there are
    some, agents' hourly costs where they tell them, else the settings."""
    staffing = settings.staffing
    hour = staffing.hourly_cost
    if tables.has("agents"):
        agents = as_of_view(tables, "agents", as_of, ["hourly_cost", "left_at"])
        costs = agents.loc[agents["left_at"].isna(), "hourly_cost"].dropna()
        hour = float(costs.mean()) if len(costs) else hour
    hour /= 1.0 - staffing.shrinkage  # an hour of handling takes more than one that is paid
    columns = ["ticket_id", "opened_at", "channel", "topic", "is_machine", "handle_seconds",
               "resolved_at", "public"]  # fmt: skip
    tickets = as_of_view(tables, "tickets", as_of, columns)
    handling = handle_seconds_by_channel(tickets, settings.service_levels, as_of)
    money = dict(zip(handling["channel"], handling["handle_seconds"] / 3600.0 * hour, strict=True))
    stated = tickets[tickets["public"].notna()]
    public = stated["public"].astype(float).groupby(stated["channel"]).mean().to_dict()
    shares = tickets["channel"].value_counts(normalize=True)
    usual = (
        float((shares * shares.index.map(money)).sum())
        if len(shares)
        else (float(np.mean(list(money.values()))) if money else 600.0 / 3600.0 * hour)
    )
    return Prices(hour, {str(k): float(v) for k, v in money.items()}, public, usual)


def avoided_cost(
    channels: pd.Series, values: pd.Series, policy: Outreach, prices: Prices
) -> Floats:
    """What one complaint of each customer costs: by the channel they are expected to write through
    (null: any) and by their value in money a year (null: the setting)."""
    handling, public = prices.of(channels)
    if policy.complaint_cost is not None:
        handling = np.full(len(handling), policy.complaint_cost)
    weight = 1.0 + (policy.public_weight - 1.0) * public
    yearly = values.astype("float64").fillna(policy.customer_value).to_numpy(np.float64)
    worth: Floats = handling * weight + policy.churn_share * np.maximum(yearly, 0.0)
    return worth


def action_prices(
    policy: Outreach, hour: float, actions: Sequence[Action] = ACTIONS
) -> tuple[Floats, Floats]:
    """Money and agent minutes that each action takes through each channel: (actions, channels).

    NaN where the action does not go through the channel.
    """
    money = np.full((len(actions), len(CHANNELS)), np.nan)
    minutes = money.copy()
    for row, action in enumerate(actions):
        amount = getattr(policy, action.spends) if action.spends else 0.0
        for column, channel in enumerate(CHANNELS):
            if channel in action.channels:
                minutes[row, column] = action.minutes(channel)
                money[row, column] = policy.contact_cost + amount
                money[row, column] += minutes[row, column] / 60.0 * hour
    return money, minutes


def annoyance(preferred: pd.Series, contacts_90d: Floats, policy: Outreach) -> Floats:
    """What any contact of a customer costs in goodwill, by channel: (customers, channels).

    It grows with the contacts of the last 90 days; a channel other than the one they prefer costs
    more, where they prefer one of ours.
    """
    every = policy.annoyance_cost * (1.0 + contacts_90d)
    out = np.repeat(every[:, None], len(CHANNELS), axis=1)
    out[moves_off(preferred)] += policy.off_preferred_cost
    return out


def moves_off(preferred: pd.Series) -> Bools:
    """Where a contact moves the customer off the channel they prefer: (customers, channels)."""
    text = preferred.astype("str").str.lower()
    is_theirs = np.column_stack([(text == c).fillna(False).to_numpy(bool) for c in CHANNELS])
    any_of_ours = np.asarray(is_theirs.any(axis=1))
    return ~is_theirs & any_of_ours[:, None]
