"""Follow the turn of momentum that MACD shows."""

from dataclasses import dataclass
from typing import ClassVar

from engines.errors import ParameterFault
from engines.features._shared import shared
from engines.features.events import crossings
from engines.features.momentum import macd_line
from engines.features.moving_averages import ema
from engines.klines import Klines
from engines.signals import Signals
from engines.types import F64_1D
from strategies.base import Presets, SignalStrategy, parameter
from strategies.levels import Decisions, atr_bracketed, decisions


@dataclass(frozen=True)
class MacdTrend(SignalStrategy):
    """Momentum turns when the distance of two averages crosses its own average.

    Rule: enter long when the MACD line crosses above its signal line, short when below, the
    histogram having the sign of the crossing. The stop lies `atr_multiplier` average true ranges
    from the deciding close, the target `reward_ratio` times as far on the other side; an opposite
    crossing reverses.

    Source: Gerald Appel (1979), "The Moving Average Convergence-Divergence Method".
    """

    presets: ClassVar[Presets] = {
        "conservative": {"fast": 16, "slow": 34, "signal": 12, "atr_multiplier": 2.5},
        "moderate": {},
        "aggressive": {"fast": 8, "slow": 20, "signal": 7, "atr_multiplier": 1.5},
    }

    fast: int = parameter(12, low=8, high=20, step=1, unit="bars", help="Period of the fast EMA.")
    slow: int = parameter(26, low=20, high=40, step=2, unit="bars", help="Period of the slow EMA.")
    signal: int = parameter(
        9, low=5, high=15, step=1, unit="bars", help="Period of the signal line's EMA."
    )
    atr_period: int = parameter(
        14, low=7, high=21, step=1, unit="bars", help="Period of the average true range."
    )
    atr_multiplier: float = parameter(
        2.0, low=1.0, high=4.0, step=0.5, unit="ATR", help="Distance of the stop from the close."
    )
    reward_ratio: float = parameter(
        2.0, low=1.5, high=4.0, step=0.5, unit="stop distances", help="Distance of the target."
    )
    require_histogram: bool = parameter(
        True, help="Enter only where the histogram has the crossing's sign, as at an exact cross."
    )

    def check(self) -> None:
        """Raise ParameterFault unless the fast period is below the slow one."""
        if self.fast >= self.slow:
            raise ParameterFault(
                "parameter fast of MacdTrend", f"below slow ({self.slow})", repr(self.fast)
            )

    def min_bars(self) -> int:
        """Return the bars before both lines have been on two bars and the stop is known."""
        return max(self.slow + self.signal, self.atr_period)

    def signals(self, klines: Klines) -> Signals:
        """Return the wishes at each close [T]."""
        decided = _decided(klines.close, self.fast, self.slow, self.signal)
        return atr_bracketed(
            klines, decided, self.atr_period, self.atr_multiplier, self.reward_ratio
        )


@shared
def _decided(close: F64_1D, fast: int, slow: int, signal: int) -> Decisions:
    """Return what sets that differ in their levels alone decide.

    A crossing is exact, so the histogram has its sign, whether that is required or not.
    """
    line = macd_line(close, fast, slow)
    return decisions(*crossings(line, ema(line, signal)))
