"""How fast features are beside TA-Lib, on two years of 1-minute bars, and banks of 64 periods.

TA-Lib runs in an environment of its own, before and after ours. What counts is the processor time
of one thread, the least of several runs, so that work beside it disturbs less. Each value is shown
equal, apart from the start: TA-Lib's ATR leaves out the first bar, and its deviation cancels
digits. Its SMA is a plain running sum; ours keeps TradingView's compensated one, so it has no
target of its own. All rows of a bank are kept, as a sweep keeps them. A bank runs on all cores, so
its time is that of the clock, and work beside it disturbs; its processor time on one thread is
printed beside, and its time with fresh memory, which TA-Lib always takes.
"""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

from engines.features import banks
from engines.features.channels import bollinger
from engines.features.moving_averages import ema, sma
from engines.features.oscillators import rsi
from engines.features.volatility import atr
from engines.klines import MINUTE_MS, Klines
from engines.synthetic import synthetic_klines
from engines.types import F64_2D
from tests.bench.environments import CannotInstall, Environment, environment, write_columns

pytestmark = pytest.mark.bench

BARS = 1_051_200
TALIB = ("TA-Lib==0.8.2", "numpy")
PERIODS = {"ema": 20, "rsi": 14, "atr": 14, "sma": 20, "bollinger": 20}
BANK_PERIODS = list(range(5, 69))
ROWS = len(BANK_PERIODS)
SETTLED = 2_000  # bars after which a different start is forgotten
TARGETS = {"ema": 0.9, "rsi": 0.9, "atr": 0.9, "bollinger": 0.9}
BANK_TARGET = 4.0
BANK_BARS = [70_080, BARS]


@pytest.fixture(scope="module")
def klines() -> Klines:
    """Return two years of seeded synthetic 1-minute bars."""
    return synthetic_klines(BARS, MINUTE_MS, seed=7)


def test_features_beside_talib(klines: Klines, tmp_path: Path) -> None:
    write_columns(tmp_path, klines)
    theirs = Theirs(tmp_path / "talib", tmp_path)
    theirs.measure()
    ours = features_of(klines)
    found = {name: least_seconds(partial(ours[name], PERIODS[name]), 40) for name in ours}
    found_banks = {
        (name, bars): bank_ms(name, klines.between(0, bars)) for bars in BANK_BARS for name in BANKS
    }
    theirs.measure()
    print(f"\n{theirs.words}\n{BARS:,} bars, one feature")
    for name, seconds in found.items():
        show(f"{name} {PERIODS[name]}", seconds * 1000, theirs.ms.get(name), TARGETS.get(name))
        if name in theirs.ms:
            assert_equal_once_settled(name, ours[name](PERIODS[name]), tmp_path)
    for bars in BANK_BARS:
        print(f"{bars:,} bars, a row of {ROWS} periods, {numba.get_num_threads()} threads")
        for name in BANKS:
            found_ms = found_banks[name, bars]
            theirs_ms = theirs.bank_ms.get(f"{name} {bars}")
            show(name, found_ms[0], theirs_ms and theirs_ms / ROWS, BANK_TARGET)
            fresh, one, singly = found_ms[1:]
            print(
                f"{'':16} in fresh memory {fresh:.3f} ms, processor time on one thread {one:.3f}, "
                f"our features one by one {singly:.3f}"
            )


def features_of(klines: Klines) -> dict[str, Callable[[int], Any]]:
    """Return our features of the bars, each by its period."""
    high, low, close = klines.high, klines.low, klines.close
    return {
        "ema": lambda period: ema(close, period),
        "rsi": lambda period: rsi(close, period),
        "atr": lambda period: atr(high, low, close, period),
        "sma": lambda period: sma(close, period),
        "bollinger": lambda period: bollinger(close, period),
    }


BANKS: dict[str, Callable[[Klines, F64_2D | None], object]] = {
    "ema": lambda k, out: banks.ema_bank(k.close, BANK_PERIODS, out),
    "rsi": lambda k, out: banks.rsi_bank(k.close, BANK_PERIODS, out),
    "atr": lambda k, out: banks.atr_bank(k.high, k.low, k.close, BANK_PERIODS, out),
}


def bank_ms(name: str, klines: Klines) -> list[float]:
    """Return the milliseconds a row: of a bank, in fresh memory, on one thread, of features."""
    work, bank = features_of(klines)[name], BANKS[name]
    out = np.empty((ROWS, len(klines)))
    threads = numba.get_num_threads()
    seconds = [
        least_seconds(lambda: bank(klines, out), 5, time.perf_counter),
        least_seconds(lambda: bank(klines, None), 5, time.perf_counter),
    ]
    numba.set_num_threads(1)
    seconds.append(least_seconds(lambda: bank(klines, out), 5))
    numba.set_num_threads(threads)
    seconds.append(least_seconds(lambda: [work(period) for period in BANK_PERIODS], 3))
    return [one / ROWS * 1000 for one in seconds]


class Theirs:
    """The best times of TA-Lib, or the reason why there are none."""

    def __init__(self, home: Path, folder: Path) -> None:
        self.ms: dict[str, float] = {}
        self.bank_ms: dict[str, float] = {}
        self._request = {
            "folder": str(folder),
            "periods": PERIODS,
            "banks": list(BANKS),
            "bank_bars": BANK_BARS,
            "bank_periods": BANK_PERIODS,
        }
        self._environment: Environment | None = None
        try:
            self._environment = environment(home, *TALIB)
            self.words = f"beside {TALIB[0]}"
        except CannotInstall as failure:
            self.words = f"TA-Lib is not measured: {failure}"

    def measure(self) -> None:
        """Measure once more and keep what was shorter."""
        if self._environment is None:
            return
        answer = self._environment.ask("talib_worker.py", self._request)
        for kept, found in ((self.ms, answer["ms"]), (self.bank_ms, answer["bank_ms"])):
            for name, ms in found.items():
                kept[name] = min(ms, kept.get(name, ms))


def least_seconds(
    work: Callable[[], object], repeats: int, clock: Callable[[], float] = time.process_time
) -> float:
    """Return the least time of several runs after one that warms up, the processor's by default."""
    work()
    seconds = []
    for _ in range(repeats):
        start = clock()
        work()
        seconds.append(clock() - start)
    return min(seconds)


def show(label: str, ours_ms: float, theirs_ms: float | None, target: float | None) -> None:
    """Print one line: with TA-Lib's time, and the verdict, where there is one."""
    line = f"{label:16} ours {ours_ms:7.3f} ms"
    if theirs_ms is not None:
        ratio = theirs_ms / ours_ms
        line += f"   TA-Lib {theirs_ms:7.3f} ms   {ratio:5.2f} of its speed"
        if target is not None:
            line += f", {'met' if ratio >= target else 'missed'}"
    print(line)


def assert_equal_once_settled(name: str, ours: Any, folder: Path) -> None:
    theirs = np.load(folder / f"talib_{name}.npy")
    columns = np.array(ours)
    if name == "bollinger":
        columns = columns[[1, 0, 2]]  # theirs are upper, middle, lower
    np.testing.assert_allclose(columns[..., SETTLED:], theirs[..., SETTLED:], rtol=1e-6)
