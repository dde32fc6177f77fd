"""Ladders that close whole equal the reference's runs in every figure, many strategies a plan.

Plans are drawn from `plans_random` within what campaigns follow: all ladders, stops, targets and
late targets from every basis, sizes, commissions, slippage, hours, filters, close rules, funding,
leverage of both margin modes, sizes by risk, volatility and Kelly, all of equity, whose margin is
called, rules that look back at earlier campaigns, closes in profit alone.
What a figure may differ by is that of the machine's summary. A set that is left to the machine
proves nothing of campaigns, so where none may be, that is asserted.
"""

from dataclasses import dataclass, field, replace
from itertools import cycle
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import strategies as st

from engines.backtest import run_backtest
from engines.costs import Costs
from engines.funding import constant_funding
from engines.kernels.chains import runs as chains
from engines.kernels.pending import CHAINS_MIN
from engines.kernels.trials import Market
from engines.klines import MINUTE_MS, Klines
from engines.plan import (
    Basis,
    CloseRule,
    CustomLadder,
    DcaLadder,
    Direction,
    EntryKind,
    EntryTerms,
    Exits,
    Hours,
    LateTarget,
    LevelSource,
    MarginMode,
    Plan,
    Reentry,
    Rung,
    SafetyOrders,
    Session,
    Sizing,
    SizingKind,
    Trailing,
)
from engines.plan import Market as Traded
from engines.signals import Signals
from strategies.base import SignalStrategy
from strategies.ema_crossover import EmaCrossover
from tests.property import path_cases
from tests.property import plans_random as random_plans
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
from tests.property.test_chains_equal_reference import COSTS, INSTRUMENT, LEVERED, Rare
from tests.property.test_gates_equal_reference import reentries

EXAMPLES, EXAMPLES_LONG, STRATEGIES, SPAN = 30, 4_000, 12, 17
RULES = st.sampled_from((CloseRule.ALL, CloseRule.ALL, CloseRule.FIFO))
OWN_SHARES = SizingKind.RISK, SizingKind.VOLATILITY, SizingKind.KELLY
BY_CLOSES = SizingKind.VOLATILITY, SizingKind.KELLY  # whose shares no order takes along
OFFSETS = 0.0001, 0.0005, 0.002, 0.01
RATIOS = 0.001, 0.004, 0.01, 0.02, 0.05, 0.2
MULTIPLES = 0.01, 0.4, 1.0, 2.0, 5.0, 30.0  # of the ATR


@st.composite
def ladders(draw: st.DrawFn) -> CustomLadder | DcaLadder | SafetyOrders:
    """Return a ladder of each kind; the rungs of a custom one may be anywhere."""
    near = random_plans.floats(0.001, 0.03)
    late = draw(st.none() | st.builds(LateTarget, st.integers(1, 4), st.sampled_from(RATIOS)))
    kind, refill = draw(st.sampled_from(["custom", "dca", "safety"])), draw(st.booleans())
    if kind == "dca":
        orders, spread = draw(st.integers(2, 6)), draw(random_plans.floats(0.002, 0.08))
        steps = draw(st.sampled_from((0.5, 1.0, 1.3)))
        return DcaLadder(
            orders=orders, range_ratio=spread, log_step=steps, late_target=late, refill=refill
        )
    if kind == "safety":
        orders, step = draw(st.integers(1, 5)), draw(st.sampled_from((0.7, 1.0, 1.5)))
        return SafetyOrders(
            base_ratio=0.1, safety_ratio=0.1, orders=orders, deviation_ratio=draw(near), step=step,
            late_target=late, refill=refill,
        )  # fmt: skip # one list
    offsets = draw(st.lists(random_plans.floats(-0.03, 0.05) | near, min_size=1, max_size=5))
    weights = draw(st.permutations([1.0, *range(1, len(offsets) + 1)]))
    rungs = [Rung(o, w / sum(weights)) for o, w in zip((0.0, *offsets), weights, strict=True)]
    return CustomLadder(rungs=tuple(rungs), late_target=late, refill=refill)


@st.composite
def exits(draw: st.DrawFn) -> Exits:
    """Return a stop and a target, or one of them, or none, from any basis, or by the ATR."""
    by_atr = st.none() | st.none() | st.sampled_from(MULTIPLES)
    target_atr, ratios = draw(by_atr), st.none() | st.sampled_from(RATIOS)
    return Exits(
        stop_loss_ratio=draw(ratios), take_profit_ratio=None if target_atr else draw(ratios),
        stop_atr=draw(by_atr), target_atr=target_atr, atr_period=draw(st.sampled_from((2, 14))),
        basis=draw(st.sampled_from(Basis)),
        levels=draw(st.sampled_from(LevelSource)),
        only_in_profit=draw(st.sampled_from((False, False, True))),
    )  # fmt: skip # one list


@dataclass(frozen=True)
class Thinned(SignalStrategy):
    """The wishes of another, of which some are left out: sets share entries, not accounts."""

    plain: SignalStrategy = field(default_factory=PlainWishes)
    own: int = 0
    kept: float = 0.8

    @classmethod
    def parameters(cls) -> tuple[()]:
        """Return none: a seed is no parameter."""
        return ()

    def signals(self, klines: Klines) -> Signals:
        """Return the wishes at each close [T]."""
        plain = self.plain.signals(klines)
        keeps, leaves = np.random.default_rng(self.own).random((2, len(klines)))
        return Signals(
            plain.entry_long & (keeps < self.kept), plain.exit_long & (leaves < self.kept),
            plain.entry_short & (keeps < self.kept), plain.exit_short & (leaves < self.kept),
        )  # fmt: skip # one list


def awaited() -> st.SearchStrategy[EntryTerms]:
    """Return a first entry that waits at a price."""
    kinds, offsets = st.sampled_from((EntryKind.LIMIT, EntryKind.STOP)), st.sampled_from(OFFSETS)
    return st.builds(EntryTerms, kinds, offsets, st.integers(1, 12))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Return strategies of random wishes on random bars, and a ladder that campaigns follow."""
    seed, market = draw(markets())
    count = draw(st.integers(CHAINS_MIN, STRATEGIES))
    sizing, kind = draw(followed()).sizing, draw(st.integers(0, 4))
    if kind == 0:
        sizing = draw(random_plans.sizings().filter(lambda sizing: sizing.kind in OWN_SHARES))
    elif kind == 1:
        sizing = Sizing(SizingKind.EQUITY_RATIO, 1.0)
    elif sizing.kind is SizingKind.EQUITY_RATIO:
        sizing = replace(sizing, value=min(sizing.value, 1.0))
    levels = draw(exits())
    has_stop = levels.stop_loss_ratio is not None or levels.stop_atr is not None
    if sizing.kind is SizingKind.RISK and not has_stop:  # which it is counted by
        levels = replace(levels, stop_loss_ratio=draw(st.sampled_from(RATIOS)))
    plan = replace(
        draw(followed()), close_rule=draw(RULES), pyramiding=draw(st.integers(1, 7)),
        ladder=draw(ladders()), exits=levels, sizing=sizing,
        reentry=draw(st.just(Reentry()) | reentries()),
        limit_verify_ticks=draw(st.sampled_from((0, 0, 1, 3, 40))),
        process_on_close=draw(st.booleans()),
    )  # fmt: skip # one list
    plan = draw(borrowed(plan))
    if sizing.kind not in BY_CLOSES and draw(st.booleans()):
        plan = replace(plan, entry=draw(awaited()), process_on_close=False)
    return case_of(market, plan, [PlainWishes(seed + own, own % 5 == 1) for own in range(count)])


def check_case(case: Case) -> float | None:
    """Compare a case whose bars are more than one span."""
    with patch.object(chains, "SPAN", SPAN):
        return path_cases.check_case(case)


@st.composite
def shared_cases(draw: st.DrawFn) -> Case:
    """Return strategies that share most entries, under a ladder whose courses may be known."""
    market, plan, strategies = draw(cases())
    ladder, levels = plan.ladder, plan.exits
    assert isinstance(ladder, CustomLadder | DcaLadder | SafetyOrders)
    if isinstance(ladder, CustomLadder):
        rungs = [replace(rung, offset_ratio=abs(rung.offset_ratio)) for rung in ladder.rungs]
        ladder = replace(ladder, rungs=tuple(rungs))
    bases = st.sampled_from((Basis.AVERAGE, Basis.AVERAGE, Basis.LAST))
    plan = replace(
        plan, ladder=replace(ladder, late_target=None), exits=replace(levels, basis=draw(bases)),
        process_on_close=False, limit_verify_ticks=0, leverage=1.0,
    )  # fmt: skip # one list
    first, kept = draw(st.integers(0, 2**31)), draw(st.sampled_from((0.5, 0.8, 0.95)))
    sets = [Thinned(PlainWishes(first), own, kept) for own in range(len(strategies))]
    return case_of(replace(market, funding=None), plan, [*sets])


test_ladders_whose_courses_are_shared_equal_reference = compared(
    shared_cases(), EXAMPLES, check_case
)
test_ladders_whose_courses_are_shared_equal_reference_on_many_sets = pytest.mark.long(
    compared(shared_cases(), EXAMPLES_LONG, check_case)
)
test_campaigns_equal_reference_on_random_sets = compared(cases(), EXAMPLES, check_case)
test_campaigns_equal_reference_on_many_random_sets = pytest.mark.long(
    compared(cases(), EXAMPLES_LONG, check_case)
)


FOUR = CustomLadder(rungs=(Rung(0.0, 0.1), Rung(0.005, 0.2), Rung(0.01, 0.3), Rung(0.02, 0.4)))
AVERAGED = Exits(
    take_profit_ratio=0.008, stop_loss_ratio=0.03, basis=Basis.AVERAGE, levels=LevelSource.PLAN
)
PLANS = {
    "a leg for each lot": Plan(ladder=FOUR, exits=AVERAGED),
    "one exit": Plan(ladder=FOUR, exits=AVERAGED, close_rule=CloseRule.ALL),
    "all of the equity, a leg for each lot": Plan(
        ladder=FOUR, exits=AVERAGED, sizing=Sizing(SizingKind.EQUITY_RATIO, 1.0)
    ),
    "all of the equity, one exit": Plan(
        ladder=FOUR,
        exits=replace(AVERAGED, stop_loss_ratio=0.2, basis=Basis.ENTRY),
        sizing=Sizing(SizingKind.EQUITY_RATIO, 1.0),
        close_rule=CloseRule.ALL,
    ),
    "cash without a stop": Plan(
        ladder=DcaLadder(late_target=LateTarget(3, 0.002)),
        exits=replace(AVERAGED, stop_loss_ratio=None),
        sizing=Sizing(SizingKind.CASH, 2_000.0),
        close_rule=CloseRule.ALL,
    ),
    "safety orders from the last": Plan(
        ladder=SafetyOrders(late_target=LateTarget()),
        exits=replace(AVERAGED, basis=Basis.LAST),
        close_rule=CloseRule.ALL,
    ),
    "up and down from the entry": Plan(
        ladder=CustomLadder(rungs=(Rung(0.0, 0.5), Rung(-0.01, 0.3), Rung(0.02, 0.2))),
        exits=replace(AVERAGED, basis=Basis.ENTRY),
        sizing=Sizing(SizingKind.QTY, 0.05),
        close_rule=CloseRule.ALL,
    ),
}


@pytest.mark.parametrize("costs", COSTS.values(), ids=COSTS)
@pytest.mark.parametrize("name", PLANS)
def test_signal_grids_of_ladders_are_decided(name: str, costs: Costs, klines: Klines) -> None:
    crosses = [EmaCrossover(fast, slow) for fast in (5, 14) for slow in (15, 50)]
    rare = [Rare(every, leaves) for every in (40, 2_000) for leaves in (False, True)]
    plan = replace(PLANS[name], pyramiding=6)
    funding = constant_funding(0.0001, 8, klines)
    market = Market(klines, INSTRUMENT, costs, funding, since_ms=int(klines.open_time_ms[500]))
    assert check(market, plan, [*crosses, *rare], times=5) == 1.0


LADDER = replace(PLANS["one exit"], pyramiding=4)
ASKING = {
    "all rules": replace(LADDER, reentry=Reentry(2, 20, 2, 8, 3)),
    "losses, legs": replace(
        LADDER, reentry=Reentry(losses_in_a_row_max=2), close_rule=CloseRule.FIFO
    ),
    "a day, long only": replace(
        LADDER, reentry=Reentry(trades_per_day_max=1), direction=Direction.LONG,
        hours=Hours(session=Session("08:00", "20:00"), bars_held_max=60),
    ),
    "in profit": replace(LADDER, exits=replace(AVERAGED, only_in_profit=True)),
    "at closes": replace(LADDER, process_on_close=True, reentry=Reentry(2, 20, 2, 8, 3)),
    "legs at closes": replace(
        LADDER, process_on_close=True, close_rule=CloseRule.FIFO, direction=Direction.LONG
    ),
    "late targets at closes": replace(
        LADDER, process_on_close=True, ladder=replace(FOUR, late_target=LateTarget(2, 0.001))
    ),
    "a limit": replace(LADDER, entry=EntryTerms(EntryKind.LIMIT, 0.002, 5)),
    "a stop, legs": replace(
        LADDER, entry=EntryTerms(EntryKind.STOP, 0.001, 8), close_rule=CloseRule.FIFO,
        reentry=Reentry(2, 20, 2, 8, 3),
    ),
    "a limit, long only": replace(
        LADDER, entry=EntryTerms(EntryKind.LIMIT, 0.001, 3), direction=Direction.LONG,
        limit_verify_ticks=2,
    ),
    "a stop, cross": replace(LADDER, entry=EntryTerms(EntryKind.STOP, 0.002, 20), leverage=5.0),
    "verified": replace(LADDER, limit_verify_ticks=2),
    "verified legs": replace(LADDER, limit_verify_ticks=40, close_rule=CloseRule.FIFO),
    "cross": replace(LADDER, leverage=5.0, sizing=Sizing(SizingKind.EQUITY_RATIO, 0.5)),
    "isolated": replace(LADDER, leverage=5.0, margin_mode=MarginMode.ISOLATED),
    "isolated legs": replace(
        LADDER, leverage=5.0, margin_mode=MarginMode.ISOLATED, close_rule=CloseRule.FIFO,
        sizing=Sizing(SizingKind.EQUITY_RATIO, 0.5),
    ),
    "the coin": replace(
        LADDER, market=Traded.SPOT, direction=Direction.LONG, exits=AVERAGED,
        sizing=Sizing(SizingKind.EQUITY_RATIO, 1.0),
    ),
    "by risk": replace(LADDER, sizing=Sizing(SizingKind.RISK, 0.005)),
    "by risk, legs": replace(
        LADDER, sizing=Sizing(SizingKind.RISK, 0.005), close_rule=CloseRule.FIFO, leverage=2.0,
    ),
    "by volatility": replace(LADDER, sizing=Sizing(SizingKind.VOLATILITY, 0.0005)),
    "by Kelly": replace(LADDER, sizing=Sizing(SizingKind.KELLY, 0.5, trades=20, trades_min=5)),
    "by Kelly, legs": replace(
        LADDER, sizing=Sizing(SizingKind.KELLY, 0.5, trades=30, trades_min=5),
        close_rule=CloseRule.FIFO, reentry=Reentry(losses_in_a_row_max=3),
    ),
    "by volatility, a day": replace(
        LADDER, sizing=Sizing(SizingKind.VOLATILITY, 0.0005), direction=Direction.LONG,
        reentry=Reentry(trades_per_day_max=1),
    ),
}  # fmt: skip # one table


@pytest.mark.parametrize(("name", "costs"), list(zip(ASKING, cycle(COSTS.values()))), ids=ASKING)
def test_grids_of_ladders_that_look_back_or_borrow_are_decided(
    name: str, costs: Costs, klines: Klines
) -> None:
    crosses = [EmaCrossover(fast, slow) for fast in (5, 14) for slow in (15, 50)]
    rare = [Rare(every, leaves) for every in (40, 2_000) for leaves in (False, True)]
    plan = ASKING[name]
    funding = None if plan.market is Traded.SPOT else constant_funding(0.0001, 8, klines)
    market = Market(klines, LEVERED, costs, funding, since_ms=int(klines.open_time_ms[500]))
    assert check(market, plan, [*crosses, *rare]) == 1.0


@pytest.mark.parametrize("mode", MarginMode)
def test_ladders_that_come_near_to_a_liquidation_are_left_to_the_machine(
    mode: MarginMode, klines: Klines
) -> None:
    plan = replace(
        LADDER, exits=Exits(levels=LevelSource.PLAN), leverage=20.0, margin_mode=mode,
        sizing=Sizing(SizingKind.EQUITY_RATIO, 0.9),
    )  # fmt: skip # what it may lose
    market = Market(klines, LEVERED, Costs(commission=0.0))
    assert check(market, plan, [Rare(2_000)] * CHAINS_MIN) == 0.0
    assert check(market, replace(plan, leverage=1.5), [Rare(2_000)] * CHAINS_MIN) == 1.0


@dataclass(frozen=True)
class Steady(SignalStrategy):
    """A long entry every so many bars."""

    every: int = 20

    def signals(self, klines: Klines) -> Signals:
        """Return the wishes at each close [T]."""
        never = np.zeros(len(klines), np.bool_)
        return Signals(np.arange(len(klines)) % self.every == 3, never, never, never)


@pytest.mark.parametrize("rule", [CloseRule.ALL, CloseRule.FIFO])
def test_an_entry_beside_a_close_by_age_has_no_rungs_where_all_have_filled(
    rule: CloseRule, klines: Klines
) -> None:
    # Sets that share its course must not let the rungs of the one before wait again.
    plan = replace(LADDER, hours=Hours(bars_held_max=20), close_rule=rule)
    sets = [Thinned(Steady(), own, 0.9) for own in range(CHAINS_MIN)]
    assert check(Market(klines, INSTRUMENT, Costs()), plan, [*sets], times=5) == 1.0


@dataclass(frozen=True)
class Once(SignalStrategy):
    """One entry, which nothing but a level ends."""

    def signals(self, klines: Klines) -> Signals:
        """Return the wishes at each close [T]."""
        never = np.zeros(len(klines), np.bool_)
        return Signals(np.arange(len(klines)) == 1, never, never, never)


def test_a_first_lot_that_closes_in_parts_is_marked_with_the_bars_it_was_held_alone() -> None:
    # It falls alone to 95, a rung above joins it at 101, and the last open has passed the target:
    # the rung's leg closes a part of the first lot.
    rows = np.array([
        (100.0, 100.5, 99.5, 100.0), (100.0, 100.2, 99.8, 100.0), (100.0, 100.1, 99.9, 100.0),
        (100.0, 100.0, 95.0, 96.0), (96.0, 102.0, 96.0, 102.0), (120.0, 120.0, 119.0, 119.5),
        (119.5, 119.6, 119.4, 119.5),
    ])  # fmt: skip # a bar each
    times = np.arange(len(rows)) * 15 * MINUTE_MS
    opened, high, low, close = rows.T
    klines = Klines("STEPS", 15 * MINUTE_MS, times, opened, high, low, close, np.ones(len(rows)))
    plan = Plan(
        ladder=CustomLadder(rungs=(Rung(0.0, 0.7), Rung(-0.01, 0.3))),
        exits=replace(AVERAGED, take_profit_ratio=0.03, stop_loss_ratio=0.1),
    )
    market = Market(klines, INSTRUMENT, Costs())
    result = run_backtest(Once(), klines, INSTRUMENT, plan, Costs())
    assert len(result.trades) == 3
    assert check(market, plan, [Once()], times=CHAINS_MIN) == 1.0


def test_ladders_whose_lots_move_apart_or_under_another_close_rule_are_left_to_the_machine(
    klines: Klines,
) -> None:
    plan = replace(PLANS["one exit"], pyramiding=4)
    market = Market(klines, INSTRUMENT, Costs())
    trailed = replace(AVERAGED, trailing=Trailing(0.005, 0.002), basis=Basis.ENTRY)
    for other in (replace(plan, exits=trailed), replace(plan, close_rule=CloseRule.LIFO)):
        assert check(market, other, [Rare(40), Rare(300)], times=5) == 0.0
