"""Everything that the planners' page says stands in every language's catalogue."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from data.languages.catalogue import languages, page_words

PAGE = Path(__file__).parents[3] / "serving" / "planner"
TEXT = r'"((?:[^"\\]|\\.)*)"'
STATES = ("sure", "at risk", "out of reach", "in force", "withdrawn", "expired", "over", "draft",
          "missed", "within noise", "kept")  # fmt: skip


def said() -> tuple[set[str], set[str]]:
    """Messages of the page, and those of one or several."""
    single, plural = set(STATES), set()
    for path in PAGE.glob("*.js"):
        code = path.read_text()
        plural |= {one for one, _ in re.findall(rf'\bn\([^"]*?,\s*{TEXT},\s*{TEXT}', code)}
        single |= set(re.findall(rf"\bt\(\s*{TEXT}", code))
        lists = re.findall(r'\[((?:\s*"[^"]*",?)+)\]\.map\(\(word\) => t\(word\)\)', code)
        single |= {text for block in lists for text in re.findall(TEXT, block)}
    shell = (PAGE / "page.html").read_text()
    single |= {html.unescape(text.strip()) for text in re.findall(r"data-t[^>]*>([^<]+)<", shell)}
    single |= set(re.findall(r'data-label="([^"]+)"', shell))
    return single, plural


@pytest.mark.parametrize("language", [one for one in languages() if one != "en"])
def test_a_language_says_all_that_the_page_says(language: str) -> None:
    single, plural = said()
    assert len(single) > 100 and len(plural) > 5
    words = page_words(language)
    assert sorted(single - set(words)) == []
    for message in plural:
        assert len(words[message]) == 2 and all(words[message])
    for message in single:
        told = words[message]
        assert isinstance(told, str)
        assert set(re.findall(r"\{\w+\}", told)) == set(re.findall(r"\{\w+\}", message))


def test_the_pages_modules_are_small() -> None:
    for path in PAGE.glob("*.js"):
        assert len(path.read_text().splitlines()) < 300
