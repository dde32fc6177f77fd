"""How far a market or stop fill slips against its order.

Theory. The ticks of the kind TICKS are TradingView's: a fixed number, added to the price of the
fill. Every other kind moves the price by a ratio and rounds it to the tick against the order:

    ratio       slippage_ratio
    volume      volume_impact x own quantity / volume of the last closed bar
    volatility  volatility_factor x ATR / close of the last closed bar
    combined    the sum of the three

All of it is known before the fill: the last closed bar is the one before the bar of the fill (on
the first bar, where nothing can fill before the close, that bar itself). The own quantity is what
the order asks for. It counts at most as much as the bar's whole volume, and a bar in which nothing
was traded counts as one wholly taken, so that the impact never exceeds `volume_impact`. Until the
ATR's first period is over it is the mean of the true ranges so far. No slippage makes a price
vanish: the lowest fill is at one tick.
Source: square-root and linear impact laws in Almgren and Chriss (2000); the linear one is used, as
in Zipline's and LEAN's volume share models.
"""

import numpy as np

from engines.costs import Costs, SlippageKind
from engines.features.volatility import atr, true_range
from engines.instrument import Instrument
from engines.klines import Klines
from engines.trades import Side
from engines.types import F64_1D


class Slippage:
    """Slippage of one run; ticks in, ticks out. `is_free` where nothing ever slips."""

    def __init__(self, costs: Costs, klines: Klines, instrument: Instrument) -> None:
        self.is_sized = costs.volume_impact is not None  # depends on the quantity
        self.is_free = costs.slippage_kind is SlippageKind.TICKS and not costs.slippage_ticks
        self._ticks = costs.slippage_ticks
        self._instrument = instrument
        self._impact = costs.volume_impact or 0.0
        self._volumes: list[float] = klines.volume.tolist() if self._impact else []
        self._ratios: list[float] | None = None
        if costs.slippage_kind is not SlippageKind.TICKS:
            self._ratios = _fixed_ratios(costs, klines).tolist()

    def ratio(self, qty: float, bar_index: int) -> float:
        """Return by what share of its price a fill of `qty` contracts slips in this bar."""
        assert self._ratios is not None
        known = max(0, bar_index - 1)
        ratio = self._ratios[known]
        if self._impact:
            volume = self._volumes[known]
            ratio += self._impact * (1.0 if qty >= volume else qty / volume)
        return ratio

    def slipped_ticks(self, ticks: int, side: Side, qty: float, bar_index: int) -> int:
        """Return where a fill on `side` ends that was due at `ticks`."""
        if self._ratios is None:
            return max(1, ticks + side * self._ticks)
        instrument = self._instrument
        price = instrument.price_of(ticks) * (1 + side * self.ratio(qty, bar_index))
        # Rounding never gives back what slippage took, and noise never turns it around.
        if side is Side.BUY:
            return max(1, ticks, instrument.ticks_up(price))
        return max(1, min(ticks, instrument.ticks_down(price)))

    def expected(self, side: Side, price: float, bar_index: int) -> float:
        """Return the slippage in quote, against `side` signed, that sizing at a close reckons with.

        Known is what does not depend on the quantity: the impact of volume is left out.
        """
        if self._ratios is None:
            return side * self._instrument.tick_size * self._ticks
        return side * price * self._ratios[bar_index]


def _fixed_ratios(costs: Costs, klines: Klines) -> F64_1D:
    """Return the share of price by which fills after each bar slip, volume left out [T]."""
    ratios = np.full(len(klines), costs.slippage_ratio or 0.0)
    if costs.volatility_factor:
        ranges = true_range(klines.high, klines.low, klines.close, handle_na=True)
        mean = np.cumsum(ranges) / np.arange(1, len(ranges) + 1)
        average = atr(klines.high, klines.low, klines.close, costs.slippage_period)
        average = np.where(np.isnan(average), mean, average)
        ratios += costs.volatility_factor * average / klines.close
    return ratios
