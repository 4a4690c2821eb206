"""Reasons are said in the agent's language, whatever the feature."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from data.errors import UsageError
from data.settings import Complaint
from features.complaint import complaint_predicate
from features.views import all_features
from models.risk.lexicon import FORMS, LANGUAGES, SUBJECTS, WHOLE
from models.risk.model import RiskModel
from models.risk.phrases import PHRASES
from models.risk.reasons import AGE, reasons
from models.risk.words import WINDOW, sentence, subject, untested

World = Callable[..., tuple[pd.DataFrame, pd.DataFrame]]


TOLD: list[tuple[str, object, tuple[str, str, str]]] = [
    (
        "orders_overdue_now",
        1.0,
        ("1 overdue order now", "1 pedido atrasado ahora", "1 forsinket ordre nå"),
    ),
    (
        "tickets_complaint_count_28d",
        3.0,
        ("3 complaints in 28 days", "3 quejas en 28 días", "3 klager på 28 dager"),
    ),
    (
        "tickets_count",
        2.0,
        ("2 tickets so far", "2 consultas hasta ahora", "2 henvendelser til nå"),
    ),
    (
        "orders_since_last_days",
        12.44,
        (
            "the latest order was 12.4 days ago",
            "12,4 días desde lo último: pedidos",
            "12,4 dager siden sist: ordrer",
        ),
    ),
    (
        "tickets_csat_last",
        None,
        (
            "latest rating: not known",
            "satisfacción, último valor: desconocido",
            "tilfredshet, siste verdi: ikke kjent",
        ),
    ),
    (
        "region_orders_late_share_7d",
        0.254,
        (
            "25 % of deliveries in this region were late in 7 days",
            "25 % de las entregas de esta región llegaron tarde en 7 días",
            "25 % av leveringene i regionen kom for sent på 7 dager",
        ),
    ),
]


@pytest.mark.parametrize(("name", "value", "told"), TOLD)
def test_a_value_is_a_sentence_in_every_language(
    name: str, value: object, told: tuple[str, str, str]
) -> None:
    assert tuple(sentence(name, value, of) for of in LANGUAGES) == told


def test_an_order_is_overdue_in_plain_english_and_what_has_no_words_is_told_by_its_note() -> None:
    card = {"note": "orders already due, not yet delivered, cancelled, returned or refunded"}
    assert sentence("orders_overdue_now", 2.0, card=card) == "2 overdue orders now"
    due = {"note": "orders due in the next 3 days, not yet delivered"}
    assert sentence("orders_due_next_3d", 1.0, card=due) == f"{due['note']}: 1"


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_not_there_is_one_reason_and_names_a_new_customer(language: str) -> None:
    names = [
        AGE,
        "usage_errors_sum",
        "orders_count_28d",
        "tickets_complaint_count",
        "carrier_share",
    ]
    rows = pd.DataFrame(
        {
            AGE: [2.0, 400.0],
            "usage_errors_sum": [0.0, 0.001],
            "orders_count_28d": [0.0, 3.0],
            "tickets_complaint_count": [2.0, 0.0],
            "carrier_share": [0.0, 0.0],
        }
    )
    amounts = np.array([[0.1, 0.3, 0.2, 0.4, 0.05], [-0.1, 0.3, 0.2, -0.4, 0.05]])
    young, old = reasons(names, {}, rows, amounts, None, language)
    assert [round(one["contribution"], 9) for one in young] == [0.6, 0.4, 0.05]
    assert young[0]["text"] == untested(2.0, language) and "2" in young[0]["text"]
    assert young[0]["feature"] == "usage_errors_sum"
    assert [round(one["contribution"], 9) for one in old] == [0.3, 0.2, 0.05, -0.1, -0.4]
    assert old[0]["text"] == untested(400.0, language) != young[0]["text"]
    # a complaint that never was lowers the risk, and says so
    assert "0" in old[-1]["text"]
    [first] = reasons(names, {}, rows[:1], amounts[:1], 1, language)
    assert first == young[:1]


def test_every_feature_can_be_said_in_every_language() -> None:
    for feature in all_features(complaint_predicate(Complaint())):
        for language in LANGUAGES:
            for value in (1.0, 0.123456, np.nan, "north"):
                said = sentence(feature.name, value, language)
                assert said and "{" not in said and "nan" not in said.split()


def test_no_feature_is_told_in_english_words_in_another_language() -> None:
    names = [feature.name for feature in all_features(complaint_predicate(Complaint()))]
    assert len(names) > 250
    for language in ("es", "no"):
        known = {**WHOLE[language], **PHRASES[language]}
        missing = [
            name
            for name in names
            if WINDOW.sub("", name) not in known and subject(name) not in SUBJECTS[language]
        ]
        assert missing == []
    said = sentence("open_carrier_orders_late_share_largest_7d", 0.5, "es")
    assert said == "retrasos del peor transportista de sus pedidos en 7 días: 50 %"


def test_languages_have_the_same_words() -> None:
    assert set(SUBJECTS["en"]) == set(SUBJECTS["es"]) == set(SUBJECTS["no"])
    for language in LANGUAGES:
        assert set(FORMS[language]) == set(FORMS["en"])
        assert set(WHOLE[language]) == set(WHOLE["en"])


def test_reasons_differ_in_their_text_only(trained: RiskModel, make_world: World) -> None:
    features, _ = make_world(customers=30, weeks=1, seed=2)
    english = trained.reasons(features, None)
    spanish = trained.reasons(features, None, language="es")
    assert [[r | {"text": ""} for r in row] for row in english] == [
        [r | {"text": ""} for r in row] for row in spanish
    ]
    assert english != spanish
    with pytest.raises(UsageError, match="no language 'xx'; reasons are told in en, es, no"):
        trained.reasons(features, None, language="xx")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_category_that_nothing_was_learned_of_is_said_to_be_new(language: str) -> None:
    rows = pd.DataFrame({"customer_region": ["mars", "north"], "orders_count_28d": [1.0, 1.0]})
    amounts = np.array([[0.2, 0.1], [0.2, 0.1]])
    seen = {"customer_region": ("north", "south")}
    new, known = reasons(list(rows), {}, rows, amounts, None, language, seen)
    assert new[0]["text"].endswith(FORMS[language]["new"]) and "mars" in new[0]["text"]
    assert FORMS[language]["new"] not in new[1]["text"] + known[0]["text"] + known[1]["text"]
