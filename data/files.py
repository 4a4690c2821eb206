"""Files that are there whole or not at all: staged beside their place, fsynced, renamed into it.

A staging folder has a random name and is locked by whoever fills it. The kernel lets go of the lock
when that process ends, however it ends: whoever stages beside it next removes what nobody holds.

>>> import tempfile
>>> with tempfile.TemporaryDirectory() as folder:
...     place = Path(folder) / "note.txt"
...     write_whole(place, b"kept")
...     place.read_bytes(), sha256_of(place)[:8], [p.name for p in Path(folder).iterdir()]
(b'kept', '79f076ab', ['note.txt'])
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from data.errors import at_file

STAGING = ".staging-"
TICK_NS, RACE_NS = 20_000_000, 2_000_000_000
"""Two writes within a tick of the clock can look alike, on this machine and on a file server."""
Fence = Callable[[], contextlib.AbstractContextManager[None]]
_fences: list[Fence] = []
UNSUPPORTED = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
"""What a file system answers that knows no locks; nothing is swept there."""


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in hexadecimal; read once a process while the file stays as it is."""
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        identity = _identity(status)
        if identity in _hashed:
            return _hashed[identity]
        settled = time.time_ns() - _last_change(status) > TICK_NS
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        if settled:
            _hashed[identity] = digest
        return digest


def _identity(status: os.stat_result) -> tuple[int, int, int, int, int]:
    """What changes when a file is written; a ctime cannot be set by hand."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _last_change(status: os.stat_result) -> int:
    return max(status.st_mtime_ns, status.st_ctime_ns)


_hashed: dict[tuple[int, int, int, int, int], str] = {}


class HashBook:
    """Hashes of files, remembered from run to run in a file of their own.

    A file is not read again while its inode, size, mtime and ctime are those that were remembered.
    One that changed within ``RACE_NS`` of being hashed is: its clock may be too coarse to tell.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            content = json.loads(path.read_bytes())
            self._entries = {str(name): list(entry) for name, entry in dict(content).items()}
        except (OSError, ValueError, TypeError):
            self._entries = {}
        self._before = dict(self._entries)

    def sha256_of(self, path: Path) -> str:
        """The file's SHA-256, as it is or as it is remembered."""
        status = path.stat()
        identity, name = list(_identity(status)), str(path)
        entry = self._entries.get(name)
        if entry is not None and entry[:-1] == identity:
            return str(entry[-1])
        begin = time.time_ns()
        digest = sha256_of(path)
        if begin - _last_change(status) > RACE_NS:
            self._entries[name] = [*identity, digest]
        return digest

    def note(self, path: Path, digest: str) -> None:
        """Remember the hash of a file that this process wrote by itself, and whole."""
        self._entries[str(path)] = [*_identity(path.stat()), digest]

    def save(self) -> None:
        """Remember what was hashed; of files that are gone nothing is kept."""
        entries = {name: entry for name, entry in self._entries.items() if Path(name).exists()}
        if entries != self._before:
            write_whole(self.path, json.dumps(entries).encode(), mode=0o600)
            self._before = entries


def sync(path: Path) -> None:
    """Have the file or folder on the disk before going on."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def fenced(fence: Fence) -> Iterator[None]:
    """Within the block every rename of this process that puts a file or folder in its place happens
    inside ``fence()``, which raises where this process may not write any more."""
    _fences.append(fence)
    try:
        yield
    finally:
        _fences.remove(fence)


def put_in_place(staged: Path, place: Path, is_fenced: bool = True) -> None:
    """Rename what was staged into its place, if this process may (``fenced``)."""
    with contextlib.ExitStack() as stack:
        for fence in _fences if is_fenced else ():
            stack.enter_context(fence())
        staged.replace(place)


@contextlib.contextmanager
def replacing(path: Path, mode: int | None = 0o644, is_fenced: bool = True) -> Iterator[Path]:
    """A staged file to write; when the block ends well it takes the place of ``path``, durably.

    ``mode``: its permissions; None for what the umask leaves. ``is_fenced``: False for notes that
    any process may write.
    """
    with staging_folder(path, 0o700) as folder:
        staged = folder / path.name
        yield staged
        if mode is not None:
            staged.chmod(mode)
        sync(staged)
        put_in_place(staged, path, is_fenced)
        sync(path.parent)


def write_whole(path: Path, content: bytes, mode: int = 0o644, is_fenced: bool = True) -> None:
    """Write a file so that a reader, or a crash, sees the old content or the new, never a part."""
    with replacing(path, mode, is_fenced) as staged:
        staged.touch(mode)
        staged.write_bytes(content)


@contextlib.contextmanager
def staging_folder(place: Path, mode: int = 0o777) -> Iterator[Path]:
    """A new folder beside ``place`` to fill and ``publish``; removed if that did not happen.

    ``mode``: its permissions, less the umask. Errors of the block are told to be about ``place``.
    """
    with at_file(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(place.parent)
        staged, lock = _claimed(place.parent, mode)
        try:
            yield staged
        finally:
            shutil.rmtree(staged, ignore_errors=True)
            os.close(lock)


def publish(staged: Path, place: Path) -> bool:
    """Rename a filled folder into place, durably; False if another process was first."""
    for path in (*staged.rglob("*"), staged):
        sync(path)
    try:
        put_in_place(staged, place)
    except OSError:
        if place.is_dir():
            return False
        raise
    sync(place.parent)
    return True


def remove_abandoned(parent: Path) -> list[str]:
    """Remove staged files and folders that no process holds any more; their names."""
    removed = []
    for left in parent.glob(f"{STAGING}*"):
        try:
            handle = os.open(left, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:  # gone meanwhile, a link, or not ours to open
            continue
        try:
            if take_lock(handle):
                if left.is_dir():
                    shutil.rmtree(left, ignore_errors=True)
                else:
                    left.unlink(missing_ok=True)
                removed.append(left.name)
        finally:
            os.close(handle)
    return removed


def _claimed(parent: Path, mode: int) -> tuple[Path, int]:
    """A new folder of a random name, and the handle whose lock says that it is being filled."""
    while True:
        staged = parent / f"{STAGING}{secrets.token_hex(8)}"
        staged.mkdir(mode)
        try:
            handle = os.open(staged, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:  # somebody who sweeps was quicker
            continue
        try:
            ours = take_lock(handle)
        except OSError:
            os.close(handle)
            raise
        # somebody who sweeps may have been between the making and the lock
        if ours is None or (ours and staged.exists()):
            return staged, handle
        os.close(handle)


def take_lock(handle: int) -> bool | None:
    """Whether the lock on an open file or folder is ours now; None where the file system knows no
    locks. The kernel lets go of it when the handle is closed, or its process ends."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in UNSUPPORTED:
            return None
        raise
    return True
