"""A company with known truth: what happens in it is drawn from stated hazards.

``simulate`` writes a workspace with the truth beside it; ``Company`` is the same company stepped by
the day, fed with outreach and staffing, and cloned to be run on from any moment as often as needed.
``make_of`` draws another kind of company. docs/simulation.md tells what is in it.
"""

from data.simulate.company import Company
from data.simulate.makes import Make, make_of
from data.simulate.outcome import DayOutcome
from data.simulate.population import posterior
from data.simulate.rates import Rates, asking_more
from data.simulate.truth import best_actions, expected_volume, true_effects, true_probabilities
from data.simulate.writing import simulate

__all__ = [
    "Company",
    "DayOutcome",
    "Make",
    "Rates",
    "asking_more",
    "best_actions",
    "expected_volume",
    "make_of",
    "posterior",
    "simulate",
    "true_effects",
    "true_probabilities",
]
