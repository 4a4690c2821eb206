"""Each logged score gets what came of it, or the reason why that will never be known."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.pseudonyms import pseudonym
from data.settings import Settings
from data.tables import MemoryTables
from features.untreated import Exposures
from models.metrics import average_precision
from serving.monitoring.live import FEWEST, former_findings, judged_rows, live_moments, logged
from serving.prediction_log import PredictionLog, keep_published, predictions
from serving.prediction_outcomes import (
    GONE,
    LATE,
    NOT_DUE,
    OPTED_OUT,
    TREATED,
    apart,
    join_outcomes,
    nights,
    outcomes,
    people_of,
)

T = datetime(2026, 3, 2)
SALT = b"salt"
WHO = ["complains", "later", "quiet", "refuses", "treated", "old", "erased"]


def tables(tickets_of: dict[str, str]) -> MemoryTables:
    there = [name for name in WHO if name not in ("erased", "old")] + ["new"]
    customers = pd.DataFrame(
        {
            "customer_id": there,
            "signed_up_at": "2026-01-01",
            "do_not_profile": [name == "refuses" for name in there],
        }
    )
    tickets = pd.DataFrame(
        {
            "ticket_id": list(tickets_of),
            "customer_id": list(tickets_of),
            "opened_at": list(tickets_of.values()),
            "channel": "email",
            "is_complaint": True,
        }
    )
    merged = pd.DataFrame({"id": ["old"], "customer_id": ["new"], "valid_from": ["2026-03-01"]})
    return MemoryTables({"customers": customers, "tickets": tickets, "identities": merged})


OPENED = {"complains": "2026-03-08T23:59", "later": "2026-03-09", "new": "2026-03-03"}


def told(who: list[str], as_of: datetime = T, version: str = "risk-1") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "customer_id": who,
            "as_of": pd.to_datetime([as_of] * len(who)),
            "model_version": version,
            "risk_7d": 0.25,
            "risk_14d": 0.5,
        }
    )


def joined(folder: Path, days: int, arrived_days: int | None = None, contacted: str = "") -> int:
    """The night so many days after ``T``."""
    read, night = tables(OPENED), T + timedelta(days=days)
    drawn = pd.DataFrame(
        {
            "customer_id": ["treated", "quiet"],
            "at": T + timedelta(days=1),
            "contacted": [name == contacted for name in ("treated", "quiet")],
            "odds": 0.75,
            "ours": False,
        }
    )
    until = night if arrived_days is None else T + timedelta(days=arrived_days)
    return join_outcomes(
        folder,
        read,
        Settings(),
        people_of(read, SALT, night),
        Exposures(drawn, 0.1, 1.0) if contacted else None,
        as_of=night,
        arrived_until=until,
        now=night + timedelta(hours=1),
    )


def by_name(frame: pd.DataFrame, column: str) -> dict[str, object]:
    names = {pseudonym(SALT, name): name for name in WHO}
    return dict(zip(frame["pseudonym"].map(names), frame[column], strict=True))


def test_each_score_has_what_came_of_it_or_why_not(tmp_path: Path) -> None:
    keep_published(tmp_path, SALT, told(WHO), T + timedelta(hours=4), keep_days=400)
    assert joined(tmp_path, 6) == 0
    assert set(outcomes(tmp_path)["reason"]) == {NOT_DUE}
    assert joined(tmp_path, 7, contacted="treated") == len(WHO)
    week = outcomes(tmp_path, horizon_days=7)
    assert by_name(week, "reason") == {
        "complains": "", "later": "", "quiet": "", "refuses": OPTED_OUT, "treated": TREATED,
        "old": "", "erased": GONE,
    }  # fmt: skip
    came = by_name(week, "outcome")
    assert [came[name] for name in ("complains", "later", "quiet", "old")] == [1.0, 0.0, 0.0, 1.0]
    assert week.loc[week["reason"] != "", "outcome"].isna().all()
    # chance spared one in four: that one stands for those it contacted too
    assert by_name(week, "weight")["quiet"] == pytest.approx(4.0)
    assert set(week["value"]) == {0.25} and set(week["model_version"]) == {"risk-1"}
    assert set(outcomes(tmp_path, horizon_days=14)["reason"]) == {NOT_DUE}
    assert joined(tmp_path, 8) == 0  # written once
    assert len(predictions(tmp_path)) == len(WHO)  # the log itself is as it was
    assert outcomes(tmp_path, since=T + timedelta(days=1)).empty


def test_a_source_that_had_not_arrived_is_looked_at_again(tmp_path: Path) -> None:
    keep_published(tmp_path, SALT, told(["complains", "erased"]), T, keep_days=400)
    assert joined(tmp_path, 7, arrived_days=3) == 0
    week = outcomes(tmp_path, horizon_days=7)
    assert by_name(week, "reason") == {"complains": LATE, "erased": GONE}
    assert joined(tmp_path, 9) == 2
    assert by_name(outcomes(tmp_path, horizon_days=7), "outcome")["complains"] == 1.0
    assert not list(tmp_path.rglob("late-*"))


def test_what_a_service_answered_is_joined_when_its_day_is_over(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, SALT, 400)
    log.add(told(["complains"]).to_dict("records"), T + timedelta(hours=9))
    log.add(told(["later"], T + timedelta(hours=6)).to_dict("records"), T + timedelta(hours=9))
    log.close()
    assert joined(tmp_path, 7) == 0  # the later window is open still
    assert joined(tmp_path, 8) == 2
    week = outcomes(tmp_path, horizon_days=7)
    assert by_name(week, "outcome") == {"complains": 1.0, "later": 1.0}
    assert set(week["source"]) == {"answered"}


def test_live_figures_are_of_the_log_of_each_version(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    ids = [f"c{n}" for n in range(600)]
    p = rng.beta(1, 6, len(ids))
    opened = {name: "2026-03-05" for name, hit in zip(ids, rng.random(600) < p, strict=True) if hit}
    customers = pd.DataFrame({"customer_id": ids, "signed_up_at": "2026-01-01"})
    tickets = pd.DataFrame(
        {"ticket_id": list(opened), "customer_id": list(opened), "opened_at": "2026-03-05",
         "channel": "email", "is_complaint": True}
    )  # fmt: skip
    read = MemoryTables({"customers": customers, "tickets": tickets})
    for back, version in ((0, "risk-2"), (1, "risk-2"), (3, "risk-1")):
        scores = told(ids, T - timedelta(days=back), version).assign(risk_7d=p)
        keep_published(tmp_path, SALT, scores, T, keep_days=400)
    join_outcomes(
        tmp_path, read, Settings(), people_of(read, SALT, T), None,
        as_of=T + timedelta(days=7), arrived_until=T + timedelta(days=7), now=T,
    )  # fmt: skip
    kept = nights(tmp_path, "published", T - timedelta(days=90))
    assert [(n.as_of, n.model_version) for n in kept] == [
        (T, "risk-2"), (T - timedelta(days=1), "risk-2"), (T - timedelta(days=3), "risk-1"),
    ]  # fmt: skip
    assert apart(kept, 4) == kept[:1] and len(apart(kept, 4, timedelta(days=1))) == 3
    rows = logged(kept, "risk-2", 7)
    assert len(rows) == 600  # of nights that follow each other the newest
    y = np.array([name in opened for name in ids], float)
    found = judged_rows(7, rows)
    assert found.status == "ok" and y.sum() > FEWEST
    assert f"average precision {average_precision(y, p):.3f} [" in found.text
    assert f"(base rate {y.mean():.3f})" in found.text
    assert logged(kept, "risk-2", 14).empty  # not due
    (former,) = former_findings(kept, "risk-2", 7)
    assert former.status == "ok" and former.text.startswith("risk-1, no longer at work, 7 days: ")
    assert live_moments(7, T, Settings(), T + timedelta(days=6)) == []
