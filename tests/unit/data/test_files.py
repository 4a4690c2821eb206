"""Staged, durable, exclusive: what a crash, a link or a second process cannot spoil."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from data import files
from data.errors import in_words
from data.files import (
    STAGING,
    HashBook,
    publish,
    replacing,
    sha256_of,
    staging_folder,
    write_whole,
)

FILLING = """
import sys
from pathlib import Path
from data.files import staging_folder
with staging_folder(Path(sys.argv[1])) as staged:
    (staged / "half").write_text("half")
    print(staged, flush=True)
    sys.stdin.read()
"""


def filling(place: Path) -> tuple[subprocess.Popen[str], Path]:
    """Another process that fills a staging folder until it is told to end."""
    process = subprocess.Popen(
        [sys.executable, "-c", FILLING, str(place)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_who_sweeps_before_a_new_folder_is_locked_takes_nothing_from_its_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders, opened = [], os.open

    def swept_first(path: Any, *flags: Any, **more: Any) -> int:
        if not folders and Path(path).name.startswith(STAGING):
            folders.append(path)
            Path(path).rmdir()
        return opened(path, *flags, **more)

    monkeypatch.setattr(os, "open", swept_first)
    write_whole(tmp_path / "key", b"one")
    assert folders and (tmp_path / "key").read_bytes() == b"one"
    assert [file.name for file in tmp_path.iterdir()] == ["key"]


def test_what_a_killed_process_staged_is_swept_and_what_a_living_one_fills_is_not(
    tmp_path: Path,
) -> None:
    killed, abandoned = filling(tmp_path / "a")
    living, filled = filling(tmp_path / "b")
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert abandoned.is_dir()
    write_whole(tmp_path / "note", b"x")
    assert not abandoned.exists()
    assert (filled / "half").read_text() == "half"
    living.communicate("")
    assert [path.name for path in tmp_path.iterdir()] == ["note"]


def test_a_link_in_the_place_is_replaced_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("theirs")
    (tmp_path / "note").symlink_to(victim)
    (tmp_path / f"{STAGING}0123").symlink_to(victim)
    write_whole(tmp_path / "note", b"ours", mode=0o600)
    assert victim.read_text() == "theirs"
    assert (tmp_path / "note").read_text() == "ours"
    assert (tmp_path / "note").stat().st_mode & 0o777 == 0o600


def test_names_are_random_and_a_folder_is_published_once(tmp_path: Path) -> None:
    with staging_folder(tmp_path / "x") as one, staging_folder(tmp_path / "x") as other:
        assert one != other
        assert str(os.getpid()) not in one.name.split("-")
        for staged in (one, other):
            (staged / "f").write_text(staged.name)
        assert publish(one, tmp_path / "x") is True
        assert publish(other, tmp_path / "x") is False
        assert (tmp_path / "x" / "f").read_text() == one.name
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_full_disk_is_told_with_the_file_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(OSError) as raised, replacing(tmp_path / "scores.csv"):
        raise OSError(errno.ENOSPC, "No space left on device")
    told = str(in_words(raised.value))
    assert told.startswith(f"{tmp_path / 'scores.csv'}: No space left on device")
    assert "free some space" in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_failures_of_the_machine_have_words_behind_other_errors_too(number: int) -> None:
    try:
        try:
            raise OSError(number, os.strerror(number), "/w/.presage/store.db")
        except OSError as cause:
            raise RuntimeError("could not log the run") from cause
    except RuntimeError as error:
        told = str(in_words(error))
    assert told.startswith(f"/w/.presage/store.db: {os.strerror(number)}; ")


def test_errors_of_ours_are_not_explained_away() -> None:
    assert in_words(TypeError("unsupported format string")) is None
    assert in_words(FileNotFoundError(errno.ENOENT, "No such file", "x")) is None


def aged(path: Path) -> Path:
    """The file, with clocks that moved on since it was written."""
    os.utime(path, ns=(0, 0))  # its ctime is now: only waiting makes that older
    until = path.stat().st_ctime_ns + files.TICK_NS
    while time.time_ns() <= until:
        os.sched_yield()
    return path


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read to be hashed."""
    read: list[str] = []
    digest = hashlib.file_digest

    def file_digest(file: Any, name: str) -> Any:
        read.append(Path(file.name).name)
        return digest(file, name)

    monkeypatch.setattr(hashlib, "file_digest", file_digest)
    return read


def test_a_file_is_hashed_once_a_process_while_it_stays_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = counted(monkeypatch)
    (tmp_path / "a").write_bytes(b"one")
    first = sha256_of(aged(tmp_path / "a"))
    assert sha256_of(tmp_path / "a") == first
    assert read == ["a"]
    before = (tmp_path / "a").stat()
    (tmp_path / "a").write_bytes(b"two")
    os.utime(tmp_path / "a", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert sha256_of(tmp_path / "a") != first


def test_a_book_remembers_what_has_not_changed_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "RACE_NS", 0)
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(name.encode())
        aged(tmp_path / name)
    book = HashBook(tmp_path / "book.json")
    found = {name: book.sha256_of(tmp_path / name) for name in ("a", "b")}
    book.save()
    files._hashed.clear()
    read = counted(monkeypatch)
    (tmp_path / "b").write_bytes(b"B")
    later = HashBook(tmp_path / "book.json")
    assert later.sha256_of(tmp_path / "a") == found["a"]
    assert later.sha256_of(tmp_path / "b") != found["b"]
    assert read == ["b"]
    (tmp_path / "a").unlink()
    later.save()
    assert str(tmp_path / "a") not in (tmp_path / "book.json").read_text()
    (tmp_path / "book.json").write_text("[1")
    assert HashBook(tmp_path / "book.json").sha256_of(tmp_path / "b") != found["b"]


def test_a_file_just_written_is_not_remembered(tmp_path: Path) -> None:
    """Its clock may be too coarse to tell the next write from this one."""
    (tmp_path / "a").write_bytes(b"a")
    book = HashBook(tmp_path / "book.json")
    book.sha256_of(tmp_path / "a")
    book.save()
    assert not (tmp_path / "book.json").exists()
