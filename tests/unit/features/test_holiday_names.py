"""Holidays have one name each, whatever the locale of the process that asks."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from features.calendar import holiday_names

ASK = """
import numpy as np
from features.calendar import holiday_names
days = holiday_names(["NO", "DE"], np.datetime64("2026-12-20"), np.datetime64("2026-12-31"))
print(list(days.values()))
"""


@pytest.mark.parametrize(
    ("countries", "named"),
    [
        (["GB-SCT"], ["2026-01-01", "2026-01-02"]),
        (["GB-ENG"], ["2026-01-01"]),
        (["US-MA"], ["2026-01-01"]),
        (["GB-ENG", "GB-SCT"], ["2026-01-01", "2026-01-02"]),
    ],
)
def test_a_part_of_a_country_has_holidays_of_its_own(
    countries: list[str], named: list[str]
) -> None:
    found = holiday_names(countries, np.datetime64("2026-01-01"), np.datetime64("2026-01-03"))
    assert [str(day) for day in found] == named


def test_patriots_day_is_of_massachusetts_alone() -> None:
    days = np.datetime64("2026-04-15"), np.datetime64("2026-04-25")
    assert len(holiday_names(["US-MA"], *days)) == 1
    assert not holiday_names(["US"], *days)


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
