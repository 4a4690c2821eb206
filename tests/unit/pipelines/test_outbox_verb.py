"""``presage outbox``: dry runs that change nothing, clear refusals, keys that are never shown."""

from __future__ import annotations

import json
import os
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from data.clock import SYSTEM
from data.errors import SettingsError, StorageFailure, UsageError
from data.store import Store, append_decisions, message_counts, open_store, put_consent, read_secret
from data.workspace import Workspace, init
from pipelines import delivery
from pipelines.console import Result, silent
from pipelines.delivery import act, check_delivery
from pipelines.state_verbs import verify_decisions


@pytest.fixture
def company(tmp_path: Path) -> Workspace:
    workspace = init(tmp_path / "w")
    (workspace.path / "presage.toml").write_text(
        '[outreach]\nholdout_share = 0\nquiet_from = "00:00"\nquiet_to = "00:00"\n'
        '[delivery]\nendpoint = "http://127.0.0.1:9/hook?token=s3cr3t"\nallow_inside = true\n'
        "timeout_seconds = 2\nmax_attempts = 1\n"
    )
    workspace = Workspace.open(workspace.path)
    now = SYSTEM.now() - timedelta(seconds=1)
    decided: list[dict[str, Any]] = [
        {"decision_id": f"d{n}", "customer_id": f"c{n}", "arm": "treat", "channel": "email"}
        for n in range(3)
    ]
    outbox = [{**each, "action": "check_in", "payload": {}} for each in decided]
    with open_store(workspace) as store:
        append_decisions(store, "r", decided, now, outbox)
        put_consent(store, "c0", "email", True, now, "test")
        put_consent(store, "c1", "email", True, now, "test")
    return workspace


def outbox(company: Workspace, action: str, *ids: str, **options: Any) -> Result:
    given = {"commit": False, "state": None, "finish": False, **options}
    return act(company.path, action, ids, report=silent, **given)


def counts(company: Workspace) -> dict[str, int]:
    with open_store(company) as store:
        return message_counts(store)


def test_a_dry_run_says_what_and_why_and_changes_nothing(company: Workspace) -> None:
    found = outbox(company, "send")
    assert found.data["would_send"] == 2
    assert found.data["never"] == {"no consent for email is known": 1}
    assert counts(company)["waiting"] == 3
    assert "s3cr3t" not in "\n".join(found.lines)


def test_sending_needs_a_key_and_what_failed_is_listed_and_replayed(company: Workspace) -> None:
    with pytest.raises(SettingsError, match=r"presage outbox .* rotate"):
        outbox(company, "send", commit=True)
    with pytest.raises(SettingsError):
        check_delivery(company)
    told = outbox(company, "rotate")
    assert check_delivery(company)
    secret = read_secret(company, "webhook", {})
    assert secret is not None
    sent = outbox(company, "send", commit=True)
    assert (sent.data["dead"], sent.data["refused"]) == (2, 1)
    dead = outbox(company, "dead")
    assert [m["outreach_id"] for m in dead.data["messages"]] == ["d0", "d1"]
    assert "the connection failed" in dead.data["messages"][0]["note"]
    assert outbox(company, "replay", state="dead").data["would_replay"] == 2
    assert counts(company)["dead"] == 2
    assert outbox(company, "replay", state="dead", commit=True).data["replayed"] == 2
    assert counts(company)["waiting"] == 2
    shown = outbox(company, "show", "d0")
    everything = [told, sent, dead, shown, outbox(company, "list")]
    text = json.dumps([[r.data, list(r.lines)] for r in everything], default=str)
    assert secret not in text
    assert secret.removeprefix("whsec_") not in text
    assert "s3cr3t" not in text


def test_a_replay_says_what_may_not_be_sent_any_more_and_queues_the_rest(
    company: Workspace,
) -> None:
    with open_store(company) as store:
        put_consent(store, "c0", "email", False, SYSTEM.now(), "test")
    refusals = {"no consent for email": 1, "no consent for email is known": 1}
    dry = outbox(company, "replay", "d0", "d1", "d2")
    assert dry.data == {"committed": False, "would_replay": 1, "later": {}, "never": refusals}
    done = outbox(company, "replay", "d0", "d1", "d2", commit=True)
    assert done.data["replayed"] == 1 and done.data["never"] == refusals
    assert "1 queued again, under the same id, with the same bytes" in done.lines
    notes = [row["note"] for row in outbox(company, "show", "d0", "d1", "d2").data["messages"]]
    assert notes == [None, "queued again by hand", None]


@pytest.mark.parametrize(
    ("action", "ids", "options", "match"),
    [
        ("sned", [], {}, 'Did you mean "send"'),
        ("send", ["d1"], {}, "takes no message ids"),
        ("show", ["d9"], {}, "no message 'd9'"),
        ("replay", [], {}, "either the ids of messages or --state"),
        ("replay", ["d9"], {"commit": True}, "no message 'd9'"),
        ("replay", [], {"state": "deed"}, 'Did you mean "dead"'),
    ],
)
def test_what_cannot_be_is_refused_by_name(
    company: Workspace, action: str, ids: list[str], options: dict[str, Any], match: str
) -> None:
    with pytest.raises(UsageError, match=match):
        outbox(company, action, *ids, **options)


def test_the_head_that_verify_log_prints_can_be_given_back(company: Workspace) -> None:
    found = verify_decisions(company.path)
    head = next(line.split("head ")[1] for line in found.lines)
    assert verify_decisions(company.path, head).data["entries"] == 3
    with pytest.raises(UsageError, match="is not N:HASH"):
        verify_decisions(company.path, "3")


def test_a_sender_outlives_a_database_that_is_gone_and_sending_once_says_so(
    company: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outbox(company, "rotate")
    tries: list[bool] = []

    def due(store: Store) -> None:
        """Gone twice, then there with nothing to send; a sender that runs is interrupted then."""
        tries.append(True)
        if len(tries) < 3:
            raise StorageFailure("the store cannot be reached: gone")
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(delivery, "next_due", due)
    monkeypatch.setattr(delivery, "POLL_SECONDS", 0.01)
    outbox(company, "run", commit=True)
    assert len(tries) >= 3
    assert capsys.readouterr().err.count("the store cannot be reached") == 1
    tries.clear()
    with pytest.raises(StorageFailure):
        outbox(company, "send", commit=True)
    assert counts(company)["waiting"] == 3
