"""Trade an EMA cross in vectorbt, both ways, one market order a cross."""

import json
import resource
import sys
import time
import warnings
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np


def main() -> None:
    """Answer the request on stdin."""
    warnings.simplefilter("ignore")  # its own deprecations would drown the answer
    asked = json.load(sys.stdin)
    folder = Path(asked["folder"])
    names = ("open_time_ms", "open", "high", "low", "close", "enters", "exits")
    columns = {name: np.load(folder / f"{name}.npy") for name in names}
    answer = {"one": one_run, "sweep": sweep}[asked["work"]](asked, columns)
    answer["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(answer))


def one_run(asked: dict[str, Any], columns: dict[str, Any]) -> dict[str, Any]:
    """Return the trades of the given signals, and the time with its own averages and metrics."""
    import vectorbt as vbt

    close = priced(columns)["close"]

    def whole() -> Any:
        fast, slow = (vbt.MA.run(close, period, ewm=True) for period in asked["periods"])
        enters, exits = fast.ma_crossed_above(slow), fast.ma_crossed_below(slow)
        return portfolio(asked, columns, enters.to_numpy(), exits.to_numpy()).stats()

    records = portfolio(asked, columns, columns["enters"], columns["exits"]).trades.records
    fields = ["entry_idx", "exit_idx", "entry_price", "exit_price", "pnl"]
    figures = len(whole())
    return {
        "trades": records[fields].to_numpy().tolist(),
        "figures": figures,
        "seconds": best_seconds(whole, asked["repeats"]),
    }


def sweep(asked: dict[str, Any], columns: dict[str, Any]) -> dict[str, Any]:
    """Return the time of every stop with every target, without and with its metrics."""
    grid = np.array(list(product(asked["stops"], asked["targets"])))

    def run(sets: Any) -> Any:
        found = portfolio(asked, columns, columns["enters"], columns["exits"], sets)
        found.total_return()
        return found

    run(grid[:2]).stats(agg_func=None)  # compiles
    start = time.perf_counter()
    found = run(grid)
    bare = time.perf_counter() - start
    figures = found.stats(agg_func=None)
    seconds = time.perf_counter() - start
    trades = float(figures["Total Trades"].mean())
    return {"seconds": seconds, "bare_seconds": bare, "sets": len(grid), "trades_mean": trades}


def portfolio(
    asked: dict[str, Any], columns: dict[str, Any], enters: Any, exits: Any, sets: Any = None
) -> Any:
    """Return its run of the signals, filled at the next open, with perhaps a column a set."""
    import vectorbt as vbt

    levels = {} if sets is None else {"sl_stop": sets[None, :, 0], "tp_stop": sets[None, :, 1]}
    return vbt.Portfolio.from_signals(
        **priced(columns),
        entries=one_later(enters),
        short_entries=one_later(exits),
        upon_opposite_entry="Reverse",
        size=asked["qty"],
        fees=asked["commission"],
        init_cash=asked["capital"],
        freq="15min",
        **levels,
    )


def priced(columns: dict[str, Any]) -> dict[str, Any]:
    """Return the bars as its arguments; market orders fill at the open."""
    import pandas as pd

    index = pd.to_datetime(columns["open_time_ms"], unit="ms")
    names = ("open", "high", "low", "close")
    bars = {name: pd.DataFrame({"price": columns[name]}, index) for name in names}
    return {**bars, "price": bars["open"]}


def one_later(signals: Any) -> Any:
    """Return the signals a bar later [T, 1]: what is known at a close is traded at the open."""
    moved = np.zeros((len(signals), 1), dtype=np.bool_)
    moved[1:, 0] = np.ravel(signals)[:-1]
    return moved


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
