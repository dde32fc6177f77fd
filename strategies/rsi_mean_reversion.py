"""Bet on the way back when RSI enters an extreme."""

from dataclasses import dataclass
from typing import ClassVar

from engines.errors import ParameterFault
from engines.features._shared import shared
from engines.features.events import compared, crossover, crossunder
from engines.features.moving_averages import ema
from engines.features.oscillators import rsi
from engines.klines import Klines
from engines.signals import Signals
from engines.types import F64_1D
from strategies.base import Presets, SignalStrategy, parameter
from strategies.levels import Decisions, atr_bracketed, decisions


@dataclass(frozen=True)
class RsiMeanReversion(SignalStrategy):
    """What has moved too fast in one direction comes back to the middle.

    Rule: enter long when RSI crosses down into the oversold zone, short when it crosses up into the
    overbought one; with the trend filter only on the trend EMA's side. Close when RSI is at or
    beyond the exit level. The stop lies `atr_multiplier` average true ranges from the deciding
    close, the target `reward_ratio` times as far on the other side; an opposite entry reverses.

    Source: Wilder (1978), "New Concepts in Technical Trading Systems".
    """

    presets: ClassVar[Presets] = {
        "conservative": {"rsi_period": 21, "atr_multiplier": 2.5, "trend_filter": True},
        "moderate": {},
        "aggressive": {
            "rsi_period": 7,
            "oversold": 35.0,
            "overbought": 65.0,
            "atr_multiplier": 1.5,
        },
    }

    rsi_period: int = parameter(14, low=7, high=21, step=1, unit="bars", help="Period of the RSI.")
    oversold: float = parameter(
        30.0, low=20.0, high=40.0, step=5.0, unit="RSI", help="Level below which price is oversold."
    )
    overbought: float = parameter(
        70.0, low=60.0, high=80.0, step=5.0, unit="RSI", help="Level above which it is overbought."
    )
    exit_level: float = parameter(
        50.0, low=45.0, high=55.0, step=1.0, unit="RSI", help="Level at which to close."
    )
    atr_period: int = parameter(
        14, low=7, high=21, step=1, unit="bars", help="Period of the average true range."
    )
    atr_multiplier: float = parameter(
        2.0, low=1.0, high=4.0, step=0.5, unit="ATR", help="Distance of the stop from the close."
    )
    reward_ratio: float = parameter(
        2.0, low=1.0, high=3.0, step=0.5, unit="stop distances", help="Distance of the target."
    )
    trend_filter: bool = parameter(
        False, help="Enter only with the close on the right side of the trend EMA."
    )
    trend_period: int = parameter(
        200, low=100, high=200, step=50, unit="bars", help="Period of the trend EMA."
    )

    def check(self) -> None:
        """Raise ParameterFault unless oversold < exit level < overbought."""
        if not self.oversold < self.exit_level < self.overbought:
            raise ParameterFault(
                "parameter exit_level of RsiMeanReversion",
                f"between oversold ({self.oversold:g}) and overbought ({self.overbought:g})",
                f"{self.exit_level:g}",
            )

    def min_bars(self) -> int:
        """Return the bars before RSI has been on two bars and stop and trend are known."""
        trend_bars = self.trend_period if self.trend_filter else 0
        return max(self.rsi_period + 2, self.atr_period, trend_bars)

    def signals(self, klines: Klines) -> Signals:
        """Return the wishes at each close [T]."""
        trend_period = self.trend_period if self.trend_filter else None
        decided = _decided(
            klines.close, self.rsi_period, self.oversold, self.overbought, self.exit_level,
            trend_period,
        )  # fmt: skip # one call
        return atr_bracketed(
            klines, decided, self.atr_period, self.atr_multiplier, self.reward_ratio
        )


@shared
def _decided(
    close: F64_1D, period: int, oversold: float, overbought: float, exit_level: float,
    trend_period: int | None,
) -> Decisions:  # fmt: skip # one list
    """Return what sets that differ in their levels alone decide."""
    value = rsi(close, period)
    down, up = crossunder(value, oversold), crossover(value, overbought)
    if trend_period is not None:
        trend = compared(close, ema(close, trend_period))
        down, up = down & trend.above, up & trend.below
    return decisions(down, up, value >= exit_level, value <= exit_level)
