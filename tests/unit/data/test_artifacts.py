"""Pointers: what they say is what was written, and one that is gone is missed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from data.artifacts import current, point, pointer_path
from data.errors import DamagedFile

SAID = {"file": "scores-1.parquet", "rows": 40, "scale": 0.1, "as_of": "2026-03-01", "é": None}


def test_no_flipped_bit_makes_a_pointer_say_something_else(tmp_path: Path) -> None:
    point(tmp_path, "scores", SAID)
    place = pointer_path(tmp_path, "scores")
    whole, refused = place.read_bytes(), 0
    for at in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[at // 8] ^= 1 << at % 8
        place.write_bytes(damaged)
        try:
            found = current(tmp_path, "scores") or {}
        except DamagedFile as error:
            assert str(place) in str(error)
            refused += 1
        else:  # white space, or the name of the digest itself
            assert {name: found.get(name) for name in SAID} == SAID
    assert refused > 0.7 * 8 * len(whole)


def test_a_pointer_that_is_gone_is_not_one_that_never_was(tmp_path: Path) -> None:
    assert current(tmp_path, "scores") is None
    point(tmp_path, "scores", SAID)
    assert current(tmp_path, "forecast") is None
    pointer_path(tmp_path, "scores").unlink()
    with pytest.raises(DamagedFile, match=r"scores\.json is gone"):
        current(tmp_path, "scores")
    point(tmp_path, "scores", SAID)
    assert current(tmp_path, "scores") == SAID


def test_a_pointer_of_before_digests_is_read(tmp_path: Path) -> None:
    pointer_path(tmp_path, "scores").write_text(json.dumps(SAID))
    assert current(tmp_path, "scores") == SAID
