"""The engines that ``benchmarks/features.py`` compares, each as a good data scientist writes it.

``prepare`` is start-up: imports, connections, compilation. ``run`` is what is measured: from the
files to a file (or folder) of sixty columns a customer and as-of time.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

WINDOWS = (1, 3, 7, 14, 28, 90)
LONGEST = timedelta(days=90)
MEASURES = (
    "count(*)", "sum(errors)", "sum(duration_seconds)", "sum(quantity)", "max(duration_seconds)",
    "min(duration_seconds)", "avg(duration_seconds)", "avg(errors)",
    "count(*) errors > 0", "count(*) feature = 'payment_failed'",
)  # fmt: skip
COLUMNS = [f"a{at}" for at in range(len(WINDOWS) * len(MEASURES))]


class Engine(NamedTuple):
    """Start-up, and what is measured."""

    prepare: Callable[[Path, list[datetime]], Any]
    run: Callable[[Any], Any]


# ------------------------------------------------------------------ DuckDB


def _duckdb(world: Path, times: list[datetime]) -> Any:
    import duckdb

    con = duckdb.connect()
    con.execute("SET threads = 2; SET preserve_insertion_order = false")
    con.execute(f"CREATE VIEW usage AS SELECT * FROM '{world}/usage.parquet'")
    con.execute(f"CREATE VIEW customers AS SELECT customer_id FROM '{world}/customers.parquet'")
    out = world.parent / f"out-{time.time_ns()}"
    out.mkdir()
    return con, times, out


def _scan(prepared: Any) -> dict[str, Any]:
    con, _, out = prepared
    con.sql("SELECT max(COLUMNS(*)) FROM usage").fetchall()
    shutil.rmtree(out)
    return {"sums": {}}


def _aggregates(t: str) -> str:
    parts = []
    for days in WINDOWS:
        for measure in MEASURES:
            what, _, where = measure.partition(" ")
            inside = f"used_at >= {t} - interval {days} day" + (f" AND {where}" if where else "")
            parts.append(f"{what} FILTER (WHERE {inside})")
    return ", ".join(f"{part} AS {name}" for part, name in zip(parts, COLUMNS, strict=True))


def _naive(prepared: Any) -> Path:
    """A spine joined with the events of its past, by a range."""
    con, times, out = prepared
    for at, moment in enumerate(times):
        con.execute(
            f"COPY (SELECT s.customer_id, t, {_aggregates('t')} FROM "
            f"(SELECT customer_id, TIMESTAMP '{moment}' AS t FROM customers) s LEFT JOIN usage u "
            "ON u.customer_id = s.customer_id AND u.used_at < t AND used_at >= t - interval 90 day "
            f"GROUP BY ALL) TO '{out}/{at}.parquet'"
        )
    return out


def _filtered(prepared: Any) -> Path:
    """Filtered aggregates, one as-of time after the other."""
    con, times, out = prepared
    for at, moment in enumerate(times):
        t = f"TIMESTAMP '{moment}'"
        con.execute(
            f"COPY (SELECT customer_id, {_aggregates(t)} FROM usage WHERE used_at < {t} "
            f"AND used_at >= {t} - interval 90 day GROUP BY 1) TO '{out}/{at}.parquet'"
        )
    return out


# ------------------------------------------------------------------ Polars, pandas


def _polars_files(world: Path, times: list[datetime]) -> Any:
    import polars as pl

    out = world.parent / f"out-{time.time_ns()}"
    out.mkdir()
    return pl, world, times, out


def _polars(prepared: Any) -> Path:
    pl, world, times, out = prepared
    for at, moment in enumerate(times):
        frame = pl.scan_parquet(world / "usage.parquet").filter(
            (pl.col("used_at") < moment) & (pl.col("used_at") >= moment - LONGEST)
        )
        spent, errors, kind = pl.col("duration_seconds"), pl.col("errors"), pl.col("feature")
        parts = []
        for days in WINDOWS:
            here = pl.col("used_at") >= moment - timedelta(days=days)
            parts += [
                here.sum(), errors.filter(here).sum(), spent.filter(here).sum(),
                pl.col("quantity").filter(here).sum(), spent.filter(here).max(),
                spent.filter(here).min(), spent.filter(here).mean(), errors.filter(here).mean(),
                (here & (errors > 0)).sum(), (here & (kind == "payment_failed")).sum(),
            ]  # fmt: skip
        named = [part.alias(name) for part, name in zip(parts, COLUMNS, strict=True)]
        frame.group_by("customer_id").agg(named).collect().write_parquet(out / f"{at}.parquet")
    return out


def _pandas_files(world: Path, times: list[datetime]) -> Any:
    import pandas as pd

    out = world.parent / f"out-{time.time_ns()}"
    out.mkdir()
    return pd, world, times, out


def _pandas(prepared: Any) -> Path:
    pd, world, times, out = prepared
    columns = ["customer_id", "used_at", "feature", "quantity", "errors", "duration_seconds"]
    for at, moment in enumerate(times):
        recent = [("used_at", "<", moment), ("used_at", ">=", moment - LONGEST)]
        frame = pd.read_parquet(world / "usage.parquet", columns=columns, filters=recent)
        frame["customer_id"] = frame["customer_id"].astype("category")
        frame["with_errors"] = frame["errors"] > 0
        frame["failed"] = frame["feature"] == "payment_failed"
        parts = {}
        for number, days in enumerate(WINDOWS):
            here = frame[frame["used_at"] >= moment - timedelta(days=days)]
            groups = here.groupby("customer_id", observed=True)
            spent, errors = groups["duration_seconds"], groups["errors"]
            measures = [
                groups.size(), errors.sum(), spent.sum(), groups["quantity"].sum(), spent.max(),
                spent.min(), spent.mean(), errors.mean(), groups["with_errors"].sum(),
                groups["failed"].sum(),
            ]  # fmt: skip
            names = COLUMNS[number * len(MEASURES) :]
            parts |= dict(zip(names, measures, strict=False))
        pd.DataFrame(parts).to_parquet(out / f"{at}.parquet")
    return out


# ------------------------------------------------------------------ Presage


def _view() -> Any:
    from features.language import count, largest, mean, smallest, total
    from features.sources import USAGE
    from features.spec import FeatureView
    from features.usage import PAYMENT_FAILED, WITH_ERRORS

    features = []
    for days in WINDOWS:
        features += [
            count(USAGE, days=days), total(USAGE, "errors", days=days),
            total(USAGE, "duration_seconds", days=days), total(USAGE, "quantity", days=days),
            largest(USAGE, "duration_seconds", days=days),
            smallest(USAGE, "duration_seconds", days=days),
            mean(USAGE, "duration_seconds", days=days), mean(USAGE, "errors", days=days),
            count(USAGE, where=WITH_ERRORS, days=days),
            count(USAGE, where=PAYMENT_FAILED, days=days),
        ]  # fmt: skip
    return FeatureView([f.named(name) for f, name in zip(features, COLUMNS, strict=True)])


def _presage_with(view_of: Callable[[Any], Any]) -> Callable[[Path, list[datetime]], Any]:
    def prepare(world: Path, times: list[datetime]) -> Any:
        import pyarrow.parquet  # noqa: F401

        from benchmarks.feature_world import opened
        from data.settings_tree import Engine as EngineSettings
        from features.sets import write_sets

        snapshot = opened(world)
        view = view_of(snapshot)
        out = world.parent / f"out-{time.time_ns()}"
        engine = EngineSettings(memory_limit_gb=2.0, threads=2)
        return write_sets, view, snapshot, times, out, engine

    return prepare


def _default_view(snapshot: Any) -> Any:
    from data.settings import Settings
    from features.views import default_view

    return default_view(snapshot, Settings())


def _presage(prepared: Any) -> Path:
    write_sets, view, snapshot, times, out, engine = prepared
    write_sets(view, snapshot, times, out, engine)
    return out


def _presage_default(prepared: Any) -> dict[str, Any]:
    out = _presage(prepared)
    shutil.rmtree(out)
    return {"features": len(prepared[1]), "sums": {}}


def _with_yesterday(world: Path, times: list[datetime]) -> Any:
    """Twelve sets are there already; the next day is asked for beside them."""
    prepared = _presage_with(lambda snapshot: _view())(world, times)
    _presage(prepared)
    write_sets, view, snapshot, times, out, engine = prepared
    return write_sets, view, snapshot, [*times, times[-1] + timedelta(days=1)], out, engine


def _next_day(prepared: Any) -> dict[str, Any]:
    out = _presage(prepared)
    shutil.rmtree(out)
    return {"sums": {}}


def _online_history(world: Path, times: list[datetime]) -> Any:
    from benchmarks.feature_world import opened
    from features.history import History
    from features.online import Online

    snapshot = opened(world)
    view = _default_view(snapshot)
    history = History.read(view, snapshot).keep()
    return view, snapshot, history, Online(view, history), len(times)


def _online(prepared: Any) -> dict[str, Any]:
    import numpy as np
    import pandas as pd

    from benchmarks.feature_world import AS_OF
    from features.asof import microseconds
    from features.compute import compute

    view, snapshot, history, online, pairs = prepared
    names = snapshot.frame("customers", ["customer_id"])["customer_id"].to_numpy(dtype=object)
    rng = np.random.default_rng(0)
    who = rng.integers(0, len(names), pairs)
    back = rng.integers(0, 200 * 86_400_000_000, pairs)
    moments = microseconds(AS_OF) - back
    spent, walls, rows = [], [], []
    for customer, moment in zip(names[who], moments.tolist(), strict=True):
        cpu, wall = time.process_time(), time.perf_counter()
        rows.append(online.values(customer, moment))
        spent.append(time.process_time() - cpu)
        walls.append(time.perf_counter() - wall)
    spine = pd.DataFrame({
        "customer_id": names[who], "as_of": moments.astype("datetime64[us]")
    })  # fmt: skip
    batch = compute(view, spine, history)
    different = values = 0
    for column, feature in enumerate(view.features):
        one = np.array([row[column] for row in rows])
        whole = batch[feature.name]
        values += len(one)
        if feature.categorical:
            texts = history.categories(feature.node.source, feature.node.value)
            words = np.append(texts, None)[one.astype(int)]
            same = whole.astype(object).where(whole.notna(), None).to_numpy() == words
        else:
            bits = one.astype(np.float32).view(np.uint32)
            nan = np.isnan(one) & whole.isna().to_numpy()
            same = (bits == whole.to_numpy().view(np.uint32)) | nan
        different += int((~same).sum())
    quantile = lambda taken, q: float(np.quantile(taken, q) * 1000)  # noqa: E731
    return {
        "features": len(view), "customers": len(names), "pairs": pairs, "values": values,
        "events": sum(snapshot.rows(name) for name in snapshot.names), "different": different,
        "p50": quantile(spent, 0.5), "p99": quantile(spent, 0.99),
        "wall_p50": quantile(walls, 0.5), "wall_p99": quantile(walls, 0.99), "sums": {},
    }  # fmt: skip


def checksums_of(out: Path) -> dict[str, float]:
    """The sums of all columns over all files, which are then removed."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    sums = dict.fromkeys(COLUMNS, 0.0)
    for file in sorted(out.rglob("*.parquet")):
        table = pq.ParquetFile(file)
        for name in COLUMNS:
            values = table.read(columns=[name])[name].cast("float64")
            known = pc.filter(values, pc.is_finite(values))
            sums[name] += pc.sum(known).as_py() or 0.0
    shutil.rmtree(out)
    return sums


ENGINES: Mapping[str, Engine] = {
    "scan": Engine(_duckdb, _scan),
    "naive": Engine(_duckdb, _naive),
    "filtered": Engine(_duckdb, _filtered),
    "polars": Engine(_polars_files, _polars),
    "pandas": Engine(_pandas_files, _pandas),
    "presage": Engine(_presage_with(lambda snapshot: _view()), _presage),
    "presage-next-day": Engine(_with_yesterday, _next_day),
    "presage-default": Engine(_presage_with(_default_view), _presage_default),
    "presage-online": Engine(_online_history, _online),
}
