"""Measure what a feed of many series costs: of a core while it streams, and per event alone."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from actors.feed import Cursors, FedSeries, Feed, advanced
from actors.venue.opening import open_venue
from actors.venue.settings import venue_settings
from cluster.history import History
from engines.klines import HOUR_MS
from engines.live.feed_series import FeedTerms
from engines.series import SeriesKey
from tests.bench.workers.venue_worker import symbols
from tests.contract.venue_bench import QUARTER_MS, START_MS
from tests.property.feed_world import CALM, World

pytestmark = pytest.mark.bench
SERIES = 500
BEGUN = 99.5
SPEED = 15.0  # a bar of 15 minutes in a minute, and a message a second of each series
ROOT = Path(__file__).parents[2]


@contextmanager
def venue() -> Iterator[str]:
    """Give the address of a local Bybit in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.workers.venue_worker"]
    arguments = [str(SERIES), str(BEGUN), str(SPEED)]
    with subprocess.Popen(
        [*command, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.kill()


async def streamed(url: str, folder: Path) -> str:
    """Feed all series until each has closed twice in the stream; return what it cost."""
    keys = [SeriesKey("sim", symbol, QUARTER_MS) for symbol in symbols(SERIES)]
    feed = Feed(
        [FedSeries(key, START_MS, (HOUR_MS,)) for key in keys],
        lambda: open_venue(venue_settings(url)),
        partial(History, str(folder)),
        FeedTerms(skew_ms=60_000),
        clock_s=0.5,
    )
    started_s = time.monotonic()
    cursors, _ = await taken(feed, dict.fromkeys(keys), int(BEGUN))
    loaded_s = time.monotonic() - started_s
    heard = count_events(feed)
    cpu_s, wall_s = time.process_time(), time.monotonic()
    cursors, late_s = await taken(feed, cursors, int(BEGUN) + 2)
    cpu_s, wall_s = time.process_time() - cpu_s, time.monotonic() - wall_s
    await feed.close()
    return (
        f"{SERIES} series x 15m: {cpu_s / wall_s:.0%} of a core at {heard[0] / wall_s:,.0f} "
        f"messages/s with a bar of each series every {900 / SPEED:.0f} s (in life every 900 s); "
        f"{int(BEGUN)} bars of each fetched and stored in {loaded_s:.1f} s; the last of "
        f"{SERIES} bars that closed together came {late_s:.1f} s after the first"
    )


def count_events(feed: Feed) -> list[int]:
    """Count what the feed's state is told from now on."""
    counted, tell = [0], feed._tell

    def telling(event: object) -> None:
        counted[0] += 1
        tell(event)  # type: ignore[arg-type]  # whatever it is told

    feed._tell = telling  # type: ignore[method-assign]  # a counter in its place
    return counted


async def taken(feed: Feed, cursors: Cursors, bars: int) -> tuple[Cursors, float]:
    """Take until all series have so many bars; return how long the last round of bars took."""
    last_ms, first_s = START_MS + (bars - 1) * QUARTER_MS, None
    while any((at or 0) < last_ms for at in cursors.values()):
        cursors = advanced(cursors, await feed.take(cursors, wait_s=30))
        if first_s is None and any((at or 0) >= last_ms for at in cursors.values()):
            first_s = time.monotonic()
    return cursors, time.monotonic() - (first_s or 0)


def test_five_hundred_series_stream_through_one_feed(tmp_path: Path) -> None:
    with venue() as url:
        print(f"\nfeed: {asyncio.run(asyncio.wait_for(streamed(url, tmp_path), 500))}")


def test_the_state_alone_takes_its_events() -> None:
    world = World(0, 5_000, CALM)
    world.run()
    events = [event for event, _ in world.told]
    state = type(world.feed)(world.terms)
    started_s = time.process_time()
    for event in events:
        state.handle(event)
    seconds = time.process_time() - started_s
    each_us = seconds / len(events) * 1e6
    print(f"\nfeed state: {len(events):,} events of one series, {each_us:.1f} us each")
