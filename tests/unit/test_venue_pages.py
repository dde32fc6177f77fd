"""The bars of a range as they come: short, doubled, shuffled, impossible."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.venue.pages import Collected, CollectedFunding, open_at_or_after, opens_between
from engines.klines import DAY_MS, HOUR_MS, MINUTE_MS, WEEK_MS
from engines.series import PriceKind, SeriesKey

STEP = 15 * MINUTE_MS
START = 1_735_689_600_000
KEY = SeriesKey("bybit", "BTC/USDT:USDT", STEP)


def row(at: int, **changed: Any) -> list[Any]:
    """Return bar number `at` of the range."""
    values = {
        "time": START + at * STEP,
        "open": 10.0 + at,
        "high": 12.0 + at,
        "low": 9.0 + at,
        "close": 11.0 + at,
        "volume": 1.5,
        "turnover": 15.0,
    }
    return list((values | changed).values())


def collected(bars: int = 5, key: SeriesKey = KEY) -> Collected:
    """Return an empty collection of a range of so many bars."""
    return Collected(key, START, START + bars * STEP)


@given(st.lists(st.lists(st.integers(-2, 22), max_size=30), max_size=8))
def test_whatever_comes_in_pieces_is_the_range_in_order(pieces: list[list[int]]) -> None:
    pages = collected(20)
    for piece in pieces:
        before = len(pages.rows)
        assert pages.take([row(at) for at in piece]) == len(pages.rows) - before
    came = sorted({at for piece in pieces for at in piece if 0 <= at < 20})
    klines = pages.page().klines
    times = [] if klines is None else klines.open_time_ms.tolist()
    assert times == [START + at * STEP for at in came]
    absent = [at for at in range(20) if at not in came]
    expected = (START + absent[0] * STEP, START + (absent[-1] + 1) * STEP) if absent else None
    assert pages.missing() == expected


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"high": 10.5}, "open or close beyond high and low"),
        ({"low": 14.0}, "open or close beyond high and low"),
        ({"close": float("nan")}, "a value that is no number"),
        ({"open": None}, "a value that is no number"),
        ({"volume": None}, "a value that is no number"),
        ({"low": 0.0}, "a price that is not above zero"),
        ({"volume": -1.0}, "a volume below zero"),
        ({"time": START + 2 * STEP + 1}, "an open off the grid"),
    ],
)
def test_a_row_that_no_bar_can_be_is_missing_and_named(changed: dict[str, Any], words: str) -> None:
    pages = collected()
    bad = row(2, **changed)
    assert pages.take([row(0), row(1), bad, row(3), row(4)]) == 4
    assert pages.missing() == (START + 2 * STEP, START + 3 * STEP)
    assert pages.page().flaws == {bad[0]: words}
    assert pages.take([row(2)]) == 1
    if bad[0] == START + 2 * STEP:
        assert pages.page().flaws == {}, "it came right"


def test_of_two_rows_of_one_time_that_differ_neither_counts() -> None:
    pages = collected(2)
    assert pages.take([row(0), row(0), row(1), row(1, close=11.5)]) == 1
    assert pages.page().flaws == {START + STEP: "two rows of one time"}


def test_a_mark_price_has_no_volume_and_is_given_none() -> None:
    pages = collected(2, SeriesKey("bybit", "BTC/USDT:USDT", STEP, PriceKind.MARK))
    assert pages.take([row(0)[:5], row(1)[:5], [*row(1)[:5], None]]) == 2
    klines = pages.page().klines
    assert klines is not None
    assert klines.volume.tolist() == [0.0, 0.0]
    assert klines.turnover is None


def test_turnover_is_known_of_every_bar_or_of_none() -> None:
    pages = collected(2)
    pages.take([row(0), row(1)[:6]])
    klines = pages.page().klines
    assert klines is not None
    assert klines.turnover is None


@given(st.lists(st.lists(st.integers(-2, 32), max_size=20), max_size=8))
def test_settlements_in_pieces_are_complete_or_known_to_be_missing(
    pieces: list[list[int]],
) -> None:
    step = 8 * HOUR_MS
    collected = CollectedFunding(START, START + 30 * step, step)
    for piece in pieces:
        collected.take([(START + at * step, at / 1e4) for at in piece] + [(None, 0.1), (0, None)])
    came = {at for piece in pieces for at in piece if 0 <= at < 30}
    assert collected.rates == {START + at * step: at / 1e4 for at in came}
    absent = [START + at * step for at in range(30) if at not in came]
    assert collected.missing() == ((absent[0], absent[-1] + 1) if absent else None)


def test_a_finer_grid_of_settlements_is_taken_up_once_it_is_seen() -> None:
    collected = CollectedFunding(START, START + 24 * HOUR_MS, 8 * HOUR_MS)
    collected.take([(START + hour * HOUR_MS, 0.0) for hour in (0, 8, 16)])
    assert collected.missing() is None
    collected.take([(START + 20 * HOUR_MS, 0.0)])
    assert collected.missing() == (START + 4 * HOUR_MS, START + 12 * HOUR_MS + 1)


@given(st.integers(0, 2_000_000_000_000), st.sampled_from([MINUTE_MS, STEP, DAY_MS, WEEK_MS]))
def test_bars_open_on_their_grid_and_weeks_on_mondays(time_ms: int, interval_ms: int) -> None:
    first_ms = open_at_or_after(time_ms, interval_ms)
    assert time_ms <= first_ms < time_ms + interval_ms
    monday_ms = 1_736_121_600_000  # 2025-01-06
    assert (first_ms - monday_ms) % interval_ms == 0
    opens = opens_between(time_ms, time_ms + 3 * interval_ms, interval_ms)
    assert np.all(np.diff(opens) == interval_ms)
    assert len(opens) == 3
