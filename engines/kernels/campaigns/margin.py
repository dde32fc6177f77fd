"""What an account lets a ladder open, and how near the position is to a call or a liquidation.

Theory. What a fill may open is the machine's to say (`admission`), unless even the worse of the
equities that it looks at is clearly enough. The price from which on margin is called is the
machine's as well (`guards`); it changes with what is held and what is paid.

With leverage nothing is called, and a ladder that comes near to its liquidation is left to the
machine, by the bound of `chains.margin`. What a position is covered by is judged whenever a rung is
about to change it, and when it ends, at the lowest price that the campaign has come to: no price
before was worse. The maintenance of a value is the largest that any tier asks for, and funding
counts at the most that was paid.

Isolated, the margin is that of the average entry; where legs close one after the other, of any lots
that may be left, the worst of which is the one with the highest signed price. What the legs before
it have paid by then is taken off too.
"""

from engines.kernels._compiled import apart, rule
from engines.kernels.campaigns.columns import (
    FUNDED_MAX,
    HELD,
    IS_UNSURE,
    L_PRICE,
    LOT_SIZE,
    LOTS_FROM,
    STARTED,
    STEP_SIZE,
    UNIT,
)
from engines.kernels.columns import Run
from engines.kernels.machine.admission import is_too_large, lacks_where_it_fills
from engines.kernels.money import margin_ratio, settled
from engines.kernels.passage.lanes import SURE
from engines.kernels.slots import (
    CAPITAL,
    CLOSES_ALL,
    DEDUCTION,
    FEES_OPEN,
    IS_EXACT,
    IS_ISOLATED,
    LEVERAGE,
    LOTS,
    MAINTENANCE,
    NET,
    POINT_VALUE,
    PRICE_AVG,
    START_EQUITY,
    START_STEPS,
    STEPS,
    TIER,
    TIERS,
    TIERS_AT,
)


@apart
def judge_cover(run: Run, side: float, lowest: float, paid: float) -> None:
    """Mark the set unsure if the position may be taken over as far as a signed price."""
    unit = abs(run[UNIT])
    if run[IS_ISOLATED] != 0:
        entry = _worst_entry(run, side)
        value = cost = side * entry * unit
        left = cost / run[LEVERAGE] - (entry - lowest) * unit
    else:
        value, cost = abs(lowest) * unit, run[PRICE_AVG] * unit
        left = run[CAPITAL] + (run[NET] - run[FEES_OPEN] - run[FUNDED_MAX]) - paid
        left -= (side * run[PRICE_AVG] - lowest) * unit
    left -= cost * (1 - SURE)
    for place in range(int(run[TIERS])):
        tier = int(run[TIERS_AT]) + place * TIER
        if value * run[tier + MAINTENANCE] - run[tier + DEDUCTION] >= left:
            run[IS_UNSURE] = 1.0


@rule
def note_start(run: Run, bar: int, close_before: float) -> None:
    """Note what the account starts a bar with, unless that was noted ahead of a fill in it."""
    if run[STARTED] != bar:
        run[STARTED], run[START_STEPS] = bar, run[STEPS]
        run[START_EQUITY] = equity_held(run, close_before)


@rule
def equity_held(run: Run, price: float) -> float:
    """Return the equity at a price, as `money.equity_at`, of the quantity that is held."""
    equity = settled(run)
    if run[STEPS] != 0:
        equity += (price - run[PRICE_AVG]) * run[HELD] * run[POINT_VALUE]
    return equity


@rule
def is_refused(run: Run, side: float, opening: float, price: float, is_at_open: bool) -> bool:
    """Return whether an entry may not open so much where it fills."""
    if run[IS_EXACT] == 0:
        steps = max(0.0, run[STEPS] * side) + opening
        needed = steps * run[STEP_SIZE] * price * run[POINT_VALUE] * margin_ratio(run, side)
        equity = min(equity_held(run, price), run[START_EQUITY])
        if equity > 0 and needed <= equity * SURE:
            return False
    return _is_refused(run, side, opening, price, is_at_open)


@apart
def _is_refused(run: Run, side: float, opening: float, price: float, is_at_open: bool) -> bool:
    """Return the same as the machine finds it."""
    is_large = is_too_large(run, side, opening, price)
    return is_large or lacks_where_it_fills(run, side, opening, price, is_at_open)


@rule
def _worst_entry(run: Run, side: float) -> float:
    """Return the highest signed price that lots which may be held together count from."""
    if run[CLOSES_ALL] != 0 or run[LOTS] < 2:
        return side * run[PRICE_AVG]
    highest = side * run[LOTS_FROM + L_PRICE]
    for place in range(1, int(run[LOTS])):
        highest = max(highest, side * run[LOTS_FROM + place * LOT_SIZE + L_PRICE])
    return highest
