"""What a venue owes the rest of the program: its instruments, its bars, its funding, its clock.

Times are UTC milliseconds of the venue's own clock. A range is half open: [since_ms, until_ms), by
the time a bar opens or a funding settles. Bars are closed ones only; what the venue lacks in the
range is lacking in the answer, and nothing is invented. Every failure is a `VenueFault`.
"""

from collections.abc import AsyncGenerator, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from engines.funding import Funding
from engines.instrument import Instrument
from engines.klines import Klines
from engines.live.events import KlineSeen, StreamLost, StreamOpened
from engines.series import SeriesKey

StreamEvent = KlineSeen | StreamOpened | StreamLost


@dataclass(frozen=True, slots=True)
class Listing:
    """An instrument as the venue lists it now; None: the venue does not say, or has none."""

    instrument: Instrument
    is_trading: bool
    launched_ms: int | None = None
    funding_interval_ms: int | None = None


class MarketVenue(Protocol):
    """The market's side of an exchange: everything that needs no key."""

    @property
    def name(self) -> str:
        """Return what its series are stored under, as in `SeriesKey.venue`."""
        ...

    @property
    def page_bars(self) -> int:
        """Return how many bars one request brings at most."""
        ...

    async def time_ms(self) -> int:
        """Return the venue's time."""
        ...

    async def instruments(self) -> Mapping[str, Listing]:
        """Return what is listed, by ccxt's unified symbol."""
        ...

    async def klines(self, key: SeriesKey, since_ms: int, until_ms: int) -> Klines | None:
        """Return the closed bars of a range, ascending; None if the venue has none.

        Raises: SymbolRefused or RequestRefused for a series that the venue does not have.
        """
        ...

    async def funding(self, symbol: str, since_ms: int, until_ms: int) -> Funding | None:
        """Return the settled funding of a range, ascending; None if the venue has none."""
        ...

    def watch_klines(self, keys: Collection[SeriesKey]) -> AsyncGenerator[StreamEvent, None]:
        """Yield what the venue's stream tells of these series, until it is closed.

        A cut is told as StreamLost and the stream is opened again; what was missed is not made
        up for here.
        """
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...
