"""How soon the planners' page can be read where a year of intervals is published, in Chromium.

    .venv/bin/presage demo demo --once
    .venv/bin/python -m benchmarks.planner_year demo

A copy of the workspace gets its first week's forecast, sample paths and plan again for every week
of the year, and is served. It prints how long the page takes, opened anew, until it can be read
(``ready``: what needs attention, promises, the week, the day's people) and until all of it is
drawn, and how long a what-if of a week takes: the first one, which opens the year's sample paths,
and the next. It needs Chromium.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from datetime import datetime
from pathlib import Path

import pandas as pd

from benchmarks.planner_picture import CHROMIUM, FLAGS, PAGE_SECONDS, key_of, served
from serving.published import Kind, newest, publish

WEEK = pd.Timedelta(days=7)
TIMES: dict[Kind, tuple[str, ...]] = {
    "forecast": ("ds",),
    "paths": ("ds",),
    "staffing": ("starts_at", "ends_at"),
}
OWN = ("file", "sha256", "rows", "as_of", "published_at")
"""What a publication writes of itself."""


def repeated(frame: pd.DataFrame, times: tuple[str, ...], weeks: int) -> pd.DataFrame:
    """The frame's first week, again for so many weeks."""
    first = frame[times[0]].min()
    week = frame[frame[times[0]] < first + WEEK]
    parts = [week.assign(**{name: week[name] + WEEK * k for name in times}) for k in range(weeks)]
    keys = [name for name in ("unique_id", "channel") if name in frame]
    return pd.concat(parts).sort_values([*keys, times[0]], ignore_index=True)


def lengthen(state_dir: Path, weeks: int) -> int:
    """Publish forecast, paths and plan of so many weeks; the plan's rows."""
    rows = 0
    for kind, times in TIMES.items():
        publication = newest(state_dir, kind)
        if publication is None:
            raise SystemExit(f"the workspace has no {kind} yet: run `presage staff` first")
        about = {name: one for name, one in publication.about.items() if name not in OWN}
        frame = repeated(publication.frame, times, weeks)
        issued = datetime.fromisoformat(publication.about["published_at"])
        publish(state_dir, kind, frame, as_of=publication.as_of, now=issued, **about)
        rows = len(frame)
    return rows


def look(url: str, key: str, rounds: int) -> None:
    """Open the page so many times, ask two what-ifs, and print how long each took."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        page = browser.new_page(viewport={"width": 1200, "height": 1200})
        page.set_default_timeout(PAGE_SECONDS * 1000)
        page.goto(f"{url}/planner")
        page.fill("#key", key)
        page.click("#key-form button")
        page.wait_for_selector("body[data-complete=yes]")
        for _ in range(rounds):
            began = time.perf_counter()
            page.reload()
            page.wait_for_selector("body[data-ready=yes]")
            ready = time.perf_counter() - began
            page.wait_for_selector("body[data-complete=yes]")
            print(f"ready after {ready:.2f} s, drawn after {time.perf_counter() - began:.2f} s")
        print(f"days to choose: {page.locator('#day option').count()}")
        for percent in ("20", "10"):
            page.evaluate("document.querySelector('#what-if-time').textContent = ''")
            page.fill("#if-volume", percent)
            page.wait_for_selector("#what-if-time:text-matches('^Planned in')")
            print(f"what if, {percent} % more: {page.inner_text('#what-if-time')}")
        browser.close()


def main() -> None:
    """Print the figures of a year of the workspace."""
    arguments = argparse.ArgumentParser(prog="planner_year", description=__doc__)
    arguments.add_argument("workspace", type=Path)
    arguments.add_argument("--weeks", type=int, default=53)
    arguments.add_argument("--rounds", type=int, default=5)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "company"
        shutil.copytree(options.workspace, copy)
        rows = lengthen(copy / ".presage", options.weeks)
        print(f"{rows} intervals of {options.weeks} weeks")
        key = key_of(copy)
        with served(copy) as url:
            look(url, key, options.rounds)


if __name__ == "__main__":
    main()
