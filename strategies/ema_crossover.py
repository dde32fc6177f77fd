"""Follow the trend when a fast average crosses a slow one."""

from dataclasses import dataclass
from typing import ClassVar

from engines.errors import ParameterFault
from engines.features._shared import shared
from engines.features.events import compared, crossings
from engines.features.moving_averages import ema
from engines.klines import Klines
from engines.signals import Signals
from engines.types import F64_1D
from strategies.base import Presets, SignalStrategy, parameter
from strategies.levels import Decisions, atr_bracketed, decisions


@dataclass(frozen=True)
class EmaCrossover(SignalStrategy):
    """A trend has begun when a fast average of price crosses a slow one on the trend's own side.

    Rule: enter when the fast EMA crosses the slow one with the close beyond the trend EMA. The
    stop lies `atr_multiplier` average true ranges from the deciding close, the target
    `reward_ratio` times as far on the other side; an opposite crossing reverses. A crossing while
    the stop is still undefined is passed over.

    Source: the double crossover of moving averages, Donchian (1960); Murphy, "Technical Analysis
    of the Financial Markets" (1999), chapter 9.
    """

    presets: ClassVar[Presets] = {
        "conservative": {"fast": 12, "slow": 30, "atr_multiplier": 2.5, "trend_period": 100},
        "moderate": {},
        "aggressive": {"fast": 5, "slow": 15, "atr_multiplier": 1.5, "require_trend": False},
    }

    fast: int = parameter(9, low=3, high=20, step=1, unit="bars", help="Period of the fast EMA.")
    slow: int = parameter(21, low=15, high=50, step=1, unit="bars", help="Period of the slow EMA.")
    atr_period: int = parameter(
        14, low=7, high=21, step=1, unit="bars", help="Period of the average true range."
    )
    atr_multiplier: float = parameter(
        2.0, low=1.0, high=4.0, step=0.5, unit="ATR", help="Distance of the stop from the close."
    )
    reward_ratio: float = parameter(
        2.0, low=1.5, high=4.0, step=0.5, unit="stop distances", help="Distance of the target."
    )
    require_trend: bool = parameter(
        True, help="Enter only with the close on the right side of the trend EMA."
    )
    trend_period: int = parameter(
        50, low=30, high=100, step=10, unit="bars", help="Period of the trend EMA."
    )

    def check(self) -> None:
        """Raise ParameterFault unless the fast period is below the slow one."""
        if self.fast >= self.slow:
            raise ParameterFault(
                "parameter fast of EmaCrossover", f"below slow ({self.slow})", repr(self.fast)
            )

    def min_bars(self) -> int:
        """Return the bars before both averages have been on two bars and the stop is known."""
        trend_bars = self.trend_period if self.require_trend else 0
        return max(self.slow + 1, self.atr_period, trend_bars)

    def signals(self, klines: Klines) -> Signals:
        """Return the wishes at each close [T]; the longest period in use warms up."""
        trend_period = self.trend_period if self.require_trend else None
        decided = _decided(klines.close, self.fast, self.slow, trend_period)
        return atr_bracketed(
            klines, decided, self.atr_period, self.atr_multiplier, self.reward_ratio
        )


@shared
def _decided(close: F64_1D, fast: int, slow: int, trend_period: int | None) -> Decisions:
    """Return what sets that differ in their levels alone decide."""
    up, down = crossings(ema(close, fast), ema(close, slow))
    if trend_period is not None:
        trend = compared(close, ema(close, trend_period))
        up, down = up & trend.above, down & trend.below
    return decisions(up, down)
