"""Which model is at work, and where it lies: a small pointer file beside the models' folders.

    .presage/models/risk/champion.json            names version, fingerprint, run
    .presage/models/risk/3-1a4566b72a23/          version 3: a bundle, verified, never changed

Scoring and serving read this and nothing else of the registry, so they never import MLflow. The
pointer is replaced whole; a reader sees the old champion or the new one.

>>> import tempfile
>>> from models.bundle import write_bundle
>>> with tempfile.TemporaryDirectory() as at:
...     state = Path(at)
...     _ = write_bundle(state / "new", {"rates.json": {"all": 0.04}}, {"kind": "rule"})
...     at_noon = datetime(2026, 3, 1, 12)
...     folder = materialise(state, "rule", "3", state / "new")
...     _ = point_at(state, "rule", "3", folder, run_id="r1", promoted_at=at_noon)
...     at_work = champion(state, "rule")
>>> at_work.version, at_work.model_version[:7], at_work.folder.name[:2]
('3', 'rule-3-', '3-')
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from data.artifacts import current, point, pointer_path
from data.errors import DamagedFile
from models.bundle import Manifest, copy_bundle, trial_load, verify
from models.sealed import holds

POINTER = "champion.json"
KIND = POINTER.removesuffix(".json")
CHALLENGER = "challenger"
"""Pointer of the version that is scored beside the champion, and answers nobody."""
MOVES = ("promoted", "rolled_back")
"""The events of the registry's history after which a version is champion."""


@dataclass(frozen=True)
class Champion:
    """The model at work of one kind: its registry version, bundle, and when it was promoted.

    ``as_of``: it learned from what was known then (naive UTC); None where that was not written
    down yet.
    """

    kind: str
    version: str
    fingerprint: str
    run_id: str
    promoted_at: datetime
    folder: Path
    as_of: datetime | None = None

    @property
    def model_version(self) -> str:
        """What predictions name as their model: kind, version and the bundle's fingerprint."""
        return f"{self.kind}-{self.version}-{self.fingerprint[:8]}"


def models_folder(state_dir: Path, kind: str) -> Path:
    """Where the promoted models of a kind lie."""
    return Path(state_dir) / "models" / kind


def champion(state_dir: Path, kind: str) -> Champion | None:
    """The pointer's content; None where no model of this kind was ever promoted.

    Raises DamagedFile if the pointer cannot be read. The bundle itself is not touched.
    """
    return _pointed_at(state_dir, kind, KIND)


def challenger(state_dir: Path, kind: str) -> Champion | None:
    """The version that is to be scored beside the champion; None where there is none, or it is at
    work by now. ``promoted_at`` is when it became the challenger."""
    challenger = _pointed_at(state_dir, kind, CHALLENGER)
    at_work = champion(state_dir, kind)
    if challenger is None or (at_work is not None and at_work.version == challenger.version):
        return None
    return challenger


def _pointed_at(state_dir: Path, kind: str, name: str) -> Champion | None:
    home = models_folder(state_dir, kind)
    try:
        pointer = current(home, name)
        if pointer is None:
            return None
        version, fingerprint = pointer["version"], pointer["fingerprint"]
        return Champion(
            kind,
            version,
            fingerprint,
            pointer["run_id"],
            datetime.fromisoformat(pointer["promoted_at"]),
            home / _folder_name(version, fingerprint),
            _moment(pointer.get("as_of")),
        )
    except (DamagedFile, OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedFile(
            f"{home / f'{name}.json'} is not a {name}'s pointer ({error}); {_mend(kind, name)}"
        ) from error


def _mend(kind: str, name: str) -> str:
    if name == CHALLENGER:
        return f"run `presage train DIR --only {kind} --no-promote` for another one"
    return (
        f"run `presage models DIR promote --kind {kind} --version N`, N the version that "
        f"`presage models DIR --kind {kind}` calls champion"
    )


def champion_file(state_dir: Path, kind: str) -> Path:
    """The pointer to the model at work, see ``data.artifacts.stamp``."""
    return pointer_path(models_folder(state_dir, kind), KIND)


def materialise(state_dir: Path, kind: str, version: str, source: Path) -> Path:
    """The folder of this version under ``models/<kind>``, copied from ``source`` if need be.

    Loaded on trial either way (DamagedFile). A damaged folder of an earlier promotion is written
    anew from ``source``.
    """
    fingerprint = verify(source).fingerprint
    folder = models_folder(state_dir, kind) / _folder_name(version, fingerprint)
    if folder.exists() and not holds(folder, fingerprint):
        shutil.rmtree(folder)
    if not folder.exists():
        copy_bundle(source, folder)
    _same(folder, trial_load(folder), fingerprint)
    return folder


def point_at(
    state_dir: Path,
    kind: str,
    version: str,
    folder: Path,
    *,
    run_id: str,
    promoted_at: datetime,
    as_of: datetime | None = None,
    name: str = KIND,
) -> Champion:
    """Replace the pointer by one at ``folder``, which ``materialise`` returned; ``name``: the
    champion's, or the ``CHALLENGER``'s."""
    fingerprint = verify(folder).fingerprint
    pointer = {
        "kind": kind,
        "version": version,
        "fingerprint": fingerprint,
        "run_id": run_id,
        "promoted_at": promoted_at.isoformat(),
        "as_of": None if as_of is None else as_of.isoformat(),
    }
    point(models_folder(state_dir, kind), name, pointer)
    return Champion(kind, version, fingerprint, run_id, promoted_at, folder, as_of)


def champion_at(
    state_dir: Path, kind: str, moment: datetime, moves: Sequence[Mapping[str, Any]]
) -> Champion | None:
    """The model that was at work at ``moment`` (naive UTC); None where there was none.

    ``moves``: the registry's history of this kind, the oldest first (data.store.registry_history).
    Where history was loaded into Presage after it had happened, no model was promoted by then: the
    newest champion that had learned from nothing after ``moment`` takes the place.
    """
    champions = [_moved(state_dir, kind, move) for move in moves if move["event"] in MOVES]
    present = [each for each in champions if each is not None and each.folder.is_dir()]
    at_work = [each for each in present if each.promoted_at <= moment]
    learned = [each for each in present if each.as_of is not None and each.as_of <= moment]
    return next(reversed(at_work or learned), None)


def former(state_dir: Path, kind: str, moves: Sequence[Mapping[str, Any]]) -> Champion | None:
    """The champion before the one at work, to whom a rollback leads; None where there is none.

    ``moves``: the registry's history of this kind, the oldest first.
    """
    line: list[Champion] = []
    for move in moves:
        if move["event"] not in MOVES:
            continue
        moved = _moved(state_dir, kind, move)
        if moved is None:
            continue
        if move["event"] == "rolled_back":
            line = line[:-2]
        if not line or line[-1].version != moved.version:
            line.append(moved)
    return line[-2] if len(line) > 1 and line[-2].folder.is_dir() else None


def _moved(state_dir: Path, kind: str, move: Mapping[str, Any]) -> Champion | None:
    about = move["details"]
    version, fingerprint = str(move["version"]), about.get("fingerprint")
    if fingerprint is None:
        return None
    folder = models_folder(state_dir, kind) / _folder_name(version, fingerprint)
    return Champion(
        kind,
        version,
        fingerprint,
        str(about.get("run_id")),
        datetime.fromisoformat(about["at"]),
        folder,
        _moment(about.get("as_of")),
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _folder_name(version: str, fingerprint: str) -> str:
    # with the fingerprint: a registry that was deleted and begun anew counts from 1 again
    return f"{version}-{fingerprint[:12]}"


def _same(folder: Path, manifest: Manifest, fingerprint: str) -> None:
    if manifest.fingerprint != fingerprint:
        raise DamagedFile(
            f"{folder}: holds the model {manifest.fingerprint[:12]}, the pointer names "
            f"{fingerprint[:12]}; run `presage models rollback` or `presage train`"
        )
