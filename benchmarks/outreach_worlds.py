"""Random companies, several runs of outreach a day: is a rule ever broken?

    .venv/bin/python -m benchmarks.outreach_worlds [--worlds 10000] [--first 0]

Each world draws customers, their consent, time zones, past contacts and effects (some never
measured), a policy and agents' hours, and then runs the plan one to four times a day for two days,
each run knowing what those before it selected. Prints how many contacts were planned, how many of
them broke each rule (bar: 0), and the share of a million ids that is held out beside its binomial
99 % interval.
"""

from __future__ import annotations

import argparse
from collections import Counter
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from benchmarks.running import show
from data.settings import Outreach
from serving.outreach.actions import ACTIONS, CHANNELS, action_named
from serving.outreach.draws import held_out
from serving.outreach.policy import Effects, Spent, plan

START = datetime(2026, 3, 28)
"""The night on which European clocks change is the second."""
ZONES = ("Europe/Oslo", "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "UTC", None, "Mars")
EVERY = 500
"""Worlds after which the counts so far are printed."""
RULES = ("consent", "do not contact", "quiet hours", "a day's capacity", "a channel's capacity",
         "agents' hours", "days between", "contacts in 90 days", "the hold-out",
         "an open complaint", "vulnerable", "closed", "suppressed")  # fmt: skip


def world(
    seed: int, rows: int, as_of: datetime, measured: bool = True
) -> tuple[pd.DataFrame, Effects]:
    """Candidates as ``plan`` takes them, and effects of which a third was never measured."""
    rng = np.random.default_rng(seed)
    consent = {
        f"{name}_consent": pd.array(rng.choice([True, False, None], rows), dtype="boolean")
        for name in CHANNELS
    }
    days = rng.integers(0, 60, rows)
    contacted = pd.Series(
        [as_of - timedelta(days=int(d)) if d < 30 else pd.NaT for d in days],
        dtype="datetime64[us]",
    )
    people = pd.DataFrame(
        {
            "customer_id": [f"c-{i}" for i in range(rows)],
            "risk": rng.beta(1, 9, rows),
            "topic": pd.Series(rng.choice(["billing", "late delivery", "x", None], rows)),
            "avoided_cost": rng.gamma(2, 20, rows).round(2),
            "contact_cost": rng.gamma(2, 2, rows).round(2),
            **consent,
            "do_not_contact": pd.array(rng.choice([True, False, None], rows), dtype="boolean"),
            "preferred_channel": pd.Series(rng.choice(["email", "phone", "chat", None], rows)),
            "last_contacted_at": contacted,
            "contacts_90d": np.where(contacted.notna(), rng.integers(1, 5, rows), 0.0),
            "has_open_complaint": rng.random(rows) < 0.1,
            "time_zone": pd.Series(rng.choice(np.array(ZONES, dtype=object), rows)),
            "vulnerable": pd.array(rng.choice([True, False, None], rows, p=[0.1, 0.5, 0.4])),
            "closed": rng.random(rows) < 0.05,
            "segment": pd.Series(rng.choice(["home", "press", None], rows, p=[0.7, 0.05, 0.25])),
            "unwelcome": pd.Series(np.where(rng.random(rows) < 0.05, "they complained", None)),
        }
    )
    # few different effects, so that values are equal and ties have to be broken
    uplift = rng.choice([-0.02, 0.0, 0.02, 0.05, 0.1], (rows, len(ACTIONS)))
    unknown = rng.random(uplift.shape) < (0.3 if measured else 2.0)
    return people, Effects(np.where(unknown, np.nan, uplift))


def random_policy(seed: int) -> Outreach:
    """Any ``[outreach]``."""
    rng = np.random.default_rng([seed, 1])

    def some(most: int) -> int | None:
        return int(rng.integers(0, most)) if rng.random() < 0.5 else None

    hours = [f"{int(h):02d}:{int(m):02d}" for h, m in zip(
        rng.integers(0, 24, 2), rng.choice([0, 30], 2), strict=True)]  # fmt: skip
    return Outreach(
        capacity_per_day=int(rng.integers(0, 40)),
        email_per_day=some(20),
        sms_per_day=some(20),
        phone_per_day=some(10),
        holdout_share=float(rng.choice([0.0, 0.1, 0.5])),
        explore_share=float(rng.choice([0.0, 0.05, 0.3, 1.0])),
        consent_when_unknown=bool(rng.random() < 0.3),
        min_days_between=float(rng.choice([0.0, 1.0, 14.0])),
        most_in_90_days=int(rng.integers(1, 5)),
        quiet_from=hours[0],
        quiet_to=hours[1],
        contact_vulnerable=bool(rng.random() < 0.2),
        suppress_segments=("press",) if rng.random() < 0.5 else (),
    )


def broken_rules(seed: int, contacts: Counter[str] | None = None) -> list[str]:
    """The rules that a world's plans break, one entry a contact; ``contacts`` counts arms."""
    rng = np.random.default_rng([seed, 2])
    policy = random_policy(seed)
    hours = float(rng.uniform(0, 3)) if rng.random() < 0.5 else None
    people, effects = world(seed, int(rng.integers(0, 70)), START, bool(rng.random() < 0.8))
    salt = b"world %d" % seed
    held = held_out(salt, people["customer_id"], policy.holdout_share)
    before: dict[str, list[datetime]] = {c: [] for c in people["customer_id"]}
    for row in people.itertuples():
        if pd.notna(row.last_contacted_at):
            before[row.customer_id].append(row.last_contacted_at.to_pydatetime())
    breaches: list[str] = []
    for day in range(2):
        spent: list[tuple[str, str, bool]] = []
        for run in sorted(rng.choice(24, int(rng.integers(1, 5)), replace=False)):
            as_of = START + timedelta(days=day, hours=int(run))
            used = Spent(
                len(spent),
                Counter(channel for channel, _, _ in spent),
                sum(action_named(a).minutes(c) for c, a, _ in spent),
                sum(explored for _, _, explored in spent),
            )
            got = plan(
                people, policy, salt=salt, as_of=as_of, effects=effects, spent=used,
                agent_hours=hours,
            )  # fmt: skip
            chosen = got[got["arm"].isin(["treat", "holdout"])]
            if contacts is not None:
                contacts.update(got["arm"])
            for row in chosen.itertuples():
                person = people.iloc[row.Index]
                breaches += _of_contact(row, person, policy, before[row.customer_id], as_of)
                breaches += ["the hold-out"] * (bool(held[row.Index]) != (row.arm == "holdout"))
                before[row.customer_id].append(as_of)
                spent.append((row.channel, row.action, row.explored))
            people["last_contacted_at"] = pd.Series(
                [max(before[c], default=pd.NaT) for c in people["customer_id"]],
                dtype="datetime64[us]",
            )
            added = chosen["customer_id"].value_counts()
            people["contacts_90d"] += people["customer_id"].map(added).fillna(0)
        breaches += _of_day(spent, policy, hours)
    return breaches


def _of_contact(
    row: object, person: pd.Series, policy: Outreach, before: list[datetime], as_of: datetime
) -> list[str]:
    """Rules that one contact breaks, judged without the code that planned it."""
    consent = person[f"{row.channel}_consent"]
    zone = person["time_zone"] if pd.notna(person["time_zone"]) else "UTC"
    broken = {
        "consent": not (policy.consent_when_unknown if pd.isna(consent) else consent),
        "do not contact": pd.notna(person["do_not_contact"]) and person["do_not_contact"],
        "quiet hours": zone == "Mars" or _in_quiet(row, zone, policy),
        "days between": any(
            as_of - at < timedelta(days=policy.min_days_between) for at in before
        ),
        "contacts in 90 days": person["contacts_90d"] >= policy.most_in_90_days,
        "an open complaint": person["has_open_complaint"],
        "vulnerable": pd.notna(person["vulnerable"]) and person["vulnerable"]
        and not policy.contact_vulnerable,
        "closed": person["closed"],
        "suppressed": pd.notna(person["unwelcome"])
        or person["segment"] in policy.suppress_segments,
    }  # fmt: skip
    return [rule for rule, is_broken in broken.items() if bool(is_broken)]


def _in_quiet(row: object, zone: str, policy: Outreach) -> bool:
    """Whether any quarter of an hour of the window lies in the customer's quiet hours."""
    begin, end = policy.quiet_from, policy.quiet_to
    at = row.not_before
    if begin == end:
        return False
    if not (at < row.not_after and at < pd.Timestamp(row.as_of) + timedelta(days=1)):
        return True
    while at < row.not_after:
        local = at.tz_localize("UTC").tz_convert(ZoneInfo(zone)).strftime("%H:%M")
        if (begin <= local < end) if begin < end else (local >= begin or local < end):
            return True
        at += timedelta(minutes=15)
    return False


def _of_day(spent: list[tuple[str, str, bool]], policy: Outreach, hours: float | None) -> list[str]:
    broken = ["a day's capacity"] * max(0, len(spent) - policy.capacity_per_day)
    for channel, count in Counter(channel for channel, _, _ in spent).items():
        most = getattr(policy, f"{channel}_per_day")
        broken += ["a channel's capacity"] * (0 if most is None else max(0, count - most))
    minutes = sum(action_named(action).minutes(channel) for channel, action, _ in spent)
    return broken + ["agents' hours"] * (hours is not None and minutes > hours * 60 + 1e-6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="the first one's number")
    options = parser.parse_args()
    from scipy.stats import binom

    arms: Counter[str] = Counter()
    broken: Counter[str] = Counter()
    for count in range(1, options.worlds + 1):
        broken.update(broken_rules(options.first + count - 1, arms))
        if count % EVERY == 0 or count == options.worlds:
            print(f"{count} worlds: {dict(arms)}, broke a rule: {broken.total()}", flush=True)
    show(["rule", "contacts that broke it"], [[rule, str(broken[rule])] for rule in RULES])
    ids = [f"c{i:06d}" for i in range(1_000_000)]
    share = held_out(b"one salt", ids, 0.1).mean()
    low, high = binom.interval(0.99, len(ids), 0.1)
    print(f"held out of a million: {share:.4%}, 99 % interval {low / 1e6:.4%} to {high / 1e6:.4%}")


if __name__ == "__main__":
    main()
