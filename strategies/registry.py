"""The built-in strategies by name, each imported only when it is asked for.

A registration names the module and the class instead of holding them: listing what there is must
not import Numba, and a backtest of one strategy must not compile the others.
"""

import difflib
import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engines.errors import StrategyFault

if TYPE_CHECKING:
    from strategies.base import Strategy


@dataclass(frozen=True, slots=True)
class Registration:
    """One built-in strategy: where its class is, and what a list of them shows.

    `intervals` are those it is meant for. Parameters and presets are on the class alone.
    """

    id: str
    module: str
    class_name: str
    category: str
    summary: str
    tags: tuple[str, ...]
    intervals: tuple[str, ...]

    def load(self) -> "type[Strategy]":
        """Import and return the class."""
        from strategies.base import Strategy

        loaded = getattr(importlib.import_module(self.module), self.class_name)
        assert isinstance(loaded, type)
        assert issubclass(loaded, Strategy)
        return loaded


_ALL = (
    Registration(
        id="atr_breakout",
        module="strategies.atr_breakout",
        class_name="AtrBreakout",
        category="breakout",
        summary="Price leaves a channel of mean +/- ATR on high volume; closes at the other edge.",
        tags=("volatility", "volume", "both sides"),
        intervals=("15m", "1h", "4h"),
    ),
    Registration(
        id="bollinger_bands",
        module="strategies.bollinger_bands",
        class_name="BollingerBands",
        category="mean reversion",
        summary="An outer Bollinger band is reached while RSI is stretched; closes at the middle.",
        tags=("bands", "rsi", "both sides"),
        intervals=("15m", "30m", "1h"),
    ),
    Registration(
        id="channel_breakout",
        module="strategies.channel_breakout",
        class_name="ChannelBreakout",
        category="breakout",
        summary="Stop entries one tick outside the channel of the last bars; always in the market.",
        tags=("channel", "orders", "always in"),
        intervals=("1h", "4h", "1d"),
    ),
    Registration(
        id="dca",
        module="strategies.dca",
        class_name="Dca",
        category="accumulation",
        summary="Buys at fixed times, more on a dip; sells all at a target above the average.",
        tags=("averaging", "long only", "no stop"),
        intervals=("1h", "4h", "1d"),
    ),
    Registration(
        id="donchian_breakout",
        module="strategies.donchian_breakout",
        class_name="DonchianBreakout",
        category="breakout",
        summary="A new extreme of N bars, as Turtles trade it; closes at the extreme of M bars.",
        tags=("channel", "turtles", "both sides"),
        intervals=("1h", "4h", "1d"),
    ),
    Registration(
        id="ema_crossover",
        module="strategies.ema_crossover",
        class_name="EmaCrossover",
        category="trend",
        summary="A fast EMA crosses a slow one on the right side of a trend EMA; ATR stop, target.",
        tags=("averages", "both sides"),
        intervals=("15m", "1h", "4h"),
    ),
    Registration(
        id="grid_trading",
        module="strategies.grid_trading",
        class_name="GridTrading",
        category="grid",
        summary="Buys each step down, sells each step up inside a range; a target one step away.",
        tags=("range", "many orders", "both sides"),
        intervals=("5m", "15m", "1h"),
    ),
    Registration(
        id="macd_trend",
        module="strategies.macd_trend",
        class_name="MacdTrend",
        category="trend",
        summary="MACD crosses its signal line; ATR stop and target.",
        tags=("macd", "both sides"),
        intervals=("1h", "4h", "1d"),
    ),
    Registration(
        id="rsi_mean_reversion",
        module="strategies.rsi_mean_reversion",
        class_name="RsiMeanReversion",
        category="mean reversion",
        summary="RSI enters an extreme zone; closes when it is back in the middle.",
        tags=("rsi", "both sides"),
        intervals=("15m", "1h"),
    ),
    Registration(
        id="rsi_momentum",
        module="strategies.rsi_momentum",
        class_name="RsiMomentum",
        category="momentum",
        summary="RSI crosses its middle on the side of the trend EMA; closes on the cross back.",
        tags=("rsi", "averages", "both sides"),
        intervals=("30m", "1h", "4h"),
    ),
    Registration(
        id="stochastic_momentum",
        module="strategies.stochastic_momentum",
        class_name="StochasticMomentum",
        category="momentum",
        summary="%K crosses %D inside an extreme zone; closes in the opposite zone.",
        tags=("stochastic", "both sides"),
        intervals=("15m", "1h", "4h"),
    ),
    Registration(
        id="triple_ema",
        module="strategies.triple_ema",
        class_name="TripleEma",
        category="trend",
        summary="Three EMAs fall into the order of a trend; ATR stop and target.",
        tags=("averages", "both sides"),
        intervals=("1h", "4h"),
    ),
)
REGISTRY: dict[str, Registration] = {item.id: item for item in _ALL}


def registration(id: str) -> Registration:
    """Return the registration of `id`.

    Raises: StrategyFault if there is none, with the nearest name if one is near.
    """
    found = REGISTRY.get(id)
    if found is None:
        near = difflib.get_close_matches(id, REGISTRY, n=1)
        known = f"{near[0]} (did you mean it?)" if near else f"one of {', '.join(REGISTRY)}"
        raise StrategyFault("strategy", f"{known}, or path/to/file.py:ClassName", repr(id))
    return found
