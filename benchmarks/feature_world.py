"""Companies to measure features on: files as a snapshot has them, made in seconds from a seed."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data.contract import TABLES
from data.files import sha256_of
from data.snapshot import KNOWN, Snapshot

BEGIN = datetime(2025, 1, 1)
AS_OF = datetime(2025, 12, 28)
DAYS = 365
DAY = 86_400_000_000
FEATURES = ["login", "search", "export", "report", "upload", "share", "api", "payment_failed"]
BATCH = 2_000_000
KINDS = {
    "string": pa.string(), "timestamp": pa.timestamp("us"), "float": pa.float64(),
    "integer": pa.int64(), "bool": pa.bool_(), "strings": pa.list_(pa.string()),
}  # fmt: skip


def make_usage(folder: Path, customers: int, events: int) -> Path:
    """Customers and their usage of a year, in time order, as a log has it."""
    return _folder_of(folder, customers, {"usage": events})


def make_company(folder: Path, customers: int, events: int) -> Path:
    """Every table that the default view reads; ``events`` rows over all of them."""
    shares = {
        "orders": 0.14, "order_items": 0.16, "usage": 0.55, "tickets": 0.04, "bot_sessions": 0.03,
        "feedback": 0.02, "article_events": 0.06,
    }  # fmt: skip
    return _folder_of(
        folder, customers, {name: int(events * part) for name, part in shares.items()}
    )


def opened(folder: Path) -> Snapshot:
    """The files as a snapshot, not verified again."""
    return Snapshot(folder, json.loads((folder / "manifest.json").read_text()))


def _folder_of(folder: Path, customers: int, rows: dict[str, int]) -> Path:
    manifest_file = folder / "manifest.json"
    if manifest_file.exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    world = _World(customers, rng, rows.get("orders", 0))
    _write(folder, "customers", customers, world)
    if len(rows) > 1:
        _write(folder, "articles", 200, world)
    for name, count in rows.items():
        _write(folder, name, count, world)
    _write_known(folder)
    files = {p.stem: p for p in folder.glob("*.parquet") if p.name != KNOWN}
    tables = {
        name: {
            "rows": pq.read_metadata(file).num_rows, "sha256": sha256_of(file),
            "newest_birth": None, "seen_from_birth": TABLES[name].birth is not None,
            "versioned": False,
        }
        for name, file in files.items()
    }  # fmt: skip
    manifest = {
        "format": 2, "fingerprint": hashlib.sha256(str(rows).encode()).hexdigest()[:32],
        "attributes": [], "tables": tables, "quarantined": {}, "valid_until": None,
        "known": sha256_of(folder / KNOWN),
    }  # fmt: skip
    manifest_file.write_text(json.dumps(manifest))
    return folder


def _write_known(folder: Path) -> None:
    import duckdb

    from data.known import known, write_digests

    con = duckdb.connect()
    rows = [
        (file.stem, moment, str(digest))
        for file in sorted(folder.glob("*.parquet"))
        for moment, digest in known(con.read_parquet(str(file)), file.stem)
    ]
    write_digests(folder / KNOWN, rows)


class _World:
    """What rows refer to."""

    def __init__(self, customers: int, rng: np.random.Generator, orders: int) -> None:
        self.rng, self.orders = rng, orders
        self.ids = pa.array([f"c{at:07d}" for at in range(customers)])
        rate = rng.gamma(1.0, 1.0, customers)
        self.weight = np.cumsum(rate) / rate.sum()

    def customers(self, count: int) -> pa.Array:
        return self.ids.take(pa.array(np.searchsorted(self.weight, self.rng.random(count))))

    def one_of(self, values: list[str], count: int) -> pa.Array:
        return pa.array(values).take(pa.array(self.rng.integers(0, len(values), count)))

    def named(self, prefix: str, kinds: int, count: int) -> pa.Array:
        return self.one_of([f"{prefix}{at}" for at in range(kinds)], count)

    def later(self, times: np.ndarray, days: float, share: float) -> pa.Array:
        """A time after another, for a share of the rows."""
        after = times + (self.rng.exponential(days, len(times)) * DAY).astype(np.int64)
        return _times(after, self.rng.random(len(times)) >= share)


def _times(times: np.ndarray, null: np.ndarray | None = None) -> pa.Array:
    return pa.array(times.astype("datetime64[us]"), pa.timestamp("us"), mask=null)


def _write(folder: Path, name: str, count: int, world: _World) -> None:
    contract = TABLES[name]
    schema = pa.schema(
        [(c.name, KINDS[c.dtype]) for c in contract.columns] + [("_row", pa.int64())]
    )
    begin = int(np.datetime64(BEGIN, "us").astype(np.int64))
    with pq.ParquetWriter(folder / f"{name}.parquet", schema, compression="zstd") as writer:
        for low in range(0, count, BATCH):
            size = min(BATCH, count - low)
            edges = [begin + DAY * DAYS * at // count for at in (low, low + size)]
            times = np.sort(world.rng.integers(*edges, size))
            columns = ROWS[name](world, times, np.arange(low, low + size))
            birth = columns.get(contract.birth or "", _times(times))
            columns |= {"recorded_at": birth, "deleted": pa.array(np.zeros(size, dtype=bool))}
            columns["_row"] = pa.array(np.arange(low, low + size))
            arrays = [columns.get(f.name, pa.nulls(size, f.type)) for f in schema]
            writer.write_table(pa.table(arrays, schema=schema), row_group_size=500_000)


def _ids(prefix: str, rows: np.ndarray) -> pa.Array:
    return pa.array([f"{prefix}{at}" for at in rows.tolist()])


def _customers(w: _World, times: np.ndarray, rows: np.ndarray) -> dict[str, pa.Array]:
    size = len(rows)
    early = np.full(size, int(np.datetime64("2024-06-01", "us").astype(np.int64)))
    return {
        "customer_id": w.ids.slice(int(rows[0]), size), "signed_up_at": _times(early),
        "region": w.named("r", 12, size), "platform": w.one_of(["ios", "android", "web"], size),
        "plan": w.one_of(["free", "pro"], size), "segment": w.one_of(["b2b", "b2c"], size),
        "language": w.one_of(["en", "es", "nb"], size),
        "value": pa.array(np.round(w.rng.gamma(2, 100, size), 2)),
    }  # fmt: skip


def _usage(w: _World, times: np.ndarray, rows: np.ndarray) -> dict[str, pa.Array]:
    size = len(rows)
    kind = w.rng.choice(8, size, p=[0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.08, 0.02])
    return {
        "used_at": _times(times), "customer_id": w.customers(size),
        "feature": pa.array(FEATURES).take(pa.array(kind)),
        "quantity": pa.array(w.rng.integers(1, 5, size).astype(float)),
        "errors": pa.array(w.rng.poisson(0.1, size).astype(float)),
        "duration_seconds": pa.array(np.round(w.rng.gamma(2, 60, size), 1)),
    }  # fmt: skip


def _orders(w: _World, times: np.ndarray, rows: np.ndarray) -> dict[str, pa.Array]:
    size = len(rows)
    return {
        "order_id": _ids("o", rows), "ordered_at": _times(times), "customer_id": w.customers(size),
        "product_id": w.named("p", 4000, size), "product_category": w.named("k", 12, size),
        "quantity": pa.array(w.rng.integers(1, 9, size).astype(float)),
        "amount": pa.array(np.round(w.rng.gamma(2, 40, size), 2)),
        "carrier": w.named("carrier", 3, size), "promised_at": _times(times + 5 * DAY),
        "shipped_at": w.later(times, 1, 0.98), "delivered_at": w.later(times, 4, 0.95),
        "cancelled_at": w.later(times, 2, 0.03), "returned_at": w.later(times, 20, 0.05),
        "refunded_at": w.later(times, 25, 0.04),
    }  # fmt: skip


def _items(w: _World, times: np.ndarray, rows: np.ndarray) -> dict[str, pa.Array]:
    size = len(rows)
    order = np.minimum((rows * max(1, w.orders) // max(1, w.orders * 8 // 7)), w.orders - 1)
    return {
        "order_id": _ids("o", order), "line": _ids("", rows),
        "product_id": w.named("p", 4000, size),
        "quantity": pa.array(w.rng.integers(1, 9, size).astype(float)),
        "amount": pa.array(np.round(w.rng.gamma(2, 20, size), 2)),
    }  # fmt: skip


def _tickets(w: _World, times: np.ndarray, rows: np.ndarray) -> dict[str, pa.Array]:
    size = len(rows)
    return {
        "ticket_id": _ids("t", rows), "opened_at": _times(times), "customer_id": w.customers(size),
        "channel": w.one_of(["email", "phone", "chat"], size),
        "topic": w.one_of(["billing", "delivery", "product", "other"], size),
        "is_complaint": pa.array(w.rng.random(size) < 0.4),
        "priority": w.one_of(["low", "high"], size), "product_id": w.named("p", 4000, size),
        "first_response_at": w.later(times, 0.3, 0.95), "resolved_at": w.later(times, 2, 0.9),
        "reopened_at": w.later(times, 5, 0.05),
        "handle_seconds": pa.array(np.round(w.rng.gamma(2, 200, size))),
        "csat": pa.array(w.rng.integers(1, 6, size).astype(float)),
        "csat_at": w.later(times, 3, 0.3),
    }  # fmt: skip


def _bots(w: _World, times: np.ndarray, rows: np.ndarray) -> dict[str, pa.Array]:
    size = len(rows)
    return {
        "session_id": _ids("s", rows), "started_at": _times(times),
        "customer_id": w.customers(size), "topic": w.one_of(["billing", "delivery"], size),
        "ended_at": w.later(times, 0.005, 1.0), "contained": pa.array(w.rng.random(size) < 0.6),
        "handed_over_at": w.later(times, 0.005, 0.3),
    }  # fmt: skip


def _feedback(w: _World, times: np.ndarray, rows: np.ndarray) -> dict[str, pa.Array]:
    size = len(rows)
    return {
        "feedback_id": _ids("f", rows), "given_at": _times(times),
        "customer_id": w.customers(size), "kind": w.one_of(["survey", "review"], size),
        "rating": pa.array(w.rng.integers(1, 6, size).astype(float)),
    }  # fmt: skip


def _articles(w: _World, times: np.ndarray, rows: np.ndarray) -> dict[str, pa.Array]:
    return {
        "article_id": _ids("a", rows), "published_at": _times(np.full(len(rows), times[0])),
        "topic": w.one_of(["billing", "delivery"], len(rows)),
    }  # fmt: skip


def _views(w: _World, times: np.ndarray, rows: np.ndarray) -> dict[str, pa.Array]:
    size = len(rows)
    return {
        "viewed_at": _times(times), "article_id": w.named("a", 200, size),
        "customer_id": w.customers(size), "helpful": pa.array(w.rng.random(size) < 0.5),
    }  # fmt: skip


ROWS = {
    "customers": _customers, "usage": _usage, "orders": _orders, "order_items": _items,
    "tickets": _tickets, "bot_sessions": _bots, "feedback": _feedback, "articles": _articles,
    "article_events": _views,
}  # fmt: skip
