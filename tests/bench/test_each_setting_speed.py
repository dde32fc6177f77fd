"""How fast `Trials` is with each setting of a plan by itself, and each built-in as it comes.

What `test_any_plan_speed` combines stands here alone, beside a stop, over all that a plan can say;
the built-in strategies run under their own plans, a grid over their first three numbers. Only
`channel_breakout` is left out: it decides bar by bar in Python, which the reference alone runs.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import islice, product
from typing import Any

import numpy as np
import pytest

from engines.errors import ParameterFault
from engines.plan import (
    AverageClose,
    Basis,
    Breakeven,
    ChannelClose,
    CloseRule,
    CustomLadder,
    DcaLadder,
    Direction,
    EntryKind,
    EntryTerms,
    Exits,
    Hours,
    Ladder,
    MarginMode,
    Market,
    Plan,
    PositionMode,
    PsarClose,
    RangeFilter,
    Reentry,
    RsiClose,
    RsiFilter,
    SafetyOrders,
    Session,
    Sizing,
    SizingKind,
    StochasticClose,
    Trailing,
    TrendFilter,
    VolatilityFilter,
    VolumeFilter,
)
from strategies.base import SignalStrategy
from strategies.registry import REGISTRY
from tests.bench.grids import Case, run_and_print
from tests.bench.test_any_plan_speed import MANY, ONE, REVERSIONS, RUNGS, TARGETS

pytestmark = pytest.mark.bench

VALUES, SETS_MAX = 6, 216  # of each number of a built-in, and in all
ENTRIES = 3

SETTINGS = {
    "nothing": Plan(),
    "sizing: quantity": Plan(sizing=Sizing(SizingKind.QTY, 0.01)),
    "sizing: cash": Plan(sizing=Sizing(SizingKind.CASH, 1000.0)),
    "sizing: risk": Plan(sizing=Sizing(SizingKind.RISK, 0.005)),
    "sizing: volatility": Plan(sizing=Sizing(SizingKind.VOLATILITY, 0.0005)),
    "sizing: Kelly": Plan(sizing=Sizing(SizingKind.KELLY, 0.5)),
    "sizing: all of equity": Plan(sizing=Sizing(SizingKind.EQUITY_RATIO, 1.0)),
    "direction: long": Plan(direction=Direction.LONG),
    "market: spot": Plan(direction=Direction.LONG, market=Market.SPOT),
    "leverage of 5: isolated": Plan(leverage=5.0),
    "leverage of 5: cross": Plan(leverage=5.0, margin_mode=MarginMode.CROSS),
    "margin: none": Plan(margin_long_ratio=0.0, margin_short_ratio=0.0),
    "margin: half, 1.5 of equity": Plan(
        margin_long_ratio=0.5,
        margin_short_ratio=0.5,
        sizing=Sizing(SizingKind.EQUITY_RATIO, 1.5),
    ),
    "hedge": Plan(position_mode=PositionMode.HEDGE),
    "fills at the close": Plan(process_on_close=True),
    "limits by 2 ticks": Plan(exits=Exits(take_profit_ratio=0.03), limit_verify_ticks=2),
    "position at most": Plan(position_qty_max=0.05),
    "4 fills a day": Plan(intraday_fills_max=4),
    "loss of 1 % a day": Plan(intraday_loss_ratio_max=0.01),
    "loss of 100 a day": Plan(intraday_loss_quote_max=100.0),
    "exit: target": Plan(exits=Exits(take_profit_ratio=0.03)),
    "exit: stop by ATR": Plan(exits=Exits(stop_atr=2.0)),
    "exit: target by ATR": Plan(exits=Exits(target_atr=3.0)),
    "exit: three targets": Plan(exits=Exits(targets=TARGETS)),
    "exit: trailing": Plan(exits=Exits(trailing=Trailing(0.01, 0.01))),
    "exit: breakeven": Plan(exits=Exits(breakeven=Breakeven(0.01, 0.001))),
    "exit: only in profit": Plan(exits=Exits(only_in_profit=True)),
    "exit: drawdown of 30 %": Plan(exits=Exits(drawdown_ratio_max=0.3)),
    "exit: from the average": Plan(exits=Exits(basis=Basis.AVERAGE)),
    "entry: limit": Plan(entry=EntryTerms(EntryKind.LIMIT, 0.001, 5)),
    "entry: stop": Plan(entry=EntryTerms(EntryKind.STOP, 0.001, 5)),
    "reentry: delay": Plan(reentry=Reentry(delay_bars=2)),
    "reentry: cooldown": Plan(reentry=Reentry(cooldown_bars=8)),
    "reentry: 3 a day": Plan(reentry=Reentry(trades_per_day_max=3)),
    "reentry: 6 a week": Plan(reentry=Reentry(trades_per_week_max=6)),
    "reentry: 3 losses": Plan(reentry=Reentry(losses_in_a_row_max=3)),
    "hours: none from 1 to 4": Plan(hours=Hours(no_trade_hours=(1, 2, 3))),
    "hours: no Sundays": Plan(hours=Hours(no_trade_days=(6,))),
    "hours: session": Plan(hours=Hours(session=Session("08:00", "16:00"))),
    "hours: out at weekends": Plan(hours=Hours(weekend_exit_hour=20)),
    "hours: 20 bars at most": Plan(hours=Hours(bars_held_max=20)),
    "close: RSI": Plan(closes=(RsiClose(),)),
    "close: stochastic": Plan(closes=(StochasticClose(),)),
    "close: channel": Plan(closes=(ChannelClose(),)),
    "close: averages": Plan(closes=(AverageClose(),)),
    "close: PSAR": Plan(closes=(PsarClose(),)),
    "filter: volatility": Plan(filters=(VolatilityFilter(),)),
    "filter: trend": Plan(filters=(TrendFilter(),)),
    "filter: RSI": Plan(filters=(RsiFilter(),)),
    "filter: volume": Plan(filters=(VolumeFilter(),)),
    "filter: range": Plan(filters=(RangeFilter(),)),
    "pyramid: FIFO": Plan(pyramiding=ENTRIES),
    "pyramid: LIFO": Plan(pyramiding=ENTRIES, close_rule=CloseRule.LIFO),
    "pyramid: any": Plan(pyramiding=ENTRIES, close_rule=CloseRule.ANY),
    "pyramid: all": Plan(pyramiding=ENTRIES, close_rule=CloseRule.ALL),
    "pyramid: from the average": Plan(pyramiding=ENTRIES, exits=Exits(basis=Basis.AVERAGE)),
}
LADDERS: dict[str, Ladder] = {
    "ladder: DCA": DcaLadder(),
    "ladder: safety orders": SafetyOrders(),
    "ladder: custom": CustomLadder(rungs=RUNGS),
    "ladder: custom, refilled": CustomLadder(rungs=RUNGS, refill=True),
}


def with_stop(plan: Plan, stop: float) -> Plan:
    return replace(plan, exits=replace(plan.exits, stop_loss_ratio=stop))


CASES = {name: Case(REVERSIONS, partial(with_stop, plan), MANY) for name, plan in SETTINGS.items()}
CASES |= {
    name: Case(
        REVERSIONS,
        partial(
            with_stop,
            Plan(
                pyramiding=len(ladder.rungs),
                close_rule=CloseRule.ALL,
                exits=Exits(take_profit_ratio=0.01, basis=Basis.AVERAGE),
                ladder=ladder,
            ),
        ),
        MANY,
    )
    for name, ladder in LADDERS.items()
}
BUILT_IN = [id for id in REGISTRY if id != "channel_breakout"]


def grid_of(strategy: type[SignalStrategy]) -> Iterator[SignalStrategy]:
    """Make sets over the range of the first three numbers that a strategy uses as it comes."""
    axes = dict[str, list[Any]]()
    for item in strategy.parameters():
        if item.low is None or item.high is None or item.default == 0 or len(axes) == 3:
            continue
        steps = np.linspace(item.low, item.high, VALUES).tolist()
        axes[item.name] = [type(item.default)(value) for value in steps]
    for values in product(*axes.values()):
        try:
            yield strategy(**dict(zip(axes, values, strict=True)))
        except ParameterFault:  # a pair that excludes each other, as of two averages
            continue


@pytest.mark.parametrize("name", CASES)
def test_a_setting_by_itself(name: str) -> None:
    run_and_print(name, CASES[name], MANY)


@pytest.mark.parametrize("id", BUILT_IN)
def test_a_built_in_strategy_under_its_own_plan(id: str) -> None:
    strategy = REGISTRY[id].load()
    assert issubclass(strategy, SignalStrategy)
    sets = list(islice(grid_of(strategy), SETS_MAX))
    run_and_print(f"{id}, own plan", Case(sets, lambda _: Plan(), ONE), ONE)
