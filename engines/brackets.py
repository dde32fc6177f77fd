"""Exit brackets: what an exit command asks for, and the levels of the legs that carry it out.

Theory. A bracket is an exit command that lives on; it has one leg for every entry it covers. A
distance counts from the *base price* of the leg, and `basis` says which price that is: the price of
its own entry (Pine's meaning), the average of the open position, or the last fill that opened or
added. With the latter two every fill that adds sets the levels of all legs of the command anew, at
once and also inside a bar; a fill that reduces does not. A level that is then already behind the
price acts at once, at that price.

The stop of a leg can move. A *trailing* part waits at its arming level and then follows the best
price; its distance is fixed in whole ticks, rounded up where it was not given in ticks. A *ratchet*
is a pair of levels: when the price meets its trigger, the stop moves to the other. Every ratchet of
a leg has one trigger above the one before (long; mirrored for short) and its stop lies behind its
trigger, so a price that meets a trigger, or gaps beyond it, never meets the stop that it sets. A
gap beyond several triggers moves the stop by all of them. Of the stop as given, the one that the
ratchets have set and the trailing one the nearest acts and gives the exit its reason; so none of
them ever loosens what another has tightened. Where two lie at one price, the stop as given comes
before the ratcheted and that before the trailing one.

Three things can be met at one favourable price; they act in the order ratchet, arming, target. Legs
send no messages to each other: a second target whose ratchet has its trigger at the price of the
first target meets it there by itself.

When the base price moves, ratchets start again from the new base and an unarmed trailing part waits
at its new level. What was reached stays: the stop that a ratchet has set, and a trailing stop with
its best price and its distance. Each leg keeps what it has met itself: that of a later entry starts
with the stop as given. The same holds when a command is issued anew with other levels but
the same trailing terms or the same ratchets.

Limits round to the tick in the direction of profit, and so do triggers and arming levels; stops and
an explicit trail price round in the direction of loss. A level given in several ways (a price, a
distance in ticks, a ratio) is the one that is met first.
"""

from collections.abc import Callable, Sequence

from engines.instrument import Instrument
from engines.orders import NAN, BracketSpec, Entry, Level, Moves, Order, Unit
from engines.trades import Side


def wanted_steps(spec: BracketSpec, entry: Entry) -> int:
    """Return how much of `entry` a bracket asks for."""
    if spec.qty_steps:
        return min(spec.qty_steps, entry.steps)
    if spec.qty_ratio is not None:
        return max(1, int(entry.steps * spec.qty_ratio + 1e-9))
    return entry.steps


def set_levels(leg: Order, spec: BracketSpec, base: float, instrument: Instrument) -> None:
    """Set limit, stop and what moves the stop of `leg` from `spec`, off the price `base`.

    What its moving stops have reached is kept.
    """
    tick = instrument.tick_size
    if leg.side is Side.SELL:
        sign, profit, loss = 1, instrument.round_price_up, instrument.round_price_down
    else:
        sign, profit, loss = -1, instrument.round_price_down, instrument.round_price_up
    leg.limit = _nearest(spec.gains, base, sign, tick, profit)
    leg.stop = _nearest(spec.losses, base, -sign, tick, loss)
    if not (spec.arms or spec.ratchets):
        return
    moves = leg.moves
    if moves is None:
        moves = leg.moves = Moves()
    moves.ratchets = tuple(
        (profit(base * (1 + sign * trigger)), loss(base * (1 + sign * stop)))
        for trigger, stop in spec.ratchets
    )
    if spec.arms and not moves.is_trailing:
        # An explicit trail price is on the tick already when it is compared with the others.
        arms = [
            (unit, loss(value)) if unit is Unit.PRICE else (unit, value)
            for unit, value in spec.arms
        ]
        moves.arm_price = _nearest(arms, base, sign, tick, profit)
        moves.trail_ticks = _trail_ticks(spec.trail_distance, base, instrument)


def _trail_ticks(distance: Level, base: float, instrument: Instrument) -> int:
    """Return the distance of a trailing stop in ticks; given in ticks, a fraction is cut off."""
    unit, value = distance
    if unit is Unit.TICKS:
        return int(value)
    return instrument.ticks_up(base * value if unit is Unit.RATIO else value)


def _nearest(
    levels: Sequence[Level],
    base: float,
    sign: int,
    tick: float,
    rounding: Callable[[float], float],
) -> float:
    """Return the rounded level that a price moving by `sign` meets first, NaN if none is given."""
    nearest = NAN
    for unit, value in levels:
        if unit is Unit.RATIO:
            value = base * (1 + sign * value)
        elif unit is Unit.TICKS:
            value = base + sign * value * tick
        elif unit is Unit.QUOTE:
            value = base + sign * value
        rounded = rounding(value)
        if nearest != nearest or (rounded - nearest) * sign < 0:  # NaN until the first
            nearest = rounded
    return nearest


def keep_moves(leg: Order, old: Order) -> None:
    """Give a renewed leg what the moving stops of the `old` one have reached.

    Kept are the trailing part if its terms are the same and the ratchets if they are.
    """
    moves, before = leg.moves, old.moves
    if moves is None or before is None:
        return
    assert leg.bracket is not None and old.bracket is not None
    spec, said = leg.bracket.spec, old.bracket.spec
    is_same_trail = (spec.arms, spec.trail_distance) == (said.arms, said.trail_distance)
    if is_same_trail and before.is_trailing:
        moves.best_price, moves.trail_stop = before.best_price, before.trail_stop
        moves.trail_ticks = before.trail_ticks
    if spec.ratchets == said.ratchets:
        acted = len(moves.ratchets) - len(before.ratchets)
        moves.ratchets, moves.ratchet_stop = moves.ratchets[acted:], before.ratchet_stop


def follow(leg: Order, price: float, instrument: Instrument) -> None:
    """Let `price` act on what moves the stop of a leg: its ratchets, then its trailing part."""
    moves = leg.moves
    if moves is not None:
        if moves.ratchets:
            ratchet_on(leg, moves, price)
        if moves.arm_price == moves.arm_price:
            arm_on(leg, moves, price, instrument)


def ratchet_on(leg: Order, moves: Moves, price: float) -> bool:
    """Move the stop by every ratchet whose trigger `price` meets; return if there was one."""
    sign = -int(leg.side)
    is_moved = False
    while moves.ratchets and (price - moves.ratchets[0][0]) * sign >= 0:
        stop = moves.ratchets[0][1]
        if not (moves.ratchet_stop - stop) * sign >= 0:  # nearer, or the first (NaN)
            moves.ratchet_stop = stop
        moves.ratchets = moves.ratchets[1:]
        is_moved = True
    if is_moved:
        leg.refresh()
    return is_moved


def arm_on(leg: Order, moves: Moves, price: float, instrument: Instrument) -> None:
    """Arm a trailing part if `price` is at or beyond its arming level, or move its stop along."""
    sign = -int(leg.side)
    if not moves.is_trailing:
        if (price - moves.arm_price) * sign < 0:
            return
    elif (price - moves.best_price) * sign <= 0:
        return
    moves.best_price = price
    ticks = instrument.ticks_nearest(price) - sign * moves.trail_ticks
    moves.trail_stop = instrument.price_of(ticks)
    leg.refresh()
