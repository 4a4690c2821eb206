"""Posts that wait at the same time: one transaction, each whole or not at all."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from benchmarks.api_histories import round_of
from data.errors import StorageFailure
from data.store import Store, answer_once, append_events, events_since, open_url
from serving.posts import Posts

NOW = datetime(2026, 3, 2, 10)


class Memory:
    """Stands for the live predictions: how often it took in what was posted, and what it knew."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.known: list[int] = []

    @contextmanager
    def taking_in(self) -> Iterator[None]:
        yield
        self.known.append(len(events_since(self.store, 0)))


class Waiting:
    """Calls that wait together behind one that is at work."""

    def __init__(self, folder: Path) -> None:
        self.store = open_url(f"sqlite:///{folder / 'store.db'}")
        self.memory = Memory(self.store)
        self.posts = Posts(self.store, self.memory)  # type: ignore[arg-type]
        self.commits: list[object] = []
        sa.event.listen(self.store.engine, "commit", self.commits.append)

    def post(self, *names: str, fail: bool = False) -> Callable[[], int]:
        """The work of a post: a row for each name."""

        def work() -> int:
            for name in names:
                append_events(self.store, {"orders": [_order(name)]}, NOW)
            if fail:
                raise ValueError(names[0])
            return len(names)

        return work

    def behind_one(self, *works: Callable[[], Any]) -> list[Future[Any]]:
        """The answers to ``works``, which were posted while another post was being kept."""
        begun, go = threading.Event(), threading.Event()

        def first() -> None:
            begun.set()
            assert go.wait(30)

        with ThreadPoolExecutor(len(works) + 1) as pool:
            ahead = pool.submit(self.posts.do, first)
            assert begun.wait(30)
            answers = []
            for number, work in enumerate(works, 1):
                answers.append(pool.submit(self.posts.do, work))
                while len(self.posts._waiting) < number:
                    pass
            self.commits.clear()
            self.memory.known.clear()
            go.set()
        ahead.result()
        return answers

    def names(self) -> list[str]:
        return [event.key[0] for event in events_since(self.store, 0)]


def _order(name: str) -> dict[str, Any]:
    return {"order_id": name, "ordered_at": "2026-03-01T08:00:00Z", "customer_id": "a"}


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Waiting]:
    place = Waiting(tmp_path)
    with place.store:
        yield place


def test_posts_that_wait_are_one_transaction_and_in_memory_when_answered(waiting: Waiting) -> None:
    answers = waiting.behind_one(*(waiting.post(f"o{n}", f"p{n}") for n in range(5)))
    assert [answer.result() for answer in answers] == [2] * 5
    assert waiting.memory.known == [0, 10]  # after the one ahead, after the others together
    written = [c for c in waiting.commits if c.get_execution_options().get("presage_write")]
    assert len(written) == 1
    assert waiting.names() == [f"{letter}{n}" for n in range(5) for letter in "op"]


def test_one_posts_trouble_undoes_that_post_alone(waiting: Waiting) -> None:
    good, bad, late = waiting.behind_one(
        waiting.post("o1"), waiting.post("o2", "o3", fail=True), waiting.post("o4")
    )
    assert (good.result(), late.result()) == (1, 1)
    with pytest.raises(ValueError, match="o2"):
        bad.result()
    assert waiting.names() == ["o1", "o4"]


def test_what_cannot_be_kept_is_kept_for_nobody_and_all_are_told(waiting: Waiting) -> None:
    def lose(connection: sa.Connection) -> None:
        if connection.get_execution_options().get("presage_write"):
            raise StorageFailure("the disk is full")

    good, worse = waiting.behind_one(waiting.post("o1"), waiting.post("o2", fail=True))
    assert good.result() == 1 and worse.exception() is not None
    sa.event.listen(waiting.store.engine, "commit", lose)
    one, other = waiting.behind_one(waiting.post("o3"), waiting.post("o4"))
    for answer in (one, other):
        with pytest.raises(StorageFailure, match="full"):
            answer.result()
    sa.event.remove(waiting.store.engine, "commit", lose)
    assert waiting.names() == ["o1"]
    assert waiting.posts.do(waiting.post("o5")) == 1


def test_the_same_request_in_one_group_has_one_effect(waiting: Waiting) -> None:
    def once(name: str, request: str) -> Callable[[], Any]:
        def act() -> tuple[int, str]:
            return 200, str(waiting.post(name)())

        return lambda: answer_once(waiting.store, "crm", "key", request, NOW, act)

    first, again, other = waiting.behind_one(
        once("o1", "same"), once("o2", "same"), once("o3", "another")
    )
    assert first.result() == ((200, "1"), False)
    assert again.result() == ((200, "1"), True)
    with pytest.raises(Exception, match="another request"):
        other.result()
    assert waiting.names() == ["o1"]


def test_histories_streamed_in_any_order_end_as_a_night_scores_them(
    trained_workspace: Path,
) -> None:
    counts: Counter[str] = Counter()
    assert round_of(trained_workspace, 8, random.Random(2), counts) == []
    assert counts["histories"] == 8 and counts["rows"] > 30


def test_posted_merges_end_as_a_night_has_them(trained_workspace: Path) -> None:
    kinds = ("identities", "identities", "tickets", "orders", "night")
    assert round_of(trained_workspace, 12, random.Random(3), Counter(), kinds) == []
