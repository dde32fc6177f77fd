"""A feed through the real client, unmodified ccxt.pro, against a local Bybit that fails."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.feed import Cursors, FedSeries, Feed, FeedFault, advanced
from actors.venue.opening import open_venue
from actors.venue.settings import venue_settings
from actors.venue_sim.clock import VenueClock
from actors.venue_sim.faults import FaultKind
from actors.venue_sim.listing import Listing
from actors.venue_sim.server import VenueServer
from cluster.database import database
from cluster.history import History
from cluster.issues import IssueLog, flag_in_database
from engines.klines import MINUTE_MS, Klines
from engines.live.events import AlertKind
from engines.resample import aggregate
from engines.series import SeriesKey
from tests.contract.venue_bench import BTC, ETH, START_MS, made_up
from tests.patience import PATIENCE_S

KEY = SeriesKey("sim", BTC, MINUTE_MS)
OTHER = SeriesKey("sim", ETH, MINUTE_MS)
FIVE = replace(KEY, interval_ms=5 * MINUTE_MS)
BEGUN = 30  # bars that have passed when the feed starts


@dataclass
class Follower:
    """Whoever follows: takes with a cursor and keeps what it took."""

    cursors: Cursors
    took: dict[SeriesKey, list[Klines]] = field(default_factory=dict)

    async def take(self, feed: Feed, **terms: Any) -> bool:
        taken = await feed.take(self.cursors, **terms)
        self.cursors = advanced(self.cursors, taken)
        for key, bars in taken.items():
            self.took.setdefault(key, []).append(bars)
        return bool(taken)

    def column(self, key: SeriesKey, name: str) -> Any:
        return np.concatenate([getattr(bars, name) for bars in self.took.get(key, [])] or [[]])

    def bars(self, key: SeriesKey) -> int:
        return len(self.column(key, "close"))


@dataclass
class Scene:
    """A server whose clock is driven, a history, and feeds that are started and ended."""

    venue: VenueServer
    folder: Path
    truth: dict[SeriesKey, Klines]

    def feed(self, *series: FedSeries) -> Feed:
        flag = partial(flag_in_database, url=self.database_url)
        return Feed(
            series or (FedSeries(KEY, START_MS, (FIVE.interval_ms,)), FedSeries(OTHER, START_MS)),
            lambda: open_venue(venue_settings(self.venue.url)),
            partial(History, str(self.folder), flag=flag),
            clock_s=0.02,
            tick_s=0.02,
        )

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self.folder}/records.db"

    async def pass_bars(self, bars: float, feed: Feed, *followers: Follower) -> None:
        """Let time pass in thirds of a bar; followers take what comes."""
        for _ in range(round(bars * 3)):
            self.venue.clock.advance(MINUTE_MS // 3)
            await asyncio.sleep(0.03)
            for follower in followers:
                await follower.take(feed)

    async def until(self, what: Callable[[], bool], feed: Feed, follower: Follower) -> None:
        """Let time pass slowly until something is so."""
        for _ in range(400):
            if what():
                return
            self.venue.clock.advance(3_000)
            await follower.take(feed, wait_s=0.05)
        raise AssertionError("it never came")


def played(scene: Callable[[Scene], Coroutine[Any, Any, None]], folder: Path) -> None:
    truth = {
        KEY: made_up(BTC, 400, MINUTE_MS),
        OTHER: made_up(ETH, 400, MINUTE_MS, seed=3, price=3000.0),
    }
    listings = [Listing(key.symbol, [klines]) for key, klines in truth.items()]
    clock = VenueClock(START_MS + BEGUN * MINUTE_MS + 5_000, speed=0)

    async def play() -> None:
        async with VenueServer(listings, clock=clock, seed=5) as venue:
            await scene(Scene(venue, folder, truth))

    asyncio.run(asyncio.wait_for(play(), PATIENCE_S))


def require_equal(follower: Follower, key: SeriesKey, truth: Klines) -> None:
    count = follower.bars(key)
    for name in ("open_time_ms", "open", "high", "low", "close", "volume"):
        assert np.array_equal(follower.column(key, name), getattr(truth, name)[:count]), name


def test_history_then_stream_are_one_series_for_early_and_late_followers(tmp_path: Path) -> None:
    async def scene(at: Scene) -> None:
        feed, early = at.feed(), Follower({KEY: None, OTHER: None, FIVE: None})
        await at.until(lambda: early.bars(KEY) >= BEGUN, feed, early)
        await at.pass_bars(6, feed, early)
        late = Follower({KEY: None, OTHER: None, FIVE: None})
        while await late.take(feed, limit=7):
            pass
        await at.until(lambda: early.bars(KEY) == early.bars(OTHER) > BEGUN + 5, feed, early)
        while await late.take(feed):
            pass
        for follower in (early, late):
            require_equal(follower, KEY, at.truth[KEY])
            require_equal(follower, OTHER, at.truth[OTHER])
            require_equal(follower, FIVE, aggregate(at.truth[KEY], FIVE.interval_ms))
        assert late.bars(KEY) == early.bars(KEY)
        assert late.bars(FIVE) == early.bars(FIVE) == early.bars(KEY) // 5
        await feed.close()

    played(scene, tmp_path)


MESSAGE_FAULTS = (FaultKind.MESSAGE_TWICE, FaultKind.MESSAGE_LATE, FaultKind.CONFIRM_MISSING)
SOCKET_FAULTS = (FaultKind.SOCKET_CUT, FaultKind.SOCKET_SILENT)
PAGE_FAULTS = (
    FaultKind.DROP_REPLY,
    FaultKind.SERVER_ERROR,
    FaultKind.TRUNCATED_PAGE,
    FaultKind.OVERLAPPING_PAGE,
    FaultKind.SHUFFLED_PAGE,
)


def test_a_failing_stream_and_failing_replies_lose_and_repeat_nothing(tmp_path: Path) -> None:
    async def scene(at: Scene) -> None:
        at.venue.faults.at_random(0.25, MESSAGE_FAULTS, "kline.")
        at.venue.faults.at_random(0.1, PAGE_FAULTS, "/v5/market/kline")
        feed, follower = at.feed(), Follower({KEY: None, OTHER: None, FIVE: None})
        for part in range(6):  # Each kind comes twice, whatever chance brings besides.
            at.venue.faults.next(MESSAGE_FAULTS[part % 3], where="kline.")
            at.venue.faults.next(SOCKET_FAULTS[part % 2], where="kline.")
            await at.pass_bars(7, feed, follower)
        at.venue.faults.clear()
        await at.until(
            lambda: min(follower.bars(KEY), follower.bars(OTHER)) >= BEGUN + 42, feed, follower
        )
        require_equal(follower, KEY, at.truth[KEY])
        require_equal(follower, OTHER, at.truth[OTHER])
        require_equal(follower, FIVE, aggregate(at.truth[KEY], FIVE.interval_ms))
        happened = set(at.venue.faults.counts)
        assert happened >= {*MESSAGE_FAULTS, *SOCKET_FAULTS}, at.venue.faults.counts
        await feed.close()

    played(scene, tmp_path)


def test_a_bar_corrected_after_it_was_handed_out_is_flagged_in_the_database(
    tmp_path: Path,
) -> None:
    async def scene(at: Scene) -> None:
        feed, follower = at.feed(), Follower({KEY: None})
        await at.until(lambda: follower.bars(KEY) >= BEGUN, feed, follower)
        open_ms = START_MS + (BEGUN - 2) * MINUTE_MS
        at.venue.correct(BTC, MINUTE_MS, open_ms, volume=123.0)

        def flagged() -> bool:
            with database(at.database_url) as engine:
                return bool(IssueLog(engine).open(KEY))

        await at.until(flagged, feed, follower)
        with database(at.database_url) as engine:
            (issue,) = IssueLog(engine).open(KEY)
        assert issue.time_ms == open_ms
        assert issue.found["offered"]["volume"] == 123.0
        require_equal(follower, KEY, at.truth[KEY])
        alerts = (await feed.status()).alerts
        assert [alert.kind for alert in alerts] == [AlertKind.CORRECTED]
        await feed.close()

    played(scene, tmp_path)


def test_a_feed_that_is_ended_and_made_again_goes_on_from_the_store(tmp_path: Path) -> None:
    async def scene(at: Scene) -> None:
        follower = Follower({KEY: None, FIVE: None})
        for _ in range(4):
            feed = at.feed(FedSeries(KEY, START_MS, (FIVE.interval_ms,)))
            await at.pass_bars(4, feed, follower)
            await feed.close()
            at.venue.clock.advance(3 * MINUTE_MS + 7_000)
        feed = at.feed(FedSeries(KEY, START_MS, (FIVE.interval_ms,)))
        await at.until(lambda: follower.bars(KEY) >= BEGUN + 27, feed, follower)
        require_equal(follower, KEY, at.truth[KEY])
        require_equal(follower, FIVE, aggregate(at.truth[KEY], FIVE.interval_ms))
        await feed.close()

    played(scene, tmp_path)


def test_a_series_that_is_not_fed_is_refused_by_name(tmp_path: Path) -> None:
    async def scene(at: Scene) -> None:
        feed = at.feed(FedSeries(KEY, START_MS))
        with pytest.raises(FeedFault, match=r"sim ETH/USDT:USDT 1m: expected one of sim BTC"):
            await feed.take({OTHER: None})
        await feed.close()
        with pytest.raises(FeedFault, match="expected one that runs, found one that was closed"):
            await feed.take({KEY: None})

    played(scene, tmp_path)
