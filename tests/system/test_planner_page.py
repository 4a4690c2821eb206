"""The planners' page in a real browser, driven as a planner would drive it."""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pandas as pd
import pytest

from data.workspace import Workspace
from serving.monitoring.finding import Finding, frame_of
from serving.published import newest, publish
from serving.shifts import with_gap

from .conftest import Service, presage

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
SPACE = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}

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


@pytest.fixture(scope="module")
def ada(service: Service) -> str:
    """The key of a planner who may change the plan."""
    told = presage("keys", service.workspace, "create", "ada", "--scopes", "forecasts,plan")
    return str(told["key"])


SHIFT = {
    "break_starts_at": pd.NaT,
    "break_ends_at": pd.NaT,
    "paid_hours": 8.0,
    "cost": 240.0,
    "skills": "phone",
    "time_zone": "Europe/Oslo",
}


@pytest.fixture(scope="module")
def rostered(service: Service) -> str:
    """A channel on which the published roster has one person fewer than the plan needs, wherever
    it needs any; on all others it has as many."""
    workspace = Workspace.open(service.workspace)
    plan = newest(workspace.state_dir, "staffing")
    assert plan is not None
    lacking = str(plan.frame["channel"].iloc[0])
    absence = workspace.settings.shifts.absence
    people = plan.frame[["channel", "starts_at", "ends_at"]].assign(rostered=0)
    people = with_gap(people, plan.frame, absence)
    people["rostered"] = people["needed"] - (people["channel"] == lacking)
    people["rostered"] = people["rostered"].clip(lower=0)
    people["gap"] = people["rostered"] - people["needed"]
    begins = people["starts_at"].min() + pd.Timedelta(hours=32)
    times = {"day": str(begins.date()), "starts_at": begins, "ends_at": begins + pd.Timedelta("8h")}
    when: dict[str, Any] = {"as_of": plan.as_of, "now": plan.as_of}
    publish(workspace.state_dir, "roster_people", people, **when)
    shifts = [{"agent_id": agent, **SHIFT, **times} for agent in ("kari", "ola")]
    publish(workspace.state_dir, "roster", pd.DataFrame(shifts), weeks=[], **when)
    return lacking


@pytest.fixture(scope="module")
def watched(service: Service) -> None:
    """What a monitor would have published: two weeks of figures, an alarm, an emerging issue."""
    state = Workspace.open(service.workspace).state_dir
    plan = newest(state, "staffing")
    assert plan is not None
    when: dict[str, Any] = {"as_of": plan.as_of, "now": plan.as_of}
    weeks = [plan.as_of - pd.Timedelta(days=days) for days in (14, 7)]
    figure = {"low": 0.58, "high": 0.64, "count": 900, "unit": "share", "target": float("nan")}
    speed = {**figure, "block": "speed", "kpi": "answered_in_time", "target_name": ""}
    missed = {"channel": "phone", "value": 0.52, "target": 0.9, "verdict": "missed"}
    rows = [
        {**speed, "week": week, "local_week": f"{week + pd.Timedelta('2h'):%Y-%m-%d}", **more}
        for week, value in zip(weeks, (0.7, 0.61), strict=True)
        for more in ({"channel": "", "value": value, "verdict": ""}, missed)
    ]
    alarm = Finding("forecasts", "bias", "alarm", "phone: 12 % too few forecast", "Train again.")
    issue = {"topic": "delivery", "since": plan.as_of, "hours": 24.0, "contacts": 24,
             "expected": 6.0, "ratio": 4.0, "chance": 1e-9, "customers": 22,
             "driver": "carrier=fast", "driver_share": 0.75, "driver_usual": 0.2,
             "also": "", "act": "Write an article.", "examples": "t1"}  # fmt: skip
    publish(state, "kpis", pd.DataFrame(rows), **when)
    publish(state, "monitor", frame_of([alarm]), **when)
    publish(state, "issues", pd.DataFrame([issue]), **when)


@pytest.fixture
def page(browser: Any, service: Service) -> Iterator[Any]:
    """The page, opened; every request that it makes is noted, and every error."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000}, locale="en-GB")
    opened = context.new_page()
    opened.set_default_timeout(120_000)
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


def complete(page: Any, work: Any = None) -> None:
    """Until everything is drawn; after ``work``, drawn again."""
    if work is not None:
        page.evaluate("delete document.body.dataset.complete")
        work()
    page.wait_for_selector("body[data-complete=yes]")


def headline(page: Any) -> int:
    """The people of the sentence above the day."""
    found = re.search(r": (\d+) (?:person|people) on duty", page.inner_text("#answer"))
    assert found is not None, page.inner_text("#answer")
    return int(found[1])


def selected(page: Any) -> str:
    return str(page.locator("#heat td[aria-selected=true]").get_attribute("aria-label"))


def test_a_planner_looks_filters_overrides_asks_publishes_withdraws_and_exports(
    page: Any, service: Service, ada: str
) -> None:
    assert not page.is_visible("#plan")
    sign_in(page, ada)
    complete(page)
    complete(page, lambda: page.click("#week-after"))  # a whole one: today is a Sunday
    # look: the busiest cell and the sentence above the day say the same figure
    cells = page.locator("#heat td[data-day]")
    counts = [int(text or 0) for text in cells.all_inner_texts()]
    assert len(counts) > 24
    cells.nth(counts.index(max(counts))).click()
    assert headline(page) == max(counts)
    assert f": {max(counts)} people" in selected(page)
    assert page.evaluate("document.activeElement.dataset.slot") is not None, "the focus stays"
    assert "As of" in page.inner_text("#freshness")
    assert page.locator("#contacts-chart svg .band").count() >= 1
    assert "reachable" in page.inner_text("#promises").lower()
    page.wait_for_selector("#people-chart svg .outer")  # people for 50 to 90 % of scenarios
    # the figure is the plan's own, over all channels
    day, slot = (
        page.evaluate(f"document.activeElement.dataset.{name}") for name in ("day", "slot")
    )
    rows = service.ask("GET", "/v1/staffing").json()["items"]
    people = {math.ceil(one - 1e-9) for one in _by_interval(rows).values()}
    assert set(counts) <= people | {0} and max(counts) in people
    assert f"day={day}" in page.url and "slot=" in page.url, "filters stand in the URL"

    # filter: one channel, here and after a reload
    channel = str(page.locator("#channel option").nth(1).get_attribute("value"))
    complete(page, lambda: page.select_option("#channel", channel))
    assert page.locator("#answer-table tbody tr").count() == 1
    complete(page, page.reload)
    assert page.input_value("#channel") == channel and page.input_value("#slot") == slot
    before = headline(page)

    # override: seen before it is kept; headline, heat map and chart move at once
    page.fill("#override-amount", "60")
    page.fill("#override-from", f"{day}T00:00")
    page.fill("#override-reason", "   ")
    page.click("#override-preview")
    page.wait_for_selector("#error:not([hidden])")
    assert "reason is blank" in page.inner_text("#error")
    page.fill("#override-reason", "the app is down")
    page.click("#override-preview")
    page.wait_for_selector("#override-effect p")
    assert "paid hours" in page.inner_text("#override-effect")
    assert headline(page) == before, "a preview moves nothing"
    complete(page, lambda: page.click("#override-form button:not([type])"))
    raised = headline(page)
    assert raised > before
    assert f": {raised} people" in selected(page)
    assert page.locator("#contacts-chart svg .unchanged").count() >= 1, "what was said before"
    row = page.locator("#overrides tbody tr").first
    assert "ada" in row.inner_text() and "the app is down" in row.inner_text()

    # what if: numbers and sliders answer at once, nothing is kept
    page.fill("#if-volume", "20")
    page.wait_for_selector("#what-if-result tbody tr")
    assert page.input_value("#if-volume-slider") == "20"
    told = page.locator("#what-if-result tbody tr").first.inner_text().split("\t")
    assert told[0] == "Contacts" and told[3].startswith("+")
    assert headline(page) == raised

    # publish what was asked, as a scenario with name and reason
    page.fill("#scenario-name", "twenty more")
    page.fill("#scenario-reason", "as marketing says")
    page.click("#scenario-form button")
    publish = page.locator("#scenarios button[aria-label='Publish twenty more']")
    publish.wait_for()
    complete(page, publish.click)
    page.wait_for_selector("#scenarios:has-text('in force')")
    assert "twenty more" in page.inner_text("#attention")
    assert "as marketing says" in page.inner_text("#versions")

    # withdraw: it is on record, and the plan moves back
    published = headline(page)
    complete(page, page.locator("#overrides button").first.click)
    assert "withdrawn by ada" in page.inner_text("#overrides")
    assert headline(page) < published

    # export what is filtered; recompute one gross figure by hand
    with page.expect_download() as download:
        page.click("#file-xlsx")
    sheets = _sheets(download.value.path().read_bytes())
    assert list(sheets) == ["Summary", "Assumptions", channel]
    _recompute(sheets[channel], float(sheets["Assumptions"]["B2"]))
    with page.expect_download() as download:
        page.click("#file-csv")
    lines = download.value.path().read_text().splitlines()
    assert lines[0].startswith("channel,starts_at,")
    assert {line.split(",")[0] for line in lines[1:]} == {channel}, "the file honours the filter"

    hosts = {urlsplit(url).netloc for url in page.asked if urlsplit(url).scheme.startswith("http")}
    assert hosts == {urlsplit(service.url).netloc}, "0 requests off the origin"
    assert not page.faults


def _by_interval(rows: list[dict[str, Any]]) -> dict[str, float]:
    """People over all channels by the start of the interval."""
    found: dict[str, float] = {}
    for row in rows:
        found[row["starts_at"]] = found.get(row["starts_at"], 0.0) + row["agents_gross"]
    return found


def _sheets(content: bytes) -> dict[str, dict[str, str]]:
    """A workbook's cells by sheet and reference."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        words = [
            "".join(one.itertext())
            for one in ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
        ]
        names = ElementTree.fromstring(book.read("xl/workbook.xml")).findall(".//m:sheet", SPACE)
        found = {}
        for number, name in enumerate(names, 1):
            cells = {}
            sheet = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{number}.xml"))
            for cell in sheet.iter(f"{{{SPACE['m']}}}c"):
                value = cell.find("m:v", SPACE)
                if value is not None and value.text is not None:
                    text = words[int(value.text)] if cell.get("t") == "s" else value.text
                    cells[str(cell.get("r"))] = text
            found[str(name.get("name"))] = cells
    return found


def _recompute(cells: dict[str, str], shrinkage: float) -> None:
    columns = {text: at[:-1] for at, text in cells.items() if at[-1] == "1" and at[:-1].isalpha()}
    net, gross = columns["agents_net"], columns["agents_gross"]
    rows = [int(at[len(net) :]) for at in cells if re.fullmatch(rf"{net}\d+", at)][1:]
    busiest = max(rows, key=lambda row: float(cells[f"{net}{row}"]))
    by_hand = math.ceil(float(cells[f"{net}{busiest}"]) / (1 - shrinkage) * 100 - 1e-6) / 100
    assert by_hand > 0
    assert float(cells[f"{gross}{busiest}"]) == pytest.approx(by_hand)
    assert any("(Europe/" in name or "(UTC)" in name for name in columns), "times name their zone"


def test_the_grid_is_one_tab_stop_and_keys_move_in_it(page: Any, ada: str) -> None:
    sign_in(page, ada)
    complete(page)
    assert page.locator("#heat td[tabindex='0']").count() == 1
    stops = page.evaluate(
        "[...document.querySelectorAll('a,button,input,select,summary,[tabindex]')]"
        ".filter(one => one.tabIndex >= 0 && one.offsetParent).length"
    )
    assert stops < 100
    page.locator("#heat td[tabindex='0']").focus()
    start = page.evaluate("document.activeElement.dataset.slot")
    page.keyboard.press("ArrowRight")
    there = page.evaluate("document.activeElement.dataset.slot")
    assert there > start
    page.keyboard.press("Enter")
    page.wait_for_function("want => document.querySelector('#slot').value === want", arg=there)
    assert page.evaluate("document.activeElement.dataset.slot") == there, "the focus stays"
    for cell in page.locator("#heat td[data-day]").all()[::9]:
        cell.click()
        people = int(cell.inner_text() or 0)
        assert headline(page) == people, "same time, same figure"
    # a table behind each chart, whose figure is the headline's
    page.locator("#people-chart summary").click()
    now = page.inner_text("#answer").split(": ")[0]
    row = page.locator("#people-chart tbody tr").filter(has_text=now.rpartition(", ")[2]).first
    assert int(row.inner_text().split("\t")[-1]) == headline(page)
    # hover and arrow keys read the chart out; a drag zooms in on what it spans
    people = page.locator("#people-chart")
    box = people.locator("svg[tabindex='0']").bounding_box()
    left, right, level = (
        box["x"] + 0.3 * box["width"], box["x"] + 0.6 * box["width"], box["y"] + box["height"] / 2
    )  # fmt: skip
    page.mouse.move(left, level)
    read = people.locator(".readout").inner_text()
    assert re.search(r"\d\d:\d\d: .*\d", read), read
    people.locator("svg[tabindex='0']").focus()
    page.keyboard.press("ArrowRight")
    assert people.locator(".readout").inner_text() != read
    drawn = people.locator("svg[tabindex='0']").inner_html()
    page.mouse.down()
    page.mouse.move(right, level)
    page.mouse.up()
    assert people.locator("svg[tabindex='0']").inner_html() != drawn, "the drag zooms"
    # what a number is worth: one more hour, each assumption, one more point of service level
    assert "One more hour here brings" in page.inner_text("#why-people")
    page.click("#sensitivity")
    page.wait_for_selector("#tornado p:has-text('One more point of service level costs about')")
    assert not page.faults


def test_the_week_shows_whom_the_roster_lacks(
    page: Any, service: Service, ada: str, rostered: str
) -> None:
    sign_in(page, ada)
    complete(page)
    complete(page, lambda: page.click("#week-after"))
    page.select_option("#show", "gap")
    page.wait_for_selector("#heat td.bad")
    assert "show=gap" in page.url
    complete(page, lambda: page.select_option("#channel", rostered))
    rows = service.ask("GET", f"/v1/staffing/gap?channel={rostered}").json()["items"]
    told = {(row["needed"], row["rostered"], row["gap"]) for row in rows}
    assert any(gap < 0 for _, _, gap in told)
    for cell in page.locator("#heat td.bad").all():
        label = str(cell.get_attribute("aria-label"))
        found = re.search(rf"{rostered} (\d+) needed, (\d+) rostered, (\d+) missing", label)
        assert found is not None, label
        needed, there, missing = (int(one) for one in found.groups())
        assert (needed, there, -missing) in told and cell.inner_text() == f"−{missing}"
    with page.expect_download() as download:
        page.click("#roster-ics")
    assert download.value.path().read_text().count("BEGIN:VEVENT") == 2
    assert download.value.suggested_filename == "roster.ics"
    with page.expect_download() as download:
        page.click("#roster-csv")
    agents = [line.split(",")[0] for line in download.value.path().read_text().splitlines()[1:]]
    assert agents == ["kari", "ola"]
    page.select_option("#agent", "ola")
    assert "agent=ola" in page.url, "filters stand in the URL"
    with page.expect_download() as download:
        page.click("#roster-csv")
    agents = [line.split(",")[0] for line in download.value.path().read_text().splitlines()[1:]]
    assert agents == ["ola"], "the file honours the agent"
    assert not page.faults


def test_what_is_wrong_is_said_first_and_the_service_stands_beside_its_targets(
    page: Any, service: Service, ada: str, rostered: str, watched: None
) -> None:
    days = service.ask("GET", "/v1/staffing/days").json()
    row = [row for row in days["items"] if row["channel"] == rostered][2]
    row |= {"state": "at risk", "confidence": 0.61, "confidence_promised": 0.9}
    failed = {"channel": rostered, "day": row["day"], "kept": 0.61, "promised": 0.9}
    planning = service.ask("GET", "/v1/planning").json()
    planning["failing"] = [{**failed, "worst_at": row["starts_at"]}]
    held: list[Any] = []
    page.route("**/v1/planning", lambda route: route.fulfill(json=planning))
    page.route("**/v1/staffing/days", lambda route: route.fulfill(json=days))
    page.route("**/v1/kpis*", lambda route: held.append(route))
    with page.expect_request("**/v1/kpis*"):
        sign_in(page, ada)
    assert page.locator("#heat td[data-day]").count() > 8, "nobody waits for the key figures"
    assert page.locator("body[data-ready=yes]").count() == 1
    assert page.inner_text("#service-tiles") == ""
    held.pop().continue_()
    page.wait_for_selector("body[data-complete=yes]")
    tiles = page.inner_text("#service-tiles").replace("\xa0", " ")
    assert re.search(r"61 % answered in time \(58 % – 64 %\); the week before 70 %", tiles), tiles
    assert "missed phone, answered in time: 52 % (58 % – 64 %), target 90 %" in tiles
    assert "No figure of this week." in tiles, "a block without figures says so"
    said = page.inner_text("#attention-list").replace("\xa0", " ")
    assert f"{rostered}: kept with confidence 61 %, 90 % promised." in said
    assert "played contact by contact, most was lost from 00:00" in said
    assert "Many ask about delivery: 24 contacts in 24 hours, 6.0 expected" in said
    assert "75 % of them have carrier=fast in common, usually 20 %. Write an article." in said
    assert "Alarm, forecasts: phone: 12 % too few forecast. Train again." in said
    complete(page, lambda: page.click("#attention-list button:has-text('The roster lacks')"))
    assert "show=gap" in page.url and f"channel={rostered}" in page.url
    assert page.locator("#heat td.bad[aria-selected=true]").count() <= 1
    assert "phone" not in page.inner_text("#service-tiles"), "of the channel that is chosen"
    assert not page.faults


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_serves_who_reads_otherwise(
    scheme: str, page: Any, ada: str, rostered: str, watched: None
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page.emulate_media(color_scheme=scheme)
    sign_in(page, ada)
    complete(page)
    for show in ("people", "confidence", "gap"):
        page.select_option("#show", show)
        page.wait_for_function("want => location.search.includes(`show=${want}`)", arg=show)
        found = Axe().run(page).response["violations"]
        serious = [one["id"] for one in found if one["impact"] in ("serious", "critical")]
        assert serious == []
    page.set_viewport_size({"width": 320, "height": 800})
    page.wait_for_selector("#heat tbody th:text-matches('^[0-9]{2}:')")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.emulate_media(media="print")
    assert page.is_visible("#heat") and not page.is_visible("#what-if")


def test_the_page_speaks_norwegian(page: Any, ada: str) -> None:
    sign_in(page, ada)
    complete(page)
    complete(page, lambda: page.select_option("#lang", "no"))
    assert "på vakt" in page.inner_text("#answer")
    assert page.evaluate("document.documentElement.lang") == "no"
    assert "lang=no" in page.url


def test_both_hours_of_the_autumn_change_stand_apart(page: Any) -> None:
    told = page.evaluate(
        """async () => {
          const time = await import("/planner/time.js");
          time.setZone("Europe/Oslo");
          const hours = ["2026-10-24T23", "2026-10-25T00", "2026-10-25T01", "2026-10-25T02"];
          const found = hours.map((hour) => time.local(`${hour}:00:00Z`));
          const slots = found.map((one) => one.slot).sort(time.slotOrder);
          return [found.map((one) => one.time), slots, found.map((one) => one.offset)];
        }"""
    )
    assert told[0] == ["01:00", "02:00", "02:00", "03:00"]
    assert told[1] == ["01:00", "02:00", "02:00²", "03:00"]
    assert told[2] == ["", "", "GMT+01:00", ""]


def test_a_workspace_without_a_total_series_is_shown(page: Any, ada: str) -> None:
    def without_total(route: Any) -> None:
        answer = route.fetch()
        told = answer.json()
        told["series"] = [one for one in told["series"] if one != "total"]
        route.fulfill(response=answer, json=told)

    page.route("**/v1/planning", without_total)
    sign_in(page, ada)
    complete(page)
    assert headline(page) > 0
    assert page.locator("#contacts-chart svg .expected").count() >= 1
    assert not any("unique_id=total" in url for url in page.asked)
    assert not page.faults


def test_what_outreach_takes_away_is_a_line_of_the_page(page: Any, ada: str) -> None:
    def with_outreach(route: Any) -> None:
        answer = route.fetch()
        told = answer.json()
        for row in told["items"]:
            for end, share in (("", -0.2), ("-lo-95", -0.3), ("-hi-95", -0.1), ("-averted", -0.25),
                               ("-induced", 0.05)):  # fmt: skip
                row[f"outreach{end}"] = share * row["presage"]
        route.fulfill(response=answer, json=told)

    page.route(re.compile(r"/v1/forecasts\?"), with_outreach)
    sign_in(page, ada)
    complete(page)
    assert "without outreach" in page.inner_text("#contacts-chart")
    assert page.locator("#contacts-chart svg .untreated").count() >= 1
    channel = page.locator("#channel option").nth(1).get_attribute("value")
    complete(page, lambda: page.select_option("#channel", channel))
    page.wait_for_selector("#why b")
    said = page.inner_text("#why")
    assert re.search(r"Outreach is [−±][\d.]+ of it .* averted, [+±][\d.]+ induced", said), said
    assert not page.faults


def test_a_wrong_key_is_told_and_forgotten(page: Any) -> None:
    sign_in(page, "presage_wrong")
    page.wait_for_selector("#error:not([hidden])")
    assert "key" in page.inner_text("#error")
    assert not page.is_visible("#plan")
    assert page.evaluate("sessionStorage.length") == 0
