"""A volume model on disk: a bundle of LightGBM text, JSON and arrays, hashed, nothing pickled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from data.errors import DamagedFile
from models.bundle import Bundle, read_bundle, write_bundle
from models.one_number import Record
from models.volume import intervals
from models.volume.intervals import Spread
from models.volume.members import NAMES
from models.volume.model import Driven, VolumeModel
from models.volume.tested import Tested
from models.volume.trees import TreeModel

KIND = "volume"


def save_volume(model: VolumeModel, folder: Path) -> None:
    """Write the model as a bundle."""
    files: dict[str, Any] = {
        "judge.json": {
            "members": list(NAMES),
            "ids": list(model.ids),
            "weight": model.weight.tolist(),
        },
        "spread.json": {
            "probabilities": intervals.PROBABILITIES.tolist(),
            "phi": model.spread.phi.tolist(),
            "growth": model.spread.growth.tolist(),
            "quantiles": model.spread.quantiles.tolist(),
        },
        "scores.npy": model.scores,
    }
    if model.tested is not None:
        one = model.tested
        files["tested.npy"] = np.vstack(
            [one.mean[None], one.presage[None], one.members, one.scores]
        )
    golden = {}
    driven = None if model.driven is None else model.driven.trees
    for prefix, trees in (("", model.trees), ("driven-", driven)):
        if trees is not None:
            both = f"{prefix}trees.txt", f"{prefix}trees-median.txt"
            files[both[0]], files[both[1]] = trees.booster, trees.median
            golden[both[0]] = golden[both[1]] = trees.golden
    if model.driven is not None:
        files["driven.json"] = {
            "weight": model.driven.weight.tolist(),
            "share": model.driven.share.tolist(),
        }
    meta = {
        "kind": KIND,
        "freq": model.freq,
        "horizon": model.horizon,
        "origins": model.origins,
        "record": [list(model.record.said), list(model.record.came), model.record.windows],
    }
    write_bundle(folder, files, meta, golden=golden)


def load_volume(folder: Path) -> VolumeModel:
    """The model saved in ``folder``; DamagedFile if a file is not what was written."""
    bundle = read_bundle(folder)
    judge, spread = bundle.documents["judge.json"], bundle.documents["spread.json"]
    if bundle.kind != KIND or judge["members"] != list(NAMES):
        raise DamagedFile(
            f"{folder}: was written by another version of Presage (members {judge['members']}); "
            "train again."
        )
    ids = tuple(judge["ids"])
    said, came, windows = bundle.meta["record"]
    tested = bundle.arrays.get("tested.npy")
    driven = None
    if "driven.json" in bundle.documents:
        told = bundle.documents["driven.json"]
        driven = Driven(
            np.array(told["weight"], dtype="float64").reshape(len(NAMES), len(ids)),
            _trees_of(bundle, "driven-"),
            np.array(told["share"], dtype="float64"),
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
        Record(tuple(said), tuple(came), windows),
        None if tested is None else Tested(tested[0], tested[1], *np.split(tested[2:], 2)),
    )


def _trees_of(bundle: Bundle, prefix: str) -> TreeModel | None:
    if f"{prefix}trees.txt" not in bundle.boosters:
        return None
    return TreeModel(
        bundle.boosters[f"{prefix}trees.txt"],
        bundle.boosters[f"{prefix}trees-median.txt"],
        bundle.arrays[f"{prefix}trees.golden-inputs.npy"],
    )
