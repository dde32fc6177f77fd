"""What holds of every feature: it is causal bit for bit, keeps the shape and survives short input.

`FEATURES` names every public function of engines/features with arguments that suit a short chart; a
test asserts that none is missing.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engines.features
from engines.features import (
    banks,
    channels,
    divergence,
    events,
    extremes,
    momentum,
    oscillators,
    pivots,
    ranks,
    regime,
    statistics,
    sums,
    trend,
    volatility,
    volume,
    vwap,
)
from engines.features import moving_averages as averages
from engines.types import BOOL_1D, F64_1D, I64_1D

BARS = 60
HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Bars:
    """The columns that features take, [T] each."""

    open_time_ms: I64_1D
    open: F64_1D
    high: F64_1D
    low: F64_1D
    close: F64_1D
    volume: F64_1D
    anchor: BOOL_1D

    def first(self, count: int) -> "Bars":
        """Return the bars cut off after `count` ones."""
        return Bars(*(getattr(self, field.name)[:count].copy() for field in fields(self)))


Feature = Callable[[Bars], tuple[np.ndarray, ...] | np.ndarray]

FEATURES: dict[str, Feature] = {
    "sums.rolling_sum": lambda b: sums.rolling_sum(b.close, 5),
    "sums.cumulative_sum": lambda b: sums.cumulative_sum(b.close),
    "moving_averages.sma": lambda b: averages.sma(b.close, 5),
    "moving_averages.ema": lambda b: averages.ema(b.close, 5),
    "moving_averages.rma": lambda b: averages.rma(b.close, 5),
    "moving_averages.wma": lambda b: averages.wma(b.close, 5),
    "moving_averages.hma": lambda b: averages.hma(b.close, 9),
    "moving_averages.alma": lambda b: averages.alma(b.close, 7),
    "moving_averages.swma": lambda b: averages.swma(b.close),
    "moving_averages.vwma": lambda b: averages.vwma(b.close, b.volume, 5),
    "moving_averages.dema": lambda b: averages.dema(b.close, 5),
    "moving_averages.tema": lambda b: averages.tema(b.close, 5),
    "extremes.highest": lambda b: extremes.highest(b.high, 6),
    "extremes.lowest": lambda b: extremes.lowest(b.low, 6),
    "extremes.highest_bars": lambda b: extremes.highest_bars(b.high, 6),
    "extremes.lowest_bars": lambda b: extremes.lowest_bars(b.low, 6),
    "extremes.value_range": lambda b: extremes.value_range(b.close, 6),
    "extremes.all_time_highest": lambda b: extremes.all_time_highest(b.close),
    "extremes.all_time_lowest": lambda b: extremes.all_time_lowest(b.close),
    "extremes.pivot_high": lambda b: extremes.pivot_high(b.high, 3, 2),
    "extremes.pivot_low": lambda b: extremes.pivot_low(b.low, 3, 2),
    "ranks.percentile_linear": lambda b: ranks.percentile_linear(b.close, 7, 33.0),
    "ranks.percentile_nearest_rank": lambda b: ranks.percentile_nearest_rank(b.close, 7, 33.0),
    "ranks.median": lambda b: ranks.median(b.close, 6),
    "ranks.mode": lambda b: ranks.mode(b.close, 6),
    "ranks.percent_rank": lambda b: ranks.percent_rank(b.close, 6),
    "ranks.rank_correlation_index": lambda b: ranks.rank_correlation_index(b.close, 6),
    "statistics.variance": lambda b: statistics.variance(b.close, 5),
    "statistics.stdev": lambda b: statistics.stdev(b.close, 5, biased=False),
    "statistics.mean_deviation": lambda b: statistics.mean_deviation(b.close, 5),
    "statistics.linreg": lambda b: statistics.linreg(b.close, 5, 1),
    "statistics.correlation": lambda b: statistics.correlation(b.close, b.volume, 5),
    "events.crossings": lambda b: events.crossings(b.close, b.open),
    "events.compared": lambda b: events.compared(b.close, b.open),
    "events.crossover": lambda b: events.crossover(b.close, b.open),
    "events.crossunder": lambda b: events.crossunder(b.close, 100.0),
    "events.cross": lambda b: events.cross(b.close, b.open),
    "events.rising": lambda b: events.rising(b.close, 2),
    "events.falling": lambda b: events.falling(b.close, 2),
    "events.change": lambda b: events.change(b.close, 2),
    "events.valuewhen": lambda b: events.valuewhen(b.close > b.open, b.close, 1),
    "events.bars_since": lambda b: events.bars_since(b.close > b.open),
    "oscillators.rsi": lambda b: oscillators.rsi(b.close, 5),
    "oscillators.stoch": lambda b: oscillators.stoch(b.close, b.high, b.low, 5),
    "oscillators.slow_stoch": lambda b: oscillators.slow_stoch(b.high, b.low, b.close, 5, 3, 2),
    "oscillators.stoch_rsi": lambda b: oscillators.stoch_rsi(b.close, 5, 5, 2, 2),
    "oscillators.wpr": lambda b: oscillators.wpr(b.high, b.low, b.close, 5),
    "oscillators.relative_volatility_index": lambda b: oscillators.relative_volatility_index(
        b.close, 4, 5
    ),
    "oscillators.qqe": lambda b: oscillators.qqe(b.close, 4, 3),
    "momentum.macd_line": lambda b: momentum.macd_line(b.close, 4, 9),
    "momentum.macd": lambda b: momentum.macd(b.close, 3, 7, 4),
    "momentum.roc": lambda b: momentum.roc(b.close, 4),
    "momentum.momentum": lambda b: momentum.momentum(b.close, 4),
    "momentum.tsi": lambda b: momentum.tsi(b.close, 3, 6),
    "momentum.cmo": lambda b: momentum.cmo(b.close, 5),
    "momentum.cci": lambda b: momentum.cci(b.close, 5),
    "momentum.cog": lambda b: momentum.cog(b.close, 5),
    "volatility.true_range": lambda b: volatility.true_range(b.high, b.low, b.close),
    "volatility.atr": lambda b: volatility.atr(b.high, b.low, b.close, 5),
    "volatility.atr_pct": lambda b: volatility.atr_pct(b.high, b.low, b.close, 5),
    "volatility.volatility_percentile": lambda b: volatility.volatility_percentile(
        b.high, b.low, b.close, 5, 10
    ),
    "volatility.range_pct": lambda b: volatility.range_pct(b.high, b.low, b.close, 5),
    "volatility.choppiness": lambda b: volatility.choppiness(b.high, b.low, b.close, 5),
    "channels.bollinger": lambda b: channels.bollinger(b.close, 5),
    "channels.bollinger_width": lambda b: channels.bollinger_width(b.close, 5),
    "channels.bollinger_position": lambda b: channels.bollinger_position(b.close, 5),
    "channels.keltner": lambda b: channels.keltner(b.close, b.high, b.low, b.close, 5),
    "channels.keltner_width": lambda b: channels.keltner_width(b.close, b.high, b.low, b.close, 5),
    "channels.donchian": lambda b: channels.donchian(b.high, b.low, 5),
    "volume.obv": lambda b: volume.obv(b.close, b.volume),
    "volume.accdist": lambda b: volume.accdist(b.high, b.low, b.close, b.volume),
    "volume.pvi": lambda b: volume.pvi(b.close, b.volume),
    "volume.nvi": lambda b: volume.nvi(b.close, b.volume),
    "volume.pvt": lambda b: volume.pvt(b.close, b.volume),
    "volume.wad": lambda b: volume.wad(b.high, b.low, b.close),
    "volume.wvad": lambda b: volume.wvad(b.open, b.high, b.low, b.close, b.volume),
    "volume.iii": lambda b: volume.iii(b.high, b.low, b.close, b.volume),
    "volume.mfi": lambda b: volume.mfi(b.close, b.volume, 5),
    "vwap.vwap": lambda b: vwap.vwap(b.close, b.volume, b.anchor),
    "vwap.vwap_bands": lambda b: vwap.vwap_bands(b.close, b.volume, b.anchor, 2.0),
    "vwap.session_start": lambda b: vwap.session_start(b.open_time_ms, 24 * HOUR_MS),
    "pivots.pivot_point_levels": lambda b: pivots.pivot_point_levels(
        b.open, b.high, b.low, b.close, b.anchor, pivots.PivotKind.CAMARILLA
    ),
    "trend.dmi": lambda b: trend.dmi(b.high, b.low, b.close, 5, 4),
    "trend.parabolic_sar": lambda b: trend.parabolic_sar(b.high, b.low),
    "trend.supertrend": lambda b: trend.supertrend(b.high, b.low, b.close, 1.0, 5),
    "trend.chandelier_exit": lambda b: trend.chandelier_exit(b.high, b.low, b.close, 5),
    "trend.ichimoku": lambda b: trend.ichimoku(b.high, b.low, b.close, 3, 6, 12, 6),
    "trend.aroon": lambda b: trend.aroon(b.high, b.low, 5),
    "divergence.divergence": lambda b: divergence.divergence(b.volume, b.high, b.low, 2, 2, 0, 40),
    "regime.hurst": lambda b: regime.hurst(b.close, 20),
    "banks.sma_bank": lambda b: tuple(banks.sma_bank(b.close, (2, 5))),
    "banks.ema_bank": lambda b: tuple(banks.ema_bank(b.close, (2, 5))),
    "banks.rma_bank": lambda b: tuple(banks.rma_bank(b.close, (2, 5))),
    "banks.rsi_bank": lambda b: tuple(banks.rsi_bank(b.close, (2, 5))),
    "banks.atr_bank": lambda b: tuple(banks.atr_bank(b.high, b.low, b.close, (2, 5))),
}


def columns_of(feature: Feature, bars: Bars) -> tuple[np.ndarray, ...]:
    outcome = feature(bars)
    return outcome if isinstance(outcome, tuple) else (outcome,)


def bars_from(seed: int, tick: float, with_gaps: bool) -> Bars:
    """Return random bars; a coarse tick makes equal values, gaps make NaN closes."""
    random = np.random.default_rng(seed)
    close = np.maximum(tick, np.round(100.0 + random.normal(size=BARS).cumsum(), 8))
    close = np.round(close / tick) * tick
    open_ = np.concatenate((close[:1], close[:-1]))
    high = np.maximum(open_, close) + tick * random.integers(0, 3, BARS)
    low = np.minimum(open_, close) - tick * random.integers(0, 3, BARS)
    if with_gaps:
        close = np.where(random.random(BARS) < 0.1, np.nan, close)
    volume_ = random.integers(0, 50, BARS).astype(np.float64)
    open_time_ms = np.arange(BARS, dtype=np.int64) * HOUR_MS
    return Bars(open_time_ms, open_, high, low, close, volume_, open_time_ms % (8 * HOUR_MS) == 0)


def flat_bars(count: int) -> Bars:
    price = np.full(count, 0.1)
    open_time_ms = np.arange(count, dtype=np.int64) * HOUR_MS
    anchor = open_time_ms % (8 * HOUR_MS) == 0
    return Bars(open_time_ms, price, price, price, price, np.full(count, 3.0), anchor)


def test_every_public_feature_is_listed() -> None:
    public = set()
    for module in pkgutil.iter_modules(engines.features.__path__):
        if module.name.startswith("_"):
            continue
        members = vars(importlib.import_module(f"engines.features.{module.name}"))
        public |= {
            f"{module.name}.{name}"
            for name, member in members.items()
            if inspect.isfunction(member)
            and member.__module__ == f"engines.features.{module.name}"
            and not name.startswith("_")
        }
    assert set(FEATURES) == public


@pytest.mark.parametrize("name", FEATURES)
@settings(max_examples=12)
@given(
    seed=st.integers(0, 2**32),
    tick=st.sampled_from([1e-8, 0.01, 1.0]),
    with_gaps=st.booleans(),
    cut=st.integers(0, BARS - 1),
)
def test_truncation_changes_no_earlier_value(
    name: str, seed: int, tick: float, with_gaps: bool, cut: int
) -> None:
    bars = bars_from(seed, tick, with_gaps)
    whole = columns_of(FEATURES[name], bars)
    truncated = columns_of(FEATURES[name], bars.first(cut))
    for long, short in zip(whole, truncated, strict=True):
        assert long.shape == (BARS,)
        assert long[:cut].tobytes() == short.tobytes()


@pytest.mark.parametrize("name", FEATURES)
@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_very_short_input_gives_columns_of_its_length(name: str, count: int) -> None:
    for bars in (bars_from(1, 0.01, False).first(count), flat_bars(count)):
        for column in columns_of(FEATURES[name], bars):
            assert column.shape == (count,)


@pytest.mark.parametrize("name", FEATURES)
def test_flat_market_gives_no_infinite_value(name: str) -> None:
    for column in columns_of(FEATURES[name], flat_bars(BARS)):
        assert column.shape == (BARS,)
        assert not np.isinf(column).any()


@pytest.mark.parametrize("name", FEATURES)
def test_inputs_are_left_unchanged(name: str) -> None:
    bars = bars_from(2, 0.01, True)
    before = [getattr(bars, field.name).tobytes() for field in fields(bars)]
    FEATURES[name](bars)
    assert [getattr(bars, field.name).tobytes() for field in fields(bars)] == before
