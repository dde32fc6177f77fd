"""Many strategies under one plan of several entries equal the reference's runs in every figure.

Plans are those of `test_chains_equal_reference` with two to five entries in one direction and every
close rule; wishes of all kinds come from seeds. Many ask for more than an account can carry. A set
that is left to the machine proves nothing of stacks, so where nothing may be left to it, that is
asserted.
"""

from dataclasses import dataclass, replace
from itertools import cycle, repeat
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import strategies as st

from engines.backtest import run_backtest
from engines.costs import Costs
from engines.execution import MARGIN_CALL_NAME
from engines.funding import constant_funding
from engines.kernels.chains import runs as chains
from engines.kernels.pending import CHAINS_MIN
from engines.kernels.trials import Market
from engines.klines import HOUR_MS, Klines
from engines.plan import (
    Basis,
    CloseRule,
    Direction,
    Exits,
    Hours,
    LevelSource,
    Plan,
    Reentry,
    Sizing,
    SizingKind,
)
from engines.plan import Market as Traded
from engines.signals import Signals
from strategies.base import SignalStrategy
from strategies.grid_trading import GridTrading
from tests.property import path_cases
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
from tests.property.test_chains_equal_reference import COSTS, INSTRUMENT, LEVERED, MOVING, exits
from tests.property.test_gates_equal_reference import kellys, reentries
from tests.property.test_plans_hold import START_MS

EXAMPLES, EXAMPLES_LONG, STRATEGIES, SPAN = 60, 4_000, 12, 17
SELDOM = st.sampled_from((False, False, True))
SHARES = tuple(Sizing(SizingKind.EQUITY_RATIO, share) for share in (0.02, 0.1, 0.3))
OWN_SHARES = tuple(
    Sizing(kind, value, ratio_max=most)
    for kind, values in (
        (SizingKind.RISK, (0.0005, 0.002, 0.01)),
        (SizingKind.VOLATILITY, (0.0005, 0.002)),
    )
    for value in values
    for most in (0.3, 1.0)
)


@dataclass(frozen=True)
class Often(SignalStrategy):
    """Several entries on one side, then several on the other, and exits that come late or never."""

    every: int = 7
    leaves: bool = False

    def signals(self, klines: Klines) -> Signals:
        """Return the wishes at each close [T]."""
        bars = np.arange(len(klines))
        enters, is_long = bars % self.every == 2, bars // (6 * self.every) % 2 == 0
        exits = (bars % (11 * self.every) == 5) & ~enters & self.leaves
        return Signals(enters & is_long, exits, enters & ~is_long, exits)


GRID: list[SignalStrategy] = [
    Often(every, leaves) for every in (3, 7, 20, 90) for leaves in (False, True)
]


@st.composite
def stacked(draw: st.DrawFn) -> Plan:
    """Return a plan of several entries, each with levels of its own or none."""
    plan = replace(
        draw(followed()),
        pyramiding=draw(st.integers(2, 5)),
        close_rule=draw(st.sampled_from(CloseRule)),
        exits=replace(draw(exits()), basis=Basis.ENTRY, only_in_profit=draw(SELDOM)),
        process_on_close=draw(SELDOM),
        reentry=draw(reentries()) if draw(SELDOM) else Reentry(),
        limit_verify_ticks=draw(st.sampled_from((0, 0, 0, 1, 3, 40))),
    )
    sizes = draw(st.sampled_from(("any", "small", "own", "kelly")))
    if sizes == "kelly":
        plan = replace(plan, sizing=draw(kellys()))
    elif sizes != "any":  # what an account can carry several times, or more or less
        plan = replace(
            plan, sizing=draw(st.sampled_from(SHARES if sizes == "small" else OWN_SHARES))
        )
    return draw(borrowed(plan))


@st.composite
def full(draw: st.DrawFn) -> Plan:
    """Return a plan whose entry, mostly the only one, takes next to all that an account has."""
    plan = replace(draw(stacked()), pyramiding=draw(st.sampled_from((1, 1, 1, 2))))
    if draw(st.booleans()):
        plan = replace(plan, margin_long_ratio=1.0, margin_short_ratio=1.0)
    sizes = draw(st.sampled_from(("share", "cash", "as it is")))
    if sizes == "as it is":
        return plan
    if sizes == "share":
        share = draw(st.sampled_from((0.5, 0.9, 0.97, 0.99, 1.0)))
        return replace(plan, sizing=Sizing(SizingKind.EQUITY_RATIO, share))
    cash = draw(st.sampled_from((0.5, 0.9, 0.97, 1.0))) * plan.capital_quote
    return replace(plan, sizing=Sizing(SizingKind.CASH, cash))


@st.composite
def cases(draw: st.DrawFn, plans: st.SearchStrategy[Plan] | None = None) -> Case:
    """Return strategies of random wishes on random bars, and a plan that stacks follow."""
    seed, market = draw(markets())
    count, plan = (
        draw(st.integers(CHAINS_MIN, STRATEGIES)),
        draw(stacked() if plans is None else plans),
    )
    return case_of(market, plan, [PlainWishes(seed + n, n % 2 == 1) for n in range(count)])


def check_case(case: Case) -> float | None:
    """Compare a case as `path_cases` does; its bars are more than one span."""
    with patch.object(chains, "SPAN", SPAN):
        return path_cases.check_case(case)


test_stacks_equal_reference_on_random_sets = compared(cases(), EXAMPLES, check_case)
test_stacks_equal_reference_on_many_random_sets = pytest.mark.long(
    compared(cases(), EXAMPLES_LONG, check_case)
)
test_full_accounts_equal_reference_on_random_sets = compared(cases(full()), EXAMPLES, check_case)
test_full_accounts_equal_reference_on_many_random_sets = pytest.mark.long(
    compared(cases(full()), EXAMPLES_LONG, check_case)
)


@pytest.mark.parametrize("share", [0.95, 1.0])
@pytest.mark.parametrize(("name", "costs"), list(zip(MOVING, cycle(COSTS.values()))), ids=MOVING)
def test_grids_of_full_accounts_are_decided(
    name: str, costs: Costs, share: float, klines: Klines
) -> None:
    exits = replace(MOVING[name], levels=LevelSource.PLAN)
    plan = Plan(exits=exits, sizing=Sizing(SizingKind.EQUITY_RATIO, share))
    funding = constant_funding(0.0001, 8, klines)
    market = Market(klines, INSTRUMENT, costs, funding, since_ms=int(klines.open_time_ms[500]))
    assert check(market, plan, GRID) == 1.0


@pytest.mark.parametrize("rule", CloseRule)
@pytest.mark.parametrize(("name", "costs"), list(zip(MOVING, cycle(COSTS.values()))), ids=MOVING)
def test_grids_of_stacked_plans_are_decided(
    name: str, costs: Costs, rule: CloseRule, klines: Klines
) -> None:
    exits = replace(MOVING[name], levels=LevelSource.PLAN)
    plan = Plan(pyramiding=3, close_rule=rule, exits=exits)
    funding = constant_funding(0.0001, 8, klines)
    market = Market(klines, INSTRUMENT, costs, funding, since_ms=int(klines.open_time_ms[500]))
    assert check(market, plan, GRID) == 1.0


STOP = Exits(stop_loss_ratio=0.02, levels=LevelSource.PLAN)
SETTINGS = {
    "risk": Plan(sizing=Sizing(SizingKind.RISK, 0.002), exits=STOP),
    "volatility": Plan(sizing=Sizing(SizingKind.VOLATILITY, 0.0005), exits=STOP),
    "volatility without levels": Plan(
        sizing=Sizing(SizingKind.VOLATILITY, 0.0005), exits=Exits(levels=LevelSource.PLAN)
    ),
    "more than it can carry": Plan(
        sizing=Sizing(SizingKind.EQUITY_RATIO, 0.4), exits=STOP, margin_short_ratio=0.5,
        direction=Direction.LONG,
    ),
    "kelly": Plan(sizing=Sizing(SizingKind.KELLY, 0.2, ratio_max=0.2), exits=STOP),
    "delays": Plan(reentry=Reentry(delay_bars=3, cooldown_bars=20), exits=STOP),
    "a day and week": Plan(reentry=Reentry(0, 0, 3, 9), direction=Direction.LONG, exits=STOP),
    "losses": Plan(reentry=Reentry(losses_in_a_row_max=2), exits=STOP),
    "in profit": Plan(exits=replace(STOP, only_in_profit=True), hours=Hours(bars_held_max=300)),
    "leverage": Plan(leverage=5.0, sizing=Sizing(SizingKind.EQUITY_RATIO, 0.1), exits=STOP),
    "the coin": Plan(market=Traded.SPOT, direction=Direction.LONG, exits=STOP),
    "verified": Plan(limit_verify_ticks=2, exits=replace(STOP, take_profit_ratio=0.03)),
}  # fmt: skip # one table


AT_CLOSES = "more than it can carry", "kelly", "a day and week", "in profit", "leverage"
RULES = dict(zip(SETTINGS, cycle(CloseRule)))


@pytest.mark.parametrize(
    ("name", "settles"), [*zip(SETTINGS, repeat(False)), *zip(AT_CLOSES, repeat(True))]
)
def test_grids_of_stacked_plans_with_any_setting_are_decided(
    name: str, settles: bool, klines: Klines
) -> None:
    plan = replace(SETTINGS[name], pyramiding=3, close_rule=RULES[name], process_on_close=settles)
    is_paid = plan.market is not Traded.SPOT
    funding = constant_funding(0.0001, 8, klines) if is_paid else None
    market = Market(klines, LEVERED, Costs(), funding, since_ms=int(klines.open_time_ms[500]))
    assert check(market, plan, GRID) == 1.0


@pytest.mark.parametrize("settles", [False, True], ids=["at opens", "at closes"])
@pytest.mark.parametrize("rule", [rule for rule in CloseRule if rule is not CloseRule.ANY])
def test_margin_calls_of_several_entries_are_followed(
    rule: CloseRule, settles: bool, klines: Klines
) -> None:
    sizing = Sizing(SizingKind.EQUITY_RATIO, 0.49)
    plan = Plan(
        sizing=sizing, pyramiding=3, close_rule=rule, exits=replace(STOP, stop_loss_ratio=0.05),
        process_on_close=settles,
    )  # fmt: skip # what it asks for, then how it ends
    funding = constant_funding(0.0001, 8, klines)
    market = Market(klines, INSTRUMENT, Costs(slippage_ticks=2), funding)
    trades = run_backtest(GRID[1], klines, INSTRUMENT, plan, market.costs, funding=funding).trades
    assert sum(trade.exit_name == MARGIN_CALL_NAME for trade in trades) > 5
    assert check(market, plan, GRID) == 1.0


OWN_GRIDS: list[SignalStrategy] = [
    GridTrading(range_multiple=reach, grids=grids, max_open=most, size_pct=size)
    for reach, grids in ((2.0, 5), (3.0, 10), (4.0, 10), (6.0, 5))
    for most, size in ((2, 2.0), (3, 5.0), (10, 1.0))
]


def test_orders_of_grids_are_stacked_under_plans_of_their_own(klines: Klines) -> None:
    funding = constant_funding(0.0001, 8, klines)
    market = Market(klines, INSTRUMENT, Costs(slippage_ticks=2), funding)
    assert check(market, Plan(), OWN_GRIDS) == 1.0


@dataclass(frozen=True)
class Once(SignalStrategy):
    """One entry."""

    bar: int = 4
    is_long: bool = True

    def signals(self, klines: Klines) -> Signals:
        """Return the wishes at each close [T]."""
        enters = np.arange(len(klines)) == self.bar
        never = np.zeros_like(enters)
        return Signals(enters & self.is_long, never, enters & (not self.is_long), never)


@dataclass(frozen=True)
class Twice(SignalStrategy):
    """An entry, and another that joins it at the open of bar 6."""

    is_long: bool = True

    def signals(self, klines: Klines) -> Signals:
        """Return the wishes at each close [T]."""
        bars = np.arange(len(klines))
        enters, never = (bars == 2) | (bars == 5), np.zeros(len(klines), np.bool_)
        return Signals(enters & self.is_long, never, enters & (not self.is_long), never)


@pytest.mark.parametrize("is_long", [True, False])
def test_an_open_that_is_the_worse_extreme_counts_where_its_bar_begins_with_it(
    is_long: bool,
) -> None:
    sign, path = 1.0 if is_long else -1.0, np.full((10, 4), 100.0)
    path[5] = 100.0, 105.0, 100.0, 105.0  # open, better, worse, close
    path[6:] = 105.0
    worth = 100.0 + sign * (path - 100.0)
    high, low = (worth[:, 1], worth[:, 2]) if is_long else (worth[:, 2], worth[:, 1])
    klines = Klines(
        "R/USDT:USDT", HOUR_MS, START_MS + HOUR_MS * np.arange(10), open=worth[:, 0],
        high=high, low=low, close=worth[:, 3], volume=np.ones(10),
    )  # fmt: skip # one list
    costs = Costs(commission=0.0, slippage_ticks=8)
    exits = Exits(take_profit_ratio=0.002)
    plan = Plan(sizing=Sizing(SizingKind.QTY, 1.0), pyramiding=2, exits=exits)
    market = Market(klines, INSTRUMENT, costs)
    assert check(market, plan, [Once(is_long=is_long)] * CHAINS_MIN) == 1.0


def test_prices_go_on_through_an_open_where_an_entry_finds_no_room() -> None:
    path = np.full((16, 4), 100.0)
    path[9, 2] = 80.0  # the low of the bar at whose open the third entry would fill
    klines = Klines(
        "R/USDT:USDT", HOUR_MS, START_MS + HOUR_MS * np.arange(16), open=path[:, 0],
        high=path[:, 1], low=path[:, 2], close=path[:, 3], volume=np.ones(16),
    )  # fmt: skip # one list
    plan = Plan(sizing=Sizing(SizingKind.QTY, 1.0), pyramiding=3, position_qty_max=2.0)
    market = Market(klines, INSTRUMENT, Costs())
    assert check(market, plan, [Often(3)] * CHAINS_MIN) == 1.0


@pytest.mark.parametrize("is_long", [True, False])
def test_a_liquidation_comes_before_the_entry_that_joins_at_its_open(is_long: bool) -> None:
    prices = np.full(16, 100.0)
    prices[6:] = 90.3 if is_long else 109.7  # beyond what 10 times of leverage bear
    klines = Klines(
        "R/USDT:USDT", HOUR_MS, START_MS + HOUR_MS * np.arange(16), open=prices,
        high=prices, low=prices, close=prices, volume=np.ones(16),
    )  # fmt: skip # one list
    plan = Plan(
        sizing=Sizing(SizingKind.QTY, 1.0), pyramiding=3, leverage=10.0,
        direction=Direction.LONG if is_long else Direction.SHORT,
    )  # fmt: skip # what it asks for, then on which side
    strategies: list[SignalStrategy] = [Twice(is_long=is_long)] * CHAINS_MIN
    result = run_backtest(strategies[0], klines, LEVERED, plan, Costs())
    assert result.trades[0].exit_name == "Liquidation"
    check(Market(klines, LEVERED, Costs()), plan, strategies)
