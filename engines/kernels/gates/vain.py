"""Wishes of the side that a plan does not allow, where they count as entries of their day.

Theory. Such a wish is an order all the same, if the gates let it pass, and is counted when it is
placed; what it finds open it closes, but it opens nothing. One that reverses a position is placed
in any case. While something else closes the position at the same close it is placed if the account
could pay it, while nothing is held if it is large enough as well. Both are bounded here, and a set
that comes near, or whose order would not be placed, is left to the machine.
"""

from engines.kernels._compiled import rule
from engines.kernels.chains.columns import LINE, O_CLOSE, O_ORDERED, Sizes
from engines.kernels.gates.columns import Gates
from engines.kernels.gates.profit import pay_until
from engines.kernels.gates.rules import count_entry, refuses
from engines.kernels.passage.columns import Fixed, Payments
from engines.kernels.passage.events import STEPS_NOISE
from engines.kernels.passage.lanes import (
    ENTRY_PRICE,
    IS_UNSURE,
    LOT_FEE,
    NET,
    QTY,
    SIDE,
    STEPS_MAX,
    SURE,
)
from engines.kernels.slots import ENTERS_LONG
from engines.types import F64_1D, I64_1D


@rule
def count_vain(
    stands: I64_1D, lanes: F64_1D, lane: int, gates: Gates, closes: I64_1D, lines: F64_1D,
    sizes: Sizes, fixed: Fixed, bar: int, equity: float, is_flat: bool,
) -> None:  # fmt: skip # where the lane stands, by what it judges, then the wish
    """Count a wish at the close of `bar`, where a lane has this equity, if it passes the gates."""
    if refuses(stands, lane, gates, closes, bar):
        return
    count_entry(stands, lane, closes, bar)
    if not _is_placed(gates, lines, sizes, fixed, bar, equity, is_flat):
        lanes[IS_UNSURE + lane] = 1.0


@rule
def _is_placed(
    gates: Gates, lines: F64_1D, sizes: Sizes, fixed: Fixed, bar: int, equity: float, is_flat: bool
) -> bool:
    """Return whether the order of a wish is surely placed."""
    row, is_long = (bar + 1) * LINE, gates.vain & ENTERS_LONG != 0
    ordered, close = lines[row + O_ORDERED + (0 if is_long else 1)], lines[row + O_CLOSE]
    unit = ordered * fixed.point_value
    wanted = sizes.steps
    if sizes.is_by_cash:
        wanted = sizes.cash / unit * fixed.step_under / fixed.step_over
    elif sizes.is_by_equity:
        money = equity * fixed.share * fixed.leverage - fixed.order_fee
        wanted = money / (unit * sizes.factor + sizes.added) * fixed.step_under / fixed.step_over
    least, margin = wanted * (1 - STEPS_NOISE) - 1.0, fixed.margin_short
    if is_long:
        margin = fixed.margin_long
    is_large = least >= 1.0 and least * fixed.step_size >= fixed.qty_min
    is_large = is_large and least * fixed.step_size * close * fixed.point_value >= (
        fixed.notional_min
    )
    need = wanted * (1 + STEPS_NOISE) * fixed.step_size * unit * margin
    return (is_large or not is_flat) and wanted <= STEPS_MAX and need <= equity * SURE


@rule
def count_vain_held(
    stands: I64_1D, lanes: F64_1D, lane: int, gates: Gates, closes: I64_1D, lines: F64_1D,
    payments: Payments, sizes: Sizes, fixed: Fixed, bar: int, settled: int, paid: float,
) -> None:  # fmt: skip # where the lane stands, by what it judges, then the wish
    """Count a wish as `count_vain` does, where something else closes what is held at its close.

    What is held has `paid` funding until settlement `settled`.
    """
    settled, paid = pay_until(lanes, lane, payments, fixed.point_value, bar, settled, paid)
    unit = lanes[SIDE + lane] * lanes[QTY + lane] * fixed.point_value
    equity = fixed.capital + lanes[NET + lane] - lanes[LOT_FEE + lane] - paid
    equity += (lines[(bar + 1) * LINE + O_CLOSE] - lanes[ENTRY_PRICE + lane]) * unit
    count_vain(stands, lanes, lane, gates, closes, lines, sizes, fixed, bar, equity, False)
