"""How long what concerns people is kept."""

from __future__ import annotations

from dataclasses import dataclass, fields

from data.setting_checks import not_negative, setting


@dataclass(frozen=True)
class Retention:
    """How long what concerns people is kept; 0: as long as it is of use. `presage erase DIR
    --expired --commit` removes what is older."""

    snapshots_days: int = setting(0, "days since a snapshot of the tables was used")
    features_days: int = setting(0, "days since the moment that a feature set is about")
    published_days: int = setting(0, "days since a result was published; the newest stays")
    decided_days: int = setting(
        0, "days since decisions were made; what they were made on goes, they themselves stay"
    )
    predictions_days: int = setting(0, "days since something was foretold of somebody")
    events_days: int = setting(0, "days since a row was posted; runs know it no more after that")
    messages_days: int = setting(0, "days since a message was settled; its body goes, not the fact")
    answers_days: int = setting(0, "days that an answer to an Idempotency-Key is kept")
    logs_days: int = setting(0, "days since a log was written to")

    jobs_days: int = setting(
        7, "days since a bulk job ended; the service removes it, with its result, by itself"
    )

    def __post_init__(self) -> None:
        for each in fields(self):
            not_negative(getattr(self, each.name), each.name)
