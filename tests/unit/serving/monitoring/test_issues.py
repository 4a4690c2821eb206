"""A planted issue is found with what drives it; a quiet company has none."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from data.tables import MemoryTables
from serving.monitoring.issues import emerging, issue_findings

AS_OF = datetime(2026, 6, 1, 9)
DAYS = 70
TOPICS = ("billing", "delivery", "login", "returns", "other")
MARKS = {
    "region": ["north", "south", "east", "west"],
    "platform": ["ios", "android", "web"],
    "plan": ["free", "pro"],
}


def world(
    seed: int, more: int = 0, topic: str = "login", hours: float = 10, **of: str
) -> MemoryTables:
    """Some eight contacts a day and topic, and ``more`` of one ``topic`` in the last ``hours``, of
    customers with the marks ``of``."""
    rng = np.random.default_rng(seed)
    customers = pd.DataFrame(
        {
            "customer_id": [f"c{n}" for n in range(800)],
            "signed_up_at": datetime(2025, 1, 1),
            **{name: rng.choice(values, 800) for name, values in MARKS.items()},
        }
    )
    count = int(rng.poisson(8 * len(TOPICS) * DAYS))
    tickets = pd.DataFrame(
        {
            "opened_at": pd.Timestamp(AS_OF)
            - pd.to_timedelta(rng.uniform(0, DAYS * 24 * 3600, count).round(), unit="s"),
            "customer_id": rng.choice(customers["customer_id"], count),
            "topic": rng.choice(TOPICS, count),
            "product_id": rng.choice([f"p{n}" for n in range(6)], count),
        }
    )
    if more:
        fit = customers
        for name, value in of.items():
            if name in customers:
                fit = fit[fit[name] == value]
        extra = pd.DataFrame(
            {
                "opened_at": pd.Timestamp(AS_OF)
                - pd.to_timedelta(rng.uniform(60, hours * 3600, more).round(), unit="s"),
                "customer_id": rng.choice(fit["customer_id"], more),
                "topic": topic,
                "product_id": of.get("product", "p0"),
            }
        )
        tickets = pd.concat([tickets, extra], ignore_index=True)
    tickets["ticket_id"] = [f"t{n}" for n in range(len(tickets))]
    tickets["channel"] = rng.choice(["email", "chat"], len(tickets))
    articles = pd.DataFrame(
        {"article_id": ["a1"], "published_at": [datetime(2025, 1, 1)], "topic": ["billing"]}
    )
    return MemoryTables({"tickets": tickets, "customers": customers, "articles": articles})


def test_quiet_companies_have_no_issue() -> None:
    found = [len(emerging(world(seed), AS_OF)) for seed in range(40)]
    assert sum(found) <= 2


@pytest.mark.parametrize(
    ("of", "driver"),
    [
        ({"platform": "ios", "product": "p2"}, ("platform=ios", "product=p2")),
        ({"region": "west", "product": "p5"}, ("region=west", "product=p5")),
    ],
)
def test_a_planted_issue_is_found_with_its_driver(
    of: dict[str, str], driver: tuple[str, ...]
) -> None:
    hits = 0
    for seed in range(5):
        issues = emerging(world(seed, more=25, **of), AS_OF)
        assert issues["topic"].tolist() == ["login"]
        row = issues.iloc[0]
        named = [row["driver"], *(part.split(" ")[0] for part in row["also"].split("; "))]
        hits += set(driver) <= set(named)
        assert AS_OF - timedelta(hours=14) < row["since"] < AS_OF - timedelta(hours=5)
        assert row["ratio"] > 2
    assert hits >= 4


def test_what_to_do_names_owner_people_and_article() -> None:
    issues = emerging(world(1, more=30, platform="ios"), AS_OF)
    act = issues.iloc[0]["act"]
    assert "have not asked about this yet" in act or "product" in issues.iloc[0]["driver"]
    assert "Article on login: there is no article: write one." in act
    (finding,) = issue_findings(issues)
    assert finding.status == "alarm"
    assert "expected" in finding.text


def test_a_busy_weekday_is_no_issue() -> None:
    tables = world(2)
    tickets = tables.frame("tickets").drop(columns=["_row"], errors="ignore")
    monday = tickets["opened_at"].dt.dayofweek.isin([0, 6])
    again = tickets[monday & (tickets["opened_at"].dt.hour < 9)]
    more = pd.concat([again] * 2).assign(ticket_id=lambda f: [f"m{n}" for n in range(len(f))])
    busy = MemoryTables(
        {"tickets": pd.concat([tickets, more]), "customers": tables.frame("customers")}
    )
    assert len(emerging(busy, AS_OF)) == 0


def test_short_histories_say_nothing() -> None:
    tables = world(3, more=30)
    tickets = tables.frame("tickets")
    late = tickets[tickets["opened_at"] > AS_OF - timedelta(days=20)].drop(
        columns=["_row"], errors="ignore"
    )
    assert emerging(MemoryTables({"tickets": late}), AS_OF).empty
    assert emerging(MemoryTables({}), AS_OF).empty
    assert issue_findings(emerging(MemoryTables({}), AS_OF))[0].status == "ok"


def test_topics_that_are_put_right_a_day_later_are_no_issue_of_the_topic_before() -> None:
    """Agents file a part of what comes under "other" first, as ever: today is like any day."""
    tables = world(4)
    tickets = tables.frame("tickets").drop(columns=["_row", "recorded_at"], errors="ignore")
    late = np.random.default_rng(4).random(len(tickets)) < 0.3
    filed = tickets.assign(recorded_at=tickets["opened_at"])
    filed.loc[late, "topic"] = "unfiled"
    right = tickets[late].assign(recorded_at=tickets["opened_at"] + timedelta(hours=30))
    right = right[right["recorded_at"] < AS_OF]
    both = pd.concat([filed, right], ignore_index=True)
    customers = tables.frame("customers")
    assert len(emerging(MemoryTables({"tickets": both, "customers": customers}), AS_OF)) == 0
    # and a wave of them is one
    wave = filed[late].tail(40).assign(
        opened_at=AS_OF - timedelta(hours=2), recorded_at=AS_OF - timedelta(hours=2),
        ticket_id=[f"w{n}" for n in range(40)],
    )  # fmt: skip
    more = MemoryTables({"tickets": pd.concat([both, wave]), "customers": customers})
    assert emerging(more, AS_OF)["topic"].tolist() == ["unfiled"]
