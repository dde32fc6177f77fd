"""Which positions end at each close: every close rule worked by hand."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from engines.klines import Klines
from engines.plan import (
    AverageClose,
    AverageKind,
    ChannelClose,
    ChannelKind,
    Close,
    Exits,
    Plan,
    PsarClose,
    RsiClose,
    Sizing,
    SizingKind,
    StochasticClose,
)
from engines.rules import rule_columns
from tests.unit.market import klines_of, still


def at(closes: Sequence[float]) -> Klines:
    """Return bars that stand still at these prices."""
    return klines_of([still(close) for close in closes])


def within(low: float, high: float, closes: Sequence[float]) -> Klines:
    """Return bars of one range."""
    return klines_of([(close, high, low, close) for close in closes])


def ended(klines: Klines, *closes: Close) -> tuple[str, str]:
    """Return which positions end, long and short, x where they do."""
    columns = rule_columns(Plan(closes=closes), klines)
    assert columns.close_long is not None and columns.close_short is not None
    assert columns.may_long is None and columns.may_short is None
    return text(columns.close_long), text(columns.close_short)


def text(column: np.ndarray) -> str:
    assert column.dtype == np.bool_
    return "".join("x" if value else "." for value in column)


def test_rsi_ends_longs_while_overbought_and_shorts_while_oversold() -> None:
    # RSI(2) of these closes is -, -, 100, 50, 25.
    klines = at([10, 11, 12, 11, 10])
    assert ended(klines, RsiClose(period=2)) == ("..x..", "....x")
    assert ended(klines, RsiClose(period=2, oversold=25, overbought=50)) == ("..xx.", "....x")
    assert ended(klines, RsiClose(period=2, oversold=24.9, overbought=50.1)) == ("..x..", ".....")


def test_stochastic_ends_longs_where_k_falls_below_d_overbought() -> None:
    # %K is 50, 90, 95, 85, 40 and %D, its average of two, -, 70, 92.5, 90, 62.5.
    klines = within(100, 200, [150, 190, 195, 185, 140])
    rule = StochasticClose(k_period=1, smooth=1, d_period=2)
    assert ended(klines, rule) == ("...x.", ".....")
    stricter = StochasticClose(k_period=1, smooth=1, d_period=2, overbought=86)
    assert ended(klines, stricter) == (".....", ".....")


def test_stochastic_ends_shorts_where_k_rises_above_d_oversold() -> None:
    # %K is 50, 10, 5, 15, 60 and %D -, 30, 7.5, 10, 37.5.
    klines = within(100, 200, [150, 110, 105, 115, 160])
    rule = StochasticClose(k_period=1, smooth=1, d_period=2)
    assert ended(klines, rule) == (".....", "...x.")
    stricter = StochasticClose(k_period=1, smooth=1, d_period=2, oversold=14)
    assert ended(klines, stricter) == (".....", ".....")


def test_stochastic_periods_reach_the_indicator_in_their_places() -> None:
    # With k_period 2 the range is of two bars; smooth 2 averages the raw %K before %D does.
    closes = [150, 190, 195, 185, 140, 101, 199]
    klines = within(100, 200, closes)
    raw = [100 * (close - 100) / 100 for close in closes]  # every range is 100 to 200
    k = [np.nan, np.nan, *[(a + b) / 2 for a, b in pairwise(raw[1:])]]
    d = [np.nan] * 4 + [sum(k[i - 2 : i + 1]) / 3 for i in range(4, 7)]
    # %K: -, -, 92.5, 90, 62.5, 20.5, 50 and %D: -, -, -, -, 81.7, 57.7, 44.3: it rises above at 6.
    assert k[4] < d[4] and k[5] < d[5] and k[6] > d[6]
    rule = StochasticClose(k_period=2, smooth=2, d_period=3, oversold=55, overbought=60)
    assert ended(klines, rule) == ("." * 7, "......x")


def test_bollinger_ends_a_position_at_the_far_band() -> None:
    # Means of two 11, 11.5, deviations 1, 0.5: bands at 0.9 deviations 10.1-11.9 and 11.05-11.95.
    klines = at([10, 12, 11])
    assert ended(klines, ChannelClose(period=2, multiplier=0.9)) == (".x.", "..x")
    assert ended(klines, ChannelClose(period=2, multiplier=2.0)) == ("...", "...")


def test_keltner_ends_a_position_at_the_far_band() -> None:
    # EMA(2) of the close: -, 10, 12, 9.33; of the true range: -, -, 1.5, 3.83. Bands at 0.2:
    # 11.7-12.3 and 8.57-10.1.
    klines = at([10, 10, 13, 8])
    rule = ChannelClose(channel=ChannelKind.KELTNER, period=2, multiplier=0.2)
    assert ended(klines, rule) == ("..x.", "...x")
    wider = ChannelClose(channel=ChannelKind.KELTNER, period=2, multiplier=0.5)
    assert ended(klines, wider) == ("..x.", "....")


def test_donchian_compares_with_the_bars_before() -> None:
    # Channels of the two bars before: -, -, 9-11, 10-11, 8-11.5, 7-11.5.
    klines = klines_of(
        [(10, 10, 9, 10), (10, 11, 10, 10), (10, 11, 10, 11), (11, 11.5, 8, 11.1), (9, 9, 7, 8),
         (8, 8, 7.5, 7.5)]
    )  # fmt: skip # one bar after the other
    rule = ChannelClose(channel=ChannelKind.DONCHIAN, period=2)
    assert ended(klines, rule) == ("..xx..", "....x.")


@pytest.mark.parametrize("average", AverageKind)
def test_averages_end_the_side_that_their_crossing_is_against(average: AverageKind) -> None:
    # SMA(2): -, 10.5, 10, 10.5; EMA(2): -, 10.5, 9.5, 11.17. The fast one of one bar is the close.
    klines = at([10, 11, 9, 12])
    assert ended(klines, AverageClose(average=average, fast=1, slow=2)) == ("..x.", "...x")


def test_average_kind_makes_a_difference() -> None:
    # SMA(2): -, 11, 11.75, 11.45, 11.41; EMA(2): -, 11, 11.333, 11.378, 11.406.
    klines = at([10, 12, 11.5, 11.4, 11.42])
    exponential = AverageClose(average=AverageKind.EMA, fast=1, slow=2)
    simple = AverageClose(average=AverageKind.SMA, fast=1, slow=2)
    assert ended(klines, simple) == ("..x..", "....x")
    assert ended(klines, exponential) == (".....", ".....")


def test_parabolic_sar_ends_a_position_on_the_bar_it_turns() -> None:
    # Rising from 9 it follows at 9, 9.04, 9.16; the low of 5 is through it. The falling stop of 13
    # holds until the high of 20.
    klines = klines_of(
        [(9, 10, 9, 10), (10, 11, 10, 11), (11, 12, 11, 12), (12, 13, 12, 13), (13, 13, 5, 6),
         (6, 8, 6, 7), (7, 20, 7, 19), (19, 21, 18, 20)]
    )  # fmt: skip # one bar after the other
    assert ended(klines, PsarClose()) == ("....x...", "......x.")


def test_parabolic_sar_of_a_still_market_never_turns() -> None:
    assert ended(at([10.0] * 8), PsarClose()) == ("." * 8, "." * 8)


def test_one_of_several_rules_is_enough() -> None:
    klines = at([10, 11, 12, 11, 10])
    rules = RsiClose(period=2), AverageClose(fast=1, slow=2, average=AverageKind.SMA)
    assert ended(klines, rules[1]) == ("...x.", ".....")
    assert ended(klines, *rules) == ("..xx.", "....x")


@pytest.mark.parametrize(
    "rule",
    [RsiClose(), StochasticClose(), AverageClose(), PsarClose()]
    + [ChannelClose(channel=kind) for kind in ChannelKind],
    ids=str,
)
def test_undefined_value_closes_nothing(rule: Close) -> None:
    assert ended(at([10.0]), rule) == (".", ".")
    assert ended(at([10.0, 30.0]), rule) == ("..", "..")


def test_exits_get_the_atr_of_their_period() -> None:
    klines = klines_of([(100, 100 + span, 100, 100) for span in (2, 4, 1, 9)])
    columns = rule_columns(Plan(exits=Exits(stop_atr=1.5, atr_period=2)), klines)
    assert columns.atr is not None and columns.atr_ratio is None
    assert np.array_equal(columns.atr, [np.nan, 3, 2, 5.5], equal_nan=True)


def test_volatility_sizing_gets_its_atr_as_a_ratio_of_close() -> None:
    klines = klines_of([(100, 100 + span, 100, 100) for span in (2, 4, 1, 9)])
    sizing = Sizing(SizingKind.VOLATILITY, 0.02, atr_period=2)
    columns = rule_columns(Plan(sizing=sizing), klines)
    assert columns.atr_ratio is not None and columns.atr is None
    assert np.array_equal(columns.atr_ratio, [np.nan, 0.03, 0.02, 0.055], equal_nan=True)
