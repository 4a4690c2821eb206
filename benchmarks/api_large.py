"""A company of very many customers, served: start, memory, reads, events.

    .venv/bin/python -m benchmarks.api_large DIR --customers 1000000

``DIR``: a workspace with published scores. Its customers are copied with all their rows, under new
ids, until there are so many; their published scores are copied too, for what is measured is the
service. The copies have the same times: each moment is as busy as in a company of that size.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import pandas as pd

from benchmarks.api import events, reads_of_many
from benchmarks.api_served import Line, Served
from benchmarks.running import show
from data.contract import TABLES
from data.snapshot import take
from data.workspace import Workspace
from serving.published import newest, publish

OF_CUSTOMERS = ("customer_id", "order_id", "ticket_id", "event_id", "session_id", "feedback_id")
"""Ids that are each customer's own."""
WRITTEN_ANEW = ("file", "sha256", "rows", "as_of", "published_at", "snapshot")


def enlarge(source: Path, target: Path, customers: int) -> int:
    """A copy of a workspace in which so many customers are scored; how many there are."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("snapshots", "mlflow*", "mlart*"))
    workspace = Workspace.open(target)
    scores = newest(workspace.state_dir, "scores")
    assert scores is not None
    copies = -(-customers // len(scores.frame))
    for path in sorted((target / "tables").glob("*.parquet")):
        _copy(path, copies)
    snapshot = take(workspace, lambda message: print(message, file=sys.stderr))
    frame = pd.concat([_renamed(scores.frame, n) for n in range(copies)], ignore_index=True)
    about = {k: v for k, v in scores.about.items() if k not in WRITTEN_ANEW}
    now = datetime.fromisoformat(scores.about["published_at"])
    about["snapshot"] = snapshot.path.name
    publish(workspace.state_dir, "scores", frame, as_of=scores.as_of, now=now, **about)
    return len(frame)


def _copy(path: Path, copies: int) -> None:
    """The table with each customer's rows again, under new ids; other tables stay."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if "customer_id" not in TABLES[path.stem].names and path.stem != "order_items":
        return
    frame = pd.read_parquet(path)
    schema = pa.Table.from_pandas(frame, preserve_index=False).schema
    staged = path.with_suffix(".new")
    with pq.ParquetWriter(staged, schema) as writer:
        for number in range(copies):
            renamed = _renamed(frame, number)
            writer.write_table(pa.Table.from_pandas(renamed, schema, preserve_index=False))
    staged.replace(path)


def _renamed(frame: pd.DataFrame, number: int) -> pd.DataFrame:
    if not number:
        return frame
    own = [name for name in OF_CUSTOMERS if name in frame.columns]
    return frame.assign(**{name: frame[name] + f"-{number}" for name in own})


def measure(source: Path, customers: int, seconds: float, rates: tuple[float, ...]) -> list[Line]:
    """The lines of the table."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        count = enlarge(source, folder / "large", customers)
        began = time.perf_counter()
        served = Served(folder / "large", stack, copy=False)
        started = time.perf_counter() - began
        lines = [
            ["customers scored", f"{count:,}", ""],
            ["cold start to ready", f"{started:.1f} s", "<= 15 s"],
            ["memory when ready", f"{served.memory_mib():,.0f} MiB", "<= 2,048 MiB"],
            *reads_of_many(served, seconds),
        ]
        began = time.perf_counter()
        served.ask("POST", "/v1/events", _ticket(served))
        served.ask("POST", "/v1/predictions", {"customer_ids": [served.ids[0]]})
        first = time.perf_counter() - began
        lines.append(["first event to prediction", f"{first:.1f} s", ""])
        lines += events(served, seconds, rates)
        return [*lines, ["memory after", f"{served.memory_mib():,.0f} MiB", "<= 2,048 MiB"]]


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
