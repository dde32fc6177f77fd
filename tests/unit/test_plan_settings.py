"""Every setting of a plan that cannot hold names its field, or the two fields that disagree."""

import math
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from zoneinfo import available_timezones

import pytest

import engines.plan
from engines.errors import PlanFault
from engines.klines import DAY_MS, parse_interval_ms
from engines.plan import (
    AverageClose,
    Breakeven,
    ChannelClose,
    CustomLadder,
    DcaLadder,
    EntryTerms,
    Exits,
    Hours,
    LateTarget,
    Plan,
    PsarClose,
    RangeFilter,
    Reentry,
    RegimeFilter,
    RsiClose,
    RsiFilter,
    Rung,
    SafetyOrders,
    Session,
    Sizing,
    SizingKind,
    StochasticClose,
    Target,
    Trailing,
    TrendFilter,
    VolatilityFilter,
    VolumeFilter,
)

QUARTERS = tuple(Target(ratio, 0.25) for ratio in (0.005, 0.01, 0.015, 0.02))
NAN = math.nan


def plan(**settings: object) -> Callable[[], object]:
    return of(Plan, **settings)


def of(
    record: Callable[..., object], /, *given: object, **settings: object
) -> Callable[[], object]:
    """Return a call that builds the record, for `pytest.raises` to make."""
    return lambda: record(*given, **settings)


# What is found wrong, as the fault's subject names it, and what was asked for.
CONTRADICTIONS: list[tuple[str, Callable[[], object]]] = [
    ("market and leverage", plan(market="spot", direction="long", leverage=2)),
    ("market and direction", plan(market="spot")),
    ("market and direction", plan(market="spot", direction="short")),
    (
        "sizing.value and capital_quote",
        plan(sizing=Sizing(SizingKind.CASH, 10_001), capital_quote=10_000),
    ),
    (
        "sizing.value and capital_quote",
        plan(sizing=Sizing(SizingKind.CASH, 30_001), capital_quote=10_000, leverage=3),
    ),
    ("ladder and capital_quote", plan(ladder=SafetyOrders(base_ratio=0.5, orders=9))),
    ("ladder and capital_quote", plan(ladder=SafetyOrders(safety_ratio=0.2))),
    (
        "ladder.late_target and exits.targets",
        plan(ladder=DcaLadder(late_target=LateTarget()), exits=Exits(targets=QUARTERS)),
    ),
    ("sizing.ratio_min and sizing.ratio_max", of(Sizing, ratio_min=0.5, ratio_max=0.4)),
    ("sizing.trades_min and sizing.trades", of(Sizing, "kelly", 0.5, trades=20, trades_min=21)),
    ("exits.targets portion and exits.targets", of(Exits, targets=QUARTERS[:3])),
    (
        "exits.targets portion and exits.targets",
        of(Exits, targets=(Target(0.01, 0.6), Target(0.02, 0.5))),
    ),
    (
        "exits.take_profit_ratio and exits.target_atr",
        of(Exits, take_profit_ratio=0.02, target_atr=2.0),
    ),
    (
        "exits.take_profit_ratio and exits.targets",
        of(Exits, take_profit_ratio=0.02, targets=QUARTERS),
    ),
    ("exits.target_atr and exits.targets", of(Exits, target_atr=2.0, targets=QUARTERS)),
    (
        "exits.breakeven.activation_ratio and exits.take_profit_ratio",
        of(Exits, take_profit_ratio=0.02, breakeven=Breakeven(0.03)),
    ),
    (
        "exits.breakeven.activation_ratio and exits.take_profit_ratio",
        of(Exits, take_profit_ratio=0.02, breakeven=Breakeven(0.02)),
    ),
    (
        "exits.breakeven.offset_ratio and exits.breakeven.activation_ratio",
        of(Breakeven, 0.01, 0.02),
    ),
    (
        "exits.breakeven.offset_ratio and exits.breakeven.activation_ratio",
        of(Breakeven, 0.01, 0.01),
    ),
    (
        "exits.trailing.activation and exits.take_profit_ratio",
        of(Exits, take_profit_ratio=0.01, trailing=Trailing(0.01)),
    ),
    (
        "exits.trailing.activation and exits.targets",
        of(Exits, targets=QUARTERS, trailing=Trailing(0.021)),
    ),
    ("filters.volatility.low and filters.volatility.high", of(VolatilityFilter, low=0.9, high=0.1)),
    ("filters.rsi.oversold and filters.rsi.overbought", of(RsiFilter, oversold=70, overbought=30)),
    ("closes.rsi.oversold and closes.rsi.overbought", of(RsiClose, oversold=50, overbought=50)),
    (
        "closes.stochastic.oversold and closes.stochastic.overbought",
        of(StochasticClose, oversold=81, overbought=80),
    ),
    ("closes.average.fast and closes.average.slow", of(AverageClose, fast=30, slow=30)),
    ("closes.psar.start and closes.psar.highest", of(PsarClose, start=0.3, highest=0.2)),
    ("hours.session.start and hours.session.end", of(Session, "09:00", "09:00")),
    (
        "hours.session and hours.no_trade_hours",
        of(Hours, session=Session("09:30", "11:00"), no_trade_hours=(9, 10)),
    ),
    (
        "hours.session and hours.no_trade_hours",
        of(Hours, session=Session("23:00", "01:00"), no_trade_hours=(0, 23)),
    ),
    (
        "hours.no_trade_days and hours.weekend_exit_hour",
        of(Hours, no_trade_days=(0, 1, 2, 3), weekend_exit_hour=0),
    ),
    (
        "hours.session and hours.no_trade_days and hours.weekend_exit_hour",
        of(
            Hours,
            no_trade_days=(0, 1, 2, 3),
            weekend_exit_hour=9,
            session=Session("10:00", "17:00"),
        ),
    ),
    ("hours.no_trade_days", of(Hours, no_trade_days=range(7))),
    ("hours.no_trade_hours", of(Hours, no_trade_hours=range(24))),
    (
        "ladder.deviation_ratio and ladder.orders",
        of(SafetyOrders, deviation_ratio=0.1, orders=10, step=1.0),
    ),
    (
        "ladder.rungs weight and ladder.rungs",
        of(CustomLadder, rungs=(Rung(0, 0.5), Rung(0.01, 0.6))),
    ),
]

OUT_OF_RANGE: list[tuple[str, Callable[[], object]]] = [
    ("capital_quote", plan(capital_quote=0)),
    ("capital_quote", plan(capital_quote=math.inf)),
    ("capital_quote", plan(capital_quote=NAN)),
    ("leverage", plan(leverage=0.5)),
    ("leverage", plan(leverage=126)),
    ("leverage", plan(leverage=True)),
    ("pyramiding", plan(pyramiding=-1)),
    ("pyramiding", plan(pyramiding=1000)),
    ("pyramiding", plan(pyramiding=1.5)),
    ("direction", plan(direction="up")),
    ("market", plan(market="inverse")),
    ("margin_mode", plan(margin_mode="portfolio")),
    ("position_mode", plan(position_mode="both")),
    ("close_rule", plan(close_rule="first")),
    ("margin_long_ratio", plan(margin_long_ratio=1.01)),
    ("margin_short_ratio", plan(margin_short_ratio=-0.1)),
    ("limit_verify_ticks", plan(limit_verify_ticks=-1)),
    ("position_qty_max", plan(position_qty_max=0)),
    ("intraday_fills_max", plan(intraday_fills_max=0)),
    ("intraday_loss_ratio_max", plan(intraday_loss_ratio_max=1)),
    ("intraday_loss_quote_max", plan(intraday_loss_quote_max=-5)),
    ("sizing.value", plan(sizing=Sizing(SizingKind.EQUITY_RATIO, 1001))),
    ("sizing kind", of(Sizing, "martingale")),
    ("sizing value (qty)", of(Sizing, "qty", 0)),
    ("sizing value (cash)", of(Sizing, "cash", NAN)),
    ("sizing value (risk)", of(Sizing, "risk", 1.0)),
    ("sizing value (volatility)", of(Sizing, "volatility", 2.0)),
    ("sizing value (kelly)", of(Sizing, "kelly", 1.1)),
    ("sizing.ratio_min", of(Sizing, ratio_min=-0.1)),
    ("sizing.ratio_max", of(Sizing, ratio_max=1.1)),
    ("sizing.trades", of(Sizing, trades=0)),
    ("sizing.trades_min", of(Sizing, trades_min=0)),
    ("sizing.atr_period", of(Sizing, atr_period=1)),
    ("exits.basis", of(Exits, basis="close")),
    ("exits.levels", of(Exits, levels="both")),
    ("exits.stop_loss_ratio", of(Exits, stop_loss_ratio=1)),
    ("exits.stop_loss_ratio", of(Exits, stop_loss_ratio=0)),
    ("exits.take_profit_ratio", of(Exits, take_profit_ratio=NAN)),
    ("exits.stop_atr", of(Exits, stop_atr=0)),
    ("exits.target_atr", of(Exits, target_atr=-2)),
    ("exits.atr_period", of(Exits, atr_period=1001)),
    ("exits.drawdown_ratio_max", of(Exits, drawdown_ratio_max=1)),
    ("exits.targets", of(Exits, targets=tuple(Target(0.01 * i, 0.2) for i in range(1, 6)))),
    ("exits.targets ratio", of(Exits, targets=(Target(0.02, 0.5), Target(0.01, 0.5)))),
    ("exits.targets ratio", of(Target, 0, 0.5)),
    ("exits.targets portion", of(Target, 0.01, 0)),
    ("exits.targets portion", of(Target, 0.01, 1.5)),
    ("exits.trailing.unit", of(Trailing, unit="percent")),
    ("exits.trailing.activation", of(Trailing, activation=1.5)),
    ("exits.trailing.distance", of(Trailing, distance=-0.01)),
    ("exits.breakeven.activation_ratio", of(Breakeven, activation_ratio=0)),
    ("exits.breakeven.offset_ratio", of(Breakeven, offset_ratio=-2)),
    ("entry.kind", of(EntryTerms, kind="iceberg")),
    ("entry.offset_ratio", of(EntryTerms, kind="limit", offset_ratio=0)),
    ("entry.timeout_bars", of(EntryTerms, timeout_bars=0)),
    ("reentry.delay_bars", of(Reentry, delay_bars=-1)),
    ("reentry.cooldown_bars", of(Reentry, cooldown_bars=0.5)),
    ("reentry.trades_per_day_max", of(Reentry, trades_per_day_max=0)),
    ("reentry.trades_per_week_max", of(Reentry, trades_per_week_max=0)),
    ("reentry.losses_in_a_row_max", of(Reentry, losses_in_a_row_max=0)),
    ("hours.time_zone", of(Hours, time_zone="Berlin")),
    ("hours.time_zone", of(Hours, time_zone="../etc/passwd")),
    ("hours.no_trade_hours", of(Hours, no_trade_hours=(24,))),
    ("hours.no_trade_hours", of(Hours, no_trade_hours=(3, 3))),
    ("hours.no_trade_hours", of(Hours, no_trade_hours=5)),
    ("hours.no_trade_hours", of(Hours, no_trade_hours=(None,))),
    ("hours.no_trade_days", of(Hours, no_trade_days=(-1,))),
    ("hours.no_trade_days", of(Hours, no_trade_days="sun")),
    ("hours.weekend_exit_hour", of(Hours, weekend_exit_hour=24)),
    ("hours.bars_held_max", of(Hours, bars_held_max=0)),
    ("hours.session.start", of(Session, "9am", "17:00")),
    ("hours.session.start", of(Session, "09:30:15", "17:00")),
    ("hours.session.start", of(Session, 570, "17:00")),
    ("hours.session.end", of(Session, "09:00", "24:00")),
    ("filters.interval", of(TrendFilter, interval="4 hours")),
    ("filters.interval", of(RegimeFilter, interval="1M")),
    ("filters.volatility.low", of(VolatilityFilter, low=10)),
    ("filters.volatility.high", of(VolatilityFilter, high=90)),
    ("filters.volatility.bars", of(VolatilityFilter, bars=1)),
    ("filters.volatility.atr_period", of(VolatilityFilter, atr_period=0)),
    ("filters.volume.low", of(VolumeFilter, low=20)),
    ("filters.volume.bars", of(VolumeFilter, bars=100_001)),
    ("filters.trend.average", of(TrendFilter, average="wma")),
    ("filters.trend.mode", of(TrendFilter, mode="for")),
    ("filters.trend.period", of(TrendFilter, period=1)),
    ("filters.trend.neutral_ratio", of(TrendFilter, neutral_ratio=-0.01)),
    ("filters.rsi.period", of(RsiFilter, period=1)),
    ("filters.rsi.oversold", of(RsiFilter, oversold=0)),
    ("filters.rsi.overbought", of(RsiFilter, overbought=100)),
    ("filters.range.ratio_min", of(RangeFilter, ratio_min=0)),
    ("filters.range.bars", of(RangeFilter, bars=0)),
    ("filters.regime.regime", of(RegimeFilter, regime="chop")),
    ("filters.regime.trend_min", of(RegimeFilter, trend_min=1)),
    ("filters.regime.range_max", of(RegimeFilter, range_max=0)),
    ("filters.regime.bars", of(RegimeFilter, bars=19)),
    ("closes.rsi.period", of(RsiClose, period=1)),
    ("closes.rsi.overbought", of(RsiClose, overbought=101)),
    ("closes.stochastic.k_period", of(StochasticClose, k_period=0)),
    ("closes.stochastic.smooth", of(StochasticClose, smooth=0)),
    ("closes.stochastic.d_period", of(StochasticClose, d_period=1.0)),
    ("closes.stochastic.oversold", of(StochasticClose, oversold=-1)),
    ("closes.channel.channel", of(ChannelClose, channel="envelope")),
    ("closes.channel.period", of(ChannelClose, period=1)),
    ("closes.channel.multiplier", of(ChannelClose, multiplier=0)),
    ("closes.average.average", of(AverageClose, average="hull")),
    ("closes.average.fast", of(AverageClose, fast=0)),
    ("closes.average.slow", of(AverageClose, slow=1)),
    ("closes.psar.start", of(PsarClose, start=0)),
    ("closes.psar.step", of(PsarClose, step=1)),
    ("closes.psar.highest", of(PsarClose, highest=1)),
    ("ladder.growth", of(DcaLadder, growth="double")),
    ("ladder.orders", of(DcaLadder, orders=1)),
    ("ladder.orders", of(DcaLadder, orders=16)),
    ("ladder.range_ratio", of(DcaLadder, range_ratio=0.51)),
    ("ladder.martingale", of(DcaLadder, martingale=0.9)),
    ("ladder.log_step", of(DcaLadder, log_step=0)),
    ("ladder.base_ratio", of(SafetyOrders, base_ratio=1)),
    ("ladder.safety_ratio", of(SafetyOrders, safety_ratio=0)),
    ("ladder.orders", of(SafetyOrders, orders=0)),
    ("ladder.deviation_ratio", of(SafetyOrders, deviation_ratio=0)),
    ("ladder.step", of(SafetyOrders, step=11)),
    ("ladder.volume", of(SafetyOrders, volume=0)),
    ("ladder.rungs", of(CustomLadder, rungs=(Rung(0, 1.0),))),
    (
        "ladder.rungs offset_ratio of the first",
        of(CustomLadder, rungs=(Rung(0.01, 0.5), Rung(0.02, 0.5))),
    ),
    ("ladder.rungs offset_ratio", of(Rung, 1, 0.5)),
    ("ladder.rungs weight", of(Rung, 0.01, 0)),
    ("ladder.late_target.entries", of(LateTarget, entries=0)),
    ("ladder.late_target.ratio", of(LateTarget, ratio=0)),
]


@pytest.mark.parametrize(("subject", "build"), CONTRADICTIONS, ids=[c[0] for c in CONTRADICTIONS])
def test_settings_that_contradict_each_other_are_named(
    subject: str, build: Callable[[], object]
) -> None:
    with pytest.raises(PlanFault) as caught:
        build()
    assert caught.value.subject == subject
    assert_is_one_sentence(caught.value)


@pytest.mark.parametrize(("subject", "build"), OUT_OF_RANGE, ids=[c[0] for c in OUT_OF_RANGE])
def test_setting_out_of_its_range_is_named(subject: str, build: Callable[[], object]) -> None:
    with pytest.raises(PlanFault) as caught:
        build()
    assert caught.value.subject == subject
    assert_is_one_sentence(caught.value)


def assert_is_one_sentence(fault: PlanFault) -> None:
    sentence = str(fault)
    assert sentence == f"{fault.subject}: expected {fault.expected}, found {fault.found}"
    assert fault.expected and fault.found and "\n" not in sentence and len(sentence) < 200


def test_every_setting_of_every_record_is_refused_somewhere() -> None:
    # A new setting must come with a value that it refuses. These take any value of their type.
    free = {"refill", "only_in_profit", "process_on_close", "source", "kind"}
    composed = {"sizing", "exits", "entry", "reentry", "hours", "filters", "closes", "ladder",
                "late_target", "session", "trailing", "breakeven"}  # fmt: skip # a list of names
    named = " ".join(subject for subject, _ in CONTRADICTIONS + OUT_OF_RANGE)
    words = set(named.replace(".", " ").replace("(", " ").split())
    for record in records():
        for field in fields(record):
            assert field.name in words | free | composed, f"{record.__name__}.{field.name}"


def records() -> list[type]:
    return [
        kind
        for name in engines.plan.__all__
        if isinstance(kind := getattr(engines.plan, name), type) and is_dataclass(kind)
    ]


@pytest.mark.parametrize("record", records(), ids=lambda record: record.__name__)
def test_every_default_can_hold(record: type) -> None:
    required = {
        field.name
        for field in fields(record)
        if field.default is MISSING and field.default_factory is MISSING
    }
    examples: dict[str, object] = {
        "ratio": 0.01, "portion": 1.0, "start": "09:00", "end": "17:00", "offset_ratio": 0.0,
        "weight": 1.0, "rungs": (Rung(0, 0.5), Rung(0.01, 0.5)),
    }  # fmt: skip # one line each would be longer
    made = record(**{name: examples[name] for name in required})
    for field in fields(record):
        if field.default is not MISSING:
            assert getattr(made, field.name) == field.default


def test_plain_text_becomes_the_member_that_it_names() -> None:
    made = Plan(direction="long", sizing=Sizing("risk", 0.01))  # type: ignore[arg-type] # as a file says it
    assert made.direction is engines.plan.Direction.LONG
    assert made.sizing.kind is SizingKind.RISK


def test_portions_may_miss_one_by_the_noise_of_a_sum() -> None:
    assert Exits(targets=tuple(Target(0.01 * i, 1 / 3) for i in (1, 2, 3))).farthest_ratio == 0.03


@pytest.mark.parametrize("zone", sorted(available_timezones())[::40])
def test_every_zone_of_the_database_is_taken(zone: str) -> None:
    assert Hours(time_zone=zone).time_zone == zone


def test_interval_of_a_filter_is_written_as_everywhere() -> None:
    for text in ("1d", "24h", "1440"):
        assert parse_interval_ms(RangeFilter(interval=text).interval or "") == DAY_MS
