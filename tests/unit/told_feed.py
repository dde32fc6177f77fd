"""A feed of one series that is told its events one by one."""

from typing import TypeVar

from engines.klines import MINUTE_MS
from engines.live.events import (
    Alert,
    AlertKind,
    ClockTicked,
    FeedEvent,
    FeedInstruction,
    FetchHistory,
    HistoryFetched,
    Kline,
    KlineSeen,
    KlinesStored,
    SeriesAdded,
    StoreKlines,
)
from engines.live.feed import FeedState
from engines.live.feed_series import FeedTerms
from engines.series import SeriesKey

STEP_MS = 15 * MINUTE_MS
T0 = 1_704_067_200_000
KEY = SeriesKey("bybit", "BTC/USDT:USDT", STEP_MS)
TERMS = FeedTerms(overlap_bars=4, ahead_bars_max=3, fetch_bars_max=10)

Wanted = TypeVar("Wanted", bound=FeedInstruction)


def at(bar: int) -> int:
    return T0 + bar * STEP_MS


def kline(bar: int, volume: float = 5.0) -> Kline:
    price = 100.0 + bar
    return Kline(at(bar), price, price + 2, price - 1, price + 1, volume, volume * price)


def klines(first: int, stop: int) -> tuple[Kline, ...]:
    return tuple(map(kline, range(first, stop)))


class Told:
    """A feed of one series, some bars of which are stored; it remembers what was asked last."""

    def __init__(
        self, stored: int = 0, derived_ms: tuple[int, ...] = (), terms: FeedTerms = TERMS
    ) -> None:
        self.state = FeedState(terms)
        self.now_ms = at(stored) + 3000
        first_ms = T0 if stored else None
        added = SeriesAdded(KEY, derived_ms, T0, first_ms, klines(0, stored), self.now_ms)
        self.tell(added)
        self.started = list(self.last)
        if stored:
            self.answer(*klines(0, stored))
            self.tick(self.now_ms + TERMS.retry_ms_max)

    def tell(self, event: FeedEvent) -> list[FeedInstruction]:
        self.now_ms = event.time_ms
        self.last = self.state.handle(event)
        return self.last

    def tick(self, time_ms: int) -> list[FeedInstruction]:
        return self.tell(ClockTicked(time_ms))

    def see(
        self, bar: Kline, is_closed: bool | None = True, time_ms: int = 0
    ) -> list[FeedInstruction]:
        said = (bar.open, bar.high, bar.low, bar.close, bar.volume, bar.turnover, is_closed)
        time_ms = time_ms or max(self.now_ms, bar.open_time_ms + STEP_MS + 100)
        return self.tell(KlineSeen(KEY, bar.open_time_ms, *said, time_ms))

    def answer(self, *bars: Kline, after_ms: int = 50) -> list[FeedInstruction]:
        """Answer the last request."""
        asked = self.the(FetchHistory)
        time_ms = self.now_ms + after_ms
        fetched = HistoryFetched(KEY, asked.since_ms, asked.until_ms, bars, time_ms)
        return self.tell(fetched)

    def write(self) -> list[FeedInstruction]:
        """Say that the last write is on disk."""
        rows = self.the(StoreKlines).klines
        return self.tell(KlinesStored(KEY, rows[-1].open_time_ms, self.now_ms + 5))

    def the(self, kind: type[Wanted]) -> Wanted:
        """Return the only one of this kind of what was asked last."""
        (only,) = (each for each in self.last if isinstance(each, kind))
        return only

    def asks(self) -> bool:
        """Return whether history was asked for last."""
        return any(isinstance(each, FetchHistory) for each in self.last)

    def fetch_all(self) -> list[int]:
        """Answer and write until nothing is asked; return how many bars were asked each time."""
        sizes = []
        while self.asks():
            asked = self.the(FetchHistory)
            first, stop = ((each - T0) // STEP_MS for each in (asked.since_ms, asked.until_ms))
            sizes.append(stop - first)
            self.answer(*klines(first, stop))
            self.write()
        return sizes

    def alerts(self) -> list[AlertKind]:
        return [each.kind for each in self.last if isinstance(each, Alert)]
