"""One run of one parameter set: from bar to bar at which something can happen."""

import math

from engines.kernels._compiled import rule
from engines.kernels.beginning import begin
from engines.kernels.calm import has_orders, is_untouched, slides
from engines.kernels.columns import Bars, Charges, Run, Wants
from engines.kernels.decisions import decide, is_event, is_full
from engines.kernels.fills import part_of_lot
from engines.kernels.forced import check_limits, start_day
from engines.kernels.guards import raise_peak
from engines.kernels.lots import lot_at, oldest_bar
from engines.kernels.money import equity_at, fee
from engines.kernels.path import (
    arrive,
    close_bar,
    open_bar,
    pass_bar,
    pay_funding,
    start_bar,
)
from engines.kernels.search import first_touch, place_from
from engines.kernels.slots import (
    BAR,
    BARS_HELD_MAX,
    CLOSE,
    DECISION_DAY,
    DOWN,
    END_OF_DATA,
    ENTERS,
    FEES_OPEN,
    FUNDING_OPEN,
    GUARD_DOWN,
    GUARD_UP,
    HAS_CAPS,
    HIGH,
    IS_DUE,
    IS_MARKED,
    IS_TENDED,
    IS_TRAILING,
    LOOK_DOWN,
    LOOK_UP,
    LOT_STEPS,
    LOTS,
    LOW,
    MARK_CLOSE,
    MARK_HIGH,
    MARK_LOW,
    MARK_OPEN,
    NET,
    OPEN,
    OPEN_DAY,
    OVERFLOWS,
    PATH_HIGH,
    PATH_LOW,
    SETTLES,
    SLIP_IMPACT,
    SLIP_NOW,
    SLIPS_BY_RATIO,
    START_BAR,
    STEPS,
    TIMEOUT,
    TRAIL_DOWN,
    TRAIL_UP,
    UP,
    VOLUME_NOW,
    WISH_ATR,
    WISH_ATR_RATIO,
    WISH_PROFIT,
    WISH_SHARE,
    WISH_SIZE,
    WISH_SLIP,
    WISH_STOP,
)
from engines.kernels.tally import (
    begin_tally,
    end_tally,
    reach_bar,
    reach_end,
    settle,
    sum_open,
    write_summary,
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
    trade(run, bars, wants, charges)
    end(run, bars)


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
        event = min(event, max(bar, _wake(run, count)), count - 1)
        busy = bar
        if not has_orders(run):
            settlement = place_from(charges.settle_bar, settlement, bar)
            day = place_from(charges.day_bars, day, bar)
            busy = _next_busy(run, bars, charges, bar, event + 1, settlement, day)
            while busy <= event and _slides_at(run, bars, charges, busy, settlement):
                busy = _next_busy(run, bars, charges, busy + 1, event + 1, settlement, day)
        bar = min(busy, event)
        reach_bar(run, bars, bar)
        if busy <= event:
            settlement = _play(run, bars, charges, bar, settlement)
        if is_event(run, wants.wishes[bar]) or bar >= _wake(run, count):
            _decide_at(run, bars, wants, charges, bar)
        raise_peak(run, bars.prices[bar, CLOSE])
        settle(run, bars)
        bar += 1


@rule
def _next_busy(
    run: Run, bars: Bars, charges: Charges, bar: int, stop: int, settlement: int, day: int
) -> int:
    """Return the first bar of [bar, stop) that has to be played, else `stop`.

    `settlement` and `day` are the places of the next ones from `bar` on.
    """
    if run[STEPS] != 0 and settlement < len(charges.settle_bar):
        stop = min(stop, charges.settle_bar[settlement])
    if run[HAS_CAPS] != 0 and day < len(charges.day_bars):
        stop = min(stop, charges.day_bars[day])
    down = max(run[DOWN], run[TRAIL_DOWN], run[GUARD_DOWN], run[LOOK_DOWN])
    up = min(run[UP], run[TRAIL_UP], run[GUARD_UP], run[LOOK_UP])
    return first_touch(bars.watched, len(bars.prices), bar, stop, down, up)


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
def _decide_at(run: Run, bars: Bars, wants: Wants, charges: Charges, bar: int) -> None:
    """Decide at the close of `bar`, and fill there if the plan says so."""
    wishes, close = wants.wishes[bar], bars.prices[bar, CLOSE]
    if wishes & ENTERS or run[IS_TENDED] != 0:
        _read(run, wants, charges, bar)
    decide(run, wishes, bar, close)
    if run[SETTLES] != 0:
        if run[BAR] != bar:  # It was quiet.
            start_bar(run, _stand(run, bars, charges, bar))
            run[PATH_HIGH], run[PATH_LOW] = bars.prices[bar, HIGH], bars.prices[bar, LOW]
        close_bar(run, close)


@rule
def _next_event(events: I64_1D, place: int, bar: int, count: int) -> tuple[int, int]:
    """Return the first event from `bar` on, `count` if there is none, and its place."""
    place = place_from(events, place, bar)
    return (int(events[place]) if place < len(events) else count), place


@rule
def _stand(run: Run, bars: Bars, charges: Charges, bar: int) -> float:
    """Stand at the open of a bar and know what holds in it; return the close before."""
    before = max(0, bar - 1)
    arrive(run, bar, bars.prices[bar, OPEN])
    if run[SLIPS_BY_RATIO] != 0:
        run[SLIP_NOW] = charges.slip_ratio[before]
        if run[SLIP_IMPACT] != 0:
            run[VOLUME_NOW] = charges.volume[before]
    if len(charges.open_day) > 0:
        run[OPEN_DAY] = charges.open_day[bar]
    if run[IS_MARKED] != 0:
        run[MARK_OPEN], run[MARK_CLOSE] = bars.marks[bar, OPEN], bars.marks[bar, CLOSE]
        run[MARK_HIGH], run[MARK_LOW] = bars.marks[bar, HIGH], bars.marks[bar, LOW]
    return float(bars.prices[before, CLOSE])


@rule
def _play(run: Run, bars: Bars, charges: Charges, bar: int, settlement: int) -> int:
    """Let the market move through one bar; return the place of the next settlement."""
    prices, close_before = bars.prices, _stand(run, bars, charges, bar)
    is_dated = run[HAS_CAPS] != 0 and len(charges.open_day) > 0
    if is_dated and (bar == 0 or charges.open_day[bar] != charges.open_day[bar - 1]):
        start_day(run, equity_at(run, close_before))
    if charges.settles != 0:
        settlement = _settle(run, charges, bar, settlement, 1)
    if not has_orders(run) and is_untouched(run, prices[bar, HIGH], prices[bar, LOW]):
        start_bar(run, close_before)
    else:
        open_bar(run, close_before)
    if charges.settles != 0:
        settlement = _settle(run, charges, bar, settlement, 0)
        check_limits(run)
    pass_bar(run, prices[bar, OPEN], prices[bar, HIGH], prices[bar, LOW], prices[bar, CLOSE])
    return settlement


@rule
def _settle(run: Run, charges: Charges, bar: int, place: int, is_before: int) -> int:
    """Settle what falls before or after the fills of this bar's open; return the next place."""
    place = place_from(charges.settle_bar, place, bar)
    while (
        place < len(charges.settle_bar)
        and charges.settle_bar[place] == bar
        and charges.is_before[place] == is_before
    ):
        pay_funding(run, place, charges.settle_price[place], charges.settle_rate[place])
        place += 1
    return place


@rule
def _read(run: Run, wants: Wants, charges: Charges, bar: int) -> None:
    """Put what this close says of an entry into the run."""
    run[WISH_STOP] = at(wants.stop_price, bar, math.nan)
    run[WISH_PROFIT] = at(wants.target_price, bar, math.nan)
    run[WISH_SIZE] = at(wants.size, bar, math.nan)
    run[WISH_SHARE] = at(wants.equity_ratio, bar, math.nan)
    run[WISH_ATR] = at(wants.atr, bar, math.nan)
    run[WISH_ATR_RATIO] = at(wants.atr_ratio, bar, math.nan)
    run[WISH_SLIP] = at(charges.slip_ratio, bar, 0.0)
    if len(charges.close_day) > 0:
        run[DECISION_DAY] = charges.close_day[bar]


@rule
def at(column: F64_1D, bar: int, missing: float) -> float:
    """Return the value of a column, `missing` where the column is not given."""
    return float(column[bar]) if len(column) > 0 else missing


@rule
def _wake(run: Run, count: int) -> int:
    """Return the bar at whose close an entry times out, or the position must be seen to."""
    wake = float(count)
    if run[IS_DUE] != 0:
        return 0
    if run[STEPS] != 0 and run[BARS_HELD_MAX] < math.inf:
        wake = min(wake, oldest_bar(run) + run[BARS_HELD_MAX] - 1)
    return int(min(wake, run[TIMEOUT]))


@rule
def end(run: Run, bars: Bars) -> None:
    """Note what is still open as trades valued at the close of the last bar; end the sums."""
    last = len(bars.prices) - 1
    close = bars.prices[last, CLOSE]
    if run[STEPS] != 0:
        if run[BAR] != last:
            run[BAR] = last
            run[PATH_HIGH], run[PATH_LOW] = bars.prices[last, HIGH], bars.prices[last, LOW]
        reach_end(run)
    net, fees, funding = run[NET], run[FEES_OPEN], run[FUNDING_OPEN]
    for place in range(int(run[LOTS])):
        lot = lot_at(run, place)
        steps = run[LOT_STEPS + lot]
        if steps != 0:
            paid = fee(run, steps, close)
            pnl, fee_in, owed = part_of_lot(
                run, lot, steps, paid, close, 0.0, END_OF_DATA, END_OF_DATA
            )
            sum_open(run, lot, steps, close, pnl, fee_in, owed)
    run[NET], run[FEES_OPEN], run[FUNDING_OPEN] = net, fees, funding
    end_tally(run, bars)
