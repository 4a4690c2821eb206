"""Arrays in one file that is mapped into memory, not read: a start costs what it looks at.

    usage.json                     what is current: {"file": ..., "sha256": ..., ...}
    usage-1a2b3c4d.pack            the arrays, one after another, and at the end what they are

A pack holds what can be made anew from elsewhere. It is written whole or not at all, and is taken
for what was written while its file was not written since.

>>> import tempfile
>>> from data.files import HashBook
>>> with tempfile.TemporaryDirectory() as folder:
...     home, book = Path(folder), HashBook(Path(folder) / "hashes.json")
...     keep(home, "squares", lambda pack: pack.add("n", np.arange(4) ** 2), {"of": "n"}, book)
...     pack = opened(home, "squares", {"of": "n"}, book)
...     pack.array("n").tolist(), opened(home, "squares", {"of": "m"}, book)
([0, 1, 4, 9], None)
"""

from __future__ import annotations

import hashlib
import json
import logging
import mmap
import struct
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO
from weakref import WeakSet

import numpy as np
import numpy.typing as npt

from data.artifacts import current, point, prune, put
from data.errors import DamagedFile
from data.files import HashBook

log = logging.getLogger("presage.packs")

SUFFIX = ".pack"
MAGIC = b"presage1"
END = struct.Struct("<Q32s8s")
"""The bytes of the table of contents, its SHA-256, ``MAGIC``."""
ALIGNED = 64
TOGETHER = 1 << 24
"""So many bytes are compared at once."""
MOST_RESIDENT = 384 << 20
"""Bytes of mapped files in memory beyond which they are let go; the system still has them at
hand."""
LOOK_AFTER = 50
"""After so many looks it is asked how much of files is in memory."""
Array = npt.NDArray[Any]


class PackWriter:
    """A pack being written; ``notes`` are kept with the arrays, as JSON."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("w+b")
        self._arrays: dict[str, tuple[str, int, int]] = {}
        self._places: dict[tuple[int, int], list[int]] = {}
        self.notes: dict[str, Any] = {}

    def add(self, name: str, values: Array) -> None:
        """Write an array of numbers; equal bytes are written once."""
        data = memoryview(np.ascontiguousarray(values).view(np.uint8))  # type: ignore[arg-type]
        key = len(data), zlib.crc32(data)
        for place in self._places.get(key, ()):
            if self._same(place, data):
                break
        else:
            place = self._file.seek(0, 2)
            place = self._file.seek(-(-place // ALIGNED) * ALIGNED)
            self._file.write(data)
            self._places.setdefault(key, []).append(place)
        self._arrays[name] = values.dtype.str, len(values), place

    def _same(self, place: int, data: memoryview) -> bool:
        self._file.seek(place)
        return all(
            self._file.read(len(part)) == part
            for part in (data[at : at + TOGETHER] for at in range(0, len(data), TOGETHER))
        )

    def close(self) -> None:
        """Write the table of contents."""
        about = json.dumps({"arrays": self._arrays, "notes": self.notes}).encode()
        self._file.seek(0, 2)
        self._file.write(about)
        self._file.write(END.pack(len(about), hashlib.sha256(about).digest(), MAGIC))
        self._file.close()


class Pack:
    """A pack, mapped. DamagedFile where the file is none, or is cut short."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            try:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                size, digest, magic = END.unpack(self._map[-END.size :])
                about = self._map[-END.size - size : -END.size]
            except (ValueError, struct.error):
                raise DamagedFile(f"{path} is damaged: it is no pack") from None
        if magic != MAGIC or hashlib.sha256(about).digest() != digest:
            raise DamagedFile(f"{path} is damaged: it does not end as it was written")
        content = json.loads(about)
        self._arrays: dict[str, list[Any]] = content["arrays"]
        self.notes: dict[str, Any] = content["notes"]
        _maps.add(self._map)

    def array(self, name: str) -> Array:
        """An array of the file; it cannot be written."""
        kind, length, place = self._arrays[name]
        dtype = np.dtype(kind)
        if not length:
            return np.empty(0, dtype)
        return np.frombuffer(self._map, dtype, length, place)

    def __contains__(self, name: object) -> bool:
        return name in self._arrays


_maps: WeakSet[mmap.mmap] = WeakSet()
"""What is mapped, for as long as an array looks at it."""


def keep(
    home: Path,
    kind: str,
    write: Callable[[PackWriter], object],
    about: Mapping[str, Any],
    book: HashBook,
) -> None:
    """Write a pack and make it the current one of its kind, of what ``about`` says."""

    def fill(path: Path) -> None:
        writer = PackWriter(path)
        write(writer)
        writer.close()

    entry = put(home, kind, SUFFIX, fill)
    point(home, kind, {**entry, **about})
    prune(home, kind, SUFFIX, 1)
    book.note(home / entry["file"], entry["sha256"])


def opened(home: Path, kind: str, about: Mapping[str, Any], book: HashBook) -> Pack | None:
    """The current pack of a kind, None where there is none of what ``about`` says.

    DamagedFile where it is not as it was written.
    """
    pointer = current(home, kind)
    if pointer is None or any(pointer.get(name) != value for name, value in about.items()):
        return None
    path = home / str(pointer["file"])
    if not path.is_file() or book.sha256_of(path) != pointer["sha256"]:
        raise DamagedFile(f"{path} is missing or differs from what was written")
    return Pack(path)


def usable(
    home: Path, kind: str, about: Mapping[str, Any], book: HashBook, origin: str
) -> Pack | None:
    """``opened``; None, and a line in the log, where it is damaged: it is made anew from
    ``origin``."""
    try:
        return opened(home, kind, about, book)
    except DamagedFile as damaged:
        log.warning("%s; it is made anew from %s", damaged, origin)
        return None


def resident() -> int:
    """Bytes of files that are in this process's memory; 0 where the system does not tell."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/statm").read_bytes().split()[2]) * mmap.PAGESIZE
    return 0


def heed_memory(most: int = MOST_RESIDENT) -> None:
    """Give back the pages of packs that were looked at, where more than ``most`` bytes of files are
    in memory."""
    if hasattr(mmap, "MADV_DONTNEED") and resident() > most:
        for one in list(_maps):
            one.madvise(mmap.MADV_DONTNEED)


class Looks:
    """Counts looks at packs, each of which may bring in a megabyte, and heeds memory now and
    then."""

    def __init__(self) -> None:
        self._count = 0

    def add(self, count: int) -> None:
        """So many more."""
        self._count += count
        if self._count >= LOOK_AFTER:
            self._count = 0
            heed_memory()
