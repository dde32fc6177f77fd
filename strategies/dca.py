"""Buy at fixed times, more on a dip, and sell all above the average."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar

import numpy as np

from engines.errors import PlanFault
from engines.features.extremes import highest
from engines.features.oscillators import rsi
from engines.klines import Klines
from engines.plan import Basis, Direction, Plan, Sizing, SizingKind
from engines.signals import Signals
from strategies.base import Presets, SignalStrategy, parameter

HIGH_BARS = 50  # The dip is measured from the highest high of so many bars.
RSI_PERIOD = 14


@dataclass(frozen=True)
class Dca(SignalStrategy):
    """Buying the same share at fixed times averages the price, and dips deserve a larger share.

    Rule: long only. Buy `base_pct` of equity every `interval` bars, counted from the first bar,
    times `dip_multiplier` when the close is `dip_threshold_pct` or more below the highest high of
    50 bars; with the RSI filter only while RSI 14 is at or below `rsi_max`. At most `max_positions`
    purchases are open; all are sold `take_profit_pct` above their average price. There is no stop.
    A time at which the high or RSI is still undefined is passed over.

    Source: dollar-cost averaging, Graham, "The Intelligent Investor" (1949).
    """

    presets: ClassVar[Presets] = {
        "conservative": {"interval": 48, "base_pct": 0.5, "take_profit_pct": 5.0},
        "moderate": {},
        "aggressive": {"interval": 12, "base_pct": 2.0, "dip_multiplier": 3.0, "rsi_filter": False},
    }

    interval: int = parameter(
        24, low=4, high=168, step=4, unit="bars", help="Bars from one purchase to the next."
    )
    base_pct: float = parameter(
        1.0, low=0.5, high=5.0, step=0.5, unit="% of equity", help="Size of a purchase."
    )
    dip_multiplier: float = parameter(
        2.0, low=1.0, high=5.0, step=0.5, unit="sizes", help="Size of a purchase on a dip."
    )
    dip_threshold_pct: float = parameter(
        5.0, low=2.0, high=15.0, step=1.0, unit="%", help="Fall from the 50-bar high that is a dip."
    )
    take_profit_pct: float = parameter(
        10.0, low=5.0, high=50.0, step=5.0, unit="%", help="Target above the average price."
    )
    rsi_filter: bool = parameter(True, help="Buy only while RSI is not above its limit.")
    rsi_max: float = parameter(
        50.0, low=30.0, high=70.0, step=5.0, unit="RSI", help="Highest RSI at which to buy."
    )
    max_positions: int = parameter(
        10, low=3, high=50, step=1, unit="purchases", help="Purchases open at a time."
    )

    def min_bars(self) -> int:
        """Return the bars to the first time at which high and RSI are known."""
        needed = max(HIGH_BARS, RSI_PERIOD + 1 if self.rsi_filter else 0)
        return -(-(needed - 1) // self.interval) * self.interval + 1

    def plan(self, plan: Plan) -> Plan:
        """Return `plan` long only, with room for every purchase and one target for all of them.

        A stop or trailing stop that the user set stays; the size is the strategy's own.
        Raises: PlanFault if the user wants shorts only, or a ladder.
        """
        if plan.direction is Direction.SHORT:
            raise PlanFault("direction", "long or both, as dca only buys", plan.direction.value)
        if plan.ladder is not None:
            raise PlanFault("ladder", "none, as dca makes its own purchases", plan.ladder.kind)
        return _bought(plan, self.base_pct, self.take_profit_pct, self.max_positions)

    def signals(self, klines: Klines) -> Signals:
        """Return the wishes at each close [T], sized by `equity_ratio`."""
        # Nothing is bought but at fixed times, so all else is asked there alone.
        times = slice(0, len(klines), self.interval)
        close, top = klines.close[times], highest(klines.high, HIGH_BARS)[times]
        is_bought = ~np.isnan(top)
        if self.rsi_filter:
            is_bought &= rsi(klines.close, RSI_PERIOD)[times] <= self.rsi_max
        is_dip = close <= top * (1 - self.dip_threshold_pct / 100)
        ratio = self.base_pct / 100 * np.where(is_dip, self.dip_multiplier, 1.0)
        buys, none = np.zeros((2, len(klines)), dtype=np.bool_)
        buys[times] = is_bought
        spent = np.full(len(klines), np.nan)
        spent[times] = np.where(is_bought, ratio, np.nan)
        return Signals(
            entry_long=buys,
            exit_long=none,
            entry_short=none,
            exit_short=none,
            equity_ratio=spent,
        )


@lru_cache(maxsize=128)  # Sets that differ in their signals alone, which come together, share one.
def _bought(plan: Plan, base_pct: float, take_profit_pct: float, max_positions: int) -> Plan:
    """Return `plan` with a size for each purchase, room for all and one target for them."""
    exits = replace(
        plan.exits,
        basis=Basis.AVERAGE,
        take_profit_ratio=take_profit_pct / 100,
        target_atr=None,
        targets=(),
    )
    return replace(
        plan,
        direction=Direction.LONG,
        sizing=Sizing(SizingKind.EQUITY_RATIO, base_pct / 100),
        pyramiding=max_positions,
        exits=exits,
    )
