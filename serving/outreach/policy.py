"""Whom to contact: a pure function from predictions, consent and effects to a row per customer.

For everybody eligible each action through each channel they allow has a value (worth.py), known
where its effect on them was measured. The best set within what the day has left (choice.py) is
selected by it. A share of the capacity explores: it goes to customers drawn at random among the
others, each with an action drawn among those that fit and are not known to harm, so that effects
are known also for those whom the ranking leaves out. **Without a measured effect only that share is
contacted**: nothing is claimed. What earlier runs of the day used (``Spent``) is gone.

**Selection ignores the hold-out**: a selected customer is then left alone with probability
``holdout_share`` (arm ``holdout``, with the action they would have had). So ``treat`` and
``holdout`` differ by the draw alone, and ``propensity`` is P(treat) given everything else:

    chosen by value    1 - holdout_share
    the others         P(drawn to explore) x (1 - holdout_share)
    not eligible       0

``arm_propensity`` is that of what was drawn: of this arm with this action, or of being left alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.arrays import Bools, Floats, Ints
from data.errors import DataError
from data.settings import Outreach
from serving.outreach.actions import ACTIONS, CHANNELS, Action
from serving.outreach.draws import Draws, draws_of
from serving.outreach.eligibility import eligibility, facts_of
from serving.outreach.exploring import Spent, day_of, select
from serving.outreach.offers import Effects, Offers, offers_of, unmeasured

__all__ = ["COLUMNS", "Effects", "Inputs", "Spent", "best_values", "plan", "plan_of", "unmeasured"]

COLUMNS = (
    "customer_id",
    "as_of",
    "arm",
    "propensity",
    "action",
    "channel",
    "risk",
    "uplift",
    "value",
    "reason",
    "value_low",
    "value_high",
    "arm_propensity",
    "explored",
    "not_before",
    "not_after",
)
UNPAID = "a contact would cost more than the complaints it avoids"
BEYOND = "beyond the day's capacity"
NO_ACTION = "no action goes through a channel that they allow"
STOPPED = "no action goes through a channel that they allow, but for such as have stopped"
UNTRIED = "the effect of what fits was not measured: only the exploring share is contacted"
THIN = "what was measured of what fits does not pay: only the exploring share is contacted"


@dataclass(frozen=True)
class Inputs:
    """All that a plan is a function of, as ``plan`` takes it; ``draws`` for the salt."""

    people: pd.DataFrame
    effects: Effects
    draws: Draws
    policy: Outreach
    as_of: datetime
    spent: Spent
    agent_hours: float | None
    agent_hour_cost: float
    time_zone: str
    actions: tuple[Action, ...] = ACTIONS


def plan(
    candidates: pd.DataFrame,
    policy: Outreach,
    *,
    salt: bytes,
    as_of: datetime,
    effects: Effects | None = None,
    spent: Spent | None = None,
    agent_hours: float | None = None,
    agent_hour_cost: float = 0.0,
    time_zone: str = "UTC",
    actions: Sequence[Action] = ACTIONS,
) -> pd.DataFrame:
    """One row for every considered customer, with ``COLUMNS``, in the order given.

    Parameters
    ----------
    candidates : customer_id (unique), risk (P of a complaint), topic, avoided_cost (money that one
        complaint costs), contact_cost (money that handling a contact takes), email_consent,
        sms_consent, phone_consent, do_not_contact (nullable bools), preferred_channel,
        last_contacted_at; and any of ``eligibility.OPTIONAL``.
    policy : one ``[outreach]``.
    salt : the secret of the draws.
    effects : None: nothing was measured.
    spent : what earlier runs of the day used; None: this is the first.
    agent_hours : what agents have left that day; None: no limit.
    agent_hour_cost : money.
    time_zone : IANA, of customers who state none.

    Raises
    ------
    DataError : a null or double customer_id, a risk outside [0, 1], effects of another shape or not
        finite, two policies at once.
    """
    effects = unmeasured(len(candidates), actions) if effects is None else effects
    _check(candidates, policy, effects, actions, agent_hours)
    draws = draws_of(salt, candidates["customer_id"].astype(str).tolist(), as_of.isoformat())
    return plan_of(
        Inputs(
            candidates,
            effects,
            draws,
            policy,
            as_of,
            Spent() if spent is None else spent,
            agent_hours,
            agent_hour_cost,
            time_zone,
            tuple(actions),
        )
    )


def plan_of(inputs: Inputs) -> pd.DataFrame:
    """``plan`` of inputs that are complete: equal inputs, equal plans, to the last bit."""
    candidates, policy, effects = inputs.people, inputs.policy, inputs.effects
    as_of, actions = inputs.as_of, inputs.actions
    rules = eligibility(facts_of(candidates), policy, as_of, inputs.time_zone)
    blocked = rules.blocked.copy()
    at = np.flatnonzero(blocked == "")
    hour = inputs.agent_hour_cost
    offers = offers_of(candidates, policy, effects, rules, at, hour, actions)
    open_to = np.asarray(offers.explorable.any(axis=(1, 2)))
    none = ~np.asarray(offers.feasible.any(axis=(1, 2)))
    no_action = NO_ACTION if effects.stopped is None or not effects.stopped.any() else STOPPED
    blocked[at[~open_to]] = np.where(none, no_action, UNPAID)[~open_to]
    offers, at = offers.of(open_to), at[open_to]

    ids = candidates["customer_id"].astype(str).tolist()
    mine = inputs.draws.of(at)
    day = day_of(policy, inputs.spent, inputs.agent_hours)
    # ties in value are broken by the draw, never by the order of ids
    chosen, explored, share = select(offers, policy, day, mine)

    rows = len(ids)
    held = inputs.draws.holdout < policy.holdout_share
    selected, drawn = np.zeros(rows, dtype=bool), np.zeros(rows, dtype=bool)
    by_value = chosen >= 0
    selected[at], drawn[at] = by_value | explored, explored
    p_selected = np.zeros(rows)
    p_selected[at] = np.where(by_value, 1.0, share.selected)
    p_option = np.ones(rows)
    p_option[at] = np.where(by_value, 1.0, share.option)
    eligible = np.zeros(rows, dtype=bool)
    eligible[at] = True
    arm = np.select(
        [selected & held, selected, eligible], ["holdout", "treat", "capacity"], "ineligible"
    )
    arm_chance = np.where(held, policy.holdout_share, 1.0 - policy.holdout_share)
    option = np.where(by_value, chosen, share.choice)
    line = np.arange(len(at))
    options = {
        name: _filled(rows, at, values)
        for name, values in {
            "uplift": offers.uplift[line, option // len(CHANNELS)],
            "value": offers.flat(offers.value)[line, option],
            "value_low": offers.flat(offers.low)[line, option],
            "value_high": offers.flat(offers.high)[line, option],
        }.items()
    }
    names = np.array([action.name for action in actions], dtype=object)
    action = np.full(rows, None, dtype=object)
    action[at] = names[option // len(CHANNELS)]
    channel = np.full(rows, None, dtype=object)
    channel[at] = np.array(CHANNELS, dtype=object)[option % len(CHANNELS)]
    blocked[at] = _reasons(offers, chosen, explored, mine.order)
    frame = pd.DataFrame(
        {
            "customer_id": ids,
            "as_of": pd.Series(np.full(rows, np.datetime64(as_of, "us"))),
            "arm": arm,
            "propensity": p_selected * (1.0 - policy.holdout_share),
            "action": pd.Series(action, dtype="str"),
            "channel": pd.Series(channel, dtype="str"),
            "risk": candidates["risk"].to_numpy(np.float64),
            **options,
            "reason": blocked,
            "arm_propensity": np.where(
                selected, p_selected * p_option * arm_chance, 1.0 - p_selected
            ),
            "explored": drawn,
            "not_before": np.where(eligible, rules.opens, np.datetime64("NaT", "us")),
            "not_after": np.where(eligible, rules.closes, np.datetime64("NaT", "us")),
        }
    )
    return frame[list(COLUMNS)]


def best_values(
    candidates: pd.DataFrame,
    policy: Outreach,
    *,
    as_of: datetime,
    effects: Effects,
    agent_hour_cost: float = 0.0,
    time_zone: str = "UTC",
    actions: Sequence[Action] = ACTIONS,
) -> Floats:
    """What the best contact of each customer is worth, whatever a day has: (n,), NaN where nobody
    may contact them or nothing was measured. Parameters and errors as of ``plan``."""
    _check(candidates, policy, effects, actions, None)
    rules = eligibility(facts_of(candidates), policy, as_of, time_zone)
    at = np.flatnonzero(rules.blocked == "")
    offers = offers_of(candidates, policy, effects, rules, at, agent_hour_cost, actions)
    best = np.fmax.reduce(offers.flat(offers.value), axis=1)
    return _filled(len(candidates), at, best)


def _reasons(offers: Offers, chosen: Ints, explored: Bools, tie: Floats) -> npt.NDArray[np.object_]:
    n = len(chosen)
    known = np.where(np.isnan(offers.flat(offers.value)), -np.inf, offers.flat(offers.value))
    best = known.max(axis=1, initial=-np.inf)
    pays = best > 0
    reasons = np.where(
        pays,
        f"worth a contact, one of {int(pays.sum())}: {BEYOND}",
        np.where(np.isfinite(best), THIN, UNTRIED),
    ).astype(object)
    place = np.empty(n, dtype=np.int64)
    place[np.lexsort((tie, -best))] = np.arange(1, n + 1)
    for i in np.flatnonzero(chosen >= 0):
        reasons[i] = f"{place[i]} of {n} eligible by value"
    reasons[explored] = f"drawn to explore, one of {n} eligible"
    return reasons


def _filled(rows: int, at: Ints, values: npt.NDArray[np.generic]) -> Floats:
    out = np.full(rows, np.nan)
    out[at] = values
    return out


def _check(
    candidates: pd.DataFrame,
    policy: Outreach,
    effects: Effects,
    actions: Sequence[Action],
    agent_hours: float | None,
) -> None:
    if not isinstance(policy, Outreach):
        many = len(policy) if isinstance(policy, Sequence | Mapping) else policy
        raise DataError(f"outreach: {many} policies were given; a plan follows one [outreach]")
    if agent_hours is not None and not agent_hours >= 0:
        raise DataError(f"outreach: agents have {agent_hours} hours left; that cannot be below 0")
    ids = candidates["customer_id"]
    if ids.isna().any():
        raise DataError(f"outreach: row {int(ids.isna().argmax())} has a null customer_id")
    if ids.duplicated().any():
        raise DataError(f"outreach: customer_id {ids[ids.duplicated()].iloc[0]!r} is there twice")
    for name, low, high in (
        ("risk", 0.0, 1.0),
        ("avoided_cost", 0.0, np.inf),
        ("contact_cost", 0.0, np.inf),
    ):
        wrong = ~(candidates[name].between(low, high) & np.isfinite(candidates[name])).to_numpy(
            bool
        )
        if wrong.any():
            at = int(wrong.argmax())
            range_text = "in 0 to 1" if name == "risk" else "an amount of 0 or more"
            raise DataError(
                f"outreach: customer {ids.iloc[at]!r} has the {name} {candidates[name].iloc[at]}, "
                f"not {range_text}"
            )
    shape = (len(candidates), len(actions))
    for name in ("uplift", "low", "high"):
        array = getattr(effects, name)
        if array is None:
            continue
        if array.shape != shape:
            raise DataError(f"outreach: {name} has the shape {array.shape}, not {shape}")
        if np.isinf(array).any():
            at = int(np.isinf(array).any(axis=1).argmax())
            raise DataError(f"outreach: the {name} of customer {ids.iloc[at]!r} is not finite")
