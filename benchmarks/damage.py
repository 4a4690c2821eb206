"""Each file of a workspace's state cut, gone, with a flipped bit, of a newer release: who notices?

    python -m benchmarks.damage [--workspace DIR] [--verbs score] [--files REGEX] [--minutes N]

A small company with trained models lives through a night. Before each verb, and before a service
that starts and is asked everything (``service_answers.py``), it is seen which files below
``.presage`` it opens; each is damaged in a copy, in each way, and the verb is run. It may refuse
(exit 1, or not ready, an error that names the file and what to do), or end: then all that the
workspace holds, and what the service answers, is compared with the undisturbed run's. What differs,
and was not told by the file's name, is silent damage. Files that none of them opens are listed by
class, and are of no effect there.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import sqlite3
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.crash import NIGHT, before_the_night, command, trained
from benchmarks.crash_process import READS, SERVE, Ended, calls_of, import_all, run, with_shim
from benchmarks.crash_state import State, differences, state_of
from benchmarks.running import show
from benchmarks.service_answers import with_key

ENDS = (
    "refused by name", "as if nothing", "told, and went on", "refused without a name", "unexpected",
    "silent",
)  # fmt: skip
MENDS = re.compile(r"\b(run|delete|restore|bring|use|train|retrain|renew)\b", re.IGNORECASE)
"""What a refusal says is to be done."""
HEX = re.compile(r"[0-9a-f]{8,}")
STAMP = re.compile(r"\d{8}T\d{6}|\d{4}-\d{2}-\d{2}")


def cut(path: Path) -> bool:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return len(content) > 1


def gone(path: Path) -> bool:
    path.unlink()
    return True


def flipped(path: Path) -> bool:
    """One bit in the middle, of what holds anything."""
    content = bytearray(path.read_bytes())
    if content:
        content[len(content) // 2] ^= 1 << 2
        path.write_bytes(bytes(content))
    return bool(content)


def newer(path: Path) -> bool:
    """As a later release may write it: another format number, or revision of the store."""
    if path.name == "store.db":
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE alembic_version SET version_num = 'later'")
        connection.close()
        return True
    if path.suffix != ".json":
        return False
    content = json.loads(path.read_bytes())
    if not isinstance(content, dict) or "format" not in content:
        return False
    if not isinstance(content["format"], int):
        return False
    path.write_text(json.dumps({**content, "format": content["format"] + 1}))
    return True


WAYS: Mapping[str, Callable[[Path], bool]] = {
    "cut": cut, "gone": gone, "flipped": flipped, "newer": newer,
}  # fmt: skip


def class_of(path: str) -> str:
    """The file without hashes, moments and numbers.

    >>> class_of("/.presage/models/risk/1-7bfb4801bc/trees.txt")
    'models/risk/N-H/trees.txt'
    """
    text = STAMP.sub("T", path.removeprefix("/.presage/"))
    return re.sub(r"(?<![A-Za-z.])\d+(?=[-/.])", "N", HEX.sub("H", text))


def arguments(verb: str, folder: Path, key: str) -> list[str]:
    """What is run: a verb of the night, or a service that starts and is asked by that API key."""
    return [SERVE, str(folder), key] if verb == SERVE else command(verb, folder)


def answers(ended: Ended) -> list[str]:
    """What a service answered, a line a question."""
    return re.findall(r"^answer: .+", ended.said, re.MULTILINE)


def judged(ended: Ended, whole: Ended, file: Path, folder: Path, after: State) -> str:
    """One of ``ENDS``; ``whole``: how the undisturbed run ended, ``after``: what it left."""
    refusals = re.findall(r"^presage: .+", ended.said, re.MULTILINE)
    if "Traceback" in ended.said or any("unexpected" in line for line in refusals):
        return "unexpected"
    if ended.code == whole.code and not refusals:  # a monitor with alarms exits 1 as well
        if not differences(after, state_of(folder)) and answers(ended) == answers(whole):
            return "as if nothing"
        return "told, and went on" if file.name in ended.said else "silent"
    parts = (file.name, file.parent.name, file.stem.split("-")[0])
    named = any(part in ended.said for part in parts) or "the store" in ended.said
    return "refused by name" if named and MENDS.search(ended.said) else "refused without a name"


def told(ended: Ended) -> str:
    """The end of what was said, without the answers."""
    return re.sub(r"^answer: .+\n", "", ended.said, flags=re.MULTILINE).strip()[-400:]


def sweep(
    verb: str,
    before: Path,
    folder: Path,
    ways: Sequence[str],
    each: int,
    until: float,
    files: str,
    key: str,
    seed: int,
) -> tuple[list[tuple[str, str, str, str]], set[str]]:
    """(class, way, end, what was said) of each damage, and the classes that the verb opens."""
    whole = folder / "whole"
    shutil.copytree(before, whole)
    ended, calls = calls_of(arguments(verb, whole, key), whole, READS)
    after = state_of(whole)
    # a store is opened as what may have to be made
    opened = dict.fromkeys(path for kind, path in calls if kind in ("read", "create"))
    there = [p for p in opened if (before / p.lstrip("/")).is_file() and ".presage/" in p]
    by_class: dict[str, list[str]] = defaultdict(list)
    for path in there:
        by_class[class_of(path)].append(path)
    seen, tried = set(by_class), folder / "tried"
    rows: list[tuple[str, str, str, str]] = []
    for number, (name, paths) in enumerate(sorted(by_class.items())):
        for way in ways:
            if number % each or not re.search(files, name) or time.monotonic() > until:
                continue
            shutil.rmtree(tried, ignore_errors=True)
            shutil.copytree(before, tried)
            file = tried / random.Random(f"{name}{seed}").choice(paths).lstrip("/")
            if WAYS[way](file):
                again = run(arguments(verb, tried, key), tried)
                end = judged(again, ended, file, tried, after)
                rows.append((name, way, end, told(again)))
    return rows, seen


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workspace", type=Path, help="trained; default: one is made")
    parser.add_argument("--verbs", default=",".join([*NIGHT, SERVE]))
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--each", type=int, default=1, help="each so many-th class of files")
    parser.add_argument("--files", default="", help="classes that match this expression only")
    parser.add_argument("--seed", type=int, default=0, help="which file of each class")
    parser.add_argument("--minutes", type=float, default=1e9)
    options = parser.parse_args()
    with_shim("benchmarks.damage", sys.argv[1:])
    import_all()
    until = time.monotonic() + 60 * options.minutes
    with tempfile.TemporaryDirectory() as place:
        root = Path(place).resolve()
        night = before_the_night(options.workspace or trained(root / "trained"), root / "base")
        key = with_key(night)
        lines, bad, read = [], list[str](), set[str]()
        for verb in (*NIGHT, SERVE):
            if verb in options.verbs.split(","):
                work = root / verb
                work.mkdir()
                ways, each = options.ways.split(","), options.each
                some = options.files, key, options.seed
                rows, seen = sweep(verb, night, work, ways, each, until, *some)
                read |= seen
                shutil.rmtree(work)
                for way in WAYS:
                    ends = [end for _, kind, end, _ in rows if kind == way]
                    if ends:
                        counts = [str(ends.count(end)) for end in ENDS]
                        lines.append([verb, way, f"{len(ends)}", *counts])
                        print(lines[-1], file=sys.stderr, flush=True)
                bad += [
                    f"{verb}, {name} {way}: {end}: {said}"
                    for name, way, end, said in rows
                    if end in ENDS[2:]  # what was told is shown too
                ]
            if verb in NIGHT:
                run(command(verb, night), night)
        every = {class_of(f"/{p.relative_to(night)}") for p in (night / ".presage").rglob("*")
                 if p.is_file()}  # fmt: skip
    show(["before", "damage", "tried", *ENDS], lines)
    print("\nOpened by none of these verbs:", ", ".join(sorted(every - read)))
    for line in bad:
        print(f"\n{line}")


if __name__ == "__main__":
    main()
