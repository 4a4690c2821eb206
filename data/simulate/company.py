"""The company, one day at a time.

``Company(customers, days, seed)`` stands before its first day; ``step()`` runs one local day and
may be fed with outreach actions and with staffing. ``clone()`` gives an independent twin from the
same moment: with the same seed it repeats the same draws (so two twins that differ in one action
differ in what that action touches), with another seed it is another future of the same past.

``running.py`` says what happens within a day.

>>> company = Company(customers=300, days=30, seed=1)
>>> company.step().day
datetime.date(2024, 1, 1)
>>> company.step().day
datetime.date(2024, 1, 2)
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from data.errors import UsageError
from data.simulate.export import tables
from data.simulate.makes import Make, make_of
from data.simulate.rates import Rates
from data.simulate.running import START, RunningCompany

if TYPE_CHECKING:
    import pandas as pd


class Company(RunningCompany):
    """A simulated company of ``customers`` who sign up before ``days`` days have passed.

    ``days`` is what is meant to be recorded; it can be stepped ``RUN_ON_DAYS`` further. ``seed``
    decides everything that happens, ``make`` what kind of company it is (``makes.py``; None: the
    usual one, or that of ``rates``). ``hazard_every``: every how many days the truth keeps each
    customer's hazards (0: never). ``own_outreach``: whether the company runs its weekly randomised
    outreach on days on which no actions are fed in.
    """

    make: Make | None = None

    def __init__(
        self,
        customers: int,
        days: int,
        seed: int,
        start: date = START,
        *,
        make: int | None = None,
        rates: Rates | None = None,
        hazard_every: int = 7,
        own_outreach: bool = True,
    ) -> None:
        if make is not None and rates is not None:
            raise UsageError("a make draws its own rates; give a make or rates, not both.")
        self.make = None if make is None else make_of(make)
        super().__init__(
            customers,
            days,
            seed,
            start,
            rates=self.make.rates if self.make else rates or Rates(),
            words=self.make.words if self.make else None,
            recording=self.make.recording if self.make else None,
            hazard_every=hazard_every,
            own_outreach=own_outreach,
        )

    def tables(self) -> dict[str, pd.DataFrame]:
        """The contract's tables as of ``now``: nothing recorded later, no later fact.

        Of a make only what it records (``recording.py``).
        """
        return tables(self)
