"""Orders of a day: placed, shipped, delivered, cancelled, returned, refunded.

Waiting times are memoryless on working days, so an order's state is what it is now: placed (0),
shipped (1), in hand (2). In a strike nothing is delivered while orders go on; when it ends, what
waits is delivered at the usual daily chance. Whether an item is defective is decided by its lot:
product and half-month of shipping.
"""

from __future__ import annotations

import numpy as np

from data.arrays import Floats, Ints
from data.simulate.draws import Draws, pick
from data.simulate.incidents import SLOW, STRIKE
from data.simulate.rates import CATEGORIES, REGIONS
from data.simulate.record import Record
from data.simulate.state import Catalogue, State, World
from data.simulate.timeline import HOUR, NEVER

PROMISED_HOUR = 20
CARRIER_SHARES = (3.0, 2.0, 1.5, 1.5)
"""The Dirichlet parameters of the carriers' shares of each region's orders."""


def popularity(products: int) -> Floats:
    """Cumulative weights with which products are ordered."""
    return np.cumsum(1.0 / (1 + np.arange(products)) ** 0.7)


def make_catalogue(customers: int, draws: Draws) -> Catalogue:
    """12 to 60 products, by the size of the company."""
    rng = draws.generator("catalogue")
    size = int(np.clip(customers // 800, 12, 60))
    category = np.arange(size) % len(CATEGORIES)
    carrier = rng.dirichlet(np.array(CARRIER_SHARES), len(REGIONS))
    return Catalogue(
        category=category.astype(np.int64),
        price=np.round(rng.lognormal(3.3, 0.7, size), 2),
        popularity=popularity(size),
        carrier=np.cumsum(carrier, axis=1),
    )


def _moment(
    world: World, draws: Draws, name: str, day: int, keys: Ints, first: float, last: float
) -> Ints:
    """A UTC moment of the day between two local hours."""
    u = draws.uniform(name, day, keys)
    return world.timeline.utc(day, (first + (last - first) * u) * 3600)


def move_orders(world: World, state: State, draws: Draws, day: int, record: Record | None) -> None:
    """What happens on the day to the orders that were there at its first moment."""
    rates, orders = world.rates, state.orders
    key, status = orders["key"], orders["status"]
    overdue = (status < 2) & (day > orders["promised"])
    cancelled = (status == 0) & (draws.uniform("cancel", day, key) < rates.cancel_waiting)
    cancelled |= overdue & (draws.uniform("refuse", day, key) < rates.cancel_overdue)
    returning = np.where(orders["defective"], rates.return_defective, rates.return_usual)
    returned = (status == 2) & (draws.uniform("return", day, key) < returning)
    shipped = delivered = np.zeros(len(key), dtype=bool)
    if world.timeline.is_workday[day]:
        shipped = (status == 0) & ~cancelled & (draws.uniform("ship", day, key) < rates.ship)
        standing = state.incidents.delivering[orders["carrier"], orders["region"]]
        chance = np.array(rates.deliver)[orders["carrier"]]
        chance = np.where(standing == STRIKE, 0.0, chance)
        chance = np.where(standing == SLOW, chance * rates.slow_factor, chance)
        delivered = (status == 1) & ~cancelled & (draws.uniform("deliver", day, key) < chance)
    lot = world.timeline.half_month(day)
    orders["defective"] = np.where(
        shipped, state.incidents.defective[orders["product"], lot], orders["defective"]
    )
    orders["status"] = status + shipped + delivered
    orders["delivered"] = np.where(delivered, day, orders["delivered"])
    if record is not None:
        log, row = record.orders, orders["row"]
        for name, mask, first, last in (
            ("shipped_at", shipped, 9, 17),
            ("delivered_at", delivered, 8, 19),
            ("cancelled_at", cancelled, 8, 22),
            ("returned_at", returned, 9, 18),
        ):
            log[name][row[mask]] = _moment(world, draws, name, day, key[mask], first, last)
        log["defective"][row[shipped]] = orders["defective"][shipped]
        for mask, name in ((cancelled, "cancelled_at"), (returned, "returned_at")):
            wait = 1 + 6 * draws.uniform("refund", day, key[mask])
            begun = log[name][row[mask]]
            log["refunded_at"][row[mask]] = begun + (wait * 24 * HOUR).astype(np.int64)
    in_hand = (orders["status"] == 2) & (day - orders["delivered"] >= rates.in_hand_days)
    orders.keep(~(cancelled | returned | in_hand))


def place_orders(
    world: World, state: State, draws: Draws, day: int, engaged: Floats, record: Record | None
) -> None:
    """The day's new orders, at most one a customer; nothing happens to them before tomorrow."""
    rates, people = world.rates, world.people
    rate = people.order_rate * engaged * world.timeline.order_factor[day] * state.present(day)
    who = np.flatnonzero(draws.uniform("order", day, world.everyone) < -np.expm1(-rate))
    key = day * world.entities + who
    product = pick(world.catalogue.popularity, draws.uniform("product", day, who))
    region = state.region[who]
    carrier = pick(world.catalogue.carrier[region], draws.uniform("order carrier", day, who))
    promise = np.array(rates.promise_days)[carrier] - (state.plan[who] == 2)
    row = np.full(len(who), -1)
    if record is not None:
        quantity = 1 + (4 * draws.uniform("quantity", day, who) ** 3).astype(np.int64)
        spread = 0.8 + 0.4 * draws.uniform("amount", day, who)
        never = np.full(len(who), NEVER)
        row = record.orders.add(
            key=key,
            customer=who,
            product=product,
            carrier=carrier,
            region=region,
            quantity=quantity,
            amount=np.round(world.catalogue.price[product] * quantity * spread, 2),
            defective=np.zeros(len(who), dtype=bool),
            ordered_at=_moment(world, draws, "ordered at", day, who, 7, 23.5),
            promised_at=world.timeline.utc(day + promise, PROMISED_HOUR * 3600.0),
            shipped_at=never,
            delivered_at=never,
            cancelled_at=never,
            returned_at=never,
            refunded_at=never,
        )
    state.orders.add(
        key=key,
        customer=who,
        product=product,
        carrier=carrier,
        region=region,
        ordered=np.full(len(who), day),
        promised=day + promise,
        status=np.zeros(len(who)),
        delivered=np.full(len(who), -1),
        defective=np.zeros(len(who), dtype=bool),
        row=row,
    )
