"""What past randomised contacts changed, as effects of each action on each customer.

An action whose effect was seen to differ between customers has what the learners tell of each
(models/uplift): below 0 for those it harms, whatever their risk. Another that was measured has its
relative effect, a factor on the risk; the topic's own action, where it was not measured, that of
all contacts; any other none (NaN): nothing is claimed of what was never tried.

The learners see the plain columns (models/risk/plain.py) as of the day on which each decision was
taken, and of now for those to be decided about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

import numpy as np
import pandas as pd

from data.arrays import Floats
from data.settings import Settings
from data.store import Store, decisions_of_runs
from data.tables import Tables
from features.asof import as_of_view
from features.complaint import is_complaint
from models.risk.plain import plain_rows
from models.uplift import (
    ALL,
    Effect,
    Trial,
    UpliftModel,
    fit_uplift,
    has_both,
    joined,
    measure,
    relative_effects,
    trial_of_log,
    trial_of_treatments,
    with_features,
)
from models.uplift.relative import MIN_ROWS
from serving.outreach.actions import ACTIONS, Action, action_for, pairs
from serving.outreach.candidates import RUN
from serving.outreach.policy import Effects

INDUCED_SD = 0.1
"""Contacts that one of ours causes lie about so far from what is expected before it is measured."""
SURE = 1.96
"""Standard errors of a 95 % interval."""


@dataclass(frozen=True)
class Gain:
    """How much one action lowers P(complaint): ``of_each`` customer (n,), and the standard error of
    its average, which is the interval that is told of each."""

    of_each: Floats
    se: float


def past_trial(tables: Tables, store: Store, settings: Settings, as_of: datetime) -> Trial | None:
    """What chance decided and what came of it, as known at ``as_of``: the ``treatments`` table and
    our own arms. None without tickets, or where nothing was decided."""
    if not tables.has("tickets"):
        return None
    columns = ("customer_id", "opened_at", "is_complaint", "topic", "priority", "csat")
    tickets = as_of_view(tables, "tickets", as_of, columns)
    tickets = tickets.assign(is_complaint=is_complaint(tickets, settings.complaint))
    trials = []
    ours = decisions_of_runs(store, RUN, RUN[:-1] + ".")
    if ours:
        trials.append(trial_of_log(ours, tickets, as_of=as_of))
    if tables.has("treatments"):
        # what was done without known odds compares unlike customers: it is left out, not guessed
        known = as_of_view(tables, "treatments", as_of)
        trials.append(
            trial_of_treatments(known, tickets, as_of=as_of, leave_out_without_propensity=True)
        )
    return joined(trials) if trials else None


def effects_of(past: Trial | None) -> list[Effect]:
    """What past randomised contacts changed."""
    return [] if past is None else relative_effects(past)


def learned_uplift(past: Trial | None, tables: Tables, settings: Settings) -> UpliftModel | None:
    """For whom past contacts helped; None where no effect was seen to differ between customers."""
    if past is None or not past.actions:
        return None
    days = past.frame["time"].dt.floor("D")  # known by then, so known at the decision
    spine = pd.DataFrame({"customer_id": past.frame["customer_id"], "as_of": days})
    rows = plain_rows(tables, spine, settings.complaint)
    measured = [name for name in past.actions if has_both(past, name)]
    if not measured:
        return None
    features = rows.drop(columns=["customer_id", "as_of"])
    model = fit_uplift(with_features(past, features), actions=measured)
    return model if any(e.keep > 0 for e in model.actions.values()) else None


def gains_now(
    model: UpliftModel | None,
    tables: Tables,
    people: pd.DataFrame,
    settings: Settings,
    as_of: datetime,
) -> Mapping[str, Gain]:
    """By action what the learners tell of each of these customers, where effects differ."""
    if model is None:
        return {}
    spine = pd.DataFrame({"customer_id": people["customer_id"], "as_of": as_of})
    rows = plain_rows(tables, spine, settings.complaint)
    gains = model.gains(rows.drop(columns=["customer_id", "as_of"]))
    return {
        name: Gain(gains[name].to_numpy(np.float64), effect.se)
        for name, effect in model.actions.items()
        if effect.keep > 0
    }


def induced_by(
    past: Trial | None, expected: float, actions: Sequence[Action] = ACTIONS
) -> Floats | None:
    """Contacts that are no complaints which one contact of each action causes (actions,), as
    measured, pulled towards what is ``expected`` until then the more the less was tried; NaN for an
    action that was not measured. None where none was.
    """
    contacts = np.full(len(actions), np.nan)
    if past is None or "inquiries" not in past.frame:
        return None
    plain = Trial(past.frame.drop(columns=["risk"], errors="ignore"))
    for at, action in enumerate(actions):
        name = next((n for n in (action.name, *action.also) if n in past.actions), None)
        if name is None or not has_both(past, name):
            continue
        one = measure(plain, "inquiries", name)
        if min(one.contacted, one.left_alone) < MIN_ROWS:
            continue
        keep = INDUCED_SD**2 / (INDUCED_SD**2 + one.se**2)
        contacts[at] = expected + keep * (one.effect - expected)
    return None if np.isnan(contacts).all() else contacts


def effects_on(
    people: pd.DataFrame,
    measured: Sequence[Effect],
    settings: Settings,
    gains: Mapping[str, Gain] = MappingProxyType({}),
    actions: Sequence[Action] = ACTIONS,
    induced: Floats | None = None,
) -> Effects:
    """The measured effects on these customers (``risk``, ``topic``): ``policy.Effects``.

    ``gains``: of ``gains_now``; ``induced``: of ``induced_by``. A contact lowers nobody's risk by
    more than there is of it.
    """
    known = {effect.action: effect for effect in measured}
    risk = people["risk"].to_numpy(np.float64)
    codes, topics = pd.factorize(people["topic"].astype(object), use_na_sentinel=False)
    named = pairs(settings.outreach.action_of_topics)
    own = [action_for(None if pd.isna(t) else str(t), named) for t in topics]
    shape = (len(people), len(actions))
    uplift, low, high = (np.full(shape, np.nan) for _ in range(3))
    for at, action in enumerate(actions):
        names = (action.name, *action.also)
        gain = next((gains[n] for n in names if n in gains), None)
        if gain is not None:
            uplift[:, at] = np.minimum(gain.of_each, risk)
            low[:, at] = uplift[:, at] - SURE * gain.se
            high[:, at] = np.minimum(uplift[:, at] + SURE * gain.se, risk)
            continue
        effect = next((known[n] for n in names if n in known), None)
        theirs = np.array([action == each for each in own], dtype=bool)[codes]
        whose = np.ones(len(people), dtype=bool) if effect is not None else theirs
        effect = effect or known.get(ALL)
        if effect is None:
            continue
        uplift[whose, at] = -effect.shrunk * risk[whose]
        # the interval as measured: shrinking moves the estimate, and adds no evidence
        low[whose, at] = -effect.high * risk[whose]
        high[whose, at] = -effect.low * risk[whose]
    return Effects(uplift, low, high, induced)
