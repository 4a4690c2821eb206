"""What features cost: this engine beside SQL, Polars and pandas, on the same files in one run.

    .venv/bin/python -m benchmarks.features   # 1 M customers, 36 M events
    .venv/bin/python -m benchmarks.features --customers 20000 --events 700000 --only windows
    .venv/bin/python -m benchmarks.features --only growth --events 64000000

Each engine runs in a process of its own: CPU seconds (imports and compilation apart), wall seconds,
peak memory. Every engine's sixty columns must have the same sums, or the run fails. Parts:
``windows`` (60 usual window features, one and twelve as-of times), ``default`` (the whole default
view with context), ``growth`` (events x 1, 4, 16, 64), ``online`` (one customer at one moment).
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.feature_engines import ENGINES, checksums_of
from benchmarks.feature_world import AS_OF, make_company, make_usage

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("windows", "default", "growth", "online")


def main() -> None:
    arguments = _arguments()
    if arguments.engine:
        print(json.dumps(_run_here(arguments)))
        return
    folder = Path(arguments.folder or tempfile.mkdtemp(prefix="presage-features-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for part in arguments.only or PARTS:
            globals()[f"part_{part}"](arguments, folder)
    finally:
        if not arguments.folder:
            shutil.rmtree(folder, ignore_errors=True)


def part_windows(arguments: argparse.Namespace, folder: Path) -> None:
    """Sixty window features at one and at twelve weekly as-of times."""
    world = make_usage(folder / "usage", arguments.customers, arguments.events)
    print(f"\n## {arguments.customers:,} customers, {arguments.events:,} events, 60 features\n")
    print("| engine | as-of times | CPU s | start-up CPU s | wall s | peak GB |")
    print("|---|---|---|---|---|---|")
    scan = _report("scan", 1, world, arguments)
    one = {name: _report(name, 1, world, arguments) for name in ("naive", "filtered", *OTHERS)}
    one["presage"] = _report("presage", 1, world, arguments)
    twelve = {name: _report(name, 12, world, arguments) for name in ("filtered", "presage")}
    day = _report("presage-next-day", 12, world, arguments)
    for engines in (one, twelve):
        _same_sums({n: f for n, f in engines.items() if f})
    ours, all_times = one["presage"]["cpu"], twelve["presage"]["cpu"]
    print(
        f"\none time: {ours / one['naive']['cpu']:.2f} x the naive join (bar 0.9), "
        f"{ours / scan['cpu']:.2f} x a bare scan (bar 2.5)"
    )
    print(
        f"twelve times: {all_times / twelve['filtered']['cpu']:.2f} x filtered aggregates "
        f"(bar 0.35), {twelve['presage']['peak']:.2f} GB (bar 2)"
    )
    print(f"next day: {day['cpu'] / all_times:.2f} x all twelve anew (bar 0.2)")


def part_default(arguments: argparse.Namespace, folder: Path) -> None:
    """The whole default view with context, twelve times."""
    world = make_company(folder / "company", arguments.customers, arguments.events)
    print(f"\n## The whole default view, {arguments.customers:,} customers, 12 times\n")
    print("| engine | as-of times | CPU s | start-up CPU s | wall s | peak GB |")
    print("|---|---|---|---|---|---|")
    figures = _report("presage-default", 12, world, arguments)
    print(
        f"\n{figures['features']} features: {figures['wall'] / 60:.1f} minutes (bar 10), "
        f"{figures['peak']:.2f} GB (bar 4)"
    )


def part_growth(arguments: argparse.Namespace, folder: Path) -> None:
    """CPU seconds as events grow."""
    import numpy as np

    sizes = [arguments.events // 64, arguments.events // 16, arguments.events // 4,
             arguments.events]  # fmt: skip
    print("\n## Growth, one as-of time, 36 events a customer\n")
    print("| engine | as-of times | CPU s | start-up CPU s | wall s | peak GB |")
    print("|---|---|---|---|---|---|")
    seconds = []
    for events in sizes:
        world = make_usage(folder / f"usage-{events}", max(1, events // 36), events)
        seconds.append(_report("presage", 1, world, arguments, f" ({events:,} events)")["cpu"])
    slope = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
    last = np.log(seconds[-1] / seconds[-2]) / np.log(sizes[-1] / sizes[-2])
    print(f"\nexponent {slope:.2f} over all sizes, {last:.2f} over the last step (bar 1.1)")


def part_online(arguments: argparse.Namespace, folder: Path) -> None:
    """One customer at one moment, the whole default view, and batch against online, bit by bit."""
    world = make_company(folder / "small", min(arguments.customers, 20_000), 700_000)
    print("\n## One customer at one moment, the whole default view, history in hand\n")
    figures = _child("presage-online", 10_000, world, arguments)
    print(
        f"{figures['features']} features, {figures['customers']:,} customers, "
        f"{figures['events']:,} rows: p50 {figures['p50']:.2f} ms (bar 2), "
        f"p99 {figures['p99']:.2f} ms (bar 10) of CPU; "
        f"wall p50 {figures['wall_p50']:.2f}, p99 {figures['wall_p99']:.2f}"
    )
    print(
        f"batch against online on {figures['pairs']:,} random (customer, T): "
        f"{figures['different']} differences in the bits of {figures['values']:,} values"
    )


OTHERS = ("polars", "pandas")


def _report(
    engine: str, times: int, world: Path, arguments: argparse.Namespace, note: str = ""
) -> dict[str, Any]:
    figures = _child(engine, times, world, arguments)
    if "skipped" in figures:
        print(f"| {engine} | {times} | skipped: {figures['skipped']} | | | |")
        return {}
    print(
        f"| {engine}{note} | {times} | {figures['cpu']:.1f} | {figures['startup']:.1f} | "
        f"{figures['wall']:.1f} | {figures['peak']:.2f} |",
        flush=True,
    )
    return figures


def _child(engine: str, times: int, world: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Runs one engine in a process of its own."""
    python = sys.executable
    if engine == "polars":
        python = _polars_python(world.parent)
    command = [python, "-m", "benchmarks.features", "--engine", engine]
    command += ["--times", str(times), "--world", str(world.resolve())]
    process = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if process.returncode:
        sys.exit(f"{engine} failed:\n{process.stderr[-3000:]}")
    return json.loads(process.stdout.strip().splitlines()[-1])


def _polars_python(folder: Path) -> str:
    """Polars is no dependency of ours: it gets an environment of its own."""
    place = folder / "polars"
    python = place / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        packages = ["polars>=1.30,<2", "pyarrow", "numpy", "pandas"]
        subprocess.run([str(python), "-m", "pip", "install", "-q", *packages], check=True)
    return str(python)


def _run_here(arguments: argparse.Namespace) -> dict[str, Any]:
    engine = ENGINES[arguments.engine]
    times = [AS_OF - timedelta(days=7 * at) for at in reversed(range(arguments.times))]
    prepared = engine.prepare(Path(arguments.world), times)
    startup, begin = _cpu(), time.perf_counter()
    output = engine.run(prepared)
    cpu, wall = _cpu() - startup, time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    figures = {"cpu": cpu, "startup": startup, "wall": wall, "peak": peak}
    return {**figures, **(output if isinstance(output, dict) else {"sums": checksums_of(output)})}


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _same_sums(engines: dict[str, dict[str, Any]]) -> None:
    """Every engine's columns must add up to the same."""
    import math

    (first, truth), *others = ((name, f["sums"]) for name, f in engines.items())
    for name, sums in others:
        for column, value in truth.items():
            if not math.isclose(sums[column], value, rel_tol=1e-6, abs_tol=1e-6):
                sys.exit(f"{column}: {first} adds up to {value}, {name} to {sums[column]}")
    print(f"\nequal sums of {len(truth)} columns: {', '.join(engines)}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=36_000_000)
    parser.add_argument("--only", nargs="*", choices=PARTS)
    parser.add_argument("--folder", help="where the files go and stay; default: a temporary one")
    parser.add_argument("--engine", help=argparse.SUPPRESS)
    parser.add_argument("--world", help=argparse.SUPPRESS)
    parser.add_argument("--times", type=int, default=1, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
