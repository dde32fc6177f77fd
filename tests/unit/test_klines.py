"""Klines cannot hold a wrong row, and say which row is wrong."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.errors import KlineFault
from engines.klines import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    WEEK_MS,
    Klines,
    interval_text,
    parse_interval_ms,
    time_text,
)

START_MS = 1_735_689_600_000


def bars(times: list[int], interval_ms: int = HOUR_MS) -> Klines:
    size = len(times)
    return Klines(
        symbol="X",
        interval_ms=interval_ms,
        open_time_ms=np.array(times, dtype=np.int64),
        open=np.full(size, 10.0),
        high=np.full(size, 12.0),
        low=np.full(size, 9.0),
        close=np.full(size, 11.0),
        volume=np.full(size, 1.0),
    )


def hours(*offsets: float) -> list[int]:
    return [START_MS + round(offset * HOUR_MS) for offset in offsets]


GOOD = bars(hours(0, 1, 2, 3))


def test_bars_close_one_interval_after_they_open() -> None:
    assert (GOOD.close_time_ms - GOOD.open_time_ms).tolist() == [HOUR_MS] * 4


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (hours(0, 1, 1, 2), "bar 2 of X at 2025-01-01 01:00Z: .* a duplicate of the bar before"),
        (hours(0, 2, 1, 3), "bar 2 of X .* open times that ascend"),
        (hours(0, 1, 1.5, 3), "bar 2 of X .* a multiple of 1h .* 30 minutes"),
        (hours(0, 2, 4, 6), "expected bars 1h apart, found bars usually 2h apart"),
    ],
)
def test_wrong_times_name_the_first_wrong_bar(times: list[int], expected: str) -> None:
    with pytest.raises(KlineFault, match=expected):
        bars(times)


@pytest.mark.parametrize("column", ["open", "high", "low", "close", "volume", "turnover"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_wrong_numbers_name_column_and_bar(column: str, value: float) -> None:
    values: Any = np.full(4, 10.0)
    values[2] = value
    with pytest.raises(KlineFault, match=f"{column} of bar 2 of X at 2025-01-01 02:00Z"):
        replace(GOOD, **{column: values})


@pytest.mark.parametrize(("column", "value"), [("high", 10.5), ("low", 10.5), ("close", 13.0)])
def test_a_body_outside_its_range_is_refused(column: str, value: float) -> None:
    values = getattr(GOOD, column).copy()
    values[1] = value
    with pytest.raises(KlineFault, match=r"bar 1 of X .* low <= open and close <= high"):
        replace(GOOD, **{column: values})


def test_zero_volume_is_a_fact_and_zero_price_is_not() -> None:
    assert replace(GOOD, volume=np.zeros(4)).volume.sum() == 0
    with pytest.raises(KlineFault, match="above zero"):
        replace(GOOD, low=np.zeros(4))


def test_empty_ragged_and_mistyped_columns_are_refused() -> None:
    with pytest.raises(KlineFault, match="at least one bar"):
        bars([])
    with pytest.raises(KlineFault, match="column close of X"):
        replace(GOOD, close=np.full(3, 11.0))
    with pytest.raises(KlineFault, match="column close of X"):
        replace(GOOD, close=np.full(4, 11, dtype=np.int64))
    with pytest.raises(KlineFault, match="interval of X"):
        replace(GOOD, interval_ms=0)


def test_gaps_are_known_and_not_filled() -> None:
    gaps = bars(hours(0, 1, 2, 5, 6, 8)).gaps()
    assert [(gap.bars_missing, gap.before_ms - gap.after_ms) for gap in gaps] == [
        (2, 3 * HOUR_MS),
        (1, 2 * HOUR_MS),
    ]
    assert GOOD.gaps() == []


def test_days_may_be_an_hour_short_or_long() -> None:
    klines = bars([START_MS, START_MS + 23 * HOUR_MS, START_MS + 48 * HOUR_MS], DAY_MS)
    assert klines.gaps() == []
    with pytest.raises(KlineFault, match="a multiple of 1d"):
        bars([START_MS, START_MS + 22 * HOUR_MS], DAY_MS)


def test_part_shares_its_columns() -> None:
    part = GOOD.between(1, 3)
    assert part.open_time_ms.tolist() == hours(1, 2)
    assert np.shares_memory(part.close, GOOD.close)


def test_index_at_is_the_first_bar_not_before_a_time() -> None:
    assert [GOOD.index_at(t) for t in hours(-1, 0, 0.5, 3, 9)] == [0, 0, 1, 3, 4]


def test_bars_must_have_closed_by_now() -> None:
    GOOD.require_closed_by(START_MS + 4 * HOUR_MS)
    with pytest.raises(KlineFault, match="expected closed by now, 2025-01-01 03:59Z"):
        GOOD.require_closed_by(START_MS + 4 * HOUR_MS - 1)


@pytest.mark.parametrize(
    ("text", "interval_ms"),
    [
        ("15", 15 * MINUTE_MS),
        ("15m", 15 * MINUTE_MS),
        ("1h", HOUR_MS),
        ("240", 4 * HOUR_MS),
        ("4H", 4 * HOUR_MS),
        ("D", DAY_MS),
        ("1d", DAY_MS),
        ("1W", WEEK_MS),
        ("30s", 30_000),
    ],
)
def test_intervals_are_read_as_people_write_them(text: str, interval_ms: int) -> None:
    assert parse_interval_ms(text) == interval_ms


NO_INTERVALS = ["", "m5", "0m", "-5m", "1.5h", "1y", "fifteen", " ", "²m", "1M", "9999999999w"]


@pytest.mark.parametrize("text", NO_INTERVALS)
def test_no_interval_is_a_fault(text: str) -> None:
    with pytest.raises(KlineFault, match="interval"):
        parse_interval_ms(text)


@given(st.integers(1, 10**6))
def test_interval_text_is_the_inverse_of_parsing(seconds: int) -> None:
    assert parse_interval_ms(interval_text(seconds * 1000)) == seconds * 1000


def test_times_are_written_in_utc() -> None:
    assert time_text(START_MS + 45 * MINUTE_MS) == "2025-01-01 00:45Z"
