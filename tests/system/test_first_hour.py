"""The first hour of somebody who builds a CRM on Presage, as docs/api.md tells it."""

from __future__ import annotations

import json
import select
import time
from datetime import timedelta

import pytest

from presage.client import (
    BadSignature,
    Client,
    NotAllowed,
    NotThere,
    WrongRequest,
    verify_webhook,
)
from serving.audit import asked
from serving.delivery.signature import Key, signature
from serving.prediction_log import predictions

from .conftest import DEADLINE_SECONDS, Service, presage

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("service")]
WEBHOOK = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_first_hour(service: Service) -> None:
    # a key, printed once, for what the CRM does and nothing else
    made = presage("keys", service.workspace, "create", "first", "--scopes", "score,events")
    crm = Client(service.url, made["key"])

    # the first call: whom to look at, and the same by their id
    ranked = list(crm.rank(limit=50))
    riskiest = ranked[0]
    (risk,) = crm.predict([riskiest.customer_id])
    assert risk.risk == riskiest.risk and risk.reasons[0].text
    assert sum(likely.probability for likely in risk.topics) <= 1 + 1e-9

    # wrong calls say what to do
    with pytest.raises(NotAllowed, match="customers"):
        crm.customer(riskiest.customer_id)
    with pytest.raises(WrongRequest, match="channel") as wrong:
        crm.post({"tickets": [{"ticket_id": "t", "chanel": "email"}]})
    assert wrong.value.kind == "rows" and wrong.value.request_id
    page = service.ask("GET", f"/problems/{wrong.value.kind}", key="")
    assert page.status == 200 and b"contract" in page.body

    # a batch with two bad ids answers for everybody, in order
    asked_for = [riskiest.customer_id, "nobody", ranked[1].customer_id, "no one"]
    told = crm.predict(asked_for)
    assert [one.customer_id for one in told] == asked_for
    assert [one.status for one in told] == ["scored", "unknown", "scored", "unknown"]

    # something happens; the same post again is the same answer, done once
    calm = ranked[-1].customer_id
    opened = (service.scored_as_of + timedelta(hours=2)).isoformat() + "Z"
    tickets = [
        {"ticket_id": f"first-{n}", "opened_at": opened, "customer_id": calm, "channel": "email",
         "is_complaint": True}
        for n in range(3)
    ]  # fmt: skip
    first = crm.post({"tickets": tickets}, idempotency_key="first-hour")
    again = crm.post({"tickets": tickets}, idempotency_key="first-hour")
    assert first == again and first.accepted == {"tickets": 3}
    assert crm.post({"tickets": tickets}).duplicates == {"tickets": 3}

    # the risk has changed, and the night's order says that there is news
    (changed,) = crm.predict([calm])
    assert changed.risk is not None and ranked[-1].risk is not None
    assert changed.risk["30"] > ranked[-1].risk["30"]
    assert next(one for one in crm.rank(limit=1000) if one.customer_id == calm).news

    # a webhook is verified before it is believed
    body = json.dumps({"type": "presage.outreach.decided", "data": {"customer_id": calm}}).encode()
    stamp = int(time.time())
    headers = {
        "webhook-id": "m1",
        "webhook-timestamp": str(stamp),
        "webhook-signature": signature([Key.of(WEBHOOK)], "m1", stamp, body),
    }
    assert verify_webhook(body, headers, WEBHOOK)["data"]["customer_id"] == calm
    with pytest.raises(BadSignature):
        verify_webhook(body + b" ", headers, WEBHOOK)

    # the key is rotated without an hour in which neither opens
    other = presage("keys", service.workspace, "rotate", "first", "--overlap", "1h")
    with Client(service.url, other["key"]) as renewed:
        assert renewed.predict([calm])[0].status == "scored"
        with pytest.raises(NotThere, match="nobody scored"):
            list(renewed.rank(segment="no such segment"))
    assert crm.predict([calm])[0].status == "scored"
    presage("keys", service.workspace, "revoke", "first")
    with pytest.raises(NotAllowed):
        crm.predict([calm])
    crm.close()

    # what was asked and told can be found again, under pseudonyms
    state, until = service.workspace / ".presage", time.monotonic() + DEADLINE_SECONDS
    kept = predictions(state)
    while changed.risk["30"] not in kept["risk_30d"].tolist():  # written once a second
        assert time.monotonic() < until
        select.select([], [], [], 0.1)
        kept = predictions(state)
    mine = [line for line in asked(state) if line["key"] == "first"]
    assert {line["call"] for line in mine} >= {"/v1/predictions"}
    assert calm not in json.dumps(mine)
    answered = kept[kept["source"] == "answered"]
    assert answered["model_version"].notna().all() and calm not in set(answered["pseudonym"])
