"""Makes: companies of other kinds, each drawn from a number.

A make is what kind of company it is: which causes act and how strongly, who its customers are,
its seasons, its contact centre (``make_rates.py``), its words (``words.py``), and what its export
leaves out (``recording.py``). All of it is a function of the make's number alone; the seed decides
what happens to a company of the make. So tests and models meet other companies than the usual one.

>>> make_of(3) is make_of(3)
True
>>> make_of(3).rates.make
3
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, fields
from functools import cache
from typing import Any

import numpy as np

from data.errors import UsageError
from data.simulate.make_rates import RANGE, acting, draw_rates
from data.simulate.rates import Rates
from data.simulate.recording import Recording, draw_recording
from data.simulate.words import Words, draw_words


@dataclass(frozen=True)
class Make:
    """A kind of company."""

    number: int
    rates: Rates
    words: Words
    recording: Recording

    def constants(self) -> dict[str, tuple[Any, Any]]:
        """The rates that were drawn, by name: the make's and the usual company's."""
        usual = Rates()
        drawn_rates = {}
        for each in fields(Rates):
            drawn, was = getattr(self.rates, each.name), getattr(usual, each.name)
            if each.name != "make" and drawn != was:
                drawn_rates[each.name] = (drawn, was)
        return drawn_rates

    def as_dict(self) -> dict[str, Any]:
        """Everything drawn, for JSON: rates beside the usual ones, words, what is left out."""
        return {
            "make": self.number,
            "acting": list(acting(self.rates)),
            "rates": {
                name: {"drawn": drawn, "usual": None if was == np.inf else was}
                for name, (drawn, was) in self.constants().items()
            },
            "words": asdict(self.words),
            "left_out": {
                "tables": list(self.recording.tables),
                "columns": list(self.recording.columns),
                "versions": not self.recording.versions,
            },
        }

    def lines(self) -> list[str]:
        """What a person reads of it: causes, words, what is left out, and a table of the rates."""
        recorded = (
            "each row in its versions" if self.recording.versions else "rows as they stand only"
        )
        rows = [
            f"| {name} | {_shown(drawn)} | {_shown(was)} |"
            for name, (drawn, was) in self.constants().items()
        ]
        return [
            f"Causes that act: {', '.join(acting(self.rates))}.",
            f"Channels: {', '.join(self.words.channels)}. Topics: {', '.join(self.words.topics)}.",
            f"Tables left out: {', '.join(self.recording.tables) or 'none'}.",
            f"Columns left out: {', '.join(self.recording.columns) or 'none'}; {recorded}.",
            "",
            "| rate | this make | usual |",
            "|---|---|---|",
            *rows,
        ]


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(_shown(each) for each in value)
    return "no end" if value == np.inf else f"{value:g}"


@cache
def make_of(number: int) -> Make:
    """The make of that number; the same for ever. UsageError below zero.

    It takes about a second, as a small company is run to set its level (``make_rates.py``).
    """
    if number < 0:
        raise UsageError(f"makes are counted from 0; found {number}.")

    def rng(name: str) -> np.random.Generator:
        digest = hashlib.blake2b(f"make/{name}".encode(), digest_size=8).digest()
        return np.random.default_rng([number, int.from_bytes(digest, "little")])

    return Make(
        number=number,
        rates=draw_rates(number, rng("rates")),
        words=draw_words(rng("words")),
        recording=draw_recording(rng("recording")),
    )


__all__ = ["RANGE", "Make", "make_of"]
