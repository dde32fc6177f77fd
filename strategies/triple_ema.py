"""Follow the trend when three averages fall into line."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from engines.errors import ParameterFault
from engines.features._shared import shared
from engines.features.events import compared
from engines.features.moving_averages import ema
from engines.klines import Klines
from engines.signals import Signals
from engines.types import F64_1D
from strategies.base import Presets, SignalStrategy, parameter
from strategies.levels import Decisions, atr_bracketed, decisions, newly, previous


@dataclass(frozen=True)
class TripleEma(SignalStrategy):
    """A trend is there when a fast, a middle and a slow average lie in its order.

    Rule: enter long on the bar that brings fast > mid > slow about, with the close above the fast
    EMA; short on the bar that brings fast < mid < slow about, with the close below it. The stop
    lies `atr_multiplier` average true ranges from the deciding close, the target `reward_ratio`
    times as far on the other side; an opposite change reverses.

    Source: the triple crossover, R. C. Allen (1972); Murphy, "Technical Analysis of the Financial
    Markets" (1999), chapter 9.
    """

    presets: ClassVar[Presets] = {
        "conservative": {"fast": 8, "mid": 20, "slow": 55, "atr_multiplier": 2.5},
        "moderate": {},
        "aggressive": {"fast": 3, "mid": 10, "slow": 25, "atr_multiplier": 1.5},
    }

    fast: int = parameter(5, low=3, high=10, step=1, unit="bars", help="Period of the fast EMA.")
    mid: int = parameter(13, low=10, high=20, step=1, unit="bars", help="Period of the middle EMA.")
    slow: int = parameter(34, low=25, high=55, step=3, unit="bars", help="Period of the slow EMA.")
    atr_period: int = parameter(
        14, low=7, high=21, step=1, unit="bars", help="Period of the average true range."
    )
    atr_multiplier: float = parameter(
        2.0, low=1.5, high=4.0, step=0.5, unit="ATR", help="Distance of the stop from the close."
    )
    reward_ratio: float = parameter(
        2.0, low=1.5, high=4.0, step=0.5, unit="stop distances", help="Distance of the target."
    )

    def check(self) -> None:
        """Raise ParameterFault unless the periods ascend."""
        for low, high in (("fast", "mid"), ("mid", "slow")):
            if getattr(self, low) >= getattr(self, high):
                raise ParameterFault(
                    f"parameter {low} of TripleEma",
                    f"below {high} ({getattr(self, high)})",
                    repr(getattr(self, low)),
                )

    def min_bars(self) -> int:
        """Return the bars before the order of the averages is known twice, and the stop."""
        return max(self.slow + 1, self.atr_period)

    def signals(self, klines: Klines) -> Signals:
        """Return the wishes at each close [T]."""
        decided = _decided(klines.close, self.fast, self.mid, self.slow)
        return atr_bracketed(
            klines, decided, self.atr_period, self.atr_multiplier, self.reward_ratio
        )


@shared
def _decided(close: F64_1D, *periods: int) -> Decisions:
    """Return what sets that differ in their levels alone decide, by the three periods."""
    fast, mid, slow = (ema(close, period) for period in periods)
    was_known = ~np.isnan(previous(slow))
    over, under = compared(fast, mid), compared(mid, slow)
    rises, falls = over.above & under.above, over.below & under.below
    trend = compared(close, fast)
    up, down = newly(rises) & was_known, newly(falls) & was_known
    return decisions(up & trend.above, down & trend.below)
