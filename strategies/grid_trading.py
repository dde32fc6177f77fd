"""Buy each step down and sell each step up between two prices.

Theory. A grid is a floor, a top and `grids` equal steps between them. It starts at a close, and at
that bar nothing is traded. From the next bar on a close inside the grid buys when it has fallen to
or through a level below the start price: one order, at the lowest such level that is free. The
level is taken until its target, one step up, is reached by a high, or the floor by a low (the stop
of all buys). A close outside ends the grid and frees all levels. The short half is the same rule on
mirrored prices, so one kernel serves both; the two share no state but the grid, which follows from
the closes alone, and whatever its steps.

Targets are no lower for higher levels, so those that a high reaches belong to all levels below one.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple, TypeAlias, cast

import numpy as np
from numba.cpython.unsafe import numbers

from engines.errors import ParameterFault, PlanFault
from engines.features._columns import column
from engines.features._compiled import compiled
from engines.features._shared import shared
from engines.features.volatility import atr
from engines.klines import Klines
from engines.plan import CloseRule, Plan, Sizing, SizingKind
from engines.signals import Signals
from engines.types import BOOL_1D, F64_1D
from strategies.base import Presets, SignalStrategy, parameter

# A level this small part of a step from the start price is the start price itself.
LEVEL_NOISE = 1e-9

LEVELS_MAX = 63.0  # more than any grid has: those that are taken are the bits of a word
BLOCK = 256  # bars that are looked at together
# What each comes to: levels to buy at, from one to below another, and targets that it has reached.
SINCE, UNTIL, REACHED = range(0, 3 * BLOCK, BLOCK)
# NumPy has no word for it.
trailing_zeros = cast(Callable[[np.uint64], int], numbers.trailing_zeros)

Terms: TypeAlias = tuple[float, float, float, int, bool]  # multiple, edges, steps, target per grid


@dataclass(frozen=True)
class GridTrading(SignalStrategy):
    """In a range price crosses the same levels again and again, and each step pays.

    Rule: the grid reaches from `lower` to `upper`, or from the close - to the close +
    `range_multiple` average true ranges where both are 0, in `grids` equal steps. A level below the
    start price buys when the close falls to it, one above sells when the close rises to it, each
    `size_pct` of equity with its target one step away (at the start price without
    `target_per_grid`) and its stop at the grid's edge; a level is not used again before its target
    or its stop was reached, and at most `max_open` are. When the close leaves an automatic grid a
    new one starts around it; outside fixed bounds nothing is traded.

    Source: grid trading as exchanges offer it (Bybit "Futures Grid Bot"); its level-to-level rule
    is that of scale trading, Robert Wiest, "You Can't Lose Trading Commodities" (1977).
    """

    presets: ClassVar[Presets] = {
        "conservative": {"range_multiple": 6.0, "size_pct": 0.5, "max_open": 3},
        "moderate": {},
        "aggressive": {"range_multiple": 4.0, "grids": 20, "size_pct": 2.0, "max_open": 10},
    }

    lower: float = parameter(
        0.0, low=0.0, high=1e7, step=0.01, unit="quote", help="Lower edge; 0: automatic."
    )
    upper: float = parameter(
        0.0, low=0.0, high=1e7, step=0.01, unit="quote", help="Upper edge; 0: automatic."
    )
    range_multiple: float = parameter(
        3.0, low=2.0, high=6.0, step=0.5, unit="ATR", help="Half the height of an automatic grid."
    )
    atr_period: int = parameter(
        14, low=7, high=21, step=1, unit="bars", help="Period of the average true range."
    )
    grids: int = parameter(10, low=5, high=50, step=5, unit="steps", help="Steps of the grid.")
    size_pct: float = parameter(
        1.0, low=0.5, high=5.0, step=0.5, unit="% of equity", help="Size of each order."
    )
    target_per_grid: bool = parameter(
        True, help="Close each order one step away; else at the start price."
    )
    max_open: int = parameter(
        5, low=1, high=20, step=1, unit="orders", help="Orders open at a time."
    )

    def check(self) -> None:
        """Raise ParameterFault unless both edges are 0 or the lower is below the upper."""
        is_fixed = 0 < self.lower < self.upper
        if not is_fixed and (self.lower, self.upper) != (0, 0):
            raise ParameterFault(
                "parameters lower and upper of GridTrading",
                "both 0, or lower above 0 and below upper",
                f"{self.lower:g} and {self.upper:g}",
            )

    def min_bars(self) -> int:
        """Return the bars to the first close after one at which a grid can start."""
        return 2 if self.upper else self.atr_period + 1

    def plan(self, plan: Plan) -> Plan:
        """Return `plan` with room for `max_open` orders of its own size, each with its own target.

        Raises: PlanFault if the user wants a ladder.
        """
        if plan.ladder is not None:
            raise PlanFault("ladder", "none, as grid_trading places its own", plan.ladder.kind)
        sizing = Sizing(SizingKind.EQUITY_RATIO, self.size_pct / 100)
        return replace(plan, sizing=sizing, pyramiding=self.max_open, close_rule=CloseRule.ANY)

    def signals(self, klines: Klines) -> Signals:
        """Return the wishes at each close [T]; the plan sizes them."""
        high, low, close = (column("price", c) for c in (klines.high, klines.low, klines.close))
        ranges = column("ranges", atr(high, low, close, self.atr_period))
        terms = self.range_multiple, self.lower, self.upper, self.grids, self.target_per_grid
        stops, targets, buys, sells = _orders(high, low, close, ranges, terms)
        never = np.zeros(close.size, dtype=np.bool_)
        return Signals(buys, never, sells, never, stops, targets)


class Orders(NamedTuple):
    """The levels of each order in quote, NaN where there is none, and its side [T]."""

    stops: F64_1D
    targets: F64_1D
    buys: BOOL_1D
    sells: BOOL_1D


@shared
def _orders(high: F64_1D, low: F64_1D, close: F64_1D, ranges: F64_1D, terms: Terms) -> Orders:
    """Return the orders of both halves, the same for all sizes and numbers of open orders."""
    multiple, lower, upper, grids, target_per_grid = terms
    reach = _reach(close, ranges, multiple, lower, upper)
    orders = Orders(*np.full((2, close.size), np.nan), *np.zeros((2, close.size), dtype=np.bool_))
    reach = Reach(*(column("reach", own) for own in reach))  # which nobody shares, or all do
    _list_orders(close, high, low, reach, grids, target_per_grid, orders)
    return orders


class Reach(NamedTuple):
    """The grid in which each close lies [T]: its floor and top, NaN if in none, and its start."""

    floor: F64_1D
    top: F64_1D
    start: F64_1D


@shared
def _reach(close: F64_1D, ranges: F64_1D, multiple: float, lower: float, upper: float) -> Reach:
    """Return the grids, which are the same whatever their steps."""
    found = Reach(*np.empty((3, close.size)))
    _find_reach(close, ranges, multiple, lower, upper, *found)
    return found


@compiled
def _find_reach(
    close: F64_1D, ranges: F64_1D, multiple: float, lower: float, upper: float, floors: F64_1D,
    tops: F64_1D, starts: F64_1D,
) -> None:  # fmt: skip # what is read, what is filled
    """Write the grids; an automatic one (both edges are 0) needs a floor above zero."""
    is_fixed, start = lower < upper, np.nan
    floor, top = (lower, upper) if is_fixed else (np.nan, np.nan)
    for t in range(close.size):
        is_inside = floor < close[t] < top
        if not is_inside and not is_fixed:
            reach = multiple * ranges[t]
            reach = reach if reach < close[t] else np.nan
            floor, top, start = close[t] - reach, close[t] + reach, close[t]
        if is_inside and np.isnan(start):
            start = close[t]
        floors[t] = floor if is_inside else np.nan
        tops[t], starts[t] = top, start


@compiled
def _list_orders(
    close: F64_1D, high: F64_1D, low: F64_1D, reach: Reach, grids: int, target_per_grid: bool,
    orders: Orders,
) -> None:  # fmt: skip # prices, the grids, what is filled
    """Note the orders of both halves.

    What bars come to is found for many at once, by vectors (`_look`). Then which levels are taken
    asks but a few operations of a bar.
    """
    found = np.empty(3 * BLOCK)
    bought = sold = np.uint64(0)
    for first in range(1, close.size, BLOCK):  # nothing has fallen at bar 0
        last = min(first + BLOCK, close.size)
        floors, tops = reach.floor[first:last], reach.top[first:last]
        starts = reach.start[first:last]
        prices = close[first - 1 : last - 1], close[first:last], high[first:last], low[first:last]
        upwards, downwards = Reach(floors, tops, starts), Reach(tops, floors, starts)
        _look(1.0, *prices, upwards, grids, target_per_grid, found)
        bought = _buy(1.0, first, upwards, grids, target_per_grid, found, bought, orders)
        before, now, higher, lower = prices
        _look(-1.0, before, now, lower, higher, downwards, grids, target_per_grid, found)
        sold = _buy(-1.0, first, downwards, grids, target_per_grid, found, sold, orders)


@compiled
def _look(
    sign: float, before: F64_1D, close: F64_1D, high: F64_1D, low: F64_1D, reach: Reach, grids: int,
    target_per_grid: bool, found: F64_1D,
) -> None:  # fmt: skip # a block of bars, the grids, what is found
    """Find what a block of bars comes to, in numbers of levels, which buy at prices times `sign`.

    Bars in no grid buy at none. There, as where the floor is, all targets count as reached.
    """
    floors, tops, starts = reach
    for i in range(floors.size):
        floor, start = sign * floors[i], sign * starts[i]
        step = (sign * tops[i] - floor) / grids
        below = min(sign * before[i], start - LEVEL_NOISE * step)
        level, above = _first_level(sign * close[i], floor, step), _first_level(below, floor, step)
        is_inside = step == step
        found[SINCE + i] = max(1.0, level) if is_inside else 1.0
        found[UNTIL + i] = min(float(grids), above) if is_inside else 0.0
        gone = _targets_until(sign * high[i], floor, step)
        if not target_per_grid:
            gone = LEVELS_MAX if sign * high[i] >= start else 0.0
        found[REACHED + i] = LEVELS_MAX if (sign * low[i] <= floor) | (not is_inside) else gone


@compiled
def _buy(
    sign: float, first: int, reach: Reach, grids: int, target_per_grid: bool, found: F64_1D,
    taken: np.uint64, orders: Orders,
) -> np.uint64:  # fmt: skip # a block of bars, what they come to, what is filled
    """Note the orders of a block of bars; return the levels that are taken then."""
    wants = orders.buys if sign > 0.0 else orders.sells
    for i in range(reach.floor.size):
        gone, k = np.uint64(found[REACHED + i]), np.uint64(found[SINCE + i])
        taken = taken >> gone << gone
        k += np.uint64(trailing_zeros(~taken >> k))
        if float(k) < found[UNTIL + i]:
            taken |= np.uint64(1) << k
            t, floor = first + i, sign * reach.floor[i]
            step = (sign * reach.top[i] - floor) / grids
            target = floor + float(k) * step + step if target_per_grid else sign * reach.start[i]
            wants[t], orders.stops[t], orders.targets[t] = True, sign * floor, sign * target
    return taken


@compiled
def _first_level(price: float, floor: float, step: float) -> float:
    """Return the number of the first level at a price or above it; a quotient may be one off."""
    k = float(np.floor((price - floor) / step))
    k += 1.0 if floor + k * step < price else 0.0
    return k + 1.0 if floor + k * step < price else k


@compiled
def _targets_until(price: float, floor: float, step: float) -> float:
    """Return how many levels, from the floor on, have their targets at a price or below it."""
    whole = float(np.floor((price - floor) / step))
    count = min(LEVELS_MAX - 2.0, max(0.0, whole - 1.0))
    count += 1.0 if floor + count * step + step <= price else 0.0
    return count + 1.0 if floor + count * step + step <= price else count
