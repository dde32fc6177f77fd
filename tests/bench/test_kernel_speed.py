"""How fast the kernel is beside the reference: one run, the built-in strategies, many sets.

Every figure is the best of several runs in this process, on 70,080 synthetic 15-minute bars (two
years), Numba's cache warm. Each result is shown equal to the reference's first.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest

from cluster.memory import keep_freed_memory
from engines.backtest import run_backtest
from engines.costs import Costs
from engines.features.events import crossover, crossunder
from engines.features.moving_averages import ema
from engines.instrument import Instrument
from engines.kernels.backtest import run_by_kernel
from engines.kernels.cpu import bars_of, run_many
from engines.kernels.plan_terms import terms_row
from engines.kernels.summary import FIGURES, SUMMARY
from engines.kernels.wants import charges_of, wants_of
from engines.klines import MINUTE_MS, Klines
from engines.metrics.measure import measure
from engines.plan import Exits, Plan, Trailing
from engines.rules.columns import RuleColumns
from engines.signals import Signals
from engines.synthetic import synthetic_klines
from strategies.base import SignalStrategy
from strategies.registry import REGISTRY
from strategies.rsi_mean_reversion import RsiMeanReversion

pytestmark = pytest.mark.bench

BARS = 70_080
NOT_RUN = ("channel_breakout",)  # orders of its own
INSTRUMENT = Instrument("SYNTHETIC", tick_size=0.1, qty_step=0.001)
PLANS = {
    "reversal": Plan(),
    "stop 2 %": Plan(exits=Exits(stop_loss_ratio=0.02)),
    "stop 1 %, target 2 %": Plan(exits=Exits(stop_loss_ratio=0.01, take_profit_ratio=0.02)),
    "trailing": Plan(exits=Exits(trailing=Trailing(0.005, 0.01))),
}


@dataclass(frozen=True)
class EmaCross(SignalStrategy):
    """Two averages, always in the market."""

    def signals(self, klines: Klines) -> Signals:
        fast, slow = ema(klines.close, 9), ema(klines.close, 21)
        never = np.zeros(len(klines), dtype=np.bool_)
        return Signals(crossover(fast, slow), never, crossunder(fast, slow), never)


@pytest.fixture(scope="module")
def klines() -> Klines:
    """Return two years of seeded synthetic bars; the process keeps memory as a worker does."""
    keep_freed_memory()
    return synthetic_klines(BARS, 15 * MINUTE_MS, seed=7)


def best_seconds(work: Callable[[], object], repeats: int = 15) -> float:
    """Return the shortest of several runs."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


@pytest.mark.parametrize(("name", "plan"), PLANS.items(), ids=PLANS)
def test_one_run_of_an_ema_cross(name: str, plan: Plan, klines: Klines) -> None:
    strategy, costs = EmaCross(), Costs()
    arguments = strategy, klines, INSTRUMENT, plan, costs

    def columns() -> object:
        found = run_by_kernel(*arguments)
        return found.summary, found.trades, found.equity_quote

    ours, theirs = run_by_kernel(*arguments).backtest(), run_backtest(*arguments)
    assert ours.trades == theirs.trades
    np.testing.assert_array_equal(ours.equity_quote, theirs.equity_quote)
    one = best_seconds(columns, 100)
    whole = best_seconds(lambda: run_by_kernel(*arguments).backtest())
    reference = best_seconds(lambda: run_backtest(*arguments), 3)
    print(
        f"EMA 9/21, {name:22} bars to trades as columns, equity and figures {one * 1000:6.2f} ms, "
        f"as a Backtest {whole * 1000:6.2f} ms, reference {reference * 1000:6.1f} ms, "
        f"{len(ours.trades)} trades"
    )


@pytest.mark.parametrize("name", [name for name in REGISTRY if name not in NOT_RUN])
def test_built_in_strategies_with_their_metrics(name: str, klines: Klines) -> None:
    strategy = REGISTRY[name].load()()
    assert isinstance(strategy, SignalStrategy)
    plan = Plan(exits=Exits(stop_loss_ratio=0.02))
    arguments = strategy, klines, INSTRUMENT, plan, Costs()
    result = run_by_kernel(*arguments).backtest()
    assert result.trades == run_backtest(*arguments).trades
    signals = best_seconds(lambda: strategy.signals(klines), 5)
    run = best_seconds(lambda: run_by_kernel(*arguments).backtest(), 5)
    metrics = best_seconds(lambda: measure(result), 3)
    print(
        f"{name:22} signals {signals * 1000:6.1f} ms, run with them {run * 1000:6.1f} ms, "
        f"metrics {metrics * 1000:6.1f} ms, together {BARS / (run + metrics):10,.0f} bars/s, "
        f"{len(result.trades)} trades"
    )


@pytest.mark.parametrize("name", ["ema_cross", "rsi_mean_reversion", "sparse"])
def test_many_sets_of_stops_and_targets(name: str, klines: Klines) -> None:
    costs = Costs()
    if name == "sparse":
        signals = sparse(len(klines))
    else:
        strategy = EmaCross() if name == "ema_cross" else RsiMeanReversion()
        signals = strategy.signals(klines)
    wants = wants_of(signals, RuleColumns())
    bars, charges = bars_of(klines), charges_of(costs, klines, INSTRUMENT, None)
    terms = np.array(
        [
            terms_row(
                Plan(exits=Exits(stop_loss_ratio=stop, take_profit_ratio=profit)),
                costs,
                INSTRUMENT,
            )
            for stop, profit in product(
                np.linspace(0.005, 0.05, 20).tolist(), np.linspace(0.005, 0.08, 20).tolist()
            )
        ]
    )
    found = np.empty((len(terms), FIGURES + 1))
    seconds = best_seconds(lambda: run_many(bars, wants, charges, terms, found), 3)
    trades = found[:, SUMMARY.index("trades")].mean()
    print(f"{name:22} {len(terms) / seconds:10,.0f} sets/s, {trades:,.0f} trades a set")
    assert trades > 0


def sparse(bars: int) -> Signals:
    """Return wishes that come every 400 bars."""
    never = np.zeros(bars, dtype=np.bool_)
    enters = never.copy()
    enters[100::400] = True
    return Signals(enters, never, never, never)
