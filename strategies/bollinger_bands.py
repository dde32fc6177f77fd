"""Bet on the way back from an outer Bollinger band to the middle one."""

from dataclasses import dataclass
from typing import ClassVar

from engines.features.channels import bollinger
from engines.features.oscillators import rsi
from engines.klines import Klines
from engines.signals import Signals
from strategies.base import Presets, SignalStrategy, parameter
from strategies.levels import atr_bracketed, sides


@dataclass(frozen=True)
class BollingerBands(SignalStrategy):
    """Price that reaches an outer band while RSI is stretched returns to the mean.

    Rule: enter long when the low reaches the lower band and RSI is at or below oversold, short
    when the high reaches the upper band and RSI is at or above overbought; a bar that reaches both
    bands decides nothing. Close when the close is beyond the middle band. The stop lies
    `atr_multiplier` average true ranges from the deciding close; there is no target price; an
    opposite entry reverses.

    Source: John Bollinger, "Bollinger on Bollinger Bands" (2001), with population deviation;
    Wilder (1978) for RSI.
    """

    presets: ClassVar[Presets] = {
        "conservative": {"deviations": 2.5, "atr_multiplier": 3.0},
        "moderate": {},
        "aggressive": {"period": 14, "deviations": 1.75, "oversold": 40.0, "overbought": 60.0},
    }

    period: int = parameter(20, low=10, high=30, step=2, unit="bars", help="Period of the bands.")
    deviations: float = parameter(
        2.0, low=1.5, high=3.0, step=0.25, unit="deviations", help="Distance of the outer bands."
    )
    atr_period: int = parameter(
        14, low=7, high=21, step=1, unit="bars", help="Period of the average true range."
    )
    atr_multiplier: float = parameter(
        2.0, low=1.0, high=4.0, step=0.5, unit="ATR", help="Distance of the stop from the close."
    )
    require_rsi: bool = parameter(True, help="Enter only while RSI is in its extreme zone.")
    rsi_period: int = parameter(14, low=7, high=21, step=1, unit="bars", help="Period of the RSI.")
    oversold: float = parameter(
        30.0, low=20.0, high=40.0, step=5.0, unit="RSI", help="Level below which price is oversold."
    )
    overbought: float = parameter(
        70.0, low=60.0, high=80.0, step=5.0, unit="RSI", help="Level above which it is overbought."
    )

    def min_bars(self) -> int:
        """Return the bars before bands, stop and RSI are known."""
        rsi_bars = self.rsi_period + 1 if self.require_rsi else 0
        return max(self.period, self.atr_period, rsi_bars)

    def signals(self, klines: Klines) -> Signals:
        """Return the wishes at each close [T]."""
        bands = bollinger(klines.close, self.period, self.deviations)
        down, up = klines.low <= bands.lower, klines.high >= bands.upper
        if self.require_rsi:
            value = rsi(klines.close, self.rsi_period)
            down, up = down & (value <= self.oversold), up & (value >= self.overbought)
        side = sides(down, up)
        return atr_bracketed(
            klines,
            side,
            self.atr_period,
            self.atr_multiplier,
            None,
            exit_long=klines.close > bands.middle,
            exit_short=klines.close < bands.middle,
        )
