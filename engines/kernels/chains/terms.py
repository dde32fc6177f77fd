"""What chains read of a plan's terms: which wishes make positions, and how entries are sized."""

import math

from engines.instrument import STEP_NOISE
from engines.kernels import slots
from engines.kernels.chains.columns import Decides, Sizes
from engines.kernels.columns import F64_2D
from engines.kernels.passage.runs import OWN_SHARES
from engines.kernels.slots import (
    AT_MARKET,
    BY_CASH,
    BY_EQUITY,
    BY_KELLY,
    BY_QTY,
    ENTERS,
    ENTERS_LONG,
    ENTERS_SHORT,
    PER_CONTRACT,
    PER_NOTIONAL,
)
from engines.types import BOOL_1D, F64_1D


def decides_of(terms: F64_1D, bars: int) -> Decides:
    """Return what of a plan decides which wishes make positions."""
    enters = ENTERS
    if terms[slots.DIRECTION] != 0:
        enters = ENTERS_LONG if terms[slots.DIRECTION] > 0 else ENTERS_SHORT
    # A position that begins at a close is not seen before the next.
    held_max = max(1, min(terms[slots.BARS_HELD_MAX], bars) - terms[slots.SETTLES])
    return Decides(int(terms[slots.START_BAR]), int(held_max), enters)


def leaves_at_once(terms: F64_2D) -> BOOL_1D:
    """Return which plans [N] hold at once what they enter, and leave it at the first wish to."""
    found: BOOL_1D = (terms[:, slots.ENTRY_KIND] == AT_MARKET) & (terms[:, slots.ROOM] == 1)
    found &= (terms[:, slots.ONLY_IN_PROFIT] == 0) & (terms[:, slots.IS_HEDGED] == 0)
    return found


def sizes_of(terms: F64_1D) -> Sizes:
    """Return how a plan sizes its entries."""
    kind, value = terms[slots.SIZING_KIND], float(terms[slots.SIZING_VALUE])
    # What entries reckon with: it is paid on what is borrowed too.
    commission = float(terms[slots.COMMISSION] * terms[slots.LEVERAGE])
    commission_kind = terms[slots.COMMISSION_KIND]
    has_own_shares = bool(kind in (*OWN_SHARES, BY_KELLY))
    steps = 0.0
    if kind == BY_QTY:
        over, under = float(terms[slots.STEP_OVER]), float(terms[slots.STEP_UNDER])
        steps = float(math.floor(value * under / over + STEP_NOISE))
    return Sizes(
        is_by_equity=bool(kind == BY_EQUITY or has_own_shares),
        is_by_cash=bool(kind == BY_CASH),
        has_own_shares=has_own_shares,
        factor=1 + commission if commission_kind == PER_NOTIONAL else 1.0,
        added=commission if commission_kind == PER_CONTRACT else 0.0,
        cash=value if kind == BY_CASH else 0.0,
        steps=steps,
    )
