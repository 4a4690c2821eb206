"""From intensities to contacts: which cause, which topic, self-service first, which channel, when.

A complaint becomes a ticket. A question meets a bot with probability ``bot_share(topic)``, an
article with ``article_share(topic)``, else it becomes a ticket. The bot contains it, hands it over
(a ticket follows) or the customer gives up; the article helps, or a ticket follows, or the customer
gives up. Those who give up carry an unmet need, which later complains (``hazard.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.arrays import Bools, Floats, Ints
from data.simulate.channels import CHAT, EMAIL, mix_on, public_mix
from data.simulate.draws import Draws, pick, poisson
from data.simulate.hazard import QUESTION_TOPIC, Hazard, is_open
from data.simulate.rates import CAUSES, CHANNELS, LANGUAGES, QUESTIONS, TOPICS
from data.simulate.record import Record
from data.simulate.state import State, World
from data.simulate.timeline import SECOND

BOT_SECONDS = 150
MOST_A_DAY = 16
"""Contacts of one customer and kind on one day, at most: open complaints bring further ones, and
without an end one customer's would grow without one."""
DAWN = 7 * 3600


@dataclass
class Contacts:
    """The day's contacts in order of arrival. ``customer`` is -1 for the public."""

    key: Ints
    customer: Ints
    channel: Ints
    topic: Ints
    cause: Ints
    complaint: Bools
    machine: Bools
    issue: Ints
    opened: Ints
    order: Ints
    product: Ints

    def __len__(self) -> int:
        return len(self.key)

    def sorted(self) -> Contacts:
        """By time of arrival, ties by key."""
        order = np.lexsort((self.key, self.opened))
        return Contacts(**{name: value[order] for name, value in vars(self).items()})

    def where(self, mask: NDArray[np.bool_]) -> Contacts:
        """Those of the mask."""
        return Contacts(**{name: value[mask] for name, value in vars(self).items()})


def _join(parts: list[Contacts]) -> Contacts:
    return Contacts(
        **{name: np.concatenate([getattr(p, name) for p in parts]) for name in vars(parts[0])}
    ).sorted()


def _spread(counts: Ints, key: Ints, first: int) -> tuple[Any, Any]:
    """(who, contact key) of each of the counted contacts; ``counts`` by customer."""
    counts = np.minimum(counts, MOST_A_DAY)
    hit = np.flatnonzero(counts)
    who = np.repeat(hit, counts[hit])
    start = np.repeat(np.cumsum(counts[hit]) - counts[hit], counts[hit])
    return who, key[who] * 2 * MOST_A_DAY + first + np.arange(len(who)) - start


def _arrivals(world: World, day: int, channel: Ints, u: Floats) -> Floats:
    seconds = np.zeros(len(channel))
    for c in range(len(CHANNELS)):
        chosen = channel == c
        seconds[chosen] = world.timeline.arrival_seconds(day, c, u[chosen])
    return seconds


def draw_contacts(
    world: World, state: State, draws: Draws, day: int, now: Hazard, record: Record | None
) -> Contacts:
    """The day's contacts of customers, the public and machines, by time of arrival."""
    parts = [
        _complaints(world, state, draws, day, now),
        _questions(world, state, draws, day, now, record),
        _public(world, draws, day),
    ]
    return _join(parts)


def _complaints(world: World, state: State, draws: Draws, day: int, now: Hazard) -> Contacts:
    keys = day * world.entities + world.everyone
    counts = poisson(now.complaint, draws.uniform("complaint", day, world.everyone))
    who, key = _spread(counts, keys, 0)
    cause = pick(np.cumsum(now.complaints[:, who], axis=0).T, draws.uniform("cause", day, key))
    topic = np.array([TOPICS.index(c if c in TOPICS else "other") for c in CAUSES])[cause]
    general = pick(np.cumsum(world.rates.general_topics), draws.uniform("general", day, key))
    topic = np.where(cause == CAUSES.index("general"), general, topic)
    topic = np.where(cause == CAUSES.index("unmet_need"), state.unmet_topic[who], topic)
    oldest = oldest_open(world, state, day)
    again = (cause == CAUSES.index("open_ticket")) & (oldest[who] >= 0)
    issue = key.copy()
    if len(state.tickets):
        topic = np.where(again, state.tickets["topic"][oldest[who]], topic)
        issue = np.where(again, state.tickets["issue"][oldest[who]], issue)
    complaint = np.ones(len(who), dtype=bool)
    return _make(world, state, draws, day, who, key, topic, cause, complaint, issue, None)


def oldest_open(world: World, state: State, day: int) -> Ints:
    """Position of each customer's oldest open live ticket, -1 without one."""
    oldest = np.full(world.size, -1)
    customer = state.tickets["customer"]
    rows = np.flatnonzero((is_open(world, state, day) > 0) & (customer >= 0))[::-1]
    oldest[customer[rows]] = rows
    return oldest


def _questions(
    world: World, state: State, draws: Draws, day: int, now: Hazard, record: Record | None
) -> Contacts:
    rates, line = world.rates, world.timeline
    keys = day * world.entities + world.everyone
    total = now.questions.sum(axis=0)
    who, key = _spread(poisson(total, draws.uniform("question", day, world.everyone)), keys, 16)
    kind = pick(np.cumsum(now.questions[:, who], axis=0).T, draws.uniform("kind", day, key))
    topic = QUESTION_TOPIC[kind]
    route = draws.uniform("route", day, key)
    bot_share, article_share = np.array(rates.bot_share), np.array(rates.article_share)
    bot = route < bot_share[topic]
    article = ~bot & (route < bot_share[topic] + article_share[topic])
    u = draws.uniform("served", day, key)
    article_number = (draws.uniform("article", day, key) * len(rates.article_quality)).astype(int)
    helps = np.where(
        bot, np.array(rates.bot_contains)[topic], np.array(rates.article_quality)[article_number]
    )
    helped = (bot | article) & (u < helps)
    rest = (u - helps) / (1 - helps)
    gives_up = np.where(bot, rates.bot_gives_up, 1 - rates.article_then_ticket)
    given_up = (bot | article) & ~helped & (rest < gives_up)
    ticket = ~helped & ~given_up

    evening = line.arrival_seconds(day, EMAIL, draws.uniform("self-service at", day, key))
    asked_at = line.utc(day, evening)
    handed = bot & ticket
    hour = np.minimum((evening / 3600).astype(np.int64), 23)
    to_chat = line.is_open[day, CHAT, hour]
    forced = np.where(handed, np.where(to_chat, CHAT, EMAIL), -1)
    cause = kind + len(CAUSES)
    complaint = np.zeros(len(who), dtype=bool)
    contacts = _make(
        world, state, draws, day, who, key, topic, cause, complaint, key.copy(), forced
    )
    over = np.minimum(asked_at + BOT_SECONDS * SECOND, line.midnight[day + 1] - 1)
    contacts.opened = np.where(handed, over, contacts.opened)
    np.add.at(state.unmet, who[given_up], 1.0)
    state.unmet_topic[who[given_up]] = topic[given_up]
    if record is not None:
        never = np.iinfo(np.int64).max
        record.bots.add(
            key=key[bot],
            customer=who[bot],
            topic=topic[bot],
            started_at=asked_at[bot],
            ended_at=over[bot],
            contained=helped[bot],
            handed_over_at=np.where(handed, over, never)[bot],
            ticket=np.where(handed, key, -1)[bot],
        )
        before = np.maximum(contacts.opened - 600 * SECOND, line.midnight[day])
        language = world.people.language[who]
        record.views.add(
            key=key[article],
            customer=who[article],
            at=np.where(ticket, before, asked_at)[article],
            article=article_key(topic, language, article_number)[article],
            helpful=helped[article],
        )
    return contacts.where(ticket)


def article_key(topic: Ints, language: Ints, number: Ints) -> Ints:
    """The article's position in the table: topic, language, good or poor."""
    return (topic * len(LANGUAGES) + language) * 2 + number


def _make(
    world: World,
    state: State,
    draws: Draws,
    day: int,
    who: Ints,
    key: Ints,
    topic: Ints,
    cause: Ints,
    complaint: Bools,
    issue: Ints,
    forced: Ints | None,
) -> Contacts:
    mix = np.cumsum(mix_on(world, day), axis=2)
    channel = pick(mix[world.people.channel[who], topic], draws.uniform("channel", day, key))
    if forced is not None:
        channel = np.where(forced >= 0, forced, channel)
    seconds = _arrivals(world, day, channel, draws.uniform("arrival", day, key))
    # whoever was contacted this morning writes after it, not before
    today = (state.contacted[who] == day) & (seconds < DAWN)
    seconds = np.where(today, DAWN + seconds * (24 * 3600 - DAWN) / (24 * 3600), seconds)
    order, product = _about(world, state, day, who, topic)
    return Contacts(
        key=key,
        customer=who,
        channel=channel,
        topic=topic,
        cause=cause,
        complaint=complaint,
        machine=np.zeros(len(who), dtype=bool),
        issue=issue,
        opened=world.timeline.utc(day, seconds),
        order=order,
        product=product,
    )


def _about(world: World, state: State, day: int, who: Ints, topic: Ints) -> tuple[Ints, Ints]:
    """The order and product a contact is about (-1: none): the latest due, the defective."""
    orders = state.orders
    order, product = np.full(len(who), -1), np.full(len(who), -1)
    for name, score in (
        ("delivery", np.where(orders["status"] < 2, 1000 + day - orders["promised"], 0)),
        ("defect", (orders["status"] == 2) * (1 + orders["defective"] * 2)),
        ("returns", (orders["status"] == 2) * (1 + orders["defective"] * 2)),
    ):
        rising = np.argsort(score, kind="stable")
        rising = rising[score[rising] > 0]
        last = np.full(world.size, -1)
        last[orders["customer"][rising]] = rising
        latest = last[who]
        use = (topic == TOPICS.index(name)) & (latest >= 0)
        order[use] = orders["key"][latest[use]]
        product[use] = orders["product"][latest[use]]
    return order, product


def public_mean(world: World, day: int) -> float:
    """Expected contacts of people unknown to us on a day."""
    rates, people = world.rates, world.people
    return float(rates.public * people.written * world.timeline.contact_factor[day])


def _public(world: World, draws: Draws, day: int) -> Contacts:
    rates = world.rates
    one = np.zeros(1, dtype=np.int64)
    machines = np.array([rates.machine * world.people.written])
    known = poisson(np.array([public_mean(world, day)]), draws.uniform("public", day, one))[0]
    by_machines = poisson(machines, draws.uniform("machine", day, one))[0]
    j = np.arange(known + by_machines)
    key = (day * world.entities + world.size + j) * 2 * MOST_A_DAY
    machine = j >= known
    topic = pick(np.cumsum(rates.public_topics), draws.uniform("public topic", day, j))
    topic = np.where(machine, TOPICS.index("other"), topic)
    mix = np.cumsum(public_mix(world, day), axis=1)
    channel = np.where(machine, EMAIL, pick(mix[topic], draws.uniform("public channel", day, j)))
    seconds = _arrivals(world, day, channel, draws.uniform("public arrival", day, j))
    complaint = draws.uniform("public kind", day, j) < rates.public_complaint_share
    none = np.full(len(j), -1)
    return Contacts(
        key=key,
        customer=none,
        channel=channel,
        topic=topic,
        cause=np.full(len(j), len(CAUSES) + len(QUESTIONS)),
        complaint=complaint & ~machine,
        machine=machine,
        issue=key.copy(),
        opened=world.timeline.utc(day, seconds),
        order=none.copy(),
        product=none.copy(),
    )
