"""Sets that close positions in parts and look back at earlier ones equal the reference's runs.

Plans are those of `test_parts_equal_reference` with the rules of `test_gates_equal_reference`, and
sizes whose share of equity is each entry's own, or so small that not every target gets a step. A
set that is left to the machine proves nothing: where nothing may be left to it, that is asserted.
"""

from dataclasses import replace
from itertools import cycle, repeat

import pytest
from hypothesis import strategies as st

from engines.costs import Costs, SlippageKind
from engines.funding import constant_funding
from engines.instrument import Instrument
from engines.kernels.trials import Market
from engines.klines import Klines
from engines.plan import (
    Breakeven,
    Direction,
    Exits,
    Hours,
    LevelSource,
    MarginMode,
    Plan,
    Reentry,
    Session,
    Sizing,
    SizingKind,
    Target,
    Trailing,
)
from strategies.ema_crossover import EmaCrossover
from tests.property import plans_random as random_plans
from tests.property import test_parts_equal_reference as of_parts
from tests.property.path_cases import Case, PlainWishes, check, compared
from tests.property.test_chains_equal_reference import COSTS, TIERS, Rare
from tests.property.test_gates_equal_reference import kellys, reentries
from tests.property.test_kernel_equals_reference import INSTRUMENTS
from tests.property.test_plans_hold import klines_of_seed

EXAMPLES, EXAMPLES_LONG = 30, 4_000


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Return strategies of random wishes on random bars, and a plan of parts that looks back."""
    market, plan, strategies = draw(of_parts.cases())
    step = market.instrument.qty_step
    few = st.integers(1, 9).map(lambda steps: Sizing(SizingKind.QTY, steps * step))
    sizing = draw(st.just(plan.sizing) | random_plans.sizings() | kellys() | few)
    exits = replace(plan.exits, only_in_profit=draw(st.sampled_from((False, False, True))))
    plan = replace(
        plan, sizing=sizing, reentry=draw(reentries()), exits=exits,
        intraday_fills_max=draw(st.none() | st.none() | st.integers(1, 12)),
    )  # fmt: skip # what else it says
    return market, plan, strategies


test_gated_parts_equal_reference_on_random_sets = compared(cases(), EXAMPLES)
test_gated_parts_equal_reference_on_many_random_sets = pytest.mark.long(
    compared(cases(), EXAMPLES_LONG)
)


SEVERAL = Target(0.004, 0.5), Target(0.01, 0.3), Target(0.03, 0.2)
STOP = Exits(stop_loss_ratio=0.015, targets=SEVERAL, levels=LevelSource.PLAN)
PLANS = {
    "delay": Plan(reentry=Reentry(delay_bars=6), exits=STOP),
    "cooldown": Plan(
        reentry=Reentry(delay_bars=2, cooldown_bars=20), sizing=Sizing(SizingKind.RISK, 0.002),
        exits=replace(STOP, trailing=Trailing(0.005, 0.01)),
    ),
    "a day": Plan(
        reentry=Reentry(trades_per_day_max=1),
        exits=replace(STOP, breakeven=Breakeven(0.003, 0.001)),
    ),
    "a week": Plan(
        reentry=Reentry(trades_per_week_max=3), sizing=Sizing(SizingKind.EQUITY_RATIO, 0.3),
        exits=Exits(stop_atr=3.0, targets=SEVERAL, levels=LevelSource.PLAN),
    ),
    "one side": Plan(
        reentry=Reentry(trades_per_day_max=2), direction=Direction.LONG, exits=STOP,
        hours=Hours(session=Session("08:00", "20:00"), bars_held_max=60),
    ),
    "losses": Plan(reentry=Reentry(losses_in_a_row_max=2), direction=Direction.LONG, exits=STOP),
    "all of them": Plan(
        reentry=Reentry(2, 20, 2, 8, 3), exits=STOP, limit_verify_ticks=1,
        hours=Hours(session=Session("08:00", "20:00"), bars_held_max=60),
    ),
    "in profit": Plan(exits=replace(STOP, only_in_profit=True), hours=Hours(bars_held_max=300)),
    "in profit and seldom": Plan(
        reentry=Reentry(1, 10, 2, 8, 2), direction=Direction.BOTH,
        exits=replace(STOP, stop_loss_ratio=0.03, only_in_profit=True),
    ),
    "risk": Plan(sizing=Sizing(SizingKind.RISK, 0.002), exits=STOP),
    "volatility": Plan(sizing=Sizing(SizingKind.VOLATILITY, 0.001), exits=STOP),
    "kelly": Plan(sizing=Sizing(SizingKind.KELLY, 0.5), exits=STOP),
    "kelly and all": Plan(
        sizing=Sizing(SizingKind.KELLY, 0.3, trades=7, trades_min=3),
        reentry=Reentry(1, 10, 2, 8, 3), exits=replace(STOP, only_in_profit=True),
    ),
    "few steps": Plan(sizing=Sizing(SizingKind.CASH, 100.0), reentry=Reentry(1), exits=STOP),
    "fills": Plan(
        intraday_fills_max=3, sizing=Sizing(SizingKind.EQUITY_RATIO, 0.3),
        exits=replace(STOP, breakeven=Breakeven(0.003, 0.001)),
    ),
    "the one fill of a day": Plan(intraday_fills_max=1, exits=STOP),
    "fills and kelly": Plan(
        intraday_fills_max=4, sizing=Sizing(SizingKind.KELLY, 0.3, trades=7, trades_min=3),
        reentry=Reentry(1, 10, 2, 8, 3), hours=Hours(bars_held_max=12), exits=STOP,
    ),
    "leverage": Plan(
        leverage=5.0, reentry=Reentry(cooldown_bars=8), exits=STOP,
        sizing=Sizing(SizingKind.EQUITY_RATIO, 0.5),
    ),
}  # fmt: skip # one table
AT_CLOSES = (
    "all of them",
    "fills",
    "fills and kelly",
    "in profit and seldom",
    "kelly and all",
    "one side",
)
INSTRUMENT = Instrument(
    "SYNTHETIC", 0.1, 0.001, time_zone="America/New_York", margin_tiers=TIERS
)  # fmt: skip # one line


@pytest.mark.parametrize(
    ("name", "settles", "costs"),
    [
        *zip(PLANS, repeat(False), cycle(COSTS.values())),
        *zip(AT_CLOSES, repeat(True), cycle(COSTS.values())),
    ],
)
def test_signal_grids_that_look_back_and_close_in_parts_are_decided(
    name: str, settles: bool, costs: Costs, klines: Klines
) -> None:
    crosses = [EmaCrossover(fast, slow) for fast in (5, 9, 14) for slow in (15, 21, 50)]
    rare = [Rare(every, leaves) for every in (40, 2_000) for leaves in (False, True)]
    plan = replace(PLANS[name], process_on_close=settles)
    funding = constant_funding(0.0001, 8, klines)
    market = Market(klines, INSTRUMENT, costs, funding, since_ms=int(klines.open_time_ms[500]))
    assert check(market, plan, [*crosses, *rare], times=2) == 1.0


def test_strategies_with_levels_of_their_own_look_back_at_parts(klines: Klines) -> None:
    crosses = [EmaCrossover(fast, slow) for fast in (5, 9, 14) for slow in (15, 21, 50)]
    plan = Plan(reentry=Reentry(2, 20, 2, 8, 3), exits=replace(STOP, levels=LevelSource.STRATEGY))
    market = Market(klines, INSTRUMENT, COSTS["notional"])
    assert check(market, plan, [*crosses, Rare()], times=2) == 1.0


def test_steps_too_few_for_every_target_end_a_walk() -> None:
    # A breakeven that begins just before the first target, whose part takes no step at all.
    targets = tuple(Target(ratio, 0.25) for ratio in (0.0005, 0.001, 0.04, 0.05))
    exits = Exits(stop_loss_ratio=0.085, targets=targets, breakeven=Breakeven(0.00049995, -0.008))
    plan = Plan(
        capital_quote=100_000.0, sizing=Sizing(SizingKind.QTY, 0.003), leverage=5.0,
        margin_mode=MarginMode.CROSS, direction=Direction.LONG, exits=exits,
        reentry=Reentry(delay_bars=3), limit_verify_ticks=40,
    )  # fmt: skip # one plan
    seed, costs = 102_843_981, Costs(slippage_kind=SlippageKind.RATIO, slippage_ratio=0.0005)
    klines = klines_of_seed(seed, 152)
    market = Market(klines, INSTRUMENTS[0], costs, since_ms=int(klines.open_time_ms[1]))
    assert check(market, plan, [PlainWishes(seed + own) for own in range(8)]) == 1.0
