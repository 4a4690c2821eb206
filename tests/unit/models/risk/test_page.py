"""The report's page: whole in itself, escaped, and its figures are those that were logged."""

from __future__ import annotations

import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.figures import decay_plot, png, reliability_plot
from models.metrics import Interval
from models.risk.page import Report, page, shown

CHROMIUM = Path("/usr/bin/chromium")
EVIL = "<script>alert('x')</script>&\""


class Reader(HTMLParser):
    """Tags, attributes, and the text of each cell that names its metric."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.cells: dict[str, str] = {}
        self.text = ""
        self._metric: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self._metric = dict(attrs).get("data-metric")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._metric is not None:
            self.cells[self._metric] = data
            self._metric = None


METRICS = {
    "average_precision_7d": Interval(0.25, 0.2, 0.3),
    "average_precision_7d_rule": 0.15,
    "average_precision_gain_7d_rule": Interval(0.1, 0.04, 0.15),
    "lift_at_5_percent_7d": 4.5,
    "calibration_slope_7d": float("nan"),
    "average_precision_14d": 0.5,
}


def report(**more: object) -> str:
    y, p = np.array([0, 1] * 100), np.linspace(0.01, 0.9, 200)
    aged = pd.DataFrame(
        {
            "weeks_old": [1.0, 2.0],
            "average_precision": [0.3, 0.25],
            "average_precision_low": [0.2, np.nan],
            "average_precision_high": [0.4, np.nan],
        }
    )
    told: dict[str, object] = {
        "title": f"Risk {EVIL}",
        "line": f"the 5 % {EVIL}",
        "facts": [f"judged {EVIL}"],
        "horizons": (7, 14),
        "baselines": ("rule",),
        "metrics": METRICS,
        "base_rates": {"7d": 0.05},
        "plots": {
            "reliability_7d": png(reliability_plot(y, p)),
            "decay_14d": png(decay_plot(aged, base_rate=0.05)),
        },
        "tables": {
            "segments_14d": pd.DataFrame({"segment": [f"region={EVIL}"], "observed": [0.125]}),
            "decay_14d": aged,
            "ablation_14d": pd.DataFrame(columns=["without"]),
        },
        "warning": f"look {EVIL}",
    }
    return page(Report(**(told | more)))  # type: ignore[arg-type]


def test_every_figure_stands_in_its_cell() -> None:
    cells = Reader(report()).cells
    for name, value in METRICS.items():
        assert cells[name] == shown(value)
    assert cells["base_rate_7d"] == "0.05"
    assert cells["average_precision_7d"] == "0.25 [0.2, 0.3]"
    assert cells["calibration_slope_7d"] == "-"


@pytest.mark.skipif(not CHROMIUM.exists(), reason="no browser")
def test_it_prints_on_a4(tmp_path: Path) -> None:
    wide = {f"{name}_7d_{other}": Interval(0.123456, 0.0123456, 0.234567)
            for name in ("average_precision", "roc_auc", "lift_at_5_percent")
            for other in ("rule", "logistic", "lightgbm")}  # fmt: skip
    own = {name.removesuffix("_rule"): value for name, value in wide.items() if "rule" in name}
    (tmp_path / "report.html").write_text(
        report(baselines=("rule", "logistic", "lightgbm"), metrics=wide | own)
    )
    script = "document.title = document.documentElement.scrollWidth"
    (tmp_path / "ask.html").write_text(
        (tmp_path / "report.html").read_text().replace("default-src 'none'; ", "")
        .replace("@media print", "@media screen").replace("</body>", f"<script>{script}</script>")
    )  # fmt: skip
    done = subprocess.run(
        [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--window-size=680,900",
         "--dump-dom", (tmp_path / "ask.html").as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    width = int(done.stdout.partition("<title>")[2].partition("<")[0])
    assert width <= 680  # 180 mm: A4 without its margins
    assert "@page { size: A4" in report()


def test_nothing_that_data_says_becomes_markup() -> None:
    text = report()
    read = Reader(text)
    assert "script" not in read.tags and EVIL not in text
    assert read.text.count(EVIL) == 6  # title twice, line, fact, warning, segment


def test_it_fetches_nothing() -> None:
    read = Reader(report())
    addresses = [value for name, value in read.attributes if name in ("src", "href")]
    assert len(addresses) == 2
    assert all(str(address).startswith("data:image/png;base64,") for address in addresses)
    assert not {"link", "iframe", "object", "script"} & set(read.tags)
    policy = [value for name, value in read.attributes if value and "default-src" in value]
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]


@pytest.mark.parametrize("part", ["plots", "tables", "metrics", "base_rates"])
def test_what_could_not_be_judged_is_left_out(part: str) -> None:
    assert report(**{part: {}}).endswith("</html>")
