"""What one series of a venue's bars is called, stored or streamed.

A key names a series for ever: the venue, ccxt's unified symbol (`BTC/USDT:USDT` is the perpetual,
`BTC/USDT` the spot market), the interval, and whose price it is. Two different series never share a
key, so that a symbol that is unknown is an error and never another symbol's bars.
"""

from dataclasses import dataclass
from enum import StrEnum

from engines.klines import interval_text


class PriceKind(StrEnum):
    """Whose price a bar is made of: the last trade's, or the venue's fair (mark) price."""

    LAST = "last"
    MARK = "mark"


@dataclass(frozen=True, slots=True, order=True)
class SeriesKey:
    """The name of one series of bars."""

    venue: str
    symbol: str
    interval_ms: int
    price: PriceKind = PriceKind.LAST

    def __str__(self) -> str:
        mark = "" if self.price is PriceKind.LAST else f" {self.price}"
        return f"{self.venue} {self.symbol} {interval_text(self.interval_ms)}{mark}"


@dataclass(frozen=True, slots=True, order=True)
class FundingKey:
    """The name of one series of funding settlements."""

    venue: str
    symbol: str

    def __str__(self) -> str:
        return f"funding of {self.venue} {self.symbol}"
