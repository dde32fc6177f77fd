"""Bars cross the border between columns and single rows unchanged, and a wrong one is named."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engines.errors import KlineFault
from engines.klines import HOUR_MS
from engines.live.events import Kline, KlineSeen, kline_columns, kline_rows
from engines.series import SeriesKey
from engines.synthetic import synthetic_klines

KEY = SeriesKey("bybit", "BTC/USDT:USDT", HOUR_MS)
GOOD = Kline(0, 10.0, 12.0, 9.0, 11.0, 5.0, 55.0)


@pytest.mark.parametrize("has_turnover", [True, False])
def test_columns_become_rows_and_columns_again(has_turnover: bool) -> None:
    klines = synthetic_klines(20, HOUR_MS, seed=1, symbol=KEY.symbol)
    klines = replace(klines, turnover=klines.close * klines.volume if has_turnover else None)
    again = kline_columns(KEY, kline_rows(klines))
    for name in ("open_time_ms", "open", "high", "low", "close", "volume", "turnover"):
        assert np.array_equal(getattr(again, name), getattr(klines, name)), name
    assert (again.symbol, again.interval_ms) == (KEY.symbol, KEY.interval_ms)


def test_no_rows_are_no_columns() -> None:
    with pytest.raises(KlineFault, match="at least one bar"):
        kline_columns(KEY, ())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"close": float("nan")}, "a value that is no number"),
        ({"turnover": float("inf")}, "a value that is no number"),
        ({"low": 0.0}, "out of range"),
        ({"volume": -1.0}, "out of range"),
        ({"turnover": -1.0}, "out of range"),
        ({"high": 10.5}, "open or close beyond high and low"),
        ({"low": 10.5}, "open or close beyond high and low"),
    ],
)
def test_a_bar_that_cannot_be_is_called_so(wrong: dict[str, Any], said: str) -> None:
    assert said in str(replace(GOOD, **wrong).flaw())


def test_a_bar_that_can_be_has_no_flaw() -> None:
    assert GOOD.flaw() is None
    assert replace(GOOD, turnover=None, volume=0.0).flaw() is None


def test_what_the_stream_saw_holds_the_bar() -> None:
    seen = KlineSeen(KEY, 0, 10.0, 12.0, 9.0, 11.0, 5.0, 55.0, None, 1)
    assert seen.kline() == GOOD
