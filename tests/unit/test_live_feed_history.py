"""What a feed asks of the venue's history, and what it makes of the answers."""

from dataclasses import replace

from engines.live.events import (
    AlertKind,
    FetchHistory,
    FlagCorrection,
    HandOut,
    HistoryFailed,
    HistoryFetched,
    StoreKlines,
    StreamLost,
    StreamOpened,
)
from tests.unit.told_feed import KEY, T0, TERMS, Told, at, kline, klines


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
    told.tick(at(2) + 2000)
    assert told.the(FetchHistory).until_ms == at(2)
    again = list(told.last)
    assert told.tell(replace(late, time_ms=told.now_ms)) == []
    told.last = again
    told.answer(*klines(0, 2))
    assert told.the(StoreKlines).klines == klines(0, 2)


def give_up_bar_two(told: Told) -> list[AlertKind]:
    """Let history lack bar 2 until the feed steps over it to bar 3."""
    told.see(kline(3), time_ms=at(4) + 10_000)
    alerts: list[AlertKind] = []
    for answers in range(TERMS.gap_answers):
        assert not alerts, f"believed after {answers} answers"
        told.answer(*klines(0, 2), kline(3))
        alerts += told.alerts()
        if not any(isinstance(each, StoreKlines) for each in told.last):
            told.tick(told.now_ms + 30_000)
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
            told.tick(told.now_ms + 30_000)
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


def test_a_bar_that_was_forgotten_while_the_answer_was_on_its_way_is_not_late() -> None:
    told = Told(stored=6)
    told.tell(StreamOpened((KEY,), told.now_ms))
    request = list(told.last)
    told.see(kline(6))
    told.write()
    told.last = request
    assert told.the(FetchHistory).since_ms == at(2)
    assert told.answer(*klines(2, 6)) == []


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


def test_a_bar_corrected_at_once_after_its_close_is_asked_for_when_it_is_due() -> None:
    told = Told(stored=3)
    told.see(kline(3), time_ms=at(4) + 100)
    told.write()
    assert told.see(kline(3, volume=6.0), time_ms=at(4) + 500) == []
    assert told.tick(at(4) + 1999) == []
    told.tick(at(4) + 2000)
    assert told.the(FetchHistory).until_ms == at(4)
    told.answer(*klines(0, 3), kline(3, volume=6.0))
    assert told.the(FlagCorrection).now == kline(3, volume=6.0)


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


def test_doubts_that_follow_each_other_are_one_question_a_minute() -> None:
    told = Told(stored=3)
    asked = 0
    for _ in range(50):
        told.see(kline(1, volume=6.0), time_ms=told.now_ms + 1000)
        if told.asks():
            asked += 1
            told.answer(*klines(0, 3))
    assert asked == 1


def test_a_bar_confirmed_twice_differently_while_it_waits_is_doubted() -> None:
    told = Told(stored=2)
    hole = told.see(kline(3))
    told.see(kline(3, volume=6.0))
    told.last = hole
    told.answer(kline(2))
    assert told.the(StoreKlines).klines == (kline(2), kline(3, volume=6.0))
    told.write()
    told.tick(told.now_ms + TERMS.retry_ms_max)
    told.answer(*klines(0, 4))
    assert told.the(FlagCorrection).now == kline(3)


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
