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
from models.risk.evidence import CONCERNS, KINDS
from models.risk.lexicon import LOCALES, WORDS
from models.risk.model import RiskModel
from models.risk.reasons import ABOUT, concern_of
from models.risk.words import sentence

World = Callable[..., tuple[pd.DataFrame, pd.DataFrame]]
NAMES = [feature.name for feature in all_features(complaint_predicate(Complaint()))]


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
        "usage_errors_sum_6h",
        2.0,
        ("2 errors in 6 hours", "2 errores en 6 horas", "2 feil på 6 timer"),
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
            "latest order: 12 days ago",
            "pedido más reciente: hace 12 días",
            "siste ordre: for 12 dager siden",
        ),
    ),
    (
        "tickets_csat_last",
        None,
        ("how they rated us", "cómo nos valoró", "hvordan de har vurdert oss"),
    ),
    (
        "customer_region",
        "north",
        ("region: north", "región: north", "region: north"),
    ),
    (
        "region_orders_late_share_7d",
        0.254,
        (
            "how others in their region fare",
            "cómo les va a otros de su región",
            "hvordan det går for andre i regionen",
        ),
    ),
]


@pytest.mark.parametrize(("name", "value", "told"), TOLD)
def test_a_value_is_a_sentence_in_every_language(
    name: str, value: object, told: tuple[str, str, str]
) -> None:
    assert tuple(sentence(name, value, of, None, concern_of(name)) for of in WORDS) == told


def test_a_feature_of_ones_own_is_told_by_its_note_in_every_language() -> None:
    card = {"note": "the customer's shoe size"}
    for language in WORDS:
        said = sentence("customer_shoe_size", 44.5, language, card, "customer_shoe_size")
        assert said == f"the customer's shoe size: 44{'.' if language == 'en' else ','}5"


def test_every_feature_can_be_said_in_every_language() -> None:
    assert len(NAMES) > 250
    for name in NAMES:
        for language in WORDS:
            for value in (1.0, 0.123456, np.nan, "north"):
                said = sentence(name, value, language, None, concern_of(name))
                assert said and "{" not in said and "nan" not in said.split()


def test_every_feature_is_about_something_that_has_words() -> None:
    assert [name for name in NAMES if concern_of(name) not in WORDS["en"]] == []
    concerns = {concern for concern, _ in ABOUT}
    assert {concern_of(name) for name in NAMES} - concerns == {
        name for name in NAMES if name.startswith("customer_")
    }
    assert concerns >= CONCERNS


def test_languages_have_the_same_words() -> None:
    assert set(LOCALES) == set(WORDS)
    sentences = {kind.sentence for kind in KINDS}
    for words in WORDS.values():
        assert set(words) == set(WORDS["en"])
        assert set(words) >= sentences
        for key in sentences:  # what one language names of a row the others do too
            assert {"{id}" in words[key], "{id}" in WORDS["en"][key]} in ({True}, {False})


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
