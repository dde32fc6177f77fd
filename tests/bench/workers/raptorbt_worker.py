"""Trade an EMA cross in raptorbt, long only: it holds one direction a run."""

import json
import resource
import sys
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

BARS_A_YEAR = 365 * 96


def main() -> None:
    """Answer the request on stdin."""
    asked = json.load(sys.stdin)
    folder = Path(asked["folder"])
    names = ("open_time_ms", "open", "high", "low", "close", "volume", "enters", "exits")
    columns = {name: np.load(folder / f"{name}.npy") for name in names}
    answer = {"one": one_run, "sweep": sweep}[asked["work"]](asked, columns)
    answer["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(answer))


def one_run(asked: dict[str, Any], columns: dict[str, Any]) -> dict[str, Any]:
    """Return the trades of the given signals, and the time with its own averages and metrics."""
    import raptorbt

    times, bars = bars_of(columns)
    close, settings = columns["close"], config(asked, None, None)

    def run(enters: Any, exits: Any) -> Any:
        return raptorbt.run_single_backtest(times, *bars, enters, exits, config=settings)

    def whole() -> dict[str, Any]:
        fast, slow = (raptorbt.ema(close, period) for period in asked["periods"])
        above = fast > slow
        enters, exits = np.zeros_like(above), np.zeros_like(above)
        enters[1:], exits[1:] = above[1:] & ~above[:-1], ~above[1:] & above[:-1]
        figures: dict[str, Any] = run(enters, exits).metrics.to_dict()
        return figures

    trades = run(columns["enters"], columns["exits"]).trades()
    fields = ("entry_idx", "exit_idx", "entry_price", "exit_price")
    return {
        "trades": [[getattr(trade, field) for field in fields] for trade in trades],
        "figures": len(whole()),
        "seconds": best_seconds(whole, asked["repeats"]),
    }


def sweep(asked: dict[str, Any], columns: dict[str, Any]) -> dict[str, Any]:
    """Return the time of every stop with every target, on all cores, all metrics read."""
    import raptorbt

    times, bars = bars_of(columns)
    signals = columns["enters"], columns["exits"]
    items = [
        raptorbt.BatchSingleItem(f"{stop} {target}", *signals, config=config(asked, stop, target))
        for stop, target in product(asked["stops"], asked["targets"])
    ]
    start = time.perf_counter()
    found = raptorbt.batch_single_backtest(times, *bars, items, config(asked, None, None))
    trades = [result.metrics.to_dict()["Total Trades"] for _, result in found]
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "sets": len(items), "trades_mean": float(np.mean(trades))}


def config(asked: dict[str, Any], stop: float | None, target: float | None) -> Any:
    """Return its settings: fills at the next open, commission, perhaps a stop and a target."""
    import raptorbt

    settings = raptorbt.BacktestConfig(
        initial_capital=asked["capital"],
        fees=asked["commission"],
        fill_timing="next_bar_open",
        periods_per_year=float(BARS_A_YEAR),
    )
    if stop is not None and target is not None:
        settings.set_fixed_stop(stop)
        settings.set_fixed_target(target)
    return settings


def bars_of(columns: dict[str, Any]) -> tuple[Any, list[Any]]:
    """Return the times in its unit, and the other columns of the bars in its order."""
    names = ("open", "high", "low", "close", "volume")
    return columns["open_time_ms"] * 1_000_000, [columns[name] for name in names]


def best_seconds(work: Callable[[], object], repeats: int) -> float:
    """Return the shortest of several runs."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


if __name__ == "__main__":
    main()
