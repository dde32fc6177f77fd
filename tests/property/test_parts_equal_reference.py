"""Positions that close in parts, in the lanes of chains, equal the reference's in every figure.

Plans have one to four targets, with or without a stop, a breakeven, a trailing part, funding,
leverage, verified limits, and fills at closes.
Bars are wild enough that one bar meets several levels, that opens pass several targets, and that
ticks are coarse beside the levels. Entries may be too small for every target to get a step. Those
that the account cannot pay are left to the machine: where none may be, that is asserted.
"""

from dataclasses import replace
from itertools import cycle

import pytest
from hypothesis import strategies as st

from engines.costs import Costs
from engines.funding import constant_funding
from engines.instrument import Instrument
from engines.kernels.pending import CHAINS_MIN
from engines.kernels.trials import Market
from engines.klines import Klines
from engines.plan import (
    Breakeven,
    CloseRule,
    DistanceUnit,
    Exits,
    LevelSource,
    MarginMode,
    Plan,
    Sizing,
    SizingKind,
    Target,
    Trailing,
)
from strategies.ema_crossover import EmaCrossover
from tests.property.path_cases import (
    Case,
    PlainWishes,
    borrowed,
    case_of,
    check,
    compared,
    followed,
    markets,
)
from tests.property.test_chains_equal_reference import COSTS, TIERS, Rare
from tests.property.test_kernel_equals_reference import INSTRUMENTS

EXAMPLES, EXAMPLES_LONG, STRATEGIES = 25, 4_000, 20
COARSE = (
    Instrument("R/USDT:USDT", 2.5, 0.001, margin_tiers=TIERS),
    Instrument("R/USDT:USDT", 0.5, 0.01, margin_tiers=TIERS),
)


@st.composite
def targets(draw: st.DrawFn) -> tuple[Target, ...]:
    """Return one to four targets, near ones and far ones."""
    count = draw(st.integers(1, 4))
    ratios = st.floats(0.0005, draw(st.sampled_from((0.01, 0.05, 0.2))))
    own = sorted(draw(st.lists(ratios, min_size=count, max_size=count, unique=True)))
    weights = draw(st.lists(st.integers(1, 9), min_size=count, max_size=count))
    portions = [weight / sum(weights) for weight in weights]
    return tuple(Target(ratio, part) for ratio, part in zip(own, portions, strict=True))


@st.composite
def exits(draw: st.DrawFn) -> Exits:
    """Return exits with several targets whose levels hang on the entry alone."""
    several = draw(targets())
    unit = draw(st.sampled_from(DistanceUnit))
    far, near = several[-1].ratio * 0.99, several[0].ratio
    arms = st.just(0.0) | st.floats(0.0, far if unit is DistanceUnit.RATIO else 5.0)
    follows = st.just(0.0) | st.floats(0.0, 0.05 if unit is DistanceUnit.RATIO else 20.0)
    lock = st.floats(-0.01, near * 0.999)
    trailing = st.builds(Trailing, arms, follows, st.just(unit))
    breakeven = st.builds(Breakeven, st.just(near * 0.9999), lock.map(lambda own: own * 0.9))
    return Exits(
        stop_loss_ratio=draw(st.none() | st.floats(0.001, 0.1)),
        stop_atr=draw(st.none() | st.none() | st.floats(0.1, 8.0)),
        atr_period=draw(st.integers(2, 20)),
        targets=several,
        trailing=draw(st.none() | trailing),
        breakeven=draw(st.none() | breakeven),
        levels=draw(st.sampled_from(LevelSource)),
    )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Return strategies of random wishes on random bars, and a plan with targets."""
    seed, market = draw(markets((*INSTRUMENTS, *COARSE)))
    count = draw(st.integers(CHAINS_MIN, STRATEGIES))
    rules = st.sampled_from([rule for rule in CloseRule if rule is not CloseRule.ALL])
    plan, step = draw(followed()), market.instrument.qty_step
    few = st.integers(1, 9).map(lambda steps: Sizing(SizingKind.QTY, steps * step))
    plan = replace(
        plan, sizing=draw(st.just(plan.sizing) | few), exits=draw(exits()), close_rule=draw(rules),
        limit_verify_ticks=draw(st.sampled_from((0, 0, 0, 1, 3, 40))),
        process_on_close=draw(st.sampled_from((False, False, True))),
    )  # fmt: skip # what else it says
    plan = draw(borrowed(plan))
    some_give = draw(st.booleans())
    return case_of(
        market, plan, [PlainWishes(seed + own, some_give and own % 2 == 1) for own in range(count)]
    )


test_parts_equal_reference_on_random_sets = compared(cases(), EXAMPLES)
test_parts_equal_reference_on_many_random_sets = pytest.mark.long(compared(cases(), EXAMPLES_LONG))


INSTRUMENT = Instrument("SYNTHETIC", 0.1, 0.001)
LEVERED = replace(INSTRUMENT, margin_tiers=TIERS)
FAR = Target(0.3, 0.5), Target(0.6, 0.5)
SEVERAL = Target(0.004, 0.5), Target(0.01, 0.3), Target(0.03, 0.2)
PARTED = {
    "three": Plan(exits=Exits(stop_loss_ratio=0.015, targets=SEVERAL)),
    "breakeven": Plan(
        exits=Exits(stop_loss_ratio=0.01, targets=SEVERAL, breakeven=Breakeven(0.003, 0.001))
    ),
    "trailing": Plan(
        sizing=Sizing(SizingKind.EQUITY_RATIO, 0.3),
        exits=Exits(targets=SEVERAL, trailing=Trailing(0.005, 0.004)),
    ),
    "all of them": Plan(
        sizing=Sizing(SizingKind.EQUITY_RATIO, 0.2),
        exits=Exits(
            stop_loss_ratio=0.02,
            targets=(Target(0.002, 0.25), *SEVERAL[:1], Target(0.01, 0.125), Target(0.02, 0.125)),
            trailing=Trailing(0.01, 0.006),
            breakeven=Breakeven(0.001, 0.0005),
        ),
    ),
    "verified": Plan(
        limit_verify_ticks=2,
        exits=Exits(stop_loss_ratio=0.015, targets=SEVERAL, trailing=Trailing(0.012, 0.004)),
    ),
    "verified ahead of a breakeven": Plan(
        limit_verify_ticks=300,
        exits=Exits(stop_loss_ratio=0.01, targets=SEVERAL, breakeven=Breakeven(0.003, 0.001)),
    ),
    "by the atr": Plan(exits=Exits(stop_atr=3.0, stop_loss_ratio=0.015, targets=SEVERAL)),
    "one": Plan(exits=Exits(stop_loss_ratio=0.01, targets=(Target(0.01, 1.0),))),
}


@pytest.mark.parametrize(
    ("is_funded", "settles"), [(False, False), (True, False), (True, True)],
    ids=["alone", "funded", "funded at closes"],
)  # fmt: skip # one table
@pytest.mark.parametrize(("name", "costs"), list(zip(PARTED, cycle(COSTS.values()))), ids=PARTED)
def test_signal_grids_that_close_in_parts_are_decided(
    name: str, costs: Costs, is_funded: bool, settles: bool, klines: Klines
) -> None:
    crosses = [EmaCrossover(fast, slow) for fast in (5, 14) for slow in (15, 50)]
    rare = [Rare(every, leaves) for every in (40, 2_000) for leaves in (False, True)]
    own = replace(PARTED[name].exits, levels=LevelSource.PLAN)
    plan = replace(PARTED[name], exits=own, process_on_close=settles)
    funding = constant_funding(0.0001, 8, klines) if is_funded else None
    market = Market(klines, INSTRUMENT, costs, funding, since_ms=int(klines.open_time_ms[500]))
    assert check(market, plan, [*crosses, *rare]) == 1.0


@pytest.mark.parametrize("mode", MarginMode)
@pytest.mark.parametrize("name", ["three", "all of them"])
def test_signal_grids_that_close_in_parts_with_leverage_are_decided(
    name: str, mode: MarginMode, klines: Klines
) -> None:
    crosses = [EmaCrossover(fast, slow) for fast in (5, 14) for slow in (15, 50)]
    plan = replace(
        PARTED[name], exits=replace(PARTED[name].exits, levels=LevelSource.PLAN), leverage=5.0,
        margin_mode=mode, sizing=Sizing(SizingKind.EQUITY_RATIO, 0.5),
    )  # fmt: skip # what it may lose
    market = Market(klines, LEVERED, COSTS["notional"], constant_funding(0.0001, 8, klines))
    assert check(market, plan, [*crosses, Rare(40)], 3) == 1.0
    # Nothing stops what is left before it would be liquidated.
    held = replace(plan, leverage=20.0, exits=Exits(targets=FAR, levels=LevelSource.PLAN))
    assert check(market, held, [Rare(2_000)], 20) == 0.0


def test_strategies_with_levels_of_their_own_close_in_parts(klines: Klines) -> None:
    crosses = [EmaCrossover(fast, slow) for fast in (5, 9, 14) for slow in (15, 21, 50)]
    market = Market(klines, INSTRUMENT, COSTS["notional"], since_ms=int(klines.open_time_ms[500]))
    assert check(market, PARTED["breakeven"], [*crosses, Rare()], times=5) == 1.0


def test_entries_of_fewer_steps_than_targets_are_decided(klines: Klines) -> None:
    sizing = Sizing(SizingKind.QTY, 0.002)
    plan = replace(PARTED["three"], sizing=sizing, exits=Exits(targets=SEVERAL))
    assert check(Market(klines, INSTRUMENT, Costs()), plan, [Rare(40), Rare(300)], times=10) == 1.0
