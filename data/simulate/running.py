"""A company of given rates, words and records, run one day at a time.

The order within a day: incidents begin and end; what the company learned in the night counts;
outreach on the morning; the day's hazards, from all that is known by then; contacts and their
lines; orders, usage, payments; who fades, changes or leaves. ``Company`` (``company.py``) adds the
makes and the tables.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from data.arrays import Floats, Ints
from data.errors import DataError, UsageError
from data.simulate import activity, centre, contacts, orders, outreach
from data.simulate import staffing as staffed
from data.simulate.channels import channel_mix
from data.simulate.draws import Draws
from data.simulate.expectation import expected as expected_tickets
from data.simulate.hazard import Hazard, hazard, ticket_share
from data.simulate.incidents import begin_day, make_incidents, redraw_lots
from data.simulate.outcome import DayOutcome, service
from data.simulate.population import make_population
from data.simulate.rates import Rates
from data.simulate.record import Record
from data.simulate.recording import Recording
from data.simulate.state import State, World, first_state
from data.simulate.timeline import RUN_ON_DAYS, Timeline
from data.simulate.words import Words

if TYPE_CHECKING:
    import pandas as pd

START = date(2024, 1, 1)


class RunningCompany:
    """A company that has a world, a state and a day; see ``Company`` for what it is made of."""

    def __init__(
        self,
        customers: int,
        days: int,
        seed: int,
        start: date = START,
        *,
        rates: Rates,
        words: Words | None = None,
        recording: Recording | None = None,
        hazard_every: int = 7,
        own_outreach: bool = True,
    ) -> None:
        if customers < 1 or days < 1:
            raise UsageError(
                f"a company needs at least one customer and one day; found {customers} and {days}."
            )
        self.rates, self.recording = rates, recording or Recording()
        self.seed, self.days, self.customers = seed, days, customers
        self.hazard_every, self.own_outreach = hazard_every, own_outreach
        self.draws = Draws(seed)
        self.archive = self.draws  # what only the export draws (texts, reviews, late rows)
        line = Timeline(start, days, self.rates)
        people = make_population(customers, days, self.draws, self.rates)
        catalogue = orders.make_catalogue(customers, self.draws)
        self.world = World(
            rates=self.rates,
            timeline=line,
            people=people,
            catalogue=catalogue,
            everyone=np.arange(people.size),
            segment_complaints=np.array(self.rates.segment_complaints)[people.segment],
            ticket_share=ticket_share(self.rates),
            channel_mix=channel_mix(self.rates),
            words=words or Words(),
        )
        incidents = make_incidents(line, catalogue.size, self.draws, self.rates)
        self.state = first_state(self.world, incidents)
        self.state.habit = staffed.first_habit(self.world)
        self.record: Record | None = Record()
        self.day = 0
        self.suppress = ""

    @classmethod
    def standing(
        cls, world: World, state: State, day: int, draws: Draws, suppress: str = ""
    ) -> Self:
        """A company that stands before ``day`` in a given world and state; it keeps no tables."""
        company = cls.__new__(cls)
        company.rates, company.world, company.state = world.rates, world, state
        company.seed, company.draws, company.archive = draws.seed, draws, draws
        company.days, company.customers = max(day, world.timeline.days), world.people.written
        company.hazard_every, company.own_outreach = 0, True
        company.record, company.day, company.suppress = None, day, suppress
        company.recording = Recording()
        return company

    @property
    def today(self) -> date:
        """The local date of the day that ``step`` runs next."""
        return self.world.timeline.dates[self.day]

    @property
    def now(self) -> datetime:
        """The first moment of that day, UTC: as of then everything stepped is known."""
        return self.moment(self.day)

    def moment(self, day: int) -> datetime:
        """The UTC time of local midnight before a day, counted from the start."""
        return datetime(1970, 1, 1) + timedelta(microseconds=int(self.world.timeline.midnight[day]))

    def clone(
        self, seed: int | Draws | None = None, *, record: bool = False, suppress: str = ""
    ) -> Self:
        """An independent twin from this moment.

        ``seed``: None repeats this company's draws, a number (or draws: ``SpreadDraws`` for runs
        that are averaged) is another future. ``record``: keep the tables too (needed for
        ``tables()``; costs a copy). ``suppress``: ``"complaint"`` or ``"contact"``: such contacts
        of customers still stand in line, but leave no trace in the customer's state, so that
        exp(-Σ hazard) along the path is their chance of having had none (``truth.py``).
        """
        if suppress not in ("", "complaint", "contact"):
            raise UsageError(f"suppress is 'complaint', 'contact' or empty; found {suppress!r}.")
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin.state = self.state.copy()
        twin.record = self.record.copy() if record and self.record is not None else None
        twin.suppress = suppress
        if seed is not None:
            twin.draws = seed if isinstance(seed, Draws) else Draws(seed)
            twin.seed = twin.draws.seed
            future = self.world.timeline.half_month(self.day) + 1
            redraw_lots(twin.state.incidents, future, twin.draws, self.rates)
        return twin

    def hazard(self) -> Hazard:
        """The intensities of the day that comes next, should nobody be contacted that morning."""
        ahead = self.clone()
        ahead._begin()
        return hazard(self.world, ahead.state, self.day)

    def _intensities(self) -> Hazard:
        """The day's hazards, after what the night and the morning brought."""
        return hazard(self.world, self.state, self.day)

    def _begin(self) -> None:
        begin_day(self.state.incidents, self.day, self.world.timeline, self.draws, self.rates)
        centre.begin_day(self.world, self.state, self.day)

    def step(self, actions: pd.DataFrame | None = None, staffing: Any = None) -> DayOutcome:
        """Run the next day.

        ``actions``: a frame with ``customer_id`` and ``action``: contacted at 07:00 local.
        ``staffing``: see ``staffing.fed_staffing``; None is the company's own habit.
        """
        day, world, state, record = self.day, self.world, self.state, self.record
        if day >= self.days + RUN_ON_DAYS - 12:
            raise UsageError(
                f"the company has been run {day} days, made for {self.days} and "
                f"{RUN_ON_DAYS - 12} more; make it with more days."
            )
        self._begin()
        if actions is not None:
            self._contact(actions)
        elif self.own_outreach:
            outreach.habit(world, state, self.draws, day, record)

        now = self._intensities()
        expected = expected_tickets(world, state, day, now)
        contacts_today = contacts.draw_contacts(world, state, self.draws, day, now, record)
        agents = staffed.own_staffing(world, state, day)
        if staffing is not None:
            agents = staffed.fed_staffing(world, day, staffing, agents)
        seconds, events, load = centre.answer(world, state, self.draws, day, contacts_today, agents)
        known = contacts_today.customer >= 0
        ghost = known & (
            contacts_today.complaint
            if self.suppress == "complaint"
            else np.full(len(contacts_today), bool(self.suppress))
        )
        centre.open_tickets(world, state, day, contacts_today, seconds, record, ghost)
        centre.settle(world, state, self.draws, events, record)

        orders.move_orders(world, state, self.draws, day, record)
        engaged = activity.ordering(state)
        orders.place_orders(world, state, self.draws, day, engaged, record)
        activity.use(world, state, self.draws, day, record)
        activity.move_on(world, state, self.draws, day, record)
        if record is not None:
            self._remember(now, expected, agents)
        self.day += 1
        return self._outcome(day, now, expected, agents, load, contacts_today, events, seconds)

    def _contact(self, actions: pd.DataFrame) -> None:
        for column in ("customer_id", "action"):
            if column not in actions.columns:
                raise DataError(
                    f"actions: column {column!r} is missing; found {list(actions.columns)}."
                )
        who = outreach.known_customers(list(actions["customer_id"]), self.world.size)
        if len(np.unique(who)) < len(who):
            raise DataError("actions: a customer is named twice; one contact a morning.")
        outreach.contact(
            self.world,
            self.state,
            self.day,
            who,
            list(actions["action"]),
            self.record,
            "outreach",
            np.nan,
            self.day * self.world.entities + who,
        )

    def _remember(self, now: Hazard, expected: Floats, agents: Floats) -> None:
        assert self.record is not None
        self.record.expected.append(expected)
        self.record.expected_causes.append(now.complaints.sum(axis=1))
        self.record.staffed.append(agents)
        if self.hazard_every and self.day % self.hazard_every == 0 and self.day < self.days:
            self.record.hazards.append(
                (self.day, now.complaint.astype(np.float32), now.contact.astype(np.float32))
            )

    def _outcome(
        self,
        day: int,
        now: Hazard,
        expected: Floats,
        agents: Floats,
        load: Floats,
        contacts_today: contacts.Contacts,
        events: dict[str, Ints],
        seconds: Floats,
    ) -> DayOutcome:
        known = contacts_today.customer >= 0
        complained = np.zeros(self.world.size, dtype=bool)
        complained[contacts_today.customer[known & contacts_today.complaint]] = True
        contacted = np.zeros(self.world.size, dtype=bool)
        contacted[contacts_today.customer[known]] = True
        return DayOutcome(
            day=self.world.timeline.dates[day],
            starts_at=self.moment(day),
            ends_at=self.moment(day + 1),
            complaints=int(contacts_today.complaint.sum()),
            tickets=int((~contacts_today.machine).sum()),
            complained=complained,
            contacted=contacted,
            complaint_hazard=now.complaint,
            contact_hazard=now.contact,
            expected=expected,
            agents=agents,
            load=load,
            offered=contacts_today,
            events=events,
            handle_seconds=seconds,
            words=self.world.words,
        )

    def service(self) -> pd.DataFrame:
        """Every contact so far and what became of it, as the truth knows it (``outcome.py``)."""
        end = int(self.world.timeline.midnight[self.day])
        return service(self.record, end, self.world.words)
