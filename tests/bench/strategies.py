"""Strategies of the benchmarks, written as a user would."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engines.context import Context
from engines.features.events import crossover, crossunder
from engines.features.moving_averages import ema
from engines.features.oscillators import rsi
from engines.klines import Klines
from engines.signals import Signals
from engines.trades import Side
from engines.types import F64_1D
from strategies.base import OrderStrategy, SignalStrategy


@dataclass(frozen=True)
class RsiReversion(SignalStrategy):
    """RSI leaves the outer bands; the plan sets the stop."""

    def signals(self, klines: Klines) -> Signals:
        value = rsi(klines.close, 14)
        never = np.zeros(len(klines), dtype=np.bool_)
        return Signals(crossover(value, 30.0), never, crossunder(value, 70.0), never)


@dataclass(frozen=True)
class EmaCrossOnBar(OrderStrategy):
    """Two averages, always in the market, decided bar by bar."""

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        return {"fast": ema(klines.close, 9), "slow": ema(klines.close, 21)}

    def on_bar(self, ctx: Context) -> None:
        fast, slow = ctx["fast"], ctx["slow"]
        if fast[0] > slow[0] and fast[1] <= slow[1]:
            ctx.entry("long", Side.BUY)
        if fast[0] < slow[0] and fast[1] >= slow[1]:
            ctx.entry("short", Side.SELL)
