"""Follow momentum when RSI crosses its middle."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from engines.errors import ParameterFault
from engines.features._shared import shared
from engines.features.events import compared, crossings
from engines.features.moving_averages import ema
from engines.features.oscillators import rsi
from engines.klines import Klines
from engines.signals import Signals
from engines.types import F64_1D
from strategies.base import Presets, SignalStrategy, parameter
from strategies.levels import Decisions, atr_bracketed, decisions


@dataclass(frozen=True)
class RsiMomentum(SignalStrategy):
    """Rises outweigh falls from the bar on that takes RSI across its middle.

    Rule: enter long when RSI crosses above the threshold with the close above the trend EMA, short
    when it crosses below with the close below; a crossing that ends at or beyond the strong level
    (100 - strong for shorts) may be on either side. Close on the cross back. The stop lies
    `atr_multiplier` average true ranges from the deciding close, the target `reward_ratio` times as
    far on the other side; an opposite entry reverses.

    Source: Wilder (1978) for RSI; its middle line as the border between bull and bear: Constance
    Brown, "Technical Analysis for the Trading Professional" (1999).
    """

    presets: ClassVar[Presets] = {
        "conservative": {"rsi_period": 21, "strong": 65.0, "atr_multiplier": 2.5},
        "moderate": {},
        "aggressive": {"rsi_period": 9, "atr_multiplier": 1.5, "require_trend": False},
    }

    rsi_period: int = parameter(14, low=7, high=21, step=1, unit="bars", help="Period of the RSI.")
    threshold: float = parameter(
        50.0, low=45.0, high=55.0, step=1.0, unit="RSI", help="Level whose crossing enters."
    )
    strong: float = parameter(
        60.0,
        low=55.0,
        high=65.0,
        step=1.0,
        unit="RSI",
        help="Level of a crossing that may be against the trend.",
    )
    atr_period: int = parameter(
        14, low=7, high=21, step=1, unit="bars", help="Period of the average true range."
    )
    atr_multiplier: float = parameter(
        2.0, low=1.5, high=3.5, step=0.5, unit="ATR", help="Distance of the stop from the close."
    )
    reward_ratio: float = parameter(
        2.0, low=1.5, high=4.0, step=0.5, unit="stop distances", help="Distance of the target."
    )
    require_trend: bool = parameter(
        True, help="Enter only with the close on the right side of the trend EMA."
    )
    trend_period: int = parameter(
        50, low=20, high=100, step=10, unit="bars", help="Period of the trend EMA."
    )

    def check(self) -> None:
        """Raise ParameterFault unless the threshold is below the strong level."""
        if self.threshold >= self.strong:
            raise ParameterFault(
                "parameter threshold of RsiMomentum",
                f"below strong ({self.strong:g})",
                f"{self.threshold:g}",
            )

    def min_bars(self) -> int:
        """Return the bars before RSI has been on two bars and stop and trend are known."""
        trend_bars = self.trend_period if self.require_trend else 0
        return max(self.rsi_period + 2, self.atr_period, trend_bars)

    def signals(self, klines: Klines) -> Signals:
        """Return the wishes at each close [T]."""
        trend_period = self.trend_period if self.require_trend else None
        decided = _decided(klines.close, self.rsi_period, self.threshold, self.strong, trend_period)
        return atr_bracketed(
            klines, decided, self.atr_period, self.atr_multiplier, self.reward_ratio
        )


@shared
def _decided(
    close: F64_1D, period: int, threshold: float, strong: float, trend_period: int | None
) -> Decisions:
    """Return what sets that differ in their levels alone decide."""
    value = rsi(close, period)
    over, under = crossings(value, threshold)
    up, down = over, under
    if trend_period is not None:
        trend = ema(close, trend_period)
        side, known = compared(close, trend), ~np.isnan(trend)
        up = over & known & (side.above | (value >= strong))
        down = under & known & (side.below | (value <= 100.0 - strong))
    return decisions(up, down, under, over)
