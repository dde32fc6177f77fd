"""The feed of a venue: bars of many series, each in order and exactly once.

Theory. Every series owes one bar at a time: the next one after the last that was handed out. A bar
is known to be closed from two sources only: the stream says so (`is_closed`), or the venue's
history holds it once it is *due*, closed for `grace_ms`. What the stream says of an open bar is a
sign of life and nothing more, so a confirmation that never comes costs the grace and no bar.

States of a series, by what it waits for:

    nothing      the next bar is not due; the stream may bring it at any moment
    the venue    the next bar is due, or what was said is in doubt (a restart, a new connection, an
                 old bar told otherwise): one request, then again after a growing delay
    the store    closed bars without a hole are being written; they are handed out when they are
                 on disk, never before, so that a restart goes on from the store and nothing is
                 lost or repeated: stored and handed out are the same thing, also where somebody
                 else has stored a bar with other values, which is alerted

Confirmed bars beyond the next one wait for it; history fills the hole first, whatever made it: a
cut, a lost or reordered message, a restart, years of history at the beginning. So the stream only
makes the feed fast; that it is complete rests on the clock and the venue's history.

Invariants. Bars of a series are handed out in ascending order, each once, never unclosed, never
before they are stored. A series has at most one request or one write under way, and the feed at
most `fetches_max` requests; the others wait in line, one place a series. What is remembered of a
series is bounded: `overlap_bars` handed out, `ahead_bars_max` waiting plus one answer, one bucket
of each longer interval (`derived`), a short story of events.

Failure modes. A bar that `gap_answers` answers lack although a later one exists was never made: a
gap, alerted and stepped over; if it comes after all it is alerted and not handed out. What the
stream tells otherwise than it was handed out is a doubt, for messages come late and twice; the
venue's history decides, and each answer repeats the newest `overlap_bars`, so that a correction
made during a cut is seen too. A corrected bar is flagged, never handed out again. A series
that is silent for too long gets a new connection. Bars that cannot be true are alerted and count
as missing. The same events give the same instructions: there is no clock and no chance here.
"""

from collections.abc import Iterator

from engines.klines import interval_text
from engines.live.derived import bucket_ms
from engines.live.events import (
    Alert,
    AlertKind,
    ClockTicked,
    FeedEvent,
    FeedInstruction,
    HistoryFailed,
    HistoryFetched,
    KlineSeen,
    KlinesStored,
    SeriesAdded,
    SeriesRemoved,
    StoreFailed,
    StreamLost,
    StreamOpened,
    Watch,
)
from engines.live.feed_series import FeedTerms, SeriesFeed
from engines.series import PriceKind, SeriesKey

NAMED_MAX = 3


def resume_since_ms(
    key: SeriesKey, derived_ms: tuple[int, ...], last_ms: int, terms: FeedTerms
) -> int:
    """Return from where a restart needs the stored bars, the last of which opens at `last_ms`."""
    starts = [bucket_ms(last_ms, interval_ms) - key.interval_ms for interval_ms in derived_ms]
    return min([last_ms - terms.overlap_bars * key.interval_ms, *starts])


class FeedState:
    """All series of one venue; `handle` is the only way in."""

    def __init__(self, terms: FeedTerms | None = None) -> None:
        self.terms = terms or FeedTerms()
        self._series: dict[SeriesKey, SeriesFeed] = {}
        self._waiting: dict[SeriesKey, None] = {}
        self._asking: set[SeriesKey] = set()
        self._watch_changed = False
        self._watched_ms = 0

    def handle(self, event: FeedEvent) -> list[FeedInstruction]:
        """Take what happened and return what is to be done about it, in this order."""
        if isinstance(
            event, KlineSeen | HistoryFetched | HistoryFailed | KlinesStored | StoreFailed
        ):
            series = self._series.get(event.key)
            if series is None:
                return []
            asked = list(_told(series, event))
            self._review(series, event.time_ms)
        else:
            asked = list(self._concerning_all(event))
        return [*asked, *self._requests(event.time_ms)] if self._waiting else asked

    def story(self, key: SeriesKey) -> tuple[FeedEvent, ...]:
        """Return the last events that led a series to its state, states of open bars left out."""
        return tuple(self._series[key].story)

    def _concerning_all(self, event: FeedEvent) -> Iterator[FeedInstruction]:
        """Take an event that is about more than the next bar of one series."""
        match event:
            case SeriesAdded():
                assert event.key not in self._series, f"{event.key} is fed already"
                series = self._series[event.key] = SeriesFeed(event, self.terms)
                series.remember(event)
                self._watch_changed = True
                self._review(series, event.time_ms)
            case SeriesRemoved():
                del self._series[event.key]
                self._waiting.pop(event.key, None)
                self._asking.discard(event.key)
                self._watch_changed = True
            case StreamOpened():
                for series in self._known(event.keys):
                    series.remember(event)
                    series.reconnected(event.time_ms)
                    self._review(series, event.time_ms)
            case StreamLost():
                for series in self._known(event.keys):
                    series.remember(event)
                yield _alert(AlertKind.STREAM_LOST, event.keys, event.reason, event.time_ms)
            case ClockTicked():
                yield from self._ticked(event.time_ms)

    def _known(self, keys: tuple[SeriesKey, ...]) -> Iterator[SeriesFeed]:
        return (self._series[key] for key in keys if key in self._series)

    def _ticked(self, time_ms: int) -> Iterator[FeedInstruction]:
        for series in self._series.values():
            yield from series.ticked(time_ms)
            self._review(series, time_ms)
        # Nobody streams a mark price's bars: these come from history alone.
        streamed = tuple(key for key in self._series if key.price is PriceKind.LAST)
        if self._watch_changed:
            self._watch_changed, self._watched_ms = False, time_ms
            yield Watch(streamed, False, time_ms)
        # A dead connection is noticed series by series; one new connection serves them all.
        elif time_ms - self._watched_ms >= self.terms.silence_ms:
            silent = tuple(key for key in streamed if self._series[key].is_silent(time_ms))
            if silent:
                self._watched_ms = time_ms
                text = f"nothing heard for {self.terms.silence_ms / 1000:g} s; connecting again"
                yield _alert(AlertKind.SILENT, silent, text, time_ms)
                yield Watch(streamed, True, time_ms)

    def _review(self, series: SeriesFeed, time_ms: int) -> None:
        """Note whether a series is asking, or waits to ask."""
        if not series.is_asking:
            self._asking.discard(series.key)
            if series.wants_history(time_ms):
                self._waiting.setdefault(series.key)

    def _requests(self, time_ms: int) -> Iterator[FeedInstruction]:
        """Ask for those that wait, first come first served, while there is room."""
        while self._waiting and len(self._asking) < self.terms.fetches_max:
            key = next(iter(self._waiting))
            del self._waiting[key]
            series = self._series[key]
            # It may have got what it wanted while it waited.
            if series.wants_history(time_ms) and (request := series.ask(time_ms)):
                self._asking.add(key)
                yield request


def _told(series: SeriesFeed, event: FeedEvent) -> Iterator[FeedInstruction]:
    """Return what a series makes of an event of its own."""
    if isinstance(event, KlineSeen):
        return series.see(event)
    series.remember(event)
    match event:
        case HistoryFetched():
            return series.fetched(event)
        case HistoryFailed():
            return series.failed(event)
        case KlinesStored():
            return series.stored(event)
        case StoreFailed():
            return series.not_stored(event)
    raise AssertionError(f"{event} concerns no single series")


def _alert(kind: AlertKind, keys: tuple[SeriesKey, ...], text: str, time_ms: int) -> Alert:
    """Return one alert for many series, some of them named."""
    if len(keys) == 1:
        return Alert(kind, keys[0], text, time_ms)
    names = ", ".join(f"{key.symbol} {interval_text(key.interval_ms)}" for key in keys[:NAMED_MAX])
    more = f" and {len(keys) - NAMED_MAX} more" if len(keys) > NAMED_MAX else ""
    return Alert(kind, None, f"{names}{more}: {text}", time_ms)
