"""What could be done for each customer, and what each of it is worth: actions x channels.

An action fits by the topic (actions.py), a channel by consent (eligibility.py); its value
(worth.py) is known where its effect was measured. What costs more than it avoids, even at the
better end of the effect's interval, is not explored again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.arrays import Anything, Bools, Floats, Ints
from data.settings import Outreach
from serving.outreach.actions import ACTIONS, CHANNELS, Action, action_for, fitting, pairs
from serving.outreach.eligibility import Eligibility, numbers
from serving.outreach.worth import action_prices, annoyance


@dataclass(frozen=True)
class Effects:
    """How much each action lowers each customer's P(complaint), by what was measured.

    ``uplift``: (customers, actions), NaN where that was never measured; ``low``, ``high``: its
    interval, if there is one. ``induced``: contacts that one of ours causes, by action, NaN where
    not measured. ``stopped`` (actions,): nobody is contacted by it any more (verdicts.py).
    """

    uplift: Floats
    low: Floats | None = None
    high: Floats | None = None
    induced: Floats | None = None
    stopped: Bools | None = None


def unmeasured(customers: int, actions: Sequence[Action] = ACTIONS) -> Effects:
    """No effect of any action on anybody is known."""
    return Effects(np.full((customers, len(actions)), np.nan))


@dataclass(frozen=True)
class Offers:
    """What could be done for n customers: arrays (n, actions, channels) unless said otherwise."""

    feasible: Bools
    explorable: Bools
    uplift: Floats  # (n, actions)
    value: Floats
    low: Floats
    high: Floats
    minutes: Floats  # (actions, channels)
    own: Ints  # (n,): the action of their topic
    preferred: Ints  # (n,): their channel, -1 for none of ours

    def of(self, which: Bools) -> Offers:
        """Those of some of the customers."""
        return Offers(
            self.feasible[which],
            self.explorable[which],
            self.uplift[which],
            self.value[which],
            self.low[which],
            self.high[which],
            self.minutes,
            self.own[which],
            self.preferred[which],
        )

    def flat(self, values: Anything) -> Anything:
        """(n, actions x channels)."""
        return values.reshape(len(values), self.minutes.size)


def offers_of(
    candidates: pd.DataFrame,
    policy: Outreach,
    effects: Effects,
    rules: Eligibility,
    at: Ints,
    hour: float,
    actions: Sequence[Action],
) -> Offers:
    """What could be done for the customers at positions ``at``, and what it would be worth."""
    people = candidates.iloc[at]
    named = pairs(policy.action_of_topics)
    codes, topics = pd.factorize(people["topic"].astype(object), use_na_sentinel=False)
    words = [None if pd.isna(topic) else str(topic) for topic in topics]
    fits = fitting(words, named, actions)[codes]
    own_of = [list(actions).index(action_for(w, named)) for w in words]
    money, minutes = action_prices(policy, hour, actions)
    feasible = fits[:, :, None] & rules.channels[at][:, None, :] & ~np.isnan(money)
    for k, action in enumerate(actions):
        if action.needs and f"has_{action.needs}" in people:
            feasible[:, k] &= people[f"has_{action.needs}"].to_numpy(bool)[:, None]
    if effects.stopped is not None:
        feasible[:, effects.stopped] = False
    induced = np.full(len(actions), np.nan) if effects.induced is None else effects.induced
    induced = np.where(np.isnan(induced), policy.induced_contacts, induced)
    handling = people["contact_cost"].to_numpy(np.float64)
    avoided = people["avoided_cost"].to_numpy(np.float64)
    annoyed = annoyance(people["preferred_channel"], numbers(people, "contacts_90d"), policy)
    cost = money + annoyed[:, None, :]
    cost += (handling[:, None] * induced)[:, :, None]
    cost[~feasible] = np.nan

    def worth(uplift: Floats | None) -> Floats:
        if uplift is None:
            return np.broadcast_to(np.float64("nan"), cost.shape)
        each = uplift[at][:, :, None]
        value: Floats = each * avoided[:, None, None] - cost
        # whoever is brought to complain is not paid for by the inquiries that this saves
        return np.minimum(value, 0.0, out=value, where=np.broadcast_to(each < 0, value.shape))

    value, high = worth(effects.uplift), worth(effects.high)
    # what may still pay is explored on: a thin estimate below zero is no proof of harm
    may_pay = np.fmax(value, high) > 0
    unknown = np.isnan(effects.uplift[at])[:, :, None]
    theirs = people["preferred_channel"].astype("str").str.lower()
    return Offers(
        feasible,
        feasible & (unknown | may_pay),
        effects.uplift[at],
        value,
        worth(effects.low),
        high,
        minutes,
        np.array(own_of, dtype=np.int64)[codes] if len(at) else np.zeros(0, dtype=np.int64),
        theirs.map({name: k for k, name in enumerate(CHANNELS)}).fillna(-1).to_numpy(np.int64),
    )
