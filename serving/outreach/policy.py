"""Whom to contact: a pure function from predictions and consent to one row per customer.

Everybody eligible is ranked by value, ``uplift x complaint_cost - contact_cost`` (by risk where no
effect was ever measured). A share of the capacity explores: it goes to customers drawn at random
among the eligible rest, so that the effect is known also for those whom the ranking leaves out.
**Selection ignores the hold-out**: a selected customer is then left alone with probability
``holdout_share`` (arm ``holdout``, with the action they would have had). So ``treat`` and
``holdout`` differ by the draw alone, and ``propensity`` is P(treat) given everything else:

    ranked in       1 - holdout_share
    eligible rest   P(drawn to explore) x (1 - holdout_share)
    not eligible    0

Draws are keyed hashes of the customer and a salt that lives in the store: equal inputs give equal
plans on any machine, and a customer held out stays held out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.errors import DataError
from data.settings import Outreach
from serving.outreach.actions import action_for

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
)
CHANNELS = ("email", "sms", "phone")
"""Channels that outreach can send through; each has a consent of its own."""


def plan(
    candidates: pd.DataFrame, policy: Outreach, *, salt: bytes, as_of: datetime
) -> pd.DataFrame:
    """One row for every considered customer, with the contract's columns, in the order given.

    ``candidates`` has customer_id (unique), risk (P of a complaint), topic, uplift (how much a
    contact lowers that P; NaN: never measured), email_consent, sms_consent, phone_consent,
    do_not_contact (nullable booleans), preferred_channel, last_contacted_at, has_open_ticket.
    Raises DataError for a null or double customer_id and a risk outside [0, 1].
    """
    _check(candidates)
    channel, blocked = eligibility(candidates, policy, as_of)
    uplift = candidates["uplift"].to_numpy(np.float64)
    risk = candidates["risk"].to_numpy(np.float64)
    value = uplift * policy.complaint_cost - policy.contact_cost
    unpaid = (blocked == "") & (value <= 0)
    blocked[unpaid] = "a contact would cost more than the complaints it avoids"
    eligible = blocked == ""
    ids = candidates["customer_id"].astype(str).tolist()
    # ties in value are broken by the draw, never by the order of ids
    tie = uniforms(salt, ids, "order", as_of.isoformat())
    merit = np.where(np.isnan(value), risk, value)
    order = np.lexsort((tie, -merit))
    order = order[eligible[order]]
    explored = min(round(policy.capacity_per_day * policy.explore_share), len(order))
    ranked_in = order[: max(0, policy.capacity_per_day - explored)]
    rest = order[len(ranked_in) :]
    drawn = rest[np.argsort(uniforms(salt, [ids[i] for i in rest], "explore", as_of.isoformat()))]
    drawn = drawn[:explored]
    held = uniforms(salt, ids, "holdout") < policy.holdout_share

    propensity = np.zeros(len(ids))
    propensity[ranked_in] = 1.0 - policy.holdout_share
    if len(rest):
        propensity[rest] = len(drawn) / len(rest) * (1.0 - policy.holdout_share)
    selected = np.zeros(len(ids), dtype=bool)
    selected[ranked_in] = selected[drawn] = True
    arm = np.select(
        [selected & held, selected, eligible], ["holdout", "treat", "capacity"], "ineligible"
    )
    place = np.zeros(len(ids), dtype=np.int64)
    place[order] = np.arange(1, len(order) + 1)
    by_draw = np.zeros(len(ids), dtype=bool)
    by_draw[drawn] = True
    return pd.DataFrame(
        {
            "customer_id": ids,
            "as_of": pd.Series([as_of] * len(ids), dtype="datetime64[us]"),
            "arm": arm,
            "propensity": propensity,
            "action": _actions(candidates["topic"], eligible),
            "channel": pd.Series(
                [c if a else None for c, a in zip(channel, eligible, strict=True)], dtype="str"
            ),
            "risk": risk,
            "uplift": uplift,
            "value": value,
            "reason": [
                blocked[i] or _reason(place[i], len(order), bool(by_draw[i]), bool(selected[i]))
                for i in range(len(ids))
            ],
        }
    )[list(COLUMNS)]


def _actions(topics: pd.Series, acting: npt.NDArray[np.bool_]) -> pd.Series:
    names = [
        action_for(None if pd.isna(topic) else str(topic)).name if acts else None
        for topic, acts in zip(topics, acting, strict=True)
    ]
    return pd.Series(names, dtype="str")


def _reason(place: int, of: int, drawn: bool, selected: bool) -> str:
    if drawn:
        return f"drawn to explore, {place} of {of} eligible by value"
    if selected:
        return f"{place} of {of} eligible by value"
    return f"{place} of {of} eligible by value: beyond the day's capacity"


def eligibility(
    candidates: pd.DataFrame, policy: Outreach, as_of: datetime
) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.object_]]:
    """The channel each customer may be contacted through, and why not ("" where they may).

    The preferred channel where there is consent for it, else the first consented of e-mail, SMS
    and phone. Unknown consent is refused unless ``consent_when_unknown``.
    """
    rows = len(candidates)
    unknown = policy.consent_when_unknown
    given = {
        name: candidates[f"{name}_consent"].astype("boolean").fillna(unknown).to_numpy(bool)
        for name in CHANNELS
    }
    channel = np.full(rows, None, dtype=object)
    for name in reversed(CHANNELS):
        channel[given[name]] = name
    for name in CHANNELS:
        preferred = (candidates["preferred_channel"].astype("str") == name).fillna(False)
        channel[preferred.to_numpy(bool) & given[name]] = name
    reason = np.full(rows, "", dtype=object)
    recently = candidates["last_contacted_at"] > as_of - timedelta(days=policy.min_days_between)
    reason[[c is None for c in channel]] = "no consent for any channel"
    reason[recently.fillna(False).to_numpy(bool)] = (
        f"contacted within the last {policy.min_days_between:g} days"
    )
    reason[candidates["has_open_ticket"].to_numpy(bool)] = "has an open ticket: an agent answers it"
    reason[candidates["do_not_contact"].astype("boolean").fillna(False).to_numpy(bool)] = (
        "asked not to be contacted"
    )
    return channel, reason


def uniforms(salt: bytes, ids: Iterable[str], *purpose: str) -> npt.NDArray[np.float64]:
    """One number in [0, 1) for each id, from a keyed hash (BLAKE2b, 64 bits) of id and purpose.

    >>> uniforms(b"salt", ["a", "b"], "holdout")[0] == uniforms(b"salt", ["a"], "holdout")[0]
    np.True_
    """
    prefix = "\x1f".join(purpose).encode() + b"\x1e"
    found = [
        int.from_bytes(hashlib.blake2b(prefix + i.encode(), digest_size=8, key=salt).digest())
        for i in ids
    ]
    # 53 bits fill a double exactly, so 1.0 cannot come out
    return (np.array(found, dtype=np.uint64) >> np.uint64(11)).astype(np.float64) / 2.0**53


def _check(candidates: pd.DataFrame) -> None:
    ids = candidates["customer_id"]
    if ids.isna().any():
        raise DataError(f"outreach: row {int(ids.isna().argmax())} has a null customer_id")
    if ids.duplicated().any():
        raise DataError(f"outreach: customer_id {ids[ids.duplicated()].iloc[0]!r} is there twice")
    risk = candidates["risk"]
    wrong = ~risk.between(0, 1)
    if wrong.any():
        at = int(wrong.to_numpy().argmax())
        raise DataError(
            f"outreach: customer {ids.iloc[at]!r} has the risk {risk.iloc[at]}, not in 0 to 1"
        )
