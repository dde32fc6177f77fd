"""Several entries whose levels count from one price equal the reference's runs in every figure.

Plans are those of `test_stacks_equal_reference`, but that stops and targets count from the average
or the last fill, and stand still; wishes of all kinds come from seeds. A set that is left to the
machine proves nothing of campaigns, so where none may be, that is asserted.
"""

from dataclasses import replace
from itertools import cycle
from unittest.mock import patch

import pytest
from hypothesis import strategies as st

from engines.backtest import run_backtest
from engines.costs import Costs
from engines.execution import MARGIN_CALL_NAME
from engines.funding import constant_funding
from engines.kernels.chains import runs as chains
from engines.kernels.pending import CHAINS_MIN
from engines.kernels.trials import Market
from engines.klines import Klines
from engines.plan import (
    Basis,
    CloseRule,
    Direction,
    Exits,
    Hours,
    LevelSource,
    MarginMode,
    Plan,
    Reentry,
    Sizing,
    SizingKind,
)
from engines.plan import Market as Traded
from tests.property import path_cases
from tests.property.path_cases import Case, PlainWishes, case_of, check, compared, markets
from tests.property.test_chains_equal_reference import COSTS, INSTRUMENT, LEVERED
from tests.property.test_stacks_equal_reference import GRID, stacked

EXAMPLES, EXAMPLES_LONG, STRATEGIES, SPAN = 30, 4_000, 12, 17
RATIOS = 0.001, 0.004, 0.01, 0.02, 0.05, 0.2
BASES = Basis.AVERAGE, Basis.AVERAGE, Basis.LAST


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Return strategies of random wishes on random bars, and a plan that campaigns follow."""
    seed, market = draw(markets())
    count, plan = draw(st.integers(CHAINS_MIN, STRATEGIES)), draw(stacked())
    stop = st.sampled_from(RATIOS)
    exits = Exits(
        stop_loss_ratio=draw(stop if plan.sizing.kind is SizingKind.RISK else st.none() | stop),
        take_profit_ratio=draw(st.none() | st.sampled_from(RATIOS)),
        basis=draw(st.sampled_from(BASES)),
        levels=draw(st.sampled_from(LevelSource)),
        only_in_profit=plan.exits.only_in_profit,
    )
    plan = replace(plan, exits=exits, process_on_close=False)
    return case_of(market, plan, [PlainWishes(seed + n, n % 5 == 1) for n in range(count)])


def check_case(case: Case) -> float | None:
    """Compare a case whose bars are more than one span."""
    with patch.object(chains, "SPAN", SPAN):
        return path_cases.check_case(case)


test_averages_equal_reference_on_random_sets = compared(cases(), EXAMPLES, check_case)
test_averages_equal_reference_on_many_random_sets = pytest.mark.long(
    compared(cases(), EXAMPLES_LONG, check_case)
)

AVERAGED = Exits(
    take_profit_ratio=0.008, stop_loss_ratio=0.03, basis=Basis.AVERAGE, levels=LevelSource.PLAN
)
LEVELS = {
    "stop and target": AVERAGED,
    "a target": replace(AVERAGED, stop_loss_ratio=None),
    "a stop from the last": replace(AVERAGED, take_profit_ratio=None, basis=Basis.LAST),
    "none": replace(AVERAGED, take_profit_ratio=None, stop_loss_ratio=None),
}


@pytest.mark.parametrize("rule", CloseRule)
@pytest.mark.parametrize(("name", "costs"), list(zip(LEVELS, cycle(COSTS.values()))), ids=LEVELS)
def test_grids_of_entries_from_one_price_are_decided(
    name: str, costs: Costs, rule: CloseRule, klines: Klines
) -> None:
    plan = Plan(pyramiding=4, close_rule=rule, exits=LEVELS[name])
    funding = constant_funding(0.0001, 8, klines)
    market = Market(klines, INSTRUMENT, costs, funding, since_ms=int(klines.open_time_ms[500]))
    assert check(market, plan, GRID) == 1.0


SETTINGS = {
    "risk": Plan(sizing=Sizing(SizingKind.RISK, 0.002)),
    "volatility": Plan(sizing=Sizing(SizingKind.VOLATILITY, 0.0005)),
    "kelly": Plan(sizing=Sizing(SizingKind.KELLY, 0.2, ratio_max=0.2)),
    "a quantity": Plan(sizing=Sizing(SizingKind.QTY, 0.01)),
    "cash": Plan(sizing=Sizing(SizingKind.CASH, 700.0), position_qty_max=0.03),
    "more than it can carry": Plan(
        sizing=Sizing(SizingKind.EQUITY_RATIO, 0.4), margin_short_ratio=0.5,
        direction=Direction.LONG, close_rule=CloseRule.ALL,
    ),
    "delays": Plan(reentry=Reentry(delay_bars=3, cooldown_bars=20)),
    "a day and week": Plan(reentry=Reentry(0, 0, 3, 9), direction=Direction.LONG),
    "losses": Plan(reentry=Reentry(losses_in_a_row_max=2)),
    "in profit": Plan(exits=replace(AVERAGED, only_in_profit=True), hours=Hours(bars_held_max=300)),
    "cross": Plan(leverage=5.0, margin_mode=MarginMode.CROSS),
    "isolated": Plan(leverage=5.0),
    "the coin": Plan(market=Traded.SPOT, direction=Direction.LONG),
    "verified": Plan(limit_verify_ticks=2),
}  # fmt: skip # one table
RULES = dict(zip(SETTINGS, cycle(CloseRule)))


@pytest.mark.parametrize("name", SETTINGS)
def test_grids_of_entries_from_one_price_with_any_setting_are_decided(
    name: str, klines: Klines
) -> None:
    own = SETTINGS[name]
    exits = replace(AVERAGED, only_in_profit=own.exits.only_in_profit)
    rule = own.close_rule if own.close_rule is CloseRule.ALL else RULES[name]
    plan = replace(own, pyramiding=3, close_rule=rule, exits=exits)
    is_paid = plan.market is not Traded.SPOT
    funding = constant_funding(0.0001, 8, klines) if is_paid else None
    market = Market(klines, LEVERED, Costs(), funding, since_ms=int(klines.open_time_ms[500]))
    assert check(market, plan, GRID) == 1.0


@pytest.mark.parametrize("rule", [CloseRule.FIFO, CloseRule.ALL])
def test_margin_calls_of_entries_from_one_price_are_followed(
    rule: CloseRule, klines: Klines
) -> None:
    sizing = Sizing(SizingKind.EQUITY_RATIO, 0.49)
    exits = replace(AVERAGED, stop_loss_ratio=0.05, take_profit_ratio=0.05)
    plan = Plan(sizing=sizing, pyramiding=3, close_rule=rule, exits=exits)
    funding = constant_funding(0.0001, 8, klines)
    market = Market(klines, INSTRUMENT, Costs(slippage_ticks=2), funding)
    trades = run_backtest(GRID[1], klines, INSTRUMENT, plan, market.costs, funding=funding).trades
    assert sum(trade.exit_name == MARGIN_CALL_NAME for trade in trades) > 5
    assert check(market, plan, GRID) > 0.5
