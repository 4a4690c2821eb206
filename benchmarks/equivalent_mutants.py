"""Mutants that no test can tell from the original, each with the reason: file, before, after."""

from __future__ import annotations

EQUIVALENT: dict[tuple[str, str, str], str] = {}
