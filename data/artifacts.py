"""An artifact: one file, written whole, named by its hash, and a pointer that says it is current.

    scores.json                          what is current: {"file": ..., "sha256": ..., ...}
    scores-20260301T000000-1a2b3c4d.parquet

The pointer is a small JSON that is replaced whole, so a reader sees the old artifact or the new
one, never half of one. It holds the digest of what it says. That there was one stands beside it, in
``known-pointers``: one that is gone is not taken for one that never was. What was current before
stays until it is pruned.

>>> import tempfile
>>> with tempfile.TemporaryDirectory() as folder:
...     home = Path(folder)
...     kept = put(home, "plan-1", ".txt", lambda path: path.write_text("two people"))
...     point(home, "plan", kept | {"as_of": "2026-03-01"})
...     found = current(home, "plan")
...     open_kept(home, found).read_text(), found["as_of"], len(history(home, "plan", ".txt"))
('two people', '2026-03-01', 1)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from data.errors import DamagedFile
from data.files import put_in_place, sha256_of, staging_folder, sync, write_whole

KNOWN = "known-pointers"
"""The kinds of a folder that were ever pointed at, one a line."""
FILES = "known-files"
"""The same of files that were never pointed at: the store, the secrets."""
DIGEST = "digest"
"""What a pointer says of itself: the SHA-256 of the rest. A pointer of before has none."""


def put(home: Path, name: str, suffix: str, write: Callable[[Path], object]) -> dict[str, Any]:
    """Keep what ``write`` writes as ``NAME-HASH.SUFFIX``, durably: its ``file`` and ``sha256``."""
    with staging_folder(home / f"{name}{suffix}") as staging:
        staged = staging / f"artifact{suffix}"
        write(staged)
        sync(staged)
        digest = sha256_of(staged)
        place = home / f"{name}-{digest[:8]}{suffix}"
        put_in_place(staged, place)
        sync(home)
    return {"file": place.name, "sha256": digest}


def point(home: Path, kind: str, about: Mapping[str, Any]) -> None:
    """Make what ``about`` names the current artifact of its kind."""
    content = json.loads(json.dumps(about, default=str))
    text = json.dumps(content | {DIGEST: _digest(content)}, indent=2) + "\n"
    write_whole(pointer_path(home, kind), text.encode())
    remember(home, kind)  # afterwards: killed between the two, the next one notes it


def remember(home: Path, name: str, among: str = KNOWN) -> None:
    """Note that there is one of that name, in the file ``among``: once it is gone it is missed."""
    known = _known(home, among)
    if name not in known:
        text = "".join(f"{one}\n" for one in sorted({*known, name}))
        write_whole(home / among, text.encode(), mode=0o600, is_fenced=False)


def refuse_gone(path: Path) -> None:
    """DamagedFile where ``FILES`` beside this file says that there was one, and there is none."""
    if path.name in _known(path.parent, FILES) and not path.exists():
        raise DamagedFile(
            f"{path} is gone. Bring it back from a backup; if you removed it yourself, delete its "
            f"line in {FILES} beside it"
        )


def current(home: Path, kind: str) -> dict[str, Any] | None:
    """What the pointer of a kind says; None where there never was one.

    DamagedFile where it is no JSON object, says what was not written there, or is gone.
    """
    path = pointer_path(home, kind)
    try:
        pointer = json.loads(path.read_bytes())
    except FileNotFoundError:
        if kind in _known(home, KNOWN):
            raise DamagedFile(f"{path} is gone: it named what is current") from None
        return None
    except ValueError:
        pointer = None
    if not isinstance(pointer, dict):
        raise DamagedFile(f"{path} is damaged: it is no JSON object")
    if DIGEST in pointer and pointer[DIGEST] != _digest(pointer):
        raise DamagedFile(f"{path} is damaged: it does not say what was written")
    pointer.pop(DIGEST, None)
    return pointer


def _digest(pointer: Mapping[str, Any]) -> str:
    content = {name: value for name, value in pointer.items() if name != DIGEST}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _known(home: Path, among: str) -> list[str]:
    try:
        return (home / among).read_text(errors="replace").split()
    except FileNotFoundError:
        return []


def pointer_path(home: Path, kind: str) -> Path:
    """Where the pointer of a kind stands, or will."""
    return home / f"{kind}.json"


def stamp(pointer: Path) -> tuple[int, ...] | None:
    """What tells one pointer of a kind from the next without reading it; None where there is none.
    A pointer is replaced whole, so another one is another file."""
    try:
        status = pointer.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def open_kept(home: Path, about: Mapping[str, Any]) -> Path:
    """The file that a pointer names; DamagedFile where it is not what was put there."""
    path = home / str(about["file"])
    if not path.is_file() or sha256_of(path) != about["sha256"]:
        raise DamagedFile(f"{path} is missing or differs from what was written")
    return path


def history(home: Path, kind: str, suffix: str) -> list[Path]:
    """The kept files of a kind, the one written last at the end."""
    return sorted(home.glob(f"{kind}-*{suffix}"), key=lambda path: path.stat().st_mtime_ns)


def prune(home: Path, kind: str, suffix: str, count: int) -> None:
    """Remove all but the ``count`` files of a kind written last, and the current one."""
    about = current(home, kind)
    for path in history(home, kind, suffix)[:-count]:
        if about is None or path.name != about["file"]:
            path.unlink(missing_ok=True)
