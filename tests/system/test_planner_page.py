"""The planners' page in a real browser: people and chart by key, and no request leaves here."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from .conftest import Service, presage

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any, service: Service) -> Iterator[Any]:
    """The page, opened; every request that it makes is noted, and every error."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    opened = context.new_page()
    opened.asked, opened.faults = [], []
    opened.on("request", lambda request: opened.asked.append(request.url))
    opened.on("pageerror", lambda error: opened.faults.append(str(error)))
    opened.on(
        "console",
        lambda told: opened.faults.append(told.text) if "Content Security" in told.text else None,
    )
    opened.goto(f"{service.url}/planner")
    yield opened
    context.close()


def sign_in(page: Any, key: str) -> None:
    page.fill("#key", key)
    page.click("#key-form button")


def test_a_planner_sees_people_and_chart(page: Any, service: Service, tmp_path: Path) -> None:
    key = presage("keys", service.workspace, "create", "page", "--scopes", "forecasts")["key"]
    assert not page.is_visible("#plan")
    sign_in(page, key)
    page.wait_for_selector("body[data-ready=yes]")
    cells = page.locator("#heat button")
    counts = [int(text or 0) for text in cells.all_inner_texts()]
    assert len(counts) > 24
    cells.nth(counts.index(max(counts))).click()
    answer = page.inner_text("#answer")
    people = int(re.search(r"([\d.]+) people", answer)[1])  # type: ignore[index]
    assert people == max(counts), "the cell says what the sentence says"
    # what it says is what the plan holds: the day and the hour chosen, over all channels
    rows = page.locator("#answer-table tr").all_inner_texts()[1:]
    told = sum(float(row.split("\t")[1]) for row in rows)
    assert people - 1 - 0.1 * len(rows) < told <= people + 0.1 * len(rows)
    assert "As of" in page.inner_text("#freshness")
    for kind in (".actual", ".median", ".band", ".wide"):
        assert page.locator(f"#chart svg {kind}").count() == 1
    assert "trials" in page.inner_text("#accuracy")
    page.wait_for_function("document.querySelector('#why').textContent.includes('expected, by')")
    page.screenshot(path=str(tmp_path / "page.png"), full_page=True)

    channel = page.locator("#channel option").all()[1].get_attribute("value")
    page.select_option("#channel", channel)
    page.wait_for_function("document.querySelectorAll('#answer-table tr').length === 2")
    cell = page.locator("#heat button").first
    cell.click()
    assert page.locator("#heat button[aria-pressed=true]").count() == 1

    with page.expect_download() as download:
        page.click("#plan-csv")
    assert download.value.path().read_text().startswith("channel,starts_at,")
    hosts = {urlsplit(url).netloc for url in page.asked if urlsplit(url).scheme.startswith("http")}
    assert hosts == {urlsplit(service.url).netloc}
    assert not page.faults


def test_each_cell_of_the_heat_map_equals_the_sentence_above_it(
    page: Any, service: Service
) -> None:
    key = presage("keys", service.workspace, "create", "cells", "--scopes", "forecasts")["key"]
    sign_in(page, key)
    page.wait_for_selector("body[data-ready=yes]")
    channels = page.locator("#channel option").evaluate_all("all => all.map(one => one.value)")
    assert channels[0] == "" and len(channels) > 1
    for channel in channels[:2]:
        page.select_option("#channel", channel)
        page.wait_for_function(
            "want => document.querySelectorAll('#answer-table tr').length === want",
            arg=len(channels) if channel == "" else 2,
        )
        rows = service.ask("GET", f"/v1/staffing?channel={channel}").json()["items"]
        people = sorted(_by_hour(rows).values())
        # cells are clicked in the page itself: what each says, and what the sentence says then.
        # Every seventh, for each click asks the API for the reasons
        cells = page.evaluate(
            """() => [...document.querySelectorAll("#heat button")].map((_, at) => {
                 const cell = document.querySelectorAll("#heat button")[at];
                 const [text, label] = [cell.textContent, cell.title];
                 if (at % 7) return [text, label, null];
                 cell.click();
                 return [text, label, document.querySelector("#answer").textContent];
               })"""
        )
        assert len(cells) > 24
        assert max(int(text or 0) for text, _, _ in cells) == math.ceil(people[-1] - 1e-9)
        for text, label, sentence in cells:
            assert label.endswith(f": {text or 0} people")
            if sentence is None:
                continue
            when = label.rpartition(": ")[0]
            day, _, time = when.rpartition(" ")
            assert sentence.startswith(f"{day} at {time}: {text or 0} people "), (label, sentence)
    assert not page.faults


def _by_hour(rows: list[dict[str, Any]]) -> dict[str, float]:
    """People over all channels by the start of the interval."""
    found: dict[str, float] = {}
    for row in rows:
        found[row["starts_at"]] = found.get(row["starts_at"], 0.0) + row["agents_gross"]
    return found


def test_a_wrong_key_is_told_and_forgotten(page: Any) -> None:
    sign_in(page, "presage_wrong")
    page.wait_for_selector("#error:not([hidden])")
    assert "key" in page.inner_text("#error")
    assert not page.is_visible("#plan")
    assert page.evaluate("sessionStorage.length") == 0
