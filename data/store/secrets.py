"""Secrets of a workspace: the environment first, then ``.presage/secrets`` (mode 0600).

The file holds lines ``name = value``; nobody but its owner may read it. Its first line holds a
check of each: a key with one flipped bit opens nothing, and who was erased would not be known.
One that is gone is missed (data/artifacts.py): no key would open anything.

>>> import tempfile
>>> from data.workspace import init
>>> with tempfile.TemporaryDirectory() as folder:
...     workspace = init(folder)
...     put_secret(workspace, "webhook", "s3cret")
...     read_secret(workspace, "webhook", environ={})
's3cret'
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from data.artifacts import FILES, refuse_gone, remember
from data.errors import DamagedFile, SettingsError
from data.files import write_whole
from data.folder import Folder
from data.settings import secret_from_environment

FILE = "secrets"
CHECKS = "# checks:"


def read_secret(
    workspace: Folder, name: str, environ: Mapping[str, str] | None = None
) -> str | None:
    """``PRESAGE_SECRET_<NAME>``, else the line in .presage/secrets, else None.

    SettingsError if others may read the file, DamagedFile if it does not hold what was written, or
    is gone.
    """
    return secret_from_environment(name, environ) or _all(workspace).get(name)


def put_secret(workspace: Folder, name: str, value: str | None) -> None:
    """Keep a secret in .presage/secrets, or drop it (None); SettingsError for another form."""
    wrong = value is not None and ("\n" in value or not value.strip())
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or wrong:
        raise SettingsError(f"secret {name!r}: names are a-z, 0-9 and _, values one line")
    secrets = {k: v for k, v in {**_all(workspace), name: value}.items() if v is not None}
    checks = " ".join(f"{k}={_check(v)}" for k, v in sorted(secrets.items()))
    lines = [f"{CHECKS} {checks}\n", *(f"{k} = {v}\n" for k, v in sorted(secrets.items()))]
    workspace.state_dir.mkdir(mode=0o700, exist_ok=True)
    write_whole(workspace.state_dir / FILE, "".join(lines).encode(), mode=0o600, is_fenced=False)
    remember(workspace.state_dir, FILE, FILES)


def _all(workspace: Folder) -> dict[str, str]:
    path = workspace.state_dir / FILE
    refuse_gone(path)
    if not path.exists():
        return {}
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise SettingsError(
            f".presage/secrets has mode {mode:04o}: others may read it. chmod 600 it"
        )
    secrets, checks, wrong = dict[str, str](), dict[str, str](), list[int]()
    for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1):
        if line.startswith(CHECKS):
            checks = dict(each.split("=", 1) for each in line.split() if "=" in each)
        elif line.strip() and not line.startswith("#"):
            name, mark, value = line.partition("=")
            if not mark:
                wrong.append(number)
            secrets[name.strip()] = value.strip()
    _compare(path, secrets, checks)
    if wrong:
        raise SettingsError(
            f"{path} line {wrong[0]} is not name = value. Correct it, or bring the file back from "
            "a backup"
        )
    return secrets


def _check(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[:8]


def _compare(path: Path, secrets: Mapping[str, str], checks: Mapping[str, str]) -> None:
    """DamagedFile where a secret is not the one that was written; one that somebody added by hand
    has no check."""
    for name, check in checks.items():
        if name not in secrets or _check(secrets[name]) != check:
            what = "is not what was written" if name in secrets else "is gone"
            raise DamagedFile(
                f"{path} is damaged: the secret {name} {what}. Bring the file back from a backup; "
                "if you changed it yourself, delete its first line"
            )
