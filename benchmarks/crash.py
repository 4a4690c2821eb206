"""A night killed, or its disk full or broken, at every call on a file: what is left, what follows.

    python -m benchmarks.crash [--workspace DIR] [--verbs score,forecast] [--random 200]
                               [--syncs 1] [--others 1] [--writes 1]

A small company with trained models lives through one night undisturbed, verb by verb; each call on
a file of the workspace (a write, a sync, a rename, a file made, removed or cut) is counted, whoever
makes it: Python, SQLite, Arrow, DuckDB. Then for each point a copy of the workspace as it was
before that verb is taken, and the verb is killed there (a write after half of its bytes), or finds
the disk full from there on, or is told of one I/O error there. After each: no file that a reader
takes for whole is torn; the error names path and step; the verb, run again, ends by itself, and all
that the workspace holds (published results, decisions, outbox, versions, prediction log) equals
that of the undisturbed run, but for moments of writing. ``--syncs``, ``--others``, ``--writes N``:
of the syncs and renames, of the files made, removed and cut, of the writes each Nth of its class,
one at least. ``--random N``: the verbs killed at N random moments besides.

A library loaded before libc counts and breaks the calls (``crash_shim.c``): strace counts calls
thread by thread, and cannot write half a buffer.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pandas as pd

from benchmarks.crash_process import (
    BROKEN,
    FULL,
    KILLED,
    Ended,
    Fault,
    calls_of,
    import_all,
    run,
    with_shim,
)
from benchmarks.crash_state import State, differences, left_over, state_of, torn
from benchmarks.running import show
from data.workspace import Workspace, set_setting

NIGHT = {
    "score": (),
    "forecast": (),
    "staff": (),
    "outreach": ("--commit", "--yes"),
    "monitor": (),
}
"""The verbs of a night in their order, with their options."""
CUSTOMERS = 250
FAULTS = (KILLED, FULL, BROKEN)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Undisturbed:
    """A verb of the night as it should be: the workspace before it, its exit code, what the
    workspace holds after it, its calls on files, its seconds."""

    verb: str
    before: Path
    code: int
    after: State
    calls: list[tuple[str, str]]
    seconds: float


@dataclass
class Tally:
    """What was tried of one verb and fault, and what went wrong, by words."""

    points: int = 0
    tried: int = 0
    ended_well: int = 0
    refused: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, what: str, example: str) -> None:
        self.wrong[what] += 1
        self.examples.setdefault(what, example)


def command(verb: str, folder: Path) -> list[str]:
    """As it is typed after ``presage``."""
    return [verb, str(folder), *NIGHT[verb]]


def before_the_night(trained: Path, folder: Path) -> Path:
    """A copy of a trained workspace that has lived through one night, a day before the last."""
    shutil.copytree(trained, folder, ignore=shutil.ignore_patterns("truth"))
    until = Workspace.open(folder).settings.data.complete_to
    assert until is not None
    set_setting(folder, "volume.horizon_days", 2.0)
    set_setting(folder, "risk.reasons_for", 20)
    _fewer_customers(folder / "tables")
    set_setting(folder, "data.complete_to", until - DAY)
    for verb in NIGHT:
        ended = run(command(verb, folder), folder)
        if ended.code not in (0, 1) or (ended.code and verb != "monitor"):
            raise SystemExit(f"presage {verb} exited {ended.code}:\n{ended.said}")
    set_setting(folder, "data.complete_to", until)
    return folder


def _fewer_customers(tables: Path) -> None:
    """Keep ``CUSTOMERS`` of those who have customer ids: a night is short, and the same."""
    ids = pd.read_parquet(tables / "customers.parquet")["customer_id"]
    kept = set(sorted(ids.unique())[:CUSTOMERS])
    for path in tables.glob("*.parquet"):
        frame = pd.read_parquet(path)
        if "customer_id" in frame and path.stem not in ("orders", "tickets"):
            frame[frame["customer_id"].isin(kept)].to_parquet(path, index=False)


def undisturbed(base: Path, root: Path, verbs: Sequence[str]) -> list[Undisturbed]:
    """The night verb by verb, in the workspace ``root/night``; the last copy of it is the end."""
    night, out = root / "night", []
    shutil.copytree(base, night)
    for verb in NIGHT:
        before = root / f"before-{verb}"
        shutil.copytree(night, before)
        ended, calls = calls_of(command(verb, night), night)
        if ended.code not in (0, 1) or (ended.code and verb != "monitor"):
            raise SystemExit(f"presage {verb} exited {ended.code}:\n{ended.said}")
        if verb in verbs:
            after = state_of(night)
            out.append(Undisturbed(verb, before, ended.code, after, calls, ended.seconds))
    return out


def class_of(kind: str, path: str) -> str:
    """The class of a call: its kind, and whose file it is on.

    >>> class_of("write", "/.presage/store.db-wal"), class_of("rename", "/.presage/runs/x.json")
    ('write store', 'rename runs')
    """
    parts = [part for part in Path(path).parts if part not in ("/", ".presage")]
    name = parts[0] if parts else "folder"
    if name.startswith(".staging-") and len(parts) > 1:
        name = parts[1]
    name = re.sub(r"[.-].*", "", name.lstrip(".")) or "folder"
    return f"{kind} {name}"


def chosen(
    calls: Sequence[tuple[str, str]], of_kind: Mapping[str, int], draw: random.Random
) -> list[int]:
    """Numbers of calls (from 1): of each class each Nth, as ``of_kind`` says, one at least."""
    by_class: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, (kind, path) in enumerate(calls, 1):
        by_class[kind, class_of(kind, path)].append(number)
    out = []
    for (kind, _), numbers in by_class.items():
        every = of_kind.get(kind, of_kind["other"])
        out += numbers[draw.randrange(min(every, len(numbers))) :: every]
    return sorted(out)


NAMED = re.compile(r"^presage: .+", re.MULTILINE)


def judged(ended: Ended, of: Undisturbed, folder: Path, fault: Fault, tally: Tally) -> None:
    """Whether the verb ended as it may, left nothing torn, and does the whole when run again."""
    tally.tried += 1
    where = f"{of.verb}, {fault.how}"
    if ended.code == of.code:
        tally.ended_well += 1
    elif fault.mode != KILLED.mode:
        tally.refused += 1
        last = (NAMED.findall(ended.said) or [ended.said.strip()[-300:]])[-1]
        if "Traceback" in ended.said or "unexpected" in last:
            tally.add("unexpected", f"{where}: {last}")
        elif ended.code != 1:
            tally.add("another exit code", f"{where}: {ended.code}: {last}")
        elif str(folder) not in last and "store" not in last:
            tally.add("an error without a path", f"{where}: {last}")
        elif " while " not in last and "store" not in last:
            tally.add("an error without a step", f"{where}: {last}")
    for line in torn(folder):
        tally.add("torn", f"{where}: {line}")
    again = run(command(of.verb, folder), folder)
    if again.code != of.code:
        tally.add("did not go on", f"{where}: {again.code}: {again.said.strip()[-400:]}")
        return
    for line in differences(of.after, state_of(folder)):
        tally.add("another end", f"{where}: {line}")
    for line in torn(folder):
        tally.add("torn after the next run", f"{where}: {line}")
    if left_over(folder):
        tally.add("staging left", where)


def sweep(of: Undisturbed, fault: Fault, points: Iterable[int], root: Path, until: float) -> Tally:
    """The verb broken at each point."""
    tally, folder = Tally(points=len(of.calls)), root / "tried"
    for number in points:
        if time.monotonic() > until:
            break
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(of.before, folder)
        ended = run(command(of.verb, folder), folder, fault, number)
        kind, path = of.calls[min(number, len(of.calls)) - 1]
        named = Fault(f"{fault.how} at call {number} ({kind} {path})", fault.mode, fault.error)
        judged(ended, of, folder, named, tally)
    return tally


def at_random(of: Undisturbed, tries: int, root: Path, draw: random.Random, until: float) -> Tally:
    """The verb killed at random moments."""
    tally, folder = Tally(points=tries), root / "tried"
    for _ in range(tries):
        if time.monotonic() > until:
            break
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(of.before, folder)
        after = draw.uniform(0, of.seconds)
        ended = run(command(of.verb, folder), folder, kill_after=after)
        judged(ended, of, folder, Fault(f"killed after {after:.3f} s", KILLED.mode), tally)
    return tally


def line_of(verb: str, how: str, tally: Tally) -> list[str]:
    wrong = ", ".join(f"{count} {what}" for what, count in tally.wrong.items())
    return [verb, how, f"{tally.tried} of {tally.points}", str(tally.ended_well),
            str(tally.refused), wrong or "0"]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workspace", type=Path, help="trained; default: one is made")
    parser.add_argument("--verbs", default=",".join(NIGHT))
    parser.add_argument("--faults", default="killed,full,broken")
    for name in ("--syncs", "--others", "--writes"):
        parser.add_argument(name, type=int, default=1)
    parser.add_argument("--random", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with_shim("benchmarks.crash", sys.argv[1:])
    import_all()
    of_kind = {"write": options.writes, "sync": options.syncs, "rename": options.syncs}
    of_kind["other"] = options.others
    draw, until = random.Random(options.seed), time.monotonic() + 60 * options.minutes
    verbs = options.verbs.split(",")
    faults = [f for f, word in zip(FAULTS, ("killed", "full", "broken"), strict=True)
              if word in options.faults]  # fmt: skip
    with tempfile.TemporaryDirectory() as place:
        root = Path(place).resolve()
        base = before_the_night(options.workspace or trained(root / "trained"), root / "base")
        lines, wrong = [], dict[str, str]()
        nights = undisturbed(base, root, verbs)
        classes = Counter(class_of(kind, path) for of in nights for kind, path in of.calls)
        for of in nights:
            points = chosen(of.calls, of_kind, draw)
            tallies = [(fault.how, sweep(of, fault, points, root, until)) for fault in faults]
            share = options.random // len(nights)
            tallies.append(("killed at random", at_random(of, share, root, draw, until)))
            for how, tally in tallies:
                lines.append(line_of(of.verb, how, tally))
                print(lines[-1], file=sys.stderr, flush=True)
                wrong |= {f"{of.verb} {how}: {w}": e for w, e in tally.examples.items()}
    print("Calls on files of the workspace, by kind and whose file\n")
    show(["class", "calls"], [[name, str(n)] for name, n in sorted(classes.items())])
    print()
    show(["verb", "fault", "points tried", "ended as if nothing", "refused", "wrong"], lines)
    for name, example in wrong.items():
        print(f"\n{name}, for example: {example}")


def trained(folder: Path) -> Path:
    """A small company, trained."""
    for verb in (
        ["simulate", str(folder), "--customers", "1000", "--days", "300", "--seed", "21"],
        ["train", str(folder)],
    ):
        if verb[0] == "train":
            set_setting(folder, "risk.as_ofs", 18)
        ended = run(verb, folder)
        if ended.code:
            raise SystemExit(f"presage {verb[0]} exited {ended.code}:\n{ended.said}")
    return folder


if __name__ == "__main__":
    main()
