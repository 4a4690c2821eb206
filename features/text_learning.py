"""Learning to read texts, from what was recorded and known as of a moment. The ``rule``:

- *complaint*: ``is_complaint`` where it is stated; else a low CSAT, or the topics and priorities of
  ``[complaint]``, which say no as well as yes where the ticket has a topic or a priority;
- *sentiment*: CSAT of tickets and ratings of feedback, 2 or less against 4 or more; where these
  are too few, complaints against the others;
- *topic*: the topics of tickets.

One linear model per question: stochastic gradient descent on the log loss, averaged, one text after
the other (scikit-learn). Equal rows give an equal model, to the last bit, in whatever order they
stand and on any number of threads.

>>> from data.settings import Complaint
>>> from data.tables import MemoryTables
>>> said = [("this is broken and nobody helps", True), ("how do I change my address", False)]
>>> tickets = pd.DataFrame([{"ticket_id": str(at), "opened_at": "2026-01-01", "channel": "email",
...     "text": f"{said[at % 2][0]} {at}", "is_complaint": said[at % 2][1]} for at in range(60)])
>>> model = fit_text(MemoryTables({"tickets": tickets}), datetime(2026, 2, 1), Complaint())
>>> told = model.read(["nobody helps, all is broken", "can I change it?"])["text_complaint"]
>>> bool(told[0] > 0.8), bool(told[1] < 0.2), model.columns
(True, True, ('text_complaint', 'text_sentiment'))
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pandas as pd

from data.errors import NotEnoughHistory
from data.tables import Tables
from features.asof import as_of_view
from features.complaint import ComplaintRule
from features.text import RUNS, Question, TextModel, canonical, hashed_runs

ENOUGH = 20
"""So many texts of a class are the least that are learned from."""
MOST = 20_000
"""So many different texts are learned from at most: those with the least hashes."""
EPOCHS = 20
UNHAPPY, HAPPY = 2.0, 4.0


def rule_text(rule: ComplaintRule) -> str:
    """What complaints are learned from, as canonical JSON: part of the model's identity and of the
    id of every set of labels that it takes part in."""
    return canonical(
        {
            "all": rule.all,
            "csat_at_most": rule.csat_at_most,
            "enough": ENOUGH,
            "priorities": sorted(rule.priorities),
            "runs": list(RUNS),
            "sentiment": [UNHAPPY, HAPPY],
            "topics": sorted(rule.topics),
        }
    )


def fit_text(tables: Tables, as_of: datetime, rule: ComplaintRule) -> TextModel:
    """The model of what was recorded and known as of a moment.

    Raises NotEnoughHistory where no question has two classes of ``ENOUGH`` texts each.
    """
    columns = ["text", "topic", "is_complaint", "is_machine", "priority", "csat"]
    tickets = as_of_view(tables, "tickets", as_of, columns)
    tickets = tickets[_written(tickets["text"]) & ~_true(tickets["is_machine"])]
    feedback = as_of_view(tables, "feedback", as_of, ["text", "rating"])
    feedback = feedback[_written(feedback["text"])]
    complaint = _complaints(tickets, rule)
    feelings = pd.concat(
        [
            _examples(tickets["text"], _feeling(tickets["csat"])),
            _examples(feedback["text"], _feeling(feedback["rating"])),
        ]
    )
    if not _enough(feelings):
        felt = complaint.map({"yes": "bad", "no": "good"})
        feelings = pd.concat([feelings, _examples(tickets["text"], felt)])
    examples_by_question = {
        "complaint": (_examples(tickets["text"], complaint), ("no", "yes")),
        "sentiment": (feelings, ("bad", "good")),
        "topic": (_examples(tickets["text"], tickets["topic"]), ()),
    }
    questions: dict[str, Question] = {}
    learned: dict[str, dict[str, int]] = {}
    for name, (examples, order) in examples_by_question.items():
        enough = _enough(examples)
        if len(enough) >= 2:
            classes = order or enough
            questions[name] = _fitted(examples[examples["answer"].isin(classes)], classes)
            learned[name] = {c: int((examples["answer"] == c).sum()) for c in classes}
    if not questions:
        raise NotEnoughHistory(
            f"{len(tickets)} tickets and {len(feedback)} feedbacks have a text as of {as_of}; to "
            f"read texts, {ENOUGH} of complaints and {ENOUGH} of others, or of low and of high "
            "CSAT, or of two topics are needed"
        )
    left_open = {
        "written": len(tickets),
        "complaint": int(complaint.isna().sum()),
        "topic": int(tickets["topic"].isna().sum()),
    }
    return TextModel(as_of, rule_text(rule), questions, learned, left_open)


def _complaints(tickets: pd.DataFrame, rule: ComplaintRule) -> pd.Series:
    """``yes``, ``no``, or null where neither a statement nor the rule says."""
    low = UNHAPPY if rule.csat_at_most is None else rule.csat_at_most
    yes = (tickets["csat"] <= low).fillna(False)
    no = pd.Series(False, index=tickets.index)
    for column, values in (("topic", rule.topics), ("priority", rule.priorities)):
        if values:
            yes |= tickets[column].isin(list(values))
            no |= tickets[column].notna()
    yes |= rule.all
    by_rule = pd.Series(None, tickets.index, dtype=object).mask(no, "no").mask(yes, "yes")
    stated = tickets["is_complaint"].map({True: "yes", False: "no"}, na_action="ignore")
    return stated.astype(object).where(stated.notna(), by_rule)


def _feeling(score: pd.Series) -> pd.Series:
    feeling = pd.Series(None, score.index, dtype=object)
    return feeling.mask(score <= UNHAPPY, "bad").mask(score >= HAPPY, "good")


def _examples(texts: pd.Series, answers: pd.Series) -> pd.DataFrame:
    known = answers.notna().to_numpy(dtype=bool)
    return pd.DataFrame(
        {
            "text": texts[known].astype(object).to_numpy(),
            "answer": answers[known].astype(object).to_numpy(),
        }
    )


def _enough(examples: pd.DataFrame) -> tuple[str, ...]:
    """The answers with enough examples, sorted; none where there is but one."""
    count = examples["answer"].value_counts()
    answers = tuple(sorted(str(answer) for answer in count.index[count >= ENOUGH]))
    return answers if len(answers) >= 2 else ()


def _fitted(examples: pd.DataFrame, classes: Sequence[str]) -> Question:
    """Learned from each (text, answer) once, as heavy as it is frequent, in the order of texts."""
    from sklearn.linear_model import SGDClassifier

    weighed = examples.groupby(["text", "answer"], sort=True).size().reset_index(name="count")
    if len(weighed) > MOST:
        keys = weighed["text"] + "\0" + weighed["answer"]
        digest = pd.util.hash_array(keys.to_numpy(dtype=object), categorize=False)
        weighed = weighed.iloc[np.sort(np.argsort(digest, kind="stable")[:MOST])]
    hashed = hashed_runs(weighed["text"].tolist())
    weight = weighed["count"].to_numpy(np.float64)
    answer = weighed["answer"].to_numpy(object)
    rows, intercepts = [], []
    for one in classes if len(classes) > 2 else classes[1:]:
        learner = SGDClassifier(
            loss="log_loss", alpha=1e-5, average=True, max_iter=EPOCHS, tol=None, random_state=0
        )
        learner.fit(hashed, answer == one, sample_weight=weight / weight.mean())
        rows.append(learner.coef_[0].astype(np.float32))
        intercepts.append(learner.intercept_[0])
    return Question(tuple(classes), np.array(rows), np.array(intercepts, dtype=np.float32))


def _written(texts: pd.Series) -> pd.Series:
    return texts.notna() & (texts.fillna("").str.strip() != "")


def _true(flags: pd.Series) -> pd.Series:
    return flags.fillna(False).astype(bool)
