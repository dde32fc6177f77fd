"""A grid of strategies and plans on one market: what the benchmarks of plans run and how.

Everything a set costs is counted: indicators, signals, the run and the 24 figures. Runs are
repeated for `SECONDS`, for the first ones take the memory that later ones keep, caches warm, on
70,080 synthetic 15-minute bars (two years). One set of each case is shown equal to the reference
before.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from cluster.memory import keep_freed_memory
from cluster.tasks import threads_aside
from engines.backtest import run_backtest
from engines.costs import Costs
from engines.features.events import crossover, crossunder
from engines.features.oscillators import rsi
from engines.funding import constant_funding
from engines.instrument import Instrument
from engines.kernels.summary import SUMMARY
from engines.kernels.trials import Engine, Market, Trials
from engines.klines import MINUTE_MS, Klines
from engines.margin import MarginTier
from engines.plan import Plan
from engines.signals import Signals
from engines.synthetic import synthetic_klines
from strategies.base import SignalStrategy, parameter
from tests.property.test_summary_equals_measure import check_summary

BARS, THREADS = 70_080, 2
SECONDS = 1.5
LEVELS = 0.01, 0.03  # the nearest and the farthest


@dataclass(frozen=True)
class RsiReversion(SignalStrategy):
    """The index comes back from its outer bands."""

    period: int = parameter(14, low=2, high=50, step=1)
    band: float = parameter(30.0, low=5.0, high=45.0, step=1.0)

    def signals(self, klines: Klines) -> Signals:
        value = rsi(klines.close, self.period)
        never = np.zeros(len(klines), dtype=np.bool_)
        enters = crossover(value, self.band), crossunder(value, 100.0 - self.band)
        return Signals(enters[0], never, enters[1], never)


@dataclass(frozen=True)
class Case:
    """What is run: strategies, plans by a level of theirs, and how many plans at a time."""

    strategies: Sequence[SignalStrategy]
    plan: Callable[[float], Plan]
    count: int
    has_funding: bool = False

    def plans(self, count: int) -> list[Plan]:
        """Return so many plans whose levels lie evenly."""
        return [self.plan(level) for level in np.linspace(*LEVELS, count).tolist()]


@cache
def klines() -> Klines:
    """Return two years of seeded synthetic bars."""
    return synthetic_klines(BARS, 15 * MINUTE_MS, seed=7)


def market(has_funding: bool) -> Market:
    """Return the market that plans are run on."""
    tiers = (MarginTier(1e9, 0.005, leverage_max=100.0),)
    instrument = Instrument("SYNTHETIC", tick_size=0.1, qty_step=0.001, margin_tiers=tiers)
    funding = constant_funding(0.0001, 8, klines()) if has_funding else None
    return Market(klines(), instrument, Costs(), funding)


def run_and_print(name: str, case: Case, count: int) -> float:
    """Run so many plans of a case, compare a set with the reference, and print what sets take.

    Returns: microseconds of processor time a set.
    """
    strategies, plans = case.strategies, case.plans(count)
    where = market(case.has_funding)
    keep_freed_memory()  # as a worker does
    aside = threads_aside(THREADS)
    found = Trials(where, plans, THREADS, aside=aside).run(strategies)
    assert found.errors == {}
    result = run_backtest(
        strategies[7], where.klines, where.instrument, plans[-1], where.costs, funding=where.funding
    )
    check_summary(found.values[7, -1], result)
    walls, cpus = list[float](), list[float]()
    while sum(walls) < SECONDS:
        trials = Trials(where, plans, THREADS, aside=aside)  # which remembers no signals yet
        wall, cpu = time.perf_counter(), time.process_time()
        trials.run(strategies)
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    sets, trades = len(strategies) * len(plans), found.values[..., SUMMARY.index("trades")].mean()
    cpu, engine = min(cpus) / sets, found.engine[7, -1]
    print(
        f"{name:40} {sets:6,} sets, {sets / min(walls):8,.0f} a second, {cpu * 1e6:6,.0f} us of "
        f"CPU a set, {trades:,.0f} trades, {cpu / trades * 1e9:,.0f} ns each, "
        f"{Engine(int(engine)).name.lower()} {(found.engine == engine).mean():.1%}"
    )
    return cpu * 1e6
