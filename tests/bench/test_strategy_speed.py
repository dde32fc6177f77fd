"""How fast each built-in strategy goes from bars to figures: signals, backtest and all metrics.

Two years of seeded synthetic 15-minute bars, Numba's cache warm, the best of several runs in this
process; each part is timed alone too, so that a slow one is seen where it is. The target is
300,000 bars a second for the whole.
"""

import pytest

from engines.backtest import run_backtest
from engines.costs import Costs
from engines.instrument import Instrument
from engines.klines import MINUTE_MS, Klines
from engines.metrics.measure import measure
from engines.metrics.table import METRICS
from engines.plan import Plan
from engines.synthetic import synthetic_klines
from strategies.base import OrderStrategy, SignalStrategy
from strategies.registry import REGISTRY
from tests.bench.test_broker_speed import best_seconds

pytestmark = pytest.mark.bench

BARS = 70_080
INSTRUMENT = Instrument("SYNTHETIC", tick_size=0.1, qty_step=0.001)
PLAN, COSTS = Plan(capital_quote=100_000.0), Costs()
HEADER = (
    f"\n{'strategy':22} {'signals':>9} {'backtest':>9} {'metrics':>9} {'all':>9} {'bars/s':>11}"
    f" {'trades':>7}  target"
)
TARGET_BARS_PER_S = 300_000


@pytest.fixture(scope="module")
def klines() -> Klines:
    """Return two years of seeded synthetic bars, and print the head of the table."""
    print(HEADER)
    return synthetic_klines(BARS, 15 * MINUTE_MS, seed=7)


@pytest.mark.parametrize("id", REGISTRY)
def test_speed_of_a_strategy_with_all_metrics(id: str, klines: Klines) -> None:
    strategy = REGISTRY[id].load()()
    assert isinstance(strategy, SignalStrategy | OrderStrategy)
    result = run_backtest(strategy, klines, INSTRUMENT, PLAN, COSTS)
    assert len(measure(result)) == len(METRICS)
    if isinstance(strategy, SignalStrategy):
        signals = best_seconds(lambda: strategy.signals(klines))
    else:
        signals = best_seconds(lambda: strategy.features(klines))
    run = best_seconds(lambda: run_backtest(strategy, klines, INSTRUMENT, PLAN, COSTS), 5)
    metrics = best_seconds(lambda: measure(result), 5)
    rate = BARS / (run + metrics)
    verdict = "met" if rate >= TARGET_BARS_PER_S else "missed"
    parts = (signals, run - signals, metrics, run + metrics)
    print(
        f"{id:22}",
        *(f"{seconds * 1000:6.1f} ms" for seconds in parts),
        f"{rate:11,.0f} {len(result.trades):7,}  {verdict}",
    )
    assert len(result.equity_quote) == BARS
