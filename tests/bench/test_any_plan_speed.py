"""How fast `Trials` is whatever the plan: trailing, targets, ladders, several entries, funding.

Everything a set costs is counted: indicators, signals, the run and the 24 figures. Strategies and
plans are a grid, as a sweep has them; the best of some runs in this process, caches warm, on
70,080 synthetic 15-minute bars (two years). One set of each is shown equal to the reference first.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from itertools import product

import numpy as np
import pytest

from cluster.memory import keep_freed_memory
from cluster.tasks import threads_aside
from engines.backtest import run_backtest
from engines.costs import Costs
from engines.features.events import crossover, crossunder
from engines.features.oscillators import rsi
from engines.funding import constant_funding
from engines.instrument import Instrument
from engines.kernels.summary import SUMMARY
from engines.kernels.trials import Engine, Market, Trials
from engines.klines import MINUTE_MS, Klines
from engines.margin import MarginTier
from engines.metrics.measure import measure
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
    Rung,
    Sizing,
    SizingKind,
    Target,
    Trailing,
)
from engines.signals import Signals
from engines.synthetic import synthetic_klines
from strategies.base import SignalStrategy, parameter
from strategies.bollinger_bands import BollingerBands
from strategies.ema_crossover import EmaCrossover
from tests.bench.test_grid_speed import EmaCross

pytestmark = pytest.mark.bench

BARS, THREADS = 70_080, 2
SECONDS = 1.5  # for which runs are repeated: the first ones take the memory that later ones keep
LEVELS = 0.01, 0.03  # the nearest and the farthest
TARGETS = Target(0.004, 0.5), Target(0.01, 0.3), Target(0.03, 0.2)
RUNGS = Rung(0.0, 0.1), Rung(0.01, 0.2), Rung(0.02, 0.3), Rung(0.04, 0.4)


@dataclass(frozen=True)
class RsiReversion(SignalStrategy):
    """The index comes back from its outer bands."""

    period: int = parameter(14, low=2, high=50, step=1)
    band: float = parameter(30.0, low=5.0, high=45.0, step=1.0)

    def signals(self, klines: Klines) -> Signals:
        value = rsi(klines.close, self.period)
        never = np.zeros(len(klines), dtype=np.bool_)
        enters = crossover(value, self.band), crossunder(value, 100.0 - self.band)
        return Signals(enters[0], never, enters[1], never)


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


@dataclass(frozen=True)
class Case:
    """What is run: strategies, plans by a level of theirs, and how many plans at a time."""

    strategies: Sequence[SignalStrategy]
    plan: Callable[[float], Plan]
    count: int
    has_funding: bool = False

    def plans(self, count: int) -> list[Plan]:
        """Return so many plans whose levels lie evenly."""
        return [self.plan(level) for level in np.linspace(*LEVELS, count).tolist()]


CASES = {
    "ema_crossover, its own ATR levels": Case(OWN, bare, ONE),
    "EMA cross, trailing": Case(CROSSES, trailed, MANY),
    "EMA cross, trailing, funding": Case(CROSSES, trailed, MANY, has_funding=True),
    "RSI, stop, funding": Case(REVERSIONS, stopped, MANY, has_funding=True),
    "EMA cross, three targets, breakeven": Case(CROSSES, targeted, MANY),
    "RSI, ladder of four": Case(REVERSIONS, laddered, MANY),
    "RSI, pyramid of three": Case(REVERSIONS, pyramided, MANY),
}
# Plans whose positions hang on what happened before, or fill elsewhere than at the next open.
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
    "exits in profit": Plan(exits=Exits(only_in_profit=True)),
    "limits by 2 ticks": Plan(exits=Exits(take_profit_ratio=0.03), limit_verify_ticks=2),
}


def as_it_is(plan: Plan, _: float) -> Plan:
    return plan


def with_stop(plan: Plan, stop: float) -> Plan:
    return replace(plan, exits=replace(plan.exits, stop_loss_ratio=stop))


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
    f"{name}, {setting}": Case(strategies, partial(with_stop, plan), MANY)
    for setting, plan in SETTINGS.items()
    for name, strategies in (("EMA cross", CROSSES), ("RSI", REVERSIONS))
}
CASES |= {
    f"RSI, {shape}, {setting}": Case(REVERSIONS, partial(with_setting, plan, other), MANY)
    for shape, plan in SHAPES.items()
    for setting, other in SETTINGS.items()
    if setting != "exits in profit"  # which is one of the exits, and those are the shape's
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


@pytest.fixture(scope="module")
def klines() -> Klines:
    """Return two years of seeded synthetic bars."""
    return synthetic_klines(BARS, 15 * MINUTE_MS, seed=7)


@pytest.mark.parametrize(("name", "count"), SIZES)
def test_a_grid_of_strategies_and_plans(name: str, count: int, klines: Klines) -> None:
    case = CASES[name]
    strategies, plans = case.strategies, case.plans(count)
    funding = constant_funding(0.0001, 8, klines) if case.has_funding else None
    tiers = (MarginTier(1e9, 0.005, leverage_max=100.0),)
    instrument = Instrument("SYNTHETIC", tick_size=0.1, qty_step=0.001, margin_tiers=tiers)
    market = Market(klines, instrument, Costs(), funding)
    keep_freed_memory()  # as a worker does
    aside = threads_aside(THREADS)
    found = Trials(market, plans, THREADS, aside=aside).run(strategies)
    assert found.errors == {}
    result = run_backtest(strategies[7], klines, instrument, plans[-1], Costs(), funding=funding)
    figures = measure(result)
    wanted = [figures[name] for name in SUMMARY]
    np.testing.assert_allclose(found.values[7, -1], wanted, rtol=1e-9, atol=1e-9)
    walls, cpus = list[float](), list[float]()
    while sum(walls) < SECONDS:
        trials = Trials(market, plans, THREADS, aside=aside)  # which remembers no signals yet
        wall, cpu = time.perf_counter(), time.process_time()
        trials.run(strategies)
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    sets, trades = len(strategies) * len(plans), found.values[..., SUMMARY.index("trades")].mean()
    cpu, engine = min(cpus) / sets, found.engine[7, -1]
    print(
        f"{name:40} {sets:6,} sets, {sets / min(walls):8,.0f} a second, {cpu * 1e6:6,.0f} us of "
        f"CPU a set, {trades:,.0f} trades, {cpu / trades * 1e9:,.0f} ns each, "
        f"{Engine(int(engine)).name.lower()} {(found.engine == engine).mean():.1%}"
    )
