"""What was published last, with the model that goes on from there."""

from __future__ import annotations

import logging
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from data.clock import Clock
from data.errors import DamagedFile, NotEnoughHistory
from data.kept_columns import arrow_texts
from data.snapshot import Snapshot
from data.store import Store, registry_history
from data.workspace import Workspace
from models.champion import Champion, champion, champion_at
from serving.items import Ready
from serving.predictor import Predictor
from serving.published import Published
from serving.ranking import Ranking

log = logging.getLogger("presage.api")


class Scores(Mapping[str, dict[str, Any]]):
    """The published rows by customer, each made when it is asked for."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._arrays = {name: frame[name].array for name in frame.columns}
        ids = frame["customer_id"].tolist()
        self._places = dict(zip(ids, range(len(ids)), strict=True))

    def places(self, customer_ids: Sequence[Any]) -> list[int]:
        """Where each stands in the frame, -1 for who does not."""
        return [-1 if i is None else self._places.get(i, -1) for i in customer_ids]

    def __getitem__(self, customer_id: str) -> dict[str, Any]:
        at = self._places[customer_id]
        row = {name: values[at] for name, values in self._arrays.items()}
        return {k: v.item() if isinstance(v, np.generic) else v for k, v in row.items()}

    def __contains__(self, customer_id: object) -> bool:
        return customer_id in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class Unexplained:
    """Who got no reasons with their scores: all but the riskiest ``reasons_for``."""

    def __init__(self, published: Published, rows: Scores) -> None:
        import pyarrow.compute as pc

        frame, count = published.frame, published.about.get("reasons_for")
        self._rows, self._none = rows, None
        if count is not None and count < len(frame):
            lengths = pc.binary_length(arrow_texts(frame["reasons"]))  # looks at no text
            self._none = lengths.to_numpy(zero_copy_only=False) == len("[]")

    def __contains__(self, customer_id: object) -> bool:
        if self._none is None:
            return False
        (at,) = self._rows.places([customer_id])
        return at >= 0 and bool(self._none[at])


@dataclass
class Night:
    """What was published: scores by customer, the model at work, the snapshot they were made from.

    ``superseded``: another model was promoted since. Then everybody asked about is scored again by
    that one, as of the same moment; so are the ``unexplained``, who got no reasons at night, when
    they are asked about. ``again`` keeps these scores, ``fresh`` those of customers with
    news, ``ready`` published answers as JSON.
    """

    published: Published
    rows: Scores
    predictor: Predictor
    snapshot: Snapshot
    at_work: Champion | None
    superseded: bool
    again: dict[str, dict[str, Any]] = field(default_factory=dict)
    fresh: dict[str, dict[str, Any]] = field(default_factory=dict)
    unexplained: Container[str] = frozenset()
    ready: Ready = field(default_factory=Ready)
    ranking: Ranking | None = None
    warm: bool = False

    @property
    def stopped(self) -> tuple[str, ...]:
        """The sources that had stopped when these scores were made."""
        return tuple(self.published.about.get("stopped_sources", ()))

    def row(self, customer_id: str) -> dict[str, Any]:
        """The published row, with the reasons that were found since."""
        return self.again.get(customer_id) or self.rows[customer_id]


def usable_model(
    workspace: Workspace, store: Store, clock: Clock, before: Night | None
) -> tuple[Champion | None, Predictor]:
    """The model at work; where its files are damaged the last one that is whole, so ``before``'s.

    NotEnoughHistory where none was ever promoted, DamagedFile where none is whole.
    """
    state, moment = workspace.state_dir, clock.now()
    try:
        at_work = champion(state, "risk")
        if at_work is None:
            raise NotEnoughHistory("no risk model has been promoted yet; run `presage train` first")
        moment = at_work.promoted_at
        return at_work, Predictor.of_version(at_work)
    except DamagedFile as damaged:
        log.error("the model at work is damaged, the one before serves on: %s", damaged)
        if before is not None:
            return before.at_work, before.predictor
        moves = registry_history(store, "risk")
        while (earlier := champion_at(state, "risk", moment, moves)) is not None:
            moves = [m for m in moves if str(m["version"]) != earlier.version]
            try:
                return earlier, Predictor.of_version(earlier)
            except DamagedFile as also:
                log.error("that is damaged too: %s", also)
        raise
