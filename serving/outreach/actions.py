"""What outreach can do: one entry an action; its texts are in ``texts.toml`` beside it.

An action answers topics; a topic's words decide (``late_delivery`` holds ``delivery``), unless
``[outreach] action_of_topics`` names the action. General actions fit anybody. Where several fit,
the measured value chooses (policy.py); where nothing was measured, the predicted topic does.

>>> action_for("late delivery").name
'delivery_update'
>>> action_for(None).name
'check_in'
>>> action_named("replacement_offer").name
'replacement'
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from data.arrays import Bools
from data.errors import DefinitionError, SettingsError, did_you_mean
from data.settings_outreach import OUTREACH_CHANNELS

CHANNELS = OUTREACH_CHANNELS
"""Channels that outreach can send through; each has a consent of its own."""
FACTS = ("late_order", "product", "article")
"""What an action can need: an order that is overdue, one with a named product, an article that
stands on the predicted topic."""


@dataclass(frozen=True)
class Action:
    """One thing that can be done for a customer before they write.

    ``words``: parts of the topics that it answers; none: it fits anybody. ``channels``: through
    which it can go. ``agent_minutes``: of an agent's time by channel, none where nothing is said.
    ``spends``: the setting of ``[outreach]`` that says what it gives away, "" for nothing.
    ``also``: names under which past campaigns may know it. ``needs``: what must be so of the
    customer, one of ``FACTS`` (facts.py): nobody is told of a late order that they do not have.
    """

    name: str
    note: str
    words: tuple[str, ...] = ()
    channels: tuple[str, ...] = CHANNELS
    agent_minutes: tuple[tuple[str, float], ...] = (("phone", 6.0),)
    spends: str = ""
    also: tuple[str, ...] = ()
    needs: str = ""

    def __post_init__(self) -> None:
        for channel in (*self.channels, *(name for name, _ in self.agent_minutes)):
            if channel not in CHANNELS:
                raise DefinitionError(
                    f"action {self.name!r} names the channel {channel!r}; outreach goes through "
                    f"{', '.join(CHANNELS)}.{did_you_mean(channel, CHANNELS)}"
                )
        for channel, minutes in self.agent_minutes:
            if not minutes >= 0:
                raise DefinitionError(
                    f"action {self.name!r} takes {minutes} agent minutes by {channel}, but cannot "
                    "take less than none"
                )
        if self.needs and self.needs not in FACTS:
            raise DefinitionError(
                f"action {self.name!r} needs {self.needs!r}, which is not known of customers; "
                f"there are {', '.join(FACTS)}"
            )
        if self.spends not in ("", "credit", "replacement_cost"):
            raise DefinitionError(
                f"action {self.name!r} spends {self.spends!r}, which is no setting of [outreach]; "
                "there are credit and replacement_cost"
            )

    def minutes(self, channel: str) -> float:
        """Of an agent's time that it takes through a channel."""
        return dict(self.agent_minutes).get(channel, 0.0)


ACTIONS = (
    Action(
        "delivery_update",
        "say that the order is late, and promise a new day",
        ("deliver", "shipping", "shipment", "order", "parcel", "logistic", "wismo"),
        also=("late_order_notice", "order_update"),
        needs="late_order",
    ),
    Action(
        "replacement",
        "offer to replace or refund a product known to fail",
        ("defect", "product", "quality", "return", "refund", "cancel", "warranty", "damage"),
        spends="replacement_cost",
        also=("replacement_offer", "refund"),
        needs="product",
    ),
    Action(
        "payment_help",
        "explain a charge or help a failed payment through, by a call-back where wanted",
        ("bill", "payment", "invoice", "charge", "price", "fee"),
        agent_minutes=(("phone", 8.0),),
        also=("billing_explanation", "billing_callback"),
    ),
    Action(
        "workaround",
        "send the help article on an error that is known",
        ("error", "app", "technical", "login", "outage", "bug", "software", "network", "usage"),
        ("email", "sms"),
        also=("help_article", "technical_help"),
        needs="article",
    ),
    Action(
        "how_to",
        "show how to do what others ask about",
        ("how", "account", "setup", "question", "onboarding", "info", "feature"),
        ("email", "sms"),
        also=("guide",),
        needs="article",
    ),
    Action(
        "apology_credit",
        "apologise for what went wrong, with a credit",
        channels=("email", "phone"),
        spends="credit",
        also=("apology", "goodwill"),
    ),
    Action(
        "callback",
        "have one named owner call and see it through",
        channels=("phone",),
        agent_minutes=(("phone", 12.0),),
        also=("escalation", "owner_call"),
    ),
    Action("check_in", "ask whether everything is well"),
)
"""Every action for a customer. A topic's action is the first with a word that it holds; the last
answers anything. Articles to write or repair are no contact: deflection.py."""

_NAMES = {name: action for action in ACTIONS for name in (action.name, *action.also)}


def action_named(name: str) -> Action:
    """The action of that name, or that past campaigns called so; DefinitionError otherwise."""
    if name not in _NAMES:
        raise DefinitionError(f"there is no action {name!r}.{did_you_mean(name, _NAMES)}")
    return _NAMES[name]


def pairs(action_of_topics: Sequence[str]) -> dict[str, Action]:
    """``[outreach] action_of_topics`` by topic, in lower case; SettingsError for an unknown action.

    >>> pairs(["LOG = delivery_update"])["log"].name
    'delivery_update'
    """
    actions = {}
    for pair in action_of_topics:
        topic, _, name = pair.rpartition("=")
        if name.strip() not in _NAMES:
            raise SettingsError(
                f"[outreach] action_of_topics: {pair!r} names no action."
                f"{did_you_mean(name.strip(), _NAMES)} There are "
                f"{', '.join(action.name for action in ACTIONS)}"
            )
        actions[topic.strip().lower()] = _NAMES[name.strip()]
    return actions


def action_for(topic: str | None, named: Mapping[str, Action] | None = None) -> Action:
    """The action that ``named`` has for the topic, else the first with a word that it holds, else
    the last."""
    text = (topic or "").lower()
    if named and text.strip() in named:
        return named[text.strip()]
    for action in ACTIONS[:-1]:
        if any(word in text for word in action.words):
            return action
    return ACTIONS[-1]


def fitting(
    topics: Iterable[str | None],
    named: Mapping[str, Action] | None = None,
    actions: Sequence[Action] = ACTIONS,
) -> Bools:
    """Which actions fit a customer of each topic: (topics, actions).

    Those without words fit anybody; of those with words only the topic's own does: another's effect
    was never seen on such customers.
    """
    general = [not action.words for action in actions]
    rows = []
    for topic in topics:
        own = action_for(topic, named)
        rows.append([g or action == own for g, action in zip(general, actions, strict=True)])
    return np.array(rows, dtype=bool).reshape(-1, len(actions))
