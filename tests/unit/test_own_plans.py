"""Strategies that make plans of their own are sorted together, and each keeps what is its own."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from engines.backtest import run_backtest
from engines.costs import Costs
from engines.errors import PlanFault
from engines.instrument import Instrument
from engines.kernels import sorting
from engines.kernels.chains.lists import ChainRuns
from engines.kernels.groups import Sorted
from engines.kernels.trials import Engine, Market, Trials
from engines.klines import MINUTE_MS
from engines.plan import Exits, Hours, Plan, PositionMode
from engines.synthetic import synthetic_klines
from strategies.ema_crossover import EmaCrossover
from tests.property.test_summary_equals_measure import check_summary

PLANS = (
    Plan(),
    Plan(exits=Exits(stop_loss_ratio=0.01)),
    Plan(position_mode=PositionMode.HEDGE),
    Plan(position_qty_max=1e15),  # too many steps for the kernel
)


@dataclass(frozen=True)
class Stubborn(EmaCrossover):
    """Makes plans with as many entries as it says, and none of a hedge where that is one."""

    entries: int = 1

    def plan(self, plan: Plan) -> Plan:
        if self.entries == 1 and plan.position_mode is PositionMode.HEDGE:
            raise PlanFault("position_mode", "net", "hedge")
        return plan if self.entries == 2 else replace(plan, pyramiding=self.entries)


@pytest.fixture(scope="module")
def market() -> Market:
    klines = synthetic_klines(1_500, 15 * MINUTE_MS, seed=5)
    return Market(klines, Instrument("T", tick_size=0.1, qty_step=0.001), Costs())


STRATEGIES = [
    Stubborn(fast=5, slow=20, entries=3),
    Stubborn(fast=8, slow=20, entries=1),
    Stubborn(fast=9, slow=30, entries=3),
    Stubborn(fast=5, slow=20, entries=2),  # leaves plans as they are
    EmaCrossover(fast=5, slow=20),
    Stubborn(fast=10, slow=40, entries=4),
    Stubborn(fast=12, slow=40, entries=1),
]


@pytest.mark.parametrize("at_once", [1, 8, 128])
def test_each_set_has_its_own_summary_however_many_are_sorted_together(
    market: Market, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(sorting, "OWN_MAX", at_once)
    found = Trials(market, PLANS, threads=1).run(STRATEGIES)
    costs, instrument, klines = market.costs, market.instrument, market.klines
    for row, strategy in enumerate(STRATEGIES):
        for column, plan in enumerate(PLANS):
            if (row, column) in found.errors:
                assert "position_mode" in found.errors[row, column]
                continue
            result = run_backtest(strategy, klines, instrument, plan, costs)
            check_summary(found.values[row, column], result)
    assert sorted(found.errors) == [(1, 2), (6, 2)]
    assert (found.engine[:, 3] == Engine.REFERENCE).all()
    assert (found.engine[:, 0] != Engine.REFERENCE).all()


def test_some_sets_of_own_plans_are_what_they_are_among_all(market: Market) -> None:
    trials = Trials(market, PLANS, threads=1)
    whole = trials.run(STRATEGIES)
    columns = [np.array([row % 2, 2 + row % 2]) for row in range(len(STRATEGIES))]
    some = trials.run_some(STRATEGIES, columns)
    wanted = np.concatenate([whole.values[row, own] for row, own in enumerate(columns)])
    np.testing.assert_allclose(some.values, wanted, rtol=1e-12, equal_nan=True)
    assert len(some.errors) == sum(2 in columns[row] for row in (1, 6))


def test_equal_plans_of_several_strategies_are_sorted_once(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = list[int]()
    trials = Trials(market, PLANS[:1], threads=1)
    sort = trials._groups.sort

    def counted(plans: dict[int, Plan]) -> Sorted:
        sizes.append(len(plans))
        return sort(plans)

    monkeypatch.setattr(trials._groups, "sort", counted)
    trials.run([Stubborn(fast=fast, slow=40, entries=3 + fast % 2) for fast in range(5, 15)])
    assert sizes == [2], "ten strategies make two plans, which are sorted at once"


@dataclass(frozen=True)
class Stopped(EmaCrossover):
    """Makes plans with a stop of its own, so that no other strategy shares them."""

    def plan(self, plan: Plan) -> Plan:
        return replace(plan, exits=Exits(stop_loss_ratio=0.001 * self.fast + 0.0001 * self.slow))


def test_lists_of_plans_that_nobody_else_comes_for_are_not_kept(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_night = Plan(hours=Hours(no_trade_hours=(9, 10, 11)))  # which shares no columns with others
    strategies = [Stopped(fast=fast, slow=slow) for fast in range(4, 12) for slow in range(16, 24)]
    wanted = Trials(market, [Plan(), at_night], threads=1).run(strategies)
    filling, add = list[int](), ChainRuns.add

    def added(runs: ChainRuns, *rest: Any) -> bool:
        is_listed = add(runs, *rest)
        filling.append(len(runs._filling))
        return is_listed

    monkeypatch.setattr(ChainRuns, "add", added)
    monkeypatch.setattr(sorting, "OWN_MAX", 8)  # plans, of four strategies
    found = Trials(market, [Plan(), at_night], threads=1).run(strategies)
    assert len(filling) == 2 * len(strategies)
    assert max(filling) == 2, "a list for each of the two kinds of plans, those of four strategies"
    np.testing.assert_array_equal(found.values, wanted.values)
    np.testing.assert_array_equal(found.engine, wanted.engine)
