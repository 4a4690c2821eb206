"""Scores and forecast are published as one number, in whatever order they come."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from data.clock import SYSTEM
from data.store import open_store, read_forecast
from data.tables import MemoryTables
from data.workspace import Workspace, init
from models.one_number import others_expected
from pipelines.steps.one_number import join_published
from serving.published import newest, publish

AS_OF = datetime(2024, 6, 1)


@pytest.fixture()
def workspace(tmp_path: Path) -> Workspace:
    init(tmp_path)
    return Workspace.open(tmp_path)


@pytest.fixture()
def tables() -> MemoryTables:
    """Three anonymous contacts a day, and one customer who signed up long ago."""
    opened = [t for t in pd.date_range("2024-01-01", "2024-05-31") for _ in range(3)]
    tickets = {"ticket_id": range(len(opened)), "opened_at": opened, "channel": "email"}
    customers = {"customer_id": ["a"], "signed_up_at": ["2023-01-01"]}
    return MemoryTables({"tickets": pd.DataFrame(tickets), "customers": pd.DataFrame(customers)})


def publish_scores(workspace: Workspace) -> None:
    frame = pd.DataFrame({"customer_id": ["a", "b"], "expected_tickets_30d": [40.0, 20.0]})
    now = SYSTEM.now()
    publish(workspace.state_dir, "scores", frame, as_of=AS_OF, now=now, model_version="r1")


def publish_forecast(workspace: Workspace) -> None:
    ds = pd.date_range(AS_OF, periods=30)
    parts = [
        pd.DataFrame({"unique_id": name, "ds": ds, "presage": level, "presage-hi-80": 2 * level})
        for name, level in (("total", 10.0), ("channel=email", 10.0))
    ]
    publish(
        workspace.state_dir,
        "forecast",
        pd.concat(parts, ignore_index=True),
        as_of=AS_OF,
        now=SYSTEM.now(),
        model_version="v1",
        record={"said": [300.0] * 4, "came": [300.0] * 4, "windows": 4.0},
    )


def test_others_are_those_who_were_in_no_score_when_a_span_began():
    """One contact a day each: of a customer who was always there, of one whose row came late, of
    one who closed their account, of one who was forgotten since, and of nobody."""
    days = pd.date_range("2024-01-01", "2024-05-31")
    who = ["always", "late", "closed", "forgotten", None]
    tickets = pd.DataFrame({"opened_at": days.repeat(5), "customer_id": who * len(days)})
    tickets = tickets.assign(ticket_id=tickets.index.astype(str), channel="email")
    customers = pd.DataFrame({"customer_id": who[:4], "signed_up_at": "2023-01-01"})
    customers = customers.assign(
        recorded_at=["2023-01-01", "2024-05-20", "2023-01-01", "2023-01-01"],
        closed_at=[None, None, "2024-02-01", None],
    )
    gone = customers.iloc[[3]].assign(recorded_at="2024-05-31", deleted=True)
    again = customers.iloc[[0]].assign(recorded_at="2024-05-30", region="north")
    versions = pd.concat([customers, gone, again], ignore_index=True)
    tables = MemoryTables({"tickets": tickets, "customers": versions})
    assert others_expected(tables, AS_OF) == 30 * 3


@pytest.mark.parametrize("first", ["scores", "forecast"])
def test_whichever_comes_second_joins_and_joining_again_changes_nothing(workspace, tables, first):
    order = [publish_scores, publish_forecast]
    for publish_one in order if first == "scores" else order[::-1]:
        assert join_published(workspace, tables, AS_OF)[0] is None
        publish_one(workspace)
    made, told = join_published(workspace, tables, AS_OF)
    assert made is not None
    assert "one number" in told
    # the customers' 60 and 90 anonymous ones say 150, the series 300; the series was never off
    assert 225 < made.total < 300
    for _ in range(2):
        scores, forecast = (
            newest(workspace.state_dir, "scores"),
            newest(workspace.state_dir, "forecast"),
        )
        total = forecast.frame.loc[forecast.frame["unique_id"] == "total", "presage"].sum()
        assert total == pytest.approx(made.total)
        written = scores.frame["expected_tickets_30d"].sum()
        share = forecast.about["one_number"]["customers_share"]
        assert written == pytest.approx(total * share)
        assert written / total == pytest.approx(60 / 150)
        join_published(workspace, tables, AS_OF)
    with open_store(workspace) as store:
        _, kept = read_forecast(store)
    assert kept.loc[kept["unique_id"] == "total", "presage"].sum() == pytest.approx(made.total)


def test_results_of_other_moments_are_not_mixed(workspace, tables):
    publish_scores(workspace)
    publish_forecast(workspace)
    made, told = join_published(workspace, tables, datetime(2024, 6, 2))
    assert made is None
    assert "presage score" in told


def test_the_one_number_is_that_of_customers_left_alone(workspace, tables):
    publish_scores(workspace)
    publish_forecast(workspace)
    alone, _ = join_published(workspace, tables, AS_OF)
    there = newest(workspace.state_dir, "forecast")
    bare = there.frame.assign(presage=lambda f: f["presage"] / alone.forecast_scale)
    frame = bare.assign(outreach=-1.0, presage=bare["presage"] - 1.0)
    publish(workspace.state_dir, "forecast", frame, as_of=AS_OF, now=SYSTEM.now(),
            model_version="v1", record=there.about["record"])  # fmt: skip
    number, _ = join_published(workspace, tables, AS_OF)
    assert number.total == pytest.approx(alone.total)
    told = newest(workspace.state_dir, "forecast").frame
    total = told[told["unique_id"] == "total"]
    assert (total["presage"] - total["outreach"]).sum() == pytest.approx(number.total)
