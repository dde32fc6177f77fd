"""What a run does at one bar: play it, or decide at its close; and how long it need do neither."""

import math

from engines.kernels._compiled import rule
from engines.kernels.columns import Bars, Charges, Run, Wants
from engines.kernels.machine.calm import has_orders, is_untouched
from engines.kernels.machine.decisions import decide
from engines.kernels.machine.forced import check_limits, start_day
from engines.kernels.machine.lots import oldest_bar
from engines.kernels.machine.path import (
    arrive,
    close_bar,
    open_bar,
    pass_bar,
    pay_funding,
    start_bar,
)
from engines.kernels.money import equity_at
from engines.kernels.search import first_touch, place_from
from engines.kernels.slots import (
    BAR,
    BARS_HELD_MAX,
    CLOSE,
    DECISION_DAY,
    DOWN,
    ENTERS,
    GUARD_DOWN,
    GUARD_UP,
    HAS_CAPS,
    HIGH,
    IS_DUE,
    IS_MARKED,
    IS_TENDED,
    LOOK_DOWN,
    LOOK_UP,
    LOW,
    MARK_CLOSE,
    MARK_HIGH,
    MARK_LOW,
    MARK_OPEN,
    OPEN,
    OPEN_DAY,
    PATH_HIGH,
    PATH_LOW,
    SETTLES,
    SLIP_IMPACT,
    SLIP_NOW,
    SLIPS_BY_RATIO,
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
from engines.types import F64_1D


@rule
def next_busy(
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
def wake_of(run: Run, count: int) -> int:
    """Return the bar at whose close an entry times out, or the position must be seen to."""
    wake = float(count)
    if run[IS_DUE] != 0:
        return 0
    if run[STEPS] != 0 and run[BARS_HELD_MAX] < math.inf:
        wake = min(wake, oldest_bar(run) + run[BARS_HELD_MAX] - 1)
    return int(min(wake, run[TIMEOUT]))


@rule
def play_bar(run: Run, bars: Bars, charges: Charges, bar: int, settlement: int) -> int:
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
def wishes_at(wants: Wants, bar: int, among: int) -> int:
    """Return the wishes of the close of `bar` that are among these bits."""
    return int(wants.wishes[bar]) & among


@rule
def decide_at(run: Run, bars: Bars, wants: Wants, charges: Charges, bar: int, wishes: int) -> None:
    """Decide on wishes at the close of `bar`, and fill there if the plan says so."""
    close = bars.prices[bar, CLOSE]
    if wishes & ENTERS or run[IS_TENDED] != 0:
        _read(run, wants, charges, bar)
    decide(run, wishes, bar, close)
    if run[SETTLES] != 0:
        if run[BAR] != bar:  # It was quiet.
            start_bar(run, _stand(run, bars, charges, bar))
            run[PATH_HIGH], run[PATH_LOW] = bars.prices[bar, HIGH], bars.prices[bar, LOW]
        close_bar(run, close)


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
