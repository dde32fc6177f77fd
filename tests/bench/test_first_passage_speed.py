"""How fast sets of stops and targets run by first passage, beside the machine in the same run.

Wishes and bars are those of `test_kernel_speed`: 70,080 synthetic 15-minute bars. Sets run in
process on all threads; the shortest of some runs counts, the time of the process beside that of the
clock, because only the first tells what a busy machine could do.
"""

import time
from itertools import product

import numba
import numpy as np
import pytest

from engines.costs import Costs
from engines.kernels.cpu import run_many
from engines.kernels.groups import Groups, Market
from engines.kernels.summary import FIGURES, SUMMARY
from engines.kernels.trials import Engine, Trials
from engines.kernels.wants import wants_of
from engines.klines import MINUTE_MS, Klines
from engines.plan import Exits, LevelSource, Plan
from engines.rules.columns import RuleColumns
from engines.signals import Signals
from engines.synthetic import synthetic_klines
from strategies.base import SignalStrategy
from strategies.rsi_mean_reversion import RsiMeanReversion
from tests.bench.test_kernel_speed import BARS, INSTRUMENT, EmaCross, sparse

pytestmark = pytest.mark.bench

REPEATS, SAMPLE = 5, 16
MINUTE_BARS = 15 * BARS  # two years of one-minute bars


class Sparse(SignalStrategy):
    """An entry every 400 bars."""

    def signals(self, klines: Klines) -> Signals:
        """Return the wishes at each close [T]."""
        return sparse(len(klines))


STRATEGIES = {"ema_cross": EmaCross, "rsi_mean_reversion": RsiMeanReversion, "sparse": Sparse}


@pytest.fixture(scope="module")
def market() -> Market:
    """Return two years of seeded synthetic bars."""
    return Market(synthetic_klines(BARS, 15 * MINUTE_MS, seed=7), INSTRUMENT, Costs())


def plans_of(stops: int, targets: int) -> list[Plan]:
    """Return a grid of the plan's own stops and targets."""
    return [
        Plan(exits=Exits(stop_loss_ratio=stop, take_profit_ratio=target, levels=LevelSource.PLAN))
        for stop, target in product(
            np.linspace(0.005, 0.05, stops).tolist(), np.linspace(0.005, 0.08, targets).tolist()
        )
    ]


@pytest.mark.parametrize(("stops", "targets"), [(100, 100), (20, 20)])
@pytest.mark.parametrize("name", STRATEGIES)
def test_sets_by_first_passage_beside_the_machine(
    name: str, stops: int, targets: int, market: Market
) -> None:
    strategy, plans = STRATEGIES[name](), plans_of(stops, targets)
    trials = Trials(market, plans, threads=numba.get_num_threads())
    found = trials.run([strategy])
    assert (found.engine == Engine.FIRST_PASSAGE).all()
    clock, cpu = [], []
    for _ in range(REPEATS):
        start = time.perf_counter(), time.process_time()
        trials.run([strategy])
        clock.append(time.perf_counter() - start[0])
        cpu.append(time.process_time() - start[1])
    trades = float(found.values[0, :, SUMMARY.index("trades")].sum())
    machine = seconds_a_set_of_the_machine(strategy, plans, market, found.values[0])
    print(
        f"{name:20} {len(plans):6,} sets: {len(plans) / min(clock):10,.0f} sets/s, "
        f"{min(cpu) / trades * 1e9:5.1f} ns of CPU a trade and set, {trades / len(plans):6,.0f} "
        f"trades a set; the machine {1 / machine:8,.0f} sets/s"
    )


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_bar_of_a_million_beside_one_of_seventy_thousand(name: str) -> None:
    """No commission: at one minute it would ruin every account of the dense ones."""
    plans, costs = plans_of(100, 100), Costs(commission=0.0)
    for bars, minutes in ((BARS, 15), (MINUTE_BARS, 1)):
        klines = synthetic_klines(bars, minutes * MINUTE_MS, seed=7)
        trials = Trials(Market(klines, INSTRUMENT, costs), plans, threads=numba.get_num_threads())
        found = trials.run([STRATEGIES[name]()])
        assert (found.engine == Engine.FIRST_PASSAGE).all()
        clock, cpu = [], []
        for _ in range(REPEATS):
            start = time.perf_counter(), time.process_time()
            trials.run([STRATEGIES[name]()])
            clock.append(time.perf_counter() - start[0])
            cpu.append(time.process_time() - start[1])
        trades = found.values[0, :, SUMMARY.index("trades")].mean()
        print(
            f"{name:20} {bars:9,} bars: {len(plans) / min(clock):8,.0f} sets/s, "
            f"{min(cpu) / len(plans) / bars * 1e9:6.3f} ns of CPU a bar and set, "
            f"{min(cpu) / len(plans) / trades * 1e9:5.1f} a trade, {trades:,.0f} trades a set"
        )


def seconds_a_set_of_the_machine(
    strategy: SignalStrategy, plans: list[Plan], market: Market, values: np.ndarray
) -> float:
    """Run some of the sets by the machine, show them equal and return the time for one."""
    places = np.random.default_rng(0).choice(len(plans), SAMPLE, replace=False)
    groups = Groups(market)
    (group,) = groups.sort({int(place): plans[place] for place in places}).groups
    signals = strategy.signals(market.klines)
    wants = wants_of(
        Signals(signals.entry_long, signals.exit_long, signals.entry_short, signals.exit_short),
        RuleColumns(),
    )
    figures = np.empty((SAMPLE, FIGURES + 1))
    run_many(groups.bars, wants, group.charges, group.terms, figures)
    start = time.perf_counter()
    run_many(groups.bars, wants, group.charges, group.terms, figures)
    seconds = time.perf_counter() - start
    np.testing.assert_allclose(figures[:, :FIGURES], values[places], rtol=1e-9, atol=1e-9)
    counts = SUMMARY.index("trades")
    assert figures[:, counts].tolist() == values[places, counts].tolist()
    return seconds / SAMPLE
