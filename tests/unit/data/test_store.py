"""The store, on SQLite and on a real PostgreSQL: durable, append only, one writer at a time."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa

from data.errors import (
    Conflict,
    DamagedFile,
    DataError,
    PresageError,
    SettingsError,
    UsageError,
    in_words,
)
from data.store import (
    OtherRequest,
    Store,
    answer_once,
    append_decisions,
    append_events,
    check_lease,
    create_key,
    decisions_of,
    event_frames,
    events_since,
    has_store,
    list_keys,
    open_store,
    open_url,
    outcomes_of,
    publications,
    put_consent,
    put_secret,
    read_forecast,
    read_secret,
    record_outcome,
    registry_event,
    registry_history,
    release_lease,
    renew_lease,
    revoke_key,
    rotate_key,
    salt,
    save_forecast,
    take_lease,
    verify_key,
    verify_log,
    words_in,
)
from data.store.schema import METADATA
from data.workspace import init

T = datetime(2026, 3, 1, 12, 0, 0, 123456)
HOUR = timedelta(hours=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    new: str = request.getfixturevalue("postgres").create(f"db{abs(hash(tmp_path))}")
    return new.replace("+psycopg", "")  # as a user writes it


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with open_url(url) as opened:
        yield opened


def ticket(number: int, **columns: object) -> dict[str, object]:
    return {
        "ticket_id": f"t{number}",
        "opened_at": "2026-02-28T00:00:00Z",
        "channel": "email",
        "customer_id": f"c{number % 3}",
        **columns,
    }


def test_the_migrations_make_exactly_the_schema(store: Store) -> None:
    found = sa.inspect(store.engine)
    assert set(found.get_table_names()) == {*METADATA.tables, "alembic_version"}
    for name, table in METADATA.tables.items():
        assert {c["name"] for c in found.get_columns(name)} == set(table.columns.keys())
        assert {i["name"] for i in found.get_indexes(name)} >= {i.name for i in table.indexes}


def test_a_store_of_a_newer_presage_is_refused_by_name(url: str) -> None:
    with open_url(url) as store, store.writing() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(PresageError, match="revision 9999, which this Presage does not know"):
        open_url(url)


def test_opening_twice_at_once_migrates_once(url: str) -> None:
    failures: list[BaseException] = []

    def opens() -> None:
        try:
            open_url(url).close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=opens) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_events_are_accepted_once_by_key_and_change_as_versions(store: Store) -> None:
    first = append_events(store, {"tickets": [ticket(1), ticket(2), ticket(1)]}, T)
    assert (first.accepted, first.repeated) == (2, 1)
    again = append_events(store, {"tickets": [ticket(2), ticket(2, priority="high")]}, T + HOUR)
    assert (again.accepted, again.repeated) == (1, 1)
    less = append_events(store, {"tickets": [ticket(2)]}, T + 2 * HOUR)
    assert less.repeated == 1  # a row changes what it names
    back = append_events(store, {"tickets": [ticket(2, priority=None)]}, T + 2 * HOUR)
    assert back.accepted == 1  # what it was before, said anew
    events = events_since(store, first.last_seq)
    assert [event.recorded_at for event in events] == [T + HOUR, T + 2 * HOUR]
    assert events[0].key == ("t2",)
    assert events[0].payload["priority"] == "high"
    frame = event_frames(store)["tickets"]
    assert frame["ticket_id"].tolist() == ["t1", "t2", "t2", "t2"]
    assert frame["priority"].tolist() == [None, None, "high", None]


def test_events_without_their_key_or_table_are_refused_and_nothing_is_kept(store: Store) -> None:
    with pytest.raises(DataError, match="usage row 1: event_id is null"):
        append_events(store, {"tickets": [ticket(1)], "usage": [{"feature": "x"}]}, T)
    with pytest.raises(DataError, match='Did you mean "tickets"'):
        append_events(store, {"ticket": [ticket(1)]}, T)
    assert events_since(store, 0) == []


def test_the_keys_of_volumes_are_moments_however_they_are_written(store: Store) -> None:
    rows = [{"unique_id": "a", "ds": ds, "y": 1} for ds in ("2026-01-01", "2026-01-01T01:00+01:00")]
    append_events(store, {"volumes": rows}, T)
    assert {event.key for event in events_since(store, 0)} == {("a", "2026-01-01T00:00:00")}


def test_many_writers_lose_nothing(store: Store) -> None:
    def posts(start: int) -> None:
        for number in range(start, start + 10):
            append_events(store, {"tickets": [ticket(number)]}, T)

    threads = [threading.Thread(target=posts, args=(10 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({event.key for event in events_since(store, 0)}) == 40


def test_an_answer_is_kept_with_its_effect(store: Store) -> None:
    def act(number: int, fails: bool = False) -> Callable[[], tuple[int, str]]:
        def acts() -> tuple[int, str]:
            append_events(store, {"tickets": [ticket(number)]}, T)
            assert events_since(store, 0)  # a unit reads what it wrote
            append_events(store, {"tickets": [ticket(number + 100)]}, T)
            if fails:
                raise ValueError
            return 202, str(number)

        return acts

    with pytest.raises(ValueError):
        answer_once(store, "key1", "k", "body", T, act(1, fails=True))
    assert not events_since(store, 0)
    assert answer_once(store, "key1", "k", "body", T, act(1)) == ((202, "1"), False)
    assert answer_once(store, "key1", "k", "body", T, act(2)) == ((202, "1"), True)
    with pytest.raises(OtherRequest, match="another request"):
        answer_once(store, "key1", "k", "other", T, act(3))
    assert len(events_since(store, 0)) == 2
    assert answer_once(store, "key2", "k", "body", T, act(4)) == ((202, "4"), False)
    # what wrote nothing is not kept: it is asked again
    assert answer_once(store, "key1", "none", "a", T, lambda: (200, "a")) == ((200, "a"), False)
    assert answer_once(store, "key1", "none", "a", T, lambda: (200, "b")) == ((200, "b"), False)


def test_a_store_tells_whether_anybody_wrote(store: Store) -> None:
    before = store.changes()
    if before is None:
        return  # PostgreSQL has no such number: its readers ask again
    events_since(store, 0)
    assert store.changes() == before
    append_events(store, {"tickets": [ticket(1)]}, T)
    after = store.changes()
    assert after != before
    with pytest.raises(ValueError), store.writing() as connection:
        connection.execute(sa.text("DELETE FROM consent"))
        raise ValueError  # what is rolled back is no change
    assert store.changes() == after


def test_equal_requests_at_once_have_one_effect(store: Store) -> None:
    start = threading.Barrier(6)
    replies = []

    def asks(number: int) -> None:
        def acts() -> tuple[int, str]:
            append_events(store, {"tickets": [ticket(number)]}, T)
            return 200, str(number)

        start.wait()
        replies.append(answer_once(store, "key", "k", "body", T, acts))

    threads = [threading.Thread(target=asks, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({reply for reply, _ in replies}) == 1
    assert sorted(before for _, before in replies) == [False] + [True] * 5
    assert len(events_since(store, 0)) == 1


def test_the_newest_word_on_consent_holds(store: Store) -> None:
    def said(*customers: str) -> dict[str, dict[str, bool]]:
        with store.reading() as connection:
            found = words_in(connection, customers or None)
        return {c: {name: word.granted for name, word in w.items()} for c, w in found.items()}

    for channel, granted in (("email", True), ("phone", True), ("email", False)):
        put_consent(store, "c1", channel, granted, T, "api")
    assert said("c1", "c2") == {"c1": {"email": False, "phone": True}, "c2": {}}
    put_consent(store, "c1", "all", False, T, "api")
    assert said("c1") == {"c1": {"all": False}}
    put_consent(store, "c1", "phone", True, T, "api")
    assert said() == {"c1": {"all": False, "phone": True}}


def test_a_key_ends_when_it_should_and_two_open_while_it_is_rotated(store: Store) -> None:
    first = create_key(store, "crm", ["score"], T, expires_at=T + 3 * HOUR)
    found = verify_key(store, first, T + 2 * HOUR)
    assert found is not None and found.expires_at == T + 3 * HOUR
    second, until = rotate_key(store, "crm", T + HOUR, HOUR)
    assert until == T + 2 * HOUR
    assert verify_key(store, first, T + 2 * HOUR - timedelta(seconds=1)) is not None
    assert verify_key(store, first, T + 2 * HOUR) is None
    with pytest.raises(Conflict, match="two keys"):
        rotate_key(store, "crm", T + HOUR, HOUR)
    found = verify_key(store, second, T + 2 * HOUR)
    assert found is not None and found.scopes == ("score",)
    assert verify_key(store, second, T + 3 * HOUR) is None
    with pytest.raises(UsageError, match="crm"):
        rotate_key(store, "crn", T + 2 * HOUR, HOUR)
    with pytest.raises(UsageError, match="expired already"):
        create_key(store, "late", ["score"], T, expires_at=T)


def test_a_key_is_hashed_with_a_secret_that_the_store_does_not_hold(tmp_path: Path) -> None:
    workspace = init(tmp_path / "company")
    with open_store(workspace) as store:
        key = create_key(store, "crm", ["score"], T)
        assert verify_key(store, key) is not None
        plain = hashlib.sha256(key.split("_", 2)[2].encode()).hexdigest()
        assert list_keys(store)[0].name == "crm"
        with store.reading() as connection:
            assert plain != connection.execute(sa.text("SELECT sha256 FROM api_keys")).scalar()
        secret = read_secret(workspace, "api_keys", {})
        put_secret(workspace, "api_keys", "0" * 64)
        assert verify_key(store, key) is None  # the store alone is not enough
        put_secret(workspace, "api_keys", secret)
        with store.writing() as connection:  # a key of an earlier release
            connection.execute(sa.text("UPDATE api_keys SET sha256 = :old"), {"old": plain})
        assert verify_key(store, key) is not None


def test_a_key_is_shown_once_and_kept_as_a_hash(store: Store) -> None:
    key = create_key(store, "crm", ["score", "events"], T)
    found = verify_key(store, key)
    assert found is not None
    assert (found.name, found.scopes) == ("crm", ("events", "score"))
    with store.reading() as connection:
        row = str(connection.execute(sa.text("SELECT * FROM api_keys")).one())
    assert key.split("_", 2)[2] not in row
    assert verify_key(store, key[:-1] + ("A" if key[-1] != "A" else "B")) is None
    assert verify_key(store, "") is None
    with pytest.raises(Conflict, match="crm"):
        create_key(store, "crm", ["score"], T)
    with pytest.raises(UsageError, match='Did you mean "score"'):
        create_key(store, "x", ["scores"], T)
    with pytest.raises(UsageError, match='Did you mean "crm"'):
        revoke_key(store, "crn", T)
    revoke_key(store, "crm", T + HOUR)
    assert verify_key(store, key) is None
    assert create_key(store, "crm", ["score"], T) != key
    assert [k.revoked_at for k in list_keys(store)].count(None) == 1


def decided(number: int) -> dict[str, object]:
    return {"decision_id": f"d{number}", "customer_id": f"c{number}", "arm": "treat", "at": T}


def test_decisions_are_chained_written_once_and_only_appended(store: Store) -> None:
    assert verify_log(store).entries == 0
    assert append_decisions(store, "r1", [decided(1), decided(2)], T) == ["d1", "d2"]
    head = verify_log(store).head
    with pytest.raises(Conflict, match="r1"):
        append_decisions(store, "r1", [decided(3)], T)
    with pytest.raises(Conflict, match="written before"):
        append_decisions(store, "r2", [decided(3), decided(2)], T)
    assert verify_log(store).head == head
    append_decisions(store, "r2", [decided(3)], T + HOUR)
    assert verify_log(store).entries == 3
    assert [d["decision_id"] for d in decisions_of(store, run_id="r1")] == ["d1", "d2"]
    assert [d["arm"] for d in decisions_of(store, customer_id="c3")] == ["treat"]
    for change in ("UPDATE decisions SET sha256 = 'x' WHERE seq = 2", "DELETE FROM decisions"):
        with pytest.raises(sa.exc.DBAPIError, match="append only"), store.writing() as connection:
            connection.execute(sa.text(change))


def test_a_changed_decision_is_found_and_a_forgotten_one_is_not_damage(store: Store) -> None:
    append_decisions(store, "r1", [decided(n) for n in range(5)], T)
    with store.writing() as connection:
        connection.execute(sa.text("DELETE FROM decision_texts WHERE customer_id = 'c1'"))
    state = verify_log(store)
    assert (state.entries, state.forgotten) == (5, 1)
    with store.writing() as connection:
        connection.execute(
            sa.text(
                "UPDATE decision_texts SET payload = replace(payload, 'treat', 'holdout') "
                "WHERE decision_id = 'd3'"
            )
        )
    with pytest.raises(DamagedFile, match="damaged at entry 4: its text"):
        verify_log(store)


def test_outbox_rows_are_written_with_their_decisions_or_not_at_all(store: Store) -> None:
    send = {"channel": "email", "action": "apology", "payload": {"x": 1}}
    append_decisions(
        store, "r1", [decided(1)], T, outbox=[{"decision_id": "d1", "customer_id": "c1", **send}]
    )
    with pytest.raises(Conflict):
        append_decisions(
            store, "r2", [decided(2)], T, [{"decision_id": "d1", "customer_id": "c1", **send}]
        )
    assert verify_log(store).entries == 1
    with store.reading() as connection:
        rows = connection.execute(sa.text("SELECT status, attempts FROM outbox")).all()
    assert [tuple(row) for row in rows] == [("waiting", 0)]


def test_outcomes_are_recorded_once(store: Store) -> None:
    append_decisions(store, "r1", [decided(1)], T)
    assert record_outcome(store, "d1", "sent", T, None, T)
    assert not record_outcome(store, "d1", "sent", T, None, T + HOUR)
    assert record_outcome(store, "d1", "answered", T + HOUR, "thanks", T + HOUR)
    assert outcomes_of(store, ["d1"]) == {"d1": [("sent", T), ("answered", T + HOUR)]}
    with pytest.raises(UsageError, match="no outcome"):
        record_outcome(store, "d1", "lost", T, None, T)
    with pytest.raises(UsageError, match="no decision 'd9'"):
        record_outcome(store, "d9", "sent", T, None, T)


def test_a_lease_has_one_holder_and_a_token_that_only_grows(store: Store) -> None:
    first = take_lease(store, "train", "a", HOUR, T)
    with pytest.raises(Conflict, match="train is being done by a"):
        take_lease(store, "train", "b", HOUR, T + HOUR / 2)
    renew_lease(store, "train", first, HOUR, T + HOUR / 2)
    second = take_lease(store, "train", "b", HOUR, T + 2 * HOUR)  # a was paused past its time
    assert second > first
    with pytest.raises(Conflict, match="lost to b"):
        check_lease(store, "train", first)
    release_lease(store, "train", first)  # not a's to release any more
    check_lease(store, "train", second)
    release_lease(store, "train", second)
    assert take_lease(store, "train", "a", HOUR, T + 2 * HOUR) > second


def test_the_salt_is_made_once(store: Store) -> None:
    assert salt(store, T) == salt(store, T + HOUR)
    assert len(salt(store, T)) == 64


def test_forecasts_are_kept_as_issued(store: Store) -> None:
    assert read_forecast(store) is None
    for number in range(3):
        frame = pd.DataFrame({"unique_id": ["total"], "ds": [T], "presage": [float(number)]})
        save_forecast(
            store, frame, as_of=T, issued_at=T + number * HOUR, model_version=f"v{number}"
        )
    newest = read_forecast(store)
    assert newest is not None
    assert newest[0].model_version == "v2"
    assert newest[1]["presage"].tolist() == [2.0]
    earlier = read_forecast(store, issued_by=T + HOUR)
    assert earlier is not None
    pd.testing.assert_frame_equal(earlier[1], frame.assign(presage=1.0), check_dtype=False)
    assert [p.rows for p in publications(store, "forecast")] == [1, 1, 1]
    with store.writing() as connection:
        connection.execute(sa.text("UPDATE publications SET sha256 = 'x' WHERE model_version='v2'"))
    with pytest.raises(DamagedFile, match="forecast"):
        read_forecast(store)


def test_a_run_that_does_its_work_again_issues_no_other_vintage(store: Store) -> None:
    def issue(value: float, scale: float, key: str | None) -> int:
        frame = pd.DataFrame({"unique_id": ["total"], "ds": [T], "presage": [value]})
        meta = {"scale": scale, "key": key}
        return save_forecast(
            store, frame, as_of=T, issued_at=T, model_version="v", meta=meta
        )  # fmt: skip

    first, joined = issue(1.0, 1.0, "night"), issue(1.2, 1.2, "night")
    assert (issue(1.0, 1.0, "night"), issue(1.2, 1.2, "night")) == (first, joined)
    other = issue(2.0, 1.0, "other tables")
    assert issue(1.0, 1.0, "night") > other  # the tables are as before again: this is the newest
    assert len(publications(store, "forecast")) == 4
    assert issue(3.0, 1.0, None) == issue(3.0, 1.0, None)


def test_a_store_without_room_is_named(tmp_path: Path) -> None:
    with open_store(init(tmp_path)) as store:
        with pytest.raises(sa.exc.OperationalError) as full, store.writing() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1")
            for number in range(2000):
                values = {"name": f"n{number}", "value": "x" * 2000, "created_at": T}
                connection.execute(sa.insert(METADATA.tables["facts"]), values)
        told = str(in_words(full.value))
    assert told.startswith(f"{tmp_path}/.presage/store.db: ") and "free some space" in told


def test_registry_history_is_kept_in_order(store: Store) -> None:
    for number in (1, 2):
        registry_event(store, "presage-risk", f"v{number}", "promoted", T, details={"n": number})
    assert [h["details"] for h in registry_history(store, "presage-risk")] == [{"n": 1}, {"n": 2}]
    assert registry_history(store, "presage-volume") == []


def test_what_was_answered_survives_the_death_of_the_process(tmp_path: Path) -> None:
    workspace = init(tmp_path)
    code = (
        "import os, sys\n"
        "from datetime import datetime\n"
        "from data.store import append_events, open_store\n"
        "from data.workspace import Workspace\n"
        "store = open_store(Workspace.open(sys.argv[1], {}))\n"
        "row = {'order_id': '1', 'ordered_at': '2026-01-01', 'customer_id': 'c'}\n"
        "append_events(store, {'orders': [row]}, datetime(2026, 1, 2))\n"
        "with store.writing() as connection:\n"
        "    connection.exec_driver_sql('DELETE FROM events')\n"
        "    os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == 9
    with open_store(workspace) as store:
        assert [event.key for event in events_since(store, 0)] == [("1",)]
        with store.reading() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_a_store_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    workspace = init(tmp_path)
    assert not has_store(workspace)
    (workspace.state_dir / "store.db").write_bytes(b"this is no database, but long enough" * 40)
    with pytest.raises(PresageError, match=r"store\.db cannot be opened: file is not a database"):
        open_store(workspace)
    with pytest.raises(SettingsError, match="there are sqlite and postgresql"):
        open_url("mysql://x/y")
    with pytest.raises(SettingsError, match="is no database URL"):
        open_url("nonsense")


def test_a_store_that_was_cut_or_is_gone_is_refused_by_name(tmp_path: Path) -> None:
    workspace = init(tmp_path)
    with open_store(workspace):
        pass
    file = workspace.state_dir / "store.db"
    whole = file.read_bytes()
    for end in (50, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:end])
        with pytest.raises(DamagedFile, match=r"store\.db was cut short.*backup"):
            open_store(workspace)
    file.write_bytes(whole)
    with open_store(workspace):  # what stands in the log beside it is not missing
        file.write_bytes(whole[: len(whole) - 1])
        file.with_name("store.db-wal").write_bytes(b"frames")
        open_store(workspace).close()
    file.unlink()
    with pytest.raises(DamagedFile, match=r"store\.db is gone.*backup.*known-files"):
        open_store(workspace)


def test_no_bit_of_a_secret_changes_unseen(tmp_path: Path) -> None:
    """A key of one other bit opens nothing, and forgets who was erased."""
    workspace = init(tmp_path)
    for name in ("erasures", "webhook"):
        put_secret(workspace, name, f"5e{name}")
    file = workspace.state_dir / "secrets"
    whole = file.read_bytes()
    seen = 0
    for bit in range(8 * len(whole)):
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        file.write_bytes(content)
        try:
            assert read_secret(workspace, "webhook", {}) == "5ewebhook"
            assert read_secret(workspace, "erasures", {}) == "5eerasures"
        except (DamagedFile, SettingsError) as damaged:
            assert str(file) in str(damaged) and "backup" in str(damaged)
            seen += 1
    assert seen > 4 * len(whole)
    for end in range(whole.index(b"\n") + 1, len(whole) - 1):
        file.write_bytes(whole[:end])
        with pytest.raises(DamagedFile, match=r"is gone|is not what was written"):
            read_secret(workspace, "erasures", {})
    file.unlink()
    with pytest.raises(DamagedFile, match=r"is gone.*backup"):
        read_secret(workspace, "webhook", {})
    with pytest.raises(DamagedFile, match="is gone"):
        put_secret(workspace, "webhook", "another")
    assert read_secret(workspace, "webhook", {"PRESAGE_SECRET_WEBHOOK": "env"}) == "env"


def test_secrets_are_for_their_owner_only(tmp_path: Path) -> None:
    workspace = init(tmp_path)
    assert read_secret(workspace, "webhook", {}) is None
    put_secret(workspace, "webhook", "a = b")
    put_secret(workspace, "other", "x")
    file = workspace.state_dir / "secrets"
    assert file.stat().st_mode & 0o777 == 0o600
    assert read_secret(workspace, "webhook", {}) == "a = b"
    assert read_secret(workspace, "webhook", {"PRESAGE_SECRET_WEBHOOK": "env"}) == "env"
    with file.open("a") as lines:
        lines.write("by_hand = y\n")
    assert read_secret(workspace, "by_hand", {}) == "y"
    file.chmod(0o644)
    with pytest.raises(SettingsError, match="mode 0644"):
        read_secret(workspace, "webhook", {})
    with pytest.raises(SettingsError, match="names are"):
        put_secret(workspace, "a b", "x")
