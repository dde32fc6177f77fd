"""One run of one parameter set: from bar to bar at which something can happen."""

from engines.kernels._compiled import rule
from engines.kernels.columns import Bars, Charges, Run, Wants
from engines.kernels.machine.bar import decide_at, next_busy, play_bar, wake_of, wishes_at
from engines.kernels.machine.beginning import begin
from engines.kernels.machine.calm import has_orders, slides
from engines.kernels.machine.decisions import is_event, is_full
from engines.kernels.machine.ending import end
from engines.kernels.machine.guards import raise_peak
from engines.kernels.machine.hedge import end_sides, trade_sides
from engines.kernels.machine.tally import (
    begin_tally,
    end_tally,
    reach_bar,
    settle,
    write_summary,
)
from engines.kernels.search import place_from
from engines.kernels.slots import (
    ANY_WISH,
    CLOSE,
    HAS_CAPS,
    HIGH,
    IS_HEDGED,
    IS_TRAILING,
    LOW,
    OVERFLOWS,
    START_BAR,
    STEPS,
)
from engines.types import F64_1D, I64_1D


@rule
def play(
    run: Run, bars: Bars, wants: Wants, charges: Charges, terms: F64_1D, lots: float, notes_at: int
) -> None:
    """Run one set from its terms to its summary."""
    play_out(run, bars, wants, charges, terms, lots, notes_at)
    write_summary(run, bars)


@rule
def play_out(
    run: Run, bars: Bars, wants: Wants, charges: Charges, terms: F64_1D, lots: float, notes_at: int
) -> None:
    """Run one set from its terms to its sums; every driver calls this, on a GPU as well."""
    begin(run, terms, bars, charges, lots, notes_at)
    begin_tally(run, bars)
    if run[IS_HEDGED] != 0:
        trade_sides(run, bars, wants, charges)
        end_sides(run, bars)
    else:
        trade(run, bars, wants, charges)
        end(run, bars)
    end_tally(run, bars)


@rule
def trade(run: Run, bars: Bars, wants: Wants, charges: Charges) -> None:
    """Trade the wishes of one set from its first bar to the last."""
    count, bar = len(bars.prices), int(run[START_BAR])
    settlement = day = flat = long = short = room_long = room_short = 0
    while bar < count and run[OVERFLOWS] == 0:
        if run[STEPS] == 0:
            event, flat = _next_event(wants.flat, flat, bar, count)
        elif run[STEPS] > 0:
            if is_full(run):
                event, long = _next_event(wants.long, long, bar, count)
            else:
                event, room_long = _next_event(wants.roomy_long, room_long, bar, count)
        elif is_full(run):
            event, short = _next_event(wants.short, short, bar, count)
        else:
            event, room_short = _next_event(wants.roomy_short, room_short, bar, count)
        event = min(event, max(bar, wake_of(run, count)), count - 1)
        busy = bar
        if not has_orders(run):
            settlement = place_from(charges.settle_bar, settlement, bar)
            day = place_from(charges.day_bars, day, bar)
            busy = next_busy(run, bars, charges, bar, event + 1, settlement, day)
            while busy <= event and _slides_at(run, bars, charges, busy, settlement):
                busy = next_busy(run, bars, charges, busy + 1, event + 1, settlement, day)
        bar = min(busy, event)
        reach_bar(run, bars, bar)
        if busy <= event:
            settlement = play_bar(run, bars, charges, bar, settlement)
        wishes = wishes_at(wants, bar, ANY_WISH)
        if is_event(run, wishes) or bar >= wake_of(run, count):
            decide_at(run, bars, wants, charges, bar, wishes)
        raise_peak(run, bars.prices[bar, CLOSE])
        settle(run, bars)
        bar += 1


@rule
def _slides_at(run: Run, bars: Bars, charges: Charges, bar: int, settlement: int) -> bool:
    """Let trailing stops follow a bar that does nothing else; return whether it is such a bar."""
    if run[IS_TRAILING] == 0 or run[HAS_CAPS] != 0:
        return False
    if settlement < len(charges.settle_bar) and charges.settle_bar[settlement] == bar:
        return False
    if not slides(run, bars.prices[bar, HIGH], bars.prices[bar, LOW]):
        return False
    raise_peak(run, bars.prices[bar, CLOSE])
    return True


@rule
def _next_event(events: I64_1D, place: int, bar: int, count: int) -> tuple[int, int]:
    """Return the first event from `bar` on, `count` if there is none, and its place."""
    place = place_from(events, place, bar)
    return (int(events[place]) if place < len(events) else count), place
