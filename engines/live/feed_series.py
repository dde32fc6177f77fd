"""One series of a feed: which bar is owed next, and what is known beyond it.

See `engines/live/feed.py` for the theory; this is its state for a single key. Times are the
venue's. A bar is named by its open; it is *due* once it has been closed for `grace_ms`.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from engines.klines import MINUTE_MS, interval_text, time_text
from engines.live.derived import DerivedSeries, bucket_ms
from engines.live.events import (
    Alert,
    AlertKind,
    FeedEvent,
    FeedInstruction,
    FetchHistory,
    FlagCorrection,
    HandOut,
    HistoryFailed,
    HistoryFetched,
    Kline,
    KlineSeen,
    KlinesStored,
    SeriesAdded,
    StoreFailed,
    StoreKlines,
)

STORY_EVENTS = 32
NOTHING_MS = -1


@dataclass(frozen=True, slots=True)
class FeedTerms:
    """The patience and the bounds of a feed.

    A bar's final values are in the venue's history `grace_ms` after its close; until then the
    stream may bring them. A confirmed bar may close at most `skew_ms` ahead of our clock. Of each
    series `overlap_bars` handed out are compared with every answer, and `ahead_bars_max` from the
    stream wait for one that is missing. Failed requests are repeated after `retry_ms_min`, doubling
    up to `retry_ms_max`, and said after `failures_said`. A bar is believed never to have been when
    `gap_answers` answers in a row lack it: with these delays after half a minute, in which nothing
    later is handed out. A series may be silent for `silence_ms`, doubling up to `silence_ms_max`
    while a new connection does not help.
    """

    grace_ms: int = 2_000
    skew_ms: int = 5_000
    overlap_bars: int = 16
    ahead_bars_max: int = 64
    fetch_bars_max: int = 1_000
    fetches_max: int = 8
    fetch_timeout_ms: int = 2 * MINUTE_MS
    gap_answers: int = 6
    retry_ms_min: int = 1_000
    retry_ms_max: int = MINUTE_MS
    failures_said: int = 6
    silence_ms: int = 150_000
    silence_ms_max: int = 60 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class _Asked:
    """The request that is under way; `is_page`: more bars are due beyond its range."""

    since_ms: int
    until_ms: int
    is_page: bool
    deadline_ms: int

    def is_for(self, answer: HistoryFetched | HistoryFailed) -> bool:
        """Return whether this was the question."""
        return (self.since_ms, self.until_ms) == (answer.since_ms, answer.until_ms)


class _Backoff:
    """How long to wait after each failure in a row."""

    def __init__(self, terms: FeedTerms) -> None:
        self.count = 0
        self._ms_min, self._ms_max = terms.retry_ms_min, terms.retry_ms_max

    def delay_ms(self) -> int:
        """Count a failure and return the time to wait."""
        self.count += 1
        return min(self._ms_min << min(self.count - 1, 32), self._ms_max)


class SeriesFeed:
    """The state of one series; every method returns what it asks for."""

    def __init__(self, added: SeriesAdded, terms: FeedTerms) -> None:
        self.key = key = added.key
        self.terms = terms
        self.heard_ms = added.time_ms
        self.silence_ms = terms.silence_ms
        self.story: deque[FeedEvent] = deque(maxlen=STORY_EVENTS)
        self._step_ms = key.interval_ms
        first_ms = bucket_ms(added.since_ms + self._step_ms - 1, self._step_ms)
        self._next_ms = added.stored[-1].open_time_ms + self._step_ms if added.stored else first_ms
        self._is_begun = bool(added.stored)
        self._past = {bar.open_time_ms: bar for bar in added.stored[-terms.overlap_bars :]}
        self._ahead: dict[int, Kline] = {}
        self._writing: tuple[Kline, ...] = ()
        self._write_again_ms: int | None = None
        self._asked: _Asked | None = None
        self._doubt_ms = max(self._past, default=NOTHING_MS)
        self._ask_from_ms = self._doubt_from_ms = added.time_ms
        self._absences = self._partials = 0
        self._asking, self._storing = _Backoff(terms), _Backoff(terms)
        self.derived = [_resumed(added, interval_ms) for interval_ms in added.derived_ms]

    def remember(self, event: FeedEvent) -> None:
        """Add an event to the story, of many bars only the last."""
        if isinstance(event, HistoryFetched):
            event = replace(event, klines=event.klines[-1:])
        elif isinstance(event, SeriesAdded):
            event = replace(event, stored=event.stored[-1:])
        self.story.append(event)

    # --- what the stream says

    def see(self, seen: KlineSeen) -> Iterator[FeedInstruction]:
        """Take a message of the stream."""
        self.heard_ms = seen.time_ms
        self.silence_ms = self.terms.silence_ms
        if seen.is_closed:
            self.story.append(seen)
        if seen.open_time_ms < self._next_ms:
            self._doubt(seen)
        elif seen.is_closed:
            yield from self._take(seen.kline(), seen.time_ms, self.terms.ahead_bars_max)
            yield from self._advance(seen.time_ms)

    def _doubt(self, seen: KlineSeen) -> None:
        """Let history decide where the stream tells an old bar otherwise.

        It may be a correction, and it may be an older state that comes late. Bars older than those
        that are remembered are left to `data check`.
        """
        if seen.is_closed is False or seen.open_time_ms < min(self._past, default=self._next_ms):
            return
        was = self._past.get(seen.open_time_ms)
        if was is None or _differs(was, seen.kline()):
            self._doubt_ms = max(self._doubt_ms, seen.open_time_ms)

    def reconnected(self, time_ms: int) -> None:
        """Count the time of silence anew and doubt what was said before."""
        self.heard_ms = time_ms
        self._doubt_ms = max([self._doubt_ms, *self._past])

    def is_silent(self, time_ms: int) -> bool:
        """Return whether nothing was heard for longer than is allowed; then allow it longer."""
        if time_ms - self.heard_ms < self.silence_ms:
            return False
        self.silence_ms = min(2 * self.silence_ms, self.terms.silence_ms_max)
        return True

    def _take(self, bar: Kline, time_ms: int, ahead_max: int) -> Iterator[FeedInstruction]:
        """Take a closed bar that was not handed out, from wherever it comes."""
        open_ms = bar.open_time_ms
        flaw = bar.flaw()
        if bucket_ms(open_ms, self._step_ms) != open_ms:
            flaw = f"an open that is no multiple of {interval_text(self._step_ms)}"
        elif open_ms + self._step_ms > time_ms + self.terms.skew_ms:
            flaw = f"a close in the future, now being {time_text(time_ms)}"
        if flaw is not None:
            text = f"bar at {time_text(open_ms)} has {flaw}"
            yield self._alert(AlertKind.BAD_KLINE, text, time_ms)
            return
        known = self._ahead.get(open_ms)
        if known or len(self._ahead) < ahead_max or open_ms == self._next_ms:
            if known and _differs(known, bar):
                self._doubt_ms = max(self._doubt_ms, open_ms)
            self._ahead[open_ms] = bar

    # --- in order: to the store, then out

    def _advance(self, time_ms: int) -> Iterator[FeedInstruction]:
        """Send the bars that follow without a hole to the store, one write at a time."""
        if self._writing:
            return
        run: list[Kline] = []
        while bar := self._ahead.pop(self._next_ms, None):
            run.append(bar)
            self._next_ms += self._step_ms
        if not run:
            return
        self._is_begun, self._absences = True, 0
        self._past.update((bar.open_time_ms, bar) for bar in run[-self.terms.overlap_bars :])
        for old in sorted(self._past)[: -self.terms.overlap_bars]:
            del self._past[old]
        self._writing = tuple(run)
        yield StoreKlines(self.key, self._writing, time_ms)

    def stored(self, event: KlinesStored) -> Iterator[FeedInstruction]:
        """Hand out what is on disk now, and build the longer bars."""
        if not self._writing or event.last_ms != self._writing[-1].open_time_ms:
            return
        kept = {bar.open_time_ms: bar for bar in event.kept}
        done = tuple(kept.get(bar.open_time_ms, bar) for bar in self._writing)
        self._writing, self._storing.count = (), 0
        for open_ms in kept:
            text = f"bar at {time_text(open_ms)} was stored otherwise than the venue says"
            yield self._alert(AlertKind.CORRECTED, text, event.time_ms)
        yield HandOut(self.key, done, event.time_ms)
        for derived in self.derived:
            if longer := tuple(made for bar in done for made in derived.add(bar)):
                yield HandOut(derived.key, longer, event.time_ms)
        yield from self._advance(event.time_ms)

    def not_stored(self, event: StoreFailed) -> Iterator[FeedInstruction]:
        """Write again later; nothing is handed out that a restart would lose."""
        if not self._writing:
            return
        self._write_again_ms = event.time_ms + self._storing.delay_ms()
        if self._storing.count == 1:
            yield self._alert(AlertKind.NO_STORE, event.reason, event.time_ms)

    # --- what the venue's history says

    def wants_history(self, time_ms: int) -> bool:
        """Return whether there is reason to ask the venue and nothing that forbids it now."""
        if self._asked or self._writing or time_ms < self._ask_from_ms:
            return False
        due_ms = self._due_ms(time_ms)
        # History may not have the last word on a bar yet that is not due.
        doubts = NOTHING_MS < self._doubt_ms < due_ms and time_ms >= self._doubt_from_ms
        return doubts or self._next_ms < due_ms

    def ask(self, time_ms: int) -> FetchHistory | None:
        """Ask for what is due, and again for the newest bars that were handed out."""
        due_ms = self._due_ms(time_ms)
        overlap_ms = self.terms.overlap_bars * self._step_ms
        oldest_ms = min(self._past, default=self._next_ms)
        since_ms = max(oldest_ms, self._next_ms - overlap_ms)
        until_ms = min(due_ms, since_ms + self.terms.fetch_bars_max * self._step_ms)
        if self._doubt_ms < until_ms:
            self._doubt_ms, self._doubt_from_ms = NOTHING_MS, time_ms + self.terms.retry_ms_max
        if until_ms <= since_ms:
            return None
        deadline_ms = time_ms + self.terms.fetch_timeout_ms
        self._asked = _Asked(since_ms, until_ms, until_ms < due_ms, deadline_ms)
        return FetchHistory(self.key, since_ms, until_ms, time_ms)

    @property
    def is_asking(self) -> bool:
        """Return whether a request is under way."""
        return self._asked is not None

    def _due_ms(self, time_ms: int) -> int:
        """Return the open of the first bar that is not due yet."""
        return bucket_ms(time_ms - self.terms.grace_ms, self._step_ms)

    def fetched(self, event: HistoryFetched) -> Iterator[FeedInstruction]:
        """Take an answer of the venue; one that came too late may be older than a newer one."""
        asked = self._asked
        if asked is None or not asked.is_for(event):
            return
        self._asked = None
        self._doubt_again(asked, event)
        room = self.terms.ahead_bars_max + self.terms.fetch_bars_max
        # Bars were forgotten if others came from the stream while the answer was on its way.
        oldest_ms = max(asked.since_ms, min(self._past, default=self._next_ms))
        for bar in event.klines:
            if self._next_ms <= bar.open_time_ms < asked.until_ms:
                yield from self._take(bar, event.time_ms, room)
            elif oldest_ms <= bar.open_time_ms < self._next_ms:
                yield from self._compare(bar, event.time_ms)
        if self._next_ms >= asked.until_ms or self._next_ms in self._ahead:
            self._asking.count = self._absences = 0
        else:
            yield from self._lacking(asked, event.time_ms)
        yield from self._advance(event.time_ms)

    def _doubt_again(self, asked: _Asked, event: HistoryFetched) -> None:
        """Stay in doubt about bars that the answer lacks, though not for ever."""
        told = {bar.open_time_ms for bar in event.klines}
        lacked = [at for at in self._past if asked.since_ms <= at < asked.until_ms]
        lacked = [at for at in lacked if at not in told]
        self._partials = self._partials + 1 if lacked else 0
        if 0 < self._partials < self.terms.gap_answers:
            self._doubt_ms = max(self._doubt_ms, *lacked)

    def _compare(self, bar: Kline, time_ms: int) -> Iterator[FeedInstruction]:
        """Flag what history tells otherwise than it was handed out; each new value once."""
        was = self._past.get(bar.open_time_ms)
        if was is not None and not _differs(was, bar):
            return
        self._past[bar.open_time_ms] = bar
        text = f"bar at {time_text(bar.open_time_ms)}"
        if was is None:
            text += " is there after all, too late to be handed out (phalanx data sync stores it)"
            yield self._alert(AlertKind.LATE, text, time_ms)
        else:
            yield FlagCorrection(self.key, was, bar, time_ms)
            text += " was corrected after it was handed out"
            yield self._alert(AlertKind.CORRECTED, text, time_ms)

    def _lacking(self, asked: _Asked, time_ms: int) -> Iterator[FeedInstruction]:
        """Ask again for a bar that is not there, or believe at last that it never was."""
        # Without a later bar nobody knows: the venue's history may be behind, or trading halted.
        if self._ahead or asked.is_page:
            self._absences += 1
        if self._absences < self.terms.gap_answers:
            yield from self._ask_later(f"no bar at {time_text(self._next_ms)} yet", time_ms)
            return
        until_ms = min(self._ahead, default=asked.until_ms)
        if self._is_begun:
            bars = (until_ms - self._next_ms) // self._step_ms
            text = f"the venue has no bar from {time_text(self._next_ms)} on: {bars} missing"
            yield self._alert(AlertKind.GAP, text, time_ms)
        self._next_ms, self._absences, self._asking.count = until_ms, 0, 0

    def failed(self, event: HistoryFailed) -> Iterator[FeedInstruction]:
        """Take the news that the request under way failed."""
        if self._asked and self._asked.is_for(event):
            yield from self._ask_later(event.reason, event.time_ms)

    def _ask_later(self, reason: str, time_ms: int) -> Iterator[FeedInstruction]:
        # What was in doubt before the request still is.
        self._asked, self._doubt_ms = None, max([self._doubt_ms, *self._past])
        self._ask_from_ms = time_ms + self._asking.delay_ms()
        if self._asking.count == self.terms.failures_said:
            yield self._alert(AlertKind.NO_HISTORY, reason, time_ms)

    def ticked(self, time_ms: int) -> Iterator[FeedInstruction]:
        """Repeat what has waited long enough."""
        if self._asked and time_ms >= self._asked.deadline_ms:
            yield from self._ask_later("no answer from the venue in time", time_ms)
        if self._write_again_ms is not None and time_ms >= self._write_again_ms:
            self._write_again_ms = None
            yield StoreKlines(self.key, self._writing, time_ms)

    def _alert(self, kind: AlertKind, text: str, time_ms: int) -> Alert:
        return Alert(kind, self.key, text, time_ms)


def _differs(one: Kline, other: Kline) -> bool:
    """Return whether two states of a bar differ; a turnover that nobody says does not."""
    if one == other:
        return False
    if one.turnover is not None and other.turnover is not None:
        return True
    names = ("open_time_ms", "open", "high", "low", "close", "volume")
    return any(getattr(one, name) != getattr(other, name) for name in names)


def _resumed(added: SeriesAdded, interval_ms: int) -> DerivedSeries:
    """Return a longer series as it was after the last stored bar."""
    has_earlier = bool(added.stored) and added.first_ms != added.stored[0].open_time_ms
    derived = DerivedSeries(added.key, interval_ms, has_earlier)
    for bar in added.stored:
        for _ in derived.add(bar):
            pass  # It was handed out, or can be asked for, before the restart.
    return derived
