"""An API over a small company with a plan, a forecast and decisions, and no model yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from shutil import copytree
from typing import Any

import pandas as pd
import pytest
from starlette.testclient import TestClient

from data.clock import Clock
from data.snapshot import take
from data.store import SCOPES, append_decisions, create_key, save_forecast
from data.workspace import Workspace, init, write_tables
from serving.api.assembly import assemble
from serving.desk import Desk
from serving.planning.publishing import put_in_force
from serving.published import publish
from serving.staffing import Basis
from serving.staffing import plan as plan_staff

NOW = datetime(2026, 3, 2, 10)
MIDNIGHT = datetime(2026, 3, 2)


def company(folder: Path) -> Workspace:
    """Two customers, an order with items, two tickets; opening hours for e-mail."""
    workspace = init(folder / "company")
    (folder / "company" / "presage.toml").write_text(
        '[company]\ntime_zone = "Europe/Oslo"\n[opening_hours.email]\nmon = "08:00-16:00"\n'
        "[staffing]\ninterval_minutes = 60\n"
        '[data]\nattributes = ["score", "mood"]\n'
        "[outreach]\nmin_days_between = 0\nholdout_share = 0\n"
    )
    customers = pd.DataFrame(
        {
            "customer_id": ["a", "b/2", "gone"],
            "signed_up_at": ["2025-01-01", "2025-06-01", "2025-01-01"],
            "email_consent": [True, None, True],
            "closed_at": [None, None, "2026-02-01"],
            "score": [1.5, 2.0, None],
            "mood": ["good", "bad", None],
        }
    )
    orders = pd.DataFrame(
        {"order_id": ["o1"], "customer_id": ["a"], "ordered_at": ["2026-02-20"], "amount": [9.5]}
    )
    items = pd.DataFrame({"order_id": ["o1", "o1"], "line": ["1", "2"], "amount": [4.5, 5.0]})
    tickets = pd.DataFrame(
        {
            "ticket_id": ["t1", "t2"],
            "customer_id": ["a", "a"],
            "channel": ["email", "email"],
            "opened_at": ["2026-02-23T08:00:00", "2026-03-02T08:30:00"],
            "first_response_at": ["2026-02-23T09:30:00", None],
            "resolved_at": ["2026-02-23T10:00:00", None],
        }
    )
    usage = pd.DataFrame(
        {
            "event_id": ["u1", "u2"],
            "customer_id": ["a", "a"],
            "used_at": ["2026-01-01", "2026-02-28"],
            "feature": ["search", "search"],
            "errors": [1, None],
        }
    )
    frames = {"customers": customers, "orders": orders, "order_items": items}
    write_tables(workspace.path, {**frames, "tickets": tickets, "usage": usage})
    return Workspace.open(workspace.path)


def publish_plan(workspace: Workspace, desk: Desk) -> None:
    """A forecast of 30 hours for two series, the counts before it, and a plan for one channel."""
    hours = [MIDNIGHT + timedelta(hours=i) for i in range(30)]
    ids = ["total", "channel=email"]
    ahead = pd.DataFrame({"unique_id": [u for u in ids for _ in hours], "ds": hours * 2})
    ahead["presage"] = range(60)
    past = ahead.assign(ds=ahead["ds"] - timedelta(days=2), y=1.0).drop(columns="presage")
    for name in ("presage-lo-80", "presage-hi-80"):
        ahead[name] = ahead["presage"] * (0.8 if "lo" in name else 1.25)
    settings = workspace.settings
    plan = plan_staff(ahead, settings=settings, handle={"email": 600.0}, seed=settings.volume.seed)
    about: dict[str, Any] = {"as_of": MIDNIGHT, "now": NOW, "model_version": "volume-1-ab"}
    publish(workspace.state_dir, "forecast", ahead, freq="h", **about)
    publish(workspace.state_dir, "actuals", past, **about)
    stands = {"basis": Basis(ahead, handle={"email": 600.0}).document(), "overrides": []}
    told = {"as_of": MIDNIGHT, "now": MIDNIGHT, "model_version": "volume-1-ab", "about": stands}
    put_in_force(desk.store, workspace.state_dir, plan, **told)
    for day, factor in ((1, 1), (2, 10)):
        save_forecast(
            desk.store,
            ahead.assign(presage=ahead["presage"] * factor),
            as_of=datetime(2026, 3, day),
            issued_at=datetime(2026, 3, day, 1),
            model_version="volume-1-ab",
        )


def decide(desk: Desk) -> None:
    """Five decisions: three to act, one held out, one for want of consent."""
    arms = {"d1": "treat", "d2": "holdout", "d3": "treat", "d4": "ineligible", "d5": "treat"}
    decisions = [
        {
            "decision_id": name,
            "customer_id": "a",
            "as_of": MIDNIGHT.isoformat(),
            "arm": arm,
            "propensity": 0.9,
            "action": "check_in",
            "channel": "email",
            "risk": 0.5,
            "uplift": None,
            "value": None,
            "reason": "1 of 5 eligible by value",
        }
        for name, arm in arms.items()
    ]
    outbox = [{**d, "payload": {}} for d in decisions if d["arm"] == "treat"]
    append_decisions(desk.store, "run", decisions, NOW, outbox)


@pytest.fixture(scope="session")
def planned_company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The company with its plan, forecast and decisions, as files; tests work on copies."""
    workspace = company(tmp_path_factory.mktemp("planned"))
    _, desk = assemble(workspace, Clock(NOW))
    publish_plan(workspace, desk)
    decide(desk)
    take(workspace, now=NOW)
    desk.store.close()
    return workspace.path


@pytest.fixture
def desk_and_client(planned_company: Path, tmp_path: Path) -> Iterator[tuple[Desk, TestClient]]:
    copytree(planned_company, tmp_path / "company")
    app, desk = assemble(Workspace.open(tmp_path / "company"), Clock(NOW))
    yield desk, TestClient(app, raise_server_exceptions=False)
    desk.store.close()


Ask = Callable[..., Any]


@pytest.fixture
def ask(desk_and_client: tuple[Desk, TestClient], as_documented: Callable[..., None]) -> Ask:
    """``ask("GET", path, ...)`` with a key that has every scope; answers are as documented."""
    desk, client = desk_and_client
    key = create_key(desk.store, "everything", SCOPES, NOW)

    def request(method: str, path: str, headers: dict[str, str] | None = None, **options: Any):  # type: ignore[no-untyped-def]
        told = {"Authorization": f"Bearer {key}", **(headers or {})}
        answer = client.request(method, path, headers=told, **options)
        kind = answer.headers.get("content-type", "")
        as_documented(method, path, answer.status_code, kind, answer.content)
        return answer

    return request
