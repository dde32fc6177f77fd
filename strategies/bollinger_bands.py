"""Bet on the way back from an outer Bollinger band to the middle one."""

from dataclasses import dataclass
from typing import ClassVar

from engines.features._shared import shared
from engines.features.channels import bollinger
from engines.features.events import compared
from engines.features.oscillators import rsi
from engines.klines import Klines
from engines.signals import Signals
from engines.types import F64_1D
from strategies.base import Presets, SignalStrategy, parameter
from strategies.levels import Decisions, atr_bracketed, decisions


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
        limits = (self.oversold, self.overbought) if self.require_rsi else None
        decided = _decided(
            klines.high, klines.low, klines.close, self.period, self.deviations, self.rsi_period,
            limits,
        )  # fmt: skip # prices, then terms
        return atr_bracketed(klines, decided, self.atr_period, self.atr_multiplier, None)


@shared
def _decided(
    high: F64_1D, low: F64_1D, close: F64_1D, period: int, deviations: float, rsi_period: int,
    limits: tuple[float, float] | None,
) -> Decisions:  # fmt: skip # prices, then the strategy's terms
    """Return what sets that differ in their levels alone decide."""
    bands = bollinger(close, period, deviations)
    down, up = low <= bands.lower, high >= bands.upper
    if limits is not None:
        value = rsi(close, rsi_period)
        down, up = down & (value <= limits[0]), up & (value >= limits[1])
    middle = compared(close, bands.middle)
    return decisions(down, up, middle.above, middle.below)
