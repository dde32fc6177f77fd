"""How fast `Trials` is where strategies are many: a grid of signals, and plans that share nothing.

Everything a set costs is counted: indicators, signals, the run and the 24 figures. The best of
several runs in this process, caches warm, on 70,080 synthetic 15-minute bars (two years).
"""

import time
from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest

from cluster.memory import keep_freed_memory
from cluster.tasks import threads_aside
from engines.backtest import run_backtest
from engines.costs import Costs
from engines.features.events import crossover, crossunder
from engines.features.moving_averages import ema
from engines.instrument import Instrument
from engines.kernels.groups import Groups
from engines.kernels.summary import SUMMARY
from engines.kernels.trials import Engine, Market, Trials
from engines.klines import MINUTE_MS, Klines
from engines.metrics.measure import measure
from engines.plan import Exits, Plan, Trailing
from engines.signals import Signals
from engines.synthetic import synthetic_klines
from strategies.base import SignalStrategy, parameter

pytestmark = pytest.mark.bench

BARS, THREADS, REPEATS = 70_080, 2, 3
SECONDS = 1.5  # for which runs are repeated: the first ones take the memory that later ones keep
# 1,280 sets of averages that are near each other, and 10,240 whose slow ones go far out.
GRIDS = (range(5, 21), range(25, 105)), (range(5, 37), range(40, 360))
PLANS = {"reversal": Plan(), "trailing": Plan(exits=Exits(trailing=Trailing(0.01, 0.01)))}


@dataclass(frozen=True)
class EmaCross(SignalStrategy):
    """Two averages, always in the market."""

    fast: int = parameter(9, low=2, high=50, step=1)
    slow: int = parameter(21, low=3, high=400, step=1)

    def signals(self, klines: Klines) -> Signals:
        fast, slow = ema(klines.close, self.fast), ema(klines.close, self.slow)
        never = np.zeros(len(klines), dtype=np.bool_)
        return Signals(crossover(fast, slow), never, crossunder(fast, slow), never)


@pytest.fixture(scope="module")
def market() -> Market:
    """Return two years of seeded synthetic bars."""
    klines = synthetic_klines(BARS, 15 * MINUTE_MS, seed=7)
    return Market(klines, Instrument("SYNTHETIC", tick_size=0.1, qty_step=0.001), Costs())


@pytest.mark.parametrize("periods", GRIDS, ids=("near", "far"))
@pytest.mark.parametrize(("name", "plan"), PLANS.items(), ids=PLANS)
def test_a_grid_of_signals_with_one_plan(
    name: str, plan: Plan, periods: tuple[range, range], market: Market
) -> None:
    keep_freed_memory()  # as a worker does
    aside = threads_aside(THREADS)
    grid = [EmaCross(fast, slow) for fast, slow in product(*periods)]
    found = Trials(market, [plan], THREADS, aside=aside).run(grid)
    assert found.errors == {}
    result = run_backtest(grid[7], market.klines, market.instrument, plan, market.costs)
    figures = measure(result)
    wanted = [figures[name] for name in SUMMARY]
    np.testing.assert_allclose(found.values[7, 0], wanted, rtol=1e-9, atol=1e-9)
    walls, cpus = list[float](), list[float]()
    while sum(walls) < SECONDS:
        trials = Trials(market, [plan], THREADS, aside=aside)  # which remembers no signals yet
        wall, cpu = time.perf_counter(), time.process_time()
        trials.run(grid)
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    trades = found.values[:, 0, SUMMARY.index("trades")].mean()
    engine = Engine(int(found.engine[7, 0])).name.lower()
    print(
        f"EMA fast x slow, {name:9} {len(grid):6,} sets {len(grid) / min(walls):8,.0f} sets/s, "
        f"{min(cpus) / len(grid) * 1e6:6,.0f} us of CPU a set, {trades:,.0f} trades, "
        f"{min(cpus) / len(grid) / trades * 1e9:,.0f} ns a trade, {engine}"
    )


def test_preparing_many_plans(market: Market) -> None:
    ratios = np.linspace(0.001, 0.05, 50).tolist()
    plans = [
        Plan(exits=Exits(stop_loss_ratio=stop, take_profit_ratio=profit))
        for stop, profit in product(ratios, ratios)
    ]
    seconds = []
    for _ in range(REPEATS):
        groups = Groups(market)
        start = time.perf_counter()
        found = groups.sort(dict(enumerate(plans)))
        seconds.append(time.perf_counter() - start)
    print(f"{len(plans):,} plans made ready in {min(seconds) / len(plans) * 1e6:.0f} us each")
    assert [len(group.places) for group in found.groups] == [len(plans)]
