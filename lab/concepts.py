"""The pictures of docs/concepts.md, drawn from the product's own functions on small examples:
``python -m lab.concepts docs/pictures``.

What has numbers is computed: the calibration of a forecast that is too sure, gains over simple
rules, forecasts that do not add up and then do, service levels of a queue.

>>> sorted(pictures())[:3]
['concept-as-of', 'concept-calibration', 'concept-coherent']
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np

from data.arrays import Floats
from models.coherence import Sum, reconcile
from models.floor import Floor, compared
from models.metrics import Interval, bootstrap
from models.queueing.erlang import queue_measures
from models.reliability import reliability

WIDTH, HEIGHT = 640, 240
INK, PALE, GOOD, BAD, MARK = "#222222", "#b8c0c8", "#1b7f5c", "#b3402e", "#2b5fa8"
TOP = (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
    'font-family="sans-serif" font-size="13">\n'
    f'<title>{{title}}</title>\n<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>\n'
)
CALLS_AN_HOUR, HANDLE_SECONDS, ANSWER_SECONDS, PROMISE = 120.0, 300.0, 20.0, 0.8


def text(x: float, y: float, words: str, *, anchor: str = "start", colour: str = INK) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} fill="{colour}">{escape(words)}</text>'


def line(
    x1: float, y1: float, x2: float, y2: float, *, colour: str = INK, wide: float = 1.5,
    dashes: bool = False,
) -> str:  # fmt: skip
    dash = ' stroke-dasharray="5 4"' if dashes else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
        f'stroke-width="{wide:g}"{dash}/>'
    )


def box(x: float, y: float, w: float, h: float, colour: str, *, frame: bool = False) -> str:
    fill = f'fill="none" stroke="{colour}"' if frame else f'fill="{colour}"'
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" {fill}/>'


def dot(x: float, y: float, colour: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"/>'


def as_of() -> Iterator[str]:
    """Events of one customer: what is known at T, the gap, and the window of the label."""
    axis, t, begins, ends = 150.0, 330.0, 380.0, 560.0
    yield box(t, 60, begins - t, 90, "#f3ead2")
    yield box(begins, 60, ends - begins, 90, "#dcebe4")
    yield line(20, axis, 620, axis)
    for x in (t, begins, ends):
        yield line(x, 60, x, axis + 8)
    yield text(t, 48, "T (as of)", anchor="middle")
    yield text((t + begins) / 2, 80, "gap", anchor="middle")
    yield text((begins + ends) / 2, 80, "label: any complaint here?", anchor="middle")
    yield text(170, 80, "features: what was known before T", anchor="middle", colour=MARK)
    for x, name in ((70, "order"), (150, "promised"), (250, "ticket")):
        yield dot(x, axis, MARK)
        yield text(x, axis + 24, name, anchor="middle")
    yield dot(350, axis, BAD)
    yield text(345, axis + 24, "late", anchor="middle")
    yield dot(470, axis, GOOD)
    yield text(470, axis + 24, "complaint: 1", anchor="middle")
    yield text(20, 215, "time →")
    yield text(100, 215, "blue: seen; red: after T, so no feature; green: the answer to learn")


def snapshot() -> Iterator[str]:
    """Tables that go on changing, and what a run reads."""
    for at, (name, row) in enumerate((("Monday", "status: open"), ("Tuesday", "status: solved"),
                                      ("Wednesday", "status: open again"))):  # fmt: skip
        x = 20.0 + 205 * at
        yield box(x, 30, 190, 62, PALE, frame=True)
        yield text(x + 10, 52, f"tickets on {name}")
        yield text(x + 10, 78, row, colour=MARK)
    yield line(320, 92, 320, 138, colour=GOOD)
    yield text(330, 122, "a run begins: copied, hashed, never changed", colour=GOOD)
    yield box(200, 140, 240, 62, GOOD, frame=True)
    yield text(210, 162, "snapshot 7c41… of Tuesday")
    yield text(210, 188, "status: solved", colour=MARK)
    yield text(20, 228, "features, model and scores name the hash: each number leads back to it")


def _draws(rows: int, seed: int) -> tuple[Floats, Floats]:
    """True risks, and what came of them."""
    rng = np.random.default_rng(seed)
    truth = rng.beta(1.2, 6, rows)
    return truth, (rng.random(rows) < truth).astype(np.float64)


def calibration() -> Iterator[str]:
    """Observed against predicted, of risks that are right and of those that are too sure."""
    truth, y = _draws(6000, 1)
    odds = np.log(truth / (1 - truth))
    sure = 1 / (1 + np.exp(-(1.7 * odds + 0.9)))
    for at, (name, p, colour) in enumerate((("calibrated", truth, GOOD), ("too sure", sure, BAD))):
        left, low, size, most = 60.0 + 310 * at, 200.0, 165.0, 0.6

        def place(share: float, low: float = low, size: float = size) -> float:
            return low - size * min(share, 0.6) / 0.6

        yield line(left, low, left + size, low)
        yield line(left, low, left, low - size)
        yield line(left, low, left + size, low - size, colour=PALE, dashes=True)
        for _, row in reliability(y, p, 8).iterrows():
            if row["predicted"] <= most:
                x = left + size * row["predicted"] / most
                yield line(x, place(row["low"]), x, place(row["high"]), colour=colour)
                yield dot(x, place(row["observed"]), colour)
        yield text(left + size / 2, 22, name, anchor="middle", colour=colour)
        yield text(left + size / 2, 226, "foretold, 0 to 60 %", anchor="middle")
        yield text(left + 8, 48, "came true, 0 to 60 %")


def gate() -> Iterator[str]:
    """A candidate's gain over simple rules, with its interval: beyond noise, or not."""
    truth, y = _draws(3000, 2)
    rng = np.random.default_rng(3)
    odds = np.log(truth / (1 - truth))

    def blurred(by: float) -> Floats:
        noisy: Floats = 1 / (1 + np.exp(-(odds + rng.normal(0, by, truth.size))))
        return noisy

    rules = {"the rule": {14: blurred(1.6)}, "logistic": {14: blurred(0.9)}}
    rules["the champion"] = {14: blurred(0.31)}
    floor = Floor({14: y}, {14: blurred(0.3)}, rules, np.arange(truth.size), seed=0, resamples=200)
    zero, scale = 220.0, 700.0
    yield text(20, 24, "log loss saved by the candidate, with its interval")
    yield line(zero, 40, zero, 180, colour=PALE)
    yield text(zero, 198, "no better", anchor="middle")
    for at, against in enumerate(compared(floor)):
        gain, y_at = against.loss_gain, 65.0 + 45 * at
        colour = GOOD if gain.low > 0 else MARK
        yield text(20, y_at + 4, f"over {against.name}")
        yield line(zero + scale * gain.low, y_at, zero + scale * gain.high, y_at, colour=colour)
        yield dot(zero + scale * gain.estimate, y_at, colour)
        words = f"{gain.estimate:+.1%}, " + ("beyond noise" if gain.low > 0 else "within noise")
        yield text(zero + scale * gain.high + 12, y_at + 4, words, colour=colour)
    yield text(
        20, 228, "beats the rules beyond noise, no worse than the champion: it may go to work"
    )


def holdout() -> Iterator[str]:
    """Those selected, a tenth of them left alone by chance; what each group did."""
    rng = np.random.default_rng(4)
    for at, (name, rows, rate, colour) in enumerate(
        (("contacted", 3600, 0.11, GOOD), ("left alone by chance", 400, 0.18, MARK))
    ):
        y = (rng.random(rows) < rate).astype(np.float64)
        share: Interval = bootstrap(lambda y, p, weights: float(np.average(y, weights=weights)),
                                    y, y, resamples=200)  # fmt: skip
        x = 90.0 + 270 * at
        yield box(x, 180 - 600 * share.estimate, 90, 600 * share.estimate, colour)
        yield line(x + 45, 180 - 600 * share.low, x + 45, 180 - 600 * share.high)
        yield text(x + 100, 120, f"{share.estimate:.0%} complained", colour=colour)
        yield text(x + 100, 140, f"({share.low:.0%} to {share.high:.0%})", colour=colour)
        yield text(x, 200, f"{name}: {rows:,}")
    yield line(60, 180, 600, 180)
    yield text(20, 228, "the same kind of people, parted by chance: the gap is what contact did")


def coherent() -> Iterator[str]:
    """Forecasts made apart, and the same moved until they add up."""
    apart = np.array([[500.0], [300.0], [150.0]])
    spread = np.array([[400.0], [200.0], [100.0]])
    whole = reconcile(apart, spread, [Sum(0, (1, 2))])
    for at, (name, values) in enumerate((("made apart", apart), ("one picture", whole))):
        x, (total, email, phone) = 20.0 + 320 * at, (float(v) for v in values[:, 0])
        right = abs(total - email - phone) < 0.5
        colour = GOOD if right else BAD
        yield text(x, 28, name)
        for place, w, words in ((x + 75, 130.0, f"total {total:.0f}"),
                                (x, 125.0, f"email {email:.0f}"),
                                (x + 145, 125.0, f"phone {phone:.0f}")):  # fmt: skip
            top = 45 if words.startswith("total") else 125
            yield box(place, top, w, 36, colour, frame=True)
            yield text(place + w / 2, top + 23, words, anchor="middle")
        yield line(x + 110, 81, x + 62, 125, colour=PALE)
        yield line(x + 170, 81, x + 208, 125, colour=PALE)
        sign = "=" if right else "≠"
        words = f"{email:.0f} + {phone:.0f} {sign} {total:.0f}"
        yield text(x + 135, 190, words, anchor="middle", colour=colour)
    yield text(20, 228, "who is surest moves least; customers' expected tickets join the same sum")


def service_level() -> Iterator[str]:
    """The share answered in time against the number of people at work."""
    agents = np.arange(11, 19)
    shares = queue_measures(
        CALLS_AN_HOUR / 3600, HANDLE_SECONDS, servers=agents, target_seconds=ANSWER_SECONDS
    ).service_level
    low, size, left = 190.0, 150.0, 80.0
    enough = int(agents[np.argmax(shares >= PROMISE)])
    for n, share in zip(agents.tolist(), shares.tolist(), strict=True):
        x = left + 62 * (n - 11)
        colour = GOOD if n == enough else (PALE if n < enough else "#9cc9b6")
        yield box(x, low - size * share, 40, size * share, colour)
        yield text(x + 20, low - size * share - 6, f"{share:.0%}", anchor="middle")
        yield text(x + 20, low + 16, f"{n}", anchor="middle")
    promised = low - size * PROMISE
    yield line(left - 10, low, 600, low)
    yield line(left - 10, promised, 600, promised, colour=BAD, dashes=True)
    yield text(left - 14, promised + 4, "80 %", anchor="end", colour=BAD)
    calls = f"{CALLS_AN_HOUR:.0f} calls an hour of {HANDLE_SECONDS / 60:.0f} minutes"
    answer = f"{enough} people answer 80 % or more within {ANSWER_SECONDS:.0f} seconds"
    yield text(20, 228, f"{calls}: {answer}")


TITLES: Mapping[str, str] = {
    "as-of": "As-of time, gap and label",
    "snapshot": "A snapshot",
    "calibration": "Calibration",
    "gate": "The gate",
    "holdout": "The hold-out",
    "coherent": "The coherent picture",
    "service-level": "Service level",
}


def pictures() -> dict[str, str]:
    """Each picture by its name, as SVG."""
    parts = (as_of, snapshot, calibration, gate, holdout, coherent, service_level)
    return {
        f"concept-{name}": _svg(title, list(part()))
        for (name, title), part in zip(TITLES.items(), parts, strict=True)
    }


def _svg(title: str, parts: Sequence[str]) -> str:
    return TOP.format(title=title) + "\n".join(parts) + "\n</svg>\n"


if __name__ == "__main__":
    for name, picture in pictures().items():
        (Path(sys.argv[1]) / f"{name}.svg").write_text(picture)
