"""Texts as features: no future in the model, in what it reads, or in when that is known."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.errors import NotEnoughHistory
from data.settings import Complaint, Settings
from data.tables import MemoryTables
from features.compute import compute
from features.labels import labels
from features.messages import (
    TEXT_FEATURES,
    WithReadComplaints,
    WithTexts,
    first_model,
    label_set,
    reading,
    text_features,
)
from features.spec import FeatureView
from features.text import TextModel
from features.text_learning import fit_text
from features.views import default_view

T = datetime(2026, 3, 1)
DAY = timedelta(days=1)
RULE = Complaint(topics=("billing",), csat_at_most=2)
BAD = (
    "this is not acceptable, my parcel is late", "nobody helps me, I am disappointed",
    "esto no es aceptable, estoy decepcionado", "nadie me ayuda con el pedido",
    "dette er ikke akseptabelt", "jeg er veldig skuffet over dere",
)  # fmt: skip
GOOD = (
    "how can I change my address, thanks", "which plan fits me best, thank you",
    "¿cómo cambio mi dirección? gracias", "¿qué plan me conviene? gracias",
    "hvordan endrer jeg adressen, takk", "hvilken plan passer best, takk",
)  # fmt: skip

Row = dict[str, Any]


def ticket(at: int, text: str | None, day: float, **more: Any) -> Row:
    return {
        "ticket_id": str(at), "opened_at": T + day * DAY, "customer_id": "abc"[at % 3],
        "channel": "email", "text": text, **more,
    }  # fmt: skip


def history(size: int = 120) -> list[Row]:
    """Before T: complaints and others in three languages, each said a little differently."""
    out = []
    for at in range(size):
        bad = at % 2 == 0
        text = f"{(BAD if bad else GOOD)[at // 2 % 6]} {at}"
        fields = {"is_complaint": bad, "topic": "billing" if bad else "account"}
        scored = {"csat": 1.0 if bad else 5.0, "csat_at": T - (60 - at / 4) * DAY}
        out.append(ticket(at, text, -90 + at / 4, **fields, **scored))
    return out


def tables_of(tickets: list[Row], feedback: list[Row] | None = None) -> MemoryTables:
    frames = {"tickets": pd.DataFrame(tickets), "feedback": pd.DataFrame(feedback or [])}
    return MemoryTables({name: frame for name, frame in frames.items() if len(frame)})


HISTORY = history()
MODEL = fit_text(tables_of(HISTORY), T, RULE)

LATER = st.lists(
    st.builds(
        lambda at, text, day, complaint, csat, late, deleted: ticket(
            at, text, day, is_complaint=complaint, topic="billing" if complaint else "returns",
            csat=csat, csat_at=T + late * DAY, recorded_at=T + late * DAY, deleted=deleted,
        ),
        st.integers(0, 400), st.one_of(st.none(), st.text(max_size=20), st.sampled_from(BAD)),
        st.floats(-80, 40), st.sampled_from((None, True, False)), st.sampled_from((None, 1.0, 5.0)),
        st.floats(0.001, 60), st.booleans(),
    ),
    max_size=30,
)  # fmt: skip
SOME = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@SOME
@given(later=LATER, draw=st.randoms(use_true_random=False))
def test_nothing_recorded_after_the_moment_changes_the_model(later: list[Row], draw: Any) -> None:
    """Nor does the order in which the rows stand: rows keep their number and may be anywhere."""
    rows = [{**row, "_row": at} for at, row in enumerate([*HISTORY, *later])]
    draw.shuffle(rows)
    model = fit_text(tables_of(rows), T, RULE)
    assert model.fingerprint == MODEL.fingerprint
    assert model.to_json() == MODEL.to_json()


def test_a_satisfaction_that_is_not_known_yet_teaches_nothing() -> None:
    open_rows = [{**row, "is_complaint": None, "topic": None} for row in HISTORY]
    told = [{**row, "csat_at": T + DAY} for row in open_rows]
    untold = [{**row, "csat": None, "csat_at": None} for row in open_rows]
    for rows in (told, untold):
        with pytest.raises(NotEnoughHistory, match="120 tickets and 0 feedbacks have a text"):
            fit_text(tables_of(rows), T, RULE)
    assert "sentiment" in fit_text(tables_of(told), T + 2 * DAY, RULE).questions


@SOME
@given(later=LATER, ahead=st.sampled_from((0, 1, 20)))
def test_deleting_the_future_changes_no_feature(later: list[Row], ahead: int) -> None:
    """The model too is fitted without what comes after T; and before T nobody can ask it."""
    moment = T + ahead * DAY
    past = [r for r in later if r["recorded_at"] <= moment and r["opened_at"] < moment]
    past = [{**r, "csat": r["csat"] if r["csat_at"] < moment else None} for r in past]
    spine = pd.DataFrame({"customer_id": ["a", "b", "c"] * 2})
    spine["as_of"] = np.array([moment] * 3 + [T - 10 * DAY] * 3, dtype="datetime64[us]")
    found = []
    for rows in ([*HISTORY, *later], [*HISTORY, *past]):
        base = tables_of(rows)
        tables = WithTexts(base, fit_text(base, T, RULE))
        found.append(compute(FeatureView(text_features(tables)), spine, tables))
    pd.testing.assert_frame_equal(*found, check_exact=True, check_categorical=False)
    assert found[0]["tickets_text_sentiment_last"].iloc[:3].notna().all(), "known at T itself"
    early = found[0].iloc[3:]
    counts = [name for name in early.columns if "_count_" in name]
    assert (early[counts] == 0).all().all()
    assert early.drop(columns=["customer_id", "as_of", *counts]).isna().all().all()


@SOME
@given(later=LATER)
def test_features_equal_what_a_reader_would_count(later: list[Row]) -> None:
    """An oracle in plain Python: newest version recorded by then, read one text at a time."""
    moment = T + 20 * DAY
    base = tables_of([*HISTORY, *later])
    tables = WithTexts(base, MODEL)
    spine = pd.DataFrame({"customer_id": ["a", "b", "c"]})
    spine["as_of"] = np.array([moment] * 3, dtype="datetime64[us]")
    view = FeatureView(text_features(tables)).select(
        ("tickets_text_sentiment_mean_90d", "tickets_text_sentiment_last",
         "tickets_complaining_count_90d", "tickets_text_topic_last")
    )  # fmt: skip
    found = compute(view, spine, tables)
    one_by_one = pd.concat([compute(view, spine.iloc[[at]], tables) for at in range(3)])
    newest: dict[str, Row] = {}
    for at, row in enumerate([*HISTORY, *later]):
        learned = row.get("recorded_at") or row["opened_at"]
        seen = newest.get(row["ticket_id"])
        newer = seen is None or (seen.get("recorded_at") or seen["opened_at"]) <= learned
        if learned <= moment and row["opened_at"] < moment and newer:
            newest[row["ticket_id"]] = {**row, "at": at}
    for at, who in enumerate("abc"):
        own = [r for r in newest.values() if r["customer_id"] == who and not r.get("deleted")]
        own = sorted(own, key=lambda r: (r["opened_at"], r["at"]))
        read = [(r, *MODEL.read([r["text"]]).iloc[0]) for r in own]
        window = [x for x in read if x[0]["opened_at"] >= moment - 90 * DAY]
        felt = [round(x[2] * 1000) for x in window if not math.isnan(x[2])]
        mean = sum(felt) / 1000 / len(felt) if felt else math.nan
        lasts = [x[2] for x in read if not math.isnan(x[2])]
        topics = [x[3] for x in read if isinstance(x[3], str)]
        row = found.iloc[at]
        assert row.iloc[2] == np.float32(mean) or (math.isnan(mean) and math.isnan(row.iloc[2]))
        assert (lasts and row.iloc[3] == np.float32(lasts[-1])) or not lasts
        assert row.iloc[4] == sum(x[1] >= 0.5 for x in window)
        assert (topics and row.iloc[5] == topics[-1]) or not topics
        assert one_by_one.iloc[at, 2:5].tolist() == pytest.approx(row.iloc[2:5].tolist(), abs=0,
                                                                  nan_ok=True)  # fmt: skip


@SOME
@given(texts=st.lists(st.one_of(st.none(), st.text(max_size=80)), max_size=12))
def test_any_text_gets_a_finite_answer_by_itself(texts: list[str | None]) -> None:
    texts = [*texts, "", "  ", "☃☃", "ありがとう", "\ud800", "x" * 10_000, None]
    found = MODEL.read(texts)
    alone = pd.concat([MODEL.read([text]) for text in texts], ignore_index=True)
    pd.testing.assert_frame_equal(found, alone, check_exact=True)
    written = np.array([bool(text and text.strip()) for text in texts])
    numbers = found[["text_complaint", "text_sentiment"]].to_numpy()
    assert np.isfinite(numbers[written]).all() and np.isnan(numbers[~written]).all()
    assert found["text_complaint"].dropna().between(0, 1).all()
    assert found["text_sentiment"].dropna().between(-1, 1).all()


@pytest.mark.parametrize(
    ("bad", "good"),
    [
        ("I am so disappointed, this is not acceptable", "thanks, how do I change the plan"),
        ("estoy muy decepcionado, no es aceptable", "gracias, ¿cómo cambio el plan?"),
        ("veldig skuffet, ikke akseptabelt", "takk, hvordan endrer jeg planen"),
    ],
    ids=["en", "es", "nb"],
)
def test_complaints_and_questions_are_told_apart(bad: str, good: str) -> None:
    read = MODEL.read([bad, good])
    assert read["text_complaint"][0] > 0.7 and read["text_complaint"][1] < 0.3
    assert read["text_sentiment"][0] < -0.4 and read["text_sentiment"][1] > 0.4
    assert read["text_topic"].tolist() == ["billing", "account"]


def test_what_cannot_be_learned_is_not_asked() -> None:
    one_class = [{**row, "is_complaint": True, "csat": 1.0, "topic": None} for row in HISTORY]
    with pytest.raises(NotEnoughHistory, match="20 of complaints and 20 of others"):
        fit_text(tables_of(one_class), T, RULE)
    only_topics = [{**row, "is_complaint": True, "csat": None} for row in HISTORY]
    base = tables_of(only_topics)
    model = fit_text(base, T, RULE)
    assert model.columns == ("text_topic",)
    assert model.read(["hello"])["text_complaint"].isna().all()
    tables = WithTexts(base, model)
    names = default_view(tables, Settings(), T).names
    assert "tickets_text_topic_last" in names and "tickets_text_sentiment_last" not in names
    assert not any("text" in name for name in default_view(base, Settings(), T).names)
    with pytest.raises(NotEnoughHistory):
        fit_text(tables_of([ticket(1, None, -1)]), T, RULE)


def test_the_rule_is_part_of_the_identity() -> None:
    base = tables_of(HISTORY)
    other = fit_text(base, T, Complaint(topics=("returns",), csat_at_most=2))
    assert other.fingerprint != MODEL.fingerprint
    sets = [label_set(RULE), label_set(RULE, MODEL), label_set(RULE, other), label_set(Complaint())]
    assert len(set(sets)) == 4


def test_the_reader_is_of_the_first_training_time_with_plenty() -> None:
    moments = [T - days * DAY for days in (89, 75, 60, 30, 10)]
    few = first_model(tables_of(HISTORY), moments, RULE)
    assert few is not None and few.as_of == moments[2], "else of the middle one"
    many = [{**row, "ticket_id": f"{row['ticket_id']}-{n}"} for row in HISTORY for n in range(20)]
    plenty = first_model(tables_of(many), moments, RULE)
    assert plenty is not None and plenty.as_of == moments[1]
    assert first_model(tables_of(HISTORY), moments[:1], RULE) is None
    orders = pd.DataFrame({"order_id": ["1"], "customer_id": ["a"], "ordered_at": [T]})
    assert first_model(MemoryTables({"orders": orders}), moments, RULE) is None


def test_what_is_asked_for_is_read_and_nothing_else() -> None:
    base = tables_of(HISTORY)
    moments = [T - days * DAY for days in (60, 30)]
    plain = reading(base, moments, RULE, texts="no")
    assert plain.features is base and plain.labels is base and plain.model is None
    both = reading(base, moments, RULE, texts="yes", by_text=True)
    assert isinstance(both.features, WithTexts) and isinstance(both.labels, WithReadComplaints)
    labels_only = reading(base, moments, RULE, texts="no", by_text=True)
    assert labels_only.features is base and labels_only.model is None
    assert labels_only.labeller and both.labeller is both.model is not None
    assert labels_only.labeller.fingerprint == both.model.fingerprint


def test_auto_reads_where_something_is_left_open() -> None:
    moments = [T]
    stated = reading(tables_of(HISTORY), moments, RULE, texts="auto")
    assert stated.model is None
    some = [{**row, "is_complaint": None if at % 9 else row["is_complaint"], "topic": None,
             "csat": None} for at, row in enumerate(history(720))]  # fmt: skip
    left = reading(tables_of(some), moments, RULE, texts="auto")
    assert left.model is not None and isinstance(left.features, WithTexts)
    assert left.model.left_open["written"] == left.model.left_open["topic"] > 0


def test_labels_take_what_reads_as_a_complaint_where_nothing_is_stated() -> None:
    rows = [
        ticket(900, BAD[0], 1, is_complaint=None), ticket(901, GOOD[0], 1, is_complaint=None),
        ticket(902, BAD[1], 1, is_complaint=False), ticket(903, None, 1, is_complaint=None),
    ]  # fmt: skip
    tables = WithReadComplaints(tables_of([*HISTORY, *rows]), MODEL)
    stated = tables.frame("tickets", ["ticket_id", "is_complaint"]).set_index("ticket_id")
    told = stated["is_complaint"].loc[["900", "901", "902", "903"]]
    assert told.iloc[0] is True or told.iloc[0] == True  # noqa: E712
    assert told.iloc[[1, 3]].isna().all() and not told.iloc[2]
    assert tables.frame("tickets").columns.tolist() == (
        tables_of(HISTORY).frame("tickets").columns.tolist()
    )
    assert tables.fingerprint != tables_of([*HISTORY, *rows]).fingerprint


def test_a_text_that_reads_as_a_complaint_makes_a_label() -> None:
    rows = [ticket(901, BAD[0], 3, is_complaint=None), ticket(902, GOOD[0], 3, is_complaint=None)]
    base = tables_of([*HISTORY, *rows])
    spine = pd.DataFrame({"customer_id": ["b", "c"]})
    spine["as_of"] = np.array([T] * 2, dtype="datetime64[us]")
    arguments = {"horizons": (7,), "known_as_of": T + 30 * DAY, "complaint": Complaint()}
    plain = labels(spine, base, **arguments)
    read = labels(spine, WithReadComplaints(base, MODEL), **arguments)
    assert plain["label_7d"].tolist() == [0, 0] and read["label_7d"].tolist() == [1, 0]
    assert read["contact_7d"].tolist() == [1, 1]


ASK = """
import sys
sys.path.insert(0, sys.argv[1])
from test_text_features import HISTORY, RULE, T, fit_text, tables_of
print(fit_text(tables_of(HISTORY), T, RULE).fingerprint)
"""


def test_threads_and_processes_do_not_matter() -> None:
    more = {"OMP_NUM_THREADS": "4", "OPENBLAS_NUM_THREADS": "4", "PYTHONHASHSEED": "4"}
    places = os.pathsep.join(place for place in sys.path if place)
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(Path(__file__).parent)],
        env={**os.environ, **more, "PYTHONPATH": places},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == MODEL.fingerprint, done.stderr


def test_the_model_survives_its_file() -> None:
    again = TextModel.from_json(MODEL.to_json())
    assert again.fingerprint == MODEL.fingerprint and again.columns == MODEL.columns
    pd.testing.assert_frame_equal(again.read([*BAD, *GOOD]), MODEL.read([*BAD, *GOOD]))


def test_every_text_feature_is_in_some_view_and_has_a_note() -> None:
    tables = WithTexts(tables_of(HISTORY), MODEL)
    assert {f.name for f in text_features(tables)} == {f.name for f in TEXT_FEATURES}
    assert all(feature.card()["note"] for feature in TEXT_FEATURES)
    view = default_view(tables, Settings(), T)
    assert FeatureView.from_json(view.to_json()).fingerprint == view.fingerprint
