"""Whether a webhook is its sender's: signatures as Zendesk, Shopify and Segment make them.

A sender's secret is ``hook_NAME`` among the workspace's secrets, the one before it while it is
rotated out ``hook_NAME_old``. The signature comes first, over the bytes as they came: what nobody
vouches for is not even read as JSON.

Sources: developer.zendesk.com (Verifying webhook authenticity), shopify.dev (Verify webhook
deliveries), Twilio Segment's documentation of the destination Webhooks (Actions).

>>> of = {"x-signature": "34cf2e8a0d5fa6aa3ac2dd25fe2b96e3c2b3f3a0"}
>>> SENDERS["segment"].is_signed(b"secret", of, b"{}")
False
>>> of["x-signature"] = hmac.new(b"secret", b"{}", "sha1").hexdigest()
>>> SENDERS["segment"].is_signed(b"secret", of, b"{}")
True
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from data.folder import Folder
from data.store import read_secret
from serving.api.problem import Problem
from serving.api.route import Signed

AGE = timedelta(minutes=5)
"""A signature is of a moment not further from now than this."""
LONGEST_ID = 150
Headers = Mapping[str, str]


@dataclass(frozen=True)
class Sender:
    """How one system signs: the header of the signature, what is signed and how the digest is
    written; the headers of the moment and of the delivery's id, where it has them; the field of the
    body that holds the id otherwise."""

    name: str
    signature: str
    digest: Callable[[bytes, bytes], str]
    moment: str | None = None
    identity: str | None = None
    field: str | None = None

    def is_signed(self, secret: bytes, headers: Headers, body: bytes) -> bool:
        """Whether the signature is by that secret over this body, and its moment if it has one."""
        moment = headers.get(self.moment, "") if self.moment else ""
        wanted = self.digest(secret, moment.encode("latin-1", "replace") + body)
        signature = headers.get(self.signature, "")
        return hmac.compare_digest(wanted.encode(), signature.strip().encode())

    def delivery_id(self, headers: Headers, body: bytes) -> str:
        """The sender's own id of this delivery, the same at every attempt; else the body's hash."""
        identity = headers.get(self.identity, "") if self.identity else ""
        if not identity and self.field:
            identity = _field(body, self.field)
        return identity if 1 <= len(identity) <= LONGEST_ID else hashlib.sha256(body).hexdigest()


def _sha256(secret: bytes, signed: bytes) -> str:
    return base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()


def _sha1(secret: bytes, signed: bytes) -> str:
    return hmac.new(secret, signed, hashlib.sha1).hexdigest()


def _field(body: bytes, name: str) -> str:
    try:
        value = msgspec.json.decode(body, type=dict[str, msgspec.Raw]).get(name)
        return "" if value is None else str(msgspec.json.decode(value, type=str | int))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""


SENDERS: Mapping[str, Sender] = {
    sender.name: sender
    for sender in (
        Sender(
            "zendesk",
            "x-zendesk-webhook-signature",
            _sha256,
            moment="x-zendesk-webhook-signature-timestamp",
            identity="x-zendesk-webhook-invocation-id",
            field="id",
        ),
        Sender("shopify", "x-shopify-hmac-sha256", _sha256, identity="x-shopify-webhook-id"),
        Sender("segment", "x-signature", _sha1, field="messageId"),
    )
}


def secret_names(sender: str) -> tuple[str, str]:
    """The names among the secrets: the one in force, and the one before it."""
    return f"hook_{sender}", f"hook_{sender}_old"


def signed_by(name: str) -> Signed:
    """A check of a sender's webhooks: who sent one and under which id.

    Problem hook-off without a secret, hook-signature, hook-stale.
    """
    sender = SENDERS[name]

    def check(desk: Any, headers: Headers, body: bytes) -> tuple[str, str]:
        known = _secrets(desk.workspace, name)
        if not known:
            detail = f"no secret of {name} is kept here; `presage hooks DIR set {name}` keeps one"
            raise Problem(404, "hook-off", detail)
        if not any(sender.is_signed(secret, headers, body) for secret in known):
            what = (
                "is not by the secret that is kept"
                if headers.get(sender.signature)
                else "is missing"
            )
            raise Problem(401, "hook-signature", f"the signature in {sender.signature} {what}")
        if sender.moment is not None:
            _not_stale(headers[sender.moment], sender.moment, desk.now())
        return f"hook:{name}", sender.delivery_id(headers, body)

    return check


def _secrets(folder: Folder, name: str) -> list[bytes]:
    secrets = (read_secret(folder, one) for one in secret_names(name))
    return [secret.encode() for secret in secrets if secret]


def _not_stale(text: str, header: str, now: datetime) -> None:
    try:
        at = datetime.fromisoformat(text)
        moment = at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at
    except (ValueError, OverflowError):
        detail = f"{header} is {text[:40]!r}, which is no time"
        raise Problem(401, "hook-stale", detail) from None
    if abs(now - moment) > AGE:
        detail = f"signed at {text}, more than {AGE.seconds // 60} minutes from {now.isoformat()}Z"
        raise Problem(401, "hook-stale", detail)
