"""A model's folder: LightGBM text, JSON and plain arrays, each hashed, nothing pickled.

    risk.txt                  a booster, as LightGBM writes it
    risk.golden-inputs.npy    rows that reach its leaves, float64, categories as codes
    risk.golden-outputs.npy   what it answered on them when it was written (raw scores)
    calibration.json, ...     whatever else the model is, as JSON
    meta.json                 kind, features, horizons, ...: the caller's
    manifest.json             SHA-256 of each file above, and the fingerprint of them all

A damaged text model does not raise: LightGBM aborts the process, or loads and answers otherwise.
Hence three steps before a model is believed: the hash of every file (``verify``); a child process
that loads each booster and must repeat its golden outputs bit for bit (``trial_load``); only then
is it loaded here, from the very bytes that were hashed (``read_bundle``).

>>> import tempfile
>>> with tempfile.TemporaryDirectory() as at:
...     _ = write_bundle(Path(at) / "m", {"rates.json": {"all": 0.04}}, {"kind": "rule"})
...     bundle = read_bundle(Path(at) / "m")
>>> bundle.kind, bundle.documents["rates.json"]
('rule', {'all': 0.04})
"""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from data.errors import DamagedFile, DataError
from models.sealed import (
    FILE_NAME,
    MANIFEST,
    META,
    Manifest,
    copy_sealed,
    verified_content,
    verify,
    write_sealed,
)

__all__ = [
    "Manifest",
    "Bundle",
    "write_bundle",
    "copy_bundle",
    "verify",
    "read_bundle",
    "trial_load",
    "golden_rows",
]

copy_bundle = copy_sealed
DAMAGED = 3
"""The child's exit code where it found the damage itself; a traceback's would be 1."""
GOLDEN_ROWS = 256
"""The most golden rows that are kept of a booster: enough to reach most leaves, small to load."""


@dataclass(frozen=True)
class Bundle:
    """A verified bundle in memory: JSON values and boosters by file name, with the suffix."""

    folder: Path
    manifest: Manifest
    meta: dict[str, Any]
    documents: dict[str, Any]
    arrays: dict[str, npt.NDArray[Any]]
    boosters: dict[str, Any]

    @property
    def kind(self) -> str:
        return self.manifest.kind

    @property
    def fingerprint(self) -> str:
        return self.manifest.fingerprint


def write_bundle(
    folder: Path,
    files: Mapping[str, Any],
    meta: Mapping[str, Any],
    *,
    golden: Mapping[str, npt.ArrayLike] | None = None,
) -> Manifest:
    """Write a bundle whole or not at all: staged beside ``folder``, fsynced, renamed into place.

    ``files``: ``"x.txt"`` → a LightGBM Booster, ``"x.json"`` → a JSON value, ``"x.npy"`` → an array
    without objects. ``meta`` must name its ``kind`` ("risk", "volume"). ``golden``: for each
    booster a matrix (rows × its features, float64, categories as codes) to remember it by; give
    thousands of usual rows, at most 256 that reach different leaves are kept.

    Equal content gives an equal fingerprint. If ``folder`` already holds this bundle, it stands; if
    it holds anything else, Conflict is raised. DataError for a wrong name, value or golden matrix.
    """
    kind = meta.get("kind")
    if not isinstance(kind, str) or not kind:
        raise DataError('a bundle\'s meta needs "kind", the name of the model\'s kind, e.g. "risk"')
    content = {META: _json(META, meta)}
    rows = dict(golden or {})
    for name, value in files.items():
        if not FILE_NAME.fullmatch(name) or name in (MANIFEST, META) or ".golden-" in name:
            raise DataError(f'"{name}" cannot be a bundle\'s file; use x.txt, x.json or x.npy')
        if name.endswith(".json"):
            content[name] = _json(name, value)
        elif name.endswith(".npy"):
            content[name] = _npy(np.asarray(value))
        else:
            if name not in rows:
                raise DataError(f'the booster "{name}" has no golden inputs; give golden["{name}"]')
            content |= _booster_files(name, value, rows.pop(name))
    if rows:
        raise DataError(f"golden inputs for {sorted(rows)}, but no such booster is among the files")
    return write_sealed(Path(folder), kind, content)


def read_bundle(folder: Path, fingerprint: str | None = None) -> Bundle:
    """Verify, then load documents and boosters from the bytes that were verified.

    ``fingerprint``: the one that the bundle must have; DamagedFile where it is another, before any
    of it is loaded. A bundle that comes from elsewhere, or is about to replace another in a running
    service, goes through ``trial_load`` first: a text that LightGBM dislikes ends the process that
    loads it.
    """
    return _read(Path(folder), announce=False, fingerprint=fingerprint)


def trial_load(folder: Path, *, timeout_seconds: float = 300) -> Manifest:
    """Load the bundle in a child process and repeat its golden outputs exactly.

    Raises DamagedFile naming the file if a hash is wrong, the child crashes or hangs while it loads
    a booster, or one answers otherwise than when it was written.
    """
    folder = Path(folder)
    manifest = verify(folder)
    # -P: a folder called "models" in the user's current directory must not be imported
    command = [sys.executable, "-P", "-m", "models.bundle", str(folder.absolute())]
    try:
        child = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=timeout_seconds
        )
    except subprocess.TimeoutExpired as late:
        raise DamagedFile(
            f"{folder}: loading the model on trial did not end within {timeout_seconds:g} s; "
            "restore or retrain it"
        ) from late
    lines = child.stdout.splitlines()
    if child.returncode == 0 and lines and lines[-1] == f"loaded {manifest.fingerprint}":
        return manifest
    announced = [line.removeprefix("loading ") for line in lines if line.startswith("loading ")]
    culprit = folder / announced[-1] if announced else folder
    reasons = child.stderr.strip().splitlines()
    if child.returncode == DAMAGED and reasons:
        raise DamagedFile(reasons[-1])
    how = (
        f"died of {signal.Signals(-child.returncode).name}"
        if child.returncode < 0
        else f"ended with code {child.returncode}"
    )
    raise DamagedFile(
        f"{culprit}: a child process that loaded it on trial {how}"
        f"{f' ({reasons[-1]})' if reasons else ''}; restore the file or retrain the model"
    )


def golden_rows(booster: Any, inputs: npt.ArrayLike, limit: int = GOLDEN_ROWS) -> Any:
    """At most ``limit`` rows of ``inputs`` that reach as many leaves as they can, and a row of NaN.

    Greedy in the order of rows: one is kept if it reaches a leaf that none before it reached.
    Returns float64, rows × features.
    """
    matrix = np.asarray(inputs, dtype=np.float64)
    if matrix.ndim != 2 or not len(matrix) or matrix.shape[1] != booster.num_feature():
        raise DataError(
            f"golden inputs have shape {matrix.shape}; the booster wants at least one row of its "
            f"{booster.num_feature()} features"
        )
    matrix = matrix[:5000]
    leaves = np.asarray(booster.predict(matrix, pred_leaf=True, num_threads=1))
    leaves = leaves.reshape(len(matrix), -1)
    leaves_reached = np.zeros((leaves.shape[1], int(leaves.max(initial=0)) + 1), dtype=bool)
    trees = np.arange(leaves.shape[1])
    chosen_rows: list[int] = []
    for row, reached in enumerate(leaves):
        if not chosen_rows or not leaves_reached[trees, reached].all():
            leaves_reached[trees, reached] = True
            chosen_rows.append(row)
        if len(chosen_rows) == limit - 1:
            break
    return np.vstack([matrix[chosen_rows], np.full((1, matrix.shape[1]), np.nan)])


def _booster_files(name: str, booster: Any, inputs: npt.ArrayLike) -> dict[str, bytes]:
    text = booster.model_to_string()
    loaded = _load_booster(text)
    chosen = golden_rows(loaded, inputs)
    stem = name.removesuffix(".txt")
    return {
        name: text.encode(),
        f"{stem}.golden-inputs.npy": _npy(chosen),
        f"{stem}.golden-outputs.npy": _npy(_raw_scores(loaded, chosen)),
    }


def _read(folder: Path, announce: bool, fingerprint: str | None = None) -> Bundle:
    manifest, content = verified_content(folder)
    if fingerprint not in (None, manifest.fingerprint):
        raise DamagedFile(
            f"{folder}: holds the model {manifest.fingerprint[:12]}, where {fingerprint[:12]} was "
            "promoted; run `presage models rollback` or `presage train`"
        )
    documents, arrays, boosters = {}, {}, {}
    for name, data in content.items():
        try:
            if name.endswith(".json"):
                documents[name] = json.loads(data)
            elif name.endswith(".npy"):
                arrays[name] = np.load(io.BytesIO(data), allow_pickle=False)
            else:
                if announce:
                    sys.stdout.write(f"loading {name}\n")
                    sys.stdout.flush()
                boosters[name] = _load_booster(data.decode())
        except ImportError:  # a package is missing: the file may be whole
            raise
        except Exception as error:  # of json, numpy or LightGBM: the file is not what it says
            raise DamagedFile(
                f"{folder / name}: cannot be read ({error}); restore the file or retrain the model"
            ) from error
    del documents[MANIFEST]
    meta = documents.pop(META)
    return Bundle(folder, manifest, meta, documents, arrays, boosters)


def _trial(folder: Path) -> str:
    """What the child does: load every booster and repeat its golden outputs. The fingerprint."""
    bundle = _read(folder, announce=True)
    for name, booster in bundle.boosters.items():
        stem = name.removesuffix(".txt")
        inputs = bundle.arrays.get(f"{stem}.golden-inputs.npy")
        expected = bundle.arrays.get(f"{stem}.golden-outputs.npy")
        if inputs is None or expected is None:
            raise DamagedFile(f"{folder / name}: has no golden inputs or outputs; retrain")
        if inputs.shape[1:] != (booster.num_feature(),):
            raise DamagedFile(
                f"{folder / name}: wants {booster.num_feature()} features, its golden inputs have "
                f"shape {inputs.shape}; restore the file or retrain the model"
            )
        scores = _raw_scores(booster, inputs)
        if scores.shape != expected.shape or scores.tobytes() != expected.tobytes():
            differ = (scores != expected).sum() if scores.shape == expected.shape else scores.size
            raise DamagedFile(
                f"{folder / name}: {int(differ)} of {expected.size} golden outputs differ from "
                "what the model answered when it was written; restore the file or retrain the model"
            )
    return bundle.fingerprint


def _load_booster(text: str) -> Any:
    import lightgbm

    return lightgbm.Booster(model_str=text)


def _raw_scores(booster: Any, inputs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    # raw: the link function calls the C library's exp, whose last bit may differ elsewhere
    raw = booster.predict(inputs, raw_score=True, num_threads=1)
    return np.ascontiguousarray(raw, dtype=np.float64)


def _json(name: str, value: Any) -> bytes:
    try:
        text = json.dumps(value, allow_nan=False, sort_keys=True, indent=1, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{name}: is not plain JSON ({error}); use str, int, float (finite), bool, None, list "
            "and dict"
        ) from error
    return (text + "\n").encode()


def _npy(array: npt.NDArray[Any]) -> bytes:
    if array.dtype.hasobject:
        raise DataError("an array of objects would need pickle; store numbers or fixed-width text")
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


if __name__ == "__main__":
    # trees need none of what LightGBM imports where it finds it; the child starts in 1.4 CPU
    # seconds in place of 7
    for optional in ("sklearn", "pandas", "matplotlib", "dask", "pyarrow"):
        sys.modules[optional] = None  # type: ignore[assignment]
    try:
        sys.stdout.write(f"loaded {_trial(Path(sys.argv[1]))}\n")
    except DamagedFile as damaged:
        sys.stderr.write(f"{damaged}\n")
        raise SystemExit(DAMAGED) from None
