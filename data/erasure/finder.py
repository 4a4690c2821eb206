"""Is a person named here? Their strings as they may stand in text, in bytes and in columns.

A string is looked for as it is, URL-encoded, escaped as in JSON and CSV, and in base64 at each of
its three alignments; of a long one its beginning. An id is a word: ``c-17`` does not stand in
``c-170``, nor in the longer id ``c-17/b`` where somebody else has that one.

>>> finder = Finder("c/17", longer=["c/17-b"])
>>> [finder.in_text(t) for t in ("GET /v1/customers/c%2F17", "c/170", "of c/17-b", "of c/17.")]
[True, False, False, True]
>>> finder.without("asked by c/17 and c/17, not by c/17-b")
'asked by [erased] and [erased], not by c/17-b'
>>> Finder("anna@example.org").in_bytes(b"eHhhbm5hQGV4YW1wbGUub3Jn")
True
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

ERASED = "[erased]"
LEAST = 6
"""Bytes below which a string stands in any file by chance: such are looked for as words in text."""
LEAST_BASE64 = 8
LOOKED_FOR = 64
"""So many characters of a string are looked for; nobody else writes them in this order."""
PATTERN_CHARS = 20_000
"""RE2 compiles longer patterns within its memory no more."""
FEW = 100
"""So many texts are looked through sooner than RE2 compiles a pattern."""
WORD = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")


@dataclass(frozen=True)
class Form:
    """A string as it may be written. ``word``: no letter or digit may go on beside it."""

    text: str
    word: bool = True

    @property
    def data(self) -> bytes:
        return self.text.encode("utf-8", "surrogatepass")


class Finder:
    """Looks for a person.

    Parameters
    ----------
    customer_id : an id column names them by being it, a text by holding it.
    strings : what is theirs alone: names, addresses, texts.
    others : further ids of theirs, merged into this one.
    words : keys of their rows that stand in texts as they are.
    keys : keys of their rows; a column names them by being one.
    longer : ids of others in which theirs stands as a word.
    """

    def __init__(
        self,
        customer_id: str,
        strings: Iterable[str] = (),
        *,
        others: Iterable[str] = (),
        words: Iterable[str] = (),
        keys: Iterable[str] = (),
        longer: Iterable[str] = (),
    ) -> None:
        self.customer_id = customer_id
        self.ids = frozenset((customer_id, *others))
        self.strings = tuple(dict.fromkeys((customer_id, *others, *strings)))
        self.keys = frozenset(keys)
        self.longer = tuple(sorted(longer, key=len, reverse=True))
        cut = [(string[:LOOKED_FOR], len(string) <= LOOKED_FOR) for string in self.strings]
        whole = [form for string, word in cut for form in forms(string, word=word)]
        self.words = tuple(dict.fromkeys(words))
        self.forms = tuple(dict.fromkeys([*whole, *map(Form, self.words)]))

    @property
    def count(self) -> int:
        """How many strings are looked for."""
        return len({*self.strings, *self.words})

    @cached_property
    def patterns(self) -> tuple[str, ...]:
        """Regular expressions that Python and RE2 read alike; what is before and after a match is
        in its first and last group."""
        patterns: list[str] = []
        part: list[str] = []
        size = 0
        for form in sorted(self.forms, key=lambda form: -len(form.text)):
            before, after = _edges(form)
            expression = f"(?:{before}{re.escape(form.text)}{after})"
            if part and size + len(expression) > PATTERN_CHARS:
                patterns.append("|".join(part))
                part, size = [], 0
            part.append(expression)
            size += len(expression) + 1
        return (*patterns, "|".join(part))

    @cached_property
    def _compiled(self) -> tuple[re.Pattern[str], ...]:
        return tuple(re.compile(pattern) for pattern in self.patterns)

    def in_text(self, text: str) -> bool:
        """Whether a text names the person."""
        for longer in self.longer:
            text = text.replace(longer, "")
        if not any(form.text in text for form in self.forms):
            return False
        return any(pattern.search(text) for pattern in self._compiled)

    def names(self, column: str, value: object) -> bool:
        """Whether a value of a column (a cell, an entry of a document) names the person."""
        if value is None or isinstance(value, bool):
            return False
        if column == "customer_id":
            return str(value) in self.ids
        return isinstance(value, str) and (value in self.keys or self.in_text(value))

    def without(self, text: str) -> str:
        """The text with what names the person taken out of it."""
        longer_ids: dict[str, str] = {}
        for number, longer in enumerate(self.longer):
            if longer in text:
                longer_ids[f"\0{number}\0"] = longer
                text = text.replace(longer, f"\0{number}\0")
        for string in self.strings:  # the whole of a long one, not its beginning alone
            if len(string) > LOOKED_FOR:
                for form in forms(string):
                    text = text.replace(form.text, ERASED)
        for pattern in self._compiled:
            before = ""
            while before != text:  # what stands between two of them belongs to the first
                before, text = text, pattern.sub(_taken_out, text)
        for mark, longer in longer_ids.items():
            text = text.replace(mark, longer)
        return text

    def in_bytes(self, data: Any) -> bool:
        """Whether bytes (or a memory map) name the person; strings too short to mean anything
        there are not looked for."""
        return next(self.places(data), None) is not None

    def maybe_in(self, data: Any) -> bool:
        """Whether bytes of a text hold any of the strings, as a word or not."""
        return any(data.find(form.data) >= 0 for form in self.forms)

    def places(self, data: Any) -> Iterator[tuple[int, int]]:
        """Start and end of each place in bytes that names the person."""
        longer = [each.encode("utf-8", "surrogatepass") for each in self.longer]
        for form in self.forms:
            coded = form.data
            if len(coded) < LEAST or coded.isdigit():
                continue
            at = data.find(coded)
            while at >= 0:
                end = at + len(coded)
                on = form.word and _goes_on(data, at, end)
                if not on and not _within(data, at, end, longer):
                    yield at, end
                at = data.find(coded, at + 1)

    def in_values(self, values: Sequence[str | None], column: str = "") -> npt.NDArray[np.bool_]:
        """Per text whether it names the person."""
        import pyarrow as pa

        return self.in_column(pa.chunked_array([pa.array(values, pa.large_string())]), column)

    def in_column(self, column: pa.ChunkedArray, name: str) -> npt.NDArray[np.bool_]:
        """Per value of an Arrow column whether it names the person."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        kind = column.type
        nothing = np.zeros(len(column), dtype=bool)
        if pa.types.is_integer(kind) or pa.types.is_floating(kind):
            numbers = [number for each in self.ids if (number := _number(each)) is not None]
            if name != "customer_id" or not numbers:
                return nothing
            same = pc.is_in(column.cast(pa.float64()), value_set=pa.array(numbers, pa.float64()))
            return np.asarray(same.to_numpy(), dtype=bool)
        if pa.types.is_nested(kind):
            texts = [None if v is None else json.dumps(v, default=str, ensure_ascii=False)
                    for v in column.to_pylist()]  # fmt: skip
            return self.in_values(texts, name)
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            return nothing
        own = self.ids if name == "customer_id" else self.ids | self.keys
        named = np.asarray(
            pc.is_in(column, value_set=pa.array(sorted(own), kind)).to_numpy(), dtype=bool
        )
        if name.endswith("_id"):
            return named
        values = pc.unique(column)
        if len(values) <= FEW:
            few = [each is not None and self.in_text(each) for each in values.to_pylist()]
            names_them = np.array(few, dtype=bool)
        else:
            names_them = self._in_many(values)
        if not names_them.any():
            return named
        mentions = pc.is_in(column, value_set=values.filter(pa.array(names_them)))
        return named | np.asarray(mentions.to_numpy(), dtype=bool)

    def _in_many(self, texts: Any) -> npt.NDArray[np.bool_]:
        """``in_text`` over an Arrow array of texts."""
        import numpy as np
        import pyarrow.compute as pc

        for longer in self.longer:
            texts = pc.replace_substring(texts, longer, "")
        names_them = np.zeros(len(texts), dtype=bool)
        for pattern in self.patterns:
            match = pc.fill_null(pc.match_substring_regex(texts, pattern), False)
            names_them |= np.asarray(match.to_numpy(zero_copy_only=False), dtype=bool)
        return names_them


def forms(string: str, *, word: bool = True) -> list[Form]:
    """How a string may be written: as it is, URL-encoded, escaped, in base64.

    ``word``: false for the beginning of a longer one, beside which letters go on.
    """
    safe = string.encode("utf-8", "replace").decode()
    spellings = [string, quote(safe, safe=""), quote(safe), quote_plus(safe)]
    spellings += [json.dumps(string)[1:-1], json.dumps(string, ensure_ascii=False)[1:-1]]
    spellings.append(string.replace('"', '""'))
    data = string.encode("utf-8", "surrogatepass")
    whole = base64.b64encode(data).decode()
    if len(whole) >= LEAST_BASE64:
        spellings.append(whole.rstrip("="))
    written = [Form(text, word) for text in spellings]
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + data).decode()
        cut = (0, 3, 2)[(shift + len(data)) % 3]
        inner = coded[(0, 2, 3)[shift] : len(coded) - cut]
        if len(inner) >= LEAST_BASE64:
            inners = (inner, inner.translate(str.maketrans("+/", "-_")))
            written += [Form(each, word=False) for each in inners]
    return list(dict.fromkeys(written))


def _taken_out(match: re.Match[str]) -> str:
    groups = [group for group in match.groups() if group is not None]
    return f"{groups[0]}{ERASED}{groups[-1]}"


def _edges(form: Form) -> tuple[str, str]:
    """What may stand before and after: no letter or digit beside one, no digits' decimals."""
    if not form.word:
        return "()", "()"
    if form.text.isdigit():
        return r"(^|[^0-9A-Za-z_.]|[^0-9]\.)", r"($|[^0-9A-Za-z_.]|\.$|\.[^0-9])"
    before = "(^|[^0-9A-Za-z_])" if form.data[0] in WORD else "()"
    after = "($|[^0-9A-Za-z_])" if form.data[-1] in WORD else "()"
    return before, after


def _goes_on(data: Any, at: int, end: int) -> bool:
    """Whether a letter or digit stands beside one at either end."""
    before = data[at - 1] if at else 0
    after = data[end] if end < len(data) else 0
    return (data[at] in WORD and before in WORD) or (data[end - 1] in WORD and after in WORD)


def _within(data: Any, at: int, end: int, longer: Sequence[bytes]) -> bool:
    return any(each in data[max(0, at - len(each)) : end + len(each)] for each in longer)


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"-?(0|[1-9]\d*)", text) else None
