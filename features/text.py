"""What a message says: is it a complaint, how does its writer feel, what is it about.

Any language, nothing to download: characters in runs of two to five, hashed, and a linear model for
each question. A model is fitted as of a moment (features/text_learning.py) and known from then on
only. It answers each text by itself, to a thousandth, so that neither the texts beside it nor a
processor's last bit matter. It is kept as JSON with its own hash, and holds no text.

>>> asked = Question(("no", "yes"), np.zeros((1, BUCKETS)), np.array([-2.0]))
>>> model = TextModel(datetime(2026, 1, 1), "{}", {"complaint": asked}, {}, {})
>>> model.read(["hello", "", None])["text_complaint"].tolist()
[0.119, nan, nan]
>>> TextModel.from_json(model.to_json()).fingerprint == model.fingerprint
True
>>> TextModel.from_json(model.to_json().replace("yes", "yea"))
Traceback (most recent call last):
...
data.errors.DamagedFile: the text model cannot be read: its content does not match ...
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.arrays import Floats
from data.errors import DamagedFile

FORMAT = 1
BUCKETS = 2**15
RUNS = (2, 5)
LONGEST = 1000
"""Of a longer text so many characters are read."""
REMEMBERED = 200_000
"""So many texts' answers are kept in memory."""
AT_A_TIME = 10_000
"""So many texts are hashed at a time: some 100 MB."""


@dataclass(frozen=True)
class Question:
    """A linear model: a row of weights (float32) and an intercept for each class but, of two, the
    first."""

    classes: tuple[str, ...]
    weights: npt.NDArray[np.float32]
    intercepts: npt.NDArray[np.float32]

    def margins(self, hashed: Any) -> Floats:
        """Texts × rows of weights, log odds."""
        odds = hashed @ self.weights.T.astype(np.float64)
        return np.asarray(odds) + self.intercepts.astype(np.float64)


@dataclass(frozen=True)
class TextModel:
    """The questions that could be learned as of ``as_of``, by ``rule`` (JSON text)."""

    as_of: datetime
    rule: str
    questions: Mapping[str, Question]
    learned: Mapping[str, Mapping[str, int]]
    """How many texts (counted as often as they came) each class of each question had."""
    left_open: Mapping[str, int]
    """How many tickets were ``written``, and of how many of these neither a statement nor the rule
    told the ``complaint``, and nothing the ``topic``."""
    _known: dict[str, tuple[float, float, str | None]] = field(
        default_factory=dict, compare=False, repr=False
    )

    @property
    def columns(self) -> tuple[str, ...]:
        """The derived columns that it can fill, those of a question that was learned."""
        return tuple(f"text_{name}" for name in self.questions)

    @property
    def tells(self) -> bool:
        """Whether a tenth of what was written leaves open what the texts could tell."""
        most = max(self.left_open.get("complaint", 0), self.left_open.get("topic", 0))
        return most > 0 and 10 * most >= self.left_open["written"]

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digest of the rule, the moment and every weight."""
        return hashlib.sha256(canonical(self._content()).encode()).hexdigest()

    def read(self, texts: Iterable[str | None]) -> pd.DataFrame:
        """One row per text: ``text_complaint`` (probability), ``text_sentiment`` (-1 to 1), both
        to a thousandth, and ``text_topic``, null below an even chance. All null without a text."""
        codes, different = pd.factorize(pd.Series(list(texts), dtype=object))
        different = [str(text) for text in different]
        fresh = [text for text in different if text not in self._known]
        answer_of = {text: self._known[text] for text in different if text in self._known}
        for at in range(0, len(fresh), AT_A_TIME):
            part = fresh[at : at + AT_A_TIME]
            answer_of.update(zip(part, self._answers(part), strict=True))
        if len(self._known) + len(fresh) > REMEMBERED:
            self._known.clear()
        self._known.update((text, answer_of[text]) for text in fresh[:REMEMBERED])
        answers = [answer_of[text] for text in different]
        numbers = np.array([a[:2] for a in answers] + [(np.nan, np.nan)], dtype=np.float64)
        topics = np.array([a[2] for a in answers] + [None], dtype=object)
        return pd.DataFrame(
            {
                "text_complaint": numbers[codes, 0],
                "text_sentiment": numbers[codes, 1],
                "text_topic": pd.Series(topics[codes], dtype="str"),
            }
        )

    def _answers(self, texts: Sequence[str]) -> list[tuple[float, float, str | None]]:
        blank = np.array([not text.strip() for text in texts])
        hashed = hashed_runs(texts)
        complaint = np.full(len(texts), np.nan)
        sentiment = np.full(len(texts), np.nan)
        topic = np.full(len(texts), None, dtype=object)
        if "complaint" in self.questions:
            complaint = _chance(self.questions["complaint"].margins(hashed)[:, 0])
        if "sentiment" in self.questions:
            sentiment = 2 * _chance(self.questions["sentiment"].margins(hashed)[:, 0]) - 1
        if "topic" in self.questions:
            question = self.questions["topic"]
            topic = _likeliest(question.classes, question.margins(hashed))
        return [
            (np.nan, np.nan, None)
            if blank[at]
            else (round(float(complaint[at]), 3), round(float(sentiment[at]), 3), topic[at])
            for at in range(len(texts))
        ]

    def _content(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "as_of": self.as_of.isoformat(),
            "rule": self.rule,
            "left_open": dict(self.left_open),
            "learned": {name: dict(count) for name, count in self.learned.items()},
            "questions": {
                name: {
                    "classes": list(question.classes),
                    "weights": _packed(question.weights),
                    "intercepts": _packed(question.intercepts),
                }
                for name, question in self.questions.items()
            },
        }

    def to_json(self) -> str:
        """The model and its fingerprint as text; ``from_json`` gives an equal one."""
        return canonical({**self._content(), "fingerprint": self.fingerprint})

    @classmethod
    def from_json(cls, text: str) -> TextModel:
        """The model that ``to_json`` wrote; DamagedFile if it is not to the letter that one."""
        try:
            document = json.loads(text)
            fingerprint = document.pop("fingerprint")
            if hashlib.sha256(canonical(document).encode()).hexdigest() != fingerprint:
                raise ValueError("its content does not match its fingerprint")
            if document["format"] != FORMAT:
                raise ValueError(f"it has format {document['format']}, this release reads {FORMAT}")
            questions = {
                name: Question(
                    tuple(question["classes"]),
                    _unpacked(question["weights"]).reshape(-1, BUCKETS),
                    _unpacked(question["intercepts"]),
                )
                for name, question in document["questions"].items()
            }
        except (ValueError, KeyError, TypeError, AttributeError, zlib.error) as error:
            raise DamagedFile(f"the text model cannot be read: {error}; train again") from error
        when = datetime.fromisoformat(document["as_of"])
        return cls(when, document["rule"], questions, document["learned"], document["left_open"])


def hashed_runs(texts: Sequence[str]) -> Any:
    """A sparse row per text: its runs of characters within words, hashed, of length one."""
    from sklearn.feature_extraction.text import HashingVectorizer

    reader = HashingVectorizer(analyzer="char_wb", ngram_range=RUNS, n_features=BUCKETS)
    # half a character (a lone surrogate) cannot be hashed
    whole = (text[:LONGEST].encode("utf-8", "replace").decode() for text in texts)
    return reader.transform(whole)


def _chance(margin: Floats) -> Floats:
    return 1 / (1 + np.exp(-np.clip(margin, -50, 50)))


def _likeliest(classes: Sequence[str], margins: Floats) -> npt.NDArray[np.object_]:
    """The likeliest class, None where it has less than an even chance."""
    if len(classes) == 2:
        margins = np.column_stack([-margins[:, 0], margins[:, 0]])
    best = margins.argmax(axis=1)
    likeliest: npt.NDArray[np.object_] = np.array(classes, dtype=object)[best]
    likeliest[margins.max(axis=1) < 0] = None
    return likeliest


def canonical(value: Any) -> str:
    """JSON text that is equal for equal values."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _packed(values: npt.NDArray[np.float32]) -> str:
    return base64.b64encode(zlib.compress(values.astype("<f4").tobytes(), 6)).decode()


def _unpacked(text: str) -> npt.NDArray[np.float32]:
    raw = zlib.decompress(base64.b64decode(text, validate=True))
    return np.frombuffer(raw, dtype="<f4").astype(np.float32)
