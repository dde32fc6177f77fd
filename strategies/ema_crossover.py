"""Follow the trend when a fast average crosses a slow one."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from engines.errors import ParameterFault
from engines.features.events import crossover, crossunder
from engines.features.moving_averages import ema
from engines.features.volatility import atr
from engines.klines import Klines
from engines.signals import Signals
from strategies.base import SignalStrategy, parameter


@dataclass(frozen=True)
class EmaCrossover(SignalStrategy):
    """Enter when the fast EMA crosses the slow one with the close beyond the trend EMA.

    The stop lies `atr_multiplier` average true ranges from the deciding close, the target
    `reward_ratio` times as far on the other side; an opposite crossing reverses. A crossing while
    the stop is still undefined is passed over.
    """

    description: ClassVar[str] = "EMA crossover with trend filter, ATR stop and target."

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

    def signals(self, klines: Klines) -> Signals:
        """Return the wishes at each close [T]; the longest period in use warms up."""
        close = klines.close
        fast, slow = ema(close, self.fast), ema(close, self.slow)
        stop_distance = self.atr_multiplier * atr(klines.high, klines.low, close, self.atr_period)
        known = ~np.isnan(stop_distance)
        entry_long, entry_short = crossover(fast, slow) & known, crossunder(fast, slow) & known
        if self.require_trend:
            trend = ema(close, self.trend_period)
            entry_long &= close > trend
            entry_short &= close < trend
        side = entry_long.astype(np.float64) - entry_short
        distance = np.where(side != 0, side * stop_distance, np.nan)
        none = np.zeros(len(close), dtype=np.bool_)
        return Signals(
            entry_long=entry_long,
            exit_long=none,
            entry_short=entry_short,
            exit_short=none,
            stop_price=close - distance,
            target_price=close + self.reward_ratio * distance,
        )
