"""One attempt to deliver one message: a signed POST, and what the answer means.

Redirects are not followed, nothing is taken from the environment (no proxy), and an answer's body
is read no further than it must be.
"""

from __future__ import annotations

import email.utils
import functools
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import httpcore

from data.settings import Delivery
from data.store import Message
from serving.delivery.event import CONTENT_TYPE
from serving.delivery.inside import InsideAddress, OutsideOnly
from serving.delivery.signature import Key, signature

GONE = 410
MOST_BODY = 65_536
LONGEST_WAIT = 86_400.0
"""Seconds of ``Retry-After`` that are waited at most."""


@dataclass(frozen=True)
class Attempt:
    """How an attempt ended. ``retry_after``: seconds that the receiver asked to be left alone.

    ``gone``: it answered 410, and wants nothing more.
    """

    delivered: bool
    note: str = ""
    retry_after: float | None = None
    gone: bool = False


class Poster:
    """Posts messages to the endpoint, one at a time; for one thread."""

    def __init__(self, delivery: Delivery, keys: Sequence[Key]) -> None:
        self._delivery = delivery
        self._keys = keys
        self._backend = OutsideOnly(delivery.allow_inside)
        self._pool = httpcore.ConnectionPool(
            ssl_context=_trusted(),
            max_connections=1,
            keepalive_expiry=5.0,
            network_backend=self._backend,
        )

    def close(self) -> None:
        """Close the connection that is kept."""
        self._pool.close()

    def post(self, message: Message, now: datetime, until: float) -> Attempt:
        """One attempt, ended at ``until`` (``time.monotonic``) whatever the receiver does.

        ``now`` (naive UTC) is the time that is signed.
        """
        assert message.body is not None
        self._backend.deadline = min(until, time.monotonic() + self._delivery.timeout_seconds)
        stamp = int(now.replace(tzinfo=UTC).timestamp())
        headers = [
            ("content-type", CONTENT_TYPE),
            ("user-agent", "presage"),
            ("webhook-id", message.decision_id),
            ("webhook-timestamp", str(stamp)),
            ("webhook-signature", signature(self._keys, message.decision_id, stamp, message.body)),
        ]
        try:
            with self._pool.stream(
                "POST", self._delivery.endpoint, headers=headers, content=message.body
            ) as answer:
                attempt = read(answer.status, dict(answer.headers), now)
                size = 0
                for part in answer.iter_stream():  # to its end, so that the connection is kept
                    size += len(part)
                    if size > MOST_BODY:
                        break
            return attempt
        except InsideAddress as error:
            return Attempt(False, f"refused: {error}; [delivery] allow_inside = true allows it")
        except httpcore.TimeoutException:
            return Attempt(False, f"no answer within {self._delivery.timeout_seconds:g} s")
        except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError, OSError) as error:
            reason = str(error) or type(error).__name__
            return Attempt(False, f"the connection failed: {reason}")


@functools.cache
def _trusted() -> ssl.SSLContext:
    """The machine's certificates, read once: that takes longer than sending a message."""
    return ssl.create_default_context()


def read(status: int, headers: dict[bytes, bytes], now: datetime) -> Attempt:
    """What an answer's status and headers mean.

    >>> read(204, {}, datetime(2026, 3, 1)).delivered
    True
    >>> read(429, {b"Retry-After": b"30"}, datetime(2026, 3, 1)).retry_after
    30.0
    >>> read(302, {b"Location": b"http://127.0.0.1/"}, datetime(2026, 3, 1)).note
    'HTTP 302: redirects are not followed; set [delivery] endpoint to where it leads'
    """
    if 200 <= status < 300:
        return Attempt(True)
    if status == GONE:
        return Attempt(False, "HTTP 410: the receiver wants nothing more", gone=True)
    if 300 <= status < 400:
        redirects = "redirects are not followed; set [delivery] endpoint to where it leads"
        return Attempt(False, f"HTTP {status}: {redirects}")
    named = {name.lower(): value for name, value in headers.items()}
    return Attempt(False, f"HTTP {status}", _retry_after(named.get(b"retry-after"), now))


def _retry_after(value: bytes | None, now: datetime) -> float | None:
    """Seconds, from seconds or from a date; None for what is neither."""
    text = (value or b"").decode("ascii", "replace").strip()
    if text.isdigit():
        return min(float(text), LONGEST_WAIT)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    seconds = (moment - now.replace(tzinfo=UTC)).total_seconds() if moment.tzinfo else 0.0
    return min(max(seconds, 0.0), LONGEST_WAIT)
