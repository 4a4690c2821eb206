"""Bundles under attack: every damage is named, none crashes us, none is loaded."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import lightgbm
import numpy as np
import pytest

from data.errors import Conflict, DamagedFile, DataError
from models.bundle import copy_bundle, golden_rows, read_bundle, trial_load, verify, write_bundle
from models.sealed import fingerprint_of, sha256


@pytest.fixture(scope="module")
def booster() -> tuple[lightgbm.Booster, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 4))
    x[:, 3] = rng.integers(0, 5, 2000)
    x[rng.random(x.shape) < 0.05] = np.nan
    y = (rng.random(2000) < 1 / (1 + np.exp(-np.nan_to_num(x[:, 0])))).astype(float)
    params = {"objective": "binary", "num_leaves": 7, "verbosity": -1, "num_threads": 1}
    data = lightgbm.Dataset(x, y, categorical_feature=[3])
    return lightgbm.train(params, data, num_boost_round=8), x


@pytest.fixture(scope="module")
def pristine(booster, tmp_path_factory) -> Path:
    model, x = booster
    folder = tmp_path_factory.mktemp("bundle") / "risk"
    files = {"risk.txt": model, "calibration.json": {"slope": 1.0, "steps": [0.1, 0.25]}}
    files["edges.npy"] = np.array([0.0, 0.5, 1.0])
    write_bundle(folder, files, {"kind": "risk", "horizons": [7]}, golden={"risk.txt": x})
    return folder


@pytest.fixture
def folder(pristine, tmp_path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "risk"))


def reseal(folder: Path) -> None:
    """Write the manifest that fits the files as they are now: damage that no hash can show."""
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"] = {name: sha256((folder / name).read_bytes()) for name in manifest["files"]}
    manifest["fingerprint"] = fingerprint_of(manifest["kind"], manifest["files"])
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_a_bundle_comes_back_as_it_went_in(pristine, booster):
    model, x = booster
    bundle = read_bundle(pristine)
    assert bundle.kind == "risk"
    assert bundle.meta["horizons"] == [7]
    assert bundle.documents == {"calibration.json": {"slope": 1.0, "steps": [0.1, 0.25]}}
    assert bundle.arrays["edges.npy"].tolist() == [0.0, 0.5, 1.0]
    assert np.array_equal(bundle.boosters["risk.txt"].predict(x), model.predict(x))
    assert trial_load(pristine).fingerprint == bundle.fingerprint == verify(pristine).fingerprint


def test_no_file_is_a_pickle(pristine):
    for path in pristine.iterdir():
        assert path.suffix in {".txt", ".json", ".npy"}
        assert not path.read_bytes().startswith(b"\x80")


@pytest.mark.parametrize(
    "name",
    [
        "risk.txt",
        "calibration.json",
        "edges.npy",
        "meta.json",
        "risk.golden-inputs.npy",
        "risk.golden-outputs.npy",
    ],
)
@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_a_flipped_bit_anywhere_is_found_and_the_file_named(folder, name, place):
    path = folder / name
    data = bytearray(path.read_bytes())
    data[int(place * (len(data) - 1))] ^= 1
    path.write_bytes(data)
    for read in (verify, read_bundle, trial_load):
        with pytest.raises(DamagedFile, match=re.escape(str(path))):
            read(folder)


def test_truncation_removal_and_strangers_are_found(folder):
    path = folder / "risk.txt"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DamagedFile, match=r"risk\.txt: its SHA-256"):
        verify(folder)
    path.unlink()
    with pytest.raises(DamagedFile, match=r"risk\.txt: cannot be read"):
        verify(folder)
    path.write_bytes(whole)
    verify(folder)
    (folder / "extra.txt").write_text("tree")
    with pytest.raises(DamagedFile, match=r"extra\.txt: is no part of this model"):
        verify(folder)


def test_a_manifest_that_was_touched_is_found(folder):
    path = folder / "manifest.json"
    written = json.loads(path.read_text())
    for change in (
        {"kind": "volume"},
        {"fingerprint": "0" * 64},
        {"files": {**written["files"], "../../etc.txt": "0" * 64}},
        {"files": {k: v for k, v in written["files"].items() if k != "calibration.json"}},
        {"files": ["risk.txt"]},
    ):
        path.write_text(json.dumps(written | change))
        with pytest.raises(DamagedFile):
            verify(folder)
    path.write_text(json.dumps(written | {"format": 99}))
    with pytest.raises(DamagedFile, match="format 99, this release reads 1; train again"):
        verify(folder)
    path.write_text("{")
    with pytest.raises(DamagedFile, match="is not a bundle's manifest"):
        verify(folder)
    path.unlink()
    with pytest.raises(DamagedFile, match=r"manifest\.json: cannot be read"):
        read_bundle(folder)


def test_a_truncated_text_with_a_fitting_hash_kills_the_child_and_not_us(folder):
    path = folder / "risk.txt"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    reseal(folder)
    verify(folder)  # no hash can tell
    with pytest.raises(DamagedFile, match=r"risk\.txt"):
        trial_load(folder)


def test_one_changed_digit_with_a_fitting_hash_is_caught_by_the_golden_outputs(folder):
    path = folder / "risk.txt"
    lines = path.read_text().splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if line.startswith("leaf_value="))
    lines[at] = re.sub(r"(?<=\.\d\d\d)\d", lambda d: str((int(d[0]) + 1) % 10), lines[at], count=1)
    path.write_text("".join(lines))
    reseal(folder)
    read_bundle(folder)  # loads, and would score otherwise
    with pytest.raises(DamagedFile, match=r"risk\.txt: \d+ of \d+ golden outputs differ"):
        trial_load(folder)


def test_golden_rows_that_do_not_fit_the_booster_are_damage(folder):
    np.save(folder / "risk.golden-inputs.npy", np.zeros((3, 2)))
    reseal(folder)
    with pytest.raises(DamagedFile, match="wants 4 features"):
        trial_load(folder)


def test_an_array_of_objects_is_never_unpickled(folder):
    np.save(folder / "edges.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    reseal(folder)
    with pytest.raises(DamagedFile, match=r"edges\.npy: cannot be read"):
        read_bundle(folder)


def test_golden_rows_reach_nearly_every_leaf(booster):
    model, x = booster
    rows = golden_rows(model, x)
    assert len(rows) <= 64 < len(x)
    assert np.isnan(rows[-1]).all()

    def reached(inputs):
        leaves = model.predict(inputs, pred_leaf=True)
        return {(tree, leaf) for row in leaves for tree, leaf in enumerate(row)}

    assert reached(rows) >= reached(x)
    assert len(golden_rows(model, x, limit=5)) == 5


def test_equal_content_has_an_equal_fingerprint_and_writing_again_is_harmless(folder, booster):
    model, x = booster
    files = {"risk.txt": model, "calibration.json": {"steps": [0.1, 0.25], "slope": 1.0}}
    files["edges.npy"] = np.array([0.0, 0.5, 1.0])
    meta = {"horizons": [7], "kind": "risk"}
    again = write_bundle(folder, files, meta, golden={"risk.txt": x})
    assert again.fingerprint == verify(folder).fingerprint
    with pytest.raises(Conflict, match="holds something else"):
        write_bundle(folder, {"a.json": 1}, {"kind": "risk"})
    assert verify(folder).fingerprint == again.fingerprint
    assert [path.name for path in folder.parent.iterdir()] == ["risk"]  # no staging left


def test_a_copy_is_verified_and_equal(folder, tmp_path):
    copied = copy_bundle(folder, tmp_path / "elsewhere" / "risk")
    assert copied == verify(tmp_path / "elsewhere" / "risk") == verify(folder)
    (folder / "meta.json").write_text("{}")
    with pytest.raises(DamagedFile, match=r"meta\.json"):
        copy_bundle(folder, tmp_path / "third")
    assert not (tmp_path / "third").exists()


def test_what_cannot_be_stored_plainly_is_refused_before_anything_is_written(tmp_path, booster):
    model, x = booster
    for files, golden, says in (
        ({"a.json": {"x": float("nan")}}, {}, "not plain JSON"),
        ({"a.json": {"x": np.float64}}, {}, "not plain JSON"),
        ({"a.npy": np.array([None])}, {}, "would need pickle"),
        ({"../a.json": 1}, {}, "cannot be a bundle's file"),
        ({"a.pkl": 1}, {}, "cannot be a bundle's file"),
        ({"meta.json": 1}, {}, "cannot be a bundle's file"),
        ({"risk.txt": model}, {}, "has no golden inputs"),
        ({"risk.txt": model}, {"risk.txt": x[:, :2]}, "of its 4 features"),
        ({"a.json": 1}, {"risk.txt": x}, "no such booster"),
    ):
        with pytest.raises(DataError, match=says):
            write_bundle(tmp_path / "m", files, {"kind": "risk"}, golden=golden)
    with pytest.raises(DataError, match='needs "kind"'):
        write_bundle(tmp_path / "m", {}, {})
    assert list(tmp_path.iterdir()) == []
