"""Trade an EMA cross in phalanx: the one worker that imports ours, to be measured as the others."""

import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from cluster.memory import keep_freed_memory
from engines.costs import Costs
from engines.features.events import crossover, crossunder
from engines.features.moving_averages import ema
from engines.instrument import Instrument
from engines.kernels.backtest import run_by_kernel
from engines.kernels.outcome import Outcome
from engines.kernels.summary import SUMMARY
from engines.kernels.trials import Engine, Market, Trials
from engines.klines import Klines
from engines.metrics.measure import measure
from engines.plan import Exits, Plan, Sizing
from engines.signals import Signals
from strategies.base import SignalStrategy

INSTRUMENT = Instrument("SYNTHETIC", tick_size=0.1, qty_step=0.001)


@dataclass(frozen=True)
class EmaCross(SignalStrategy):
    """Two averages: always in the market, or long only."""

    fast: int = 9
    slow: int = 21
    both_ways: bool = True

    def signals(self, klines: Klines) -> Signals:
        """Return the crossings of the averages [T]."""
        fast, slow = ema(klines.close, self.fast), ema(klines.close, self.slow)
        over, under = crossover(fast, slow), crossunder(fast, slow)
        never = np.zeros(len(klines), dtype=np.bool_)
        if self.both_ways:
            return Signals(over, never, under, never)
        return Signals(over, under, never, never)


def main() -> None:
    """Answer the request on stdin."""
    keep_freed_memory()  # as our own workers do
    asked = json.load(sys.stdin)
    folder = Path(asked["folder"])
    names = ("open_time_ms", "open", "high", "low", "close", "volume")
    klines = Klines(
        "SYNTHETIC", asked["interval_ms"], *(np.load(folder / f"{name}.npy") for name in names)
    )
    costs = Costs(commission=asked["commission"])
    answer = {"one": one_run, "sweep": sweep}[asked["work"]](asked, klines, costs)
    answer["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(answer))


def plan_of(asked: dict[str, Any], exits: Exits) -> Plan:
    """Return a plan with a fixed quantity."""
    return Plan(capital_quote=asked["capital"], sizing=Sizing(value=asked["qty"]), exits=exits)


def one_run(asked: dict[str, Any], klines: Klines, costs: Costs) -> dict[str, Any]:
    """Return the trades, and the times to 24 figures, to columns, to all metrics."""
    plan, fields = plan_of(asked, Exits()), ("entry_bar", "exit_bar", "entry_price", "exit_price")
    rows = {}
    fast, slow = asked["periods"]
    for both_ways in (True, False):
        strategy = EmaCross(fast, slow, both_ways)
        found = run_by_kernel(strategy, klines, INSTRUMENT, plan, costs).backtest()
        closed = [trade for trade in found.trades if not trade.is_open]
        rows[both_ways] = [
            [*(getattr(trade, field) for field in fields), trade.pnl_quote] for trade in closed
        ]
    strategy = EmaCross(fast, slow)
    trials = Trials(Market(klines, INSTRUMENT, costs), [plan], asked["threads"])
    return {
        "trades": rows[True],
        "long_trades": rows[False],
        "figures": len(SUMMARY),
        "seconds": best_seconds(lambda: trials.run([strategy]), asked["repeats"]),
        "columns_seconds": best_seconds(
            lambda: columns_of(run_by_kernel(strategy, klines, INSTRUMENT, plan, costs)),
            asked["repeats"],
        ),
        "whole_seconds": best_seconds(
            lambda: measure(run_by_kernel(strategy, klines, INSTRUMENT, plan, costs)),
            asked["repeats"],
        ),
    }


def columns_of(outcome: Outcome) -> tuple[object, ...]:
    """Return all that a run gives without an object a trade."""
    return outcome.summary, outcome.trades, outcome.equity_quote


def sweep(asked: dict[str, Any], klines: Klines, costs: Costs) -> dict[str, Any]:
    """Return the time of every stop with every target, signals included."""
    plans = [
        plan_of(asked, Exits(stop_loss_ratio=stop, take_profit_ratio=target))
        for stop, target in product(asked["stops"], asked["targets"])
    ]
    market, strategy = Market(klines, INSTRUMENT, costs), EmaCross(*asked["periods"])
    Trials(market, plans[:2], asked["threads"]).run([strategy])  # loads what is compiled
    start = time.perf_counter()
    found = Trials(market, plans, asked["threads"]).run([strategy])
    seconds = time.perf_counter() - start
    assert not found.errors, dict(found.errors)
    engines = [Engine(code).name.lower() for code in np.unique(found.engine)]
    trades = float(found.values[..., SUMMARY.index("trades")].mean())
    return {"seconds": seconds, "sets": len(plans), "trades_mean": trades, "engines": engines}


def best_seconds(work: Callable[[], object], repeats: int) -> float:
    """Return the shortest of several runs."""
    work()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


if __name__ == "__main__":
    main()
