"""What must not be told on: secrets and personal strings that callers send (benchmarks/api.py).

Forty strings that occur nowhere else are sent at every place where a caller can put one. Afterwards
each file below ``.presage``, the service's log, its gauges and every answer are searched for them.
A row that was accepted stands in the store, and in what was made of it for its caller: those are
the tables. An error names what is wrong in what its caller sent, so the names and values of typed
fields that were refused come back to them; secrets, ids of customers and texts do not.
"""

from __future__ import annotations

import json
import random
import string
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from benchmarks.api_served import Line, Served

TABLES = ("store.db", "jobs/")
"""Where accepted rows, and the ids of bulk jobs, are kept."""


@dataclass
class Caller:
    """Sends planted strings and keeps what was answered."""

    url: str
    key: str
    draw: random.Random = field(default_factory=lambda: random.Random(7))
    secret: dict[str, str] = field(default_factory=dict)
    personal: dict[str, str] = field(default_factory=dict)
    answers: list[tuple[int, bytes]] = field(default_factory=list)

    def hide(self, what: str) -> str:
        """A string that must be found nowhere."""
        self.secret[what] = text = self._text()
        return text

    def say(self, what: str) -> str:
        """A string about a person: in tables, if it was accepted."""
        self.personal[what] = text = self._text()
        return text

    def _text(self) -> str:
        return "zq" + "".join(self.draw.choices(string.ascii_lowercase, k=14))

    def ask(
        self, method: str, path: str, body: Any = None, raw: bytes | None = None, **headers: str
    ) -> int:
        """One request; headers with _ for -."""
        sent = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = raw if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                status, content = answer.status, answer.read() + bytes(str(answer.headers), "utf-8")
        except urllib.error.HTTPError as error:
            status, content = error.code, error.read() + bytes(str(error.headers), "utf-8")
        self.answers.append((status, content))
        return int(status)


def planted(served: Served, seconds: float) -> list[Line]:
    """Forty strings sent, and where each was found."""
    caller = Caller(served.url, served.key)
    caller.secret["key"] = served.key
    send(caller, served.ids[0], (served.as_of + timedelta(hours=1)).isoformat() + "Z")
    caller.ask("GET", "/metrics")
    time.sleep(2)  # the logs of calls and predictions are written once a second
    served.log.seek(0)
    log = served.log.read()
    places = found(caller, served.workspace / ".presage", log)
    refused = sum(status >= 400 for status, _ in caller.answers)
    count = len(caller.secret) + len(caller.personal)
    text = f"{len(places)} found of {count} in {len(caller.answers)} requests, {refused} refused"
    return [["planted strings", "; ".join([text, *places]), "0 of 40"]]


def send(caller: Caller, who: str, at: str) -> None:
    """Every place where a caller can put a string."""

    def ticket(**values: Any) -> dict[str, Any]:
        row = {"ticket_id": "planted", "opened_at": at, "channel": "email", "customer_id": who}
        return {"tickets": [{**row, **values}]}

    hide, say, ask = caller.hide, caller.say, caller.ask
    events, predictions = "/v1/events", "/v1/predictions"
    ask("POST", events, ticket(text=say("text of a ticket")))
    ask("POST", events, ticket(text=say("text of a row that is refused"), csat=9))
    ask("POST", events, ticket(customer_id=say("customer of a row that is refused"), csat=9))
    ask("POST", events, ticket(customer_id=say("new customer"), ticket_id="planted-2"))
    ask("POST", events, ticket(agent_id=say("agent"), ticket_id="planted-3"))
    ask("POST", events, ticket(order_id=say("order of a row that is refused"), opened_at=1))
    ask("POST", events, ticket(text=say("text in a broken body")), X_Request_Id="one")
    ask("POST", events, raw=b'{"tickets":[{"text":"' + say("body that is no JSON").encode())
    ask("POST", events, {"customers": [{"customer_id": say("new account"), "segment": say("seg")}]})
    ask("POST", events, {"orders": [{"order_id": "p", "customer_id": say("buyer"), "amount": "x"}]})
    ask("POST", events, {"usage": [{"customer_id": say("user"), "used_at": "never"}]})
    ask("POST", predictions, {"customer_ids": [say("customer asked about"), 5]})
    ask("POST", predictions, {"customer_ids": say("ids of another type")})
    ask("GET", f"/v1/customers/{say('customer in a path')}")
    ask("GET", f"/v1/customers/{say('customer beside a wrong parameter')}?no=1")
    ask("PUT", f"/v1/customers/{say('customer who opts out')}/consent", {"email": False})
    ask("PUT", f"/v1/customers/{say('customer of a wrong consent')}/consent", {"no": 1})
    ask("POST", "/v1/outreach/none/outcome", {"outcome": "acted", "note": say("note")})
    ask("POST", "/v1/jobs", {"customer_ids": [say("customer of a job")]})
    ask("POST", "/v1/jobs", raw=f"id\n{say('customer of a wrong job')}\n".encode(),
        Content_Type="text/csv")  # fmt: skip
    hook = json.dumps({"ticket": {"id": 1, "subject": say("subject of an unsigned hook")}}).encode()
    for name, header in (
        ("zendesk", "X_Zendesk_Webhook_Signature"),
        ("shopify", "X_Shopify_Hmac_Sha256"),
        ("segment", "X_Signature"),
    ):
        ask("POST", f"/v1/hooks/{name}", raw=hook, **{header: hide(f"signature of {name}")})
    ask("GET", f"/v1/customers/{who}", Authorization=f"Bearer {hide('wrong key')}")
    ask("GET", f"/v1/customers/{who}", Authorization=f"Basic {hide('name and password')}")
    ask("GET", f"/v1/customers/{who}", Authorization=hide("key without Bearer"))
    ask("GET", f"/v1/customers?{urlencode({'order': 'risk'})}", Cookie=hide("cookie"))
    ask("GET", "/livez", X_Api_Key=hide("key in another header"))
    ask("GET", "/livez", Proxy_Authorization=hide("key of a proxy"))
    ask("POST", events, {"customers": [{"customer_id": say("account"), "signed_up_at": "never"}]})
    ask("POST", events, {"tickets": [], "messages": [{"text": say("text of no table")}]})
    ask("POST", predictions, {"customer_ids": [who], "horizons": [say("horizon")]})
    ask("GET", "/livez", Referer=f"https://crm.example/?who={say('customer in a referer')}")
    ask("GET", "/livez", User_Agent=say("agent of a user"))
    ask("GET", "/livez", X_Forwarded_For=say("address"))
    ask("POST", predictions, {"customer_ids": [who]}, Idempotency_Key=hide("key of a reading"))
    ask("POST", events, ticket(), Idempotency_Key=hide("key of a post"))
    ask("POST", events, ticket(channel="chat"), Idempotency_Key=caller.secret["key of a post"])


def found(caller: Caller, state: Path, log: bytes) -> list[str]:
    """Where each string was found and must not be."""
    places = []
    files = {str(p.relative_to(state)): p.read_bytes() for p in state.rglob("*") if p.is_file()}
    for what, text in {**caller.secret, **caller.personal}.items():
        sought = text.encode()
        if any(sought in content for status, content in caller.answers if status >= 400):
            places.append(f"{what}: in an error")
        if sought in log:
            places.append(f"{what}: in the log")
        for name, content in files.items():
            kept = what in caller.personal or what == "key of a post"
            if sought in content and not (kept and name.startswith(TABLES)):
                places.append(f"{what}: in {name}")
    return places
