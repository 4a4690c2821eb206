"""Decisions come back from the log as the plan that they were."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from data.store import actions_of, decisions_of, open_store
from data.workspace import init
from pipelines.output import spreadsheet_safe, write_frame
from pipelines.steps.decision_records import as_planned, write_log
from pipelines.steps.outreach_page import certainty, first_rows, worth, worth_lines
from serving.outreach.policy import COLUMNS

MOMENT = datetime(2026, 3, 1)
PLAN = pd.DataFrame(
    {
        "customer_id": ["a", "b", "c"],
        "as_of": pd.Series([MOMENT] * 3, dtype="datetime64[us]"),
        "arm": ["treat", "holdout", "ineligible"],
        "propensity": [0.9, 0.9, np.nan],
        "action": ["callback", "check_in", None],
        "channel": ["phone", "email", None],
        "risk": [0.3, 0.1234567890123, 0.2],
        "uplift": [np.nan, np.nan, np.nan],
        "value": [np.nan, 1.5, np.nan],
        "reason": ["x", "y", "z"],
        "value_low": [np.nan, 0.5, np.nan],
        "value_high": [np.nan, 2.5, np.nan],
        "arm_propensity": [0.45, 0.1, 1.0],
        "explored": [True, False, False],
        "not_before": pd.Series([MOMENT, MOMENT, pd.NaT], dtype="datetime64[us]"),
        "not_after": pd.Series([MOMENT, MOMENT, pd.NaT], dtype="datetime64[us]"),
    }
)[list(COLUMNS)]


def test_a_plan_of_effects_never_measured_comes_back_to_the_byte(tmp_path: Path) -> None:
    text = {"language": "en", "subject": None, "text": "this is Kari"}
    with open_store(init(tmp_path / "w")) as store:
        write_log(store, "run", PLAN, "m1", {"a": text}, "p1")
        again = as_planned(decisions_of(store, run_id="run"))
        (action,) = actions_of(store)
    assert action["message"] == text
    assert action["policy"] == "p1"
    for name, frame in (("plan", PLAN), ("again", again)):
        write_frame(frame, tmp_path / f"{name}.csv")
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "plan.csv").read_bytes()


def test_decisions_of_an_earlier_version_can_still_be_shown() -> None:
    row = {"customer_id": "a", "as_of": "2026-03-01T00:00:00", "arm": "treat", "propensity": 0.9,
           "action": "check_in", "channel": "email", "risk": 0.3, "uplift": None, "value": None,
           "reason": "x"}  # fmt: skip
    again = as_planned([row])
    assert again["explored"].tolist() == [False]
    assert again["not_before"].isna().all()


def test_a_manager_reads_whom_what_why_and_how_sure() -> None:
    scores = pd.DataFrame(
        {
            "customer_id": ["a"],
            "risk_30d": [0.3],
            "topic": ["billing"],
            "reasons": [[{"text": "Order A17 is late"}]],
        }
    )
    (row,) = first_rows(PLAN, scores, "EUR")
    assert row[:3] == ["a", "have one named owner call and see it through", "phone"]
    assert row[3] == "30% risk in 30 days: Order A17 is late"
    assert row[4:] == ["not measured", "not measured: drawn to learn"]
    assert worth(12.345, "EUR") == "12.35 EUR" or worth(12.345, "EUR") == "12.34 EUR"
    assert certainty(-1.0, 3.0, "EUR") == "-1.00 to 3.00: may lose"
    assert certainty(1.0, 3.0, "EUR").endswith("sure to pay")


def test_what_is_chosen_and_what_is_drawn_to_learn_are_told_apart() -> None:
    two = pd.concat([PLAN.iloc[[0, 1]]] * 2, ignore_index=True).assign(arm="treat")
    assert worth_lines(two, "EUR") == [
        "expected worth: 3 EUR (95 %: 1 to 5), of 2 contacts chosen by value",
        "2 contacts are drawn at random to learn: no effect of theirs was measured, nothing is "
        "claimed",
    ]
    learning = two.assign(explored=True)
    assert worth_lines(learning, "EUR") == [
        "4 contacts are drawn at random to learn; 2 of them are expected to bring 3 EUR "
        "(95 %: 1 to 5)"
    ]
    assert worth_lines(PLAN.iloc[[2]], "EUR") == []
    assert certainty(-1.0, 3.0, "EUR", explored=True) == "-1.00 to 3.00: may lose, drawn to learn"


def test_what_a_spreadsheet_would_run_is_written_as_text(tmp_path: Path) -> None:
    frame = PLAN.assign(customer_id=['=HYPERLINK("http://x")', "@sum", "c"])
    write_frame(spreadsheet_safe(frame), tmp_path / "plan.csv")
    lines = (tmp_path / "plan.csv").read_text().splitlines()
    assert lines[1].startswith("\"'=HYPERLINK(") and lines[2].startswith("'@sum,")
    assert lines[3].startswith("c,")
