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
    └── DefinitionError              exit 1   a feature, view or action that is written wrong

>>> did_you_mean("custmer_id", ["customer_id", "order_id"])
' Did you mean "customer_id"?'
>>> did_you_mean("zzz", ["customer_id"])
''
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


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


class DefinitionError(PresageError):
    """A definition in code (feature, view, action) is wrong; raised when it is written."""


def did_you_mean(found: str, known: Iterable[str]) -> str:
    """A sentence `` Did you mean "x"?`` for the nearest of ``known``, or an empty string."""
    near = difflib.get_close_matches(found, list(known), n=1, cutoff=0.6)
    return f' Did you mean "{near[0]}"?' if near else ""
