"""No rule looks ahead: bars that are taken away change no earlier value, bit for bit.

The bars and the series beside them have outages of their own, because what is known at a close is
hardest to say where a bar is missing.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.klines import DAY_MS, HOUR_MS, MINUTE_MS, Klines
from engines.plan import (
    AverageClose,
    AverageKind,
    ChannelClose,
    ChannelKind,
    Exits,
    Filter,
    Hours,
    Plan,
    PsarClose,
    RangeFilter,
    Regime,
    RegimeFilter,
    RsiClose,
    RsiFilter,
    Session,
    Sizing,
    SizingKind,
    StochasticClose,
    TrendFilter,
    TrendMode,
    VolatilityFilter,
    VolumeFilter,
)
from engines.rules import RuleColumns, rule_columns
from engines.synthetic import synthetic_klines

QUARTER_MS = 15 * MINUTE_MS
BARS = 260
START_MS = 1_743_120_000_000  # 2025-03-28, a Friday; Berlin changes its clocks on the Sunday
HEAD_MS = DAY_MS  # The series beside the bars begins earlier, so that it is there from bar 0 on.

# Where a filter looks: the bars, longer bars, another series of three intervals, and longer ones.
PLACES = [("", None), ("", "1h"), ("", "4h"), ("SAME", None), ("SAME", "1h"), ("SHORT", None),
          ("SHORT", "1h"), ("LONG", None), ("LONG", "8h")]  # fmt: skip # a table
FILTERS: dict[str, type[Filter]] = {
    "volatility": VolatilityFilter,
    "volume": VolumeFilter,
    "trend": TrendFilter,
    "rsi": RsiFilter,
    "range": RangeFilter,
    "regime": RegimeFilter,
}
TERMS: dict[str, dict[str, object]] = {
    "volatility": {"bars": 4, "atr_period": 2, "low": 0.2, "high": 0.8},
    "volume": {"bars": 4, "low": 0.5},
    "trend": {"period": 3, "average": AverageKind.EMA, "mode": TrendMode.AGAINST},
    "rsi": {"period": 3, "oversold": 45.0, "overbought": 55.0},
    "range": {"bars": 3, "ratio_min": 0.01},
    "regime": {"bars": 20, "regime": Regime.TREND, "trend_min": 0.5},
}
OTHER_RULES: dict[str, Plan] = {
    "rsi close": Plan(closes=(RsiClose(period=3),)),
    "stochastic close": Plan(closes=(StochasticClose(k_period=3, smooth=2, d_period=2),)),
    "bollinger close": Plan(closes=(ChannelClose(period=4, multiplier=1.0),)),
    "keltner close": Plan(
        closes=(ChannelClose(channel=ChannelKind.KELTNER, period=3, multiplier=0.5),)
    ),
    "donchian close": Plan(closes=(ChannelClose(channel=ChannelKind.DONCHIAN, period=4),)),
    "average close": Plan(closes=(AverageClose(fast=2, slow=5),)),
    "psar close": Plan(closes=(PsarClose(),)),
    "volatilities": Plan(
        exits=Exits(target_atr=2.0, atr_period=3),
        sizing=Sizing(SizingKind.VOLATILITY, 0.02, atr_period=4),
    ),
    "hours": Plan(
        hours=Hours(
            time_zone="Europe/Berlin",
            no_trade_hours=(3,),
            no_trade_days=(0,),
            session=Session("22:10", "17:50"),
            weekend_exit_hour=21,
        )
    ),
}


def with_outages(klines: Klines, seed: int) -> Klines:
    """Return the bars without a tenth of them, the first excepted."""
    kept = np.random.default_rng(seed).random(len(klines)) > 0.1
    kept[0] = True
    names = ("open_time_ms", "open", "high", "low", "close", "volume")
    return replace(klines, **{name: getattr(klines, name)[kept] for name in names})


def market(seed: int) -> Klines:
    """Return bars with series beside them, all with outages."""
    others = {}
    for place, (name, interval_ms) in enumerate(
        [("SAME", QUARTER_MS), ("SHORT", 5 * MINUTE_MS), ("LONG", 2 * HOUR_MS)]
    ):
        count = (BARS * QUARTER_MS + HEAD_MS) // interval_ms
        other = synthetic_klines(count, interval_ms, seed + 1 + place, START_MS - HEAD_MS)
        others[name] = with_outages(other, seed + place)
    base = synthetic_klines(BARS, QUARTER_MS, seed, START_MS)
    return replace(with_outages(base, seed + 9), others=others)


def assert_causal(plan: Plan, klines: Klines, cut: int) -> RuleColumns:
    """Assert that the bars after the cut change nothing before it."""
    whole = rule_columns(plan, klines)
    part = rule_columns(plan, klines.between(0, cut))
    for name in RuleColumns.__slots__:
        long, short = getattr(whole, name), getattr(part, name)
        assert (long is None) == (short is None)
        if long is not None:
            assert long.shape == (len(klines),)
            assert long[:cut].tobytes() == short.tobytes(), name
    return whole


@pytest.mark.parametrize(("source", "interval"), PLACES)
@pytest.mark.parametrize("kind", FILTERS)
@settings(max_examples=8)
@given(seed=st.integers(0, 2**31), cut=st.integers(1, 200))
def test_filter_does_not_look_ahead(
    kind: str, source: str, interval: str | None, seed: int, cut: int
) -> None:
    filter = FILTERS[kind](source=source, interval=interval, **TERMS[kind])  # type: ignore[arg-type] # terms differ by kind
    assert_causal(Plan(filters=(filter,)), market(seed), cut)


@pytest.mark.parametrize("rule", OTHER_RULES)
@settings(max_examples=20)
@given(seed=st.integers(0, 2**31), cut=st.integers(1, 200))
def test_rule_does_not_look_ahead(rule: str, seed: int, cut: int) -> None:
    assert_causal(OTHER_RULES[rule], market(seed), cut)


@pytest.mark.parametrize(("source", "interval"), [p for p in PLACES if p[1] not in ("4h", "8h")])
def test_filters_cut_after_every_bar_do_not_look_ahead(source: str, interval: str | None) -> None:
    # Every cut of one market: a bar that is missing at the end of a longer one is met for certain.
    klines = market(seed=5).between(0, 120)
    trend = TrendFilter(source=source, interval=interval, period=2)
    for cut in range(1, len(klines)):
        assert_causal(Plan(filters=(trend,)), klines, cut)


@pytest.mark.parametrize("kind", FILTERS)
@pytest.mark.parametrize(("source", "interval"), [("", None), ("SHORT", "1h")])
def test_filter_of_the_tests_allows_some_bars_and_others_not(
    kind: str, source: str, interval: str | None
) -> None:
    filter = FILTERS[kind](source=source, interval=interval, **TERMS[kind])  # type: ignore[arg-type] # terms differ by kind
    columns = rule_columns(Plan(filters=(filter,)), market(seed=1))
    for column in (columns.may_long, columns.may_short):
        assert column is not None and column.any() and not column.all()


@pytest.mark.parametrize("rule", OTHER_RULES)
def test_rule_of_the_tests_says_something(rule: str) -> None:
    columns = rule_columns(OTHER_RULES[rule], market(seed=1))
    said = [c for name in RuleColumns.__slots__ if (c := getattr(columns, name)) is not None]
    assert said
    assert all(len(np.unique(column)) > 1 for column in said)
