"""One attempt: what it sends, what answers mean, and where it never connects to."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from data.settings import Delivery
from data.store import Message
from serving.delivery.event import render
from serving.delivery.inside import inside
from serving.delivery.signature import Key
from serving.delivery.webhook import Attempt, Poster, read

from .conftest import NOON, Receiver

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def message(**changes: Any) -> Message:
    values: dict[str, Any] = {
        "seq": 1,
        "decision_id": "d1",
        "customer_id": "c/1",
        "channel": "email",
        "action": "check_in",
        "payload": {"text": "Hei"},
        "decision": {"customer_id": "c/1", "arm": "treat", "as_of": "2026-03-01T00:00:00"},
        "status": "sending",
        "attempts": 1,
        "token": 1,
        "created_at": NOON,
        "queued_at": NOON,
        "next_attempt_at": NOON,
        "contacted_at": None,
        "settled_at": None,
        "handed_out": None,
        "body": None,
        "note": None,
    }
    made = Message(**{**values, **changes})
    return replace(made, body=render(made))


def post(url: str, now: datetime = NOON, seconds: float = 5.0, **settings: Any) -> Attempt:
    poster = Poster(Delivery(endpoint=url, **settings), [Key.of(SECRET)])
    try:
        return poster.post(message(), now, time.monotonic() + seconds)
    finally:
        poster.close()


def test_a_request_is_a_signed_cloud_event(receiver: Receiver) -> None:
    from data.clock import SYSTEM

    assert post(receiver.url, SYSTEM.now(), allow_inside=True).delivered
    ((path, headers, body),) = receiver.requests
    event = Webhook(SECRET).verify(body, {k.lower(): v for k, v in headers.items()})
    assert path == "/hook"
    assert headers["content-type"] == "application/cloudevents+json"
    assert (event["specversion"], event["id"], event["type"]) == (
        "1.0",
        "d1",
        "presage.outreach.decided",
    )
    assert event["data"]["outreach_id"] == "d1"
    assert event["data"]["text"] == "Hei"
    assert event["data"]["as_of"] == "2026-03-01T00:00:00Z"


def test_redirects_are_not_followed(receiver: Receiver) -> None:
    receiver.answers = [(307, {"Location": receiver.url + "/elsewhere"})]
    attempt = post(receiver.url, allow_inside=True)
    assert not attempt.delivered
    assert "redirects are not followed" in attempt.note
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("status", "headers", "retry_after", "gone"),
    [
        (500, {}, None, False),
        (429, {"Retry-After": "7"}, 7.0, False),
        (503, {"Retry-After": "Mon, 02 Mar 2026 12:01:00 GMT"}, 60.0, False),
        (503, {"Retry-After": "Mon, 02 Mar 2026 11:00:00 GMT"}, 0.0, False),
        (429, {"Retry-After": "soon"}, None, False),
        (429, {"Retry-After": "999999999"}, 86400.0, False),
        (410, {}, None, True),
        (404, {}, None, False),
    ],
)
def test_what_an_answer_means(
    receiver: Receiver, status: int, headers: dict[str, str], retry_after: float, gone: bool
) -> None:
    receiver.answers = [(status, headers)]
    attempt = post(receiver.url, allow_inside=True)
    assert (attempt.delivered, attempt.retry_after, attempt.gone) == (False, retry_after, gone)
    assert str(status) in attempt.note


def test_a_receiver_that_drips_cannot_hold_a_sender() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        over = threading.Event()

        def drip() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\n")
                while not over.wait(0.05):
                    try:
                        connection.sendall(b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        began = time.monotonic()
        attempt = post(url, allow_inside=True, timeout_seconds=0.5)
        took = time.monotonic() - began
        over.set()
        thread.join()
    assert attempt.note == "no answer within 0.5 s"
    assert took < 60


def test_a_paused_sender_that_lost_its_lease_sends_nothing(receiver: Receiver) -> None:
    attempt = post(receiver.url, seconds=-1.0, allow_inside=True)
    assert not attempt.delivered
    assert receiver.requests == []


INSIDE = (
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.100.100.200",
    "168.63.129.16",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "fec0::1",
    "ff02::1",
)


@pytest.mark.parametrize("address", INSIDE)
def test_addresses_inside(address: str) -> None:
    assert inside(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "2a00:1450::1"])
def test_addresses_outside(address: str) -> None:
    assert not inside(address)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "127.1"]
)
def test_inside_is_refused_at_connect_however_it_is_written(receiver: Receiver, host: str) -> None:
    attempt = post(f"http://{host}:{receiver.port}/hook")
    assert not attempt.delivered
    assert "refused" in attempt.note
    assert receiver.requests == []


def test_a_name_that_leads_elsewhere_the_second_time_gains_nothing(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: outside when asked first, inside from then on."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def rebinding(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        if host != "rebind.example":
            return real(host, port, *args, **options)
        asked.append(host)
        address = "192.0.2.1" if len(asked) == 1 else "127.0.0.1"
        return real(address, port, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    monkeypatch.setattr("serving.delivery.inside.inside", lambda address: address == "127.0.0.1")
    attempt = post(f"http://rebind.example:{receiver.port}/hook", timeout_seconds=0.3)
    assert not attempt.delivered
    assert asked == ["rebind.example"]  # and the connection went to 192.0.2.1, which is nobody's
    assert receiver.requests == []
    attempt = post(f"http://rebind.example:{receiver.port}/hook", timeout_seconds=0.3)
    assert "leads to 127.0.0.1, which lies inside" in attempt.note
    assert receiver.requests == []


def test_any_2xx_is_delivered() -> None:
    assert all(read(status, {}, NOON).delivered for status in (200, 201, 202, 204))
