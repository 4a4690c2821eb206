"""A company of very many customers, served: start, memory, reads, events.

    .venv/bin/python -m benchmarks.api_large DIR --customers 1000000

``DIR``: a workspace with published scores. Its customers are copied with all their rows, under new
ids, until there are so many; their published scores are copied too, for what is measured is the
service. The copies have the same times: each moment is as busy as in a company of that size.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import tempfile
import time
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from benchmarks.api import events, reads_of_many
from benchmarks.api_served import Line, Served
from benchmarks.running import show
from data.files import sha256_of
from data.folder import STATE
from data.snapshot import KNOWN, Snapshot, open_snapshot, seal
from data.tables import ROW
from serving.for_service import keep_for_service
from serving.kept_rows import IN_PACKS
from serving.predictor import Predictor
from serving.published import newest, pointer, publish

if TYPE_CHECKING:
    import pyarrow as pa

OF_CUSTOMERS = ("customer_id", "order_id", "ticket_id", "event_id", "session_id", "feedback_id")
"""Ids that are each customer's own."""
WRITTEN_ANEW = ("file", "sha256", "rows", "as_of", "published_at", "snapshot")


def enlarge(source: Path, target: Path, customers: int) -> int:
    """A copy of a workspace in which so many customers are scored; how many there are."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("snapshots", "mlflow*", "mlart*"))
    scores = newest(target / STATE, "scores")
    assert scores is not None
    copies = -(-customers // len(scores.frame))
    small = open_snapshot(source / STATE / "snapshots" / scores.about["snapshot"])
    snapshot = _enlarged(small, target / STATE / "snapshots", copies)
    frame = pd.concat([_renamed(scores.frame, n) for n in range(copies)], ignore_index=True)
    about = {k: v for k, v in scores.about.items() if k not in WRITTEN_ANEW}
    now = datetime.fromisoformat(scores.about["published_at"])
    about["snapshot"] = snapshot.path.name
    publish(target / STATE, "scores", frame, as_of=scores.as_of, now=now, **about)
    return len(frame)


def _enlarged(small: Snapshot, home: Path, copies: int) -> Snapshot:
    """A snapshot with each customer's rows so many times, under new ids. It is written as such:
    what the tables of so many would be checked for, these were checked for."""
    import pyarrow.parquet as pq

    place = home / hashlib.sha256(f"{copies} x {small.fingerprint}".encode()).hexdigest()[:32]
    place.mkdir(parents=True)
    entries = {}
    for name in small.names:
        file, entry = small.file(name), small.manifest["tables"][name]
        assert file is not None
        rows, again = pq.read_table(file), copies if name in IN_PACKS else 1
        with pq.ParquetWriter(place / file.name, rows.schema, compression="zstd") as writer:
            for number in range(again):
                writer.write_table(_copy(rows, number))
        digest = sha256_of(place / file.name)
        entries[name] = {**entry, "sha256": digest, "rows": again * entry["rows"]}
    shutil.copy(small.path / KNOWN, place / KNOWN)
    manifest = {**small.manifest, "fingerprint": place.name, "tables": entries}
    (place / "manifest.json").write_text(json.dumps({**manifest, "seal": seal(manifest)}))
    return open_snapshot(place)


def _copy(rows: pa.Table, number: int) -> pa.Table:
    """The rows under the ids of a copy, behind those of the copies before it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for name in [*OF_CUSTOMERS, ROW] if number else []:
        if name not in rows.column_names:
            continue
        values = rows[name]
        if name == ROW:
            values = pc.add(values, number * len(rows))
        else:
            end = pa.scalar(f"-{number}", values.type)
            values = pc.binary_join_element_wise(values, end, pa.scalar("", values.type))
        at = rows.column_names.index(name)
        rows = rows.set_column(at, rows.schema.field(at), values)
    return rows


def _renamed(frame: pd.DataFrame, number: int) -> pd.DataFrame:
    return frame.assign(customer_id=frame["customer_id"] + f"-{number}") if number else frame


def measure(source: Path, customers: int, seconds: float, rates: tuple[float, ...]) -> list[Line]:
    """The lines of the table."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        count = enlarge(source, folder / "large", customers)
        began = time.perf_counter()
        state = folder / "large" / STATE
        about = pointer(state, "scores")
        assert about is not None
        snapshot = open_snapshot(state / "snapshots" / about["snapshot"])
        keep_for_service(snapshot, Predictor.of_champion(state))
        kept = time.perf_counter() - began
        began = time.perf_counter()
        served = Served(folder / "large", stack, copy=False)
        started = time.perf_counter() - began
        lines = [
            ["customers scored", f"{count:,}", ""],
            ["files for the service, made at night", f"{kept:.0f} s", ""],
            ["cold start to ready", f"{started:.1f} s", "<= 15 s"],
            ["memory when ready", f"{served.memory_mib():,.0f} MiB", "<= 2,048 MiB"],
            ["the most of it until then", f"{served.peak_mib():,.0f} MiB", ""],
            *reads_of_many(served, seconds),
        ]
        began = time.perf_counter()
        served.ask("POST", "/v1/events", _ticket(served))
        served.ask("POST", "/v1/predictions", {"customer_ids": [served.ids[0]]})
        first = time.perf_counter() - began
        lines.append(["first event to prediction", f"{first:.1f} s", ""])
        lines += events(served, seconds, rates)
        lines.append(["memory after", f"{served.memory_mib():,.0f} MiB", "<= 2,048 MiB"])
        return [*lines, ["the most of it", f"{served.peak_mib():,.0f} MiB", "<= 2,048 MiB"]]


def _ticket(served: Served) -> dict[str, list[dict[str, str]]]:
    at = served.as_of.isoformat() + "Z"
    row = {"ticket_id": "first", "opened_at": at, "channel": "email", "customer_id": served.ids[0]}
    return {"tickets": [row]}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=5.0, help="of one load")
    parser.add_argument("--rates", default="1,5,20", help="events a second")
    chosen = parser.parse_args()
    rates = tuple(float(rate) for rate in chosen.rates.split(","))
    lines = measure(chosen.workspace, chosen.customers, chosen.seconds, rates)
    show(["what", "measured", "bar"], lines)


if __name__ == "__main__":
    main()
