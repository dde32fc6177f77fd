"""A bank's rows are the features of its periods, in every bit."""

import numpy as np
import pytest

from engines.features import banks
from engines.features._banks import BLOCK, GROUP
from engines.features.moving_averages import ema, rma, sma
from engines.features.oscillators import rsi
from engines.features.volatility import atr
from engines.types import F64_1D, F64_2D

PERIODS = (1, 2, 3, 14, 50, 200)
BARS = 20_000  # enough for lanes with the short periods, too few with the long ones


def walk(bars: int) -> F64_1D:
    steps = np.random.default_rng(4).normal(scale=2e-3, size=bars)
    prices: F64_1D = np.round(60_000.0 * np.exp(steps.cumsum()), 1)
    return prices


def assert_rows_equal(bank: F64_2D, rows: list[F64_1D]) -> None:
    assert bank.shape == (len(rows), rows[0].size)
    for found, expected in zip(bank, rows, strict=True):
        assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("bars", [0, 1, 60, BARS])
@pytest.mark.parametrize("broken", [None, 0, 7, -1], ids=str)
def test_each_row_equals_the_feature_of_its_period(bars: int, broken: int | None) -> None:
    close = walk(bars)
    if broken is not None and bars > 7:
        close[broken] = np.nan
    high, low = close + 12.0, close - 9.0
    assert_rows_equal(banks.sma_bank(close, PERIODS), [sma(close, p) for p in PERIODS])
    assert_rows_equal(banks.ema_bank(close, PERIODS), [ema(close, p) for p in PERIODS])
    assert_rows_equal(banks.rma_bank(close, PERIODS), [rma(close, p) for p in PERIODS])
    assert_rows_equal(banks.rsi_bank(close, PERIODS), [rsi(close, p) for p in PERIODS])
    found = banks.atr_bank(high, low, close, PERIODS)
    assert_rows_equal(found, [atr(high, low, close, p) for p in PERIODS])


def test_rows_of_many_periods_in_any_order_equal_the_features_of_each() -> None:
    periods = np.random.default_rng(7).permutation(range(1, 2 * GROUP + 6)).tolist()
    close = walk(3 * BLOCK + 2 * GROUP + 1)
    close[-40:-20] = close[-40]  # falls and rises that fade
    high, low = close + 12.0, close - 9.0
    assert_rows_equal(banks.ema_bank(close, periods), [ema(close, p) for p in periods])
    assert_rows_equal(banks.rsi_bank(close, periods), [rsi(close, p) for p in periods])
    found = banks.atr_bank(high, low, close, periods)
    assert_rows_equal(found, [atr(high, low, close, p) for p in periods])


def test_a_bank_fills_the_table_that_it_is_given() -> None:
    close, out = walk(500), np.full((len(PERIODS), 500), 7.0)
    assert banks.rma_bank(close, PERIODS, out) is out
    assert_rows_equal(out, [rma(close, p) for p in PERIODS])


@pytest.mark.parametrize(
    "out",
    [np.empty((6, 499)), np.empty((6, 500), dtype=np.float32), np.empty((500, 6)).T],
    ids=["another shape", "another type", "columns"],
)
def test_a_table_of_another_form_is_refused(out: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"out must be a writable, C-contiguous \(6, 500\)"):
        banks.ema_bank(walk(500), PERIODS, out)


def test_a_bank_of_no_periods_has_no_rows() -> None:
    assert banks.ema_bank(walk(9), ()).shape == (0, 9)


def test_a_period_that_is_no_count_of_bars_is_refused_before_any_work() -> None:
    with pytest.raises(ValueError, match=r"period must be an integer >= 1, found 0"):
        banks.rsi_bank(walk(9), (3, 0))
