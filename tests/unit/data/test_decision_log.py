"""A log whose tail is cut, whose head is changed, or whose people are forgotten."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from data.errors import DamagedFile
from data.store import (
    Store,
    append_decisions,
    notes_of,
    open_store,
    renew_head,
    verify_log,
)
from data.store.decision_log import START, UNSIGNED, Entry, append_entries, payload_hash
from data.workspace import init

T = datetime(2026, 3, 1, 12)
HEAD = "decision-log.head"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(init(tmp_path / "w")) as opened:
        yield opened


def decide(store: Store, run_id: str, numbers: range) -> None:
    decisions = [
        {"decision_id": f"d{n}", "customer_id": f"kari{n}", "arm": "treat", "at": T}
        for n in numbers
    ]
    send = {"channel": "email", "action": "check_in", "payload": {"text": "hello"}}
    append_decisions(store, run_id, decisions, T, [{**d, **send} for d in decisions])


def head_file(store: Store) -> Path:
    assert store.folder is not None
    return store.folder.state_dir / HEAD


def cut(store: Store, after: int) -> None:
    """Delete the last entries as somebody would who may write to the database."""
    with store.writing() as connection:
        connection.execute(sa.text("DROP TRIGGER decisions_no_delete"))
        connection.execute(sa.text(f"DELETE FROM decision_texts WHERE seq > {after}"))
        connection.execute(sa.text(f"DELETE FROM decisions WHERE seq > {after}"))


def test_a_cut_tail_is_found_and_nothing_is_added_to_it(store: Store) -> None:
    decide(store, "r1", range(20))
    assert verify_log(store).entries == 20
    cut(store, 15)
    gone = "damaged at entry 16: entries 16 to 20 are missing"
    with pytest.raises(DamagedFile, match=gone):
        verify_log(store)
    with pytest.raises(DamagedFile, match=gone):
        decide(store, "r2", range(20, 21))


def test_a_tail_cut_with_its_head_in_the_store_is_found_by_the_file(store: Store) -> None:
    decide(store, "r1", range(5))
    with store.reading() as connection:
        before = connection.execute(
            sa.text("SELECT value FROM facts WHERE name = 'decision_log_head'")
        ).scalar()
    decide(store, "r2", range(5, 8))
    cut(store, 5)
    with store.writing() as connection:
        connection.execute(
            sa.text("UPDATE facts SET value = :v WHERE name = 'decision_log_head'"), {"v": before}
        )
    with pytest.raises(DamagedFile, match=f"entries 6 to 8 are missing, for the head {HEAD}"):
        verify_log(store)


def test_a_head_that_was_changed_is_not_ours(store: Store) -> None:
    decide(store, "r1", range(5))
    told = json.loads(head_file(store).read_text())
    head_file(store).write_text(json.dumps({**told, "entries": 3}))
    with pytest.raises(DamagedFile, match=f"head {HEAD} is not signed by our key"):
        verify_log(store)


def test_a_head_file_behind_the_log_is_a_crash_and_no_damage(store: Store) -> None:
    decide(store, "r1", range(5))
    behind = head_file(store).read_bytes()
    decide(store, "r2", range(5, 8))
    head_file(store).write_bytes(behind)
    assert verify_log(store).entries == 8
    decide(store, "r3", range(8, 9))
    assert json.loads(head_file(store).read_text())["entries"] == 9


def test_a_missing_head_file_is_told_and_sealed_by_hand_only(store: Store) -> None:
    decide(store, "r1", range(5))
    head_file(store).unlink()
    with pytest.raises(DamagedFile, match=r"is missing\. If a backup was restored"):
        verify_log(store)
    with pytest.raises(DamagedFile, match="is missing"):
        decide(store, "r2", range(5, 6))
    assert renew_head(store, T) == 6
    state = verify_log(store)
    assert state.entries == state.signed == 6
    ((entry, note),) = state.seals
    assert (entry, json.loads(note)["former_heads"][0]["entries"]) == (6, 5)
    decide(store, "r2", range(5, 6))
    assert verify_log(store).entries == 7


def test_a_head_noted_elsewhere_must_be_there_still(store: Store) -> None:
    decide(store, "r1", range(5))
    noted = verify_log(store)
    decide(store, "r2", range(5, 8))
    assert verify_log(store, (5, noted.head)).entries == 8
    with pytest.raises(DamagedFile, match="entry 5 is another one"):
        verify_log(store, (5, "0" * 64))
    with pytest.raises(DamagedFile, match="entries 9 to 12 are missing"):
        verify_log(store, (12, noted.head))


def test_a_log_from_before_is_sealed_when_it_is_opened(tmp_path: Path) -> None:
    """An old log is made as the version before made it: entries of form 1, no head."""
    workspace = init(tmp_path / "w")
    with open_store(workspace) as store, store.writing() as connection:
        previous = START
        for seq in range(1, 4):
            digest = payload_hash("ab", f"text {seq}")
            link = hashlib.sha256(f"{seq}|{T.isoformat()}|{digest}|{previous}".encode()).hexdigest()
            stored = T.strftime("%Y-%m-%d %H:%M:%S.%f")
            values = {"s": seq, "t": stored, "d": digest, "p": previous, "h": link}
            connection.execute(
                sa.text(
                    "INSERT INTO decisions (seq, recorded_at, payload_sha256, previous, sha256) "
                    "VALUES (:s, :t, :d, :p, :h)"
                ),
                values,
            )
            previous = link
    with open_store(workspace) as store:
        state = verify_log(store)
        assert (state.entries, state.signed, len(state.seals)) == (4, 4, 1)
        ((_, _, note),) = notes_of(store, "seal")
        assert note == {"entries": 3, "head": previous, "because": UNSIGNED}
        cut(store, 2)
        with pytest.raises(DamagedFile, match="entries 3 to 4 are missing"):
            verify_log(store)


def test_a_text_put_under_another_customer_is_found(store: Store) -> None:
    decide(store, "r1", range(5))
    with store.writing() as connection:
        connection.execute(
            sa.text("UPDATE decision_texts SET customer_id = 'kari9' WHERE decision_id = 'd3'")
        )
    with pytest.raises(DamagedFile, match="damaged at entry 4: its customer"):
        verify_log(store)


def test_notes_stand_in_the_log_and_cannot_be_changed(store: Store) -> None:
    decide(store, "r1", range(2))
    note = {"campaign": "late orders", "because": "it harms"}
    with store.writing() as connection:
        entry = Entry("campaign", json.dumps(note))
        assert append_entries(store, connection, [entry], T + timedelta(hours=1)) == [3]
    assert [content for _, _, content in notes_of(store, "campaign")] == [note]
    with store.writing() as connection:
        connection.execute(sa.text("DROP TRIGGER decisions_no_update"))
        connection.execute(sa.text("UPDATE decisions SET note = '{}' WHERE seq = 3"))
    with pytest.raises(DamagedFile, match="damaged at entry 3: its note"):
        verify_log(store)
