"""A night killed, or its disk full or broken, at every call on a file: what is left, what follows.

    python -m benchmarks.crash [--workspace DIR] [--verbs score,forecast] [--faults killed]
                               [--random 200] [--minutes 60] [--each-write]

A small company with trained models lives through one night undisturbed, verb by verb; each call on
a file of the workspace (a write, a sync, a rename, a file made, removed or cut) is counted, whoever
makes it: Python, SQLite, Arrow, DuckDB. Then for each point a copy of the workspace as it was
before that verb is taken, and the verb is killed there (a write after half of its bytes), or finds
the disk full from there on, or is told of one I/O error there. After each: no file that a reader
takes for whole is torn; the error names path and step; the verb, run again, ends by itself, and all
that the workspace holds (published results, decisions, outbox, versions, prediction log) equals
that of the undisturbed run, but for moments of writing. ``--random N``: killed
at N random moments besides. ``--minutes``: stop then; points are tried in an order whose every
beginning has as many of each class of calls, and the table says how many of how many were tried.
Writes to one file that follow one another with no other call between them leave the same behind, a
longer or shorter beginning of that file: of each such row the first, the last and one between are
tried; with ``--each-write`` all are.

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
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import groupby
from pathlib import Path

import pandas as pd

from benchmarks.crash_process import (
    BROKEN,
    FULL,
    KILL,
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
AT_RANDOM = Fault("killed at random", KILL)
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


def before_the_night(trained: Path, folder: Path, verbs: Sequence[str] = tuple(NIGHT)) -> Path:
    """A copy of a trained workspace that has lived through one night of these verbs, a day before
    the last."""
    shutil.copytree(trained, folder, ignore=shutil.ignore_patterns("truth"))
    for name in ("published", "predictions"):  # as if no night had been
        shutil.rmtree(folder / ".presage" / name, ignore_errors=True)
    until = Workspace.open(folder).settings.data.complete_to
    assert until is not None
    set_setting(folder, "volume.horizon_days", 2.0)
    set_setting(folder, "risk.reasons_for", 20)
    _fewer_customers(folder / "tables")
    set_setting(folder, "data.complete_to", until - DAY)
    for verb in verbs:
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
    for verb in verbs:
        before = root / f"before-{verb}"
        shutil.copytree(night, before)
        ended, calls = calls_of(command(verb, night), night)
        if ended.code not in (0, 1) or (ended.code and verb != "monitor"):
            raise SystemExit(f"presage {verb} exited {ended.code}:\n{ended.said}")
        out.append(Undisturbed(verb, before, ended.code, state_of(night), calls, ended.seconds))
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


@dataclass(frozen=True)
class Trial:
    """One breaking: which verb, by what fault, at which call (0: killed after ``seconds``)."""

    of: Undisturbed
    fault: Fault
    number: int
    seconds: float = 0.0


def points_of(calls: Sequence[tuple[str, str]], draw: random.Random) -> list[int]:
    """The numbers of the calls to be broken: of equal calls in a row the first, the last and one
    between, drawn.

    >>> points_of([("write", "a")] * 3 + [("sync", "a")] + [("write", "a")], random.Random(1))
    [1, 2, 3, 4, 5]
    >>> len(points_of([("write", "a")] * 1000, random.Random(1)))
    3
    """
    out = list[int]()
    for _, row in groupby(range(1, len(calls) + 1), key=lambda number: calls[number - 1]):
        numbers = list(row)
        between = [draw.choice(numbers[1:-1])] if numbers[2:] else []
        out += sorted({numbers[0], *between, numbers[-1]})
    return out


def trials(
    nights: Sequence[Undisturbed],
    points: dict[str, list[int]],
    faults: Sequence[Fault],
    at_random: int,
    draw: random.Random,
) -> list[Trial]:
    """Every one of a verb's points by every fault, in an order whose every beginning is spread
    evenly: one point of each class of calls first, then a second one of each, ..."""
    ranked: list[tuple[float, Trial]] = []
    for of in nights:
        for fault in faults:
            by_class: dict[str, list[int]] = defaultdict(list)
            for number in points[of.verb]:
                by_class[class_of(*of.calls[number - 1])].append(number)
            for numbers in by_class.values():
                draw.shuffle(numbers)
                ranked += [
                    (rank + draw.random(), Trial(of, fault, number))
                    for rank, number in enumerate(numbers)
                ]
    for rank in range(at_random):
        of = nights[rank % len(nights)]
        trial = Trial(of, AT_RANDOM, 0, draw.uniform(0, of.seconds))
        ranked.append((rank / (3 * len(nights)), trial))
    return [trial for _, trial in sorted(ranked, key=lambda pair: pair[0])]


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


def tried(trial: Trial, root: Path, tally: Tally) -> None:
    """The verb broken as the trial says, in a copy of the workspace before it."""
    of, fault, folder = trial.of, trial.fault, root / "tried"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(of.before, folder)
    if fault is AT_RANDOM:
        ended = run(command(of.verb, folder), folder, kill_after=trial.seconds)
        how = f"killed after {trial.seconds:.3f} s"
    else:
        ended = run(command(of.verb, folder), folder, fault, trial.number)
        how = "{} at call {} ({} {})".format(fault.how, trial.number, *of.calls[trial.number - 1])
    judged(ended, of, folder, Fault(how, fault.mode, fault.error), tally)


def line_of(verb: str, how: str, tally: Tally) -> list[str]:
    wrong = ", ".join(f"{count} {what}" for what, count in tally.wrong.items())
    return [verb, how, f"{tally.tried} of {tally.points}", str(tally.ended_well),
            str(tally.refused), wrong or "0"]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workspace", type=Path, help="trained; default: one is made")
    parser.add_argument("--verbs", default=",".join(NIGHT))
    parser.add_argument("--faults", default="killed,full,broken")
    parser.add_argument("--random", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after so many")
    parser.add_argument("--trials", type=int, default=10**9, help="stop after so many")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--each-write", action="store_true", help="those in a row, too")
    options = parser.parse_args()
    with_shim("benchmarks.crash", sys.argv[1:])
    import_all()
    draw, verbs = random.Random(options.seed), options.verbs.split(",")
    words = ("killed", "full", "broken")
    faults = [f for f, word in zip(FAULTS, words, strict=True) if word in options.faults]
    with tempfile.TemporaryDirectory() as place:
        root = Path(place).resolve()
        source = options.workspace or trained(root / "trained")
        base = before_the_night(source, root / "base", verbs)
        nights = undisturbed(base, root, verbs)
        points = {
            of.verb: [*range(1, len(of.calls) + 1)] if options.each_write
            else points_of(of.calls, draw)
            for of in nights
        }  # fmt: skip
        tallies = {
            (of.verb, fault.how): Tally(options.random // len(nights) if fault is AT_RANDOM
                                        else len(points[of.verb]))
            for of in nights for fault in (*faults, AT_RANDOM)
        }  # fmt: skip
        until = time.monotonic() + 60 * options.minutes
        all_of_them = trials(nights, points, faults, options.random, draw)[: options.trials]
        for rank, trial in enumerate(all_of_them):
            if time.monotonic() > until:
                break
            if rank % 100 == 0:
                print(f"{rank} of {len(all_of_them)} tried", file=sys.stderr, flush=True)
            tally = tallies[trial.of.verb, trial.fault.how]
            known = set(tally.wrong)
            tried(trial, root, tally)
            for name in set(tally.wrong) - known:
                print(f"{name}: {tally.examples[name]}", file=sys.stderr, flush=True)
    kinds, of_kind = Counter[str](), Counter[str]()
    for of in nights:
        kinds.update(class_of(kind, path) for kind, path in of.calls)
        of_kind.update(kind for kind, _ in of.calls)
    listed = ", ".join(f"{count} {kind}" for kind, count in sorted(of_kind.items()))
    apart = sum(map(len, points.values()))
    print(f"{len(kinds)} classes of calls (kind, and whose file); by kind: {listed}")
    print(f"{apart} points of {sum(kinds.values())} calls\n")
    header = ["verb", "fault", "points tried", "ended as if nothing", "refused by name", "wrong"]
    show(header, [line_of(verb, how, tally) for (verb, how), tally in tallies.items()])
    for (verb, how), tally in tallies.items():
        for name, example in tally.examples.items():
            print(f"\n{verb} {how}, {name}, for example: {example}")


def trained(folder: Path) -> Path:
    """A small company, trained."""
    for verb in (
        ["simulate", str(folder), "--customers", "1000", "--days", "300", "--seed", "21"],
        ["train", str(folder)],
    ):
        if verb[0] == "train":
            set_setting(folder, "risk.as_ofs", 18)
        ended = run(verb, folder, kill_after=3600.0)
        if ended.code:
            raise SystemExit(f"presage {verb[0]} exited {ended.code}:\n{ended.said}")
    return folder


if __name__ == "__main__":
    main()
