"""One set of ladders: from wish to wish, a campaign each, as `decisions` reads them.

Theory. While flat, the first wish to enter begins a campaign at the next open, and its rungs wait
from then on. It ends by a level (`campaign_walk`) or at the open after the first wish, rule or age
that closes it. A close that wishes the other side too closes and opens in one fill (REVERSED); with
another reason to close, the entry fills for itself at that open (RELIEVED). Both are sized by what
the account is worth at the close that decides, the open position included.

A flat account that cannot carry an entry, or not one step of it, passes the wish over. What becomes
of a position that would reverse into such an entry is the machine's to say: the set is unsure.
"""

import math
from typing import NamedTuple

from engines.kernels._compiled import rule
from engines.kernels.campaign_columns import (
    CLOSE_THEN,
    COST,
    ENTRY_BAR,
    EQUITY_THEN,
    FUNDED_MAX,
    IS_LATE,
    IS_UNSURE,
    IS_WALKED,
    LADDER_FROM,
    LEG_DOWN,
    LEG_UP,
    LOWEST,
    NEXT_BAR,
    PAY_AT,
    RUNG_ABOVE,
    RUNG_LEVEL,
    RUNG_SIZE,
    RUNGS_FROM,
    SLIP_THEN,
    WORST,
)
from engines.kernels.campaign_fills import drop_rung, open_lot, settle_to
from engines.kernels.campaign_tally import close_lots, end_months, end_open, reach_fill
from engines.kernels.campaign_walk import follow
from engines.kernels.chain_columns import (
    I32_1D,
    LINE,
    LONG,
    O_PRICE,
    SHORT,
    WISH_BITS,
    WISH_MASK,
    Decides,
    Opens,
)
from engines.kernels.columns import F64_2D, Run
from engines.kernels.desk import is_large_enough
from engines.kernels.money import (
    equity_at,
    expected_slip,
    fee,
    lacks_funds,
    money_for,
    settled,
)
from engines.kernels.passage_columns import Payments
from engines.kernels.rounding import round_by
from engines.kernels.rungs import offset_of, steps_of
from engines.kernels.slots import (
    BAR,
    BUDGET_RATIO,
    CAPITAL,
    CLOSE,
    ENTERS_LONG,
    ENTERS_SHORT,
    FEES_OPEN,
    FUNDING_OPEN,
    HIGH,
    LADDER_AT,
    LAST_FILL_BAR,
    LEAVES_LONG,
    LEAVES_SHORT,
    LOTS,
    LOW,
    NET,
    NEXT_MONTH,
    OPEN,
    ORDER_MONEY,
    PRICE_AVG,
    ROOM,
    ROOM_STEPS,
    RUNGS,
    SESSION_ENDS,
    SETTLED_PEAK,
    STEPS,
    SUMS,
    TICK_SIZE,
    WEEKEND_BEGINS,
)
from engines.kernels.summary import begin_sums
from engines.types import F64_1D

ENDS = SESSION_ENDS | WEEKEND_BEGINS


class Market(NamedTuple):
    """What campaigns read of a market beside its opens: prices [T, 4], slippage, settlements."""

    opens: Opens
    prices: F64_2D
    slip_ratio: F64_1D
    payments: Payments


@rule
def play_campaigns(run: Run, market: Market, wishes: I32_1D, decides: Decides, months: int) -> None:
    """Run one set from its first wish to its sums; the terms are in the row."""
    _begin(run)
    bars, place, count = market.opens.bars, 0, len(wishes)
    while place < count:
        bar, wish = _wish_at(wishes, place)
        if bar >= bars - 1:
            break
        enters = wish & decides.enters
        if run[STEPS] == 0:
            if enters != 0 and bar >= decides.start:
                _enter(run, market, bar, enters)
            place += 1
            continue
        place = _hold(run, market, wishes, place, decides)
    if run[STEPS] != 0:
        _hold(run, market, wishes, count, decides)
    if run[STEPS] != 0:
        _value(run, market)
    end_months(run, months)


@rule
def _wish_at(wishes: I32_1D, place: int) -> tuple[int, int]:
    """Return the bar of a wish and what is wished."""
    return int(wishes[place]) >> WISH_BITS, int(wishes[place]) & WISH_MASK


@rule
def _begin(run: Run) -> None:
    """Put the row into the state before the first bar; the terms are there."""
    begin_sums(run, SUMS, run[CAPITAL])
    run[SETTLED_PEAK] = run[CAPITAL]
    run[LAST_FILL_BAR] = -1.0
    run[NEXT_MONTH] = run[NET] = run[IS_UNSURE] = 0.0
    run[STEPS] = run[LOTS] = run[FEES_OPEN] = run[FUNDING_OPEN] = run[PRICE_AVG] = run[COST] = 0.0
    run[LADDER_AT] = LADDER_FROM


@rule
def _hold(run: Run, market: Market, wishes: I32_1D, place: int, decides: Decides) -> int:
    """Hold the position until it ends or reverses; return the place of the wish to go on with.

    `place` is that of the first wish which may close it.
    """
    bars, is_long = market.opens.bars, run[STEPS] > 0
    leaves = (LEAVES_LONG if is_long else LEAVES_SHORT) | ENDS
    closes = leaves | (ENTERS_SHORT if is_long else ENTERS_LONG)
    timed = int(run[ENTRY_BAR]) - 1 + decides.held_max
    first = place
    while place < len(wishes) and int(wishes[place]) & closes == 0:
        place += 1
    bar = bars - 1 if place == len(wishes) else min(int(wishes[place]) >> WISH_BITS, bars - 1)
    last = min(bar, timed)
    if follow(run, market.opens, market.prices, market.slip_ratio, market.payments, last):
        return _place_from(wishes, first, int(run[BAR]))
    if last >= bars - 1:
        return len(wishes)
    if timed < bar:
        place = _place_from(wishes, first, timed)
    wish, is_wished = 0, False
    if place < len(wishes):
        bar, wish = _wish_at(wishes, place)
        is_wished = bar == last
    enters = wish & decides.enters if is_wished else 0
    is_relieved = timed == last or wish & leaves != 0
    if enters == 0 and is_wished and not is_relieved:
        _check_order(run, market, last, wish)
    if enters == 0:
        _close(run, market, last + 1)
    elif is_relieved:
        _relieve(run, market, last, enters)
    else:
        _reverse(run, market, last, enters)
    return place + 1 if is_wished else place


@rule
def _place_from(wishes: I32_1D, place: int, bar: int) -> int:
    """Return the first place from `place` on whose wish is not before `bar`."""
    while place < len(wishes) and int(wishes[place]) >> WISH_BITS < bar:
        place += 1
    return place


@rule
def _decide(run: Run, market: Market, bar: int, side: float) -> float:
    """Reckon at a close with what it decides; return the steps of the entry."""
    close = market.prices[bar, CLOSE]
    if len(market.payments.rates) > 0 and run[STEPS] != 0:
        settle_to(run, market.payments, market.payments.before[bar + 1])
    equity = equity_at(run, close)
    run[CLOSE_THEN], run[EQUITY_THEN] = close, equity
    run[SLIP_THEN] = market.slip_ratio[bar] if len(market.slip_ratio) > 0 else 0.0
    run[ORDER_MONEY] = money_for(run, equity, run[BUDGET_RATIO])
    return steps_of(run, 0, side, close, math.nan)


@rule
def _can_be_issued(run: Run, steps: float, side: float) -> bool:
    """Return whether an entry of so many steps is placed at the close that was reckoned with."""
    close = run[CLOSE_THEN]
    price = close + expected_slip(run, side, close, run[SLIP_THEN])
    is_payable = not lacks_funds(run, steps, side, price, run[EQUITY_THEN])
    return steps > 0 and is_payable and is_large_enough(run, steps, close)


@rule
def _side_of(wish: int) -> float:
    return 1.0 if wish & ENTERS_LONG != 0 else -1.0


@rule
def _enter(run: Run, market: Market, bar: int, enters: int) -> None:
    """Enter at the open after a close, if the account is flat and can."""
    side = _side_of(enters)
    steps = _decide(run, market, bar, side)
    opening = min(steps, run[ROOM_STEPS])
    if not _can_be_issued(run, steps, side) or opening <= 0:
        return
    price = _price(market, bar + 1, side)
    equity = settled(run)
    if equity <= 0 or lacks_funds(run, opening, side, price, equity):
        return
    paid = fee(run, opening, price) * opening / opening
    _open(run, market, bar + 1, side, opening, price, paid, True)


@rule
def _price(market: Market, bar: int, side: float) -> float:
    """Return what a fill on this side costs at an open."""
    return float(market.opens.lines[bar * LINE + O_PRICE + (LONG if side > 0 else SHORT)])


@rule
def _open(
    run: Run, market: Market, bar: int, side: float, steps: float, price: float, paid: float,
    has_rungs: bool,
) -> None:  # fmt: skip # one list
    """Begin a campaign with a fill at the open of `bar` that has paid `paid`."""
    run[BAR] = run[ENTRY_BAR] = run[NEXT_BAR] = bar
    reach_fill(run, market.opens)
    run[LEG_UP], run[LEG_DOWN], run[LOWEST] = math.inf, -math.inf, math.inf
    run[IS_LATE] = run[IS_WALKED] = run[FUNDED_MAX] = 0.0
    if len(market.payments.rates) > 0:
        run[PAY_AT] = market.payments.after[bar]
    open_lot(run, side, steps, price, paid)
    for place in range(int(run[RUNGS])):
        rung, offset = RUNGS_FROM + place * RUNG_SIZE, offset_of(run, place + 1)
        run[rung + RUNG_ABOVE] = 1.0 if offset < 0 else 0.0
        level = max(run[TICK_SIZE], run[CLOSE_THEN] * (1 - side * offset))
        run[rung + RUNG_LEVEL] = side * round_by(run, level, -side if offset >= 0 else side)
        if not has_rungs:
            drop_rung(run, place)


@rule
def _check_order(run: Run, market: Market, bar: int, wish: int) -> None:
    """Judge a wish of a side that the plan forbids: only an order that was placed closes."""
    if _decide(run, market, bar, _side_of(wish)) == 0:
        run[IS_UNSURE] = 1.0


@rule
def _stand_at(run: Run, market: Market, bar: int) -> None:
    """Stand at the open of a bar, ahead of its fills."""
    side = 1.0 if run[STEPS] > 0 else -1.0
    if len(market.payments.rates) > 0:
        settle_to(run, market.payments, market.payments.after[bar])
    run[BAR], run[WORST] = bar, side * market.prices[bar, OPEN]
    run[LOWEST] = min(run[LOWEST], run[WORST])
    reach_fill(run, market.opens)


@rule
def _close(run: Run, market: Market, bar: int) -> None:
    """Close the position at the open of a bar."""
    _stand_at(run, market, bar)
    held = abs(run[STEPS])
    price = _price(market, bar, -run[STEPS])
    close_lots(run, market.opens, price, fee(run, held, price) * held / held)


@rule
def _relieve(run: Run, market: Market, last: int, enters: int) -> None:
    """Close at the open after `last` and let an entry fill for itself there."""
    side = _side_of(enters)
    steps = _decide(run, market, last, side)
    # A position that is about to be closed still fills the pyramid for what is queued behind it.
    has_rungs = run[STEPS] * side <= 0 or run[LOTS] < run[ROOM]
    is_issued = _can_be_issued(run, steps, side)
    _close(run, market, last + 1)
    opening = min(steps, run[ROOM_STEPS])
    price, equity = _price(market, last + 1, side), settled(run)
    if not is_issued or opening <= 0 or equity <= 0:
        return
    if lacks_funds(run, opening, side, price, equity):
        run[IS_UNSURE] = 1.0
    paid = fee(run, opening, price) * opening / opening
    _open(run, market, last + 1, side, opening, price, paid, has_rungs)


@rule
def _reverse(run: Run, market: Market, last: int, enters: int) -> None:
    """Close and enter the other side in one fill at the open after `last`."""
    side, bar, held = _side_of(enters), last + 1, abs(run[STEPS])
    steps = _decide(run, market, last, side)
    opening = min(steps, run[ROOM_STEPS])
    is_sound = opening > 0 and _can_be_issued(run, steps, side)
    _stand_at(run, market, bar)
    price, before = _price(market, bar, side), equity_at(run, run[CLOSE_THEN])
    is_sound &= equity_at(run, price) > 0 and not lacks_funds(run, opening, side, price, before)
    if not is_sound:
        run[IS_UNSURE] = 1.0
        _close(run, market, bar)
        return
    total = held + opening
    paid = fee(run, total, price)
    close_lots(run, market.opens, price, paid * held / total)
    _open(run, market, bar, side, opening, price, paid * opening / total, True)


@rule
def _value(run: Run, market: Market) -> None:
    """Value what is open at the last close."""
    last, is_long = market.opens.bars - 1, run[STEPS] > 0
    if len(market.payments.rates) > 0:
        settle_to(run, market.payments, market.payments.before[last + 1])
    run[BAR] = last
    run[WORST] = market.prices[last, LOW] if is_long else -market.prices[last, HIGH]
    run[LOWEST] = min(run[LOWEST], run[WORST])
    end_open(run, market.opens, market.prices[last, CLOSE])
