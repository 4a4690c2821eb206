"""The day's expected tickets by channel and topic: the intensities, summed over all customers.

Exact given the state at the day's first moment: every cause spreads over topics and channels by
known shares. It is what no volume forecast for the day can beat on the mean.
"""

from __future__ import annotations

import numpy as np

from data.arrays import Floats
from data.simulate.channels import CHAT, EMAIL, mix_on, public_mix
from data.simulate.contacts import oldest_open, public_mean
from data.simulate.hazard import QUESTION_TOPIC, Hazard
from data.simulate.rates import CAUSES, CHANNELS, TOPICS, Rates
from data.simulate.state import State, World


def expected(world: World, state: State, day: int, now: Hazard) -> Floats:
    """Expected tickets of the day by channel × topic, machines aside: exact given the state."""
    rates, people = world.rates, world.people
    by_preference = np.zeros((len(CHANNELS), len(TOPICS)))
    groups = len(CHANNELS)
    for cause, name in enumerate(CAUSES):
        weight = now.complaints[cause]
        if name == "general":
            total = np.bincount(people.channel, weight, groups)
            general = np.array(rates.general_topics)
            by_preference += total[:, None] * general / general.sum()
        elif name in ("open_ticket", "unmet_need"):
            topic = state.unmet_topic
            if name == "open_ticket":
                oldest = oldest_open(world, state, day)
                topic = np.where(
                    oldest >= 0, state.tickets["topic"][oldest] if len(state.tickets) else 0, 0
                )
            cell = people.channel * len(TOPICS) + topic
            total = np.bincount(cell, weight, groups * len(TOPICS))
            by_preference += total.reshape(groups, len(TOPICS))
        else:
            by_preference[:, TOPICS.index(name)] += np.bincount(people.channel, weight, groups)
    handed_share = np.array(rates.bot_share) * (1 - np.array(rates.bot_contains))
    handed_share = handed_share * (1 - rates.bot_gives_up)
    handed = np.zeros(len(TOPICS))
    for kind, topic in enumerate(QUESTION_TOPIC):
        total = np.bincount(people.channel, now.questions[kind], groups)
        by_preference[:, topic] += total * (world.ticket_share[topic] - handed_share[topic])
        handed[topic] += total.sum() * handed_share[topic]
    volume = np.einsum("pt,ptc->ct", by_preference, mix_on(world, day))
    shares = world.timeline.arrival_shares[day, EMAIL]
    to_chat = float(shares[world.timeline.is_open[day, CHAT]].sum())
    volume[CHAT] += handed * to_chat
    volume[EMAIL] += handed * (1 - to_chat)
    topics = np.array(rates.public_topics)
    public = public_mean(world, day) * topics / topics.sum()
    by_channel: Floats = volume + (public[:, None] * public_mix(world, day)).T
    return by_channel


def general_shares(rates: Rates) -> Floats:
    """The share of each topic in the complaints of no particular cause."""
    general = np.array(rates.general_topics)
    shares: Floats = general / general.sum()
    return shares


def complaint_topics(world: World, state: State, day: int, complaints: Floats) -> Floats:
    """Intensities of the day's complaints by topic × customer, from those by cause."""
    topics = np.zeros((len(TOPICS), world.size))
    everyone = world.everyone
    oldest = oldest_open(world, state, day)
    again = np.where(oldest >= 0, state.tickets["topic"][oldest] if len(state.tickets) else 0, 0)
    for cause, name in enumerate(CAUSES):
        weight = complaints[cause]
        if name == "general":
            topics += general_shares(world.rates)[:, None] * weight
        elif name == "open_ticket":
            topics[again, everyone] += weight
        elif name == "unmet_need":
            topics[state.unmet_topic, everyone] += weight
        else:
            topics[TOPICS.index(name)] += weight
    return topics
