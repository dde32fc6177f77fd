"""Several entries whose levels differ but count from one price equal the reference's runs.

Plans are those of `test_stacks_equal_reference`, but that what levels count from is the average or
the last fill; stops move, levels hang on the ATR or come from the strategy, entries wait at a price
or not, and fills are at opens or closes. What lies at a bound is built by hand: gaps, levels that
an entry moves past the price, entries that cannot be paid, the last bar.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import cycle, product

import numpy as np
import pytest
from hypothesis import strategies as st

from engines.backtest import run_backtest
from engines.costs import Costs, SlippageKind
from engines.execution import MARGIN_CALL_NAME
from engines.funding import constant_funding
from engines.kernels.pending import CHAINS_MIN
from engines.kernels.trials import Market
from engines.klines import HOUR_MS, Klines
from engines.plan import (
    Basis,
    Breakeven,
    CloseRule,
    EntryKind,
    EntryTerms,
    Exits,
    LevelSource,
    Plan,
    Sizing,
    SizingKind,
    Trailing,
)
from engines.signals import Signals
from engines.types import F64_2D
from strategies.base import SignalStrategy
from tests.property.path_cases import Case, PlainWishes, case_of, check, compared, markets
from tests.property.test_averages_equal_reference import RULES, SETTINGS
from tests.property.test_awaited_stacks_equal_reference import ENTRIES
from tests.property.test_chains_equal_reference import COSTS, INSTRUMENT, LEVERED, MOVING
from tests.property.test_limited_stacks_equal_reference import limited_plan
from tests.property.test_limits_equal_reference import LIMITS, limited
from tests.property.test_plans_hold import START_MS
from tests.property.test_stacks_equal_reference import GRID, check_case, stacked
from tests.property.test_waits_equal_reference import terms

EXAMPLES, EXAMPLES_LONG, STRATEGIES = 60, 4_000, 12
BASES = Basis.AVERAGE, Basis.AVERAGE, Basis.LAST
TRAILED = Exits(
    stop_loss_ratio=0.03, trailing=Trailing(0.008, 0.004), basis=Basis.AVERAGE,
    levels=LevelSource.PLAN,
)  # fmt: skip # one record


@st.composite
def cases(draw: st.DrawFn, is_limited: bool = False) -> Case:
    """Return strategies of random wishes on random bars, and a plan whose entries share a base."""
    seed, market = draw(markets())
    count, plan = draw(st.integers(CHAINS_MIN, STRATEGIES)), draw(stacked())
    moves = draw(st.sampled_from((None, None, Trailing(0.002, 0.004), Trailing(0.01, 0.003))))
    exits = replace(plan.exits, basis=draw(st.sampled_from(BASES)))
    if moves is not None and exits.take_profit_ratio is None:
        exits = replace(exits, trailing=moves)
    plan = replace(plan, exits=exits)
    if draw(st.booleans()):
        plan = replace(
            plan, entry=draw(terms()), exits=replace(exits, levels=LevelSource.PLAN),
            process_on_close=False,
        )  # fmt: skip # what waits
    if is_limited:
        plan = draw(limited(replace(plan, process_on_close=False)))
    return case_of(market, plan, [PlainWishes(seed + n, n % 2 == 1) for n in range(count)])


test_bases_equal_reference_on_random_sets = compared(cases(), EXAMPLES, check_case)
test_bases_equal_reference_on_many_random_sets = pytest.mark.long(
    compared(cases(), EXAMPLES_LONG, check_case)
)
test_limited_bases_equal_reference_on_random_sets = compared(cases(True), EXAMPLES, check_case)
test_limited_bases_equal_reference_on_many_random_sets = pytest.mark.long(
    compared(cases(True), EXAMPLES_LONG, check_case)
)

LEVELS = {
    **MOVING,
    "by the ATR": Exits(stop_atr=3.0, target_atr=4.0),
    "a stop by the ATR and a ratio": Exits(stop_atr=3.0, stop_loss_ratio=0.01),
}


@pytest.mark.parametrize(
    ("name", "costs", "rule", "basis"),
    [
        (*own, rule, basis)
        for own, rule, basis in zip(
            product(LEVELS, COSTS.values()), cycle(CloseRule), cycle(BASES), strict=False
        )
    ],
)
def test_grids_of_entries_that_share_a_base_are_decided(
    name: str, costs: Costs, rule: CloseRule, basis: Basis, klines: Klines
) -> None:
    exits = replace(LEVELS[name], levels=LevelSource.PLAN, basis=basis)
    plan = Plan(pyramiding=3, close_rule=rule, exits=exits)
    funding = constant_funding(0.0001, 8, klines)
    market = Market(klines, INSTRUMENT, costs, funding, since_ms=int(klines.open_time_ms[500]))
    assert check(market, plan, GRID) == 1.0
    assert check(market, replace(plan, process_on_close=True), GRID) == 1.0


@dataclass(frozen=True)
class Zeros(SignalStrategy):
    """Entries whose one level is zero: the stop of a short, or the target of a long."""

    is_long: bool = True

    def signals(self, klines: Klines) -> Signals:
        bars = np.arange(len(klines))
        enters, exits, never = bars % 9 == 2, bars % 9 == 7, np.zeros(len(klines), np.bool_)
        level = np.where(enters, 0.0, np.nan)
        if self.is_long:
            return Signals(enters, exits, never, never, target_price=level)
        return Signals(never, never, enters, exits, stop_price=level)


@pytest.mark.parametrize("basis", Basis)
@pytest.mark.parametrize("room", [1, 3])
@pytest.mark.parametrize("is_long", [True, False])
def test_a_level_of_zero_counts_beside_a_basis(
    is_long: bool, room: int, basis: Basis, klines: Klines
) -> None:
    plan = Plan(pyramiding=room, exits=Exits(basis=basis))
    market = Market(klines, INSTRUMENT, Costs())
    for sets in (1, CHAINS_MIN):
        check(market, plan, [Zeros(is_long)], times=sets)


@pytest.mark.parametrize(
    ("name", "entry", "rule", "costs"),
    [
        (*own, rule, costs)
        for own, rule, costs in zip(
            product(LEVELS, ENTRIES), cycle(CloseRule), cycle(COSTS.values()), strict=False
        )
    ],
)
def test_grids_of_orders_that_share_a_base_are_decided(
    name: str, entry: EntryTerms, rule: CloseRule, costs: Costs, klines: Klines
) -> None:
    exits = replace(LEVELS[name], levels=LevelSource.PLAN, basis=Basis.AVERAGE)
    plan = Plan(pyramiding=3, close_rule=rule, exits=exits, entry=entry)
    market = Market(klines, INSTRUMENT, costs, since_ms=int(klines.open_time_ms[500]))
    # As in `test_awaited_stacks_equal_reference`.
    assert check(market, plan, GRID) >= (1.0 if entry.kind is EntryKind.LIMIT else 0.5)


@pytest.mark.parametrize("name", SETTINGS)
def test_grids_of_entries_that_share_a_base_with_any_setting_are_decided(
    name: str, klines: Klines
) -> None:
    own = SETTINGS[name]
    exits = replace(TRAILED, only_in_profit=own.exits.only_in_profit)
    plan = replace(own, pyramiding=3, close_rule=RULES[name], exits=exits)
    market = Market(klines, LEVERED, Costs(), since_ms=int(klines.open_time_ms[500]))
    assert check(market, plan, GRID) == 1.0


@pytest.mark.parametrize(("name", "rule"), list(zip(LIMITS, cycle(CloseRule))), ids=LIMITS)
def test_grids_of_limited_entries_that_share_a_base_are_decided(
    name: str, rule: CloseRule, klines: Klines
) -> None:
    exits = Exits(stop_atr=3.0, target_atr=4.0, basis=Basis.AVERAGE, levels=LevelSource.PLAN)
    plan = replace(limited_plan(name, exits), pyramiding=3, close_rule=rule)
    market = Market(klines, INSTRUMENT, Costs(), since_ms=int(klines.open_time_ms[500]))
    assert check(market, plan, GRID) == 1.0


@pytest.mark.parametrize("rule", CloseRule)
def test_margin_calls_of_entries_that_share_a_base_are_followed(
    rule: CloseRule, klines: Klines
) -> None:
    sizing = Sizing(SizingKind.EQUITY_RATIO, 0.49)
    exits = replace(TRAILED, stop_loss_ratio=0.2, trailing=Trailing(0.05, 0.02))
    plan = Plan(sizing=sizing, pyramiding=3, close_rule=rule, exits=exits)
    funding = constant_funding(0.0001, 8, klines)
    market = Market(klines, INSTRUMENT, Costs(slippage_ticks=2), funding)
    trades = run_backtest(GRID[1], klines, INSTRUMENT, plan, market.costs, funding=funding).trades
    assert sum(trade.exit_name == MARGIN_CALL_NAME for trade in trades) > 5
    decided = check(market, plan, GRID)
    assert decided > 0.5 or rule is CloseRule.ANY


@dataclass(frozen=True)
class At(SignalStrategy):
    """Entries on one side that are decided at some bars."""

    bars: tuple[int, ...] = (2, 5)
    is_long: bool = True

    @classmethod
    def parameters(cls) -> tuple[()]:
        """Return none: bars are no parameters."""
        return ()

    def signals(self, klines: Klines) -> Signals:
        """Return the wishes at each close [T]."""
        enters, never = np.isin(np.arange(len(klines)), self.bars), np.zeros(len(klines), np.bool_)
        return Signals(enters & self.is_long, never, enters & (not self.is_long), never)


STILL = Exits(stop_loss_ratio=0.05)
LIMIT, STOP_ENTRY = EntryTerms(EntryKind.LIMIT, 0.005, 4), EntryTerms(EntryKind.STOP, 0.005, 4)
# What moves nothing that matters keeps levels that stand still from the path of campaigns.
NEVER_ARMED = Trailing(0.9, 0.1)
# The bars that decide, what ends the entries, and bars of which the others are still at 100: open,
# best, worst and close for who is long.
BOUNDS: dict[str, tuple[tuple[int, ...], Exits, Mapping[int, tuple[float, ...]]]] = {
    "a gap beyond the old and the new stop": ((2, 5), STILL, {6: (90.0, 91.0, 89.0, 90.0)}),
    "a gap beyond the old stop alone": (
        (2, 5), STILL, {6: (94.0, 95.0, 93.0, 94.0), 7: (94.0, 94.0, 92.0, 93.0)},
    ),
    "a target that comes to the price": (
        (2, 5), Exits(take_profit_ratio=0.02), {6: (96.0, 100.0, 95.0, 97.0)},
    ),
    "a target behind the price of the last": (
        (2, 5), Exits(take_profit_ratio=0.1, basis=Basis.LAST), {5: (100, 109.0, 100.0, 109.0)},
    ),
    "a stop that the average moves past the price": (
        (2, 5, 7), Exits(stop_loss_ratio=0.04),
        {6: (110.0, 110.0, 109.0, 110.0), 8: (101.0, 101.0, 99.0, 100.0)},
    ),
    "an armed stop that stays, and one that arms later": (
        (2, 5), Exits(trailing=Trailing(0.02, 0.01)),
        {4: (100.0, 104.0, 100.0, 103.6), 5: (103.6, 104.0, 103.2, 103.5),
         6: (103.5, 106.0, 103.1, 105.5), 7: (105.5, 105.6, 101.0, 101.0)},
    ),
    "a breakeven that was met and is set anew": (
        (2, 5), Exits(breakeven=Breakeven(0.02, 0.005)),
        {4: (100.0, 102.5, 100.0, 102.0), 5: (102.0, 102.0, 101.0, 101.5),
         6: (101.5, 104.0, 101.0, 103.0), 7: (103.0, 103.0, 100.4, 100.4)},
    ),
    "three entries in a row": (
        (2, 3, 4), Exits(stop_loss_ratio=0.02, take_profit_ratio=0.02),
        {3: (100.0, 101.0, 99.0, 99.0), 4: (99.0, 101.0, 98.0, 98.0),
         5: (98.0, 103.0, 95.0, 99.0)},
    ),
    "the last bar": ((2, 10), STILL, {11: (96.0, 97.0, 90.0, 91.0)}),
    "the last close": ((2, 11), STILL, {11: (96.0, 97.0, 95.5, 95.6)}),
}  # fmt: skip # one table


def klines_at(path: Mapping[int, tuple[float, ...]], is_long: bool) -> Klines:
    """Return twelve bars; prices mirror at 100 for who is short."""
    worth = np.full((12, 4), 100.0)
    for bar in range(12):
        worth[bar] = path.get(bar, worth[bar])
        if bar not in path and bar > 0:
            worth[bar] = worth[bar - 1, 3]
    return _klines_of(100.0 + (1.0 if is_long else -1.0) * (worth - 100.0), is_long)


def _klines_of(worth: F64_2D, is_long: bool) -> Klines:
    high, low = (worth[:, 1], worth[:, 2]) if is_long else (worth[:, 2], worth[:, 1])
    return Klines(
        "R/USDT:USDT", HOUR_MS, START_MS + HOUR_MS * np.arange(len(worth)), open=worth[:, 0],
        high=high, low=low, close=worth[:, 3], volume=np.ones(len(worth)),
    )  # fmt: skip # one list


@pytest.mark.parametrize("is_long", [True, False])
@pytest.mark.parametrize("name", BOUNDS)
def test_what_lies_at_a_bound_equals_the_reference(name: str, is_long: bool) -> None:
    bars, exits, path = BOUNDS[name]
    klines, basis = klines_at(path, is_long), exits.basis
    basis = basis if basis is Basis.LAST else Basis.AVERAGE
    exits = replace(exits, basis=basis)
    if exits.take_profit_ratio is not None:
        exits = replace(exits, breakeven=Breakeven(0.9 * exits.take_profit_ratio, -0.5))
    elif exits.trailing is None and exits.breakeven is None:
        exits = replace(exits, trailing=NEVER_ARMED)
    costs = Costs(), Costs(commission=0.0, slippage_ticks=12)
    ratio = Costs(slippage_kind=SlippageKind.RATIO, slippage_ratio=0.06)
    for own, rule, settles in product((*costs, ratio), CloseRule, (False, True)):
        plan = Plan(
            sizing=Sizing(SizingKind.QTY, 1.0), pyramiding=3, close_rule=rule, exits=exits,
            process_on_close=settles,
        )  # fmt: skip # one plan
        strategies: list[SignalStrategy] = [At(bars, is_long)] * CHAINS_MIN
        market = Market(klines, INSTRUMENT, own)
        assert check(market, plan, strategies) == 1.0
        for entry in () if settles else (LIMIT, STOP_ENTRY):
            check(market, replace(plan, entry=entry), strategies)


@pytest.mark.parametrize("is_long", [True, False])
@pytest.mark.parametrize("capital", [199.0, 200.0, 201.0, 299.0, 301.0, 302.0])
def test_an_entry_that_cannot_be_paid_moves_no_level(capital: float, is_long: bool) -> None:
    path = {8: (100.0, 100.0, 98.0, 98.0), 9: (98.0, 98.0, 94.0, 94.0)}
    exits = replace(STILL, basis=Basis.AVERAGE, trailing=NEVER_ARMED)
    plan = Plan(
        capital_quote=capital, sizing=Sizing(SizingKind.QTY, 1.0), pyramiding=3, exits=exits
    )
    strategies: list[SignalStrategy] = [At((2, 5, 8), is_long)] * CHAINS_MIN
    check(Market(klines_at(path, is_long), INSTRUMENT, Costs()), plan, strategies)


@pytest.mark.parametrize("is_long", [True, False])
def test_a_liquidation_comes_before_a_stop_that_counts_from_the_average(is_long: bool) -> None:
    path = {7: (100.0, 100.0, 90.0, 90.0)}
    exits = Exits(stop_loss_ratio=0.2, trailing=NEVER_ARMED, basis=Basis.AVERAGE)
    sizing = Sizing(SizingKind.QTY, 1.0)
    plan = Plan(sizing=sizing, pyramiding=3, leverage=10.0, exits=exits)
    klines, strategies = klines_at(path, is_long), [At(is_long=is_long)] * CHAINS_MIN
    result = run_backtest(strategies[0], klines, LEVERED, plan, Costs())
    assert result.trades[0].exit_name == "Liquidation"
    check(Market(klines, LEVERED, Costs()), plan, [*strategies])
