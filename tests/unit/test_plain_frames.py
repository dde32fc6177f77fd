"""Frames become klines of the times and the interval that they say, never of guessed ones."""

import numpy as np
import pandas as pd
import pytest

from engines.errors import KlineFault
from engines.klines import MINUTE_MS
from engines.synthetic import synthetic_klines
from strategies.plain import frame_from_klines, klines_from_frame

QUARTER_MS = 15 * MINUTE_MS
KLINES = synthetic_klines(40, QUARTER_MS, seed=1)
FRAME = frame_from_klines(KLINES)


@pytest.mark.parametrize("frame", [FRAME, FRAME.drop(columns="open_time_ms")])
def test_frame_gives_back_the_klines_it_came_from(frame: pd.DataFrame) -> None:
    klines = klines_from_frame(frame)
    assert klines.interval_ms == QUARTER_MS
    assert np.array_equal(klines.open_time_ms, KLINES.open_time_ms)
    assert np.array_equal(klines.close, KLINES.close)


def test_times_in_seconds_are_refused() -> None:
    seconds = FRAME.assign(open_time_ms=FRAME["open_time_ms"] // 1000)
    with pytest.raises(KlineFault, match=r"open_time_ms of frame.*milliseconds"):
        klines_from_frame(seconds)


def test_row_numbers_are_no_times() -> None:
    numbered = FRAME.drop(columns="open_time_ms").reset_index(drop=True)
    with pytest.raises(KlineFault, match=r"open_time_ms of frame.*milliseconds"):
        klines_from_frame(numbered)


def test_given_interval_shows_that_every_second_row_is_missing() -> None:
    with pytest.raises(KlineFault, match="expected bars 15m apart, found bars usually 30m apart"):
        klines_from_frame(FRAME.iloc[::2], interval_ms=QUARTER_MS)


def test_single_row_has_the_interval_given() -> None:
    assert klines_from_frame(FRAME.iloc[:1], interval_ms=QUARTER_MS).interval_ms == QUARTER_MS
