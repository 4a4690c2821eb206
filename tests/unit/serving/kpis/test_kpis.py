"""Key figures counted by hand: what counts as an answer, a solution, in time, too early to say."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.errors import SettingsError
from data.settings import Settings, load_settings
from data.settings_kpis import KpiTarget
from data.settings_tree import Company
from data.tables import MemoryTables
from serving.kpis.measures import judged_tickets, key_figures, weeks_until
from serving.kpis.reasons import PARTS, explained
from serving.kpis.targets import beside_targets, missed

MONDAY = datetime(2026, 3, 2)
AS_OF = datetime(2026, 3, 16)
HOUR = pd.Timedelta(hours=1)


def tickets(*rows: dict[str, object]) -> MemoryTables:
    frame = pd.DataFrame(
        [{"ticket_id": f"t{at}", "channel": "email", **row} for at, row in enumerate(rows)]
    )
    for column in ("first_response_at", "resolved_at", "reopened_at", "csat_at", "csat"):
        if column not in frame:
            frame[column] = None
    return MemoryTables({"tickets": frame})


def counted(tables: MemoryTables, settings: Settings, as_of: datetime) -> pd.DataFrame:
    return key_figures(judged_tickets(tables, settings, as_of), tables, settings, as_of)


def value(figures: pd.DataFrame, kpi: str, week: datetime = MONDAY, channel: str = "") -> float:
    found = figures[
        (figures["kpi"] == kpi) & (figures["week"] == week) & (figures["channel"] == channel)
    ]
    assert len(found) == 1, figures[figures["kpi"] == kpi]
    return float(found["value"].iloc[0])


@pytest.mark.parametrize(
    ("column", "kpi"),
    [
        ("first_response_at", "answered_in_time"),
        ("reopened_at", "reopened"),
        ("csat", "csat_response_rate"),
    ],
)
def test_what_no_ticket_tells_is_unknown_and_not_zero(column: str, kpi: str) -> None:
    at = pd.Timestamp(MONDAY) + 9 * HOUR
    told = dict.fromkeys(("first_response_at", "resolved_at", "reopened_at", "csat_at"), at + HOUR)
    tables = tickets({"opened_at": at, "csat": 4.0, **told}, {"opened_at": at})
    kpis = set(counted(tables, Settings(), AS_OF)["kpi"])
    frame = tables.frame("tickets").assign(**{column: None})
    left = set(counted(MemoryTables({"tickets": frame}), Settings(), AS_OF)["kpi"])
    assert kpi in kpis and kpi not in left and "contacts" in left


def test_an_automatic_reply_is_no_answer() -> None:
    at = pd.Timestamp(MONDAY) + 9 * HOUR
    tables = tickets(
        {
            "opened_at": at,
            "first_response_at": at + pd.Timedelta(seconds=2),
            "resolved_at": at + 30 * HOUR,
        },
        {"opened_at": at, "first_response_at": at + pd.Timedelta(seconds=2)},
        {"opened_at": at, "first_response_at": at + 2 * HOUR},
        {"channel": "phone", "opened_at": at, "first_response_at": at + pd.Timedelta(seconds=2)},
    )
    found = judged_tickets(tables, Settings(), AS_OF)
    assert found["automatic"].tolist() == [True, True, False, False]
    assert found["waited"].tolist()[0] == 30 * 3600
    assert found["in_time"].tolist() == [0.0, 0.0, 1.0, 1.0]  # 12 hours for e-mail, 20 s for phone


def test_who_waits_and_is_not_overdue_is_not_judged() -> None:
    at = pd.Timestamp(AS_OF)
    tables = tickets(
        {"opened_at": at - HOUR},
        {"opened_at": at - 13 * HOUR},
        {"opened_at": at - 40 * HOUR, "first_response_at": at - 39 * HOUR},
    )
    found = judged_tickets(tables, Settings(), AS_OF)
    assert np.isnan(found["in_time"].iloc[0])
    assert found["in_time"].iloc[1] == 0.0


def test_no_ticket_and_no_answer_yet_are_no_figures() -> None:
    at = pd.Timestamp(MONDAY) + HOUR
    nobody = tickets({"opened_at": at, "is_machine": True})
    assert counted(nobody, Settings(), AS_OF)["kpi"].isin(["contacts"]).all()
    waiting = counted(tickets({"opened_at": at, "channel": 'a "quoted" one'}), Settings(), AS_OF)
    assert not {"backlog", "first_response_p50"} & set(waiting["kpi"])
    assert value(waiting, "contacts", channel='a "quoted" one') == 1


def test_machines_count_nowhere() -> None:
    tables = tickets(
        {"opened_at": pd.Timestamp(MONDAY) + HOUR, "is_machine": True},
        {"opened_at": pd.Timestamp(MONDAY) + HOUR, "is_machine": None},
    )
    assert value(counted(tables, Settings(), AS_OF), "contacts") == 1


def test_first_contact_resolution_waits_seven_days_and_sees_who_comes_back() -> None:
    at, later = pd.Timestamp(MONDAY) + HOUR, pd.Timestamp(MONDAY) + 48 * HOUR
    solved = at + 5 * HOUR
    tables = tickets(
        {"customer_id": "a", "topic": "billing", "opened_at": at, "resolved_at": solved},
        {"customer_id": "a", "topic": "billing", "opened_at": later},
        {"customer_id": "b", "topic": "billing", "opened_at": at, "resolved_at": solved},
        {"customer_id": "b", "topic": "delivery", "opened_at": later},
        {
            "customer_id": "c",
            "topic": None,
            "opened_at": at,
            "resolved_at": solved,
            "reopened_at": later,
        },
    )
    figures = counted(tables, Settings(), AS_OF)
    assert value(figures, "first_contact_resolution") == pytest.approx(1 / 3)
    assert value(figures, "reopened") == pytest.approx(1 / 3)
    early = counted(tables, Settings(), MONDAY.replace(day=9))  # six days and nineteen hours later
    assert early[early["kpi"] == "first_contact_resolution"].empty


def test_nothing_that_is_not_yet_known_counts() -> None:
    at = pd.Timestamp(MONDAY) + HOUR
    tables = tickets(
        {"opened_at": at, "first_response_at": at + HOUR, "resolved_at": at + 300 * HOUR,
         "csat": 5, "csat_at": at + 301 * HOUR},
    )  # fmt: skip
    known = counted(tables, Settings(), MONDAY.replace(day=9))
    assert "csat" not in set(known["kpi"])
    assert value(known, "contacts") == 1


def test_satisfaction_has_its_response_rate_and_interval() -> None:
    at = pd.Timestamp(MONDAY) + HOUR
    rows = [
        {"opened_at": at, "resolved_at": at + HOUR, "csat": score, "csat_at": at + 2 * HOUR}
        for score in (5, 4, 2)
    ]
    rows += [{"opened_at": at, "resolved_at": at + HOUR}]
    figures = counted(tickets(*rows), Settings(), AS_OF)
    assert value(figures, "csat") == pytest.approx(11 / 3)
    assert value(figures, "csat_good") == pytest.approx(2 / 3)
    assert value(figures, "csat_response_rate") == pytest.approx(3 / 4)
    row = figures[figures["kpi"] == "csat_good"].iloc[0]
    assert row["low"] < row["value"] < row["high"]
    assert row["count"] == 3


def test_opening_hours_are_the_clock_where_the_channel_says_so() -> None:
    settings = Settings(
        company=Company(time_zone="Europe/Oslo"),
        opening_hours={"social": {"mon": "09:00-17:00", "tue": "09:00-17:00"}},
    )
    evening = pd.Timestamp("2026-03-02 15:30")  # 16:30 in Oslo
    tables = tickets(
        {"channel": "social", "opened_at": evening, "first_response_at": evening + 17 * HOUR},
        {
            "channel": "social",
            "opened_at": evening + 3 * HOUR,
            "first_response_at": evening + 24 * HOUR,
        },
    )
    found = judged_tickets(tables, settings, AS_OF)
    assert found["waited_open"].tolist() == [3600.0, 7.5 * 3600.0]
    assert found["in_time"].tolist() == [1.0, 0.0]  # two open hours are promised
    assert found["arrived_open"].tolist() == [1.0, 0.0]
    hours = {
        **settings.opening_hours["social"],
        "2026-03-02": "closed",
        "2026-03-03": "09:00-11:00",
    }
    special = judged_tickets(tables, replace(settings, opening_hours={"social": hours}), AS_OF)
    assert special["arrived_open"].tolist() == [0.0, 0.0], "closed on that date"
    assert special["waited_open"].tolist() == [0.5 * 3600.0, 2 * 3600.0]


def test_weeks_begin_on_local_mondays_over_a_change_of_the_clock() -> None:
    edges = weeks_until(datetime(2026, 4, 2), 2, "Europe/Oslo")
    assert edges == [
        datetime(2026, 3, 15, 23),
        datetime(2026, 3, 22, 23),
        datetime(2026, 3, 29, 22),
    ]


def test_targets_hold_from_their_day_on_and_say_when_surely_missed() -> None:
    at = pd.Timestamp(MONDAY) + HOUR
    late = [{"opened_at": at, "first_response_at": at + 20 * HOUR} for _ in range(40)]
    again = [
        {"opened_at": at + 168 * HOUR, "first_response_at": at + 188 * HOUR} for _ in range(40)
    ]
    target = KpiTarget(kpi="answered_in_time", at_least=0.5, valid_from=datetime(2026, 3, 9))
    settings = replace(Settings(), kpi_targets={"ours": target})
    figures = beside_targets(counted(tickets(*late, *again), settings, AS_OF), settings)
    assert (
        len(missed(figures, datetime(2026, 3, 9))) == 2
    )  # e-mail's promise, and all channels' target
    assert missed(figures, MONDAY)["target_name"].tolist() == ["service level of email"]


def test_a_target_without_a_limit_or_of_no_figure_is_refused_by_line(tmp_path: Path) -> None:
    file = tmp_path / "presage.toml"
    file.write_text('[kpi_targets.a]\nkpi = "csat"\n')
    with pytest.raises(SettingsError, match="one of at_least and at_most"):
        load_settings(file)
    file.write_text('[kpi_targets.a]\nkpi = "cast"\nat_least = 4\n')
    with pytest.raises(SettingsError, match=r'line 2.*Did you mean "csat"'):
        load_settings(file)
    file.write_text(
        '[kpi_targets.a]\nkpi = "csat"\nat_least = 4.2\nvalid_from = 2026-01-01T00:00:00\n'
    )
    assert load_settings(file).kpi_targets["a"].at_least == 4.2


def week_of(
    begin: str, count: int, late: int, handle: float, agents: int, channel: str = "phone"
) -> list[dict[str, object]]:
    """Contacts spread over a week, so many of them answered late."""
    starts = pd.date_range(begin, periods=count, freq=pd.Timedelta(days=7) / count)
    return [
        {
            "channel": channel, "opened_at": at,
            "first_response_at": at + pd.Timedelta(seconds=200 if number < late else 5),
            "resolved_at": at + pd.Timedelta(seconds=600),
            "handle_seconds": handle, "agent_id": f"a{number % agents}",
        }
        for number, at in enumerate(starts)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "part"),
    [({"count": 800}, "volume"), ({"handle": 1200.0}, "handle_time"), ({"agents": 1}, "staffing")],
)
def test_what_changed_is_named_first_and_the_parts_add_up(
    change: dict[str, float], part: str
) -> None:
    usual = {"count": 400, "late": 20, "handle": 500.0, "agents": 3}
    rows = [
        row
        for begin in ("2026-02-02", "2026-02-09", "2026-02-16", "2026-02-23")
        for row in week_of(begin, **usual)
    ]  # type: ignore[arg-type]
    rows += week_of("2026-03-02", **{**usual, "late": 200, **change})  # type: ignore[arg-type]
    judged = judged_tickets(tickets(*rows), Settings(), AS_OF)
    found = explained(judged, Settings(), MONDAY)
    assert found is not None
    assert sum(found[name] for name in PARTS) == pytest.approx(found["change"], abs=1e-12)
    drops = {name: found[name] for name in ("volume", "handle_time", "staffing", "mix")}
    assert min(drops, key=lambda name: drops[name]) == part


def test_another_mix_of_channels_is_named_as_such() -> None:
    rows = week_of("2026-02-23", 300, 0, 300, 3) + week_of("2026-02-23", 100, 90, 300, 3, "chat")
    rows += week_of("2026-03-02", 100, 0, 300, 3) + week_of("2026-03-02", 300, 270, 300, 3, "chat")
    found = explained(judged_tickets(tickets(*rows), Settings(), AS_OF), Settings(), MONDAY)
    assert found is not None
    assert found["mix"] < -0.3
    assert abs(found["mix"]) > 3 * max(abs(found[name]) for name in PARTS if name != "mix")
