"""The prices at which the broker steps in: margin calls, caps, liquidation, drawdown (`forced`).

Theory. `FORCED_DOWN` and `FORCED_UP` are met where they lie on the path, like a stop; the guards
also hold what is judged only at the points of the path. The peak of equity, from which the drawdown
counts, can rise only at a close beyond `LOOK_DOWN` or `LOOK_UP`; these belong to a little less than
the peak, since a price computed from it need not give it back to the last bit. So the bars
between need no look, and the peak is raised at the end of each bar that is played.
"""

import math

from engines.kernels._compiled import inlined, rule
from engines.kernels.columns import Run
from engines.kernels.machine.liquidation import liquidation_price
from engines.kernels.money import equity_at, margin_ratio, settled
from engines.kernels.rounding import qty_of
from engines.kernels.slots import (
    CALLS_MARGIN,
    DRAWDOWN_MAX,
    EQUITY_MIN,
    FLOOR,
    FORCED_DOWN,
    FORCED_UP,
    GUARD_DOWN,
    GUARD_UP,
    IS_LIQUIDABLE,
    IS_MARKED,
    LIQUIDATION_AT,
    LOOK_DOWN,
    LOOK_UP,
    PEAK,
    POINT_VALUE,
    PRICE_AVG,
    STEPS,
)

NEARER = 1e-9  # of equity: far more than the noise of computing it


@inlined
def refresh_guards(run: Run) -> None:
    """Set the prices at or beyond which the broker may have to step in."""
    held = run[STEPS]
    run[GUARD_DOWN] = run[LOOK_DOWN] = run[FORCED_DOWN] = -math.inf
    run[GUARD_UP] = run[LOOK_UP] = run[FORCED_UP] = math.inf
    run[LIQUIDATION_AT] = math.nan
    if held == 0:
        return
    ratio = margin_ratio(run, held) * run[CALLS_MARGIN]
    owned = settled(run)
    unit = qty_of(run, abs(held)) * run[POINT_VALUE]
    cost = unit * run[PRICE_AVG]
    call = call_price(held, owned, cost, unit, ratio)
    if held < 0:
        run[GUARD_UP] = min(call, (owned + cost - run[EQUITY_MIN]) / unit)
    else:
        run[GUARD_DOWN] = max(call, (run[EQUITY_MIN] - owned + cost) / unit)
    if run[IS_LIQUIDABLE] != 0 or run[DRAWDOWN_MAX] == run[DRAWDOWN_MAX]:
        _refresh_levels(run, held)


@rule
def call_price(held: float, owned: float, cost: float, unit: float, ratio: float) -> float:
    """Return the price at or beyond which margin is called, infinitely far if it never is.

    `owned` is settled, `cost` was paid for what is held, of which a point of price is worth `unit`.
    """
    if ratio == 0:
        return math.inf if held < 0 else -math.inf
    if held < 0:
        return (owned + cost) / (unit * (1 + ratio))
    if ratio == 1:
        # Value and margin move together: the price cannot cause or cure the call.
        return math.inf if cost > owned else -math.inf
    return (cost - owned) / (unit * (1 - ratio))


@rule
def _refresh_levels(run: Run, held: float) -> None:
    """Set the levels of the largest drawdown and of liquidation, and the guards by them."""
    on_path, level = math.nan, math.nan
    if run[DRAWDOWN_MAX] == run[DRAWDOWN_MAX]:
        on_path = _price_at_equity(run, run[FLOOR])
        look = _price_at_equity(run, run[PEAK] * (1 - NEARER))
        run[LOOK_UP if held > 0 else LOOK_DOWN] = look
    if run[IS_LIQUIDABLE] != 0:
        level = liquidation_price(run)
        run[LIQUIDATION_AT] = level
        if run[IS_MARKED] == 0:
            on_path = _nearer(on_path, level, held)
    guard = _nearer(on_path, level, held)
    if guard != guard:  # NaN: there is none
        return
    if held > 0:
        run[FORCED_DOWN] = on_path if on_path == on_path else -math.inf
        run[GUARD_DOWN] = max(run[GUARD_DOWN], guard)
    else:
        run[FORCED_UP] = on_path if on_path == on_path else math.inf
        run[GUARD_UP] = min(run[GUARD_UP], guard)


@rule
def _nearer(a: float, b: float, held: float) -> float:
    """Return the level that a falling long or a rising short meets first; a NaN is none."""
    if a != a or b != b:
        return b if a != a else a
    return max(a, b) if held > 0 else min(a, b)


@rule
def _price_at_equity(run: Run, equity: float) -> float:
    """Return the price at which the open position leaves this equity."""
    unit = qty_of(run, run[STEPS]) * run[POINT_VALUE]
    return run[PRICE_AVG] + (equity - settled(run)) / unit


@rule
def raise_peak(run: Run, close: float) -> None:
    """Note the equity at a bar's close, from which the largest drawdown counts."""
    if run[DRAWDOWN_MAX] != run[DRAWDOWN_MAX]:
        return
    equity = equity_at(run, close)
    if equity > run[PEAK]:
        run[PEAK] = equity
        run[FLOOR] = equity * (1 - run[DRAWDOWN_MAX])
        refresh_guards(run)
