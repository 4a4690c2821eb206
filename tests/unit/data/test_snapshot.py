"""Snapshots: whole, hashed, verified, reused, and equal to their twin in memory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from data.check import check
from data.contract import TABLES
from data.errors import Conflict, DamagedFile, DataError
from data.files import sha256_of
from data.snapshot import MemoryTables, Snapshot, Tables, open_snapshot, snapshot_of, take
from data.store import append_events, open_store
from data.workspace import Workspace, init, set_setting, write_tables

NOW = datetime(2026, 6, 1)


def company() -> dict[str, pd.DataFrame]:
    """A few rows of most tables in the types that exports have."""
    times = pd.to_datetime(
        ["2026-01-01 10:00:00.123456", "2026-01-02", "2026-01-03"], format="ISO8601"
    )
    return {
        "customers": pd.DataFrame(
            {
                "customer_id": [1.0, 2.0, np.nan],
                "signed_up_at": times.tz_localize("Europe/Oslo"),
                "tier": ["gold", None, "tin"],
                "score": [1, 2, 3],
                "beta": [True, False, True],
                "email_consent": [1.0, 0.0, np.nan],
                "value": ["10.5", "", "7"],
            }
        ).iloc[:2],
        "orders": pd.DataFrame(
            {
                "order_id": [1, 2, 2],
                "ordered_at": times.astype("datetime64[ns]"),
                "customer_id": pd.array([1, 2, 2], dtype="Int64"),
                "amount": pd.array([1, None, 3], dtype="Float32"),
                "delivered_at": [None, "2026-01-05T12:00:00+01:00", "2026-01-05"],
                "recorded_at": [None, "2026-01-02", "2026-01-06"],
                "deleted": [None, None, True],
            }
        ),
        "order_items": pd.DataFrame({"order_id": ["2", "1"], "line": [1, 1], "quantity": [2, 3]}),
        "usage": pd.DataFrame(
            {
                "used_at": times.date,
                "customer_id": ["1", "2", "2"],
                "feature": pd.Categorical(list("abb")),
            }
        ),
        "tickets": pd.DataFrame(
            {
                "ticket_id": ["a", "b", "c"],
                "opened_at": ["2026-01-01T00:00:00Z", "2026-01-01 00:00:00", "2026-01-01"],
                "channel": ["email", "phone", "email"],
                "is_complaint": ["true", None, "No"],
                "csat": [1, np.nan, 5],
            }
        ),
        "volumes": pd.DataFrame(
            {
                "unique_id": ["m", "m", "h", "h", "one"],
                "ds": pd.to_datetime(
                    ["2026-01-01", "2026-02-01", "2026-01-01", "2026-01-01 06:00", "2026-01-01"],
                    format="ISO8601",
                ),
                "y": [1, 2, 3, 4, 5],
            }
        ),
        "agents": pd.DataFrame(
            {"agent_id": ["x", "y"], "hired_at": times[:2], "skills": [["email", "chat"], None]}
        ),
    }


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    folder = init(tmp_path / "acme").path
    write_tables(folder, company(), by_key=False)
    set_setting(folder, "data.attributes", ["tier", "score", "beta", "nowhere"])
    return Workspace.open(folder, {})


def test_a_snapshot_and_its_twin_in_memory_are_the_same(workspace: Workspace) -> None:
    snapshot = take(workspace, now=NOW)
    memory = MemoryTables(company(), attributes=("tier", "score", "beta", "nowhere"))
    assert isinstance(snapshot, Tables)
    assert isinstance(memory, Tables)
    assert snapshot.names == memory.names
    assert snapshot.attributes == memory.attributes == ("tier", "score", "beta")
    for name in TABLES:
        assert snapshot.has(name) == memory.has(name)
        pd.testing.assert_frame_equal(snapshot.frame(name), memory.frame(name))
        assert (snapshot.file(name) is None) != snapshot.has(name)


def test_values_are_what_the_contract_says(workspace: Workspace) -> None:
    snapshot = take(workspace, now=NOW)
    orders = snapshot.frame("orders", ["recorded_at", "order_id", "delivered_at", "deleted"])
    assert list(orders.columns) == ["recorded_at", "order_id", "delivered_at", "deleted"]
    assert orders["order_id"].tolist() == ["1", "2", "2"]
    assert orders["recorded_at"].tolist() == [
        pd.Timestamp("2026-01-01 10:00:00.123456"),  # its birth, to the microsecond
        pd.Timestamp("2026-01-02"),
        pd.Timestamp("2026-01-06"),
    ]
    assert orders["delivered_at"].iloc[1] == pd.Timestamp("2026-01-05 11:00")
    assert orders["deleted"].tolist() == [False, False, True]
    items = snapshot.frame("order_items")
    assert items["recorded_at"].tolist() == [
        pd.Timestamp("2026-01-02"),  # born with their order, at its first version
        pd.Timestamp("2026-01-01 10:00:00.123456"),
    ]
    volumes = snapshot.frame("volumes")
    assert volumes["recorded_at"].astype(str).tolist() == [
        "2026-02-01 00:00:00",
        "2026-03-01 00:00:00",
        "2026-01-01 06:00:00",
        "2026-01-01 12:00:00",
        "2026-01-01 06:00:00",
    ]
    assert snapshot.frame("customers")["signed_up_at"].iloc[1] == pd.Timestamp("2026-01-01 23:00")
    assert snapshot.frame("agents")["skills"].tolist() == [("email", "chat"), None]


def test_asking_for_a_column_that_is_not_there_is_refused(workspace: Workspace) -> None:
    with pytest.raises(DataError, match=r"orders has no column 'amout'\. Did you mean \"amount\""):
        take(workspace, now=NOW).frame("orders", ["amout"])
    with pytest.raises(DataError, match="amout"):
        MemoryTables(company()).frame("orders", ["amout"])


def test_it_is_reused_until_something_changes(workspace: Workspace) -> None:
    first = take(workspace, now=NOW)
    assert take(workspace, now=NOW).path == first.path
    order = {"order_id": "9", "ordered_at": "2026-02-01T00:00:00Z", "customer_id": "1"}
    with open_store(workspace) as store:
        append_events(store, {"orders": [order]}, datetime(2026, 2, 2))
    second = take(workspace, now=NOW)
    assert second.path != first.path
    added = second.frame("orders").iloc[-1]
    assert (added["order_id"], added["_row"]) == ("9", 3)
    assert added["recorded_at"] == pd.Timestamp("2026-02-02")  # when it was posted
    changed = company()["tickets"].assign(priority="high")
    write_tables(workspace.path, {"tickets": changed})
    third = take(workspace, now=NOW)
    assert third.path not in (first.path, second.path)
    assert third.frame("tickets")["priority"].tolist() == ["high"] * 3
    set_setting(workspace.path, "data.attributes", ["tier"])
    assert take(Workspace.open(workspace.path, {}), now=NOW).attributes == ("tier",)


def test_a_posted_row_corrects_a_row_of_a_file_as_a_later_version(workspace: Workspace) -> None:
    row = {
        "ticket_id": "a",
        "opened_at": "2026-01-01T00:00:00Z",
        "channel": "email",
        "public": True,
    }
    with open_store(workspace) as store:
        append_events(store, {"tickets": [row], "agents": []}, datetime(2026, 2, 2))
    tickets = take(workspace, now=NOW).frame("tickets")
    versions = tickets[tickets["ticket_id"] == "a"]
    assert versions["recorded_at"].dt.day.tolist() == [1, 2]
    assert versions["public"].tolist() == [pd.NA, True]


def test_posted_lists_and_versions_of_agents_come_through(workspace: Workspace) -> None:
    row = {"agent_id": "z", "hired_at": "2026-01-01", "skills": ["phone", "chat"]}
    with open_store(workspace) as store:
        append_events(store, {"agents": [row]}, datetime(2026, 2, 2))
    assert take(workspace, now=NOW).frame("agents")["skills"].iloc[-1] == ("phone", "chat")


def test_a_row_of_the_future_is_taken_in_when_its_time_has_come(workspace: Workspace) -> None:
    write_tables(workspace.path, company())
    early = datetime(2026, 1, 2, 12)
    first = take(workspace, now=early)
    assert len(first.frame("usage")) == 2
    assert take(workspace, now=early).path == first.path
    later = take(workspace, now=NOW)
    assert len(later.frame("usage")) == 3
    assert take(workspace, now=NOW).path == later.path


def test_a_flipped_bit_is_seen_before_anything_is_read(workspace: Workspace) -> None:
    snapshot = take(workspace, now=NOW)
    file = snapshot.file("tickets")
    assert file is not None
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    for read in (lambda: open_snapshot(snapshot.path), lambda: take(workspace, now=NOW)):
        with pytest.raises(DamagedFile, match=r"tickets\.parquet is damaged"):
            read()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda path: (path / "orders.parquet").unlink(), r"orders\.parquet is missing"),
        (lambda path: (path / "manifest.json").write_text("{"), r"manifest\.json is damaged"),
        (lambda path: (path / "manifest.json").write_text("[]"), r"manifest\.json is damaged"),
        (
            lambda path: (path / "manifest.json").write_text(
                (path / "manifest.json").read_text().replace('"rows": 3', '"rows": 4', 1)
            ),
            r"does not match its seal",
        ),
    ],
)
def test_a_damaged_folder_is_refused_by_name(workspace: Workspace, change, told: str) -> None:  # type: ignore[no-untyped-def]
    snapshot = take(workspace, now=NOW)
    change(snapshot.path)
    with pytest.raises(DamagedFile, match=told):
        take(workspace, now=NOW)


def test_a_snapshot_of_a_newer_release_is_refused_by_name_or_taken_anew(
    workspace: Workspace,
) -> None:
    snapshot = take(workspace, now=NOW)
    later = snapshot.path.with_name("later")
    shutil.copytree(snapshot.path, later)
    manifest = json.loads((later / "manifest.json").read_text())
    (later / "manifest.json").write_text(json.dumps({"tables_of_99": {}, **manifest, "format": 99}))
    with pytest.raises(DamagedFile, match=r"format 99.*a newer release of Presage took it"):
        open_snapshot(later)
    assert snapshot_of(workspace, "later").frame("orders").shape[0] == 3
    assert snapshot_of(workspace, snapshot.path.name).path == snapshot.path


def test_a_half_written_snapshot_is_never_read_and_made_anew(workspace: Workspace) -> None:
    snapshot = take(workspace, now=NOW)
    (snapshot.path / "manifest.json").unlink()
    with pytest.raises(DamagedFile, match="half written"):
        open_snapshot(snapshot.path)
    assert take(workspace, now=NOW).frame("orders").shape[0] == 3


def test_a_run_that_was_killed_leaves_nothing_behind(workspace: Workspace) -> None:
    """A process that ends between filling and renaming leaves a staged folder; it is cleared."""
    code = (
        "import os, sys, data.snapshot as s\n"
        "s.publish = lambda *a: os._exit(9)\n"
        "from datetime import datetime\n"
        "from data.workspace import Workspace\n"
        "s.take(Workspace.open(sys.argv[1], {}), now=datetime(2026, 6, 1))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(workspace.path)], check=False)
    assert done.returncode == 9
    folder = workspace.state_dir / "snapshots"
    assert [p.name.startswith(".staging-") for p in folder.iterdir()] == [True]
    snapshot = take(workspace, now=NOW)
    assert list(folder.iterdir()) == [snapshot.path]


def test_the_three_used_last_are_kept(tmp_path: Path) -> None:
    workspace = init(tmp_path)
    paths: list[Path] = []
    for number in range(5):
        write_tables(workspace.path, {"tickets": company()["tickets"].assign(topic=f"t{number}")})
        paths.append(take(workspace, now=NOW).path)
        for age, path in enumerate(reversed(paths)):
            if path.exists():
                os.utime(path, (1e9 - age, 1e9 - age))
    assert [path.exists() for path in paths] == [False, False, True, True, True]


def test_the_manifest_tells_rows_and_hashes(workspace: Workspace) -> None:
    snapshot: Snapshot = take(workspace, now=NOW)
    manifest = json.loads((snapshot.path / "manifest.json").read_text())
    assert manifest["fingerprint"] == snapshot.path.name == snapshot.fingerprint
    assert {name: entry["rows"] for name, entry in manifest["tables"].items()} == {
        name: len(frame) for name, frame in company().items()
    }
    assert snapshot.rows("orders") == 3
    assert snapshot.rows("feedback") == 0


def test_default_as_of_is_the_last_local_midnight_of_what_is_known(workspace: Workspace) -> None:
    assert workspace.default_as_of() == datetime(2026, 3, 1)  # the newest volume's birth
    shutil.rmtree(workspace.state_dir / "snapshots")
    (workspace.tables_dir / "volumes.parquet").unlink()
    assert workspace.default_as_of() == datetime(2026, 1, 3)
    set_setting(workspace.path, "company.time_zone", "America/New_York")
    assert Workspace.open(workspace.path, {}).default_as_of() == datetime(2026, 1, 2, 5)
    set_setting(workspace.path, "data.complete_to", datetime(2026, 2, 1))
    assert Workspace.open(workspace.path, {}).default_as_of() == datetime(2026, 2, 1)


@pytest.mark.parametrize("zone", ["Europe/Oslo", "America/New_York"])
def test_the_default_as_of_is_the_end_of_the_last_quarter_counted(
    zone: str, tmp_path: Path
) -> None:
    folder = init(tmp_path / "counts").path
    begins = pd.date_range("2022-01-01", "2023-10-01", freq="QS", tz=zone)
    begins = begins.tz_convert("UTC").tz_localize(None)
    rows = pd.DataFrame({"unique_id": "m", "ds": begins[:-1], "y": 1.0})
    write_tables(folder, {"volumes": rows})
    set_setting(folder, "company.time_zone", zone)
    assert Workspace.open(folder, {}).default_as_of() == begins[-1]


def test_an_empty_workspace_has_no_default_as_of(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="orders, usage, tickets and volumes have no rows"):
        init(tmp_path / "empty").default_as_of()


def test_csv_and_parquet_of_the_same_rows_are_the_same(tmp_path: Path) -> None:
    frames = {}
    for kind in ("csv", "parquet"):
        workspace = init(tmp_path / kind)
        tickets = company()["tickets"].assign(text='a "quoted",\nline')
        if kind == "csv":
            tickets.to_csv(workspace.tables_dir / "tickets.csv", index=False)
        else:
            write_tables(workspace.path, {"tickets": tickets})
        frames[kind] = take(workspace, now=NOW).frame("tickets")
    pd.testing.assert_frame_equal(frames["csv"], frames["parquet"])


def test_tables_that_change_while_they_are_read_make_no_snapshot(workspace: Workspace) -> None:
    def changes(message: str) -> None:
        if message.startswith("orders"):
            write_tables(workspace.path, {"customers": company()["customers"].iloc[:1]}, False)

    with pytest.raises(Conflict, match="changed while it was being read"):
        take(workspace, changes, now=NOW)
    assert list((workspace.state_dir / "snapshots").iterdir()) == []
    assert take(workspace, now=NOW).rows("customers") == 1


def test_a_check_meanwhile_does_not_lose_a_row_of_the_near_future(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten minutes ahead of the clock, while another process checks and rewrites quarantine."""
    write_tables(workspace.path, company())
    early, row = datetime(2026, 1, 2, 23, 50), datetime(2026, 1, 3)

    def and_meanwhile(message: str) -> None:
        if message.startswith("volumes"):
            check(workspace, now=NOW)

    first = take(workspace, and_meanwhile, now=early)
    assert len(first.frame("usage")) == 2
    assert first.manifest["valid_until"] == row.isoformat()
    assert len(take(workspace, now=datetime(2026, 1, 3, 0, 1)).frame("usage")) == 3


def test_a_half_written_quarantine_harms_no_later_run(workspace: Workspace) -> None:
    write_tables(workspace.path, company())
    quarantine = workspace.state_dir / "quarantine"
    quarantine.mkdir(exist_ok=True)
    for name in (".staging-4711-00ff-usage.parquet", ".staging-1a2b3c"):
        (quarantine / name).write_bytes(b"PAR1 half")
    early = datetime(2026, 1, 2, 12)
    assert len(take(workspace, now=early).frame("usage")) == 2
    assert not check(workspace, now=early).ok
    assert sorted(path.name for path in quarantine.iterdir())[-1] == "volumes.parquet"
    assert not list(quarantine.glob(".staging-*"))


def test_columns_that_the_contract_got_later_read_as_null(tmp_path: Path) -> None:
    workspace = init(tmp_path)
    write_tables(tmp_path, {"customers": company()["customers"]})
    snapshot = take(workspace, now=NOW)
    file = snapshot.path / "customers.parquet"
    whole = snapshot.frame("customers")
    older = pq.read_table(file).drop_columns(["do_not_profile", "closed_at"])
    pq.write_table(older, file)
    manifest = {**snapshot.manifest, "tables": dict(snapshot.manifest["tables"])}
    manifest["tables"]["customers"] |= {"sha256": sha256_of(file)}
    found = Snapshot(snapshot.path, manifest).frame("customers")
    pd.testing.assert_frame_equal(found, whole)
