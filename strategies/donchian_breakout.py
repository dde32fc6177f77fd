"""Follow price out of the channel of the bars before."""

from dataclasses import dataclass
from typing import ClassVar

from engines.errors import ParameterFault
from engines.features._shared import shared
from engines.features.extremes import highest, lowest
from engines.klines import Klines
from engines.signals import Signals
from engines.types import F64_1D
from strategies.base import Presets, SignalStrategy, parameter
from strategies.levels import Decisions, atr_bracketed, decisions, previous


@dataclass(frozen=True)
class DonchianBreakout(SignalStrategy):
    """A new extreme of the last N bars is the start of a trend, until the opposite of M bars.

    Rule: enter long when the high reaches the highest high of the previous `channel_period` bars,
    short when the low reaches their lowest low; close a long when the low reaches the lowest low
    of the previous `exit_period` bars, a short mirrored, and a bar that does both opens nothing.
    The current bar is never part of its own channel. The stop is the channel's opposite edge, yet
    at least one average true range from the deciding close (after a bar that falls back through
    its channel the edge would lie on the wrong side); the target lies `reward_ratio` times as far
    on the other side; an opposite entry reverses.

    Source: Richard Donchian's four-week rule; the Turtles' system 1 (20 in, 10 out), Curtis Faith,
    "The Original Turtle Trading Rules" (2003).
    """

    presets: ClassVar[Presets] = {
        "conservative": {"channel_period": 55, "exit_period": 20, "reward_ratio": 3.0},
        "moderate": {},
        "aggressive": {"channel_period": 10, "exit_period": 5},
    }

    channel_period: int = parameter(
        20, low=10, high=55, step=5, unit="bars", help="Bars of the channel to enter by."
    )
    exit_period: int = parameter(
        10, low=5, high=20, step=5, unit="bars", help="Bars of the channel to close by."
    )
    atr_period: int = parameter(
        14, low=7, high=21, step=1, unit="bars", help="Period of the range that is the least stop."
    )
    reward_ratio: float = parameter(
        2.0, low=2.0, high=5.0, step=0.5, unit="stop distances", help="Distance of the target."
    )

    def check(self) -> None:
        """Raise ParameterFault if the exit's channel is longer than the entry's."""
        if self.exit_period > self.channel_period:
            raise ParameterFault(
                "parameter exit_period of DonchianBreakout",
                f"at most channel_period ({self.channel_period})",
                repr(self.exit_period),
            )

    def min_bars(self) -> int:
        """Return the bars before a bar has a whole channel behind it and the range is known."""
        return max(self.channel_period + 1, self.atr_period)

    def signals(self, klines: Klines) -> Signals:
        """Return the wishes at each close [T]."""
        high, low = klines.high, klines.low
        edges = _edges(high, low, self.channel_period)
        decided = _decided(high, low, *edges, *_edges(high, low, self.exit_period))
        return atr_bracketed(klines, decided, self.atr_period, 1.0, self.reward_ratio, edges)


def _edges(high: F64_1D, low: F64_1D, bars: int) -> tuple[F64_1D, F64_1D]:
    """Return the bottom and the top of the channel of the bars before each."""
    return previous(lowest(low, bars)), previous(highest(high, bars))


@shared
def _decided(
    high: F64_1D, low: F64_1D, bottom: F64_1D, top: F64_1D, near_bottom: F64_1D, near_top: F64_1D
) -> Decisions:
    """Return what sets that differ in their levels alone decide, by the edges of both channels."""
    falls, rises = low <= near_bottom, high >= near_top
    return decisions((high >= top) & ~falls, (low <= bottom) & ~rises, falls, rises)
