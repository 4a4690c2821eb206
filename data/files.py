"""Files that are there whole or not at all: staged beside their place, fsynced, renamed into it.

>>> import tempfile
>>> with tempfile.TemporaryDirectory() as folder:
...     place = Path(folder) / "note.txt"
...     write_whole(place, b"kept")
...     place.read_bytes(), sha256_of(place)[:8], [p.name for p in Path(folder).iterdir()]
(b'kept', '79f076ab', ['note.txt'])
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

STAGING = ".staging-"


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Have the file or folder on the disk before going on."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def replacing(path: Path, mode: int = 0o644) -> Iterator[Path]:
    """A staged file to write; when the block ends well it takes the place of ``path``, durably."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f"{STAGING}{os.getpid()}-{os.urandom(4).hex()}-{path.name}")
    try:
        yield staged
        staged.chmod(mode)
        sync(staged)
        staged.replace(path)
        sync(path.parent)
    finally:
        staged.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a file so that a reader, or a crash, sees the old content or the new, never a part."""
    with replacing(path, mode) as staged:
        staged.touch(mode)
        staged.write_bytes(content)


@contextlib.contextmanager
def staging_folder(place: Path) -> Iterator[Path]:
    """A new folder beside ``place`` to fill and ``publish``; removed if that did not happen."""
    place.parent.mkdir(parents=True, exist_ok=True)
    staged = place.with_name(f"{STAGING}{os.getpid()}-{os.urandom(4).hex()}")
    staged.mkdir()
    try:
        yield staged
    finally:
        if staged.exists():
            shutil.rmtree(staged)


def publish(staged: Path, place: Path) -> bool:
    """Rename a filled folder into place, durably; False if another process was first."""
    for file in staged.iterdir():
        sync(file)
    sync(staged)
    try:
        staged.rename(place)
    except OSError:
        if place.is_dir():
            return False
        raise
    sync(place.parent)
    return True


def remove_abandoned(parent: Path) -> list[str]:
    """Remove staged files and folders whose process is gone; their names."""
    removed = []
    for left in parent.glob(f"{STAGING}*"):
        owner = left.name.removeprefix(STAGING).split("-")[0]
        if owner.isdigit() and not _alive(int(owner)):
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)
            removed.append(left.name)
    return removed


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
