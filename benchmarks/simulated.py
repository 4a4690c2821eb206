"""Simulated companies for benchmarks: what their command lines share, each company made once.

``options_of`` reads --customers, --days, --seeds and --cache beside a benchmark's own options;
``companies`` gives each seed's folder, simulated if it is not in the cache yet.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from benchmarks.running import presage
from data.tables import MemoryTables


def options_of(
    about: str, *, customers: int, seeds: str, **more: tuple[int, str]
) -> argparse.Namespace:
    """The command line's options; ``more``: further whole numbers, their default and meaning."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--customers", type=int, default=customers)
    parser.add_argument("--days", type=int, default=420)
    parser.add_argument("--seeds", default=seeds)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "presage-sim")
    for name, (usual, meaning) in more.items():
        parser.add_argument(f"--{name}", type=int, default=usual, help=meaning)
    return parser.parse_args()


def companies(options: argparse.Namespace) -> Iterator[tuple[int, Path]]:
    """Each seed and its company's folder."""
    options.cache.mkdir(parents=True, exist_ok=True)
    for seed in map(int, options.seeds.split(",")):
        folder = options.cache / f"{options.customers}-{options.days}-{seed}"
        if not (folder / "presage.toml").exists():
            presage(
                "simulate", folder, "--customers", options.customers, "--days", options.days,
                "--seed", seed, log=folder.with_suffix(".log"),
            )  # fmt: skip
        yield seed, folder


def tables_of(folder: Path, names: tuple[str, ...] | None = None) -> MemoryTables:
    """A company's tables in memory; all of them, or those named."""
    files = sorted((folder / "tables").glob("*.parquet"))
    wanted = [file for file in files if names is None or file.stem in names]
    return MemoryTables({file.stem: pd.read_parquet(file) for file in wanted})
