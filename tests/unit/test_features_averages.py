"""Moving averages by hand."""

import math

import numpy as np
import pytest

from engines.features.moving_averages import alma, dema, ema, hma, rma, tema, vwma, wma

NAN = math.nan
RISE = np.arange(1.0, 41.0)


def test_ema_and_rma_start_at_the_sma_of_the_first_finite_values() -> None:
    source = np.array([NAN, 1.0, 2.0, 3.0, 5.0])
    np.testing.assert_array_equal(ema(source, 3), [NAN, NAN, NAN, 2.0, 3.5])
    np.testing.assert_array_equal(rma(source, 3), [NAN, NAN, NAN, 2.0, 3.0])


def test_wma_weighs_the_newest_most_and_fills_a_gap_with_the_value_before() -> None:
    np.testing.assert_array_equal(wma(np.array([1.0, 2.0, 6.0]), 3), [NAN, NAN, 23.0 / 6.0])
    filled = wma(np.array([1.0, 2.0, NAN, 6.0]), 3)
    np.testing.assert_array_equal(filled, [NAN, NAN, NAN, (2.0 + 4.0 + 18.0) / 6.0])


def test_averages_without_lag_meet_a_straight_line() -> None:
    for average in (dema(RISE, 5), tema(RISE, 5), hma(RISE, 9)):
        assert average[-1] == pytest.approx(40.0)


def test_alma_with_its_offset_floored_is_centred_on_a_bar() -> None:
    assert alma(RISE, 4, 0.5, 6.0, floor_offset=True)[-1] < alma(RISE, 4, 0.5, 6.0)[-1]
    assert alma(RISE, 5, 0.5, 6.0)[-1] == pytest.approx(38.0)


def test_vwma_without_volume_is_undefined() -> None:
    volume = np.array([1.0, 3.0, 0.0, 0.0])
    np.testing.assert_array_equal(
        vwma(np.array([2.0, 4.0, 9.0, 9.0]), volume, 2), [NAN, 3.5, 4.0, NAN]
    )
