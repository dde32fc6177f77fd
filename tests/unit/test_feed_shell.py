"""The feed's shell: what it does with what goes wrong around it, and who asks from where."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.feed import FedSeries, Feed, advanced
from actors.feed_shelf import TAIL_BARS, Shelf
from actors.venue.faults import VenueUnreachable
from actors.venue.protocol import Listing, StreamEvent
from cluster.history import History, HistoryFault, WriteResult
from engines.funding import Funding
from engines.instrument import Instrument
from engines.klines import HOUR_MS, Klines
from engines.live.events import Alert, AlertKind, KlineSeen, StreamOpened, kline_rows
from engines.resample import aggregate
from engines.series import SeriesKey
from engines.synthetic import synthetic_klines
from tests.patience import PATIENCE_S

# Years ahead of this machine: a bar is closed by the venue's time and not by ours.
START_MS = 1_924_992_000_000
KEY = SeriesKey("fake", "BTC/USDT:USDT", HOUR_MS)
FOUR = replace(KEY, interval_ms=4 * HOUR_MS)
BARS = replace(synthetic_klines(400, HOUR_MS, 1, START_MS), symbol=KEY.symbol)


@dataclass
class FakeVenue:
    """A venue whose time is `at`, in bars; it fails the next `failures` times it is asked."""

    at: float
    failures: int = 0
    messages: asyncio.Queue[StreamEvent] = field(default_factory=asyncio.Queue)
    is_closed: bool = False
    name: str = "fake"
    page_bars: int = 1000
    symbol: str = KEY.symbol
    launched: int = 0
    asked_from: list[int] = field(default_factory=list)

    async def time_ms(self) -> int:
        self._fail()
        return START_MS + int(self.at * HOUR_MS)

    async def instruments(self) -> Mapping[str, Listing]:
        instrument = Instrument(self.symbol, 0.1, 0.001)
        return {self.symbol: Listing(instrument, True, START_MS + self.launched * HOUR_MS)}

    async def klines(self, key: SeriesKey, since_ms: int, until_ms: int) -> Klines | None:
        self._fail()
        self.asked_from.append((since_ms - START_MS) // HOUR_MS)
        first, stop = BARS.index_at(since_ms), min(BARS.index_at(until_ms), int(self.at))
        return BARS.between(first, stop) if first < stop else None

    async def funding(self, symbol: str, since_ms: int, until_ms: int) -> Funding | None:
        return None

    async def watch_klines(self, keys: Collection[SeriesKey]) -> AsyncGenerator[StreamEvent, None]:
        yield StreamOpened(tuple(keys), 0)
        while True:
            yield await self.messages.get()

    async def close(self) -> None:
        self.is_closed = True

    def confirm(self, bar: int) -> None:
        """Let a bar close and the stream say so."""
        self.at = bar + 1.001
        (row,) = kline_rows(BARS.between(bar, bar + 1))
        prices = (row.open, row.high, row.low, row.close, row.volume, row.turnover)
        time_ms = row.open_time_ms + HOUR_MS + 50
        self.messages.put_nowait(KlineSeen(KEY, row.open_time_ms, *prices, True, time_ms))

    def _fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise VenueUnreachable("fake", "an answer", "no network")


def fed(
    scene: Callable[[Feed, FakeVenue], Coroutine[Any, Any, None]],
    folder: Path,
    venue: FakeVenue,
    kind: type[History] = History,
    clock_s: float = 0.01,
) -> None:
    async def play() -> None:
        feed = Feed(
            [FedSeries(KEY, START_MS, (FOUR.interval_ms,))],
            lambda: venue,
            partial(kind, str(folder)),
            clock_s=clock_s,
            tick_s=0.01,
        )
        await scene(feed, venue)
        await feed.close()
        assert venue.is_closed

    asyncio.run(asyncio.wait_for(play(), PATIENCE_S))


async def alerts_of(feed: Feed, kind: AlertKind) -> list[Alert]:
    for _ in range(500):
        found = [alert for alert in (await feed.status()).alerts if alert.kind is kind]
        if found:
            return found
        await asyncio.sleep(0.01)
    raise AssertionError(f"no alert of {kind}")


def test_whoever_waits_gets_a_bar_as_soon_as_it_is_stored(tmp_path: Path) -> None:
    async def scene(feed: Feed, venue: FakeVenue) -> None:
        taken = await feed.take({KEY: None}, wait_s=PATIENCE_S)
        assert len(taken[KEY]) == 10
        cursors = advanced({KEY: None}, taken)
        assert await feed.take(cursors) == {}
        assert await feed.take(cursors, wait_s=0.05) == {}
        waiting = asyncio.create_task(feed.take(cursors, wait_s=PATIENCE_S))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        venue.confirm(10)
        assert (await waiting)[KEY].open_time_ms.tolist() == [START_MS + 10 * HOUR_MS]
        assert History(str(tmp_path)).span(KEY) == (START_MS, START_MS + 10 * HOUR_MS)

    fed(scene, tmp_path, FakeVenue(10.5))


def test_a_slow_follower_reads_what_memory_has_lost_from_the_history(tmp_path: Path) -> None:
    count = 2 * TAIL_BARS + 40

    async def scene(feed: Feed, venue: FakeVenue) -> None:
        newest = {KEY: None, FOUR: START_MS + (count - 5) * HOUR_MS}
        while (await feed.status()).last_ms[KEY] != START_MS + (count - 1) * HOUR_MS:
            await asyncio.sleep(0.01)
        assert len((await feed.take(newest, limit=5))[KEY]) == 5
        for key, whole in ((KEY, BARS.between(0, count)), (FOUR, None)):
            expected = whole or aggregate(BARS.between(0, count), FOUR.interval_ms)
            cursors: dict[SeriesKey, int | None] = {key: None}
            closes: list[float] = []
            while taken := await feed.take(cursors, limit=17):
                assert len(taken[key]) <= 17
                closes += taken[key].close.tolist()
                cursors = advanced(cursors, taken)
            assert closes == expected.close.tolist()

    fed(scene, tmp_path, FakeVenue(count + 0.5))


def test_the_time_is_not_before_a_message_of_the_venue(tmp_path: Path) -> None:
    async def scene(feed: Feed, venue: FakeVenue) -> None:
        cursors = advanced({KEY: None}, await feed.take({KEY: None}, wait_s=PATIENCE_S))
        venue.confirm(10)
        assert len((await feed.take(cursors, wait_s=PATIENCE_S))[KEY]) == 1
        assert not (await feed.status()).alerts

    fed(scene, tmp_path, FakeVenue(10.999), clock_s=60.0)


def test_a_venue_that_cannot_be_reached_is_said_and_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.feed.REOPEN_S", 0.05)

    async def scene(feed: Feed, venue: FakeVenue) -> None:
        (alert,) = await alerts_of(feed, AlertKind.NO_HISTORY)
        assert alert.text == "fake: expected an answer, found no network"
        assert len((await feed.take({KEY: None}, wait_s=PATIENCE_S))[KEY]) == 10

    fed(scene, tmp_path, FakeVenue(10.5, failures=1))


def test_a_symbol_that_is_not_listed_is_said_once_and_never_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.feed.RELOAD_S", 0.01)

    async def scene(feed: Feed, venue: FakeVenue) -> None:
        alert, *_ = await alerts_of(feed, AlertKind.NO_HISTORY)
        assert alert.text == "fake does not list BTC/USDT:USDT"
        assert await feed.take({KEY: None}, wait_s=0.1) == {}
        assert not venue.asked_from
        assert len((await feed.status()).alerts) == 1

    fed(scene, tmp_path, FakeVenue(10.5, symbol="BTX/USDT:USDT"))


def test_a_symbol_that_is_listed_no_more_is_let_go_and_taken_up_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.feed.RELOAD_S", 0.01)

    async def scene(feed: Feed, venue: FakeVenue) -> None:
        cursors = advanced({KEY: None}, await feed.take({KEY: None}, wait_s=PATIENCE_S))
        venue.symbol = "BTX/USDT:USDT"
        (alert,) = await alerts_of(feed, AlertKind.NO_HISTORY)
        assert alert.text == "fake does not list BTC/USDT:USDT"
        asked = len(venue.asked_from)
        venue.at = 12.5
        assert await feed.take(cursors, wait_s=0.2) == {}
        assert len(venue.asked_from) == asked, "nobody asks for it"
        venue.symbol = KEY.symbol
        assert len((await feed.take(cursors, wait_s=PATIENCE_S))[KEY]) == 2

    fed(scene, tmp_path, FakeVenue(10.5))


def test_nothing_is_asked_from_before_the_launch_of_a_symbol(tmp_path: Path) -> None:
    async def scene(feed: Feed, venue: FakeVenue) -> None:
        assert len((await feed.take({KEY: None}, wait_s=PATIENCE_S))[KEY]) == 4
        assert min(venue.asked_from) == 6

    fed(scene, tmp_path, FakeVenue(10.5, launched=6))


class FullDisk(History):
    """A history without room."""

    is_full = True

    def write(self, key: SeriesKey, *rest: Any) -> WriteResult:
        if FullDisk.is_full:
            raise HistoryFault("history", "one with room", "No space left on device")
        return super().write(key, *rest)


def test_nothing_is_handed_out_while_it_cannot_be_stored(tmp_path: Path) -> None:
    async def scene(feed: Feed, venue: FakeVenue) -> None:
        (alert,) = await alerts_of(feed, AlertKind.NO_STORE)
        assert "No space left on device" in alert.text
        assert await feed.take({KEY: None}, wait_s=0.1) == {}
        FullDisk.is_full = False
        venue.at += 0.01  # 36 seconds; the write is repeated
        assert len((await feed.take({KEY: None}, wait_s=PATIENCE_S))[KEY]) == 10

    fed(scene, tmp_path, FakeVenue(10.5), FullDisk)


class Raced(History):
    """A history to which another program writes a bar of its own first."""

    def write(self, key: SeriesKey, klines: Klines, *rest: Any) -> WriteResult:
        if self.span(key) is None:
            super().write(key, replace(klines.between(4, 5), volume=klines.volume[4:5] + 7))
        return super().write(key, klines, *rest)


def test_a_bar_that_another_program_stored_otherwise_is_handed_out_as_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHALANX_DATABASE_URL", f"sqlite:///{tmp_path / 'phalanx.db'}")

    async def scene(feed: Feed, venue: FakeVenue) -> None:
        taken = (await feed.take({KEY: None}, wait_s=PATIENCE_S))[KEY]
        stored = History(str(tmp_path)).read(KEY)
        assert taken.volume[4] == BARS.volume[4] + 7
        assert taken.volume.tolist() == stored.volume.tolist()
        (alert,) = await alerts_of(feed, AlertKind.CORRECTED)
        assert "stored otherwise" in alert.text

    fed(scene, tmp_path, FakeVenue(10.5), Raced)


def test_a_damaged_file_is_named_and_its_series_comes_once_it_is_repaired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.feed.RELOAD_S", 0.05)
    History(str(tmp_path), now_ms=lambda: START_MS + 5 * HOUR_MS).write(KEY, BARS.between(0, 5))
    (file,) = tmp_path.rglob("*.parquet")
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])

    async def scene(feed: Feed, venue: FakeVenue) -> None:
        alert, *_ = await alerts_of(feed, AlertKind.NO_STORE)
        assert "2031-01 of fake BTC/USDT:USDT 1h" in alert.text
        assert await feed.take({KEY: None}) == {}
        file.write_bytes(whole)
        assert (await feed.take({KEY: None}, wait_s=PATIENCE_S))[KEY].close[0] == BARS.close[0]

    fed(scene, tmp_path, FakeVenue(10.5))


def test_a_bug_ends_the_feed_and_is_told_to_whoever_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play() -> None:
        venue = FakeVenue(10.5)
        feed = Feed([FedSeries(KEY, START_MS)], lambda: venue, partial(History, str(tmp_path)))
        monkeypatch.setattr(feed._state, "handle", lambda event: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await feed.take({KEY: None}, wait_s=PATIENCE_S)

    asyncio.run(asyncio.wait_for(play(), PATIENCE_S))


def test_bars_on_both_sides_of_a_gap_are_given_together(tmp_path: Path) -> None:
    shelf = Shelf(KEY, KEY)
    shelf.put(kline_rows(BARS.between(3, 4)))
    shelf.put(kline_rows(BARS.between(9, 10)))
    found = shelf.recent(-1, 10)
    assert found is not None
    assert found.close.tolist() == [BARS.close[3], BARS.close[9]]


def test_whoever_has_the_newest_longer_bar_needs_no_disk_after_a_restart() -> None:
    shelf = Shelf.resumed(FOUR, KEY, START_MS + 10 * HOUR_MS)
    assert shelf.last_ms == START_MS + 4 * HOUR_MS
    assert shelf.recent(shelf.last_ms, 10) is None


def test_bars_that_another_program_has_stored_ahead_are_not_handed_out_before_their_turn(
    tmp_path: Path,
) -> None:
    history = History(str(tmp_path), now_ms=lambda: START_MS + len(BARS) * HOUR_MS)
    history.write(KEY, BARS)
    for key in (KEY, FOUR):
        shelf = Shelf.resumed(key, KEY, START_MS + 10 * HOUR_MS)
        found = shelf.older(history, -1, 1000)
        assert found is not None
        assert int(found.open_time_ms[-1]) == START_MS + (10 if key == KEY else 4) * HOUR_MS


def test_longer_bars_of_a_history_with_holes_are_those_of_all_its_bars(tmp_path: Path) -> None:
    chosen = np.flatnonzero(np.random.default_rng(4).random(len(BARS)) < 0.6)
    names = ("open_time_ms", "open", "high", "low", "close", "volume")
    columns = {name: getattr(BARS, name)[chosen] for name in names}
    holed = Klines.of_columns(BARS.symbol, HOUR_MS, columns)
    history = History(str(tmp_path), now_ms=lambda: START_MS + len(BARS) * HOUR_MS)
    history.write(KEY, holed)
    whole = aggregate(holed, FOUR.interval_ms)
    shelf = Shelf.resumed(FOUR, KEY, int(holed.open_time_ms[-1]))
    for after in (-1, int(whole.open_time_ms[0]), int(whole.open_time_ms[30]) + HOUR_MS):
        expected = whole.close[np.searchsorted(whole.open_time_ms, after, side="right") :]
        for limit in (1, 3, 1000):
            found = shelf.older(history, after, limit)
            assert found is not None
            assert found.close.tolist() == expected[:limit].tolist()
