"""What a close decides: `signal_orders` and the desk's entry."""

import math

from engines.kernels._compiled import inlined, rule
from engines.kernels.columns import Run
from engines.kernels.machine.book import refresh_book, rest, set_levels_of_entry
from engines.kernels.machine.desk import is_large_enough, price_if_now, set_level
from engines.kernels.machine.gates import count_entry, passes_gates
from engines.kernels.machine.lots import oldest_bar
from engines.kernels.machine.rounds import kelly_share
from engines.kernels.machine.rungs import drop_rungs, other_campaign, put_rungs, steps_of, tend
from engines.kernels.money import (
    equity_at,
    fee,
    lacks_funds,
    money_for,
    pnl_open,
    share_of_equity,
    steps_for,
)
from engines.kernels.rounding import steps_down
from engines.kernels.slots import (
    AFTER_CAP,
    AT_A_LOSS,
    AT_MARKET,
    AT_STOP,
    BARS_HELD_MAX,
    BUDGET_RATIO,
    BY_KELLY,
    BY_RISK,
    BY_VOLATILITY,
    CANNOT_PAY,
    CLOSE_REASON,
    CLOSES_ONLY,
    ENTERS_LONG,
    ENTERS_SHORT,
    ENTRIES,
    ENTRY_KIND,
    ENTRY_OFFSET,
    FEES_OPEN,
    FIRST_ORDER,
    FIRST_WORDS,
    FUNDING_OPEN,
    IS_DUE,
    IS_HALTED,
    IS_TENDED,
    KIND_OF_ENTRY,
    LACKS_ATR,
    LEAVES_LONG,
    LEAVES_SHORT,
    LIVES,
    NEEDS_REFERENCE,
    NO_REASON,
    NO_SIZE,
    ONLY_IN_PROFIT,
    ORDER_MONEY,
    OWN_STEPS,
    PROFIT_ATR,
    ROOM,
    RUNGS,
    SAID_ATR,
    SAID_BAR,
    SAID_CLOSE,
    SAID_LATE,
    SAID_PROFIT,
    SAID_STOP,
    SESSION_CANCELLED,
    SESSION_CLOSE,
    SESSION_ENDS,
    SIDE,
    SIGNAL,
    SIZING_KIND,
    SMALL_LADDER,
    STEPS,
    STOP_ATR,
    STOP_RATIO,
    TIME_EXIT,
    TIMED_OUT,
    TIMEOUT,
    TIMEOUT_BARS,
    WEEKEND_BEGINS,
    WEEKEND_CLOSE,
    WISH_ATR,
    WISH_ATR_RATIO,
    WISH_PROFIT,
    WISH_SHARE,
    WISH_SIZE,
    WISH_STOP,
    WORDS,
    WOULD_WAIT,
)

STEPS_MAX = 2.0**50  # whole numbers are exact in float64 well beyond


@rule
def is_event(run: Run, wishes: int) -> bool:
    """Return whether one of these wishes can matter to what is held."""
    matters = SESSION_ENDS | WEEKEND_BEGINS
    if run[STEPS] == 0 or not is_full(run):
        matters |= ENTERS_LONG | ENTERS_SHORT
    if run[STEPS] > 0:
        matters |= ENTERS_SHORT | LEAVES_LONG
    elif run[STEPS] < 0:
        matters |= ENTERS_LONG | LEAVES_SHORT
    return wishes & matters != 0


@rule
def is_full(run: Run) -> bool:
    """Return whether the position takes no further entry of its side; a ladder takes none."""
    return run[RUNGS] > 0 or run[ENTRIES] >= run[ROOM]


@rule
def decide(run: Run, wishes: int, bar: int, close: float) -> None:
    """Issue what is wished for at the close of `bar`; what an entry says is in the run already."""
    run[IS_DUE] = 0.0
    if bar >= run[TIMEOUT]:
        _withdraw(run, TIMED_OUT)
    if run[STEPS] != 0:
        run[CLOSE_REASON] = _reason_to_close(run, wishes, bar, close)
        if run[CLOSE_REASON] != NO_REASON:
            _withdraw(run, 0)
        elif run[IS_TENDED] != 0:
            tend(run, close)
    elif wishes & (SESSION_ENDS | WEEKEND_BEGINS):
        _withdraw(run, SESSION_CANCELLED)
    if wishes & ENTERS_LONG:
        _enter(run, bar, close, 1.0)
    elif wishes & ENTERS_SHORT:
        _enter(run, bar, close, -1.0)


@rule
def _withdraw(run: Run, refusal: int) -> None:
    """Cancel the entry that waits, and count it under `refusal` unless that is 0."""
    run[TIMEOUT] = math.inf
    if run[LIVES + FIRST_ORDER] != 0:
        run[LIVES + FIRST_ORDER] = 0.0
        drop_rungs(run, int(run[WORDS + FIRST_ORDER]))
        refresh_book(run)
        if refusal != 0:
            run[refusal] += 1


@rule
def _reason_to_close(run: Run, wishes: int, bar: int, close: float) -> float:
    """Return why the position must be closed, NO_REASON if it need not be."""
    if wishes & SESSION_ENDS:
        return SESSION_CLOSE
    if wishes & WEEKEND_BEGINS:
        return WEEKEND_CLOSE
    if run[BARS_HELD_MAX] < math.inf and bar >= oldest_bar(run) + run[BARS_HELD_MAX] - 1:
        return TIME_EXIT
    leaves = LEAVES_LONG if run[STEPS] > 0 else LEAVES_SHORT
    if wishes & leaves and _may_close(run, close):
        return SIGNAL
    return NO_REASON


@rule
def _may_close(run: Run, close: float) -> bool:
    """Return whether the plan lets a wish close the position at this close."""
    if run[ONLY_IN_PROFIT] == 0:
        return True
    paid = fee(run, abs(run[STEPS]), close)
    return pnl_open(run, close) - run[FEES_OPEN] - run[FUNDING_OPEN] - paid > 0


@rule
def _enter(run: Run, bar: int, close: float, side: float) -> None:
    """Turn an entry wish into the order that waits for the next open, unless a rule forbids it."""
    expected = 0.0 if run[CLOSE_REASON] != NO_REASON else run[STEPS]
    if expected * side > 0 and is_full(run):
        return
    share, size = math.nan, run[WISH_SIZE]
    if size != size:  # NaN
        share = share_at(run, close)
    if expected * side < 0 and run[ONLY_IN_PROFIT] != 0 and run[ENTRY_KIND] != AT_MARKET:
        run[WOULD_WAIT] += 1
    elif expected * side < 0 and not _may_close(run, close):
        run[AT_A_LOSS] += 1
    elif _lacks_atr(run):
        run[LACKS_ATR] += 1
    elif share <= 0:
        run[NO_SIZE] += 1
    elif passes_gates(run, bar):
        _withdraw(run, 0)
        _place(run, bar, close, side, share, size)


@rule
def _place(run: Run, bar: int, close: float, side: float, share: float, size: float) -> None:
    """Size the entry of this close and let it wait, its rungs beside it."""
    equity, words = equity_at(run, close), FIRST_WORDS
    if run[RUNGS] > 0:
        words = other_campaign(run)
    _say(run, words, bar, close, side)
    price = price_if_now(run, FIRST_ORDER, close)
    run[ORDER_MONEY] = money_for(run, equity, share) if size != size else math.nan
    if run[RUNGS] > 0:
        steps = steps_of(run, 0, side, close, size)
        if steps == 0:
            run[SMALL_LADDER] += 1
            return
    elif size != size:
        steps = steps_for(run, run[ORDER_MONEY], price)
    else:
        steps = steps_down(run, size)
    _issue(run, steps, price, equity, bar, close)
    if run[LIVES + FIRST_ORDER] == 0:
        return
    count_entry(run)
    if run[RUNGS] > 0:
        put_rungs(run, words, side, close, size)
        run[ORDER_MONEY] = math.nan


@rule
def _say(run: Run, words: int, bar: int, close: float, side: float) -> None:
    """Make the wish of this close an order, and keep what it says of the lots to come."""
    order = FIRST_ORDER
    run[words + SAID_STOP], run[words + SAID_PROFIT] = run[WISH_STOP], run[WISH_PROFIT]
    run[words + SAID_ATR], run[words + SAID_CLOSE] = run[WISH_ATR], close
    run[words + SAID_BAR], run[words + SAID_LATE] = bar, 0.0
    run[WORDS + order], run[SIDE + order], run[KIND_OF_ENTRY + order] = words, side, run[ENTRY_KIND]
    if run[ENTRY_KIND] != AT_MARKET:
        toward = side if run[ENTRY_KIND] == AT_STOP else -side
        set_level(run, order, close * (1 + toward * run[ENTRY_OFFSET]))


@rule
def _issue(run: Run, steps: float, price: float, equity: float, bar: int, close: float) -> None:
    """Let the entry wait, if it can be paid at `price` and is large enough.

    A market entry that cannot be paid or is too small still closes an opposite position.
    """
    is_market, side = run[ENTRY_KIND] == AT_MARKET, run[SIDE + FIRST_ORDER]
    is_closing = run[CLOSE_REASON] != NO_REASON
    run[CLOSES_ONLY] = 0.0
    if run[IS_HALTED] != 0:
        run[AFTER_CAP] += 1
        return
    if lacks_funds(run, steps, side, price, equity):
        run[CANNOT_PAY] += 1
        run[CLOSES_ONLY] = 1.0
        if not is_market or is_closing or run[STEPS] * side >= 0:
            return
    if not is_large_enough(run, steps, close):
        if not is_market or run[STEPS] == 0:
            return
        steps = 0.0
    if steps > STEPS_MAX:
        run[NEEDS_REFERENCE] = 1.0
    run[LIVES + FIRST_ORDER], run[OWN_STEPS + FIRST_ORDER] = 1.0, steps
    if not is_market:
        run[TIMEOUT] = bar + run[TIMEOUT_BARS]
        set_levels_of_entry(run, FIRST_ORDER)
        rest(run, FIRST_ORDER)


@inlined
def share_at(run: Run, close: float) -> float:
    """Return the share of equity to spend, NaN: the plan's own size; 0 where it is not known."""
    share = run[WISH_SHARE]
    if share != share:
        share = run[BUDGET_RATIO]
    if share == share or run[SIZING_KIND] not in (BY_RISK, BY_VOLATILITY, BY_KELLY):
        return share
    if run[SIZING_KIND] == BY_KELLY:
        return kelly_share(run)
    share = share_of_equity(run, _stop_ratio(run, close), run[WISH_ATR_RATIO])
    return share if share == share else 0.0


@rule
def _lacks_atr(run: Run) -> bool:
    """Return whether a level that the plan must set by the ATR cannot be known yet."""
    if run[WISH_ATR] == run[WISH_ATR]:
        return False
    needs_stop = run[STOP_ATR] == run[STOP_ATR] and run[WISH_STOP] != run[WISH_STOP]
    needs_profit = run[PROFIT_ATR] == run[PROFIT_ATR] and run[WISH_PROFIT] != run[WISH_PROFIT]
    return needs_stop or needs_profit


@rule
def _stop_ratio(run: Run, close: float) -> float:
    """Return the distance of the stop over the close, NaN without a stop."""
    stop = run[WISH_STOP]
    if stop == stop:
        return abs(close - stop) / close
    fixed, by_atr = run[STOP_RATIO], run[STOP_ATR] * run[WISH_ATR] / close
    if by_atr != by_atr:
        return fixed
    return by_atr if fixed != fixed else min(fixed, by_atr)
