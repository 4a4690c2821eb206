"""Customers and their versions, articles, the calendar, agents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from data.arrays import Ints
from data.simulate import rates as names
from data.simulate.columns import customers_of, ids, table, times, words
from data.simulate.incidents import release_on
from data.simulate.population import CONSENT
from data.simulate.timeline import NEVER, SECOND, TIME_ZONE

if TYPE_CHECKING:
    from data.simulate.running import RunningCompany

DAY = 86_400_000_000
FIRST = ("Ada", "Bo", "Carla", "Dag", "Eva", "Finn", "Gro", "Hugo", "Ines", "Jon", "Kari", "Luis")
LAST = (
    "Berg",
    "Costa",
    "Dahl",
    "Evans",
    "Fox",
    "Garcia",
    "Hansen",
    "Lopez",
    "Moe",
    "Olsen",
    "Reed",
)
SKILLS = (["phone", "email"], ["chat", "social"], ["phone"], ["email", "chat"])
AHEAD_DAYS = 120


def signed_up_at(company: RunningCompany) -> Ints:
    """Each customer's moment of signing up, UTC microseconds."""
    line, people = company.world.timeline, company.world.people
    u = company.archive.uniform("signed up", 0, company.world.everyone)
    day = np.maximum(people.signed_up, 0)
    moment = line.utc(day, (8 + 15 * u) * 3600)
    return moment + np.minimum(people.signed_up, 0) * DAY


def customers(company: RunningCompany, end: int) -> pa.Table:
    """Customers with a version for every change of plan or region."""
    record, people = company.record, company.world.people
    assert record is not None
    born = signed_up_at(company)
    first = np.flatnonzero(born < end)
    log = record.versions.columns()
    who = np.concatenate([first, log["customer"]])
    plan = np.concatenate([people.plan[first], log["plan"]])
    region = np.concatenate([people.region[first], log["region"]])
    recorded = np.concatenate([born[first], log["at"]])
    closed = np.full(company.world.size, NEVER)
    closed[record.closed["customer"]] = record.closed["at"]
    rng = company.archive.generator("names")
    first_name, family = (
        rng.integers(len(FIRST), size=who.max() + 1),
        rng.integers(len(LAST), size=who.max() + 1),
    )
    full = [f"{f} {s}" for f in FIRST for s in LAST]
    zones = ("Europe/London", "Europe/Oslo", "Europe/Madrid")
    spoken = company.world.words

    def consent(values: Ints) -> pa.Array:
        return pa.array([CONSENT[v] for v in values[who].tolist()], pa.bool_())

    return table(
        {
            "customer_id": customers_of(who),
            "signed_up_at": times(born[who], end),
            "region": words(spoken.regions, region),
            "segment": words(spoken.segments, people.segment[who]),
            "plan": words(spoken.plans, plan),
            "platform": words(spoken.platforms, people.platform[who]),
            "language": words(names.LANGUAGES, people.language[who]),
            "time_zone": words(zones, people.language[who]),
            "preferred_channel": words(spoken.channels, people.channel[who]),
            "name": words(full, first_name[who] * len(LAST) + family[who]),
            "value": people.value[who],
            "email_consent": consent(people.email_consent),
            "sms_consent": consent(people.sms_consent),
            "phone_consent": consent(people.phone_consent),
            "do_not_contact": people.do_not_contact[who] == 1,
            "vulnerable": people.vulnerable[who] == 1,
            "closed_at": times(closed[who], end),
            "recorded_at": times(recorded, NEVER),
        }
    )


def articles(company: RunningCompany, end: int) -> pa.Table:
    """Two articles a topic and language, one good, one poor, all older than the history."""
    topics = company.world.words.topics
    count = len(topics) * len(names.LANGUAGES) * 2
    number = np.arange(count)
    topic, language = number // (2 * len(names.LANGUAGES)), number // 2 % len(names.LANGUAGES)
    start = int(company.world.timeline.midnight[0])
    titles = [
        f"{topics[t]}: {'step by step' if n % 2 == 0 else 'general advice'}"
        for n, t in zip(number.tolist(), topic.tolist(), strict=True)
    ]
    return table(
        {
            "article_id": ids("a", number, 3),
            "published_at": times(np.full(count, start - 90 * DAY), NEVER),
            "topic": words(topics, topic),
            "language": words(names.LANGUAGES, language),
            "title": pa.array(titles, pa.string()),
        }
    )


def calendar(company: RunningCompany, end: int) -> pa.Table:
    """Holidays and campaigns known ahead, releases, and outages that are announced too late."""
    line, spoken = company.world.timeline, company.world.words
    app_error, product = (spoken.topics[names.TOPICS.index(t)] for t in ("app_error", "product"))
    rows: list[dict[str, Any]] = []
    midnight = [int(m) for m in line.midnight]
    last = min(company.day + AHEAD_DAYS, line.total)

    def add(name: str, kind: str, announced: int, starts: int, ends: int, **more: Any) -> None:
        number = len({row["event_id"] for row in rows})
        row = {"event_id": f"e{number:05d}", "name": name, "kind": kind, "announced_at": announced}
        row |= {"starts_at": starts, "ends_at": ends, "recorded_at": announced}
        rows.append(row | {"topic": None, "platform": None, "size": None} | more)

    for day in range(last):
        if line.holidays[day]:
            announced = midnight[0] - 30 * DAY if day < 340 else midnight[day] - 340 * DAY
            add(line.holidays[day], "holiday", announced, midnight[day], midnight[day + 1])
        platform = release_on(day, company.rates)
        if platform is not None:
            at = int(line.utc(day, 6 * 3600.0))
            which = spoken.platforms[platform]
            of_it: dict[str, Any] = {"topic": app_error, "platform": which}
            add(f"{which} release", "release", midnight[day] - 10 * DAY, at, at, **of_it)
    for each in line.campaigns:
        starts, ends = midnight[each.first], midnight[each.last + 1]
        announced = starts - 21 * DAY
        add(each.name, "campaign", announced, starts, ends, topic=product, size=each.size)
    for happening in company.state.incidents.history:
        if happening.kind == "outage":
            starts, ends = (
                int(line.utc(happening.first, seconds)) for seconds in happening.seconds
            )
            known_from = min(starts + 40 * 60 * SECOND, ends)
            guess = known_from + 7200 * SECOND  # until it is over nobody knows when it ends
            add("service disrupted", "outage", known_from, starts, guess, topic=app_error)
            rows.append(rows[-1] | {"ends_at": ends, "recorded_at": ends})
    rows = [row for row in rows if row["announced_at"] < end and row["recorded_at"] < end]
    columns = {name: [row[name] for row in rows] for name in rows[0]} if rows else {}
    arrays: dict[str, Any] = {}
    for name, values in columns.items():
        if name.endswith("_at"):
            arrays[name] = times(np.array(values, dtype=np.int64), NEVER)
        else:
            arrays[name] = pa.array(values, pa.float64() if name == "size" else pa.string())
    return table(arrays) if arrays else _empty_calendar()


def _empty_calendar() -> pa.Table:
    text = ("event_id", "name", "kind", "topic", "platform")
    fields = {name: pa.array([], pa.string()) for name in text}
    moments = ("announced_at", "starts_at", "ends_at", "recorded_at")
    return pa.table(fields | {name: pa.array([], pa.timestamp("us")) for name in moments})


def agent_count(company: RunningCompany) -> int:
    """How many agents the company has ever had: the busiest hour's, and half as many again."""
    assert company.record is not None
    peak = max((float(day.sum(axis=0).max()) for day in company.record.staffed), default=4.0)
    return max(int(1.5 * peak), 8)


def agents(company: RunningCompany, end: int) -> pa.Table:
    """The agents, their channels, hours and cost; one in nine has left."""
    count = agent_count(company)
    number = np.arange(count)
    start = int(company.world.timeline.midnight[0])
    u = company.archive.uniform("agent", 0, number)
    spoken = dict(zip(names.CHANNELS, company.world.words.channels, strict=True))
    able = [[spoken[channel] for channel in skills] for skills in SKILLS]
    left = np.where(number % 9 == 8, start + ((end - start) * u).astype(np.int64), NEVER)
    return table(
        {
            "agent_id": ids("g", number, 4),
            "hired_at": times(start - (DAY * (30 + 900 * u)).astype(np.int64), NEVER),
            "skills": pa.array([able[n % 4] for n in number.tolist()], pa.list_(pa.string())),
            "hours_per_week": np.where(number % 4 == 2, 24.0, 37.5),
            "hourly_cost": np.round(26 + 8 * u, 2),
            "time_zone": pa.array([TIME_ZONE] * count, pa.string()),
            "left_at": times(left, end),
        }
    )


def agent_of(company: RunningCompany, log: dict[str, Any]) -> pa.Array:
    """The agent to whom each ticket was routed: one with the skill; machines' to nobody."""
    count = agent_count(company)
    able = [
        np.array([n for n in range(count) if c in SKILLS[n % 4] and n % 9 != 8])
        for c in names.CHANNELS
    ]
    u = company.archive.uniform("agent of", 0, log["key"])
    chosen = np.full(len(u), -1)
    for c, pool in enumerate(able):
        here = (log["channel"] == c) & ~log["machine"]
        chosen[here] = pool[(u[here] * len(pool)).astype(np.int64)]
    return ids("g", chosen, 4)
