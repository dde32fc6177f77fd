"""Buy each step down and sell each step up between two prices.

Theory. A grid is a floor, a top and `grids` equal steps between them. It starts at a close, and at
that bar nothing is traded. From the next bar on a close inside the grid buys when it has fallen to
or through a level below the start price: one order, at the lowest such level that is free. The
level is taken until its target, one step up, is reached by a high, or the floor by a low (the stop
of all buys). A close outside ends the grid and frees all levels. The short half is the same rule on
mirrored prices, so one kernel serves both; the two share no state but the grid, which follows from
the closes alone.
"""

from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple, TypeAlias

import numpy as np

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
    stops, targets = np.full((2, close.size), np.nan)
    buys, sells = np.zeros((2, close.size), dtype=np.bool_)
    _list_orders(1.0, close, high, low, ranges, terms, buys, stops, targets)
    _list_orders(-1.0, close, low, high, ranges, terms, sells, stops, targets)
    return Orders(stops, targets, buys, sells)


@compiled
def _list_orders(
    sign: float, close: F64_1D, high: F64_1D, low: F64_1D, ranges: F64_1D, terms: Terms,
    orders: BOOL_1D, stops: F64_1D, targets: F64_1D,
) -> None:  # fmt: skip # prices, the strategy's terms, what is filled
    """Note the orders of one half, which buys at prices times `sign`, with stops and targets [T].

    An automatic grid (both edges are 0) needs a floor above zero.
    """
    multiple, lower, upper, grids, target_per_grid = terms
    is_fixed = lower < upper
    floor, top = (lower, upper) if is_fixed else (np.nan, np.nan)
    if sign < 0.0:
        floor, top = 0.0 - top, 0.0 - floor
    start, before = np.nan, np.nan
    taken = np.full(grids, np.inf)  # The target of the buy at each level, endless where it is free.
    lowest = grids  # level that is taken, with the nearest target
    for t in range(close.size):
        now = sign * close[t]
        if not floor < now < top:
            taken[:], lowest = np.inf, grids
            if not is_fixed:
                reach = multiple * ranges[t]
                reach = reach if reach < close[t] else np.nan
                floor, top, start = now - reach, now + reach, now
            before = now
            continue
        if np.isnan(start):
            start = now
        if sign * low[t] <= floor:
            taken[:], lowest = np.inf, grids
        while lowest < grids and sign * high[t] >= taken[lowest]:
            taken[lowest] = np.inf
            while lowest < grids and taken[lowest] == np.inf:
                lowest += 1
        if now < before and now < start:
            step = (top - floor) / grids
            k = _free_level(floor, step, now, min(before, start - LEVEL_NOISE * step), taken)
            if k > 0:
                taken[k] = floor + k * step + step if target_per_grid else start
                orders[t], stops[t], targets[t] = True, sign * floor, sign * taken[k]
                lowest = min(lowest, k)
        before = now


@compiled
def _free_level(floor: float, step: float, since: float, until: float, taken: F64_1D) -> int:
    """Return the lowest free level from one price to below another, 0 if there is none."""
    for k in range(max(1, int((since - floor) / step)), taken.size):  # lower ones lie below
        level = floor + k * step
        if level >= until:
            break
        if level >= since and taken[k] == np.inf:
            return k
    return 0
