"""What can happen to a feed and what it can ask for: the one vocabulary of core and shell.

Events are facts, named in the past tense; each carries `time_ms`, the venue's time as well as the
shell knows it, since the core has no clock. Instructions are wishes in the imperative; the shell
performs them and tells what came of each as a further event. All are frozen and hold plain values,
so that a journal of events can be written, sent to another process and replayed.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import numpy as np

from engines.errors import KlineFault
from engines.klines import Klines
from engines.series import SeriesKey


@dataclass(frozen=True, slots=True)
class Kline:
    """One bar of a series; `volume` in base currency, `turnover` None where nobody says it."""

    open_time_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    turnover: float | None = None

    def flaw(self) -> str | None:
        """Return what cannot be true of this bar, None if nothing."""
        prices = (self.open, self.high, self.low, self.close)
        if not all(map(math.isfinite, (*prices, self.volume, self.turnover or 0.0))):
            return "a value that is no number"
        if min(prices) <= 0 or self.volume < 0 or (self.turnover or 0.0) < 0:
            return "a price, volume or turnover out of range"
        if self.high < max(self.open, self.close) or self.low > min(self.open, self.close):
            return "open or close beyond high and low"
        return None


def kline_rows(klines: Klines) -> tuple[Kline, ...]:
    """Return columns as single bars."""
    count = len(klines)
    turnover = [None] * count if klines.turnover is None else klines.turnover.tolist()
    columns = (klines.open_time_ms, klines.open, klines.high, klines.low, klines.close)
    values = [column.tolist() for column in (*columns, klines.volume)]
    return tuple(Kline(*row) for row in zip(*values, turnover, strict=True))


def kline_columns(key: SeriesKey, rows: Iterable[Kline]) -> Klines:
    """Return single bars of a series as columns.

    Raises: KlineFault if there are none or one is wrong.
    """
    bars = list(rows)
    columns: dict[str, object] = {
        "open_time_ms": np.array([bar.open_time_ms for bar in bars], np.int64),
        "open": np.array([bar.open for bar in bars], np.float64),
        "high": np.array([bar.high for bar in bars], np.float64),
        "low": np.array([bar.low for bar in bars], np.float64),
        "close": np.array([bar.close for bar in bars], np.float64),
        "volume": np.array([bar.volume for bar in bars], np.float64),
    }
    turnover = [bar.turnover for bar in bars if bar.turnover is not None]
    if len(turnover) == len(bars):
        columns["turnover"] = np.array(turnover, np.float64)
    if not bars:
        raise KlineFault(f"klines of {key}", "at least one bar", "none")
    return Klines.of_columns(key.symbol, key.interval_ms, columns)


# --- events


@dataclass(frozen=True, slots=True)
class SeriesAdded:
    """A series is to be fed, from what is stored on or else from `since_ms` on.

    `derived_ms` are longer intervals to build from it. `stored` are the newest stored bars, at
    least those from `FeedState.resume_since_ms` on; `first_ms` is the open of the oldest stored
    one, None if nothing is stored.
    """

    key: SeriesKey
    derived_ms: tuple[int, ...]
    since_ms: int
    first_ms: int | None
    stored: tuple[Kline, ...]
    time_ms: int


@dataclass(frozen=True, slots=True)
class SeriesRemoved:
    """A series is to be fed no more: the venue does not list it. It may be added again."""

    key: SeriesKey
    time_ms: int


@dataclass(frozen=True, slots=True)
class KlineSeen:
    """The stream told the state of a bar; `is_closed` is None where the source does not say."""

    key: SeriesKey
    open_time_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    turnover: float | None
    is_closed: bool | None
    time_ms: int

    def kline(self) -> Kline:
        """Return the bar alone."""
        return Kline(
            self.open_time_ms,
            self.open,
            self.high,
            self.low,
            self.close,
            self.volume,
            self.turnover,
        )


@dataclass(frozen=True, slots=True)
class StreamOpened:
    """The stream of these series begins, for the first time or again."""

    keys: tuple[SeriesKey, ...]
    time_ms: int


@dataclass(frozen=True, slots=True)
class StreamLost:
    """The stream of these series ended; whoever yields this connects again by itself."""

    keys: tuple[SeriesKey, ...]
    reason: str
    time_ms: int


@dataclass(frozen=True, slots=True)
class HistoryFetched:
    """The venue's closed bars with since_ms <= open < until_ms, ascending, perhaps none."""

    key: SeriesKey
    since_ms: int
    until_ms: int
    klines: tuple[Kline, ...]
    time_ms: int


@dataclass(frozen=True, slots=True)
class HistoryFailed:
    """The venue's bars of this range could not be had."""

    key: SeriesKey
    since_ms: int
    until_ms: int
    reason: str
    time_ms: int


@dataclass(frozen=True, slots=True)
class KlinesStored:
    """The bars of the last `StoreKlines` of this series are on disk, up to this open time.

    `kept` are those that somebody else had stored there already with other values, which stand.
    """

    key: SeriesKey
    last_ms: int
    time_ms: int
    kept: tuple[Kline, ...] = ()


@dataclass(frozen=True, slots=True)
class StoreFailed:
    """The bars of the last `StoreKlines` of this series could not be written."""

    key: SeriesKey
    reason: str
    time_ms: int


@dataclass(frozen=True, slots=True)
class ClockTicked:
    """Time has passed."""

    time_ms: int


FeedEvent: TypeAlias = (
    SeriesAdded
    | SeriesRemoved
    | KlineSeen
    | StreamOpened
    | StreamLost
    | HistoryFetched
    | HistoryFailed
    | KlinesStored
    | StoreFailed
    | ClockTicked
)


# --- instructions; `time_ms` is that of the event they answer


@dataclass(frozen=True, slots=True)
class Watch:
    """Stream exactly these series; `is_anew`: connect again, for the present one is silent."""

    keys: tuple[SeriesKey, ...]
    is_anew: bool
    time_ms: int


@dataclass(frozen=True, slots=True)
class FetchHistory:
    """Ask the venue for the closed bars with since_ms <= open < until_ms."""

    key: SeriesKey
    since_ms: int
    until_ms: int
    time_ms: int


@dataclass(frozen=True, slots=True)
class StoreKlines:
    """Write these bars, which follow the last stored one; answer when they are on disk."""

    key: SeriesKey
    klines: tuple[Kline, ...]
    time_ms: int


@dataclass(frozen=True, slots=True)
class HandOut:
    """Give these bars to whoever follows the series: next in order, never given before."""

    key: SeriesKey
    klines: tuple[Kline, ...]
    time_ms: int


@dataclass(frozen=True, slots=True)
class FlagCorrection:
    """Record that the venue now says otherwise of a bar that was handed out; that one stands."""

    key: SeriesKey
    was: Kline
    now: Kline
    time_ms: int


class AlertKind(StrEnum):
    """What a person should know."""

    SILENT = "silent"
    STREAM_LOST = "stream lost"
    GAP = "gap"
    LATE = "late"
    CORRECTED = "corrected"
    BAD_KLINE = "bad kline"
    NO_HISTORY = "no history"
    NO_STORE = "no store"


@dataclass(frozen=True, slots=True)
class Alert:
    """Tell a person; `key` is None where it concerns the feed as a whole."""

    kind: AlertKind
    key: SeriesKey | None
    text: str
    time_ms: int


FeedInstruction: TypeAlias = Watch | FetchHistory | StoreKlines | HandOut | FlagCorrection | Alert
