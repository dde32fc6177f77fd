"""Time TA-Lib on the bars of a folder: single features, and one feature for many periods."""

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np


def main() -> None:
    """Answer the request on stdin: least milliseconds by feature, values left in the folder."""
    import talib

    asked = json.load(sys.stdin)
    folder = Path(asked["folder"])
    high, low, close = (np.load(folder / f"{name}.npy") for name in ("high", "low", "close"))
    features: dict[str, Callable[[int], Any]] = {
        "ema": lambda period: talib.EMA(close, period),
        "rsi": lambda period: talib.RSI(close, period),
        "atr": lambda period: talib.ATR(high, low, close, period),
        "sma": lambda period: talib.SMA(close, period),
        "bollinger": lambda period: talib.BBANDS(close, period),
    }
    answer: dict[str, Any] = {"version": talib.__version__, "ms": {}, "bank_ms": {}}
    for name, period in asked["periods"].items():
        work = features[name]
        answer["ms"][name] = best_ms(partial(work, period), 40)
        np.save(folder / f"talib_{name}.npy", np.array(work(period)))
    whole = high, low, close
    for bars in asked["bank_bars"]:
        high, low, close = (column[:bars] for column in whole)  # what the features look at
        for name in asked["banks"]:
            work = features[name]
            answer["bank_ms"][f"{name} {bars}"] = best_ms(
                partial(all_of, work, asked["bank_periods"]), 3
            )
    print(json.dumps(answer))


def all_of(work: Callable[[int], Any], periods: list[int]) -> list[Any]:
    """Return one feature for many periods, all kept."""
    return [work(period) for period in periods]


def best_ms(work: Callable[[], object], repeats: int) -> float:
    """Return the least processor time of several runs after one that warms up, in milliseconds."""
    work()
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds) * 1000.0


if __name__ == "__main__":
    main()
