"""Standard Webhooks signatures (standardwebhooks.com, specification 1.0.0, symmetric ``v1``).

A request carries ``webhook-id``, ``webhook-timestamp`` (seconds since 1970) and
``webhook-signature``: for each key in force ``v1,`` and the base64 of HMAC-SHA256 over
``id.timestamp.body``, separated by spaces. Two keys are in force while they are rotated, so a
receiver may change over at any moment in between.

>>> key = Key.of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
>>> signature([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
>>> key
Key(whsec_...)
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from data.errors import SettingsError
from data.folder import Folder
from data.store import put_secret, read_secret

PREFIX = "whsec_"
FEWEST_BYTES, MOST_BYTES = 24, 64
NEW, OLD = "webhook", "webhook_old"
"""Names among the secrets: the key in force, and the one before while it is rotated out."""


@dataclass(frozen=True)
class Key:
    """A signing key; its text form shows nothing of it."""

    secret: bytes

    @classmethod
    def of(cls, text: str) -> Key:
        """From ``whsec_`` and base64 of 24 to 64 bytes; SettingsError for anything else."""
        wrong = "a webhook key is whsec_ and the base64 of 24 to 64 random bytes; this is not"
        if not text.startswith(PREFIX):
            raise SettingsError(wrong)
        try:
            secret = base64.b64decode(text.removeprefix(PREFIX), validate=True)
        except (binascii.Error, ValueError):
            raise SettingsError(wrong) from None
        if not FEWEST_BYTES <= len(secret) <= MOST_BYTES:
            raise SettingsError(wrong)
        return cls(secret)

    def __repr__(self) -> str:
        return "Key(whsec_...)"


def signature(keys: Sequence[Key], message_id: str, timestamp: int, body: bytes) -> str:
    """The value of ``webhook-signature``: one signature for each key, in their order."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digests = [hmac.new(key.secret, signed, hashlib.sha256).digest() for key in keys]
    return " ".join("v1," + base64.b64encode(digest).decode() for digest in digests)


def keys_of(folder: Folder, environ: Mapping[str, str] | None = None) -> list[Key]:
    """The keys in force, the newest first; SettingsError where there is none, or one is no key."""
    keys = []
    for name in (NEW, OLD):
        text = read_secret(folder, name, environ)
        if text is None:
            continue
        try:
            keys.append(Key.of(text))
        except SettingsError as error:
            raise SettingsError(f"the secret {name}: {error}") from None
    if not keys:
        raise SettingsError(
            "[delivery] endpoint is set, but there is no key to sign with: "
            f"`presage outbox {folder.path} rotate` makes one, or set PRESAGE_SECRET_{NEW.upper()}"
        )
    return keys


def rotate(folder: Folder, *, finish: bool = False) -> bool:
    """Put a new key into ``.presage/secrets`` and keep the one before beside it; with ``finish``
    drop the one before. Whether two keys are in force now.

    SettingsError where the environment holds the key: it is rotated there; and where a rotation is
    not finished, for a third key would leave receivers of the first without one.
    """
    if any(read_secret(folder, name, None) != _in_file(folder, name) for name in (NEW, OLD)):
        raise SettingsError(
            f"PRESAGE_SECRET_{NEW.upper()} is in the environment: put the new key there, and the "
            f"old one into PRESAGE_SECRET_{OLD.upper()} until every receiver has changed over"
        )
    new, old = _in_file(folder, NEW), _in_file(folder, OLD)
    if finish:
        if old is not None:
            put_secret(folder, OLD, None)
        return False
    if old is not None:
        raise SettingsError(
            "two keys are in force already: finish that rotation first (rotate --finish), when "
            "every receiver has the new key"
        )
    if new is not None:
        put_secret(folder, OLD, new)
    put_secret(folder, NEW, PREFIX + base64.b64encode(secrets.token_bytes(32)).decode())
    return new is not None


def _in_file(folder: Folder, name: str) -> str | None:
    return read_secret(folder, name, {})
