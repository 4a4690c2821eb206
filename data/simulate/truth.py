"""What only a simulated company can tell: true probabilities, true effects, true expectations.

The world is run on from a state many times. To say how probable a complaint within h days is, the
runs need not be counted: in a run in which the customer's complaints are suppressed (they stand in
line but leave no trace with them), exp(-Σ hazard) over the h days is exactly their chance of none
along that path, and the mean over paths is the chance itself (the expectation of the product
integral: Andersen, Borgan, Gill, Keiding, "Statistical Models Based on Counting Processes", II.6).
A handful of runs tells a customer's probability to the third digit; the level of all of them needs
more, as a strike or an outage to come moves everybody, so what chance decides is spread over the
runs (``SpreadDraws``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from data.arrays import Bools, Floats
from data.simulate.draws import Draws, SpreadDraws
from data.simulate.rates import CHANNELS, TOPICS
from data.simulate.words import Words

if TYPE_CHECKING:
    import pandas as pd

    from data.simulate.company import Company


def _survival(
    company: Company,
    horizons: Sequence[int],
    drawn: Sequence[Draws],
    what: str,
    actions: pd.DataFrame | None = None,
) -> Floats:
    """Mean chance of none of ``what`` within each horizon: horizons × customers."""
    chance = np.zeros((len(horizons), company.world.size))
    for draws in drawn:
        twin = company.clone(draws, suppress=what)
        total = np.zeros(company.world.size)
        for step in range(1, max(horizons) + 1):
            day = twin.step(actions if step == 1 else None)
            total += day.complaint_hazard if what == "complaint" else day.contact_hazard
            for k, horizon in enumerate(horizons):
                if horizon == step:
                    chance[k] += np.exp(-total)
    return chance / len(drawn)


def futures(company: Company, runs: int) -> list[Draws]:
    """The draws of the runs from a state: a function of the company's seed and its day."""
    seed = (company.seed * 1_000_003 + company.day) * 1_009 + 1
    return [SpreadDraws(seed, run, runs) for run in range(runs)]


def present(company: Company) -> Bools:
    """Who is signed up and not closed as of the company's next day."""
    return company.state.present(company.day)


def true_probabilities(
    company: Company,
    horizons: Sequence[int] = (7, 14, 30),
    runs: int = 8,
    of: Sequence[str] = ("complaint", "contact"),
) -> pd.DataFrame:
    """P(complaint) and P(any ticket) within h days of ``company.now``, one row a customer.

    Columns ``customer_id, as_of, complaint_7d, ..., contact_7d, ...`` (``of``: which of the two)
    for customers signed up and not closed. Given the whole state, tendencies included. The company
    itself does not move.
    """
    import pandas as pd

    drawn = futures(company, runs)
    here = np.flatnonzero(present(company))
    columns: dict[str, object] = {
        "customer_id": [f"c{c:06d}" for c in here],
        "as_of": np.full(len(here), np.datetime64(company.now, "us")),
    }
    for what in of:
        chance = _survival(company, horizons, drawn, what)
        for k, horizon in enumerate(horizons):
            columns[f"{what}_{horizon}d"] = 1 - chance[k, here]
    return pd.DataFrame(columns)


def true_effects(
    company: Company, action: str | pd.DataFrame = "check_in", horizon: int = 30, runs: int = 8
) -> pd.DataFrame:
    """What a contact on the next morning changes: one row a customer.

    Columns ``customer_id, as_of, action, untreated, treated, uplift``: P(complaint within
    ``horizon`` days) without and with the contact, and treated minus untreated (negative: the
    contact helps; positive: it harms). Both from the same draws, so differences are precise.
    ``action``: one for all, or a frame ``customer_id, action`` of a single action each.
    """
    import pandas as pd

    here = np.flatnonzero(present(company))
    if isinstance(action, str):
        actions = pd.DataFrame({"customer_id": [f"c{c:06d}" for c in here], "action": action})
    else:
        actions = action
        here = np.array([int(str(c)[1:]) for c in actions["customer_id"]], dtype=np.int64)
    drawn = futures(company, runs)
    nobody = actions.iloc[:0]
    without = 1 - _survival(company, [horizon], drawn, "complaint", nobody)[0, here]
    treated = 1 - _survival(company, [horizon], drawn, "complaint", actions)[0, here]
    return pd.DataFrame(
        {
            "customer_id": [f"c{c:06d}" for c in here],
            "as_of": np.full(len(here), np.datetime64(company.now, "us")),
            "action": list(actions["action"]),
            "untreated": without,
            "treated": treated,
            "uplift": treated - without,
        }
    )


def best_actions(company: Company) -> pd.DataFrame:
    """The action that answers each present customer's largest problem now, ``check_in`` if none."""
    import pandas as pd

    from data.simulate.outreach import ANSWERS, problem
    from data.simulate.rates import CAUSES

    ahead = company.clone()
    ahead._begin()
    cause, _ = problem(company.world, ahead.state, company.day)
    name = {CAUSES.index(c): a for a, c in ANSWERS.items()}
    here = np.flatnonzero(present(company))
    return pd.DataFrame(
        {
            "customer_id": [f"c{c:06d}" for c in here],
            "action": [name.get(int(c), "check_in") for c in cause[here]],
        }
    )


def expected_volume(company: Company, days: int, runs: int = 8) -> pd.DataFrame:
    """Expected tickets (machines aside) of the next days, seen from now, by channel × topic.

    Columns ``ds`` (UTC start of the local day), ``channel, topic, expected``.
    """
    import pandas as pd

    total = np.zeros((days, len(CHANNELS), len(TOPICS)))
    for draws in futures(company, runs):
        twin = company.clone(draws)
        for step in range(days):
            total[step] += twin.step().expected
    starts = [company.moment(company.day + step) for step in range(days)]
    return volume_frame(pd.DatetimeIndex(starts).as_unit("us"), total / runs, company.world.words)


def volume_frame(starts: pd.DatetimeIndex, volume: Floats, words: Words) -> pd.DataFrame:
    """Days × channels × topics as a long frame."""
    import pandas as pd

    index = pd.MultiIndex.from_product(
        [starts, words.channels, words.topics], names=["ds", "channel", "topic"]
    )
    return pd.DataFrame({"expected": volume.reshape(-1)}, index=index).reset_index()
