"""A trained risk model: feature frame in, calibrated risks out, with the reasons.

Each horizon's risk is a mixture (models/risk/mixture.py) of trees and hazards (a regression on all
features where causes do not add up); those of other horizons may have a share. A longer window
holds a shorter one, so a horizon's log odds are at least those of every shorter horizon: that is
part of the definition, not a repair afterwards, and the reasons follow it (they are the reasons of
the horizon that set the value).

What a row gets does not depend, to the last bit, on the rows beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.special import expit

from data.arrays import Floats, Ints
from data.errors import DataError
from models.risk.choice import Choice, choice_from_json
from models.risk.days import Days, days_from_json, shifted
from models.risk.encode import Encoder, Matrix, encoder_from_json
from models.risk.hazards import Hazards, hazards_from_json
from models.risk.linear import Linear, linear_from_json
from models.risk.mixture import Mixture
from models.risk.repeat import RepeatModel, repeat_from_json
from models.risk.rows import microseconds
from models.risk.tables import RuleTable, table_from_json
from models.risk.trees import contributions, raw_score

CHUNK = 100_000
"""Rows that are scored at once: bounds memory, changes no value."""
CARD = ("source", "note", "formula", "role", "concern", "wording")
"""What of a feature's card travels with a model: it says what a reason is about, and how."""
TICKET_DAYS = 30
"""``expected_tickets_30d`` counts contacts of this many days."""


@dataclass(frozen=True)
class Part:
    """One score, trained on the labels of one horizon.

    ``trees``, ``hazards`` (causes that add up), ``linear`` (a regression),
    ``core`` (one on few features, in bundles of before) or ``rule`` (a table, models/risk/rule.py).
    """

    kind: Literal["trees", "linear", "core", "hazards", "rule"]
    horizon: int
    model: Any

    @property
    def name(self) -> str:
        return f"{self.kind}_{self.horizon}d"

    def score(self, matrix: Matrix, num_threads: int) -> Floats:
        return _score(self.model, matrix, num_threads)

    def explained(self, matrix: Matrix, num_threads: int) -> Floats:
        """Rows × (columns, then base); each row adds up to its score."""
        return _explained(self.model, matrix, num_threads)


def cards_of(
    cards: Sequence[Mapping[str, Any]], columns: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """By name what a model keeps of its features' cards, of those in ``columns``."""
    own = [card for card in cards if card["name"] in columns]
    return {str(card["name"]): {k: card[k] for k in CARD if card.get(k)} for card in own}


def scores_of(
    parts: Sequence[Part], mixtures: Iterable[Mixture], matrix: Matrix, num_threads: int
) -> Floats:
    """The parts' scores (rows × parts); 0 of those that none of the mixtures has a share of."""
    scores = np.zeros((len(matrix), len(parts)))
    used = np.any([mixture.shares > 0 for mixture in mixtures], axis=0)
    for at in np.flatnonzero(used).tolist():
        scores[:, at] = parts[at].score(matrix, num_threads)
    return scores


def _explained(model: Any, matrix: Matrix, num_threads: int) -> Floats:
    if isinstance(model, Linear | Hazards | RuleTable):
        base = np.full((len(matrix), 1), model.intercept)
        return np.hstack([model.contributions(matrix), base])
    return contributions(model, matrix, num_threads=num_threads)


def _score(model: Any, matrix: Matrix, num_threads: int) -> Floats:
    if isinstance(model, Linear | Hazards | RuleTable):
        return model.score(matrix)
    return raw_score(model, matrix, num_threads=num_threads)


@dataclass(frozen=True)
class Tickets:
    """Expected contacts in ``days`` days: ``exp(score) × level``, the score of trees or a table.

    Contacts of one customer come in heaps: their number is taken as negative binomial, whose
    ``dispersion`` k makes ``P(none) = (1 + expected / k) ** -k``.
    """

    scorer: Any
    level: float
    days: int
    dispersion: float

    def expected(self, matrix: Matrix, num_threads: int) -> Floats:
        raw = _score(self.scorer, matrix, num_threads)
        return np.exp(raw) * (self.level * TICKET_DAYS / self.days)

    def any_of(self, expected: Floats) -> Floats:
        """P(at least one contact) where so many are expected."""
        return -np.expm1(-self.dispersion * np.log1p(expected / self.dispersion))


@dataclass(frozen=True)
class RiskModel:
    """See the module's docstring. ``notes``: what is known about the training, as JSON values."""

    horizons: tuple[int, ...]
    encoder: Encoder
    parts: tuple[Part, ...]
    mixtures: Mapping[int, Mixture]
    tickets: Tickets
    topic: Choice | None
    channel: Choice | None
    cards: Mapping[str, Mapping[str, Any]]
    golden: Matrix
    notes: Mapping[str, Any]
    repeat: RepeatModel | None = None
    days: Days | None = None

    @property
    def alarms(self) -> tuple[str, ...]:
        """What somebody should look at before this model is used; empty if nothing."""
        return tuple(self.notes.get("alarms", ()))

    @property
    def rule_because(self) -> str | None:
        """Why this is the rule of recency and frequency and nothing learned; None if it learned."""
        return self.notes.get("rule")

    def predict(
        self, features: pd.DataFrame, *, num_threads: int = 1, choices: bool = True, top: int = 0
    ) -> pd.DataFrame:
        """One row per row of ``features``, same order, index 0..n-1.

        Columns: ``risk_7d`` ... (one a horizon, in (0, 1), never falling), ``expected_tickets_30d``
        (contacts) and ``contact_30d`` (P(any)), both at least the longest risk within 30 days,
        ``topic`` and ``channel`` (the likeliest; None if never seen), these two only with
        ``choices`` or ``top``; with ``top`` also ``topics`` and ``channels``: so many of each with
        their probabilities, the likeliest first.
        """
        chunks = []
        for start in range(0, max(len(features), 1), CHUNK):
            chunk = features.iloc[start : start + CHUNK]
            matrix, worth = self.encoder.matrix(chunk), self._worth(chunk)
            predictions = self._predict(matrix, worth, num_threads, choices and not top)
            for name, choice in (("topic", self.topic), ("channel", self.channel)) if top else ():
                likely = _likeliest(choice, matrix, top, num_threads)
                first = [row[0][0] if row else None for row in likely]
                predictions[name] = pd.Series(first, dtype=object)
                predictions[f"{name}s"] = pd.Series(likely, dtype=object)
            chunks.append(predictions)
        return pd.concat(chunks, ignore_index=True)

    def _worth(self, features: pd.DataFrame) -> Mapping[int, Floats]:
        """Per horizon what the days of each row's window are worth; empty if all are the same."""
        if self.days is None:
            return {}
        if "as_of" not in features.columns:
            raise DataError("this model knows holidays and closures: rows need their as_of")
        as_of = microseconds(features["as_of"])
        return {h: self.days.worth(as_of, h) for h in self.horizons}

    def _predict(
        self, matrix: Matrix, worth: Mapping[int, Floats], num_threads: int, choices: bool
    ) -> pd.DataFrame:
        odds, _ = self.log_odds(matrix, worth, num_threads=num_threads)
        out: dict[str, Any] = {f"risk_{h}d": expit(odds[h]) for h in self.horizons}
        within = [h for h in self.horizons if h <= TICKET_DAYS]
        expected = self.tickets.expected(matrix, num_threads)
        any_of = self.tickets.any_of(expected)
        if within:  # who complains has written at least once
            expected = np.maximum(expected, out[f"risk_{within[-1]}d"])
            any_of = np.maximum(any_of, out[f"risk_{within[-1]}d"])
        out["expected_tickets_30d"] = expected
        out["contact_30d"] = any_of
        if choices:
            for name, choice in (("topic", self.topic), ("channel", self.channel)):
                if choice is None:
                    out[name] = np.full(len(matrix), None, dtype=object)
                else:
                    out[name] = choice.likeliest(matrix, num_threads=num_threads)
        return pd.DataFrame(out)

    def repeat_contact(self, features: pd.DataFrame) -> Floats:
        """P(the customer comes back about the same issue within 14 days), models/risk/repeat.py.

        NaN for those without a ticket that is open or was resolved within 7 days, and for all
        where nothing could be learned of it.
        """
        if self.repeat is None:
            return np.full(len(features), np.nan)
        return self.repeat.chance(features)

    def log_odds(
        self, matrix: Matrix, worth: Mapping[int, Floats], *, num_threads: int = 1
    ) -> tuple[dict[int, Floats], dict[int, Ints]]:
        """Per horizon: the log odds of every row, and the horizon whose mixture set them.

        ``worth``: what the days of the rows' windows are worth, empty where all are the same.
        """
        scores = scores_of(self.parts, self.mixtures.values(), matrix, num_threads)
        odds: dict[int, Floats] = {}
        setter: dict[int, Ints] = {}
        below, by = np.full(len(matrix), -np.inf), np.zeros(len(matrix), dtype=np.int64)
        for horizon in self.horizons:
            own = self.mixtures[horizon].score(scores)
            if worth:
                own = shifted(own, worth[horizon])
            by = np.where(own >= below, horizon, by)
            below = np.maximum(own, below)
            odds[horizon], setter[horizon] = below, by
        return odds, setter

    def probabilities(
        self, features: pd.DataFrame, of: Literal["topic", "channel"], *, top: int = 3
    ) -> list[list[tuple[str, float]]]:
        """Per row the ``top`` likeliest topics (or channels) of the next complaint, with theirs."""
        choice = self.topic if of == "topic" else self.channel
        return _likeliest(choice, self.encoder.matrix(features), top, 1)

    def explain(
        self, features: pd.DataFrame, horizon: int, *, num_threads: int = 1
    ) -> tuple[Floats, Floats]:
        """Contributions in log odds: (rows × columns of the encoder, base per row).

        ``base + contributions.sum(axis=1)`` is the logit of ``risk_{horizon}d``, up to rounding.
        Trees' contributions are exact Shapley values, the regression's its terms; both are taken
        times the part's share in the mixture, so calibration is inside. What the days of the window
        are worth is in the base: it is the same news for everybody.
        """
        if horizon not in self.mixtures:
            raise DataError(f"this model has no horizon of {horizon} days, only {self.horizons}")
        matrix, worth = self.encoder.matrix(features), self._worth(features)
        _, setter = self.log_odds(matrix, worth, num_threads=num_threads)
        amounts = np.zeros(matrix.shape)
        base = np.zeros(len(matrix))
        explained: dict[int, Floats] = {}
        for own in np.unique(setter[horizon]):
            rows = setter[horizon] == own
            mixture = self.mixtures[int(own)]
            base[rows] += mixture.level
            for at in np.flatnonzero(mixture.shares > 0).tolist():
                if at not in explained:
                    explained[at] = self.parts[at].explained(matrix, num_threads)
                amounts[rows] += mixture.shares[at] * explained[at][rows, :-1]
                base[rows] += mixture.shares[at] * explained[at][rows, -1]
            if worth:
                odds = base[rows] + amounts[rows].sum(axis=1)
                base[rows] += shifted(odds, worth[int(own)][rows]) - odds
        return amounts, base

    def reasons(
        self,
        features: pd.DataFrame,
        top: int | None = 3,
        *,
        horizon: int | None = None,
        num_threads: int = 1,
        language: str = "en",
        behind: Sequence[Mapping[str, str]] | None = None,
    ) -> list[list[dict[str, Any]]]:
        """Why: per row the ``top`` concerns that raise the risk most (None: all of them).

        Each is ``{feature, value, text, contribution}``, see models/risk/reasons.py. ``horizon``:
        by default the middle one. ``language``: one of ``data.languages.catalogue.languages()``.
        ``behind``: per row what its own rows say (models/risk/evidence.py).
        """
        from models.risk.reasons import reasons

        chosen = horizon if horizon is not None else self.horizons[len(self.horizons) // 2]
        every: list[list[dict[str, Any]]] = []
        for start in range(0, len(features), CHUNK // 10):
            chunk = features.iloc[start : start + CHUNK // 10]
            amounts, _ = self.explain(chunk, chosen, num_threads=num_threads)
            every += reasons(
                self.encoder.columns,
                self.cards,
                chunk,
                amounts,
                top,
                language,
                self.encoder.categories,
                None if behind is None else behind[start : start + CHUNK // 10],
            )
        return every

    def save(self, folder: Path) -> Any:
        """Write the model's bundle to ``folder`` (models/bundle.py); returns its manifest."""
        from models.bundle import write_bundle

        files: dict[str, Any] = {f"{p.name}.txt": p.model for p in self.parts if p.kind == "trees"}
        table = self.tickets.scorer if isinstance(self.tickets.scorer, RuleTable) else None
        if table is None:
            files["tickets.txt"] = self.tickets.scorer
        for name, choice in (("topic", self.topic), ("channel", self.channel)):
            if choice is not None and choice.booster is not None:
                files[f"{name}.txt"] = choice.booster
        golden = dict.fromkeys(files, self.golden)
        files["golden.npy"] = self.golden
        files["risk.json"] = {
            "encoder": self.encoder.to_json(),
            "parts": [[p.kind, p.horizon] for p in self.parts],
            "linear": {p.name: p.model.to_json() for p in self.parts if p.kind != "trees"},
            "mixtures": {
                str(h): {"level": m.level, "shares": m.shares.tolist()}
                for h, m in self.mixtures.items()
            },
            "tickets": {
                "level": self.tickets.level,
                "days": self.tickets.days,
                "dispersion": self.tickets.dispersion,
                "table": table.to_json() if table else None,
            },
            "topic": self.topic.to_json() if self.topic else None,
            "channel": self.channel.to_json() if self.channel else None,
            "cards": {name: dict(card) for name, card in self.cards.items()},
            "repeat": self.repeat.to_json() if self.repeat else None,
            "days": self.days.to_json() if self.days else None,
        }
        meta = {"kind": "risk", "horizons": list(self.horizons), "notes": dict(self.notes)}
        return write_bundle(folder, files, meta, golden=golden)


def _likeliest(
    choice: Choice | None, matrix: Matrix, top: int, num_threads: int
) -> list[list[tuple[str, float]]]:
    """Per row the ``top`` likeliest choices with their probabilities; none where none is known."""
    if choice is None:
        return [[] for _ in range(len(matrix))]
    chances = choice.probabilities(matrix, num_threads=num_threads)
    best = np.argsort(-chances, axis=1, kind="stable")[:, :top]
    values = np.take_along_axis(chances, best, axis=1).tolist()
    return [
        [(choice.values[at], chance) for at, chance in zip(order, row, strict=True)]
        for order, row in zip(best.tolist(), values, strict=True)
    ]


def load_risk(folder: Path, fingerprint: str | None = None) -> RiskModel:
    """The model that ``save`` wrote: it predicts the same to the last bit.

    Every file's hash is checked first, and the ``fingerprint`` where one is given (DamagedFile). A
    bundle from elsewhere goes through ``models.bundle.trial_load`` before this.
    """
    from models.bundle import read_bundle

    bundle = read_bundle(folder, fingerprint)
    if bundle.kind != "risk":
        raise DataError(f"{folder} holds a model of kind {bundle.kind!r}, not of kind 'risk'")
    document = bundle.documents["risk.json"]
    parts = []
    readers = {
        "rule": table_from_json,
        "hazards": hazards_from_json,
        "linear": linear_from_json,
        "core": linear_from_json,
    }
    for kind, horizon in document["parts"]:
        name = f"{kind}_{horizon}d"
        if kind == "trees":
            parts.append(Part(kind, int(horizon), bundle.boosters[f"{name}.txt"]))
        elif kind in readers:
            parts.append(Part(kind, int(horizon), readers[kind](document["linear"][name])))
        else:
            raise DataError(
                f"{folder} holds a risk model of an earlier make, with a part {kind!r}: train it "
                "again with `presage train --only risk`"
            )
    table, repeat, days = (
        document["tickets"].get("table"),
        document.get("repeat"),
        document.get("days"),
    )
    return RiskModel(
        horizons=tuple(bundle.meta["horizons"]),
        encoder=encoder_from_json(document["encoder"]),
        parts=tuple(parts),
        mixtures={
            int(h): Mixture(float(m["level"]), np.array(m["shares"], dtype=np.float64))
            for h, m in document["mixtures"].items()
        },
        tickets=Tickets(
            table_from_json(table) if table else bundle.boosters["tickets.txt"],
            float(document["tickets"]["level"]),
            int(document["tickets"]["days"]),
            float(document["tickets"]["dispersion"]),
        ),
        topic=_choice(document["topic"], bundle.boosters, "topic.txt"),
        channel=_choice(document["channel"], bundle.boosters, "channel.txt"),
        cards=document["cards"],
        golden=bundle.arrays["golden.npy"].astype(np.float32),
        notes=bundle.meta["notes"],
        repeat=repeat_from_json(repeat) if repeat else None,
        days=days_from_json(days) if days else None,
    )


def _choice(document: Any, boosters: Mapping[str, Any], name: str) -> Choice | None:
    return None if document is None else choice_from_json(document, boosters.get(name))
