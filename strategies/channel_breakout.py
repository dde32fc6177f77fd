"""Buy above the channel of the last bars, sell below it: TradingView's built-in ChannelBreakOut."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from engines.context import Context
from engines.features.extremes import highest, lowest
from engines.klines import Klines
from engines.trades import Side
from engines.types import F64_1D
from strategies.base import OrderStrategy, Presets, parameter


@dataclass(frozen=True)
class ChannelBreakout(OrderStrategy):
    """Be on the side to which price last left the channel of the bars before.

    Rule: keep a stop entry one tick outside each edge of the channel, priced anew at every close;
    each reverses the other. To the letter of the script: the long side waits for `period` earlier
    bars, the short side does not, and while its level is undefined its first order is a market
    order.

    Source: Richard Donchian's channel rule; TradingView's built-in "ChannelBreakOut Strategy".
    """

    presets: ClassVar[Presets] = {
        "conservative": {"period": 55},
        "moderate": {"period": 20},
        "aggressive": {},
    }

    period: int = parameter(5, low=1, high=1000, step=1, unit="bars", help="Bars in the channel.")

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        """Return the channel's edges [T]; NaN in the first `period - 1` bars."""
        return {
            "upper": highest(klines.high, self.period),
            "lower": lowest(klines.low, self.period),
        }

    def on_bar(self, ctx: Context) -> None:
        """Price both stop entries anew."""
        tick = ctx.tick_size
        if ctx.bar_index >= self.period:
            ctx.entry("ChBrkLE", Side.BUY, stop=ctx["upper"][0] + tick)
        ctx.entry("ChBrkSE", Side.SELL, stop=ctx["lower"][0] - tick)
