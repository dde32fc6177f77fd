"""What a sync stores, rejects and calls absent, by a venue that is played."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from actors.repair import Repair
from actors.sync import Sync, SyncResult
from actors.venue.pages import Page
from actors.venue.protocol import Listing, StreamEvent
from cluster.database import database
from cluster.history import History
from cluster.issues import IssueKind, IssueLog
from engines.funding import Funding
from engines.instrument import Instrument
from engines.klines import DAY_MS, HOUR_MS, WEEK_MS, Klines
from engines.quality import Limits
from engines.series import SeriesKey
from tests.unit.bars import START_MS, STEP_MS, bars

SYMBOL = "BTC/USDT:USDT"
KEY = SeriesKey("played", SYMBOL, STEP_MS)
WEEKLY = SeriesKey("played", SYMBOL, WEEK_MS)
MONDAY_MS = START_MS - 2 * DAY_MS
SPIKE_UP = 100.0
FEBRUARY = 31 * 96  # the first bar of that month


@dataclass
class PlayedVenue:
    """A venue that has made bars up to `count`; those of `high_at` are raised."""

    now_ms: int
    count: int = 10**6
    start_ms: int = START_MS
    step_ms: int = STEP_MS
    high_at: Mapping[int, float] = field(default_factory=dict)
    name: str = "played"
    page_bars: int = 1000
    retries: int = 0
    meanwhile: Callable[[], object] = lambda: None

    async def time_ms(self) -> int:
        return self.now_ms

    async def instruments(self) -> Mapping[str, Listing]:
        return {SYMBOL: Listing(Instrument(SYMBOL, 0.1, 0.001), True, None)}

    async def require(self, key: SeriesKey) -> Listing:
        return (await self.instruments())[key.symbol]

    async def page(self, key: SeriesKey, since_ms: int, until_ms: int) -> Page:
        return Page(await self.klines(key, since_ms, until_ms), {})

    async def klines(self, key: SeriesKey, since_ms: int, until_ms: int) -> Klines | None:
        self.meanwhile()
        first, stop = (-(-(at - self.start_ms) // self.step_ms) for at in (since_ms, until_ms))
        stop = min(stop, self.count)
        if first >= stop:
            return None
        shift_ms = self.start_ms - START_MS
        return bars(first, stop, step_ms=self.step_ms, shift_ms=shift_ms, high_at=self.high_at)

    async def funding(self, symbol: str, since_ms: int, until_ms: int) -> Funding | None:
        return None

    async def watch_klines(self, keys: Collection[SeriesKey]) -> Any:
        raise AssertionError(f"nobody streams {keys}")
        yield StreamEvent

    async def close(self) -> None:
        pass


@dataclass
class Kept:
    """A history and a database that a venue keeps up."""

    venue: PlayedVenue
    folder: Path
    engine: Engine

    @property
    def history(self) -> History:
        return History(str(self.folder), now_ms=lambda: self.venue.now_ms)

    @property
    def issues(self) -> IssueLog:
        return IssueLog(self.engine)

    def sync(
        self, key: SeriesKey = KEY, since_ms: int | None = None, limits: Limits | None = None
    ) -> SyncResult:
        work = Sync(self.venue, self.history, self.engine, limits=limits)
        return asyncio.run(work.bars(key, since_ms))

    def repair(self, *, accepts: bool = False) -> None:
        asyncio.run(Repair(self.venue, self.history, self.engine).series(KEY, accepts=accepts))

    def rejected(self) -> list[int]:
        """Return which bars are recorded as rejected and nobody has resolved."""
        kinds = [each for each in self.issues.open(KEY) if each.kind is IssueKind.REJECTED]
        return [(each.time_ms - START_MS) // STEP_MS for each in kinds]


@pytest.fixture
def keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Kept]]:
    """Return what keeps a history up with a venue."""
    monkeypatch.setenv("PHALANX_DATABASE_URL", f"sqlite:///{tmp_path / 'phalanx.db'}")
    with database() as engine:
        yield lambda venue: Kept(venue, tmp_path / "history", engine)


def at(bar: float) -> int:
    return START_MS + int(bar * STEP_MS)


Keep = Callable[[PlayedVenue], Kept]


def test_a_rejected_spike_is_not_called_absent_and_wider_limits_store_it(keep: Keep) -> None:
    kept = keep(PlayedVenue(at(3000.1), high_at={1000: SPIKE_UP}))
    result = kept.sync(since_ms=START_MS)
    assert (result.flaws, result.absent) == ({at(1000): "spike"}, 0)
    assert kept.issues.absent(KEY) == []
    assert kept.sync().written.added == 0
    assert kept.rejected() == [1000]
    wider = kept.sync(limits=Limits(spike_ratio=5.0))
    assert (wider.written.added, wider.is_sound, kept.rejected()) == (1, True, [])


def test_a_bar_that_closed_less_than_a_day_ago_is_not_called_absent(keep: Keep) -> None:
    now_ms = MONDAY_MS + 21 * WEEK_MS
    kept = keep(PlayedVenue(now_ms + 2000, 20, MONDAY_MS, WEEK_MS))
    kept.sync(WEEKLY, MONDAY_MS)
    assert kept.issues.absent(WEEKLY) == []
    kept.venue.now_ms = now_ms + DAY_MS - HOUR_MS
    kept.sync(WEEKLY)
    assert kept.issues.absent(WEEKLY) == []
    kept.venue.now_ms = now_ms + DAY_MS
    kept.sync(WEEKLY)
    assert kept.issues.absent(WEEKLY) == [(now_ms - WEEK_MS, now_ms)]


def test_another_program_may_write_while_the_venue_is_asked(keep: Keep) -> None:
    kept = keep(PlayedVenue(at(3000.1)))
    kept.venue.meanwhile = lambda: kept.history.write(KEY, bars(10, 12))
    assert kept.sync(since_ms=START_MS).written.added == 2998
    kept.repair()


@pytest.mark.parametrize("side", [-1, 0], ids=["last", "first"])
def test_a_spike_beside_the_end_of_a_month_is_rejected_like_any_other(
    keep: Keep, side: int
) -> None:
    bar = FEBRUARY + side
    kept = keep(PlayedVenue(at(FEBRUARY + 300.1), high_at={bar: SPIKE_UP}))
    assert kept.sync(since_ms=START_MS).flaws == {at(bar): "spike"}


def test_a_spike_beside_a_stored_bar_is_rejected_too(keep: Keep) -> None:
    kept = keep(PlayedVenue(at(100.1), high_at={100: SPIKE_UP}))
    kept.sync(since_ms=START_MS)
    kept.venue.now_ms = at(105.1)
    assert kept.sync().flaws == {at(100): "spike"}


def test_what_is_stored_is_not_rejected_and_no_repair_accepts_it_unasked(keep: Keep) -> None:
    kept = keep(PlayedVenue(at(101.1), high_at={100: SPIKE_UP}))
    kept.sync(since_ms=START_MS)
    assert at(100) in kept.history.times(KEY), "nobody knows yet that it is a spike"
    kept.venue.now_ms = at(105.1)
    again = kept.sync()
    assert (again.flaws, kept.rejected()) == ({}, [])
    kept.venue.high_at = {}
    kept.venue.now_ms = at(106.1)
    assert kept.sync().written.corrected == 1, "what the venue corrects is seen"


def test_only_a_repair_that_accepts_resolves_what_was_rejected(keep: Keep) -> None:
    kept = keep(PlayedVenue(at(3000.1), high_at={1000: SPIKE_UP}))
    kept.sync(since_ms=START_MS)
    kept.history.write(KEY, bars(1000, 1001))
    kept.repair()
    assert kept.rejected() == [1000]
    kept.repair(accepts=True)
    assert kept.rejected() == []
