"""Run a venue's feed in this program and show what it hands out, until somebody has enough."""

import asyncio
import logging
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from actors.feed import LOG, Cursors, FedSeries, Feed, advanced
from actors.sync import Sync
from actors.venue.market import CcxtVenue
from actors.venue.opening import open_venue
from actors.venue.settings import VenueSettings
from cluster.database import database
from cluster.history import History
from cluster.issues import flag_in_database
from engines.errors import ParameterFault
from engines.klines import interval_text, parse_interval_ms, time_text
from engines.live.derived import bucket_ms
from engines.live.events import Alert
from engines.live.feed_series import FeedTerms
from engines.series import SeriesKey
from serve.feed_view import View, view_of
from serve.progress import shown

WAIT_S = 0.5
HISTORY_BARS = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be shown: symbols, intervals, from when on (None: the last bar), how many bars."""

    symbols: tuple[str, ...]
    interval_ms: int
    longer_ms: tuple[int, ...]
    since_ms: int | None
    bars_max: int | None


def longer_intervals(texts: Sequence[str], interval_ms: int) -> tuple[int, ...]:
    """Return the longer intervals that are asked for.

    Raises: KlineFault for a text that is none, ParameterFault for one that cannot be built.
    """
    found = tuple(dict.fromkeys(parse_interval_ms(text) for text in texts))
    for each in found:
        if each % interval_ms or each <= interval_ms:
            expected = f"a multiple of {interval_text(interval_ms)}"
            raise ParameterFault("--longer", expected, interval_text(each))
    return found


def show_feed(settings: VenueSettings, wanted: Wanted, *, is_json: bool) -> int:
    """Show bars as they close and return how many; Ctrl-C and SIGTERM end it in order.

    Raises: VenueFault for a symbol or an interval that the venue does not have.
    """
    return asyncio.run(_show(settings, wanted, is_json))


async def _show(settings: VenueSettings, wanted: Wanted, is_json: bool) -> int:
    venue = open_venue(settings)
    try:
        keys = [SeriesKey(venue.name, symbol, wanted.interval_ms) for symbol in wanted.symbols]
        for key in keys:
            await venue.require(key)
        now_ms = await venue.time_ms()
        _require_past(wanted.since_ms, now_ms)
        longest_ms = max((wanted.interval_ms, *wanted.longer_ms))
        since_ms = wanted.since_ms
        since_ms = now_ms - HISTORY_BARS * longest_ms if since_ms is None else since_ms
        since_ms = bucket_ms(since_ms, longest_ms)
        if wanted.since_ms is not None:
            await _fill(venue, keys, since_ms)
    except BaseException:
        await venue.close()
        raise
    fed = [FedSeries(key, since_ms, wanted.longer_ms) for key in keys]
    every = [key for each in fed for key in each.with_longer()]
    feed = Feed(fed, lambda: venue, partial(History, flag=flag_in_database), FeedTerms())
    logging.getLogger(LOG).addHandler(logging.NullHandler())  # The view shows what it says.
    try:
        return await _follow(feed, _begin(every, wanted, now_ms), view_of(every, is_json=is_json),
                             wanted.bars_max)  # fmt: skip  # one call
    finally:
        await feed.close()


async def _fill(venue: CcxtVenue, keys: Sequence[SeriesKey], since_ms: int) -> None:
    """Fetch what is missing before and between stored bars, for the feed goes on after the last."""
    history = History(flag=flag_in_database, now_ms=lambda: venue.heard_ms)
    with database() as engine, shown() as told:
        for key in keys:
            if (span := history.span(key)) is not None:
                sync = Sync(venue, history, engine, told)
                await sync.bars(key, min(since_ms, span[1]))


def _require_past(since_ms: int | None, now_ms: int) -> None:
    if since_ms is not None and since_ms > now_ms:
        expected = f"a time that has come at the venue, where it is {time_text(now_ms)}"
        raise ParameterFault("--since", expected, time_text(since_ms))


def _begin(keys: Sequence[SeriesKey], wanted: Wanted, now_ms: int) -> Cursors:
    """Return cursors before the last closed bar of each series, or before `since_ms`."""
    if wanted.since_ms is not None:
        return dict.fromkeys(keys, wanted.since_ms - 1)
    return {key: bucket_ms(now_ms, key.interval_ms) - key.interval_ms - 1 for key in keys}


async def _follow(feed: Feed, cursors: Cursors, view: View, bars_max: int | None) -> int:
    """Show what the feed hands out until it is enough or somebody stops it."""
    enough = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, enough.set)
    count, told = 0, tuple[Alert, ...]()
    try:
        with view.shown():
            while not enough.is_set() and (bars_max is None or count < bars_max):
                taken = await feed.take(cursors, wait_s=WAIT_S)
                cursors = advanced(cursors, taken)
                for key, bars in taken.items():
                    left = len(bars) if bars_max is None else min(len(bars), bars_max - count)
                    if left:
                        view.show(key, bars.between(0, left))
                    count += left
                status = await feed.status()
                view.tell([each for each in status.alerts if each not in told], status.time_ms)
                told = status.alerts
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
    return count
