"""What past randomised contacts changed, as effects of each action on each customer.

An action that was measured has its own relative effect; the topic's own action, where it was not,
that of all contacts; any other none (NaN): nothing is claimed of what was never tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pandas as pd

from data.settings import Settings
from data.store import Store, decisions_of_runs
from data.tables import Tables
from features.asof import as_of_view
from features.complaint import is_complaint
from models.uplift import (
    ALL,
    Effect,
    Trial,
    joined,
    relative_effects,
    trial_of_log,
    trial_of_treatments,
)
from serving.outreach.actions import ACTIONS, Action, action_for, pairs
from serving.outreach.candidates import RUN
from serving.outreach.policy import Effects


def past_trial(tables: Tables, store: Store, settings: Settings, as_of: datetime) -> Trial | None:
    """What chance decided and what came of it, as known at ``as_of``: the ``treatments`` table and
    our own arms. None without tickets, or where nothing was decided."""
    if not tables.has("tickets"):
        return None
    columns = ("customer_id", "opened_at", "is_complaint", "topic", "priority", "csat")
    tickets = as_of_view(tables, "tickets", as_of, columns)
    tickets = tickets.assign(is_complaint=is_complaint(tickets, settings.complaint))
    found = []
    ours = decisions_of_runs(store, RUN, RUN[:-1] + ".")
    if ours:
        found.append(trial_of_log(ours, tickets, as_of=as_of))
    if tables.has("treatments"):
        # what was done without known odds compares unlike customers: it is left out, not guessed
        known = as_of_view(tables, "treatments", as_of)
        found.append(
            trial_of_treatments(known, tickets, as_of=as_of, leave_out_without_propensity=True)
        )
    return joined(found) if found else None


def effects_of(past: Trial | None) -> list[Effect]:
    """What past randomised contacts changed."""
    return [] if past is None else relative_effects(past)


def effects_on(
    people: pd.DataFrame,
    found: Sequence[Effect],
    settings: Settings,
    actions: Sequence[Action] = ACTIONS,
) -> Effects:
    """The measured effects on these customers (``risk``, ``topic``): ``policy.Effects``."""
    known = {effect.action: effect for effect in found}
    risk = people["risk"].to_numpy(np.float64)
    codes, topics = pd.factorize(people["topic"].astype(object), use_na_sentinel=False)
    named = pairs(settings.outreach.action_of_topics)
    own = [action_for(None if pd.isna(t) else str(t), named) for t in topics]
    shape = (len(people), len(actions))
    uplift, low, high = (np.full(shape, np.nan) for _ in range(3))
    for at, action in enumerate(actions):
        effect = next((known[n] for n in (action.name, *action.also) if n in known), None)
        theirs = np.array([action == each for each in own], dtype=bool)[codes]
        whose = np.ones(len(people), dtype=bool) if effect is not None else theirs
        effect = effect or known.get(ALL)
        if effect is None:
            continue
        uplift[whose, at] = -effect.shrunk * risk[whose]
        # the interval as measured: shrinking moves the estimate, and adds no evidence
        low[whose, at] = -effect.high * risk[whose]
        high[whose, at] = -effect.low * risk[whose]
    return Effects(uplift, low, high)
