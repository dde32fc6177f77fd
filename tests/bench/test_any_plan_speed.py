"""How fast `Trials` is whatever the plan: trailing, targets, ladders, several entries, funding.

Strategies and plans are a grid, as a sweep has them (`grids`). Shapes of plans stand alone and
beside settings; settings alone are in `test_each_setting_speed`.
"""

from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from itertools import product

import pytest

from engines.plan import (
    Basis,
    Breakeven,
    CloseRule,
    CustomLadder,
    EntryKind,
    EntryTerms,
    Exits,
    Hours,
    Plan,
    Reentry,
    Sizing,
    SizingKind,
    Trailing,
)
from strategies.bollinger_bands import BollingerBands
from strategies.ema_crossover import EmaCrossover
from tests.bench.grids import Case, RsiReversion, run_and_print
from tests.bench.test_grid_speed import EmaCross
from tests.settings import RUNGS, TARGETS

pytestmark = pytest.mark.bench

CROSSES = [EmaCross(fast, slow) for fast, slow in product(range(5, 21, 2), range(25, 105, 10))]
REVERSIONS = [
    RsiReversion(period, float(band)) for period, band in product(range(7, 15), range(24, 40, 2))
]
OWN = [
    EmaCrossover(fast=fast, slow=slow, atr_multiplier=multiplier)
    for fast, slow, multiplier in product(range(5, 15), range(16, 41, 3), (1.5, 2.0, 3.0))
]
BANDS = [
    BollingerBands(period=period, deviations=deviations, atr_multiplier=multiplier)
    for period, deviations, multiplier in product(
        range(10, 30, 2), (1.5, 2.0, 2.5, 3.0), (1.5, 2.0, 2.5, 3.0, 3.5, 4.0)
    )
]
# Plans of a case: one, or a handful and as many as make 10,240 sets.
ONE, MANY, HANDFUL = 1, 160, 4


def bare(_: float) -> Plan:
    return Plan()


def stopped(stop: float) -> Plan:
    return Plan(exits=Exits(stop_loss_ratio=stop))


def trailed(stop: float) -> Plan:
    return Plan(exits=Exits(stop_loss_ratio=stop, trailing=Trailing(0.01, 0.01)))


def targeted(stop: float) -> Plan:
    breakeven = Breakeven(0.003, 0.001)
    return Plan(exits=Exits(stop_loss_ratio=stop, targets=TARGETS, breakeven=breakeven))


def laddered(target: float) -> Plan:
    exits = Exits(take_profit_ratio=target, stop_loss_ratio=0.06, basis=Basis.AVERAGE)
    ladder = CustomLadder(rungs=RUNGS)
    return Plan(pyramiding=len(RUNGS), close_rule=CloseRule.ALL, exits=exits, ladder=ladder)


def pyramided(stop: float) -> Plan:
    return replace(stopped(stop), pyramiding=3)


CASES = {
    "ema_crossover, its own ATR levels": Case(OWN, bare, ONE),
    "EMA cross, trailing": Case(CROSSES, trailed, MANY),
    "EMA cross, trailing, funding": Case(CROSSES, trailed, MANY, has_funding=True),
    "RSI, stop, funding": Case(REVERSIONS, stopped, MANY, has_funding=True),
    "EMA cross, three targets, breakeven": Case(CROSSES, targeted, MANY),
    "RSI, ladder of four": Case(REVERSIONS, laddered, MANY),
    "RSI, pyramid of three": Case(REVERSIONS, pyramided, MANY),
}
# What is set beside a shape, whose own the exits are.
SETTINGS = {
    "risk": Plan(sizing=Sizing(SizingKind.RISK, 0.005)),
    "volatility": Plan(sizing=Sizing(SizingKind.VOLATILITY, 0.0005)),
    "Kelly": Plan(sizing=Sizing(SizingKind.KELLY, 0.5)),
    "all of equity": Plan(sizing=Sizing(SizingKind.EQUITY_RATIO, 1.0)),
    "cooldown of 8 bars": Plan(reentry=Reentry(cooldown_bars=8)),
    "3 trades a day": Plan(reentry=Reentry(trades_per_day_max=3)),
    "3 losses in a row": Plan(reentry=Reentry(losses_in_a_row_max=3)),
    "no trades from 1 to 4": Plan(hours=Hours(no_trade_hours=(1, 2, 3))),
    "20 bars at most": Plan(hours=Hours(bars_held_max=20)),
    "limit entry": Plan(entry=EntryTerms(EntryKind.LIMIT, 0.001, 5)),
    "stop entry": Plan(entry=EntryTerms(EntryKind.STOP, 0.001, 5)),
    "leverage of 5": Plan(leverage=5.0),
    "fills at the close": Plan(process_on_close=True),
    "limits by 2 ticks": Plan(exits=Exits(take_profit_ratio=0.03), limit_verify_ticks=2),
}


def as_it_is(plan: Plan, _: float) -> Plan:
    return plan


def with_setting(shape: Callable[[float], Plan], setting: Plan, level: float) -> Plan:
    """Return a plan of a shape, with what a plan of SETTINGS has set beside its exits."""
    plain = Plan()
    given = {
        item.name: getattr(setting, item.name)
        for item in fields(Plan)
        if item.init and getattr(setting, item.name) != getattr(plain, item.name)
    }
    return replace(shape(level), **{name: given[name] for name in given if name != "exits"})


SHAPES = {"three targets": targeted, "ladder of four": laddered, "pyramid of three": pyramided}
CASES |= {
    f"RSI, {shape}, {setting}": Case(REVERSIONS, partial(with_setting, plan, other), MANY)
    for shape, plan in SHAPES.items()
    for setting, other in SETTINGS.items()
}
OWN_SETTINGS = (
    "risk", "Kelly", "all of equity", "cooldown of 8 bars", "3 trades a day", "leverage of 5",
    "fills at the close",
)  # fmt: skip # beside levels of strategies
CASES |= {
    f"ema_crossover, its own ATR levels, {name}": Case(OWN, partial(as_it_is, SETTINGS[name]), ONE)
    for name in OWN_SETTINGS
}
CASES |= {
    "ema_crossover, its own ATR levels, funding": Case(OWN, bare, ONE, has_funding=True),
    "bollinger_bands, its own ATR stops": Case(BANDS, bare, ONE),
}
SIZES = [
    (name, count)
    for name, case in CASES.items()
    for count in ((HANDFUL, MANY) if case.count == MANY else (case.count,))
]


@pytest.mark.parametrize(("name", "count"), SIZES)
def test_a_grid_of_strategies_and_plans(name: str, count: int) -> None:
    run_and_print(name, CASES[name], count)
