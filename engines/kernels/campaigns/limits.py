"""Limits that end what a campaign holds: fills of a day, losses of a day, the largest drawdown.

Theory. The rules of `caps` and `forced`, as the machine has them, on the row of a set. A cap of the
day closes what is held and lets nothing in until the next trading day, the largest drawdown nothing
any more: HALTED_UNTIL is the first bar at whose close a wish may enter again. So nothing is held
while nothing is let in, and wishes are passed over until then.

Fills are counted as they come; the one that is the last of its day is closed where it fills. What
hangs on money are prices while nothing fills (`campaigns.guards`), so bars are searched for the
first that comes to one, as for a call of margin. Each trading day begins with what equity was at
the close before, each close beyond the peak raises it, and both move these prices. So searches stop
where a day begins; the best of the closes that one has passed raises the peak, and where the bars
come to what is allowed from there, they are gone through from the first beyond LOOK on. Equity at a
close while nothing is held counts as well: it is looked at when a campaign begins. A campaign whose
course is known may keep all limits for certain (`campaigns.kept`).

At the points of a bar's way the drawdown is judged first, then margin, then the loss of the day; on
the way between them a level of the drawdown is met behind orders at the same price. What is
realised is judged where nothing is held any more. After a close by the loss of a day the drawdown
would be judged by a later order that fills nothing: a set that has come so low then is unsure, as
is one whose equity is too near to a limit for the noise of these sums.
"""

import math

import numpy as np

from engines.kernels._compiled import apart, rule
from engines.kernels.campaigns.columns import (
    BARS,
    DAY_END,
    DRAWN_AT,
    GUARD,
    HALTED_UNTIL,
    HELD,
    IS_LIMITED,
    IS_NEW,
    IS_UNSURE,
    IS_WALKED,
    L_PRICE,
    LAG,
    LOOK,
    LOT_SIZE,
    LOTS_FROM,
    LOWEST,
    MONTH_NOW,
    NEAR_DOWN,
    NET_BEFORE,
    OVER,
    PAYS_END,
    UNIT,
    WORST,
)
from engines.kernels.campaigns.fills import fee_of_qty, pay_until
from engines.kernels.campaigns.gates import Closes, count_end
from engines.kernels.campaigns.guards import noise_of, set_guard
from engines.kernels.campaigns.margin import equity_held
from engines.kernels.campaigns.tally import close_lots
from engines.kernels.chains.columns import LINE, LONG, LONGEST, O_CLOSE, O_MONTH, O_OPEN, SHORT
from engines.kernels.chains.walk import lowest_of_few
from engines.kernels.columns import F64_2D, Run
from engines.kernels.money import due_price, settled, slipped_price
from engines.kernels.rounding import round_by
from engines.kernels.search import first_touch
from engines.kernels.slots import (
    BAR,
    CAPITAL,
    DAY_FILLS,
    DRAWDOWN_MAX,
    EQUITY_MIN,
    FILLS_MAX,
    FLOOR,
    LAST_FILL_BAR,
    LOSS_QUOTE_MAX,
    LOSS_RATIO_MAX,
    LOTS,
    PEAK,
    STEPS,
    TICK_SIZE,
)
from engines.types import F64_1D


@rule
def prepare_limits(run: Run) -> None:
    """Note whether a plan has any limit."""
    least = min(run[FILLS_MAX], run[LOSS_RATIO_MAX], run[LOSS_QUOTE_MAX])
    has_drawdown = run[DRAWDOWN_MAX] == run[DRAWDOWN_MAX]
    run[IS_LIMITED] = 1.0 if least < math.inf or has_drawdown else 0.0


@rule
def begin_limits(run: Run, asked: Closes) -> None:
    """Let nothing have been filled yet."""
    run[DAY_FILLS], run[DAY_END], run[HALTED_UNTIL] = 0.0, math.inf, -1.0
    if len(asked.next_day) > 0:
        run[DAY_END] = asked.first_day
    run[LOOK], run[DRAWN_AT], run[EQUITY_MIN] = math.inf, -math.inf, -math.inf
    run[PEAK], run[FLOOR] = run[CAPITAL], -math.inf
    if run[DRAWDOWN_MAX] == run[DRAWDOWN_MAX]:
        run[FLOOR] = run[CAPITAL] * (1 - run[DRAWDOWN_MAX])


@apart
def come_to_day(run: Run, lines: F64_1D, asked: Closes, bar: int) -> None:
    """Begin the trading days that have begun by the open of a bar, with the equity before it."""
    day = run[DAY_END]
    if bar < day:
        return
    if run[PAYS_END] != 0 and run[STEPS] != 0:
        pay_until(run, 2.0 * bar - 1.0)
    equity = equity_held(run, lines[bar * LINE + O_CLOSE])
    while day <= bar:
        day = float(asked.next_day[int(day)])
    run[DAY_END], run[DAY_FILLS], run[EQUITY_MIN] = day, 0.0, least_of_day(run, equity)
    if run[STEPS] != 0:
        set_guard(run, run[STEPS])


@rule
def least_of_day(run: Run, equity: float) -> float:
    """Return the equity at which the loss of a day is reached that begins with `equity`."""
    if equity <= 0:  # Nothing is left to protect by percent.
        return -math.inf
    return float(equity - min(run[LOSS_RATIO_MAX] * equity, run[LOSS_QUOTE_MAX]))


@apart
def come_flat(run: Run, lines: F64_1D, asked: Closes, bar: int) -> None:
    """Come with nothing held to the close of a bar, and to the open after it."""
    raise_peak(run, lines[(bar + 1) * LINE + O_CLOSE])
    come_to_day(run, lines, asked, bar + 1)


@rule
def raise_peak(run: Run, close: float) -> None:
    """Note the equity at a close, from which the largest drawdown counts."""
    if run[DRAWDOWN_MAX] == run[DRAWDOWN_MAX]:
        equity = equity_held(run, close)
        if equity > run[PEAK]:
            run[PEAK], run[FLOOR] = equity, equity * (1 - run[DRAWDOWN_MAX])
            if run[STEPS] != 0:
                set_guard(run, run[STEPS])


@apart
def pass_closes(
    run: Run, reach: F64_2D, asked: Closes, start: int, stop: int, down: float, side: float
) -> int:
    """Let the closes of the bars [start, stop), which meet nothing, raise the peak; return `stop`.

    Where the bars come to what the last peak allows, the first that may raise it is returned.
    """
    best = best_close(run, asked, start, stop, side)
    if best < run[LOOK]:
        return stop
    peak, floor, bars = run[PEAK], run[FLOOR], int(run[BARS])
    raise_peak(run, side * best)
    low, high = (run[GUARD], math.inf) if side > 0 else (-math.inf, -run[GUARD])
    if run[GUARD] <= down or first_touch(reach, bars, start, stop, low, high) == stop:
        return stop
    run[PEAK], run[FLOOR] = peak, floor
    set_guard(run, side)
    low, high = (down, run[LOOK]) if side > 0 else (-run[LOOK], -down)
    return first_touch(reach, bars, start, stop, low, high)


@rule
def best_close(run: Run, asked: Closes, start: int, stop: int, side: float) -> float:
    """Return the highest signed close of the bars [start, stop), of which there is one or more."""
    other, bars, low = np.uint64(SHORT if side > 0 else LONG), np.uint64(int(run[BARS])), math.inf
    while start < stop:
        end = min(stop, start + LONGEST - 1)
        low = min(low, lowest_of_few(asked.lowest, bars, np.uint64(start), np.uint64(end), other))
        start = end
    return -low


@rule
def count_fill(run: Run) -> bool:
    """Count a fill; return whether it is the last one of its day."""
    run[DAY_FILLS] += 1
    if run[DAY_FILLS] < run[FILLS_MAX]:
        return False
    _halt(run)
    return True


@rule
def _halt(run: Run) -> None:
    """Let nothing in until the next trading day."""
    run[HALTED_UNTIL] = max(run[HALTED_UNTIL], run[DAY_END])


@rule
def _doubt(run: Run, equity: float, limit: float) -> None:
    if abs(equity - limit) <= noise_of(run):
        run[IS_UNSURE] = 1.0


@rule
def judge_flat(run: Run) -> None:
    """Judge what has been realised, if nothing is held any more."""
    if run[STEPS] != 0:
        return
    owned = settled(run)
    _doubt(run, owned, run[EQUITY_MIN])
    _doubt(run, owned, run[FLOOR])
    if owned <= run[EQUITY_MIN]:
        _halt(run)
    if owned <= run[FLOOR]:
        run[HALTED_UNTIL] = math.inf


@apart
def heed_fill(run: Run) -> None:
    """Count the fill that has closed all there was, and judge what it has realised."""
    count_fill(run)
    judge_flat(run)


@apart
def heed_entry(run: Run, lines: F64_1D, reach: F64_2D, asked: Closes, side: float) -> None:
    """Count the fill of an entry at an open; the last one of its day closes all where it fills."""
    if not count_fill(run):
        return
    lot, bar = LOTS_FROM + (int(run[LOTS]) - 1) * LOT_SIZE, int(run[BAR])
    price = run[lot + L_PRICE]
    if run[LOTS] == 1:
        run[IS_NEW], run[IS_WALKED] = 0.0, 1.0
        run[OVER], run[WORST] = bar - run[LAG], side * price
        run[MONTH_NOW] = lines[bar * LINE + O_MONTH]
    force_close(run, reach, side, price, False)
    count_end(run, asked, run[NET_BEFORE])
    judge_flat(run)


@apart
def force_close(run: Run, reach: F64_2D, side: float, price: float, slips: bool) -> None:
    """Close all that is held at a price, without an order."""
    run[LOWEST], run[LAST_FILL_BAR] = min(run[LOWEST], run[WORST]), run[OVER]
    price = due_price(run, price)
    if slips:
        price = slipped_price(run, price, -side, 0.0)
    held = abs(run[STEPS])
    paid = fee_of_qty(run, abs(run[HELD]), price)
    close_lots(run, reach, side, price, paid * held / held)


@rule
def is_drawn(run: Run, price: float) -> bool:
    """Return whether a signed price is at the level of the largest drawdown or beyond."""
    if abs(price - run[DRAWN_AT]) * abs(run[UNIT]) <= noise_of(run):
        run[IS_UNSURE] = 1.0
    return bool(price <= run[DRAWN_AT])


@rule
def is_drawn_at(run: Run, lines: F64_1D, line: int, side: float) -> bool:
    """Return whether the largest drawdown ends a position ahead of what fills at an open."""
    return run[IS_LIMITED] != 0 and is_drawn(run, side * lines[line * LINE + O_OPEN])


@apart
def end_trading(run: Run, reach: F64_2D, side: float, price: float) -> None:
    """Close all that is held at the tick of a signed price or the next one against it, for good."""
    run[HALTED_UNTIL] = math.inf
    force_close(run, reach, side, round_by(run, side * price, -side), True)


@apart
def judge_loss(run: Run, reach: F64_2D, side: float, price: float) -> None:
    """Close all that is held at a signed price if the loss of the day is reached there.

    Margin has been called, so nothing may be held any more.
    """
    equity = equity_held(run, side * price)
    _doubt(run, equity, run[EQUITY_MIN])
    if equity <= run[EQUITY_MIN]:
        _halt(run)
        if run[STEPS] != 0:
            force_close(run, reach, side, side * price, True)
    if run[STEPS] == 0 and settled(run) <= run[FLOOR] + noise_of(run):
        run[IS_UNSURE] = 1.0


@rule
def doubt_level(run: Run, target: float) -> None:
    """Doubt a level of the drawdown that is as good as a tick, where an order is, or a `target`."""
    level, noise = run[DRAWN_AT], noise_of(run) / abs(run[UNIT])
    ticks = level / run[TICK_SIZE]
    beside = abs(ticks - float(np.floor(ticks + 0.5))) * run[TICK_SIZE]
    if min(beside, abs(level - run[NEAR_DOWN]), abs(level - target)) <= noise:
        run[IS_UNSURE] = 1.0
