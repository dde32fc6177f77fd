"""How a run feeds its summary: which trades, in which order, and the worst mark of each.

Theory. A fill knows all that is summed of a trade but one thing: the extremes of the bars between
its entry's and its exit's, since what fills never looks at bars. So the facts of a trade wait in
the run until its bar has been played, and then the extremes are looked up, and only if they can
matter: blocks of bars that cover the trade bound them from outside, and a trade that could not
deepen the drawdown even there is done.

A stretch is the bars between two fills. Several trades that share one are marked together there
(`metrics.run_ups_and_drawdowns`). Two lots share it, and so do the parts in which one lot is closed
later; a lot that alone was held through a stretch knows of itself only at its first close, which
leaves a part or does not. Until then what the stretch says is kept for it.

Where more trades close in one bar than may wait, the run says OVERFLOWS, as for lots.
"""

import math

from engines.kernels._compiled import inlined, rule
from engines.kernels.columns import F64_2D, Bars, Run
from engines.kernels.machine.lots import NO_LOT, rows_of
from engines.kernels.rounding import qty_of
from engines.kernels.search import extremes, loose_extremes
from engines.kernels.slots import (
    BAR,
    CAPITAL,
    FEES_OPEN,
    FOUND,
    LAST_FILL_BAR,
    LONE_FALL,
    LONE_FALL_RATIO,
    LONE_LOT,
    LOT_BAR,
    LOT_HIGH,
    LOT_LOW,
    LOT_PRICE,
    LOT_STEPS,
    MONTH_BAR,
    NEXT_MONTH,
    OVERFLOWS,
    PATH_HIGH,
    PATH_LOW,
    PEER_FEES,
    PEER_LOT,
    PEER_PRICE,
    PEER_ROWS,
    PEER_STEPS,
    POINT_VALUE,
    PRICE_AVG,
    ROUND_BAR,
    SETTLED_PEAK,
    START_BAR,
    STEPS,
    STRETCH_LOT,
    STRETCH_SETTLED,
    STRETCH_START,
    STRETCH_STOP,
    STRETCH_UNIT,
    SUMS,
    WAIT,
    WAIT_ADVERSE,
    WAIT_BEFORE,
    WAIT_FEE,
    WAIT_FIRST_BAR,
    WAIT_LAST_BAR,
    WAIT_PEAK,
    WAIT_PNL,
    WAIT_PRICE,
    WAIT_UNIT,
    WAITS,
    WAITS_AT,
    WAITS_MAX,
)
from engines.kernels.summary import (
    BEFORE,
    BEFORE_PEAK,
    LIQUIDATIONS,
    NET_PROFIT,
    add_exposure,
    add_fall,
    add_open,
    add_result,
    begin_sums,
    deepen,
    end_month,
    finish,
    may_deepen,
)


@rule
def begin_tally(run: Run, bars: Bars) -> None:
    """Put the sums of a run into the state before its first bar."""
    begin_sums(run, SUMS, run[CAPITAL])
    run[SETTLED_PEAK] = run[CAPITAL]
    run[LAST_FILL_BAR] = -1.0
    run[NEXT_MONTH], run[MONTH_BAR] = 0.0, _month_bar(bars, 0)


@rule
def _month_bar(bars: Bars, place: int) -> float:
    return float(bars.months[place]) if place < len(bars.months) else math.inf


@rule
def reach_bar(run: Run, bars: Bars, bar: int) -> None:
    """End the months that are over when `bar` comes."""
    while bar >= run[MONTH_BAR]:
        end_month(run, SUMS)
        run[NEXT_MONTH] += 1
        run[MONTH_BAR] = _month_bar(bars, int(run[NEXT_MONTH]))


@rule
def reach_fill(run: Run, closing: float) -> None:
    """Note, ahead of a bar's first fill, which closes `closing` steps, the stretch that it ends."""
    if run[LAST_FILL_BAR] == run[BAR]:
        return
    settled = run[CAPITAL] + run[SUMS + NET_PROFIT]
    run[SETTLED_PEAK] = max(run[SETTLED_PEAK], settled)
    rows, lot = rows_of(run)
    if rows == 0:
        lot = int(run[PEER_LOT])
    rows += int(run[PEER_ROWS])
    is_shared = rows > 1 or 0 < closing < abs(run[STEPS])
    if is_shared or (rows == 1 and closing == 0):
        _note_stretch(run, settled, run[BAR], NO_LOT if is_shared else lot)
    run[LAST_FILL_BAR] = run[BAR]


@rule
def _note_stretch(run: Run, settled: float, stop: float, lot: int) -> None:
    """Note the bars from the last fill to `stop`, which `lot` may have been held through alone."""
    unit = qty_of(run, run[STEPS]) * run[POINT_VALUE]
    settled = settled - unit * run[PRICE_AVG] - run[FEES_OPEN]
    if run[PEER_STEPS] != 0:
        peer_unit = qty_of(run, run[PEER_STEPS]) * run[POINT_VALUE]
        settled -= peer_unit * run[PEER_PRICE] + run[PEER_FEES]
        unit += peer_unit
    run[STRETCH_START], run[STRETCH_STOP] = run[LAST_FILL_BAR] + 1, stop
    run[STRETCH_UNIT], run[STRETCH_LOT], run[STRETCH_SETTLED] = unit, lot, settled


@inlined
def sum_up(
    run: Run, lot: int, steps: float, price: float, pnl: float, entry_fee: float, exit_fee: float,
    funding: float,
) -> None:  # fmt: skip # one list
    """Add a trade that has closed at `price`: `steps` of a lot."""
    bars_held = run[BAR] - run[LOT_BAR + lot] + 1
    add_result(run, SUMS, pnl, entry_fee + exit_fee, funding, bars_held)
    _await(run, lot, steps, price, pnl, entry_fee)
    leaves_part = run[LOT_STEPS + lot] != 0
    if run[STRETCH_LOT] == lot:
        run[STRETCH_LOT] = NO_LOT
        if not leaves_part:
            run[STRETCH_STOP] = 0.0
    if run[LONE_LOT] == lot:
        run[LONE_LOT] = NO_LOT
        if leaves_part:
            deepen(run, SUMS, run[LONE_FALL], run[LONE_FALL_RATIO])


@rule
def count_liquidation(run: Run) -> None:
    """Count a trade that a liquidation has ended."""
    run[SUMS + LIQUIDATIONS] += 1


@rule
def sum_open(
    run: Run, lot: int, steps: float, price: float, pnl: float, entry_fee: float, funding: float
) -> None:
    """Add a trade that is still open at the end and would close at `price`."""
    add_open(run, SUMS, entry_fee, funding)
    _await(run, lot, steps, price, pnl, entry_fee)


@inlined
def _await(run: Run, lot: int, steps: float, price: float, pnl: float, entry_fee: float) -> None:
    """Let the facts of a trade wait until its bar is over."""
    if run[WAITS] == run[WAITS_MAX]:
        run[OVERFLOWS] = 1.0
        return
    sign = 1.0 if run[STEPS] > 0 else -1.0
    entry_bar, entry_price = run[LOT_BAR + lot], run[LOT_PRICE + lot]
    high, low = run[LOT_HIGH + lot], run[LOT_LOW + lot]
    if run[BAR] > entry_bar:
        high, low = max(high, run[PATH_HIGH]), min(low, run[PATH_LOW])
    row = int(run[WAITS_AT] + run[WAITS] * WAIT)
    run[WAITS] += 1
    run[row + WAIT_PEAK], run[row + WAIT_BEFORE] = run[SUMS + BEFORE_PEAK], run[SUMS + BEFORE]
    run[row + WAIT_PNL], run[row + WAIT_FEE] = pnl, entry_fee
    run[row + WAIT_UNIT] = sign * qty_of(run, steps) * run[POINT_VALUE]
    run[row + WAIT_PRICE] = entry_price
    against = max(sign * (entry_price - price), _adverse(sign, entry_price, high, low))
    run[row + WAIT_ADVERSE] = max(0.0, against)
    run[row + WAIT_FIRST_BAR], run[row + WAIT_LAST_BAR] = entry_bar, run[BAR]


@rule
def _adverse(sign: float, price: float, high: float, low: float) -> float:
    """Return how far a range reaches against an entry at `price`, below zero if it does not."""
    return price - low if sign > 0 else high - price


@rule
def settle(run: Run, bars: Bars) -> None:
    """Look up what the fills of this bar left open."""
    if run[WAITS] == 0 and run[STRETCH_STOP] == 0:
        return
    reach, count = bars.reach, len(bars.prices)
    for place in range(int(run[WAITS])):
        _settle_trade(run, reach, count, int(run[WAITS_AT]) + place * WAIT)
    run[WAITS] = 0.0
    if run[STRETCH_STOP] != 0:
        _settle_stretch(run, reach, count)
        run[STRETCH_STOP], run[STRETCH_LOT] = 0.0, NO_LOT


@inlined
def _settle_trade(run: Run, reach: F64_2D, count: int, row: int) -> None:
    sign, price, peak = run[row + WAIT_UNIT], run[row + WAIT_PRICE], run[row + WAIT_PEAK]
    start, stop = int(run[row + WAIT_FIRST_BAR]) + 1, int(run[row + WAIT_LAST_BAR])
    adverse = run[row + WAIT_ADVERSE]
    if stop > start:
        high, low = loose_extremes(reach, count, start, stop)
        bound = max(adverse, _adverse(sign, price, high, low))
        if bound > adverse and may_deepen(run, SUMS, peak, _worst(run, row, bound)):
            high, low = extremes(reach, count, start, stop)
            adverse = max(adverse, _adverse(sign, price, high, low))
    add_fall(run, SUMS, peak, _worst(run, row, adverse))


@rule
def _worst(run: Run, row: int, adverse: float) -> float:
    """Return the lowest equity in a trade; its own result counts too."""
    mae = adverse * abs(run[row + WAIT_UNIT]) + run[row + WAIT_FEE]
    return run[row + WAIT_BEFORE] - max(mae, -run[row + WAIT_PNL])


@rule
def _settle_stretch(run: Run, reach: F64_2D, count: int) -> None:
    """Add the worst mark of the stretch, or keep it for the lot that alone was held through it."""
    start, stop = int(run[STRETCH_START]), int(run[STRETCH_STOP])
    if stop <= start:
        return
    settled, unit, peak = run[STRETCH_SETTLED], run[STRETCH_UNIT], run[SETTLED_PEAK]
    high, low = loose_extremes(reach, count, start, stop)
    if not may_deepen(run, SUMS, peak, settled + min(unit * high, unit * low)):
        return
    high, low = extremes(reach, count, start, stop)
    fall = max(peak - (settled + min(unit * high, unit * low)), 0.0)
    if run[STRETCH_LOT] == NO_LOT:
        deepen(run, SUMS, fall, fall / peak)
        return
    if run[LONE_LOT] != run[STRETCH_LOT]:
        run[LONE_LOT] = run[STRETCH_LOT]
        run[LONE_FALL] = run[LONE_FALL_RATIO] = 0.0
    run[LONE_FALL] = max(run[LONE_FALL], fall)
    run[LONE_FALL_RATIO] = max(run[LONE_FALL_RATIO], fall / peak)


@rule
def reach_end(run: Run) -> None:
    """Note, at the last bar, the stretch that no fill ends; what is open is exposed to the end."""
    rows = rows_of(run)[0] + int(run[PEER_ROWS])
    if rows == 0:
        return
    if rows > 1:
        settled = run[CAPITAL] + run[SUMS + NET_PROFIT]
        run[SETTLED_PEAK] = max(run[SETTLED_PEAK], settled)
        _note_stretch(run, settled, run[BAR] + 1, NO_LOT)
    add_exposure(run, SUMS, run[ROUND_BAR], run[BAR])


@rule
def end_tally(run: Run, bars: Bars) -> None:
    """Settle what was open and end the months: the sums are whole."""
    settle(run, bars)
    reach_bar(run, bars, len(bars.prices))
    end_month(run, SUMS)


@rule
def write_summary(run: Run, bars: Bars) -> None:
    """Write the summary of a run that has ended."""
    traded = float(max(1, len(bars.prices) - run[START_BAR]))
    finish(run, SUMS, bars.days, traded, run, FOUND)
