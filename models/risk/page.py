"""The report as one page: a file that anybody can open, mail and print, with nothing to fetch.

Every figure of it is one that MLflow was told, under the same name (``data-metric``). Text that
comes from data (segments, columns, warnings) is escaped; the page's own policy forbids scripts and
every address but its own pictures.

>>> print(shown(0.123456), shown(Interval(0.5, 0.41, 0.583)), shown(28682.0))
0.123 0.5 [0.41, 0.583] 28682
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

import pandas as pd

from models.metrics import Interval

MODEL = "presage"
ROWS: Sequence[tuple[str, str, str]] = (
    ("base_rate_{h}d", "base rate", "share of rows with a complaint"),
    ("average_precision_{h}d", "average precision", "of a random order: the base rate"),
    ("roc_auc_{h}d", "AUC", "of a random order: 0.5"),
    ("lift_at_5_percent_{h}d", "lift in the top 5 %", "rate there over the base rate"),
    (
        "recall_at_capacity_{h}d",
        "recall at capacity",
        "share of complaints among those we can call",
    ),
    ("log_loss_skill_{h}d", "log-loss skill", "1 - log loss over that of the base rate"),
    ("ece_{h}d", "ECE", "mean gap between predicted and observed"),
    ("calibration_slope_{h}d", "calibration slope", "1: neither too bold nor too shy"),
    ("observed_over_predicted_{h}d", "observed / predicted", "1: as many as foretold"),
)
"""Of each horizon: the metric's name, what it is called, and how to read it."""
PLOTS = ("reliability", "gains", "precision_recall")
TABLES: Mapping[str, str] = {
    "segments": "For whom: observed and predicted rate, by segment",
    "ablation": "From what: what is lost without what each source contributed",
    "decay": "For how long: how good the scores are as the model ages",
}
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2933; max-width: 62em; margin: 2em auto;
  padding: 0 1em }
h1 { font-size: 1.5em } h2 { font-size: 1.15em; margin-top: 2em }
.line { font-size: 1.25em; border-left: 4px solid #0b6e99; padding-left: .8em }
.warning { border-left: 4px solid #b44d12; padding-left: .8em }
table { border-collapse: collapse; margin: .6em 0 } caption { text-align: left; font-weight: 600 }
td, th { padding: .2em .8em .2em 0; border-bottom: 1px solid #d9e2ec; text-align: left }
td.number { font-variant-numeric: tabular-nums; white-space: nowrap }
.note { color: #52606d; font-size: .9em } img { max-width: 31em; width: 49% }
@page { size: A4; margin: 15mm }
@media print { body { margin: 0; padding: 0; max-width: none; font-size: 9pt }
  h2 { break-after: avoid } tr, img { break-inside: avoid } table { width: 100% }
  td, th { padding-right: .4em } td.number { white-space: normal } }
""".strip()


@dataclass(frozen=True)
class Report:
    """What a page tells: ``metrics`` and ``base_rates`` as they are logged, ``tables`` by name,
    ``plots`` as PNG files' bytes."""

    title: str
    line: str
    facts: Sequence[str]
    horizons: Sequence[int]
    baselines: Sequence[str]
    metrics: Mapping[str, float | Interval]
    base_rates: Mapping[str, float]
    plots: Mapping[str, bytes] = field(default_factory=dict)
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    warning: str | None = None


def page(report: Report) -> str:
    """The report as one HTML document that refers to nothing outside of itself."""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta http-equiv="Content-Security-Policy" '
            "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">",
            f"<title>{escape(report.title)}</title><style>{STYLE}</style></head><body>",
            f"<h1>{escape(report.title)}</h1>",
            f'<p class="line">{escape(report.line)}</p>',
            *_warning(report.warning),
            "<ul>",
            *(f"<li>{escape(fact.strip())}</li>" for fact in report.facts),
            "</ul>",
            *(line for horizon in report.horizons for line in _horizon(report, horizon)),
            *(line for name in report.tables for line in _table(report, name)),
            '<p class="note">In brackets: 95 % intervals over resampled customers. Every figure is '
            "of moments that the judged model had not learned from.</p>",
            "</body></html>",
        ]
    )


def shown(value: float | Interval) -> str:
    """A metric as the page shows it: three digits, its interval in brackets, - if undefined."""
    if isinstance(value, Interval):
        return f"{value.estimate:.3g} [{value.low:.3g}, {value.high:.3g}]"
    if math.isnan(value):
        return "-"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _warning(text: str | None) -> list[str]:
    return [] if text is None else [f'<p class="warning">{escape(text)}</p>']


def _horizon(report: Report, horizon: int) -> Iterator[str]:
    known = {**report.metrics, **{f"base_rate_{n}": v for n, v in report.base_rates.items()}}
    yield f"<h2>Within {horizon} days</h2>"
    heads = [MODEL, *report.baselines]
    yield (
        "<table><tr><th></th>" + "".join(f"<th>{escape(h)}</th>" for h in heads) + "<th></th></tr>"
    )
    for pattern, called, note in ROWS:
        name = pattern.format(h=horizon)
        if name not in known:
            continue
        cells = [_number(name, known[name])]
        cells += [_number(f"{name}_{other}", known.get(f"{name}_{other}")) for other in heads[1:]]
        yield f'<tr><th>{called}</th>{"".join(cells)}<td class="note">{note}</td></tr>'
    gains = [f"average_precision_gain_{horizon}d_{other}" for other in report.baselines]
    if any(name in known for name in gains):
        cells = [_number(name, known.get(name)) for name in gains]
        yield (
            f"<tr><th>average precision gained on</th><td></td>{''.join(cells)}"
            '<td class="note">above 0: beyond the noise of these customers</td></tr>'
        )
    yield "</table>"
    for plot in PLOTS:
        yield from _picture(report, f"{plot}_{horizon}d")


def _picture(report: Report, name: str) -> Iterator[str]:
    drawn = report.plots.get(name)
    if drawn is not None:
        data = base64.b64encode(drawn).decode()
        label = escape(name.replace("_", " "))
        yield f'<img alt="{label}" src="data:image/png;base64,{data}">'


def _number(name: str, value: float | Interval | None) -> str:
    if value is None:
        return "<td></td>"
    return f'<td class="number" data-metric="{escape(name)}">{shown(value)}</td>'


def _table(report: Report, name: str) -> Iterator[str]:
    """A table that the page knows a title for, and its picture where it has one."""
    table = report.tables[name]
    title = next((heading for start, heading in TABLES.items() if name.startswith(start)), None)
    if title is None or table.empty:
        return
    yield f"<h2>{title}</h2><table>"
    heads = (str(column).replace("_", " ") for column in table.columns)
    yield "<tr>" + "".join(f"<th>{escape(head)}</th>" for head in heads) + "</tr>"
    for row in table.itertuples(index=False):
        cells = (
            f'<td class="number">{shown(float(value))}</td>'
            if isinstance(value, int | float)
            else f"<td>{escape(str(value))}</td>"
            for value in row
        )
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</table>"
    yield from _picture(report, name)
