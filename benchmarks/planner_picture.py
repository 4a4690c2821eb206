"""The pictures of the planners' page that README and docs show, of a served workspace in Chromium.

    .venv/bin/presage demo demo --once && .venv/bin/presage monitor demo
    .venv/bin/presage staff demo --shifts
    .venv/bin/python -m benchmarks.planner_picture demo

It serves the workspace with a clock that stands eight hours after the forecast, makes a key, opens
``/planner``, asks a what-if and writes ``docs/pictures/planner.png``, ``planner-day.png``,
``planner-what-if.png`` and, where there is a roster, ``planner-gap.png`` (less than 300 kB each).
It prints how long the page took until it could be read (``ready``) and until all of it was drawn,
and how long the what-if took.
It needs Chromium.
"""

from __future__ import annotations

import argparse
import json
import select
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.running import PRESAGE

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "pictures" / "planner.png"
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
START_SECONDS, PAGE_SECONDS = 240.0, 120.0
MOST_BYTES = 300_000


@contextmanager
def served(workspace: Path) -> Iterator[str]:
    """``presage serve`` on a free port of loopback; its address."""
    about = json.loads((workspace / ".presage" / "published" / "staffing.json").read_text())
    clock = datetime.fromisoformat(about["as_of"]) + timedelta(hours=8)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [str(PRESAGE), "serve", str(workspace), "--port", str(port)]
    process = subprocess.Popen([*command, "--clock", clock.isoformat()])
    try:
        _wait(f"http://127.0.0.1:{port}/readyz", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise SystemExit(f"presage serve ended with {process.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            select.select([], [], [], 0.2)
    raise SystemExit(f"{url} did not answer within {START_SECONDS:.0f} s")


def key_of(workspace: Path) -> str:
    """A new key that may read forecasts."""
    name = f"picture-{time.time_ns()}"
    command = [str(PRESAGE), "keys", str(workspace), "create", name, "--scopes", "forecasts"]
    process = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    return str(json.loads(process.stdout)["key"])


def take(url: str, key: str, picture: Path) -> None:
    """Open the page with the key, wait until everything is drawn, and write its picture."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        page = browser.new_page(viewport={"width": 1200, "height": 1200})
        page.set_default_timeout(PAGE_SECONDS * 1000)
        page.goto(f"{url}/planner")
        page.fill("#key", key)
        page.click("#key-form button")
        page.wait_for_selector("body[data-complete=yes]")
        began = time.perf_counter()
        page.reload()
        page.wait_for_selector("body[data-ready=yes]")
        ready = time.perf_counter() - began
        page.wait_for_selector("body[data-complete=yes]")
        complete = time.perf_counter() - began
        print(f"ready after {ready:.2f} s, all drawn after {complete:.2f} s")
        # the people's range is planned three times more
        page.locator("#people-chart", has_text="of scenarios").wait_for()
        picture.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(picture))
        part(page, "day-title", picture.with_name("planner-day.png"))
        page.fill("#if-volume", "20")
        page.wait_for_selector("#what-if-result tbody tr")
        print(f"what if: {page.inner_text('#what-if-time')}")
        part(page, "what-if-title", picture.with_name("planner-what-if.png"))
        if page.locator("#show option[value=gap]").count():
            page.click("#week-after")
            page.select_option("#show", "gap")
            page.wait_for_selector("#heat td.bad")
            part(page, "heat-title", picture.with_name("planner-gap.png"))
        browser.close()


def part(page: Any, title: str, picture: Path) -> None:
    """One section of the page, by its title's id."""
    page.locator(f"section[aria-labelledby={title}]").screenshot(path=str(picture))


def main() -> None:
    """Write the picture and say how large it is."""
    arguments = argparse.ArgumentParser(prog="planner_picture", description=__doc__)
    arguments.add_argument("workspace", type=Path)
    arguments.add_argument("--out", type=Path, default=PICTURE)
    options = arguments.parse_args()
    key = key_of(options.workspace)
    with served(options.workspace) as url:
        take(url, key, options.out)
    for picture in sorted(options.out.parent.glob("planner*.png")):
        size = picture.stat().st_size
        if size > MOST_BYTES:
            raise SystemExit(f"{picture} has {size} bytes; a picture has {MOST_BYTES} at most")
        print(f"{picture}: {size} bytes")


if __name__ == "__main__":
    main()
