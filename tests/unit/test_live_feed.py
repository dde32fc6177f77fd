"""One series of a feed, event by event: what is asked for, what is handed out, what is said."""

from dataclasses import replace

import pytest

from engines.errors import KlineFault
from engines.klines import MINUTE_MS
from engines.live.events import (
    Alert,
    AlertKind,
    ClockTicked,
    FetchHistory,
    HandOut,
    HistoryFetched,
    Kline,
    KlineSeen,
    KlinesStored,
    SeriesAdded,
    SeriesRemoved,
    StoreFailed,
    StoreKlines,
    StreamOpened,
    Watch,
)
from engines.live.feed import FeedState, resume_since_ms
from engines.live.feed_series import STORY_EVENTS
from engines.series import PriceKind, SeriesKey
from tests.unit.told_feed import KEY, STEP_MS, T0, TERMS, Told, at, kline, klines


def test_a_confirmed_bar_is_handed_out_once_it_is_stored() -> None:
    told = Told()
    told.see(kline(0))
    assert told.last == [StoreKlines(KEY, klines(0, 1), at(1) + 100)]
    assert told.write() == [HandOut(KEY, klines(0, 1), at(1) + 105)]


def test_an_open_bar_is_never_handed_out() -> None:
    told = Told()
    assert told.see(kline(0), is_closed=False, time_ms=at(0) + 5000) == []
    assert told.see(kline(1), is_closed=None, time_ms=at(1) + 500) == []


def test_a_bar_without_confirmation_comes_from_history_after_the_grace() -> None:
    told = Told()
    told.see(kline(0), is_closed=False)
    told.see(kline(1), is_closed=False, time_ms=at(1) + 500)
    assert not any(isinstance(each, FetchHistory) for each in told.tick(at(1) + 1999))
    told.tick(at(1) + 2000)
    assert told.the(FetchHistory) == FetchHistory(KEY, at(0), at(1), at(1) + 2000)
    told.answer(kline(0))
    assert told.the(StoreKlines).klines == klines(0, 1)


def test_a_later_bar_waits_until_history_has_filled_the_hole() -> None:
    told = Told(stored=2)
    assert told.see(kline(3)) == [FetchHistory(KEY, at(0), at(3), at(4) + 100)]
    told.answer(*klines(0, 3))
    assert told.the(StoreKlines).klines == klines(2, 4)
    assert told.write()[0] == HandOut(KEY, klines(2, 4), told.now_ms)


def test_what_comes_while_a_write_is_under_way_is_written_after_it() -> None:
    told = Told()
    told.see(kline(0))
    written = told.the(StoreKlines)
    assert told.see(kline(1)) == []
    told.tell(KlinesStored(KEY, at(0), told.now_ms))
    assert told.last == [
        HandOut(KEY, written.klines, told.now_ms),
        StoreKlines(KEY, klines(1, 2), told.now_ms),
    ]


def test_only_so_many_bars_wait_for_one_that_is_missing() -> None:
    told = Told(stored=2)
    asked = told.see(kline(3), time_ms=at(10))
    for bar in range(4, 10):
        assert told.see(kline(bar), time_ms=at(10)) == []
    told.last = asked
    told.answer(kline(2))
    # Bars 3 to 5 waited, 6 to 9 found no room: history has them.
    assert told.the(StoreKlines).klines == klines(2, 6)


def test_a_long_history_comes_in_bounded_answers() -> None:
    told = Told()
    told.tick(at(25) + 5000)
    # Of each later answer four bars are those handed out last.
    assert told.fetch_all() == [10, 10, 10, 7]
    assert told.the(HandOut).klines[-1] == kline(24)


@pytest.mark.parametrize(
    ("bar", "said"),
    [
        (replace(kline(0), high=1.0), "open or close beyond high and low"),
        (replace(kline(0), close=float("nan")), "a value that is no number"),
        (replace(kline(0), open_time_ms=at(0) + 1), "an open that is no multiple of 15m"),
        (kline(1), "a close in the future, now being 2024-01-01 00:15Z"),
    ],
)
def test_a_bar_that_cannot_be_is_said_and_counts_as_missing(bar: Kline, said: str) -> None:
    told = Told()
    told.see(bar, time_ms=at(1) + 100)
    assert said in told.the(Alert).text
    assert told.alerts() == [AlertKind.BAD_KLINE]
    told.tick(at(1) + 2000)
    assert told.the(FetchHistory).since_ms == at(0)


def test_a_failed_write_is_repeated_and_nothing_is_handed_out_before() -> None:
    told = Told()
    told.see(kline(0))
    told.tell(StoreFailed(KEY, "No space left on device", told.now_ms))
    assert told.alerts() == [AlertKind.NO_STORE]
    assert not any(isinstance(each, StoreKlines) for each in told.tick(told.now_ms + 999))
    told.tick(told.now_ms + 1)
    assert told.the(StoreKlines).klines == klines(0, 1)
    told.write()
    assert told.the(HandOut).klines == klines(0, 1)


def test_the_answer_to_an_earlier_write_hands_out_nothing_of_a_later_one() -> None:
    told = Told()
    told.see(kline(0))
    told.write()
    told.see(kline(1))
    assert told.tell(KlinesStored(KEY, at(0), told.now_ms)) == []
    assert told.tell(KlinesStored(KEY, at(1), told.now_ms))[0] == HandOut(
        KEY, klines(1, 2), told.now_ms
    )


def test_what_is_handed_out_is_what_is_stored_where_somebody_else_had_written() -> None:
    told = Told()
    told.see(kline(0))
    told.tell(KlinesStored(KEY, at(0), told.now_ms, (kline(0, volume=9.0),)))
    assert told.the(HandOut).klines == (kline(0, volume=9.0),)
    assert told.alerts() == [AlertKind.CORRECTED]


def test_a_restart_goes_on_after_the_last_stored_bar() -> None:
    told = Told(stored=5)
    # At once, and from a few bars before: they may have been corrected meanwhile.
    assert told.started == [FetchHistory(KEY, at(1), at(5), at(5) + 3000)]
    told.see(kline(5))
    assert told.the(StoreKlines).klines == klines(5, 6)


def test_longer_bars_follow_and_survive_a_restart_in_the_middle_of_one() -> None:
    hour_ms = 4 * STEP_MS
    hour = SeriesKey("bybit", "BTC/USDT:USDT", hour_ms)
    told = Told(stored=6, derived_ms=(hour_ms,))
    told.see(kline(6))
    told.write()
    assert [each.key for each in told.last if isinstance(each, HandOut)] == [KEY]
    told.see(kline(7))
    told.write()
    (whole,) = (each for each in told.last if isinstance(each, HandOut) and each.key == hour)
    assert whole.klines == (Kline(at(4), 104.0, 109.0, 103.0, 108.0, 20.0, 20.0 * 105.5),)


@pytest.mark.parametrize(("first", "made"), [(0, 1), (5, 0)])
def test_a_longer_bar_that_lacks_its_first_one_is_none_only_at_the_very_beginning(
    first: int, made: int
) -> None:
    hour_ms = 4 * STEP_MS
    state = FeedState(TERMS)
    stored = (kline(3), kline(5)) if first < 5 else (kline(5),)
    state.handle(SeriesAdded(KEY, (hour_ms,), T0, at(first), stored, at(6)))
    longer = []
    for bar in (6, 7):
        row = kline(bar)
        values = (row.open, row.high, row.low, row.close, row.volume, row.turnover)
        state.handle(KlineSeen(KEY, at(bar), *values, True, at(bar + 1)))
        handed = state.handle(KlinesStored(KEY, at(bar), at(bar + 1)))
        longer += [
            each for each in handed if isinstance(each, HandOut) and each.key.interval_ms == hour_ms
        ]
    assert len(longer) == made


def test_a_restart_says_how_many_stored_bars_it_needs() -> None:
    assert resume_since_ms(KEY, (), at(100), TERMS) == at(96)
    # Bar 102 of 16-bar buckets: its bucket began with bar 96; one before says that others were.
    assert resume_since_ms(KEY, (16 * STEP_MS,), at(102), TERMS) == at(95)


def test_a_longer_interval_must_be_a_multiple() -> None:
    with pytest.raises(KlineFault, match="a multiple of 15m, found 20m"):
        Told(derived_ms=(20 * MINUTE_MS,))


def test_silence_brings_one_new_connection_and_ever_longer_patience() -> None:
    told = Told()
    told.tick(told.now_ms)
    assert told.the(Watch) == Watch((KEY,), False, told.now_ms)
    silent_s = []
    since_ms = told.now_ms
    for _ in range(2 * 3600):
        told.tick(told.now_ms + 1000)
        if AlertKind.SILENT in told.alerts():
            assert told.the(Watch).is_anew
            silent_s.append((told.now_ms - since_ms) // 1000)
            since_ms = told.now_ms
            told.tell(StreamOpened((KEY,), told.now_ms))
    assert silent_s == [150, 300, 600, 1200, 2400]
    told.see(kline(9), is_closed=False, time_ms=told.now_ms)
    for _ in range(151):
        told.tick(told.now_ms + 1000)
        if AlertKind.SILENT in told.alerts():
            break
    assert told.now_ms - since_ms < 2 * 3600 * 1000
    assert AlertKind.SILENT in told.alerts(), "patience is short again once it was heard"


def test_bars_of_the_mark_price_come_from_history_alone_and_are_never_silent() -> None:
    state, mark = FeedState(TERMS), replace(KEY, price=PriceKind.MARK)
    state.handle(SeriesAdded(mark, (), T0, None, (), T0))
    assert state.handle(ClockTicked(T0 + 1000)) == [Watch((), False, T0 + 1000)]
    assert state.handle(ClockTicked(T0 + TERMS.silence_ms * 3)) == []
    asked = state.handle(ClockTicked(at(1) + 2000))
    assert [type(each) for each in asked] == [FetchHistory]


def test_requests_under_way_are_few_however_many_series_there_are() -> None:
    state = FeedState(replace(TERMS, fetches_max=3))
    keys = [replace(KEY, symbol=f"S{i}/USDT:USDT") for i in range(10)]
    asked = []
    for key in keys:
        asked += state.handle(SeriesAdded(key, (), T0, None, (), at(2)))
    assert [each.key for each in asked if isinstance(each, FetchHistory)] == keys[:3]
    answered = HistoryFetched(keys[1], T0, at(1), klines(0, 1), at(2))
    first = next(each for each in asked if isinstance(each, FetchHistory))
    answered = replace(answered, since_ms=first.since_ms, until_ms=first.until_ms)
    after = state.handle(answered)
    assert [each.key for each in after if isinstance(each, FetchHistory)] == [keys[3]]


def test_a_series_can_be_taken_away() -> None:
    told = Told()
    told.tick(at(1) + 2000)
    told.tell(SeriesRemoved(KEY, told.now_ms))
    assert told.see(kline(0)) == []
    told.tick(told.now_ms + 1000)
    assert told.last == [Watch((), False, told.now_ms)]


def test_the_story_of_a_series_is_short_and_tells_no_open_bar() -> None:
    told = Told()
    told.see(kline(0), is_closed=False)
    told.tick(at(200) + 5000)
    told.fetch_all()
    story = told.state.story(KEY)
    assert len(story) == STORY_EVENTS
    assert not any(isinstance(event, KlineSeen) for event in story)
    assert all(len(event.klines) <= 1 for event in story if isinstance(event, HistoryFetched))
