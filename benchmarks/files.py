"""Files as people damage them: no traceback, and every row accounted for; a large CSV's cost.

    .venv/bin/python -m benchmarks.files                 # 1,000 mutated files of all formats
    .venv/bin/python -m benchmarks.files --files 100 --seed 3
    .venv/bin/python -m benchmarks.files --csv-gigabytes 2

A file of tickets in one of the formats is changed in one of the ways that tools and people change
files (values, lines, bytes, headers, encodings, types). ``presage check`` must then end without an
unexpected error; where the file is still a table, its rows are those kept and those quarantined;
where it is none, it is refused by its name. The large CSV is written, read once by DuckDB alone and
once by ``take``; wall, CPU and peak memory of each are printed.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa

from data.check import check
from data.errors import PresageError
from data.snapshot import take
from data.workspace import Workspace, init

NOW = datetime(2026, 6, 1)
FORMATS = ("csv", "csv.gz", "csv.zst", "tsv", "jsonl", "json", "parquet", "xlsx")
COLUMNS = ("ticket_id", "opened_at", "customer_id", "channel", "topic", "resolved_at", "csat")
ODD = (
    "", "  ", "NULL", "nan", "None", "0001-01-01", "9999-12-31T23:59:59", "25-07-01", "03/04/2025",
    "2026-02-30", "2026-01-01 09:00 BST", "infinity", "1e400", "1_000", "€ 5", "1.234,50", "=1+1",
    "x" * 70_000, "\0", "a\nb", 'a"b', "a,b;c\td|e", "\u202e", "١٢", "-", "1.23E+15", "true", "[]",
    "{}", "\\N", "'; DROP TABLE tickets; --", "${HOME}", "2015-02-24 11:35:52 -0800", "😀",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What became of one file: ``refused`` whole, or its rows; ``wrong``: what must not be."""

    refused: bool
    rows: int = 0
    good: int = 0
    quarantined: int = 0
    wrong: str = ""


def rows_of(rng: random.Random, count: int) -> list[dict[str, str]]:
    """Good rows of tickets."""
    rows = []
    for number in range(count):
        at = datetime(2026, 1, 5) + timedelta(minutes=rng.randrange(100_000))
        rows.append(
            {
                "ticket_id": f"t{number}",
                "opened_at": at.isoformat(),
                "customer_id": f"c{rng.randrange(9)}",
                "channel": rng.choice(("email", "phone")),
                "topic": rng.choice(("billing", "delivery", "")),
                "resolved_at": (at + timedelta(hours=3)).isoformat() if rng.random() < 0.7 else "",
                "csat": str(rng.randrange(1, 6)),
            }
        )
    return rows


def changed_values(rng: random.Random, rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Some values in some rows are something else; columns go, come, or change their case."""
    rows = [dict(row) for row in rows]
    for _ in range(rng.randrange(0, 6)):
        rng.choice(rows)[rng.choice(COLUMNS)] = rng.choice(ODD)
    turn = rng.randrange(8)
    if turn == 0:
        gone = rng.choice(COLUMNS)
        rows = [{k: v for k, v in row.items() if k != gone} for row in rows]
    elif turn == 1:
        rows = [{**row, "row": "1" if rng.random() < 0.5 else "x"} for row in rows]
    elif turn == 2:
        rows = [{k.upper(): v for k, v in row.items()} for row in rows]
    elif turn == 3:
        rows += [dict(row) for row in rng.sample(rows, 2)]
    return rows


def written(rng: random.Random, kind: str, rows: list[dict[str, str]], place: Path) -> None:
    """The rows as a file of that kind, sometimes in another dialect, sometimes damaged."""
    frame = pd.DataFrame(rows)
    if kind == "parquet":
        if rng.random() < 0.5 and "opened_at" in frame:
            times = pd.to_datetime(frame["opened_at"], errors="coerce", format="ISO8601", utc=True)
            unit, zone = rng.choice(("s", "ms", "us", "ns")), rng.choice((None, "Asia/Tokyo"))
            times = times.dt.tz_convert(zone) if zone else times.dt.tz_localize(None)
            frame["opened_at"] = times.dt.as_unit(unit)
        if rng.random() < 0.3 and "csat" in frame:
            frame["csat"] = pd.to_numeric(frame["csat"], errors="coerce")
        frame.to_parquet(place, index=False)
    elif kind == "xlsx":
        clean = frame.map(lambda v: v.replace("\0", "")[:30_000] if isinstance(v, str) else v)
        clean.to_excel(place, index=False, engine="xlsxwriter")
    elif kind in ("json", "jsonl"):
        lines = [json.dumps(row) for row in rows]
        place.write_text("[" + ",\n".join(lines) + "]" if kind == "json" else "\n".join(lines))
    else:
        mark = "\t" if kind == "tsv" else rng.choice((",", ",", ";", "|"))
        text = frame.to_csv(index=False, sep=mark, lineterminator=rng.choice(("\n", "\r\n")))
        if rng.random() < 0.3:
            text = _torn(rng, text, mark)
        data = text.encode(rng.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16")), "replace")
        if kind == "csv.gz":
            data = gzip.compress(data)
        elif kind == "csv.zst":
            data = pa.compress(data, codec="zstd", asbytes=True)
        place.write_bytes(data)
    if rng.random() < 0.15:
        _damage(rng, place)


def _torn(rng: random.Random, text: str, mark: str) -> str:
    lines = text.splitlines(keepends=True)
    at = rng.randrange(len(lines))
    ways: list[Callable[[str], str]] = [
        lambda line: line.rstrip("\r\n") + mark + "more\n",
        lambda line: line.split(mark)[0] + "\n",
        lambda line: '"' + line,
        lambda line: "",
        lambda line: "\n" + line,
        lambda line: line[: len(line) // 2],
    ]
    lines[at] = rng.choice(ways)(lines[at])
    return "".join(lines)


def _damage(rng: random.Random, place: Path) -> None:
    data = bytearray(place.read_bytes())
    if not data:
        return
    if rng.random() < 0.5:
        del data[rng.randrange(len(data)) :]
    else:
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
    place.write_bytes(bytes(data))


def tried(folder: Path, seed: int) -> tuple[str, Outcome]:
    """One mutated file, checked and taken."""
    rng = random.Random(seed)
    kind = rng.choice(FORMATS)
    workspace = init(folder)
    place = workspace.tables_dir / f"tickets.{kind}"
    written(rng, kind, changed_values(rng, rows_of(rng, rng.randrange(5, 40))), place)
    try:
        report = check(workspace, NOW)
    except PresageError as error:
        return kind, Outcome(True, wrong="" if str(error) else "an error without words")
    except Exception as error:
        return kind, Outcome(False, wrong=f"check: {type(error).__name__}: {error}")
    whole = [
        v for v in report.errors if v.row is None and v.rule in ("unreadable", "missing column")
    ]
    if whole:
        named = all("tickets" in str(v) for v in whole)
        return kind, Outcome(True, wrong="" if named else f"refused without a name: {whole[0]}")
    rows, held = report.rows.get("tickets", 0), report.quarantined.get("tickets", 0)
    try:
        good = take(Workspace.open(folder), now=NOW).rows("tickets")
    except PresageError:
        good = 0  # no good row is left: the run is refused, the rows are in quarantine
    except Exception as error:
        return kind, Outcome(False, wrong=f"take: {type(error).__name__}: {error}")
    wrong = "" if rows == good + held else f"{rows} rows, {good} kept, {held} quarantined"
    return kind, Outcome(False, rows, good, held, wrong)


def run(files: int, seed: int) -> list[str]:
    """``files`` mutated files; what must not have happened, each with its seed."""
    wrong, counts = [], Counter[str]()
    rows = good = held = 0
    for number in range(files):
        with tempfile.TemporaryDirectory(prefix="presage-files-") as folder:
            kind, one = tried(Path(folder) / "w", seed * 1_000_000 + number)
        counts["refused whole" if one.refused else "read"] += 1
        counts[kind] += 1
        rows, good, held = rows + one.rows, good + one.good, held + one.quarantined
        if one.wrong:
            wrong.append(f"file {number} ({kind}): {one.wrong.splitlines()[0]}")
    print(f"{files} files: {counts['read']} read, {counts['refused whole']} refused by name")
    print(f"{rows} rows: {good} kept, {held} quarantined; difference {rows - good - held}")
    print("by format: " + ", ".join(f"{kind} {counts[kind]}" for kind in FORMATS))
    print(f"{len(wrong)} wrong")
    return wrong


def large(gigabytes: float) -> None:
    """A CSV of that size, read by DuckDB alone (limited to 2 GB of memory) and by us, each in a
    process of its own."""
    with tempfile.TemporaryDirectory(prefix="presage-csv-") as folder:
        workspace = init(Path(folder) / "w")
        place = workspace.tables_dir / "usage.csv"
        row = "e{n},2026-01-{d:02}T{h:02}:00:00Z,c{c},opened the page of its account,web,{n}\n"
        written_bytes, number = 0, 0
        with place.open("w") as out:
            out.write("event_id,used_at,customer_id,feature,platform,duration_seconds\n")
            while written_bytes < gigabytes * 1e9:
                block = "".join(
                    row.format(n=n, d=n % 28 + 1, h=n % 24, c=n % 99_991)
                    for n in range(number, number + 50_000)
                )
                written_bytes, number = written_bytes + out.write(block), number + 50_000
        print(f"{written_bytes / 1e9:.2f} GB, {number:,} rows")
        for name in ("duckdb", "presage"):
            command = [sys.executable, "-m", "benchmarks.files", "--read", name, "--at", folder]
            subprocess.run(command, check=True)


def _read(name: str, folder: Path) -> None:
    begin = time.perf_counter()
    if name == "duckdb":
        import duckdb

        con = duckdb.connect()
        con.execute("SET memory_limit = '2GB'")
        con.execute("SET temp_directory = ?", [str(folder / "spill")])
        source, target = folder / "w" / "tables" / "usage.csv", folder / "usage.parquet"
        con.read_csv(str(source), all_varchar=True).to_parquet(str(target), compression="zstd")
    else:
        show = lambda text: print(f"  {text}", flush=True)  # noqa: E731
        take(Workspace.open(folder / "w"), progress=show, now=NOW)
    wall = time.perf_counter() - begin
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime
    print(f"{name}: {wall:.1f} s, {cpu:.1f} CPU s, {used.ru_maxrss / 1e6:.2f} GB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="files", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--csv-gigabytes", type=float)
    parser.add_argument("--read", choices=("duckdb", "presage"), help=argparse.SUPPRESS)
    parser.add_argument("--at", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.read:
        _read(arguments.read, arguments.at)
    elif arguments.csv_gigabytes:
        large(arguments.csv_gigabytes)
    else:
        wrong = run(arguments.files, arguments.seed)
        print("\n".join(wrong[:20]))
        sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
