"""Where an account has nothing left, or next to nothing to trade at: what every engine makes of it.

Bars of an hour, without commission. Lanes bound what an account may need from above, so a set that
comes to such a place has to be left to an engine that decides it exactly.
"""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from engines.backtest import run_backtest
from engines.costs import Costs
from engines.instrument import Instrument
from engines.kernels.backtest import run_by_kernel
from engines.kernels.pending import CHAINS_MIN
from engines.kernels.summary import SUMMARY
from engines.kernels.trials import Market, Trials
from engines.klines import Klines
from engines.metrics.measure import measure
from engines.plan import Breakeven, Exits, LevelSource, Plan, Sizing, SizingKind, Target
from engines.signals import Signals
from engines.trades import ExitReason
from strategies.base import SignalStrategy, parameter
from tests.property.test_kernel_equals_reference import assert_equal
from tests.unit.market import Bar, klines_of, still

INSTRUMENT = Instrument("T", tick_size=0.1, qty_step=0.001)
BARE = Exits(levels=LevelSource.PLAN)
IN_PARTS = Exits(targets=(Target(0.5, 0.5), Target(0.6, 0.5)), levels=LevelSource.PLAN)


@dataclass(frozen=True)
class Twice(SignalStrategy):
    """Two positions on one side, one after the other."""

    number: int = parameter(0, low=0, high=1000, step=1)
    is_short: bool = parameter(False)

    def signals(self, klines: Klines) -> Signals:
        never = np.zeros(len(klines), dtype=np.bool_)
        enters, leaves = never.copy(), never.copy()
        enters[[0, 6]], leaves[[2, 9]] = True, True
        if self.is_short:
            return Signals(never, never, enters, leaves)
        return Signals(enters, leaves, never, never)


def assert_all_equal(
    klines: Klines, plans: list[Plan], costs: Costs, is_short: bool = False
) -> int:
    """Compare many sets and one run with the reference by the first plan; return its trades."""
    market = Market(klines, INSTRUMENT, costs)
    strategies = [Twice(number, is_short) for number in range(CHAINS_MIN)]
    theirs = run_backtest(strategies[0], klines, INSTRUMENT, plans[0], costs)
    figures = measure(theirs)
    found = Trials(market, plans, 1).run(strategies)
    assert found.errors == {}
    wanted = np.tile([figures[name] for name in SUMMARY], (CHAINS_MIN, 1))
    np.testing.assert_allclose(found.values[:, 0], wanted, rtol=1e-12, atol=1e-12)
    ours = run_by_kernel(strategies[0], klines, INSTRUMENT, plans[0], costs)
    assert_equal(ours, theirs)
    return len(theirs.trades)


@pytest.mark.parametrize("exits", [BARE, IN_PARTS], ids=["whole", "in parts"])
@pytest.mark.parametrize("pyramiding", [1, 3])
def test_an_account_of_exactly_nothing_enters_nothing_even_without_margin(
    exits: Exits, pyramiding: int
) -> None:
    # 100 bought at 100 and sold at 90 take all of 1,000.
    bars: list[Bar] = [still(100.0)] * 3 + [still(90.0)] * 9
    plan = Plan(
        capital_quote=1000.0, sizing=Sizing(SizingKind.QTY, 100.0), margin_long_ratio=0.0,
        margin_short_ratio=0.0, exits=exits, pyramiding=pyramiding,
    )  # fmt: skip # one plan
    assert assert_all_equal(klines_of(bars), [plan], Costs(commission=0.0)) == 1


@pytest.mark.parametrize("ticks", [1, 2, 3, 4])
def test_a_short_that_would_slip_to_nothing_is_sized_at_one_tick(ticks: int) -> None:
    plan = Plan(capital_quote=1000.0, sizing=Sizing(SizingKind.EQUITY_RATIO, 0.1))
    costs = Costs(commission=0.0, slippage_ticks=ticks)
    klines = klines_of([still(0.3)] * 12)
    assert assert_all_equal(klines, [plan], costs, is_short=True) > 0


@pytest.mark.parametrize(
    "exits",
    [
        Exits(take_profit_ratio=0.01, levels=LevelSource.PLAN),
        Exits(take_profit_ratio=0.01, breakeven=Breakeven(0.005, 0.0), levels=LevelSource.PLAN),
        Exits(targets=(Target(0.01, 0.5), Target(0.02, 0.5)), levels=LevelSource.PLAN),
    ],
    ids=["still", "moving", "in parts"],
)
@pytest.mark.parametrize("plans", [1, 70])
@pytest.mark.parametrize("pyramiding", [1, 2])
def test_a_margin_call_at_the_open_of_the_entry_is_not_missed(
    exits: Exits, plans: int, pyramiding: int
) -> None:
    # 190 sold at 5.2, one of 0.1 less than the open: the account of 1,003 must cover 190 x 5.3.
    bars: list[Bar] = [still(5.3), (5.3, 5.6, 5.0, 5.1), *[still(5.1)] * 10]
    costs, sizing = Costs(commission=0.0, slippage_ticks=1), Sizing(SizingKind.EQUITY_RATIO, 1.0)
    several = [
        Plan(
            capital_quote=1003.0, sizing=sizing, pyramiding=pyramiding,
            exits=replace(exits, stop_loss_ratio=0.1 + 0.001 * number),
        )
        for number in range(plans)
    ]  # fmt: skip # one plan
    klines = klines_of(bars)
    theirs = run_backtest(Twice(0, True), klines, INSTRUMENT, several[0], costs)
    assert any(trade.exit_reason is ExitReason.MARGIN_CALL for trade in theirs.trades)
    assert_all_equal(klines, several, costs, is_short=True)
