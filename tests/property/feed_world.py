"""A venue, its stream, a store, a clock and a crash schedule for one feed, all from one seed.

The world tells lies that a venue tells: messages cut, lost, silent, twice, late, in the wrong
order, without their confirmation; answers that fail, never come, come late, lack rows; bars that
never were; bars corrected after their close; a store that fails; a feed killed between any two
events. Two limits make the truth findable at all: a partial answer is repeated at most twice in a
row, and a correction comes within three bars of the close.
"""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from functools import partial
from hashlib import sha256

import numpy as np

from engines.klines import MINUTE_MS
from engines.live.events import (
    Alert,
    ClockTicked,
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
    StreamLost,
    StreamOpened,
    Watch,
    kline_columns,
    kline_rows,
)
from engines.live.feed import FeedState, resume_since_ms
from engines.live.feed_series import FeedTerms
from engines.resample import aggregate
from engines.series import SeriesKey
from engines.synthetic import synthetic_klines

START_MS = 1_704_067_200_000
LIES_IN_A_ROW = 2


def digest(rows: list[Kline]) -> str:
    """Return the hash of a series."""
    columns = (
        np.array([getattr(row, name) for row in rows])
        for name in ("open_time_ms", "open", "high", "low", "close", "volume", "turnover")
    )
    return sha256(b"".join(column.tobytes() for column in columns)).hexdigest()


@dataclass(frozen=True)
class Faults:
    """How often what goes wrong: per bar, per message, per answer or per write."""

    cut: float = 0.01
    silence: float = 0.004
    crash: float = 0.004
    unconfirmed: float = 0.05
    twice: float = 0.05
    late: float = 0.05
    corrected: float = 0.02
    never_made: float = 0.01
    answer_fails: float = 0.1
    answer_lost: float = 0.02
    answer_partial: float = 0.1
    store_fails: float = 0.02
    bad: float = 0.01


CALM = Faults(*[0.0] * len(fields(Faults)))


@dataclass
class Follower:
    """Who follows a series: what it took survives the feed's and its own death."""

    rows: list[Kline] = field(default_factory=list)

    def take(self, rows: tuple[Kline, ...]) -> None:
        """Take what is handed out; it must follow what was taken."""
        assert not self.rows or rows[0].open_time_ms > self.rows[-1].open_time_ms, "a bar again"
        self.rows += rows

    def catch_up(self, rows: list[Kline]) -> None:
        """Ask for everything after the last bar taken."""
        last_ms = self.rows[-1].open_time_ms if self.rows else -1
        self.rows += [row for row in rows if row.open_time_ms > last_ms]


class World:
    """One feed and all that happens to it."""

    def __init__(
        self, seed: int, bars: int, faults: Faults, derived: tuple[int, ...] = (4, 16)
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.dice: Iterator[float] = iter(())
        self.faults = faults
        self.step_ms = int(self.rng.choice([1, 5, 15])) * MINUTE_MS
        # Whether the stream says what is closed, never does, or its library drops that column.
        self.says = ("all", "never", "dropped", "all")[seed % 4]
        self.key = SeriesKey("venue", "BTC/USDT:USDT", self.step_ms)
        self.derived_ms = tuple(many * self.step_ms for many in derived)
        made = synthetic_klines(bars, self.step_ms, seed, START_MS)
        made = replace(made, turnover=made.close * made.volume)
        first, *others = kline_rows(made)
        kept = [first, *(row for row in others if not self.chance(faults.never_made))]
        self.rows = {row.open_time_ms: row for row in kept}
        self.originals = dict(self.rows)
        self.opens_ms = list(self.rows)
        self.end_ms = START_MS + bars * self.step_ms
        self.now_ms, self._order = START_MS, 0
        self._agenda: list[tuple[int, int, int, Callable[[], None]]] = []
        self.life = 0
        self.is_heard = self.is_dead_quiet = False
        self.lies = 0
        self.disk: list[Kline] = []
        self.told: list[tuple[FeedEvent, list[FeedInstruction]]] = []
        self.followers = {key: Follower() for key in self.keys()}
        self.flags: dict[int, Kline] = {}
        self.alerts: list[Alert] = []
        self.bars_asked_max = 0
        self.terms = FeedTerms(silence_ms=max(150_000, 2 * self.step_ms))
        self.feed = FeedState(self.terms)

    def keys(self) -> list[SeriesKey]:
        """Return the series and the longer ones built from it."""
        return [self.key, *(replace(self.key, interval_ms=each) for each in self.derived_ms)]

    # --- chance and time

    def chance(self, probability: float) -> bool:
        """Return whether something happens that does with this probability."""
        return probability > 0 and self.draw() < probability

    def draw(self) -> float:
        """Return a number from 0 to 1."""
        value = next(self.dice, None)
        if value is None:
            self.dice = iter(self.rng.random(4096).tolist())
            value = next(self.dice)
        return float(value)

    def between(self, low: int, high: int) -> int:
        """Return a whole number."""
        return low + int(self.draw() * (high - low))

    def after(self, delay_ms: int, what: Callable[[], None], *, dies: bool = False) -> None:
        """Put something on the agenda; what `dies` is forgotten when the feed is killed."""
        self._order += 1
        life = self.life if dies else -1
        heapq.heappush(self._agenda, (self.now_ms + delay_ms, self._order, life, what))

    def run(self) -> None:
        """Live until some time after the last bar."""
        self._schedule()
        self._start()
        while self._agenda:
            self.now_ms, _, life, what = heapq.heappop(self._agenda)
            if self.now_ms > self.end_ms + 40 * self.step_ms + 30 * MINUTE_MS:
                break
            if life in (-1, self.life):
                what()

    def _schedule(self) -> None:
        for opens_ms in self.opens_ms:
            self.after(opens_ms - START_MS, partial(self._live_through, opens_ms))

    # --- the venue

    def _live_through(self, opens_ms: int) -> None:
        """Let one bar happen: what is said of it and what goes wrong meanwhile."""
        faults, step_ms = self.faults, self.step_ms
        row = self.originals[opens_ms]
        for _ in range(2):
            open_bar = _sketch(row, self.draw())
            self.after(self.between(0, step_ms), partial(self._say, open_bar, False))
        closes_in_ms = step_ms + self.between(50, 1500)
        if not self.chance(faults.unconfirmed):
            self.after(closes_in_ms, lambda: self._say(row, True))
        else:
            self.after(closes_in_ms, lambda: self._say(row, False))
        if self.chance(faults.corrected):
            # As often within seconds, before the bar is due, as later.
            within_ms = 3 * step_ms if self.chance(0.5) else 3_000
            self.after(step_ms + self.between(1, within_ms), lambda: self._correct(opens_ms))
        if self.chance(faults.bad):
            bad = replace(row, high=row.low / 2)
            self.after(closes_in_ms - 1, lambda: self._say(bad, True))
        if self.chance(faults.cut):
            self.after(self.between(0, step_ms), self._cut)
        if self.chance(faults.silence):
            self.after(self.between(0, step_ms), self._fall_silent)
        if self.chance(faults.crash):
            self.after(self.between(0, step_ms), self._crash)

    def _correct(self, opens_ms: int) -> None:
        was = self.rows[opens_ms]
        self.rows[opens_ms] = now = replace(was, volume=was.volume + 1 + self.between(1, 9))
        self._say(now, True)

    def _say(self, row: Kline, is_closed: bool) -> None:
        """Send a message down the stream, perhaps twice, perhaps late."""
        says = {"all": is_closed, "never": False, "dropped": None}[self.says]
        for _ in range(2 if self.chance(self.faults.twice) else 1):
            late_ms = self.between(0, 4 * self.step_ms) if self.chance(self.faults.late) else 20
            self.after(late_ms, lambda: self._hear(row, says))

    def _hear(self, row: Kline, says: bool | None) -> None:
        if self.is_heard and not self.is_dead_quiet:
            self._tell(
                KlineSeen(
                    self.key, row.open_time_ms, row.open, row.high, row.low, row.close,
                    row.volume, row.turnover, says, self.now_ms,
                )
            )  # fmt: skip  # a row of values

    def _cut(self) -> None:
        if self.is_heard:
            self.is_heard = False
            self._tell(StreamLost((self.key,), "cut", self.now_ms))
            self.after(self.between(1000, 5 * self.step_ms), self._open, dies=True)

    def _fall_silent(self) -> None:
        self.is_dead_quiet = True

    def _open(self) -> None:
        self.is_heard, self.is_dead_quiet = True, False
        self._tell(StreamOpened((self.key,), self.now_ms))

    def _answer(self, request: FetchHistory) -> None:
        """Answer from history as it is now, or worse."""
        span = (request.key, request.since_ms, request.until_ms)
        if self.chance(self.faults.answer_fails):
            self._later(lambda: HistoryFailed(*span, "HTTP 502", self.now_ms))
            return
        if self.chance(self.faults.answer_lost):
            return
        lag_ms = self.between(0, 6000)
        rows = [
            self.rows[at]
            for at in range(request.since_ms, request.until_ms, self.step_ms)
            if at in self.rows and at + self.step_ms + lag_ms <= self.now_ms
        ]
        if rows and self.lies < LIES_IN_A_ROW and self.chance(self.faults.answer_partial):
            self.lies += 1
            first = self.between(0, len(rows))
            del rows[first : first + 1 + self.between(0, 5)]
        else:
            self.lies = 0
        self._later(lambda: HistoryFetched(*span, tuple(rows), self.now_ms))

    def _later(self, event: Callable[[], FeedEvent]) -> None:
        self.after(self.between(20, 3000), lambda: self._tell(event()), dies=True)

    # --- the shell

    def _start(self) -> None:
        """Start the feed from what is on disk, and everybody who follows it."""
        self.feed = FeedState(self.terms)
        stored: tuple[Kline, ...] = ()
        if self.disk:
            last_ms = self.disk[-1].open_time_ms
            since_ms = resume_since_ms(self.key, self.derived_ms, last_ms, self.terms)
            stored = tuple(row for row in self.disk[-400:] if row.open_time_ms >= since_ms)
        first_ms = self.disk[0].open_time_ms if self.disk else None
        self._tell(SeriesAdded(self.key, self.derived_ms, START_MS, first_ms, stored, self.now_ms))
        for key, follower in self.followers.items():
            follower.catch_up(self._past(key))
        self.after(500, self._tick, dies=True)

    def _past(self, key: SeriesKey) -> list[Kline]:
        """Return a series as the store has it."""
        if key == self.key or not self.disk:
            return list(self.disk)
        return self.batch(key, self.disk)

    def batch(self, key: SeriesKey, rows: list[Kline]) -> list[Kline]:
        """Return the series `key` of all these bars."""
        if key == self.key:
            return rows
        columns = kline_columns(self.key, rows)
        # Too few bars for a single whole one are no fault here.
        whole = len(rows) * self.step_ms >= 2 * key.interval_ms
        return list(kline_rows(aggregate(columns, key.interval_ms))) if whole else []

    def _tick(self) -> None:
        self._tell(ClockTicked(self.now_ms))
        self.after(self.step_ms // 8, self._tick, dies=True)

    def _crash(self) -> None:
        """Kill the feed; only the disk and what followers took is left."""
        self.told.clear()
        self.life += 1
        self.is_heard = self.is_dead_quiet = False
        self.after(self.between(500, 3 * self.step_ms), self._start, dies=True)

    def _tell(self, event: FeedEvent) -> None:
        asked = self.feed.handle(event)
        self.told.append((event, asked))
        for instruction in asked:
            self._perform(instruction)

    def _perform(self, instruction: FeedInstruction) -> None:
        match instruction:
            case Watch():
                if instruction.is_anew or not self.is_heard:
                    self.is_heard = False
                    self.after(self.between(100, 5000), self._open, dies=True)
            case FetchHistory():
                bars = (instruction.until_ms - instruction.since_ms) // self.step_ms
                self.bars_asked_max = max(self.bars_asked_max, bars)
                self.after(self.between(10, 500), lambda: self._answer(instruction), dies=True)
            case StoreKlines():
                self.after(self.between(1, 50), lambda: self._write(instruction), dies=True)
            case HandOut(key=key, klines=rows):
                assert self.disk[-1].open_time_ms >= rows[-1].open_time_ms, "not on disk yet"
                self.followers[key].take(rows)
            case FlagCorrection(was=was, now=now):
                assert self.flags.get(was.open_time_ms, was) in (was, now) or self.life
                self.flags[was.open_time_ms] = now
            case Alert():
                self.alerts.append(instruction)

    def _write(self, wish: StoreKlines) -> None:
        """Write, then answer a little later: a crash may come between the two."""
        if self.chance(self.faults.store_fails):
            self._later(lambda: StoreFailed(wish.key, "disk full", self.now_ms))
            return
        assert not self.disk or wish.klines[0].open_time_ms > self.disk[-1].open_time_ms
        assert all(row.open_time_ms + self.step_ms <= self.now_ms for row in wish.klines)
        self.disk += wish.klines
        last_ms = wish.klines[-1].open_time_ms
        self.after(
            self.between(1, 50),
            lambda: self._tell(KlinesStored(wish.key, last_ms, self.now_ms)),
            dies=True,
        )


def _sketch(row: Kline, share: float) -> Kline:
    """Return a bar as it looks before it is over."""
    close = row.low + share * (row.high - row.low)
    return replace(row, close=close, high=max(row.open, close), low=min(row.open, close),
                   volume=row.volume * share)  # fmt: skip  # one call
