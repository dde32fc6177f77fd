"""What the fills of campaigns add to the sums of a set: `tally` without looking at most bars.

Theory. How far equity fell inside bars takes the extremes of the bars between fills, which only
matter where they may deepen the deepest fall so far. A campaign knows a price that it has not gone
below, the lowest of what waited for it, and most are done with that bound; only beyond it bars are
looked at. A stretch of bars between two fills is marked for all lots together if there are several;
one lot always closes whole, so no stretch has to be kept for it.

The sums are those of `summary`, but that squares are of differences from the first result, which
asks for no division a trade, and that a month's result is the difference of two nets.
"""

import math

from engines.kernels import summary as of
from engines.kernels._compiled import apart, rule
from engines.kernels.campaigns.columns import (
    BARS,
    COST,
    DIFFERENCES,
    ENTRY_BAR,
    FIRST_PNL,
    HELD,
    IS_MOVING,
    IS_WALKED,
    L_BAR,
    L_FEE,
    L_FUNDING,
    L_PRICE,
    L_STEPS,
    L_UNIT,
    L_WORST,
    LAG,
    LOT_SIZE,
    LOTS_FROM,
    LOWEST,
    MONTH_NET,
    MONTH_NOW,
    NEAR_DOWN,
    OVER,
    SQUARES,
    UNIT,
    WORST,
)
from engines.kernels.campaigns.kelly import weigh
from engines.kernels.campaigns.margin import judge_cover
from engines.kernels.columns import F64_2D, Run
from engines.kernels.money import fee
from engines.kernels.search import extremes
from engines.kernels.slots import (
    AT_MARKET,
    BAR,
    CALLS_MARGIN,
    CAPITAL,
    ENTRY_KIND,
    FEES_OPEN,
    FUNDING_OPEN,
    LAST_FILL_BAR,
    LIFO,
    LOT_ORDER,
    LOTS,
    NET,
    NEXT_MONTH,
    PRICE_AVG,
    RUNGS,
    SETTLED_PEAK,
    STEPS,
    SUMS,
)
from engines.kernels.summary import add_exposure, add_fall, add_open, begin_sums, deepen, end_month

NEARLY = 1 + 1e-15  # what a ratio may lose where it is compared by a product
(
    NET_PROFIT, TRADES, WINS, GAINS, LOSSES, FEES, FUNDING, BARS_HELD, PNL_MAX, PNL_MIN, STREAK,
    STREAK_MAX, CLOSED_PEAK, CLOSED_FALL, BEFORE, BEFORE_PEAK, FALL_MAX, FALL_RATIO,
) = (
    SUMS + place
    for place in (
        of.NET_PROFIT, of.TRADES, of.WINS, of.GAINS, of.LOSSES, of.FEES, of.FUNDING, of.BARS_HELD,
        of.PNL_MAX, of.PNL_MIN, of.LOSSES_IN_A_ROW, of.LOSSES_IN_A_ROW_MAX, of.CLOSED_PEAK,
        of.CLOSED_FALL_MAX, of.BEFORE, of.BEFORE_PEAK, of.FALL_MAX, of.FALL_RATIO_MAX,
    )
)  # fmt: skip # names and places in the same order


@rule
def begin_tally(run: Run) -> None:
    """Put the sums of a set into the state before its first bar."""
    begin_sums(run, SUMS, run[CAPITAL])
    run[FIRST_PNL] = run[DIFFERENCES] = run[SQUARES] = run[MONTH_NET] = run[NEXT_MONTH] = 0.0
    run[SETTLED_PEAK] = run[CAPITAL]
    run[LAST_FILL_BAR] = -1.0


@rule
def may_deepen(run: Run, peak: float, worst: float) -> bool:
    """Return whether a mark of equity as low as `worst` after `peak` may be the deepest so far."""
    fall = (peak - worst) * NEARLY
    return fall > run[FALL_MAX] or fall > run[FALL_RATIO] * peak


@rule
def mark_stretch(run: Run, reach: F64_2D, stop: int) -> None:
    """Mark the bars from the last fill to `stop`, if several lots were held through them."""
    settled = run[CAPITAL] + run[NET]
    peak = max(run[SETTLED_PEAK], settled)
    run[SETTLED_PEAK] = peak
    start, unit = int(run[LAST_FILL_BAR]) + 1, run[UNIT]
    if run[LOTS] < 2 or stop <= start:
        return
    held = settled - unit * run[PRICE_AVG] - run[FEES_OPEN]
    # Beside an order that waits, or as a stop moves, what is nearest may have changed since.
    is_still = run[ENTRY_KIND] == AT_MARKET and run[IS_MOVING] == 0
    bound = run[NEAR_DOWN] if is_still else min(run[LOWEST], run[NEAR_DOWN])
    if may_deepen(run, peak, held + abs(unit) * bound):
        mark_bars(run, reach, start, stop, held, unit)


@apart
def mark_bars(run: Run, reach: F64_2D, start: int, stop: int, held: float, unit: float) -> None:
    """Mark equity at the worst of bars through which `unit` was held, beside `held` of money."""
    peak = run[SETTLED_PEAK]
    high, low = extremes(reach, int(run[BARS]), start, stop)
    fall = max(peak - (held + min(unit * high, unit * low)), 0.0)
    deepen(run, SUMS, fall, fall / peak)


@rule
def close_lots(run: Run, reach: F64_2D, side: float, price: float, paid: float) -> None:
    """Close all that is held on `side` at `price`, paying `paid` for it."""
    look_back(run, reach, side)
    held = abs(run[STEPS])
    last, is_last_first = int(run[LOTS]) - 1, run[LOT_ORDER] == LIFO
    for number in range(last + 1):
        lot = LOTS_FROM + (last - number if is_last_first else number) * LOT_SIZE
        share = paid * run[lot + L_STEPS] / held
        pnl, entry_fee, funding = _result(run, lot, side, price, share)
        add_trade(run, lot, pnl, entry_fee + share, funding)
        weigh(run, lot, run[lot + L_STEPS], pnl, entry_fee)
        mark_lot(run, reach, lot, side, price, run[lot + L_UNIT], pnl, entry_fee)
    end_position(run)


@rule
def end_position(run: Run) -> None:
    """Hold nothing any more."""
    add_exposure(run, SUMS, run[ENTRY_BAR], run[BAR])
    run[STEPS] = run[LOTS] = run[HELD] = run[FEES_OPEN] = run[FUNDING_OPEN] = 0.0
    run[PRICE_AVG] = run[COST] = 0.0


@rule
def _result(
    run: Run, lot: int, side: float, price: float, share: float
) -> tuple[float, float, float]:
    """Return the result of a lot, its entry fee and its funding."""
    steps, funding = run[lot + L_STEPS], run[lot + L_FUNDING]
    entry_fee = run[lot + L_FEE] * steps / steps
    if funding != 0:
        funding = funding * steps / steps
    gross = side * (price - run[lot + L_PRICE]) * run[lot + L_UNIT]
    return gross - entry_fee - share - funding, entry_fee, funding


@rule
def add_trade(run: Run, lot: int, pnl: float, fees: float, funding: float) -> None:
    """Add a trade that has closed: a lot, or a part of it."""
    run[NET] += pnl
    run[FEES] += fees
    run[FUNDING] += funding
    run[BARS_HELD] += run[BAR] - run[lot + L_BAR] + 1
    if run[TRADES] == 0:
        run[FIRST_PNL] = pnl
    difference = pnl - run[FIRST_PNL]
    run[DIFFERENCES] += difference
    run[SQUARES] += difference * difference
    run[TRADES] += 1
    run[WINS] += 1.0 if pnl > 0 else 0.0
    run[GAINS] += max(pnl, 0.0)
    run[LOSSES] -= min(pnl, 0.0)
    run[PNL_MAX], run[PNL_MIN] = max(run[PNL_MAX], pnl), min(run[PNL_MIN], pnl)
    streak = run[STREAK] + 1.0 if pnl < 0 else 0.0
    run[STREAK], run[STREAK_MAX] = streak, max(run[STREAK_MAX], streak)
    closed = run[CAPITAL] + run[NET]
    run[CLOSED_PEAK] = max(run[CLOSED_PEAK], closed)
    run[CLOSED_FALL] = max(run[CLOSED_FALL], run[CLOSED_PEAK] - closed)
    run[BEFORE] = run[CAPITAL] + (run[NET] - pnl)
    run[BEFORE_PEAK] = max(run[BEFORE_PEAK], run[BEFORE])


@apart
def _end_months(run: Run, month: float) -> None:
    """End the months before this one."""
    while run[NEXT_MONTH] < month:
        run[SUMS + of.MONTH_PNL] = run[NET] - run[MONTH_NET]
        run[MONTH_NET] = run[NET]
        end_month(run, SUMS)
        run[NEXT_MONTH] += 1


@rule
def look_back(run: Run, reach: F64_2D, side: float) -> None:
    """Look at what has been ahead of trades that close: the months that are over, how low it went.

    Near to a liquidation the set is unsure.
    """
    if run[NEXT_MONTH] < run[MONTH_NOW]:
        _end_months(run, run[MONTH_NOW])
    find_lowest(run, reach, side, int(run[OVER]), run[WORST])
    if run[CALLS_MARGIN] == 0:
        judge_cover(run, side, run[LOWEST], 0.0)


@apart
def find_lowest(run: Run, reach: F64_2D, side: float, stop: int, worst: float) -> None:
    """Look up how low the campaign has gone ahead of a bar, if nothing that waits has told it."""
    if run[LOWEST] == -math.inf:
        high, low = extremes(reach, int(run[BARS]), int(run[ENTRY_BAR]), stop)
        run[LOWEST] = min(low if side > 0 else -high, worst)


@rule
def mark_lot(
    run: Run, reach: F64_2D, lot: int, side: float, price: float, unit: float, pnl: float,
    entry_fee: float,
) -> None:  # fmt: skip # one list
    """Mark equity at the worst of a trade, which is looked up only where it may be the deepest."""
    base = side * run[lot + L_PRICE]
    adverse = max(0.0, base - min(run[LOWEST], side * price))
    worst = run[BEFORE] - max(adverse * unit + entry_fee, -pnl)
    if may_deepen(run, run[BEFORE_PEAK], worst):
        adverse = max(0.0, base - min(side * price, _lowest_of(run, reach, lot, side)))
        worst = run[BEFORE] - max(adverse * unit + entry_fee, -pnl)
        add_fall(run, SUMS, run[BEFORE_PEAK], worst)


@apart
def _lowest_of(run: Run, reach: F64_2D, lot: int, side: float) -> float:
    """Return the lowest signed price of a lot's bars: of the first and the last what counts."""
    worst, start, stop = run[lot + L_WORST], int(run[lot + L_BAR] - run[LAG]), int(run[OVER])
    # A first bar that was not walked met nothing behind the fill: all of it counts.
    is_whole = run[lot + L_BAR] == run[ENTRY_BAR] and run[IS_WALKED] == 0
    is_whole |= run[RUNGS] == 0 and stop > start
    if stop > start or is_whole:
        first = start if is_whole else start + 1
        high, low = extremes(reach, int(run[BARS]), first, stop)
        worst = min(worst, run[WORST], low if side > 0 else -high)
    return worst


@rule
def end_open(run: Run, reach: F64_2D, side: float, close: float) -> None:
    """Note what is still open at the close of the last bar, valued there."""
    mark_stretch(run, reach, int(run[BARS] - run[LAG]))
    look_back(run, reach, side)
    for place in range(int(run[LOTS])):
        lot = LOTS_FROM + place * LOT_SIZE
        share = fee(run, run[lot + L_STEPS], close)
        if run[RUNGS] == 0 and run[lot + L_BAR] == run[BAR]:
            run[lot + L_WORST] = min(run[lot + L_WORST], run[WORST])
        pnl, entry_fee, funding = _result(run, lot, side, close, share)
        run[NET_PROFIT] = run[NET]
        add_open(run, SUMS, entry_fee, funding)
        mark_lot(run, reach, lot, side, close, run[lot + L_UNIT], pnl, entry_fee)
    add_exposure(run, SUMS, run[ENTRY_BAR], run[BAR])


@rule
def end_tally(run: Run, months: int) -> None:
    """End all months of a set and put its sums into the form of `summary`."""
    _end_months(run, float(months))
    trades, net = run[TRADES], run[NET]
    run[NET_PROFIT] = net
    if trades > 0:
        mean = run[DIFFERENCES] / trades
        run[SUMS + of.PNL_MEAN] = run[FIRST_PNL] + mean
        run[SUMS + of.PNL_SQUARES] = max(0.0, run[SQUARES] - run[DIFFERENCES] * mean)
