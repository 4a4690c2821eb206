"""A volume model read from disk: a bundle of LightGBM text, JSON and arrays, hashed, nothing
pickled. ``VolumeModel.save`` writes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data.arrays import Floats
from data.errors import DamagedFile
from models.bundle import Bundle, read_bundle
from models.one_number import Record
from models.volume.intervals import Spread
from models.volume.members import NAMES
from models.volume.model import KIND, Driven, VolumeModel
from models.volume.tested import DAYS, Tested
from models.volume.trees import TreeModel


def load_volume(folder: Path, fingerprint: str | None = None) -> VolumeModel:
    """The model saved in ``folder``; DamagedFile if a file is not what was written, or all of them
    not of the ``fingerprint`` where one is given."""
    bundle = read_bundle(folder, fingerprint)
    judge, spread = bundle.documents["judge.json"], bundle.documents["spread.json"]
    if bundle.kind != KIND or judge["members"] != list(NAMES):
        raise DamagedFile(
            f"{folder}: was written by another version of Presage (members {judge['members']}); "
            "train again."
        )
    ids = tuple(judge["ids"])
    forecast, actual, windows = bundle.meta["record"]
    tested = bundle.arrays.get("tested.npy")
    driven = None
    if "driven.json" in bundle.documents:
        document = bundle.documents["driven.json"]
        driven = Driven(
            np.array(document["weight"], dtype="float64").reshape(len(NAMES), len(ids)),
            _trees_of(bundle, "driven-"),
            np.array(document["share"], dtype="float64"),
        )
    return VolumeModel(
        bundle.meta["freq"],
        int(bundle.meta["horizon"]),
        ids,
        np.array(judge["weight"], dtype="float64").reshape(len(NAMES), len(ids)),
        Spread(
            np.array(spread["phi"], dtype="float64"),
            np.array(spread["growth"], dtype="float64"),
            np.array(spread["quantiles"], dtype="float64").reshape(len(ids), -1),
        ),
        _trees_of(bundle, ""),
        int(bundle.meta["origins"]),
        bundle.arrays["scores.npy"],
        driven,
        Record(tuple(forecast), tuple(actual), windows),
        None if tested is None else _tested_of(tested, bundle.arrays.get("tested-days.npy")),
    )


def _tested_of(rows: Floats, days: Floats | None) -> Tested:
    """``days``: None in a model that was saved before whole days were judged too."""
    members, scores = np.split(rows[2:], 2)
    none = np.full((len(DAYS), rows.shape[1]), np.nan)
    return Tested(rows[0], rows[1], members, scores, none if days is None else days)


def _trees_of(bundle: Bundle, prefix: str) -> TreeModel | None:
    if f"{prefix}trees.txt" not in bundle.boosters:
        return None
    return TreeModel(
        bundle.boosters[f"{prefix}trees.txt"],
        bundle.boosters[f"{prefix}trees-median.txt"],
        bundle.arrays[f"{prefix}trees.golden-inputs.npy"],
    )
