"""Volume features, VWAP and pivot point levels by hand."""

import math

import numpy as np
import pytest

from engines.features.pivots import PivotKind, pivot_point_levels
from engines.features.volume import accdist, iii, mfi, nvi, obv, pvi, pvt, wad, wvad
from engines.features.vwap import session_start, vwap, vwap_bands

NAN = math.nan


def test_volume_features_by_hand() -> None:
    close, volume = np.array([10.0, 11.0, 9.9]), np.array([1.0, 2.0, 1.0])
    high, low = close + 1.0, close - 1.0
    np.testing.assert_array_equal(obv(close, volume), [NAN, 2.0, 1.0])
    np.testing.assert_allclose(pvt(close, volume), [NAN, 0.2, 0.1])
    np.testing.assert_allclose(pvi(close, volume), [1.0, 1.1, 1.1])
    np.testing.assert_allclose(nvi(close, volume), [1.0, 1.0, 0.9])
    np.testing.assert_array_equal(accdist(high, low, close, volume), [0.0, 0.0, 0.0])
    np.testing.assert_array_equal(iii(high, low, close, volume), [0.0, 0.0, 0.0])
    np.testing.assert_allclose(wad(high, low, close), [0.0, 1.0, 1.0 + 9.9 - 11.0])
    np.testing.assert_allclose(wvad(low, high, low, close, volume), volume / 2.0)


def test_mfi_is_100_without_outflow_and_counts_the_first_bar_on_both_sides() -> None:
    volume = np.ones(4)
    np.testing.assert_array_equal(
        mfi(np.array([1.0, 2.0, 3.0, 4.0]), volume, 2), [NAN, 100.0 - 100.0 / 4.0, 100.0, 100.0]
    )


def test_vwap_starts_anew_at_each_anchor() -> None:
    source, volume = np.array([1.0, 2.0, 4.0, 8.0]), np.array([5.0, 1.0, 3.0, 0.0])
    anchor = np.array([False, True, False, True])
    np.testing.assert_array_equal(vwap(source, volume, anchor), [NAN, 2.0, 3.5, NAN])
    bands = vwap_bands(source, volume, anchor, 2.0)
    assert bands.upper[2] - 3.5 == pytest.approx(2.0 * math.sqrt(0.75))
    assert bands.lower[1] == 2.0


def test_session_starts_are_counted_from_the_epoch() -> None:
    open_time_ms = np.arange(5, 11, dtype=np.int64) * 10
    assert np.flatnonzero(session_start(open_time_ms, 30)).tolist() == [1, 4]
    assert np.flatnonzero(session_start(open_time_ms, 30, 20)).tolist() == [0, 3]


def test_pivot_points_of_the_last_period_by_hand() -> None:
    open_, close = np.array([10.0, 11.0, 12.0]), np.array([11.0, 12.0, 12.5])
    high, low = np.array([12.0, 14.0, 13.0]), np.array([9.0, 10.0, 11.0])
    anchor = np.array([True, False, True])
    prices = open_, high, low, close
    found = {
        kind: [float(level[2]) for level in pivot_point_levels(*prices, anchor, kind)]
        for kind in PivotKind
    }
    # High 14, low 9, close 12, open 10; the pivot is 35 / 3.
    p = 35.0 / 3.0
    assert found[PivotKind.CLASSIC][:7] == pytest.approx(
        [p, 2 * p - 9, 2 * p - 14, p + 5, p - 5, p + 10, p - 10]
    )
    assert found[PivotKind.TRADITIONAL][5:] == pytest.approx(
        [2 * p + 14 - 18, 2 * p - 28 + 9, 3 * p - 13, 3 * p - 33, 4 * p - 22, 4 * p - 47]
    )
    assert found[PivotKind.FIBONACCI][3:5] == pytest.approx([p + 3.09, p - 3.09])
    assert found[PivotKind.WOODIE][0] == pytest.approx(47.0 / 4.0)
    assert found[PivotKind.DEMARK][:3] == pytest.approx([49 / 4, 49 / 2 - 9, 49 / 2 - 14])
    assert found[PivotKind.CAMARILLA][1] == pytest.approx(12.0 + 5.5 / 12.0)
    assert np.isnan(found[PivotKind.DEMARK][3:]).all()
    assert np.isnan(pivot_point_levels(*prices, anchor).p[:2]).all()
