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
    FlagCorrection,
    HandOut,
    HistoryFailed,
    HistoryFetched,
    Kline,
    KlineSeen,
    KlinesStored,
    SeriesAdded,
    SeriesRemoved,
    StoreFailed,
    StoreKlines,
    StreamLost,
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


def test_a_failed_request_is_repeated_after_a_growing_delay_and_said_once() -> None:
    told = Told()
    waits: list[int] = []
    alerts: list[AlertKind] = []
    asked_ms = at(1) + 2000
    told.tick(asked_ms)
    for _ in range(9):
        asked = told.the(FetchHistory)
        told.tell(HistoryFailed(KEY, asked.since_ms, asked.until_ms, "HTTP 502", asked_ms))
        alerts += told.alerts()
        failed_ms = asked_ms
        while not told.asks():
            asked_ms += 1000
            told.tick(asked_ms)
        waits.append((asked_ms - failed_ms) // 1000)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert alerts.count(AlertKind.NO_HISTORY) == 1


def test_a_request_that_is_never_answered_is_given_up_and_its_late_answer_ignored() -> None:
    told = Told()
    told.tick(at(1) + 2000)
    first = told.the(FetchHistory)
    told.tick(at(1) + 2000 + TERMS.fetch_timeout_ms - 1)
    assert told.last == []
    told.tick(told.now_ms + 1)
    late = HistoryFetched(KEY, first.since_ms, first.until_ms, (kline(0, 1.0),), told.now_ms)
    assert told.tell(late) == []
    told.tick(told.now_ms + 1000)
    told.answer(kline(0))
    assert told.the(StoreKlines).klines == klines(0, 1)


def give_up_bar_two(told: Told) -> list[AlertKind]:
    """Let history lack bar 2 until the feed steps over it to bar 3."""
    told.see(kline(3), time_ms=at(4) + 10_000)
    alerts: list[AlertKind] = []
    for answers in range(TERMS.gap_answers):
        assert not alerts, f"believed after {answers} answers"
        told.answer(*klines(0, 2), kline(3))
        alerts += told.alerts()
        if not any(isinstance(each, StoreKlines) for each in told.last):
            told.tick(told.now_ms + 10_000)
    return alerts


def test_a_bar_that_history_lacks_again_and_again_is_a_gap() -> None:
    told = Told(stored=2)
    assert give_up_bar_two(told) == [AlertKind.GAP]
    assert told.the(StoreKlines).klines == klines(3, 4)


def test_the_newest_bar_is_no_gap_however_long_history_is_behind() -> None:
    told = Told(stored=2)
    told.tick(at(3) + 2000)
    for _ in range(20):
        told.answer(*klines(0, 2))
        assert AlertKind.GAP not in told.alerts()
        told.tick(told.now_ms + 60_000)


def test_nothing_is_missed_before_the_first_bar_of_a_symbol() -> None:
    told = Told()
    told.tick(at(25) + 5000)
    asked_ms = []
    while told.asks():
        asked_ms.append(told.the(FetchHistory).since_ms)
        told.answer(*(klines(14, 20) if asked_ms[-1] >= at(10) else ()))
        assert AlertKind.GAP not in told.alerts()
        if not told.asks():
            told.tick(told.now_ms + 10_000)
    assert asked_ms == [T0] * TERMS.gap_answers + [at(10)] * TERMS.gap_answers
    told.last = [StoreKlines(KEY, klines(14, 20), told.now_ms)]
    assert told.write()[0] == HandOut(KEY, klines(14, 20), told.now_ms)


def test_a_bar_that_comes_after_it_was_given_up_is_said_and_not_handed_out() -> None:
    told = Told(stored=2)
    give_up_bar_two(told)
    told.write()
    told.tick(told.now_ms + TERMS.retry_ms_max)
    told.see(kline(2))
    told.answer(*klines(0, 4))
    assert told.alerts() == [AlertKind.LATE]
    assert not any(isinstance(each, StoreKlines | HandOut) for each in told.last)


def test_a_bar_told_otherwise_is_flagged_once_history_says_so_too() -> None:
    told = Told(stored=3)
    asked = told.see(kline(1, volume=6.0))
    assert [type(each) for each in asked] == [FetchHistory]
    told.answer(kline(0), kline(1, volume=6.0), kline(2))
    assert told.the(FlagCorrection) == FlagCorrection(
        KEY, kline(1), kline(1, volume=6.0), told.now_ms
    )
    assert told.alerts() == [AlertKind.CORRECTED]
    assert told.see(kline(1, volume=6.0)) == []


def test_a_doubt_stays_while_answers_lack_the_bar_but_not_for_ever() -> None:
    told = Told(stored=3)
    told.see(kline(1, volume=6.0))
    asked = 0
    for _ in range(10):  # minutes, until the next bar is due
        if told.asks():
            asked += 1
            told.answer(kline(0), kline(2))
        told.tick(told.now_ms + TERMS.retry_ms_max)
    assert asked == TERMS.gap_answers


def test_an_old_state_that_comes_late_is_no_correction() -> None:
    told = Told(stored=3)
    assert told.see(kline(1, volume=2.0), is_closed=False) == []
    told.see(kline(1, volume=2.0), is_closed=None)
    assert told.answer(*klines(0, 3)) == []


def test_a_turnover_that_history_does_not_give_is_no_correction() -> None:
    told = Told(stored=3)
    told.tell(StreamOpened((KEY,), told.now_ms))
    assert told.answer(*(replace(bar, turnover=None) for bar in klines(0, 3))) == []


def test_a_new_connection_asks_for_corrections_even_when_no_bar_is_due() -> None:
    told = Told(stored=6)
    told.tell(StreamLost((KEY,), "reset by peer", told.now_ms))
    assert told.alerts() == [AlertKind.STREAM_LOST]
    told.tell(StreamOpened((KEY,), told.now_ms + 500))
    assert told.the(FetchHistory) == FetchHistory(KEY, at(2), at(6), told.now_ms)


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


def test_a_restart_goes_on_after_the_last_stored_bar() -> None:
    told = Told(stored=5)
    # At once, and from a few bars before: they may have been corrected meanwhile.
    assert told.started == [FetchHistory(KEY, at(1), at(4), at(5) + 1000)]
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
