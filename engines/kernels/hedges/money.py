"""What two sides are worth together, and whether their account can carry an entry."""

from engines.account import FUNDS_NOISE
from engines.kernels._compiled import inlined
from engines.kernels.hedges.columns import (
    ENTRY,
    FEE,
    FUNDING_OPEN,
    IS_UNSURE,
    NET,
    NO_ENTRY,
    PRICE,
    QTY,
    Sides,
)
from engines.kernels.passage.columns import Fixed
from engines.kernels.passage.lanes import SURE
from engines.kernels.stacks.rows import qty_of
from engines.types import F64_1D, I64_1D


@inlined
def settled_of(held: F64_1D, side: int) -> float:
    """Return the net result of what a side has closed, less what its position has paid so far."""
    return float(held[NET + side] - held[FEE + side] - held[FUNDING_OPEN + side])


@inlined
def equity_of(held: F64_1D, now: I64_1D, fixed: Fixed, side: int, price: float) -> float:
    """Return the equity at a price, added up as the side that asks adds."""
    other = 1 - side
    equity = fixed.capital + (settled_of(held, side) + settled_of(held, other))
    for at in range(2):
        own = side if at == 0 else other
        if now[ENTRY + own] != NO_ENTRY:
            qty = held[QTY + own] * (1.0 - 2.0 * own)
            equity += (price - held[PRICE + own]) * qty * fixed.point_value
    return float(equity)


@inlined
def lacks_funds(
    held: F64_1D, fixed: Fixed, side: int, steps: float, price: float, equity: float
) -> bool:
    """Return whether equity cannot cover the margin of an entry beside that of the other side."""
    own, theirs = fixed.margin_long, fixed.margin_short
    if side != 0:
        own, theirs = theirs, own
    needed = qty_of(fixed, steps) * price * fixed.point_value * own
    if held[QTY + 1 - side] != 0:
        needed += held[QTY + 1 - side] * price * fixed.point_value * theirs
    return bool(needed - equity > FUNDS_NOISE * abs(equity))


@inlined
def lacks_where_it_fills(
    sides: Sides, fixed: Fixed, side: int, opening: float, price: float
) -> bool:
    """Return whether the account cannot carry an entry where it fills, by the rule of `admission`.

    Its own side holds nothing then.
    """
    held, other, unit = sides.held, 1 - side, fixed.point_value
    equity = equity_of(held, sides.now, fixed, side, price)
    if abs(equity) <= fixed.capital * (1 - SURE):  # Of a ruined account that is noise.
        held[IS_UNSURE] = 1.0
    if equity <= 0 or lacks_funds(held, fixed, side, opening, price, equity):
        return True
    value = qty_of(fixed, opening) * price * unit + held[QTY + other] * held[PRICE + other] * unit
    owned = fixed.capital + (settled_of(held, side) + settled_of(held, other))
    lacks = value / fixed.leverage - owned > FUNDS_NOISE * abs(owned)
    return bool(fixed.is_isolated and lacks)
