"""Follow price out of a volatility channel, on volume."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from engines.features._columns import aligned
from engines.features._compiled import compiled
from engines.features._shared import shared
from engines.features.moving_averages import sma
from engines.features.volatility import atr
from engines.klines import Klines
from engines.signals import Signals
from engines.types import BOOL_1D, F64_1D
from strategies.base import Presets, SignalStrategy, parameter
from strategies.levels import Decisions, atr_bracketed, decisions


@dataclass(frozen=True)
class AtrBreakout(SignalStrategy):
    """A move of several usual ranges from the mean, on high volume, is the start of a trend.

    Rule: the levels are SMA(lookback) of the close +/- `atr_multiplier` average true ranges. Enter
    long when the high reaches the upper level and the bar before did not reach its own, the volume
    being at least `volume_threshold` times its average; short when the low reaches the lower level
    likewise. A bar that reaches both levels decides nothing. Levels and averages include the
    deciding bar: all is decided at its close. Close when the bar reaches the opposite level. The
    stop lies `stop_multiplier` average true ranges from the deciding close, the target
    `reward_ratio` times as far on the other side; an opposite entry reverses.

    Source: Chester Keltner's channel (1960) in Linda Raschke's form with Wilder's range (1978);
    volume confirmation: Dow theory.
    """

    presets: ClassVar[Presets] = {
        "conservative": {"atr_multiplier": 2.0, "lookback": 40, "volume_threshold": 2.0},
        "moderate": {},
        "aggressive": {"atr_multiplier": 1.25, "lookback": 10, "volume_confirm": False},
    }

    atr_period: int = parameter(
        14, low=7, high=21, step=1, unit="bars", help="Period of the average true range."
    )
    atr_multiplier: float = parameter(
        1.5, low=1.0, high=3.0, step=0.25, unit="ATR", help="Distance of the levels from the mean."
    )
    lookback: int = parameter(
        20, low=10, high=50, step=5, unit="bars", help="Period of the means of close and volume."
    )
    stop_multiplier: float = parameter(
        2.0, low=1.5, high=4.0, step=0.5, unit="ATR", help="Distance of the stop from the close."
    )
    reward_ratio: float = parameter(
        2.0, low=2.0, high=5.0, step=0.5, unit="stop distances", help="Distance of the target."
    )
    volume_confirm: bool = parameter(True, help="Enter only on volume well above its average.")
    volume_threshold: float = parameter(
        1.5, low=1.2, high=3.0, step=0.1, unit="average volumes", help="Least volume to enter on."
    )

    def min_bars(self) -> int:
        """Return the bars before the levels have been on two bars."""
        return max(self.lookback, self.atr_period) + 1

    def signals(self, klines: Klines) -> Signals:
        """Return the wishes at each close [T]."""
        threshold = self.volume_threshold if self.volume_confirm else None
        decided = _decided(
            klines.high, klines.low, klines.close, klines.volume, self.atr_period,
            self.atr_multiplier, self.lookback, threshold,
        )  # fmt: skip # columns, then terms
        return atr_bracketed(
            klines, decided, self.atr_period, self.stop_multiplier, self.reward_ratio
        )


@shared
def _decided(
    high: F64_1D, low: F64_1D, close: F64_1D, volume: F64_1D, atr_period: int, multiplier: float,
    lookback: int, threshold: float | None,
) -> Decisions:  # fmt: skip # columns, then the strategy's terms
    """Return what sets that differ in their levels alone decide."""
    middle, ranges = sma(close, lookback), atr(high, low, close, atr_period)
    found = _breakouts(high, low, middle, ranges, multiplier)
    up, down = found.up, found.down
    if threshold is not None:
        is_loud = _beyond(volume, sma(volume, lookback), threshold)
        up, down = up & is_loud, down & is_loud
    return decisions(up, down, found.below, found.above)


class Breakouts(NamedTuple):
    """Where a bar reaches beyond a level, and where it does anew and on one side, bool [T] each."""

    above: BOOL_1D
    below: BOOL_1D
    up: BOOL_1D
    down: BOOL_1D


@shared
def _breakouts(
    high: F64_1D, low: F64_1D, middle: F64_1D, ranges: F64_1D, multiplier: float
) -> Breakouts:
    """Return where bars reach so many ranges from the middle, the same for many sets."""
    found = Breakouts(*np.empty((4, high.size), np.bool_))
    known = np.empty(high.size, np.bool_)
    high, low, middle, ranges = aligned(high=high, low=low, middle=middle, ranges=ranges)
    _find_breakouts(high, low, middle, ranges, float(multiplier), *found, known)
    return found


@compiled
def _find_breakouts(
    high: F64_1D, low: F64_1D, middle: F64_1D, ranges: F64_1D, multiplier: float, above: BOOL_1D,
    below: BOOL_1D, up: BOOL_1D, down: BOOL_1D, known: BOOL_1D,
) -> None:  # fmt: skip # what is read, what is filled, and where levels are known
    """Find breakouts in two passes without a branch: levels first, then what is new."""
    for t in range(high.size):
        reach = multiplier * ranges[t]
        top, bottom = middle[t] + reach, middle[t] - reach
        above[t], below[t], known[t] = high[t] >= top, low[t] <= bottom, top == top
    up[:1], down[:1] = False, False
    for t in range(1, high.size):
        may_enter = known[t - 1] & (above[t] != below[t])
        up[t] = above[t] & (not above[t - 1]) & may_enter
        down[t] = below[t] & (not below[t - 1]) & may_enter


@shared
def _beyond(volume: F64_1D, average: F64_1D, threshold: float) -> BOOL_1D:
    """Return where volume is so many times its average or more, the same for many sets."""
    found: BOOL_1D = volume >= threshold * average
    return found
