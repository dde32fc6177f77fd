"""Many strategies under plans of several entries that wait at a price equal the reference's runs.

Plans are those of `test_stacks_equal_reference` with the limits and stops of
`test_waits_equal_reference` as entries. A set that is left to the machine proves nothing of stacks,
so where nothing may be left to it, that is asserted.
"""

from dataclasses import replace
from itertools import cycle, islice, product

import numpy as np
import pytest
from hypothesis import strategies as st

from engines.backtest import run_backtest
from engines.costs import Costs
from engines.execution import MARGIN_CALL_NAME
from engines.funding import constant_funding
from engines.instrument import Instrument
from engines.kernels.pending import CHAINS_MIN
from engines.kernels.trials import Market
from engines.klines import HOUR_MS, Klines
from engines.plan import (
    CloseRule,
    Direction,
    EntryKind,
    EntryTerms,
    Exits,
    LevelSource,
    MarginMode,
    Plan,
    Sizing,
    SizingKind,
)
from engines.plan import Market as Traded
from strategies.base import SignalStrategy
from tests.property.path_cases import Case, PlainWishes, case_of, check, compared, markets
from tests.property.test_chains_equal_reference import COSTS, INSTRUMENT, LEVERED, MOVING
from tests.property.test_plans_hold import START_MS
from tests.property.test_stacks_equal_reference import (
    GRID,
    RULES,
    SETTINGS,
    STOP,
    Often,
    check_case,
    stacked,
)
from tests.property.test_waits_equal_reference import terms

EXAMPLES, EXAMPLES_LONG, STRATEGIES = 60, 4_000, 12
ENTRIES = EntryTerms(EntryKind.LIMIT, 0.001, 5), EntryTerms(EntryKind.STOP, 0.001, 5)
BOTH = pytest.mark.parametrize("entry", ENTRIES, ids=("limit", "stop"))


@st.composite
def awaited(draw: st.DrawFn) -> Plan:
    """Return a plan of entries that wait, of which some take one at a time."""
    plan = draw(stacked())
    own, room = replace(plan.exits, levels=LevelSource.PLAN), draw(st.sampled_from((1, 0, 0, 0)))
    return replace(
        plan, entry=draw(terms()), exits=own, process_on_close=False,
        pyramiding=room or plan.pyramiding,
    )  # fmt: skip # one plan


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Return strategies of random wishes on random bars, and a plan that stacks follow."""
    seed, market = draw(markets())
    count, plan = draw(st.integers(CHAINS_MIN, STRATEGIES)), draw(awaited())
    return case_of(market, plan, [PlainWishes(seed + n) for n in range(count)])


test_awaited_stacks_equal_reference_on_random_sets = compared(cases(), EXAMPLES, check_case)
test_awaited_stacks_equal_reference_on_many_random_sets = pytest.mark.long(
    compared(cases(), EXAMPLES_LONG, check_case)
)


@pytest.mark.parametrize(
    ("name", "rule", "entry", "costs"),
    [
        (*own, entry, costs)
        for own, entry, costs in zip(
            product(MOVING, CloseRule), cycle(ENTRIES), cycle(COSTS.values()), strict=False
        )
    ],
)
def test_grids_of_stacked_orders_are_decided(
    name: str, rule: CloseRule, entry: EntryTerms, costs: Costs, klines: Klines
) -> None:
    exits = replace(MOVING[name], levels=LevelSource.PLAN)
    plan = Plan(pyramiding=3, close_rule=rule, exits=exits, entry=entry)
    funding = constant_funding(0.0001, 8, klines)
    market = Market(klines, INSTRUMENT, costs, funding, since_ms=int(klines.open_time_ms[500]))
    # Where levels move, what an entry that slips saw in its bar may not be known to the last tick.
    assert check(market, plan, GRID) >= (1.0 if entry.kind is EntryKind.LIMIT else 0.5)


@BOTH
@pytest.mark.parametrize("name", SETTINGS)
def test_grids_of_stacked_orders_with_any_setting_are_decided(
    name: str, entry: EntryTerms, klines: Klines
) -> None:
    rule = RULES[name] if name != "volatility without levels" else CloseRule.FIFO
    plan = replace(SETTINGS[name], pyramiding=3, close_rule=rule, entry=entry)
    funding = None if plan.market is Traded.SPOT else constant_funding(0.0001, 8, klines)
    market = Market(klines, LEVERED, Costs(), funding, since_ms=int(klines.open_time_ms[500]))
    assert check(market, plan, GRID) == 1.0


@BOTH
@pytest.mark.parametrize("rule", [rule for rule in CloseRule if rule is not CloseRule.ANY])
def test_margin_calls_of_several_orders_are_followed(
    rule: CloseRule, entry: EntryTerms, klines: Klines
) -> None:
    plan = Plan(
        sizing=Sizing(SizingKind.EQUITY_RATIO, 0.49), pyramiding=3, close_rule=rule,
        exits=replace(STOP, stop_loss_ratio=0.05), entry=entry,
    )  # fmt: skip # what it asks for, then how it ends
    funding = constant_funding(0.0001, 8, klines)
    market = Market(klines, INSTRUMENT, Costs(slippage_ticks=2), funding)
    trades = run_backtest(GRID[1], klines, INSTRUMENT, plan, market.costs, funding=funding).trades
    assert sum(trade.exit_name == MARGIN_CALL_NAME for trade in trades) > 5
    assert check(market, plan, GRID) == 1.0


@BOTH
@pytest.mark.parametrize("mode", MarginMode)
def test_stacked_orders_with_leverage_are_decided(
    entry: EntryTerms, mode: MarginMode, klines: Klines
) -> None:
    exits = Exits(stop_loss_ratio=0.04, take_profit_ratio=0.03, levels=LevelSource.PLAN)
    sizing = Sizing(SizingKind.EQUITY_RATIO, 0.1)
    plan = Plan(
        entry=entry, exits=exits, sizing=sizing, leverage=5.0, margin_mode=mode, pyramiding=3
    )
    assert check(Market(klines, LEVERED, Costs()), plan, GRID) == 1.0


@BOTH
def test_stacks_of_one_direction_are_closed_by_orders_of_the_other(
    entry: EntryTerms, klines: Klines
) -> None:
    exits = Exits(levels=LevelSource.PLAN)
    plan = Plan(entry=entry, exits=exits, direction=Direction.SHORT, pyramiding=3)
    assert check(Market(klines, INSTRUMENT, Costs()), plan, GRID) == 1.0


TICK = Instrument("R/USDT:USDT", tick_size=0.01, qty_step=0.001, margin_tiers=LEVERED.margin_tiers)
# The last bars of a market at 100, of which a wish every three bars makes entries: open, high, low
# and close, as a long position sees them. Orders of 1 % lie at 99 or 101.
WAYS = {
    "met and left in one bar": [(100.0, 100.5, 95.0, 96.0)],
    "met on the first part, left on the second": [(100.0, 101.2, 98.5, 100.0)],
    "both at one price": [(100.0, 100.1, 98.99, 99.0), (99.5, 100.0, 97.0, 97.5)],
    "met where the other side is": [(100.0, 101.0, 99.0, 100.0), (100.0, 102.0, 98.0, 99.0)],
    "passed by the open": [(98.0, 98.5, 97.0, 98.2), (102.0, 103.0, 101.5, 102.0)],
    "passed with the levels": [(94.0, 96.0, 93.0, 95.0), (106.0, 107.0, 105.0, 106.0)],
    "an open that is the worse extreme": [(100.0, 104.0, 100.0, 101.0), (101.0, 101.2, 98.5, 99.5)],
    "a whole way": [(100.0, 103.5, 96.5, 103.4), (103.0, 103.5, 96.0, 97.0)],
}  # fmt: skip # one table


@BOTH
@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("is_long", [True, False], ids=("long", "short"))
def test_what_one_bar_meets_comes_in_its_order(name: str, is_long: bool, entry: EntryTerms) -> None:
    sign, path = 1.0 if is_long else -1.0, np.full((40, 4), 100.0)
    path[4::5] = list(islice(cycle(WAYS[name]), len(path[4::5])))
    worth = 100.0 + sign * (path - 100.0)
    high, low = (worth[:, 1], worth[:, 2]) if is_long else (worth[:, 2], worth[:, 1])
    klines = Klines(
        "R/USDT:USDT", HOUR_MS, START_MS + HOUR_MS * np.arange(40), open=worth[:, 0],
        high=high, low=low, close=worth[:, 3], volume=np.ones(40),
    )  # fmt: skip # one list
    strategies: list[SignalStrategy] = [
        Often(every, leaves) for every in (1, 2, 3, 5) for leaves in (False, True)
    ]
    accounts = (0.3, 1.0), (0.99, 1.0), (0.5, 10.0)
    for rule, ticks, stop, account in product(CloseRule, (0, 30), (0.005, 0.02), accounts):
        share, leverage = account
        plan = Plan(
            entry=EntryTerms(entry.kind, 0.01, 3), pyramiding=3, close_rule=rule,
            exits=Exits(stop_loss_ratio=stop, take_profit_ratio=0.02),
            sizing=Sizing(SizingKind.EQUITY_RATIO, share), leverage=leverage,
        )  # fmt: skip # how it enters, then how it leaves
        check(Market(klines, TICK, Costs(slippage_ticks=ticks)), plan, strategies)
