"""The circuit breaker and the venue's clock: two small machines in every venue."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.live.breaker import Breaker
from engines.live.venue_clock import VenueClock


def broken(now_ms: int = 0) -> Breaker:
    """Return a breaker that has just opened."""
    breaker = Breaker(failures_max=3, rest_ms=100, rest_ms_max=350)
    for _ in range(3):
        assert breaker.admit(now_ms) == 0
        breaker.failed(now_ms, now_ms)
    return breaker


def test_failures_in_a_row_open_it_and_any_success_between_does_not() -> None:
    breaker = Breaker(failures_max=3)
    for _ in range(10):
        breaker.failed(0, 0)
        breaker.failed(0, 0)
        breaker.succeeded()
    assert not breaker.is_open
    assert broken().is_open


def test_open_it_lets_one_probe_through_after_its_rest() -> None:
    breaker = broken()
    assert breaker.admit(99) == 1
    assert breaker.admit(100) == 0
    assert breaker.admit(100) == 100, "the probe is under way"
    breaker.succeeded()
    assert breaker.admit(100) == 0
    assert breaker.admit(100) == 0


def test_each_failed_probe_doubles_the_rest_up_to_its_most() -> None:
    breaker, now_ms, rests = broken(), 0, []
    for _ in range(4):
        rests.append(breaker.admit(now_ms))
        now_ms += rests[-1]
        assert breaker.admit(now_ms) == 0
        breaker.failed(now_ms, now_ms)
    assert rests == [100, 200, 350, 350]


def test_what_was_under_way_when_it_opened_does_not_lengthen_the_rest() -> None:
    breaker = broken()
    for _ in range(5):
        breaker.failed(50, 0)
    assert breaker.admit(50) == 50
    assert breaker.admit(100) == 0
    breaker.failed(101, 0)
    assert breaker.rests == 1, "that was not the probe"
    breaker.failed(102, 100)
    assert breaker.rests == 2


def test_a_probe_that_never_comes_back_frees_its_place() -> None:
    breaker = broken()
    assert breaker.admit(100) == 0
    assert breaker.admit(200) == 0


@given(
    offset_ms=st.integers(-10_000_000, 10_000_000),
    ways=st.lists(st.tuples(st.integers(0, 900), st.integers(0, 900)), min_size=1, max_size=20),
)
def test_the_offset_is_within_its_doubt_whatever_the_ways_take(
    offset_ms: int, ways: list[tuple[int, int]]
) -> None:
    clock, now_ms = VenueClock(), 1_700_000_000_000
    for there_ms, back_ms in ways:
        sent_ms, now_ms = now_ms, now_ms + there_ms + back_ms
        clock.learn(sent_ms, sent_ms + there_ms + offset_ms, now_ms)
        assert abs(clock.offset_ms - offset_ms) <= clock.doubt_ms
    assert abs(clock.at(now_ms) - (now_ms + offset_ms)) <= clock.doubt_ms


def test_the_shortest_way_decides() -> None:
    clock = VenueClock()
    clock.learn(0, 1_500, 1_000)
    clock.learn(2_000, 3_210, 2_020)
    clock.learn(3_000, 4_500, 4_000)
    assert clock.offset_ms == 1_200


def test_a_clock_that_was_set_is_believed_at_once() -> None:
    clock = VenueClock()
    clock.learn(0, 10, 20)
    clock.learn(1_000, 61_000, 1_020)
    assert clock.offset_ms == 59_990


@pytest.mark.parametrize(("now_ms", "is_stale"), [(1_000, False), (301_001, True), (-1, True)])
def test_an_old_answer_is_not_trusted(now_ms: int, is_stale: bool) -> None:
    clock = VenueClock()
    assert clock.is_stale(0)
    clock.learn(0, 0, 0)
    assert clock.is_stale(now_ms) is is_stale
    clock.forget()
    assert clock.is_stale(0)
