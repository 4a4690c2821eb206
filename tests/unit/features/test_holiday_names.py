"""Holidays have one name each, whatever the locale of the process that asks."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

ASK = """
import numpy as np
from features.calendar import holiday_names
days = holiday_names(["NO", "DE"], np.datetime64("2026-12-20"), np.datetime64("2026-12-31"))
print(list(days.values()))
"""


@pytest.mark.parametrize("locale", [{}, {"LANG": "C.UTF-8"}, {"LANGUAGE": "nb"}])
def test_names_do_not_follow_the_locale(locale: dict[str, str]) -> None:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("LC_") and name not in ("LANG", "LANGUAGE")
    }
    done = subprocess.run(
        [sys.executable, "-c", ASK], env=kept | locale, capture_output=True, text=True, check=True
    )
    assert "Christmas Day" in done.stdout
