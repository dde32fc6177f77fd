"""Who may enter at each close: every filter worked by hand, and what it looks at."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from engines.errors import PlanFault
from engines.klines import DAY_MS, HOUR_MS, MINUTE_MS, WEEK_MS, Klines
from engines.plan import (
    AverageKind,
    Filter,
    Hours,
    Plan,
    RangeFilter,
    Regime,
    RegimeFilter,
    RsiFilter,
    TrendFilter,
    TrendMode,
    VolatilityFilter,
    VolumeFilter,
)
from engines.rules import RuleColumns, rule_columns
from tests.unit.market import START_MS, klines_of, still

QUARTER_MS = 15 * MINUTE_MS
TREND = TrendFilter(period=2)


def at(closes: Sequence[float], interval_ms: int = HOUR_MS, start_ms: int = START_MS) -> Klines:
    """Return bars that stand still at these prices."""
    return klines_of([still(close) for close in closes], interval_ms, start_ms)


def sides(klines: Klines, *filters: Filter) -> tuple[str, str]:
    """Return who may enter, a letter a bar: x where it is allowed."""
    columns = rule_columns(Plan(filters=filters), klines)
    assert columns.may_long is not None and columns.may_short is not None
    return text(columns.may_long), text(columns.may_short)


def text(column: np.ndarray) -> str:
    assert column.dtype == np.bool_
    return "".join("x" if value else "." for value in column)


def test_plan_without_rules_has_no_columns() -> None:
    assert all(
        getattr(rule_columns(Plan(), at([1, 2])), name) is None for name in RuleColumns.__slots__
    )


def test_volume_ranks_among_the_bars_before_it() -> None:
    volume = np.array([1.0, 2.0, 3.0, 2.0, 5.0])
    klines = replace(at([10.0] * 5), volume=volume)
    # Of the two before: 3 beats both, 2 beats or equals one of (2, 3), 5 beats both.
    assert sides(klines, VolumeFilter(bars=2, low=0.6)) == ("..x.x", "..x.x")
    assert sides(klines, VolumeFilter(bars=2, low=0.5)) == ("..xxx", "..xxx")


def test_volatility_ranks_atr_of_close_between_two_bounds() -> None:
    # Ranges of 2, 4, 1, 9, 3 make an ATR(2) of -, 3, 2, 5.5, 4.25 on a close of 100; its rank among
    # the two before is 1 at bar 3 and 1/2 at bar 4.
    klines = klines_of([(100, 100 + span, 100, 100) for span in (2, 4, 1, 9, 3)])
    assert sides(klines, VolatilityFilter(bars=2, atr_period=2, low=0.4, high=0.6))[0] == "....x"
    assert sides(klines, VolatilityFilter(bars=2, atr_period=2, low=0.5, high=1.0))[0] == "...xx"
    assert sides(klines, VolatilityFilter(bars=2, atr_period=2, low=0.6, high=1.0))[1] == "...x."


def test_trend_allows_the_side_of_the_average() -> None:
    # Averages of two: -, 11, 10.5, 9.25, 9.5.
    klines = at([10, 12, 9, 9.5, 9.5])
    assert sides(klines, TREND) == (".x.x.", "..x..")
    against = replace(TREND, mode=TrendMode.AGAINST)
    assert sides(klines, against) == ("..x..", ".x.x.")


def test_trend_needs_more_than_the_neutral_zone() -> None:
    # 12 is above 11 x 1.05 and 9 below 10.5 x 0.95, but 9.5 is within 5 % of 9.25.
    klines = at([10, 12, 9, 9.5])
    assert sides(klines, replace(TREND, neutral_ratio=0.05)) == (".x..", "..x.")


def test_trend_may_use_an_exponential_average() -> None:
    # EMA(2) starts at 11 and moves two thirds of the way: 11.333, 11.378, 11.406. SMA(2) is 11,
    # 11.75, 11.45, 11.41.
    klines = at([10, 12, 11.5, 11.4, 11.42])
    exponential = TrendFilter(average=AverageKind.EMA, period=2)
    assert sides(klines, exponential) == (".xxxx", ".....")
    assert sides(klines, TREND) == (".x..x", "..xx.")


def test_rsi_keeps_longs_below_overbought_and_shorts_above_oversold() -> None:
    # RSI(2) of these closes is -, -, 100, 50, 25.
    klines = at([10, 11, 12, 11, 10])
    assert sides(klines, RsiFilter(period=2)) == ("...xx", "..xx.")
    assert sides(klines, RsiFilter(period=2, oversold=25, overbought=50)) == ("....x", "..xx.")


def test_range_asks_for_a_wide_enough_span() -> None:
    klines = klines_of([(100, 102, 100, 100), (100, 101, 100, 100), (100, 103, 99, 100)])
    # Spans of two bars: -, 2 %, 4 %.
    assert sides(klines, RangeFilter(bars=2, ratio_min=0.03)) == ("..x", "..x")
    assert sides(klines, RangeFilter(bars=2, ratio_min=0.02)) == (".xx", ".xx")


def test_regime_tells_a_steady_rise_from_a_cycle() -> None:
    # A constant growth differs over a lag by lag x growth: exponent 1. A cycle of three differs
    # alike over 1, 2 and 4 bars: exponent 0.
    rise = at([100 * 1.01**i for i in range(22)])
    cycle = at([(100, 110, 105)[i % 3] for i in range(22)])
    trend, ranging = RegimeFilter(bars=20), RegimeFilter(bars=20, regime=Regime.RANGE)
    warm_up = "." * 19
    assert sides(rise, trend) == (warm_up + "xxx", warm_up + "xxx")
    assert sides(rise, ranging)[0] == "." * 22
    assert sides(cycle, ranging) == (warm_up + "xxx", warm_up + "xxx")
    assert sides(cycle, trend)[0] == "." * 22


def test_market_that_never_moves_has_no_regime() -> None:
    still_market = at([100.0] * 30)
    for regime in Regime:
        assert sides(still_market, RegimeFilter(bars=20, regime=regime)) == ("." * 30, "." * 30)


def test_several_filters_hold_together() -> None:
    klines = at([10, 11, 12, 11, 10])
    # The trend alone allows longs at bars 1 and 2, shorts at 3 and 4.
    assert sides(klines, TREND) == (".xx..", "...xx")
    assert sides(klines, TREND, RsiFilter(period=2)) == (".....", "...x.")


def test_filters_and_hours_hold_together() -> None:
    klines = at([10, 11, 12, 11, 10])
    plan = Plan(filters=(TREND,), hours=Hours(no_trade_hours=(2, 4)))  # bar 1 closes at 02:00
    columns = rule_columns(plan, klines)
    assert columns.may_long is not None and columns.may_short is not None
    assert (text(columns.may_long), text(columns.may_short)) == ("..x..", "....x")


def test_longer_interval_counts_from_the_close_of_its_bar() -> None:
    # Hours close at bars 3, 7 and 11 with 10, 12 and 20: averages 11 from bar 7, 16 from bar 11.
    closes = [9, 9, 9, 10, 11, 11, 11, 12, 11.5, 10.5, 11, 20]
    klines = at(closes, QUARTER_MS)
    assert sides(klines, replace(TREND, interval="1h")) == (".......xx..x", ".........x..")


def test_value_of_a_longer_interval_stands_until_the_next() -> None:
    # Hourly closes 10, 11, 12, 11: RSI(2) is 100 from bar 11 to 14 and 50 at bar 15.
    closes = [c for c in (10, 11, 12, 11) for _ in range(4)]
    klines = at(closes, QUARTER_MS)
    assert sides(klines, RsiFilter(period=2, interval="1h")) == ("." * 15 + "x", "." * 11 + "x" * 5)


def test_interval_of_the_bars_themselves_changes_nothing() -> None:
    klines = at([10, 12, 9, 9.5, 9.5])
    assert sides(klines, replace(TREND, interval="60")) == sides(klines, TREND)


def test_no_whole_longer_bar_allows_nothing() -> None:
    assert sides(at([9, 10, 11], QUARTER_MS), replace(TREND, interval="1h")) == ("...", "...")


def test_source_is_read_in_the_place_of_the_bars() -> None:
    other = at([10, 12, 9, 9.5])
    klines = replace(at([1, 1, 1, 1]), others={"BTC": other})
    assert sides(klines, replace(TREND, source="BTC")) == sides(other, TREND) == (".x.x", "..x.")


def test_source_of_longer_bars_is_seen_once_they_close() -> None:
    other = at([10, 12, 9], HOUR_MS)
    klines = replace(at([1] * 12, QUARTER_MS), others={"BTC": other})
    filter = replace(TREND, source="BTC")
    assert sides(klines, filter) == (".......xxxx.", "...........x")


def test_longer_bar_with_a_missing_end_waits_for_a_bar_after_it() -> None:
    # The source lacks its bar 7, the last of the second hour: whether it is missing or late is only
    # clear when bar 8 has closed.
    klines = at([10] * 4 + [12] * 8, QUARTER_MS)
    whole = np.arange(12) != 7
    names = ("open_time_ms", "open", "high", "low", "close", "volume")
    other = replace(klines, **{name: getattr(klines, name)[whole] for name in names})
    traded = replace(klines, others={"BTC": other})
    filter = replace(TREND, source="BTC", interval="1h")
    assert sides(replace(klines, others={"BTC": klines}), filter)[0] == "." * 7 + "xxxx" + "."
    assert sides(traded, filter)[0] == "." * 8 + "xxx" + "."


def test_source_that_has_stopped_allows_nothing_after_a_week() -> None:
    hours = 24 * 10
    klines = replace(at([1.0] * hours), others={"BTC": at([10, 12])})
    may_long, may_short = sides(klines, replace(TREND, source="BTC"))
    # Its last bar closes at 02:00; the next was due at 03:00, so it is seen until 03:00 + a week.
    last = WEEK_MS // HOUR_MS + 2
    assert may_long == "." + "x" * last + "." * (hours - last - 1)
    assert may_short == "." * hours


def test_week_waits_for_a_day_that_reaches_over_its_end() -> None:
    # The source's days open at 23:00 UTC. The week from Monday is made of the seven that open in
    # it, and the last of them closes on the next Monday at 23:00, hour 191 since the start.
    monday_ms = START_MS + 5 * DAY_MS
    days = at([10] * 5 + [12] * 5, DAY_MS, start_ms=monday_ms - HOUR_MS)
    klines = replace(at([1] * 240, start_ms=monday_ms), others={"BTC": days})
    filter = RangeFilter(source="BTC", interval="1w", bars=1, ratio_min=0.1)
    assert sides(klines, filter)[0] == "." * 190 + "x" * 50


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("BTCUSD", "one of BTCUSDT, SPY (did you mean BTCUSDT?)"),
        ("gold", "one of BTCUSDT, SPY"),
    ],
)
def test_unknown_source_says_what_there_is(source: str, expected: str) -> None:
    klines = at([10, 12])
    traded = replace(klines, others={"SPY": klines, "BTCUSDT": klines})
    with pytest.raises(PlanFault) as caught:
        rule_columns(Plan(filters=(TrendFilter(source=source),)), traded)
    assert str(caught.value) == f"filters.source: expected {expected}, found {source!r}"


def test_source_without_further_series_says_that_there_are_none() -> None:
    with pytest.raises(PlanFault, match=r"filters\.source: expected none, there is no further"):
        rule_columns(Plan(filters=(TrendFilter(source="BTC"),)), at([10, 12]))


@pytest.mark.parametrize(
    ("interval", "found"), [("40m", "40m"), ("5m", "5m"), ("100s", "100s"), ("61", "61m")]
)
def test_interval_that_does_not_fit_the_bars_is_refused(interval: str, found: str) -> None:
    with pytest.raises(PlanFault) as caught:
        rule_columns(Plan(filters=(TrendFilter(interval=interval),)), at([9] * 9, QUARTER_MS))
    assert str(caught.value) == (
        f"filters.interval: expected a multiple of the 15m bars, found {found}"
    )


def test_interval_that_does_not_fit_its_source_names_the_source() -> None:
    klines = replace(at([9] * 9, QUARTER_MS), others={"BTC": at([9] * 9)})
    with pytest.raises(PlanFault, match=r"a multiple of BTC's 1h bars, found 30m"):
        rule_columns(Plan(filters=(TrendFilter(source="BTC", interval="30m"),)), klines)
