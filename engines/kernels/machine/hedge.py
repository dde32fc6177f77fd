"""Hedge mode: a long and a short side over one account (`engines/hedge.py`).

Theory. While one side acts the other stands still. So a run has one side in its row, at the places
where every rule looks for it, and the state of the other behind its tables; to turn to the other
one the two are exchanged (`turn_to`). All else is one and the same for both: terms, notes, sums,
counts. Orders, lots and campaigns lie where they are, in tables of their side's own. What a side
needs to know of the other, its position and what that has settled, is put into the row as it is
put aside, and is zero where there is but one side: the rules of money and of the summary add it.

The order is the reference's: a bar is played for the long side and then for the short one, and
then both decide. At which bar a side has to stop next does not change until it acts again, so a run
turns only where it must; a stop at which nothing happens to a side changes nothing.
"""

from engines.kernels._compiled import rule
from engines.kernels.columns import Bars, Charges, Run, Wants
from engines.kernels.machine.bar import decide_at, next_busy, play_bar, wake_of, wishes_at
from engines.kernels.machine.calm import has_orders
from engines.kernels.machine.decisions import is_event, is_full
from engines.kernels.machine.ending import stand_at_end, value_open
from engines.kernels.machine.lots import rows_of
from engines.kernels.machine.tally import reach_bar, reach_end, settle
from engines.kernels.money import settled_of_side
from engines.kernels.search import first_place
from engines.kernels.slots import (
    ENDS,
    ENTERS_LONG,
    ENTERS_SHORT,
    FEES_OPEN,
    LEAVES_LONG,
    LEAVES_SHORT,
    OTHER_AT,
    OVERFLOWS,
    PEER_FEES,
    PEER_LOT,
    PEER_PRICE,
    PEER_ROWS,
    PEER_SETTLED,
    PEER_STEPS,
    PRICE_AVG,
    SIDE_NOW,
    SIDE_SIZE,
    START_BAR,
    STEPS,
)
from engines.types import I64_1D

LONG, SHORT = 1, -1
WISHES_LONG = ENTERS_LONG | LEAVES_LONG | ENDS
WISHES_SHORT = ENTERS_SHORT | LEAVES_SHORT | ENDS


@rule
def turn_to(run: Run, side: int) -> None:
    """Put a side into the row and the other one aside, unless it is there already."""
    if run[SIDE_NOW] == side:
        return
    run[SIDE_NOW] = side
    run[PEER_SETTLED] = settled_of_side(run)
    run[PEER_STEPS], run[PEER_PRICE], run[PEER_FEES] = run[STEPS], run[PRICE_AVG], run[FEES_OPEN]
    run[PEER_ROWS], run[PEER_LOT] = rows_of(run)
    aside = int(run[OTHER_AT])
    for place in range(SIDE_SIZE):
        kept = run[STEPS + place]
        run[STEPS + place] = run[aside + place]
        run[aside + place] = kept


@rule
def trade_sides(run: Run, bars: Bars, wants: Wants, charges: Charges) -> None:
    """Trade the wishes of both sides from the first bar to the last."""
    start = int(run[START_BAR])
    turn_to(run, SHORT)
    short = _next_stop(run, bars, wants, charges, start)
    turn_to(run, LONG)
    long = _next_stop(run, bars, wants, charges, start)
    while min(long, short) < len(bars.prices) and run[OVERFLOWS] == 0:
        bar = min(long, short)
        reach_bar(run, bars, bar)
        for turn in range(4):
            is_long = turn % 2 == 0
            if (long if is_long else short) != bar:
                continue
            turn_to(run, LONG if is_long else SHORT)
            if turn < 2:
                play_bar(run, bars, charges, bar, first_place(charges.settle_bar, bar))
                continue
            wishes = wishes_at(wants, bar, WISHES_LONG if is_long else WISHES_SHORT)
            if is_event(run, wishes) or bar >= wake_of(run, len(bars.prices)):
                decide_at(run, bars, wants, charges, bar, wishes)
            stop = _next_stop(run, bars, wants, charges, bar + 1)
            long, short = (stop if is_long else long), (short if is_long else stop)
        settle(run, bars)


@rule
def _next_stop(run: Run, bars: Bars, wants: Wants, charges: Charges, bar: int) -> int:
    """Return the first bar from `bar` on at which the side in the row may have something to do."""
    count = len(bars.prices)
    if bar >= count or has_orders(run):
        return bar
    events = wants.flat
    if run[STEPS] > 0:
        events = wants.long if is_full(run) else wants.roomy_long
    elif run[STEPS] < 0:
        events = wants.short if is_full(run) else wants.roomy_short
    wake = min(max(bar, wake_of(run, count)), count - 1)
    settlement, day = first_place(charges.settle_bar, bar), first_place(charges.day_bars, bar)
    busy = next_busy(run, bars, charges, bar, wake + 1, settlement, day)
    return _event_before(run, wants, events, bar, min(busy, wake))


@rule
def _event_before(run: Run, wants: Wants, events: I64_1D, bar: int, stop: int) -> int:
    """Return the first event of [bar, stop) that can matter to the side in the row, else `stop`."""
    own = WISHES_LONG if run[SIDE_NOW] == LONG else WISHES_SHORT
    for place in range(first_place(events, bar), len(events)):
        event = int(events[place])
        if event >= stop:
            break
        if is_event(run, wishes_at(wants, event, own)):
            return event
    return stop


@rule
def end_sides(run: Run, bars: Bars) -> None:
    """Note what is still open of both sides, the long one's first."""
    for side in (LONG, SHORT):
        turn_to(run, side)
        stand_at_end(run, bars)
    reach_end(run)
    for side in (LONG, SHORT):
        turn_to(run, side)
        value_open(run, bars)
