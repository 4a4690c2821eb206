"""Every error that Presage raises on purpose.

A message says what was wrong, what was found, and what to do about it; the command line prints it
as one line and exits with the class's ``exit_code`` (1 refused with a reason, 2 wrong usage).

    PresageError                     exit 1
    ├── UsageError                   exit 2   wrong options or arguments
    ├── SettingsError                exit 1   presage.toml or the environment
    ├── DataError                    exit 1   tables that break the contract
    │   └── NotEnoughHistory         exit 1   too little to train or forecast on
    ├── DamagedFile                  exit 1   a snapshot, model or state file that fails its hash
    ├── GateRefused                  exit 1   a worse model was not promoted
    ├── NotBuiltYet                  exit 1   a verb whose work a later release brings
    ├── Conflict                     exit 1   someone else holds the lease, or the key is taken
    ├── StorageFailure               exit 1   a disk that is full or fails, a folder without rights
    └── DefinitionError              exit 1   a feature, view or action that is written wrong

>>> did_you_mean("custmer_id", ["customer_id", "order_id"])
' Did you mean "customer_id"?'
>>> did_you_mean("zzz", ["customer_id"])
''
"""

from __future__ import annotations

import contextlib
import difflib
import errno
import re
from collections.abc import Iterable, Iterator
from pathlib import Path


class PresageError(Exception):
    """Base of all errors that carry a message for the user."""

    exit_code = 1


class UsageError(PresageError):
    """The command or call was given options that do not fit together."""

    exit_code = 2


class SettingsError(PresageError):
    """presage.toml or an environment variable holds something that cannot be used."""


class DataError(PresageError):
    """A table breaks the contract; the message names file, row and column."""


class NotEnoughHistory(DataError):
    """There is too little history for what was asked; the message says how much is missing."""


class DamagedFile(PresageError):
    """A file's content does not match the hash it was written with."""


class GateRefused(PresageError):
    """A candidate model did not pass the gate and was not promoted."""


class NotBuiltYet(PresageError):
    """The verb exists, its work does not yet."""


class Conflict(PresageError):
    """The state changed under the caller, or somebody else holds the lease."""


class StorageFailure(PresageError):
    """A file could not be read or written; the message names file, step and what to do."""


class DefinitionError(PresageError):
    """A definition in code (feature, view, action) is wrong; raised when it is written."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence `` Did you mean "x"?`` for the nearest of ``known``, or an empty string."""
    folded = {one.casefold(): one for one in reversed(list(known))}
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return f' Did you mean "{folded[near[0]]}"?' if near else ""


def in_toml(error: Exception) -> str:
    """What is wrong in a TOML text, and what to do where a section stands there twice."""
    twice = re.search(r"Cannot declare \((.+?),?\) twice", str(error))
    if not twice:
        return str(error)
    name = ".".join(re.findall("'([^']*)'", twice[1]))
    return f"{error}: [{name}] stands there already; write the key below the first one"


def at_file(path: Path) -> contextlib.AbstractContextManager[None]:
    """Have errors of the block remember which file was being written; ``in_words`` names it."""
    return _remembering("presage_file", path)


def at_step(name: str) -> contextlib.AbstractContextManager[None]:
    """Have errors of the block remember what was being done; ``in_words`` names it."""
    return _remembering("presage_step", name)


@contextlib.contextmanager
def _remembering(attribute: str, value: object) -> Iterator[None]:
    """The innermost block that an error left is the one that it remembers."""
    try:
        yield
    except Exception as error:
        if not hasattr(error, attribute):
            setattr(error, attribute, value)
        raise


FULL = "the disk is full: free some space, then run it again"
READ_ONLY = "the folder is read-only: work on a copy in a folder that can be written"
RIGHTS = "this user may not write or read there: give them the right, or run as its owner"
FAILS = "the disk fails: look at the system's log, and go on from a backup on another disk"
MENDS = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EROFS: READ_ONLY,
    errno.EACCES: RIGHTS,
    errno.EPERM: RIGHTS,
    errno.EIO: FAILS,
    errno.EFBIG: "the file grew past the limit of this process: raise it (ulimit -f)",
    errno.EMFILE: "too many files are open at once: raise the limit (ulimit -n)",
    errno.ENFILE: "too many files are open at once on this machine: close some programs",
}
MENDS_BY_WORDS = (
    ("no space left", FULL),
    ("disk is full", FULL),
    ("file too large", MENDS[errno.EFBIG]),
    ("malformed", "the store is damaged. Bring it back from a backup"),
    ("file is not a database", "the store is damaged. Bring it back from a backup"),
    ("readonly database", READ_ONLY),
    ("read-only file system", READ_ONLY),
    ("permission denied", RIGHTS),
    ("unable to open database file", RIGHTS),
    ("disk i/o error", FAILS),
    ("input/output error", FAILS),
    ("out of memory", "memory ran out: raise [engine] memory_limit_gb, or use a larger machine"),
    ("database is locked", "another program holds the file: close it, then run it again"),
)
"""What engines say of a failure of the machine, in lower case, and what to do."""


def mend_of(text: str) -> str | None:
    """What to do about an engine's words for a failure of the machine; None for other words."""
    return next((mend for words, mend in MENDS_BY_WORDS if words in text.lower()), None)


def in_words(error: BaseException) -> StorageFailure | None:
    """A failure of the machine (a full disk, lost rights) as file, step and mend.

    None for any other error: that is a fault of ours, or has words of its own.

    >>> broken = OSError(errno.ENOSPC, "No space left on device", "/data/scores.parquet")
    >>> str(in_words(broken)).split("; ")[0]
    '/data/scores.parquet: No space left on device'
    """
    file = getattr(error, "presage_file", None)
    step = getattr(error, "presage_step", None)
    cause: BaseException | None = error
    while cause is not None:
        reason = next(iter(str(cause).strip().splitlines()), type(cause).__name__)
        mend = mend_of(str(cause))
        if isinstance(cause, OSError) and cause.errno is not None:
            file = file or cause.filename
            reason = cause.strerror or reason
            mend = MENDS.get(cause.errno, mend)
        if mend is not None:
            during = f" while {step}" if step else ""
            return StorageFailure(f"{file or 'a file'}: {reason}{during}; {mend}")
        file = file or getattr(cause, "presage_file", None)
        cause = cause.__cause__ or cause.__context__
    return None
