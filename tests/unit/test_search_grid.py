"""Grid expressions say what they mean, and what they cannot mean is one sentence."""

import pytest

from engines.errors import ParameterFault, PlanFault
from engines.plan import Direction, Plan, RsiFilter, Trailing, TrendFilter
from engines.search.grid import Axis, Setting, Value, parse_grid
from engines.search.plan_axes import (
    is_contradiction,
    plan_settings,
    require_in_range,
    with_settings,
)

SETTINGS = (
    Setting("rsi_period", int, 2, 50, 1),
    Setting("oversold", float, 20, 40, 5),
    Setting("trend_filter", bool),
    Setting("trend_period", int, 50, 300),
    Setting("source", str),
    Setting("ratio", float, is_ratio=True, is_optional=True),
)


def values(text: str) -> tuple[Value, ...]:
    (axis,), _ = parse_grid(text, SETTINGS, "test")
    return axis.values


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("rsi_period=7:10:1", (7, 8, 9, 10)),
        ("rsi_period=7:10", (7, 8, 9, 10)),
        ("rsi_period=7:12:2", (7, 9, 11)),
        ("rsi_period=5,8,13", (5, 8, 13)),
        ("rsi_period=20:22:1,5", (20, 21, 22, 5)),
        ("rsi_period=1e1", (10,)),
        ("oversold=20.1:20.4:0.1", (20.1, 20.2, 20.3, 20.4)),
        ("oversold", (20.0, 25.0, 30.0, 35.0, 40.0)),
        ("trend_filter", (False, True)),
        ("trend_filter=true,no", (True, False)),
        ("source=close,open", ("close", "open")),
        ("ratio=none,1%:2%:0.5%,0.03", (None, 0.01, 0.015, 0.02, 0.03)),
    ],
)
def test_a_grid_holds_exactly_the_decimals_written(text: str, found: tuple[Value, ...]) -> None:
    assert values(text) == found
    assert [type(value) for value in values(text)] == [type(value) for value in found]


def test_a_name_cut_short_becomes_the_one_setting_that_begins_so() -> None:
    axes, notes = parse_grid("rsi=7,8 over=30", SETTINGS, "test")
    assert [axis.name for axis in axes] == ["rsi_period", "oversold"]
    assert notes == ["rsi means rsi_period", "over means oversold"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("oversol_=30", "oversold (did you mean it?), found 'oversol_'"),
        ("trend=1", "one of trend_filter, trend_period, found 'trend', which may be each"),
        ("=5", "found ''"),
        ("rsi=7:21:0", "a step above zero"),
        ("rsi=21:7:1", "LOW not above HIGH"),
        ("rsi=7:21:0.5", "whole numbers"),
        ("rsi=x", "a whole number, found 'x'"),
        ("rsi=nan", "a whole number, found 'nan'"),
        ("rsi=1e400", "a whole number, found '1e400'"),
        ("rsi=1e999999999", "a whole number"),
        ("rsi=1e300", "numbers from 2 to 50, found 1e+300"),
        ("oversold=1e-999999:1e999999:1e-999999", "a number, found '1e-999999'"),
        ("rsi=7,7", "each value once, found 7 twice"),
        ("rsi=7:60:1", "numbers from 2 to 50, found 51"),
        ("rsi=5%", "a whole number"),
        ("oversold=20:40:1e-9", "at most 1,000,000 values"),
        ("rsi=", "values such as 7:21:1"),
        ("rsi=1:2:3:4", "LOW:HIGH:STEP"),
        ("rsi=none", "a whole number"),
        ("trend_filter=1:2", "single values"),
        ("trend_filter=maybe", "true or false"),
        ("source", "declares no range"),
        ("rsi=7 rsi_period=8", "one list of values, found two"),
    ],
)
def test_a_grid_that_means_nothing_is_refused_in_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ParameterFault) as caught:
        parse_grid(text, SETTINGS, "test")
    assert sentence in str(caught.value)


def axes_of(text: str, plan: Plan) -> list[Axis]:
    return parse_grid(text, plan_settings(plan), "the plan")[0]


def test_settings_of_a_plan_are_named_by_path_by_last_word_or_by_beginning() -> None:
    plan = Plan(filters=(TrendFilter(), RsiFilter()))
    text = (
        "stop_loss=1%:2%:1% exits.take_profit_ratio=none,0.04 trailing.distance=0.5% leverage=1,2 "
        "direction=long,both filters[0].period=100,200 bars_held=10"
    )
    assert [axis.name for axis in axes_of(text, plan)] == [
        "exits.stop_loss_ratio", "exits.take_profit_ratio", "exits.trailing.distance", "leverage",
        "direction", "filters[0].period", "hours.bars_held_max",
    ]  # fmt: skip  # one list
    assert axes_of("stop_loss=1%:2%:1%", plan)[0].values == (0.01, 0.02)
    with pytest.raises(ParameterFault, match=r"one of sizing\.atr_period, exits\.atr_period"):
        axes_of("atr_period=10", plan)


def test_a_point_changes_all_of_its_settings_at_once() -> None:
    plan = Plan(filters=(TrendFilter(period=50), TrendFilter(period=60)))
    found = with_settings(
        plan,
        {
            "exits.trailing.activation": 0.02,
            "exits.trailing.distance": 0.01,
            "exits.take_profit_ratio": 0.05,
            "direction": "long",
            "filters[1].period": 70,
        },
    )
    assert found.exits.trailing == Trailing(0.02, 0.01)
    assert found.direction is Direction.LONG
    assert found.filters == (TrendFilter(period=50), TrendFilter(period=70))
    assert with_settings(found, {"exits.take_profit_ratio": None}).exits.take_profit_ratio is None


def test_a_value_out_of_its_range_is_told_from_one_that_contradicts_another() -> None:
    plan = Plan()
    with pytest.raises(PlanFault, match=r"exits\.stop_loss_ratio: expected a number above 0"):
        require_in_range(plan, axes_of("stop_loss=0.5,1.5", plan))
    axes = axes_of("take_profit=1% breakeven.activation=2%", plan)
    require_in_range(plan, axes)
    with pytest.raises(PlanFault) as caught:
        with_settings(plan, {axis.name: axis.values[0] for axis in axes})
    assert is_contradiction(caught.value)
