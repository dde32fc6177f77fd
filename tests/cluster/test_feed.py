"""A feed actor that is killed in the middle of its stream loses nothing and repeats nothing."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray

from actors.feed import Cursors, FedSeries, FeedFault, advanced
from actors.feed_actor import FeedActor
from actors.venue.opening import open_venue
from actors.venue.settings import venue_settings
from actors.venue_sim.clock import VenueClock
from actors.venue_sim.listing import Listing
from cluster.history import History
from engines.klines import MINUTE_MS, Klines
from engines.live.feed_series import FeedTerms
from engines.resample import aggregate
from engines.series import SeriesKey
from tests.cluster.nodes import Nodes
from tests.contract.serving import serving
from tests.contract.venue_bench import BTC, START_MS, made_up
from tests.patience import PATIENCE_S

KEY = SeriesKey("sim", BTC, MINUTE_MS)
FIVE = SeriesKey("sim", BTC, 5 * MINUTE_MS)
SPEED = 60  # a bar of a minute passes in a second
TRUTH = made_up(BTC, 2_000, MINUTE_MS)


class Follower:
    """Takes with a cursor and keeps what it took."""

    def __init__(self, feed: Any) -> None:
        self.feed = feed
        self.cursors: Cursors = {KEY: None, FIVE: None}
        self.took: dict[SeriesKey, list[Klines]] = {KEY: [], FIVE: []}

    def bars(self) -> int:
        return sum(map(len, self.took[KEY]))

    def take_until(self, bars: int) -> None:
        for _ in range(1000):
            if self.bars() >= bars:
                return
            taken = ray.get(self.feed.take.remote(self.cursors, wait_s=2.0), timeout=PATIENCE_S)
            self.cursors = advanced(self.cursors, taken)
            for key, klines in taken.items():
                self.took[key].append(klines)
        raise AssertionError(f"{self.bars()} bars after a thousand calls")

    def require_equal(self, key: SeriesKey, truth: Klines) -> None:
        for name in ("open_time_ms", "open", "high", "low", "close", "volume"):
            found = np.concatenate([getattr(bars, name) for bars in self.took[key]])
            assert np.array_equal(found, getattr(truth, name)[: len(found)]), name


def pid_of(feed: Any) -> int:
    return int(ray.get(feed.__ray_call__.remote(lambda actor: os.getpid()), timeout=PATIENCE_S))


def fail(feed: Any) -> None:
    """End a feed by an error of no known kind, and wait until its process has gone with it."""

    def stumble(event: Any) -> None:
        raise ZeroDivisionError

    def break_state(actor: Any) -> None:
        actor._state.handle = stumble

    before = pid_of(feed)
    feed.__ray_call__.remote(break_state)
    with pytest.raises(ZeroDivisionError):
        ray.get(
            feed.take.remote({KEY: START_MS + 10**6 * MINUTE_MS}, wait_s=PATIENCE_S),
            timeout=PATIENCE_S,
        )
    while pid_of(feed) == before:
        time.sleep(0.1)


def test_a_feed_actor_killed_in_its_stream_goes_on_where_it_was(
    nodes: Nodes, tmp_path: Path
) -> None:
    clock = VenueClock(START_MS + 40 * MINUTE_MS, speed=SPEED)
    with serving([Listing(BTC, [TRUTH])], clock) as server:
        feed: Any = FeedActor.remote(
            [FedSeries(KEY, START_MS, (FIVE.interval_ms,))],
            partial(open_venue, venue_settings(server.url)),
            partial(History, str(tmp_path)),
            FeedTerms(skew_ms=MINUTE_MS),
            clock_s=0.1,
            tick_s=0.1,
        )
        follower = Follower(feed)
        follower.take_until(42)
        with pytest.raises(FeedFault, match="not fed"):  # as itself, across processes
            ray.get(feed.take.remote({replace(KEY, symbol="ETH/USDT:USDT"): None}))
        deaths: list[Callable[[], Any]] = [
            lambda: fail(feed),
            lambda: os.kill(pid_of(feed), signal.SIGKILL),
            lambda: ray.kill(feed, no_restart=False),
        ]
        for die in deaths:
            before = pid_of(feed)
            die()
            follower.take_until(follower.bars() + 1)
            while pid_of(feed) == before:  # ray.kill does not wait
                time.sleep(0.1)
            follower.take_until(follower.bars() + 2)
        late = Follower(feed)
        late.take_until(follower.bars())
        ray.kill(feed)
    for each in (follower, late):
        each.require_equal(KEY, TRUTH)
        each.require_equal(FIVE, aggregate(TRUTH, FIVE.interval_ms))
