"""Synthetic bars have the habits of real ones and cannot be mistaken for them."""

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.errors import ParameterFault
from engines.instrument import Instrument
from engines.klines import DAY_MS, HOUR_MS, MINUTE_MS, Klines
from engines.synthetic import Habits, synthetic_klines
from engines.types import F64_1D

YEARS_OF_15M = 70_080


@pytest.fixture(scope="module")
def klines() -> Klines:
    return synthetic_klines(YEARS_OF_15M, 15 * MINUTE_MS, seed=11)


def log_returns(klines: Klines) -> F64_1D:
    returns: F64_1D = np.diff(np.log(klines.close))
    return returns


def correlation(a: F64_1D, b: F64_1D) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def test_same_seed_gives_the_same_bars_and_another_gives_others() -> None:
    first, again, other = (synthetic_klines(500, HOUR_MS, seed=s) for s in (1, 1, 2))
    for name in ("open_time_ms", "open", "high", "low", "close", "volume"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
    assert not np.array_equal(first.close, other.close)


def test_symbol_always_says_synthetic() -> None:
    assert synthetic_klines(5, HOUR_MS, seed=1).symbol == "SYNTHETIC"
    assert synthetic_klines(5, HOUR_MS, seed=1, symbol="BTCUSDT").symbol == "SYNTHETIC BTCUSDT"


def test_returns_have_fat_tails(klines: Klines) -> None:
    returns = log_returns(klines)
    z = (returns - returns.mean()) / returns.std()
    assert float(np.mean(z**4)) > 4.0


def test_volatility_clusters_and_returns_do_not(klines: Klines) -> None:
    returns = log_returns(klines)
    size = np.abs(returns)
    assert correlation(size[1:], size[:-1]) > 0.1
    assert correlation(size[10:], size[:-10]) > 0.05
    assert abs(correlation(returns[1:], returns[:-1])) < 0.05


def test_day_has_busy_and_quiet_hours(klines: Klines) -> None:
    hour = (klines.open_time_ms[1:] % DAY_MS) // HOUR_MS
    size = np.abs(log_returns(klines))
    assert size[hour == 15].mean() > 1.5 * size[hour == 3].mean()


def test_volatility_of_a_year_is_as_asked() -> None:
    for volatility in (0.3, 0.9):
        habits = Habits(volatility_annual=volatility, jump_probability=0.0)
        klines = synthetic_klines(YEARS_OF_15M, 15 * MINUTE_MS, seed=5, habits=habits)
        annual = log_returns(klines).std() * np.sqrt(35_040)
        assert 0.7 * volatility < annual < 1.5 * volatility


def test_volume_rises_with_the_range(klines: Klines) -> None:
    assert correlation(klines.volume, (klines.high - klines.low) / klines.open) > 0.5
    assert (klines.volume > 0).all()


def test_next_open_is_the_last_close_but_for_rare_gaps(klines: Klines) -> None:
    gaps = klines.open[1:] != klines.close[:-1]
    assert 0.001 < gaps.mean() < 0.03


def test_market_trends_and_ranges(klines: Klines) -> None:
    net = np.abs(klines.close[200::200] - klines.close[:-200:200])
    walked = np.add.reduceat(np.abs(np.diff(klines.close)), np.arange(0, len(klines) - 1, 200))
    efficiency = net / walked[: len(net)]
    assert np.quantile(efficiency, 0.9) > 4 * np.quantile(efficiency, 0.2)


@given(
    st.integers(0, 2**32),
    st.integers(1, 300),
    st.sampled_from([0.1, 0.01, 0.025, 0.5, 0.00001]),
    st.floats(100.0, 1e5),
)
@settings(max_examples=40)
def test_every_price_lies_on_the_tick(
    seed: int, bars: int, tick_size: float, start_price: float
) -> None:
    klines = synthetic_klines(bars, HOUR_MS, seed, start_price=start_price, tick_size=tick_size)
    instrument = Instrument("X", tick_size, 1.0)
    assert len(klines) == bars
    for column in (klines.open, klines.high, klines.low, klines.close):
        assert all(instrument.round_price_nearest(price) == price for price in column.tolist())


@pytest.mark.parametrize(
    ("bars", "interval_ms", "start_price", "tick_size"),
    [(0, 1, 1.0, 0.001), (1, 0, 1.0, 0.001), (1, 1, 0.0, 0.001), (1, 1, 1.0, 0.5)],
)
def test_impossible_markets_are_refused(
    bars: int, interval_ms: int, start_price: float, tick_size: float
) -> None:
    with pytest.raises(ParameterFault):
        synthetic_klines(bars, interval_ms, 1, 0, start_price, tick_size)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bars", 5.5),
        ("interval_ms", 900_000.0),
        ("seed", -1),
        ("seed", 0.5),
        ("start_ms", 0.5),
        ("tick_size", 0.0),
        ("tick_size", -0.1),
        ("tick_size", float("nan")),
        ("start_price", float("inf")),
        ("start_price", float("nan")),
    ],
)
def test_argument_that_cannot_be_is_named_before_anything_is_drawn(name: str, value: Any) -> None:
    arguments: dict[str, Any] = {"bars": 10, "interval_ms": HOUR_MS, "seed": 1, name: value}
    with pytest.raises(ParameterFault, match=f"^{name}: expected "):
        synthetic_klines(**arguments)


@pytest.mark.bench
def test_two_years_of_bars_take_well_under_a_second() -> None:
    started = time.perf_counter()
    synthetic_klines(YEARS_OF_15M, 15 * MINUTE_MS, seed=1)
    assert time.perf_counter() - started < 1.0
