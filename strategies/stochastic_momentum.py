"""Bet on the turn that the stochastic shows inside an extreme."""

from dataclasses import dataclass
from typing import ClassVar

from engines.features._shared import shared
from engines.features.events import crossings
from engines.features.oscillators import slow_stoch
from engines.klines import Klines
from engines.signals import Signals
from engines.types import F64_1D
from strategies.base import Presets, SignalStrategy, parameter
from strategies.levels import Decisions, atr_bracketed, decisions


@dataclass(frozen=True)
class StochasticMomentum(SignalStrategy):
    """Momentum turns before price does, and a turn at an extreme of the range counts most.

    Rule: enter long when %K crosses above %D with %K in the oversold zone, short when it crosses
    below with %K in the overbought zone. Close when %K is in the opposite zone. A zone includes its
    level. The stop lies `atr_multiplier` average true ranges from the deciding close, the target
    `reward_ratio` times as far on the other side; an opposite entry reverses.

    Source: George Lane, "Lane's Stochastics" (1984); %K smoothed, as in TradingView's "Stochastic".
    """

    presets: ClassVar[Presets] = {
        "conservative": {"k_period": 21, "oversold": 15.0, "overbought": 85.0, "d_period": 5},
        "moderate": {},
        "aggressive": {"k_period": 8, "oversold": 30.0, "overbought": 70.0, "smooth": 2},
    }

    k_period: int = parameter(14, low=5, high=21, step=1, unit="bars", help="Period of the range.")
    d_period: int = parameter(3, low=2, high=5, step=1, unit="bars", help="Period of %D.")
    smooth: int = parameter(3, low=1, high=5, step=1, unit="bars", help="Smoothing of %K.")
    oversold: float = parameter(
        20.0, low=10.0, high=30.0, step=1.0, unit="%K", help="Top of the oversold zone."
    )
    overbought: float = parameter(
        80.0, low=70.0, high=90.0, step=1.0, unit="%K", help="Bottom of the overbought zone."
    )
    atr_period: int = parameter(
        14, low=7, high=21, step=1, unit="bars", help="Period of the average true range."
    )
    atr_multiplier: float = parameter(
        2.0, low=1.0, high=4.0, step=0.5, unit="ATR", help="Distance of the stop from the close."
    )
    reward_ratio: float = parameter(
        2.0, low=1.5, high=3.0, step=0.5, unit="stop distances", help="Distance of the target."
    )

    def min_bars(self) -> int:
        """Return the bars before %D has been on two bars and the stop is known."""
        return max(self.k_period + self.smooth + self.d_period - 1, self.atr_period)

    def signals(self, klines: Klines) -> Signals:
        """Return the wishes at each close [T]."""
        decided = _decided(
            klines.high, klines.low, klines.close, self.k_period, self.d_period, self.smooth,
            self.oversold, self.overbought,
        )  # fmt: skip # prices, then terms
        return atr_bracketed(
            klines, decided, self.atr_period, self.atr_multiplier, self.reward_ratio
        )


@shared
def _decided(
    high: F64_1D, low: F64_1D, close: F64_1D, k_period: int, d_period: int, smooth: int,
    oversold: float, overbought: float,
) -> Decisions:  # fmt: skip # prices, then the strategy's terms
    """Return what sets that differ in their levels alone decide."""
    k, d = slow_stoch(high, low, close, k_period, d_period, smooth)
    is_oversold, is_overbought = k <= oversold, k >= overbought
    over, under = crossings(k, d)
    return decisions(over & is_oversold, under & is_overbought, is_overbought, is_oversold)
