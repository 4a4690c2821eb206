"""A small run of ``python -m benchmarks.files``: no file ends unexpectedly, no row is lost."""

from __future__ import annotations

from benchmarks.files import run


def test_mutated_files_are_read_or_named_and_every_row_is_accounted_for() -> None:
    assert run(12, seed=7) == []
