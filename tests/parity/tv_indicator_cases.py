"""What each column of TradingView's indicator files is, in our own functions.

The files carry the bars and the plots of one chart each; their SPEC.md gives the parameters, and
where a header says otherwise (ppp.csv) SPEC.md is right.
"""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from html import unescape
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from engines.features.channels import Channel, bollinger, bollinger_width, keltner, keltner_width
from engines.features.events import cross, crossover, crossunder, falling, rising, valuewhen
from engines.features.extremes import (
    all_time_highest,
    all_time_lowest,
    highest,
    highest_bars,
    lowest,
    lowest_bars,
    pivot_high,
    pivot_low,
    value_range,
)
from engines.features.momentum import cci, cmo, cog, macd, tsi
from engines.features.moving_averages import alma, ema, hma, rma, sma, swma, vwma, wma
from engines.features.oscillators import rsi, stoch, wpr
from engines.features.pivots import PivotKind, PivotLevels, pivot_point_levels
from engines.features.ranks import (
    median,
    mode,
    percent_rank,
    percentile_linear,
    percentile_nearest_rank,
    rank_correlation_index,
)
from engines.features.statistics import correlation, linreg
from engines.features.trend import dmi, parabolic_sar, supertrend
from engines.features.volatility import atr, true_range
from engines.features.volume import accdist, iii, mfi, nvi, obv, pvi, pvt, wad, wvad
from engines.features.vwap import session_start, vwap, vwap_bands
from engines.types import BOOL_1D, F64_1D, I64_1D

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "truth" / "tv_indicators"
BAR_COLUMNS = ("time", "open", "high", "low", "close", "Volume", "hl2")
NEW_YORK = ZoneInfo("America/New_York")
# The forex day begins at 17:00 in New York; on vwap.csv's days that is 21:00 UTC.
DAY_LEFT_AT_NEW_YORK_OPEN = timedelta(hours=7)
NEW_YORK_OPEN_MS = 21 * 3_600_000
MINUTE_MS = 60_000


@dataclass(frozen=True)
class Chart:
    """One file: its bars and its plots, [T] each; na is NaN."""

    columns: dict[str, F64_1D]

    @property
    def plots(self) -> dict[str, F64_1D]:
        return {name: plot for name, plot in self.columns.items() if name not in BAR_COLUMNS}

    @cached_property
    def open_time_ms(self) -> I64_1D:
        return self.columns["time"].astype(np.int64) * 1000

    @property
    def open(self) -> F64_1D:
        return self.columns["open"]

    @property
    def high(self) -> F64_1D:
        return self.columns["high"]

    @property
    def low(self) -> F64_1D:
        return self.columns["low"]

    @property
    def close(self) -> F64_1D:
        return self.columns["close"]

    @property
    def volume(self) -> F64_1D:
        return self.columns["Volume"]

    @property
    def hl2(self) -> F64_1D:
        return (self.high + self.low) / 2.0

    @property
    def hlc3(self) -> F64_1D:
        return (self.high + self.low + self.close) / 3.0

    @property
    def ohlc4(self) -> F64_1D:
        return (self.open + self.high + self.low + self.close) / 4.0

    @property
    def hlcc4(self) -> F64_1D:
        return (self.high + self.low + 2.0 * self.close) / 4.0

    @cached_property
    def new_york_days(self) -> BOOL_1D:
        days = [
            datetime.fromtimestamp(seconds, UTC).astimezone(NEW_YORK).replace(tzinfo=None)
            for seconds in self.columns["time"]
        ]
        ordinals = np.array([(day + DAY_LEFT_AT_NEW_YORK_OPEN).toordinal() for day in days])
        return np.concatenate(([False], ordinals[1:] != ordinals[:-1]))

    @cached_property
    def levels(self) -> dict[PivotKind, PivotLevels]:
        prices = self.open, self.high, self.low, self.close
        return {kind: pivot_point_levels(*prices, self.new_york_days, kind) for kind in PivotKind}

    def new_periods(self, minutes: int) -> BOOL_1D:
        """Return the bars on which timeframe.change is true: never the first of the chart."""
        starts = session_start(self.open_time_ms, minutes * MINUTE_MS, NEW_YORK_OPEN_MS)
        starts[0] = False
        return starts


Case = Callable[[Chart], F64_1D]


def read_chart(path: Path) -> Chart:
    with path.open(newline="") as lines:
        header, *rows = csv.reader(lines)
    values = np.array(rows, dtype=np.float64)
    values[values == 1e100] = np.nan
    names = [unescape(name) for name in header]
    return Chart({name: values[:, index].copy() for index, name in enumerate(names)})


def _keltner(c: Chart) -> Channel:
    return keltner(c.close, c.high, c.low, c.close, 20, 2.0)


def _averages(c: Chart) -> tuple[F64_1D, F64_1D]:
    return ema(c.close, 5), ema(c.close, 11)


def _na_on_even_bars(c: Chart) -> F64_1D:
    return np.where(np.arange(c.close.size) % 2 == 0, np.nan, c.close)


def _every_third(c: Chart) -> BOOL_1D:
    third: BOOL_1D = np.arange(c.close.size) % 3 == 0
    return third


AVERAGES: dict[str, Case] = {
    "ta.sma(close, 10)": lambda c: sma(c.close, 10),
    "ta.sma(hl2, 20)": lambda c: sma(c.hl2, 20),
    "ta.sma(hlc3, 15)": lambda c: sma(c.hlc3, 15),
    "ta.ema(close, 20)": lambda c: ema(c.close, 20),
    "ta.ema(ohlc4, 10)": lambda c: ema(c.ohlc4, 10),
    "ta.rma(hlcc4, 5)": lambda c: rma(c.hlcc4, 5),
    "ta.rma(high, 15)": lambda c: rma(c.high, 15),
    "ta.alma(close, 5, 0.85, 6)": lambda c: alma(c.close, 5, 0.85, 6),
    "ta.alma(close, 10, 0.55, 12)": lambda c: alma(c.close, 10, 0.55, 12),
    "ta.wma(close, 5)": lambda c: wma(c.close, 5),
    "ta.wma(close, 20)": lambda c: wma(c.close, 20),
    "ta.hma(close, 9)": lambda c: hma(c.close, 9),
    "ta.hma(close, 20)": lambda c: hma(c.close, 20),
    "ta.swma(hlc3)": lambda c: swma(c.hlc3),
    "ta.vwma(close, 20)": lambda c: vwma(c.close, c.volume, 20),
}

PIVOT_POINTS: dict[str, Case] = {
    "P_trad": lambda c: c.levels[PivotKind.TRADITIONAL].p,
    "R1_trad": lambda c: c.levels[PivotKind.TRADITIONAL].r1,
    "S1_trad": lambda c: c.levels[PivotKind.TRADITIONAL].s1,
    "R2_trad": lambda c: c.levels[PivotKind.TRADITIONAL].r2,
    "S2_trad": lambda c: c.levels[PivotKind.TRADITIONAL].s2,
    "R3_trad": lambda c: c.levels[PivotKind.TRADITIONAL].r3,
    "S3_trad": lambda c: c.levels[PivotKind.TRADITIONAL].s3,
    "P_fib": lambda c: c.levels[PivotKind.FIBONACCI].p,
    "R1_fib": lambda c: c.levels[PivotKind.FIBONACCI].r1,
    "S1_fib": lambda c: c.levels[PivotKind.FIBONACCI].s1,
    "P_dm": lambda c: c.levels[PivotKind.DEMARK].p,
    "R1_dm": lambda c: c.levels[PivotKind.DEMARK].r1,
    "S1_dm": lambda c: c.levels[PivotKind.DEMARK].s1,
    "P_cam": lambda c: c.levels[PivotKind.CAMARILLA].p,
    "R4_cam": lambda c: c.levels[PivotKind.CAMARILLA].r4,
    "S4_cam": lambda c: c.levels[PivotKind.CAMARILLA].s4,
    "P_woodie": lambda c: c.levels[PivotKind.WOODIE].p,
}

ANCHORED_240 = 'ta.vwap(close, timeframe.change("240"))'
ANCHORED_360 = 'ta.vwap(close, timeframe.change("360"), 2.0)'

CASES: dict[str, dict[str, Case]] = {
    "ma.csv": AVERAGES,
    "pivot_point_levels.csv": PIVOT_POINTS,
    "bb.csv": {
        "ta.bb(close, 20, 2).base": lambda c: bollinger(c.close, 20, 2.0).middle,
        "ta.bb(close, 20, 2).upper": lambda c: bollinger(c.close, 20, 2.0).upper,
        "ta.bb(close, 20, 2).lower": lambda c: bollinger(c.close, 20, 2.0).lower,
        "ta.bbw(close, 20, 2.1)": lambda c: bollinger_width(c.close, 20, 2.1),
    },
    "kc.csv": {
        "ta.kc(close, 20, 2).base": lambda c: _keltner(c).middle,
        "ta.kc(close, 20, 2).upper": lambda c: _keltner(c).upper,
        "ta.kc(close, 20, 2).lower": lambda c: _keltner(c).lower,
        "ta.kcw(close, 20, 2.1, useTrueRange=false)": lambda c: keltner_width(
            c.close, c.high, c.low, c.close, 20, 2.1, use_true_range=False
        ),
    },
    "mfi_rsi_stoch.csv": {
        "ta.mfi(close, 14)": lambda c: mfi(c.close, c.volume, 14),
        "ta.rsi(close, 14)": lambda c: rsi(c.close, 14),
        "ta.stoch(close, high, low, 20)": lambda c: stoch(c.close, c.high, c.low, 20),
    },
    "macd.csv": {
        "ta.macd(close, 12, 26, 9).macd": lambda c: macd(c.close).macd,
        "ta.macd(close, 12, 26, 9).signal": lambda c: macd(c.close).signal,
        "ta.macd(close, 12, 26, 9).hist": lambda c: macd(c.close).histogram,
    },
    "dmi.csv": {
        "ta.dmi(17, 14).dip": lambda c: dmi(c.high, c.low, c.close, 17, 14).plus,
        "ta.dmi(17, 14).dim": lambda c: dmi(c.high, c.low, c.close, 17, 14).minus,
        "ta.dmi(17, 14).adx": lambda c: dmi(c.high, c.low, c.close, 17, 14).adx,
    },
    "tr.csv": {
        "ta.tr(false)": lambda c: true_range(c.high, c.low, c.close),
        "ta.tr(true)": lambda c: true_range(c.high, c.low, c.close, handle_na=True),
        "ta.tr": lambda c: true_range(c.high, c.low, c.close),
        "ta.atr(14)": lambda c: atr(c.high, c.low, c.close, 14),
    },
    "supertrend.csv": {
        "ta.supertrend(3, 10).up": lambda c: supertrend(c.high, c.low, c.close).up,
        "ta.supertrend(3, 10).down": lambda c: supertrend(c.high, c.low, c.close).down,
    },
    "sar.csv": {"ta.sar(0.02, 0.02, 0.2)": lambda c: parabolic_sar(c.high, c.low)},
    "cci_cmo_cog.csv": {
        "ta.cmo(close, 20)": lambda c: cmo(c.close, 20),
        "ta.cci(close, 20)": lambda c: cci(c.close, 20),
        "ta.cog(close, 21)": lambda c: cog(c.close, 21),
    },
    "linreg.csv": {
        "ta.linreg(close, 20, 0)": lambda c: linreg(c.close, 20),
        "ta.linreg(close, 20, 10)": lambda c: linreg(c.close, 20, 10),
    },
    "correlation.csv": {
        "correlation": lambda c: correlation(sma(c.close, 20), ema(c.close, 10), 20),
    },
    "tsi.csv": {"ta.tsi(close, 12, 26)": lambda c: tsi(c.close, 12, 26)},
    "wpr.csv": {"ta.wpr(20)": lambda c: wpr(c.high, c.low, c.close, 20)},
    "rci.csv": {
        "ta.rci(close, 5)": lambda c: rank_correlation_index(c.close, 5),
        "ta.rci(close, 20)": lambda c: rank_correlation_index(c.close, 20),
        "ta.rci(hl2, 20)": lambda c: rank_correlation_index(c.hl2, 20),
    },
    "cross.csv": {
        "ta.cross(ema1, ema2)": lambda c: np.where(cross(*_averages(c)), 0.5, 0.0),
        "ta.crossover(ema1, ema2)": lambda c: np.where(crossover(*_averages(c)), 1.0, 0.0),
        "ta.crossunder(ema1, ema2)": lambda c: np.where(crossunder(*_averages(c)), -1.0, 0.0),
    },
    "falling_rising.csv": {
        "ta.falling(ema, 5)": lambda c: np.where(falling(ema(c.close, 20), 5), -1.0, 0.0),
        "ta.rising(ema, 5)": lambda c: np.where(rising(ema(c.close, 20), 5), 1.0, 0.0),
    },
    "highest_lowest.csv": {
        "ta.highest(10)": lambda c: highest(c.high, 10),
        "ta.highest(close, 10)": lambda c: highest(c.close, 10),
        "ta.lowest(10)": lambda c: lowest(c.low, 10),
        "ta.lowest(close, 10)": lambda c: lowest(c.close, 10),
        "ta.highestbars(10)": lambda c: highest_bars(c.high, 10),
        "ta.highestbars(close, 10)": lambda c: highest_bars(c.close, 10),
        "ta.lowestbars(10)": lambda c: lowest_bars(c.low, 10),
        "ta.lowestbars(close, 10)": lambda c: lowest_bars(c.close, 10),
    },
    "range.csv": {"ta.range(close, 20)": lambda c: value_range(c.close, 20)},
    "min_max_median_mode.csv": {
        "min(close)": lambda c: all_time_lowest(c.close),
        "max(close)": lambda c: all_time_highest(c.close),
        "median(close)": lambda c: median(c.close, 20),
        "mode(close)": lambda c: mode(c.close, 20),
    },
    "ppp.csv": {
        "ta.percentile_linear_interpolation(close, 20, 30)": lambda c: percentile_linear(
            c.close, 20, 20
        ),
        "ta.percentile_nearest_rank(close, 20, 0)": lambda c: percentile_nearest_rank(
            c.close, 20, 20
        ),
        "ta.percentrank(close, 33)": lambda c: percent_rank(c.close, 33),
    },
    "pivot.csv": {
        "ta.pivothigh(10, 5)": lambda c: pivot_high(c.high, 10, 5),
        "ta.pivothigh(close, 10, 5)": lambda c: pivot_high(c.close, 10, 5),
        "ta.pivotlow(10, 5)": lambda c: pivot_low(c.low, 10, 5),
        "ta.pivotlow(close, 10, 5)": lambda c: pivot_low(c.close, 10, 5),
    },
    "vwap.csv": {
        "ta.vwap(close)": lambda c: vwap(
            c.close, c.volume, session_start(c.open_time_ms, 1440 * MINUTE_MS, NEW_YORK_OPEN_MS)
        ),
        ANCHORED_240: lambda c: vwap(c.close, c.volume, c.new_periods(240)),
        f"{ANCHORED_360}.vwap": lambda c: vwap(c.close, c.volume, c.new_periods(360)),
        f"{ANCHORED_360}.upper_band": lambda c: (
            vwap_bands(c.close, c.volume, c.new_periods(360), 2.0).upper
        ),
        f"{ANCHORED_360}.lower_band": lambda c: (
            vwap_bands(c.close, c.volume, c.new_periods(360), 2.0).lower
        ),
    },
    "valuewhen.csv": {
        "ta.valuewhen(ta.cross(slow, fast), close, 1)": lambda c: valuewhen(
            cross(sma(c.close, 7), sma(c.close, 14)), c.close, 1
        ),
    },
    "valuewhen_na.csv": {
        "v0": lambda c: valuewhen(_every_third(c), _na_on_even_bars(c), 0),
        "v1": lambda c: valuewhen(_every_third(c), _na_on_even_bars(c), 1),
        "v2": lambda c: valuewhen(_every_third(c), _na_on_even_bars(c), 2),
        "w0": lambda c: valuewhen(_every_third(c), c.close, 0),
    },
    "accdist_pvi_pvt_wad_wvad.csv": {
        "ta.accdist": lambda c: accdist(c.high, c.low, c.close, c.volume),
        "ta.pvi": lambda c: pvi(c.close, c.volume),
        "ta.pvt": lambda c: pvt(c.close, c.volume),
        "ta.wad": lambda c: wad(c.high, c.low, c.close),
        "ta.wvad": lambda c: wvad(c.open, c.high, c.low, c.close, c.volume),
    },
    "iii_nvi_obv.csv": {
        "ta.iii": lambda c: iii(c.high, c.low, c.close, c.volume),
        "ta.nvi": lambda c: nvi(c.close, c.volume),
        "ta.obv": lambda c: obv(c.close, c.volume),
    },
}
