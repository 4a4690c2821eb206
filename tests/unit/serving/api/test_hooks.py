"""Webhooks of Zendesk, Shopify and Segment: believed by their signature, mapped, taken once."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from data.clock import Clock
from data.errors import UsageError
from data.store import append_events, events_since, put_secret
from data.workspace import Workspace, init
from pipelines.hooks import manage_hooks
from serving.api.assembly import assemble
from serving.desk import Desk

from .conftest import NOW, Ask, company

SECRET = "a-secret-of-the-sender"
MOMENT = NOW.isoformat() + "Z"

DETAIL = {
    "actor_id": "8447388090494",
    "assignee_id": "8447388090494",
    "created_at": "2026-03-02T08:12:07Z",
    "description": "Where is it?",
    "external_id": None,
    "id": "5158",
    "is_public": True,
    "priority": "LOW",
    "requester_id": "77",
    "status": "OPEN",
    "subject": "Parcel",
    "tags": ["billing"],
    "type": "QUESTION",
    "updated_at": "2026-03-02T08:12:07Z",
    "via": {"channel": "mail"},
}


def event(kind: str, detail: Any, identity: str = "e-1", **more: Any) -> dict[str, Any]:
    return {
        "account_id": 22129848,
        "detail": detail,
        "event": more,
        "id": identity,
        "subject": "zen:ticket:5158",
        "time": "2026-03-02T09:00:00Z",
        "type": f"zen:event-type:{kind}",
        "zendesk_event_version": "2022-06-20",
    }


ORDER = {
    "id": 820982911946154508,
    "name": "#9999",
    "email": "jon@example.com",
    "created_at": "2026-03-01T19:00:00-05:00",
    "total_price": "398.00",
    "currency": "USD",
    "customer": {"id": 115310627314723954},
    "line_items": [{"quantity": 1}, {"quantity": 2}],
    "fulfillments": [],
    "refunds": [],
    "cancelled_at": None,
}
TRACK = {
    "type": "track",
    "messageId": "ajs-1",
    "userId": "77",
    "event": "Payment failed",
    "timestamp": "2026-03-02T08:00:00.123Z",
    "context": {"os": {"name": "iOS"}, "app": {"version": "2.1"}},
}


def sha256(signed: bytes, secret: str = SECRET) -> str:
    return base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()


def signed(sender: str, body: bytes, secret: str = SECRET, **more: str) -> dict[str, str]:
    """The headers that the sender would send."""
    told = {"Content-Type": "application/json"}
    if sender == "zendesk":
        moment = more.pop("moment", MOMENT)
        told["X-Zendesk-Webhook-Signature"] = sha256(moment.encode() + body, secret)
        told["X-Zendesk-Webhook-Signature-Timestamp"] = moment
    elif sender == "shopify":
        told["X-Shopify-Hmac-Sha256"] = sha256(body, secret)
        told |= {"X-Shopify-Topic": "orders/create", "X-Shopify-Webhook-Id": "w-1"}
    else:
        told["X-Signature"] = hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()
    return told | {name.replace("_", "-"): value for name, value in more.items()}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, bytes]:
    """A workspace, and its store as it is when nobody has sent anything."""
    workspace = company(tmp_path_factory.mktemp("hooks"))
    _, desk = assemble(workspace, Clock(NOW))
    desk.live.snapshot()
    for sender in ("zendesk", "shopify", "segment"):
        put_secret(workspace, f"hook_{sender}", SECRET)
    desk.store.close()
    return workspace, (workspace.state_dir / "store.db").read_bytes()


@pytest.fixture
def desk_and_client(place: tuple[Workspace, bytes]) -> Iterator[tuple[Desk, TestClient]]:
    workspace, store = place
    for path in workspace.state_dir.glob("store.db*"):
        path.unlink()
    (workspace.state_dir / "store.db").write_bytes(store)
    secrets = (workspace.state_dir / "secrets").read_bytes()
    app, desk = assemble(workspace, Clock(NOW))
    yield desk, TestClient(app, raise_server_exceptions=False)
    desk.store.close()
    (workspace.state_dir / "secrets").write_bytes(secrets)


@pytest.fixture
def send(ask: Ask) -> Any:
    """``send("zendesk", body, ...)``: as the sender sends it, its secret kept; answers as
    documented."""

    def post(sender: str, body: Any, **more: str) -> Any:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Authorization": "", **signed(sender, raw, **more)}
        return ask("POST", f"/v1/hooks/{sender}", content=raw, headers=headers)

    return post


def kept(desk: Desk) -> list[tuple[str, dict[str, Any]]]:
    return [(one.table, dict(one.payload)) for one in events_since(desk.store, 0)]


def kind_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rpartition("/")[2]


def test_zendesk_tells_a_ticket_from_its_start_to_its_end(
    send: Any, desk_and_client: tuple[Desk, TestClient]
) -> None:
    desk = desk_and_client[0]
    first = send("zendesk", event("ticket.created", DETAIL))
    assert first.status_code == 200, first.text
    assert first.json()["accepted"] == {"tickets": 1} and first.json()["left_out"] == 0
    solved = event("ticket.status_changed", DETAIL, "e-2", current="SOLVED", previous="OPEN")
    assert send("zendesk", solved).json()["accepted"] == {"tickets": 1}
    again = event("ticket.status_changed", DETAIL, "e-3", current="OPEN", previous="SOLVED")
    again["time"] = "2026-03-02T09:30:00Z"
    assert send("zendesk", again).json()["accepted"] == {"tickets": 1}
    _, row = kept(desk)[-1]
    assert (row["ticket_id"], row["customer_id"], row["channel"]) == ("5158", "77", "email")
    assert (row["topic"], row["priority"], row["text"]) == ("question", "low", "Where is it?")
    assert (row["resolved_at"], row["reopened_at"]) == (
        "2026-03-02T09:00:00Z", "2026-03-02T09:30:00Z",
    )  # fmt: skip
    spam = {**DETAIL, "tags": []}
    assert send("zendesk", event("ticket.marked_as_spam", spam, "e-4")).status_code == 200
    assert kept(desk)[-1][1]["is_machine"] is True
    assert send("zendesk", event("ticket.soft_deleted", DETAIL, "e-5")).status_code == 200
    assert kept(desk)[-1][1]["deleted"] is True


def test_a_triggers_own_body_and_users_are_taken(
    send: Any, desk_and_client: tuple[Desk, TestClient]
) -> None:
    ticket = {
        "id": 7, "created_at": "2026-03-01T10:00:00Z", "requester_id": 77, "status": "solved",
        "via": {"channel": "voice"}, "metric_set": {"solved_at": "2026-03-01T12:00:00Z"},
    }  # fmt: skip
    assert send("zendesk", {"ticket": ticket}).json()["accepted"] == {"tickets": 1}
    user = {"id": "659", "created_at": "2026-03-01T10:00:00Z", "role": "end-user"}
    body = event("user.created", user, "e-2")
    assert send("zendesk", body).json()["accepted"] == {"customers": 1}
    agent = event("user.created", {**user, "id": "660", "role": "agent"}, "e-3")
    assert send("zendesk", agent).json() | {"recorded_at": ""} == {
        "accepted": {}, "duplicates": {}, "left_out": 1, "recorded_at": "",
    }  # fmt: skip
    rows = kept(desk_and_client[0])
    assert [name for name, _ in rows] == ["tickets", "customers"]
    assert rows[0][1]["resolved_at"] == "2026-03-01T12:00:00Z" and rows[0][1]["channel"] == "phone"


def test_shopify_tells_orders_and_customers(
    send: Any, desk_and_client: tuple[Desk, TestClient]
) -> None:
    desk = desk_and_client[0]
    assert send("shopify", ORDER).json()["accepted"] == {"orders": 1}
    refunded = {**ORDER, "refunds": [{"created_at": "2026-03-02T01:00:00-05:00"}]}
    more = {"X_Shopify_Topic": "orders/updated", "X_Shopify_Webhook_Id": "w-2"}
    assert send("shopify", refunded, **more).json()["accepted"] == {"orders": 1}
    row = kept(desk)[-1][1]
    assert (row["order_id"], row["customer_id"]) == ("#9999", "115310627314723954")
    assert (row["quantity"], row["amount"], row["currency"]) == (3, 398, "USD")
    assert row["refunded_at"] == "2026-03-02T06:00:00Z"
    guest = {**ORDER, "name": "#10000", "customer": None, "email": None}
    left = send("shopify", guest, X_Shopify_Webhook_Id="w-3").json()
    assert (left["accepted"], left["left_out"]) == ({}, 1)
    customer = {
        "id": 706405506930370084, "created_at": "2026-03-01T10:00:00Z",
        "email_marketing_consent": {"state": "unsubscribed"},
        "default_address": {"country_code": "NO"},
    }  # fmt: skip
    more = {"X_Shopify_Topic": "customers/create", "X_Shopify_Webhook_Id": "w-4"}
    assert send("shopify", customer, **more).json()["accepted"] == {"customers": 1}
    assert kept(desk)[-1][1]["email_consent"] is False


def test_segment_tells_usage_and_who_somebody_is(
    send: Any, desk_and_client: tuple[Desk, TestClient]
) -> None:
    assert send("segment", TRACK).json()["accepted"] == {"usage": 1}
    identify = {
        **TRACK, "type": "identify", "messageId": "ajs-2",
        "traits": {"createdAt": "2025-12-01T00:00:00Z", "plan": "pro"},
    }  # fmt: skip
    assert send("segment", identify).json()["accepted"] == {"customers": 1}
    for left_out in (
        {**TRACK, "messageId": "ajs-3", "userId": None, "anonymousId": "x"},
        {**TRACK, "messageId": "ajs-4", "type": "page"},
    ):
        answer = send("segment", left_out).json()
        assert (answer["accepted"], answer["left_out"]) == ({}, 1)
    (_, usage), (_, who) = kept(desk_and_client[0])
    assert (usage["event_id"], usage["errors"], usage["version"]) == ("ajs-1", 1, "2.1")
    assert (who["customer_id"], who["plan"]) == ("77", "pro")


BODIES = {"zendesk": event("ticket.created", DETAIL), "shopify": ORDER, "segment": TRACK}


@pytest.mark.parametrize("sender", BODIES)
def test_a_delivery_is_done_once_and_answered_the_same(
    sender: str, send: Any, desk_and_client: tuple[Desk, TestClient]
) -> None:
    first = send(sender, BODIES[sender])
    again = send(sender, BODIES[sender])
    assert first.status_code == 200 and first.content == again.content
    assert again.headers["idempotent-replay"] == "true"
    assert len(kept(desk_and_client[0])) == 1


@pytest.mark.parametrize("sender", BODIES)
def test_what_nobody_vouches_for_is_refused(
    sender: str, send: Any, ask: Ask, desk_and_client: tuple[Desk, TestClient]
) -> None:
    desk = desk_and_client[0]
    raw = json.dumps(BODIES[sender]).encode()
    right = signed(sender, raw)
    path = f"/v1/hooks/{sender}"
    name = next(name for name in right if "Sig" in name or "Hmac" in name)
    for headers, body in (
        (signed(sender, raw, secret="another-secret-than-it"), raw),
        (right, raw + b" "),
        ({**right, name: ""}, raw),
        ({**right, name: right[name].swapcase() + "é"}, raw),
        ({**right, name: right[name][:-1]}, raw),
        ({k: v for k, v in right.items() if k != name}, raw),
        (right, b"[" * 100_000),
    ):
        told = {k: v.encode() for k, v in headers.items()}
        assert kind_of(ask("POST", path, content=body, headers=told)) == (401, "hook-signature")
    put_secret(desk.workspace, f"hook_{sender}", None)
    assert kind_of(send(sender, BODIES[sender])) == (404, "hook-off")
    assert not kept(desk)


def test_the_secret_before_is_believed_until_the_rotation_ends(
    send: Any, desk_and_client: tuple[Desk, TestClient]
) -> None:
    folder = desk_and_client[0].workspace.path
    told = manage_hooks(folder, "set", "zendesk", lambda: "the-secret-that-follows\n").lines
    assert "finish" in told[-1] and not any("secret-that" in line for line in told)
    assert send("zendesk", BODIES["zendesk"]).status_code == 200
    after = send("zendesk", event("user.created", {}, "e-2"), secret="the-secret-that-follows")
    assert kind_of(after) == (422, "hook-body")
    manage_hooks(folder, "finish", "zendesk", str)
    assert kind_of(send("zendesk", BODIES["zendesk"])) == (401, "hook-signature")
    listed = {one["sender"]: one for one in manage_hooks(folder, "list", None, str).data["hooks"]}
    assert listed["zendesk"] == {"sender": "zendesk", "secret": True, "before": False}
    manage_hooks(folder, "drop", "zendesk", str)
    assert kind_of(send("zendesk", BODIES["zendesk"])) == (404, "hook-off")
    for action, sender in (("put", "zendesk"), ("set", "zendisk"), ("set", "zendesk")):
        with pytest.raises(UsageError):
            manage_hooks(folder, action, sender, lambda: "short")


@pytest.mark.parametrize(
    "moment",
    [
        (NOW - timedelta(minutes=6)).isoformat() + "Z",
        (NOW + timedelta(minutes=6)).isoformat() + "Z",
        "yesterday",
        "",
        "9999-12-31T23:59:59-12:00",
    ],
)
def test_a_stale_signature_is_refused(moment: str, send: Any) -> None:
    assert kind_of(send("zendesk", BODIES["zendesk"], moment=moment)) == (401, "hook-stale")


def test_a_moment_is_part_of_what_is_signed(send: Any, ask: Ask) -> None:
    raw = json.dumps(BODIES["zendesk"]).encode()
    old = (NOW - timedelta(hours=1)).isoformat() + "Z"
    headers = signed("zendesk", raw, moment=old)
    headers["X-Zendesk-Webhook-Signature-Timestamp"] = MOMENT
    answer = ask("POST", "/v1/hooks/zendesk", content=raw, headers=headers)
    assert kind_of(answer) == (401, "hook-signature")


def test_an_old_body_of_shopify_sets_nothing_back(
    send: Any, desk_and_client: tuple[Desk, TestClient]
) -> None:
    send("shopify", ORDER)
    dearer = {**ORDER, "total_price": "400.00"}
    more = {"X_Shopify_Topic": "orders/updated", "X_Shopify_Webhook_Id": "w-2"}
    assert send("shopify", dearer, **more).json()["accepted"] == {"orders": 1}
    played = send("shopify", ORDER, X_Shopify_Webhook_Id="w-3")
    assert (played.status_code, played.json()["duplicates"]) == (200, {"orders": 1})
    assert kept(desk_and_client[0])[-1][1]["amount"] == 400


def test_a_late_body_clears_nothing(send: Any, desk_and_client: tuple[Desk, TestClient]) -> None:
    desk = desk_and_client[0]
    row = {"order_id": "#9999", "ordered_at": "2026-03-02", "customer_id": "a", "carrier": "UPS"}
    append_events(desk.store, {"orders": [row]}, NOW)
    assert send("shopify", ORDER).json()["accepted"] == {"orders": 1}
    assert kept(desk)[-1][1]["carrier"] == "UPS"


@pytest.mark.parametrize(
    ("sender", "body", "more", "kind"),
    [
        ("zendesk", event("article.published", {}), {}, "hook-topic"),
        ("zendesk", {"type": "zen:event-type:"}, {}, "hook-topic"),
        ("zendesk", {}, {}, "hook-topic"),
        ("zendesk", {"type": None, "tickets": 7}, {}, "hook-body"),
        ("zendesk", event("ticket.created", 7), {}, "hook-body"),
        ("zendesk", event("ticket.created", {}), {}, "hook-body"),
        ("zendesk", event("ticket.created", {**DETAIL, "created_at": "soon"}), {}, "hook-body"),
        ("zendesk", event("ticket.created", {**DETAIL, "created_at": "2026-03-09"}), {}, "rows"),
        ("zendesk", {"tickets": [DETAIL] * 101}, {}, "hook-body"),
        ("shopify", ORDER, {"X_Shopify_Topic": "products/create"}, "hook-topic"),
        ("shopify", ORDER, {"X_Shopify_Topic": "customers/redact"}, "hook-topic"),
        ("shopify", ORDER, {"X_Shopify_Topic": ""}, "hook-topic"),
        ("shopify", {}, {}, "hook-body"),
        ("shopify", {**ORDER, "created_at": None}, {}, "hook-body"),
        ("shopify", {**ORDER, "line_items": "none"}, {}, "hook-body"),
        ("segment", [TRACK, TRACK], {}, "hook-body"),
        ("segment", {"type": "teleport"}, {}, "hook-topic"),
        ("segment", {**TRACK, "messageId": None}, {}, "rows"),
        ("segment", {**TRACK, **{f"x{n}": n for n in range(1001)}}, {}, "hook-body"),
        ("segment", b'{"type": "track", "event": "\\ud800"}', {}, "json"),
        (
            "segment",
            b'{"type": "track", "userId": "u", "\\u0000": 1, "Row": 2, "ROW": 3}',
            {},
            "hook-body",
        ),
    ],
)
def test_what_maps_to_nothing_is_told_and_not_kept(
    sender: str,
    body: Any,
    more: dict[str, str],
    kind: str,
    send: Any,
    desk_and_client: tuple[Desk, TestClient],
) -> None:
    answer = send(sender, body, **more)
    assert kind_of(answer)[1] == kind and answer.status_code in (400, 422), answer.text
    assert not kept(desk_and_client[0])


def test_a_refused_delivery_may_come_again(send: Any, desk_and_client: Any) -> None:
    """What was refused leaves its id and its body free: a mended mapping takes it."""
    assert send("shopify", {**ORDER, "created_at": None}).status_code == 422
    assert send("shopify", ORDER).json()["accepted"] == {"orders": 1}


def test_hooks_are_listed_without_a_secret(tmp_path: Path) -> None:
    init(tmp_path)
    assert not any(one["secret"] for one in manage_hooks(tmp_path, "list", None, str).data["hooks"])
