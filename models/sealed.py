"""A folder sealed by hashes: written whole or not at all, and read only as it was written.

``manifest.json`` holds the SHA-256 of every other file and a fingerprint of them all. What is read
is what was hashed: the bytes come out of the check itself, so nothing can change between.

>>> import tempfile
>>> with tempfile.TemporaryDirectory() as at:
...     written = write_sealed(Path(at) / "m", "rule", {"meta.json": b"{}"})
...     _ = (Path(at) / "m" / "meta.json").write_bytes(b"{ }")
...     verify(Path(at) / "m")
Traceback (most recent call last):
data.errors.DamagedFile: .../m/meta.json: its SHA-256 is ...
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from data.errors import Conflict, DamagedFile
from data.files import publish, staging_folder

FORMAT = 1
MANIFEST, META = "manifest.json", "meta.json"
FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\.(txt|json|npy)")


@dataclass(frozen=True)
class Manifest:
    """What a bundle holds: ``files`` maps names to SHA-256, ``fingerprint`` is the hash of them."""

    kind: str
    fingerprint: str
    files: Mapping[str, str]


def write_sealed(folder: Path, kind: str, content: Mapping[str, bytes]) -> Manifest:
    """Write files by name, and their manifest: staged beside ``folder``, fsynced, renamed.

    Equal content gives an equal fingerprint. If ``folder`` already holds the same, it stands; if it
    holds anything else, Conflict is raised and it stands too.
    """
    hashes = {name: sha256(data) for name, data in sorted(content.items())}
    manifest = Manifest(kind, fingerprint_of(kind, hashes), hashes)
    written = {"format": FORMAT, "kind": kind, "fingerprint": manifest.fingerprint}
    text = json.dumps(written | {"files": hashes}, indent=1, sort_keys=True) + "\n"
    _write({**content, MANIFEST: text.encode()}, folder, manifest.fingerprint)
    return manifest


def copy_sealed(source: Path, folder: Path) -> Manifest:
    """Copy a verified folder to ``folder``, whole or not at all, to the byte."""
    manifest, content = verified_content(source)
    _write(content, folder, manifest.fingerprint)
    return manifest


def verify(folder: Path) -> Manifest:
    """The manifest, if every file is there with the content it was written with, and no other.

    Raises DamagedFile, naming the file, otherwise.
    """
    return verified_content(Path(folder))[0]


def verified_content(folder: Path) -> tuple[Manifest, dict[str, bytes]]:
    """Manifest and the content of all files, hashed as read: what is used is what was checked."""
    retrain = "restore the file or retrain the model"
    try:
        data = (folder / MANIFEST).read_bytes()
    except OSError as error:
        raise DamagedFile(
            f"{folder / MANIFEST}: cannot be read ({error.strerror}); {retrain}"
        ) from error
    try:
        written = json.loads(data)
        found_format = written["format"]
        kind, fingerprint, hashes = written["kind"], written["fingerprint"], dict(written["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedFile(f"{folder / MANIFEST}: is not a bundle's manifest; {retrain}") from error
    if found_format != FORMAT:
        raise DamagedFile(
            f"{folder / MANIFEST}: format {found_format}, this release reads {FORMAT}; "
            "train again by `presage train`"
        )
    content = {MANIFEST: data}
    for name, expected in hashes.items():
        if not FILE_NAME.fullmatch(name):
            raise DamagedFile(f'{folder / MANIFEST}: lists a file "{name}"; {retrain}')
        path = folder / name
        try:
            content[name] = path.read_bytes()
        except OSError as error:
            raise DamagedFile(f"{path}: cannot be read ({error.strerror}); {retrain}") from error
        digest = sha256(content[name])
        if digest != expected:
            raise DamagedFile(
                f"{path}: its SHA-256 is {digest[:12]}..., it was written with {str(expected)[:12]}"
                f"...; {retrain}"
            )
    strangers = {path.name for path in folder.iterdir()} - set(content)
    if strangers:
        raise DamagedFile(f"{folder / min(strangers)}: is no part of this model; remove the file")
    if META not in hashes or fingerprint != fingerprint_of(kind, hashes):
        raise DamagedFile(f"{folder / MANIFEST}: its fingerprint does not fit its files; {retrain}")
    return Manifest(kind, fingerprint, hashes), content


def _write(content: Mapping[str, bytes], folder: Path, fingerprint: str) -> None:
    """Fill a staging folder that becomes ``folder``, durable on disk, or disappears."""
    with staging_folder(folder) as staged:
        for name, data in content.items():
            (staged / name).write_bytes(data)
        # replaces an empty folder, never one that holds something
        if not publish(staged, folder) and not holds(folder, fingerprint):
            raise Conflict(
                f"{folder}: holds something else already; write the model to another folder"
            )


def holds(folder: Path, fingerprint: str) -> bool:
    """Whether the folder verifies and is the one of this fingerprint."""
    try:
        return verify(folder).fingerprint == fingerprint
    except DamagedFile:
        return False


def fingerprint_of(kind: str, hashes: Mapping[str, str]) -> str:
    """The identity of a sealed folder: its kind, and the names and hashes of its files."""
    return sha256(json.dumps([FORMAT, kind, sorted(hashes.items())]).encode())


def sha256(data: bytes) -> str:
    """Hexadecimal SHA-256."""
    return hashlib.sha256(data).hexdigest()
