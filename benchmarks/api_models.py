"""Models that are not what was promoted, offered to a service that answers (benchmarks/api.py)."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.api_served import Line, Served
from data import artifacts
from models.sealed import MANIFEST, write_sealed

Change = Callable[[Path, random.Random], None]


def offered(served: Served, seconds: float, count: int = 1000) -> list[Line]:
    """Mutated copies of the model at work, each pointed at as if it had been promoted: whether one
    of them answers, and whether the service lives."""
    draw, home = random.Random(1), served.workspace / ".presage/models/risk"
    pointer = home / "champion.json"
    good = json.loads(pointer.read_text())
    name = f"risk-{good['version']}-{good['fingerprint'][:8]}"
    answers: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for number in range(count):
        kind = draw.choice(list(CHANGES))
        offer(pointer, good, f"8000{number}", CHANGES[kind], draw)
        kinds[kind] += 1
        who = served.ids[number % len(served.ids)]
        items = json.loads(served.ask("POST", "/v1/predictions", {"customer_ids": [who]}))["items"]
        answers["as before" if items[0]["model_version"] == name else "another"] += 1
        if number % 50 == 49:  # a good one between: the service must come back to it
            point(pointer, good)
    dead = served.process.poll() is not None
    text = f"{answers['another']} served of {count}, {int(dead)} process deaths; {dict(kinds)}"
    return [["mutated models offered", text, "0 and 0"]]


def offer(
    pointer: Path, good: dict[str, Any], version: str, change: Change, draw: random.Random
) -> None:
    """Put a changed copy of the model that ``good`` points at beside it, and point at that."""
    source = pointer.parent / f"{good['version']}-{good['fingerprint'][:12]}"
    folder = pointer.parent / f"{version}-{good['fingerprint'][:12]}"
    shutil.copytree(source, folder, copy_function=os.link)
    change(folder, draw)
    point(pointer, {**good, "version": version})


def point(pointer: Path, about: dict[str, Any]) -> None:
    """Replace the pointer, as a promotion does."""
    now = datetime.now(UTC).replace(tzinfo=None)
    artifacts.point(pointer.parent, pointer.stem, {**about, "promoted_at": now.isoformat()})


def _any_file(folder: Path, draw: random.Random) -> Path:
    return draw.choice(sorted(path for path in folder.iterdir() if path.stat().st_size))


def _written(path: Path, content: bytes) -> None:
    path.unlink()  # the copy is a link: what it leads to stays as it is
    path.write_bytes(content)


def _bit(folder: Path, draw: random.Random) -> None:
    path = _any_file(folder, draw)
    content = bytearray(path.read_bytes())
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    _written(path, bytes(content))


def _cut(folder: Path, draw: random.Random) -> None:
    path = _any_file(folder, draw)
    content = path.read_bytes()
    _written(path, content[: draw.randrange(len(content))])


def _gone(folder: Path, draw: random.Random) -> None:
    _any_file(folder, draw).unlink()


def _exchanged(folder: Path, draw: random.Random) -> None:
    one, other = draw.sample(sorted(folder.glob("*.txt")), 2)
    first, second = one.read_bytes(), other.read_bytes()
    _written(one, second)
    _written(other, first)


def _newer(folder: Path, draw: random.Random) -> None:
    path = folder / MANIFEST
    _written(path, json.dumps({**json.loads(path.read_text()), "format": 99}).encode())


def _sealed_anew(folder: Path, draw: random.Random) -> None:
    """Damaged, with hashes that say otherwise: a text that may end the process that loads it."""
    content = {p.name: p.read_bytes() for p in folder.iterdir() if p.name != MANIFEST}
    name = draw.choice(sorted(n for n in content if n.endswith(".txt")))
    text = content[name]
    at = draw.randrange(len(text) // 2)
    content[name] = text[:at] + bytes(draw.randrange(256) for _ in range(40)) + text[at + 60 :]
    kind = json.loads((folder / MANIFEST).read_text())["kind"]
    shutil.rmtree(folder)
    write_sealed(folder, kind, content)


CHANGES: dict[str, Change] = {
    "bit": _bit,
    "cut": _cut,
    "gone": _gone,
    "exchanged": _exchanged,
    "newer": _newer,
    "sealed anew": _sealed_anew,
}
