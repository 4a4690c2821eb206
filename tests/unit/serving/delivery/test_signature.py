"""Signatures as the reference library of Standard Webhooks verifies them; keys that are rotated."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from data.errors import SettingsError
from data.store import put_secret, read_secret
from data.workspace import init
from serving.delivery.signature import Key, keys_of, rotate, signature

OLD_KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NEW_KEY = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
BODY = '{"text": "på norsk"}'.encode()


@pytest.mark.parametrize("receivers_key", [OLD_KEY, NEW_KEY])
def test_receivers_of_the_old_and_of_the_new_key_verify_it(receivers_key: str) -> None:
    now = int(time.time())
    keys = [Key.of(NEW_KEY), Key.of(OLD_KEY)]
    headers = {
        "webhook-id": "m1",
        "webhook-timestamp": str(now),
        "webhook-signature": signature(keys, "m1", now, BODY),
    }
    Webhook(receivers_key).verify(BODY, headers)
    for change in ({"webhook-id": "m2"}, {"webhook-timestamp": str(now - 1)}):
        with pytest.raises(WebhookVerificationError):
            Webhook(receivers_key).verify(BODY, {**headers, **change})


def test_keys_are_rotated_with_two_in_force_between(tmp_path: Path) -> None:
    workspace = init(tmp_path / "w")
    with pytest.raises(SettingsError, match="no key to sign with"):
        keys_of(workspace, {})
    assert not rotate(workspace)
    (first,) = keys_of(workspace, {})
    assert rotate(workspace)
    second, old = keys_of(workspace, {})
    assert old == first != second
    with pytest.raises(SettingsError, match="finish that rotation first"):
        rotate(workspace)
    rotate(workspace, finish=True)
    assert keys_of(workspace, {}) == [second]


def test_a_key_of_another_form_is_refused_and_never_shown(tmp_path: Path) -> None:
    workspace = init(tmp_path / "w")
    for wrong in ("s3cret-s3cret", "whsec_c2hvcnQ=", "whsec_###"):
        put_secret(workspace, "webhook", wrong)
        with pytest.raises(SettingsError, match="the secret webhook: a webhook key is") as error:
            keys_of(workspace, {})
        assert wrong not in str(error.value)
    assert OLD_KEY.removeprefix("whsec_") not in repr(Key.of(OLD_KEY))


def test_the_environment_wins_and_is_rotated_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = init(tmp_path / "w")
    monkeypatch.setenv("PRESAGE_SECRET_WEBHOOK", OLD_KEY)
    assert keys_of(workspace) == [Key.of(OLD_KEY)]
    with pytest.raises(SettingsError, match="PRESAGE_SECRET_WEBHOOK is in the environment"):
        rotate(workspace)
    assert read_secret(workspace, "webhook", {}) is None
