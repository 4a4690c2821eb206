"""What a service that starts in a workspace answers: each of its questions asked once, and a digest
of the answer, so that two starts can be compared."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from data.clock import Clock
from data.workspace import Workspace

KEY = "damage"
"""The name of the key by which is asked."""
QUESTIONS = (
    "/readyz", "/v1/customers?limit=50", "/v1/forecasts", "/v1/accuracy", "/v1/actuals",
    "/v1/staffing", "/v1/staffing/days", "/v1/staffing/range", "/v1/kpis",
    "/v1/accuracy/days?unique_id=total", "/v1/issues", "/v1/monitor", "/v1/planning", "/v1/plans",
    "/v1/overrides", "/v1/scenarios",
    "/v1/outreach", "/v1/cases", "/v1/jobs",
)  # fmt: skip
OF_NOW = re.compile(r'"(?:now|published_at|recorded_at|request_id)":"[^"]*"')
"""What an answer says of the moment at which it, or what it tells of, was made."""


class Still(Clock):
    """A clock that stands: two starts answer alike."""

    def __init__(self, moment: datetime) -> None:
        super().__init__(moment)
        self.moment = moment

    def now(self) -> datetime:
        """That moment."""
        return self.moment


def with_key(folder: Path) -> str:
    """A new API key of a workspace that opens everything."""
    from data.store import SCOPES, create_key, open_store

    workspace = Workspace.open(folder)
    with open_store(workspace) as store:
        return create_key(store, KEY, SCOPES, workspace.default_as_of())


def ask_all(folder: Path, key: str) -> None:
    """Start the service's own application as ``presage serve`` does, ask it everything, post a
    ticket, ask again; ``answer: QUESTION STATUS DIGEST`` is printed of each, and what is wrong.

    SystemExit where the start is refused or the service is not ready.
    """
    from starlette.testclient import TestClient

    from data.errors import PresageError
    from pipelines.services import publish_missing
    from serving.api.assembly import assemble

    try:
        workspace = Workspace.open(folder)
        moment = workspace.default_as_of() + timedelta(hours=4)
        publish_missing(workspace, None, lambda *_: None)
        application, _ = assemble(workspace, Still(moment))
    except PresageError as error:
        print(f"presage: {error}")
        raise SystemExit(error.exit_code) from None
    client = TestClient(
        application, headers={"Authorization": f"Bearer {key}"}, raise_server_exceptions=False
    )

    def ask(question: str, **body: Any) -> Any:
        answer = client.post(question, json=body) if body else client.get(question)
        if answer.status_code >= 500:
            print(f"presage: {question}: {answer.text}")
        digest = hashlib.sha256(OF_NOW.sub("", answer.text).encode()).hexdigest()[:16]
        print(f"answer: {question} {answer.status_code} {digest}")
        return answer

    ready = ask("/readyz").status_code == 200
    ranked = ask("/v1/customers?limit=50").json().get("items", [])
    asked = [one["customer_id"] for one in ranked[::10]] + ["nobody"]
    for question in QUESTIONS[2:]:
        ask(question)
    ask("/v1/predictions", customer_ids=asked)
    for customer in asked[:1]:
        ask(f"/v1/customers/{customer}")
        ticket = {"ticket_id": "damage-1", "customer_id": customer, "channel": "email",
                  "opened_at": f"{moment - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"}  # fmt: skip
        ask("/v1/events", tickets=[ticket])
        ask("/v1/predictions", customer_ids=asked)
    if not ready:
        raise SystemExit(1)
