"""What the database keeps of markets: instruments by time, syncs, and what was found wrong."""

import math
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from cluster.database import database
from cluster.history import Correction, History, Overlap, WriteResult
from cluster.instrument_book import Changes, InstrumentBook
from cluster.issues import IssueKind, IssueLog, flag_in_database
from cluster.sync_log import SyncLog
from engines.instrument import Instrument
from engines.margin import MarginTier
from engines.series import SeriesKey
from tests.unit.bars import NOW_MS, START_MS, STEP_MS, bars
from tests.unit.databases import KINDS, url_of


@dataclass(frozen=True)
class Listed:
    instrument: Instrument
    is_trading: bool = True
    launched_ms: int | None = None
    funding_interval_ms: int | None = 8 * 3_600_000


BTC = Listed(
    Instrument(
        symbol="BTC/USDT:USDT",
        tick_size=0.1,
        qty_step=0.001,
        qty_min=0.001,
        notional_min=5.0,
        margin_tiers=(MarginTier(2e6, 0.005, leverage_max=100.0), MarginTier(math.inf, 0.01)),
    ),
    launched_ms=1_585_526_400_000,
)
ETH = Listed(Instrument(symbol="ETH/USDT:USDT", tick_size=0.01, qty_step=0.01))


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return url_of(request.param, tmp_path)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    with database(url) as opened:
        yield opened


@pytest.fixture
def venue() -> str:
    """Return a venue of its own, so that a database may be used again."""
    return f"v{uuid.uuid4().hex[:8]}"


def test_an_instrument_comes_back_as_it_was_listed(engine: Engine, venue: str) -> None:
    book = InstrumentBook(engine)
    listed = {one.instrument.symbol: one for one in (BTC, ETH)}
    assert book.record(venue, listed, 100) == Changes(tuple(listed), (), ())
    assert book.record(venue, listed, 200) == Changes((), (), ())
    known = book.at(venue, "BTC/USDT:USDT", 300)
    assert known is not None
    assert known.instrument == BTC.instrument
    assert (known.launched_ms, known.funding_interval_ms) == (BTC.launched_ms, 28_800_000)
    assert (known.valid_from_ms, known.valid_until_ms) == (100, None)
    assert book.symbols(venue) == ["BTC/USDT:USDT", "ETH/USDT:USDT"]
    assert book.at(venue, "XRP/USDT:USDT", 300) is None


def test_the_rules_of_a_past_time_can_be_asked_for(engine: Engine, venue: str) -> None:
    book = InstrumentBook(engine)
    finer = replace(BTC, instrument=replace(BTC.instrument, tick_size=0.01, margin_tiers=()))
    book.record(venue, {"BTC/USDT:USDT": BTC, "ETH/USDT:USDT": ETH}, 100)
    changes = book.record(venue, {"BTC/USDT:USDT": finer}, 200)
    assert changes == Changes((), ("BTC/USDT:USDT",), ("ETH/USDT:USDT",))
    ticks = {time_ms: book.at(venue, "BTC/USDT:USDT", time_ms) for time_ms in (50, 150, 200)}
    assert [known and known.instrument.tick_size for known in ticks.values()] == [0.1, 0.1, 0.01]
    # A list without tiers does not take away the ones that are known.
    assert ticks[200] is not None
    assert ticks[200].instrument.margin_tiers == BTC.instrument.margin_tiers
    assert book.symbols(venue) == ["BTC/USDT:USDT"]
    gone = book.at(venue, "ETH/USDT:USDT", 300)
    assert gone is not None
    assert gone.valid_until_ms == 200


def test_what_changes_twice_in_a_moment_is_what_came_last(engine: Engine, venue: str) -> None:
    book = InstrumentBook(engine)
    for tick_size in (0.1, 0.2, 0.3):
        rules = replace(BTC.instrument, tick_size=tick_size)
        book.record(venue, {"BTC/USDT:USDT": replace(BTC, instrument=rules)}, 100)
    known = book.at(venue, "BTC/USDT:USDT", 100)
    assert known is not None
    assert known.instrument.tick_size == 0.3


def test_a_sync_is_known_from_its_beginning_to_its_end(engine: Engine, venue: str) -> None:
    log, key = SyncLog(engine), SeriesKey(venue, "BTC/USDT:USDT", STEP_MS)
    assert log.last(key) is None
    sync_id = log.begin(key, 0, 100, now_ms=50)
    under_way = log.last(key)
    assert under_way is not None
    assert (under_way.ended_ms, under_way.outcome) == (None, "")
    log.end(sync_id, WriteResult(added=7, equal=2), now_ms=60)
    done = log.last(key)
    assert done is not None
    assert (done.added, done.equal, done.corrected, done.outcome) == (7, 2, 0, "done")
    assert (done.begun_ms, done.ended_ms) == (50, 60)


def test_an_issue_that_is_found_again_is_the_same_issue(engine: Engine, venue: str) -> None:
    log, key = IssueLog(engine), SeriesKey(venue, "BTC/USDT:USDT", STEP_MS)
    for now_ms in (100, 200):
        log.record(
            key, IssueKind.REJECTED, [(5, {"rule": "spike"}), (6, {"rule": "spike"})], now_ms
        )
    issues = log.open(key)
    assert [(issue.time_ms, issue.found) for issue in issues] == [
        (5, {"rule": "spike"}),
        (6, {"rule": "spike"}),
    ]
    assert {(issue.first_seen_ms, issue.last_seen_ms) for issue in issues} == {(100, 200)}
    log.resolve(issues[:1], "fetched anew", now_ms=300)
    assert log.open(key) == issues[1:]
    assert issues[1] in log.open()


def test_a_correction_is_an_open_issue_until_it_is_accepted(
    url: str, engine: Engine, venue: str
) -> None:
    key = SeriesKey(venue, "BTC/USDT:USDT", STEP_MS)
    found = [Correction(7, stored={"high": 1.0}, offered={"high": 2.0})]
    flag_in_database(key, found, Overlap.KEEP, 100, url)
    (issue,) = IssueLog(engine).open(key)
    assert issue.kind is IssueKind.CORRECTION
    assert issue.found == {"stored": {"high": 1.0}, "offered": {"high": 2.0}}
    flag_in_database(key, found, Overlap.CORRECT, 200, url)
    assert IssueLog(engine).open(key) == []


def test_a_history_flags_into_the_database_by_itself(tmp_path: Path) -> None:
    key = SeriesKey(f"v{uuid.uuid4().hex[:8]}", "BTC/USDT:USDT", STEP_MS)
    history = History(str(tmp_path), now_ms=lambda: NOW_MS)
    history.write(key, bars(0, 10))
    history.write(key, bars(0, 10, high_at={7: 0.5}))
    with database() as engine:
        (issue,) = IssueLog(engine).open(key)
    assert issue.time_ms == START_MS + 7 * STEP_MS
    assert issue.first_seen_ms == NOW_MS
