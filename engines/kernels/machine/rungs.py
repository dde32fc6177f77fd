"""Ladders: the rungs that wait beside an entry (`engines/campaign.py`, the rungs of `book`).

Theory. A campaign is the block of one wish: its words, then a rung for each further order of the
plan's ladder. There are two, the one whose first entry has opened the position and the one that a
newer wish has begun, which may be waiting to reverse it; a third cannot be. A rung rests in the
book from the close that issues it on, asleep (without levels) until its first entry fills; it goes
with its position, or with the first entry where that fills without opening anything.

While a position is held its campaign is tended at the closes of bars with fills: rungs that were
seen open and are closed wait again, and from so many entries on every leg gets the late target.
"""

import math

from engines.kernels._compiled import rule
from engines.kernels.columns import Run
from engines.kernels.machine.book import refresh_book, rest, set_levels_of_entry
from engines.kernels.machine.desk import is_large_enough, price_if_now, set_level
from engines.kernels.machine.legs import arm_on, ratchet_on, refresh_leg, set_levels, side_of
from engines.kernels.machine.lots import lot_at
from engines.kernels.money import equity_at, lacks_funds, steps_for
from engines.kernels.rounding import qty_of, steps_down, ten_digits
from engines.kernels.slots import (
    AT_LIMIT,
    AT_MARKET,
    AT_STOP,
    CAMPAIGN,
    CAMPAIGN_NOW,
    CAMPAIGNS_AT,
    CANNOT_PAY,
    ENTRIES,
    FIRST_ORDER,
    HAS_FILLED,
    IS_HELD,
    IS_LEG,
    KIND_OF_ENTRY,
    LADDER_AT,
    LATE_ENTRIES,
    LATE_RATIO,
    LIVES,
    LOT,
    LOT_BOUND,
    LOT_LEGS,
    LOT_RUNG,
    LOT_WORDS,
    LOTS,
    NEXT_RATCHET,
    NO_ROOM,
    NO_TRAIL,
    ORDER_DOWN,
    ORDER_MONEY,
    ORDER_UP,
    OWN_STEPS,
    PROFIT_RATIO,
    REFILLS,
    ROOM,
    RUNG,
    RUNG_SIZE,
    RUNGS,
    SAID_LATE,
    SAID_PROFIT,
    SIDE,
    SIZING_VALUE,
    SMALL_RUNGS,
    STEPS,
    TICK_SIZE,
    TRAIL_UNIT,
    WORDS,
)


@rule
def other_campaign(run: Run) -> int:
    """Return the campaign that is not the position's."""
    first = int(run[CAMPAIGNS_AT])
    size = CAMPAIGN + int(run[RUNGS]) * RUNG_SIZE
    return first if run[CAMPAIGN_NOW] != first else first + size


@rule
def rung_at(campaign: int, place: int) -> int:
    """Return where the rung lies that is order number `place` of its ladder, the entry being 0."""
    return campaign + CAMPAIGN + (place - 1) * RUNG_SIZE


@rule
def offset_of(run: Run, place: int) -> float:
    """Return how far from the close an order of the ladder waits, against its side."""
    return run[int(run[LADDER_AT]) + 2 * place]


@rule
def steps_of(run: Run, place: int, side: float, close: float, size: float) -> float:
    """Return the size of an order of the ladder: its part of `size` (NaN: of the money)."""
    weight = run[int(run[LADDER_AT]) + 2 * place + 1]
    money = run[ORDER_MONEY]
    if size == size:
        steps = steps_down(run, weight * size)
    elif money != money:
        steps = steps_down(run, weight * run[SIZING_VALUE])
    else:
        price = max(run[TICK_SIZE], close * (1 - side * offset_of(run, place)))
        steps = steps_for(run, ten_digits(run, money * weight), price)
    return steps_down(run, qty_of(run, steps))


@rule
def put_rungs(run: Run, campaign: int, side: float, close: float, size: float) -> None:
    """Put the rungs of a campaign beside its entry, which was placed just now."""
    equity = equity_at(run, close)
    # A position that is about to be closed still fills the pyramid for what is queued behind it.
    is_queued = run[KIND_OF_ENTRY + FIRST_ORDER] == AT_MARKET and run[OWN_STEPS + FIRST_ORDER] > 0
    is_full = is_queued and run[STEPS] * side > 0 and run[ENTRIES] >= run[ROOM]
    for place in range(1, int(run[RUNGS]) + 1):
        rung, offset = rung_at(campaign, place), offset_of(run, place)
        run[LIVES + rung] = run[IS_LEG + rung] = run[HAS_FILLED + rung] = 0.0
        run[SIDE + rung], run[RUNG + rung], run[WORDS + rung] = side, place, campaign
        run[KIND_OF_ENTRY + rung] = AT_STOP if offset < 0 else AT_LIMIT
        run[OWN_STEPS + rung] = steps_of(run, place, side, close, size)
        set_level(run, rung, close * (1 - side * offset))
        if run[OWN_STEPS + rung] == 0:
            run[SMALL_RUNGS] += 1
        elif is_full:
            run[NO_ROOM] += 1
        elif _can_be_issued(run, rung, close, equity):
            run[LIVES + rung] = 1.0
            run[ORDER_UP + rung], run[ORDER_DOWN + rung] = math.inf, -math.inf
            rest(run, rung)


@rule
def _can_be_issued(run: Run, rung: int, close: float, equity: float) -> bool:
    """Return whether the account can pay a rung that is large enough; count it if not."""
    steps, side = run[OWN_STEPS + rung], run[SIDE + rung]
    if lacks_funds(run, steps, side, price_if_now(run, rung, close), equity):
        run[CANNOT_PAY] += 1
        return False
    return is_large_enough(run, steps, close)


@rule
def wake_rungs(run: Run, campaign: int) -> None:
    """Let the rungs of the position that has just opened wait at their levels."""
    run[CAMPAIGN_NOW] = campaign
    for place in range(1, int(run[RUNGS]) + 1):
        if run[LIVES + rung_at(campaign, place)] != 0:
            set_levels_of_entry(run, rung_at(campaign, place))


@rule
def drop_rungs(run: Run, campaign: int) -> None:
    """Let no rung of a campaign live any longer; the book is not told."""
    for place in range(1, int(run[RUNGS]) + 1):
        run[LIVES + rung_at(campaign, place)] = 0.0


@rule
def tend(run: Run, close: float) -> None:
    """Change exits and refill rungs after fills, while the position is open."""
    campaign = int(run[CAMPAIGN_NOW])
    for place in range(1, int(run[RUNGS]) + 1):
        run[IS_HELD + rung_at(campaign, place)] = 0.0
    for number in range(int(run[LOTS])):
        lot = lot_at(run, number)
        if run[LOT_BOUND + lot] > 0 and run[LOT_RUNG + lot] > 0:
            rung = rung_at(campaign, int(run[LOT_RUNG + lot]))
            run[IS_HELD + rung] = run[HAS_FILLED + rung] = 1.0
    if run[campaign + SAID_LATE] == 0 and run[ENTRIES] >= run[LATE_ENTRIES]:
        _go_late(run, campaign, close)
    if run[REFILLS] == 0:
        return
    equity = equity_at(run, close)
    for place in range(1, int(run[RUNGS]) + 1):
        rung = rung_at(campaign, place)
        is_over = run[HAS_FILLED + rung] != 0 and run[IS_HELD + rung] == 0
        if is_over and run[LIVES + rung] == 0 and _can_be_issued(run, rung, close, equity):
            run[LIVES + rung] = 1.0
            set_levels_of_entry(run, rung)
            rest(run, rung)


@rule
def _go_late(run: Run, campaign: int, close: float) -> None:
    """Give every exit of the campaign the late target, in the order of the ladder."""
    run[campaign + SAID_LATE] = 1.0
    profit = run[campaign + SAID_PROFIT]
    is_same = profit == profit or run[PROFIT_RATIO] == run[LATE_RATIO]
    for place in range(int(run[RUNGS]) + 1):
        for number in range(int(run[LOTS])):
            lot = lot_at(run, number)
            if run[LOT_RUNG + lot] == place and run[LOT_BOUND + lot] > 0:
                run[LOT_WORDS + lot + SAID_LATE] = 1.0
                if not is_same and run[LOT_LEGS + lot] > 0:
                    _renew(run, lot + LOT, close)


@rule
def _renew(run: Run, leg: int, close: float) -> None:
    """Set a leg's levels anew, behind all that rest; what its moving stops have reached is kept."""
    if run[LIVES + leg] == 0:
        return
    run[LIVES + leg] = 0.0
    refresh_book(run)
    run[LIVES + leg] = 1.0
    acted, sign = run[NEXT_RATCHET + leg], side_of(run)
    set_levels(run, leg)
    run[NEXT_RATCHET + leg] = acted
    refresh_leg(run, leg, sign)
    ratchet_on(run, leg, close, sign)
    if run[TRAIL_UNIT] != NO_TRAIL:
        arm_on(run, leg, close, sign)
    rest(run, leg)
    refresh_book(run)
