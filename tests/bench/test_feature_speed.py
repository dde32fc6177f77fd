"""How fast features are beside TA-Lib, on two years of 1-minute bars, and banks of 64 periods.

TA-Lib runs in an environment of its own, before and after ours. What counts is the processor time
of one thread, the least of several runs, so that work beside it disturbs less. Each value is shown
equal, apart from the start: TA-Lib's ATR leaves out the first bar, and its deviation cancels
digits. Its SMA is a plain running sum; ours keeps TradingView's compensated one, so it has no
target of its own. All rows of a bank are kept, as a sweep keeps them, so fresh memory is part of
both; what it alone costs is printed beside.
"""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines.features import banks
from engines.features.channels import bollinger
from engines.features.moving_averages import ema, sma
from engines.features.oscillators import rsi
from engines.features.volatility import atr
from engines.klines import MINUTE_MS, Klines
from engines.synthetic import synthetic_klines
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
        fresh = least_seconds(partial(np.full, (ROWS, bars), 1.0), 3) / ROWS
        print(f"{bars:,} bars, a row of {ROWS} periods; its memory alone {fresh * 1000:.2f} ms")
        for name in BANKS:
            bank, singly = found_banks[name, bars]
            theirs_ms = theirs.bank_ms.get(f"{name} {bars}")
            show(name, bank, theirs_ms and theirs_ms / ROWS, BANK_TARGET)
            print(f"{'':16} ours one by one {singly:6.2f} ms")


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


BANKS: dict[str, Callable[[Klines], object]] = {
    "ema": lambda k: banks.ema_bank(k.close, BANK_PERIODS),
    "rsi": lambda k: banks.rsi_bank(k.close, BANK_PERIODS),
    "atr": lambda k: banks.atr_bank(k.high, k.low, k.close, BANK_PERIODS),
}


def bank_ms(name: str, klines: Klines) -> tuple[float, float]:
    """Return the milliseconds a row of a bank, and of its features one by one."""
    work = features_of(klines)[name]
    bank = least_seconds(lambda: BANKS[name](klines), 3)
    singly = least_seconds(lambda: [work(period) for period in BANK_PERIODS], 3)
    return bank / ROWS * 1000, singly / ROWS * 1000


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


def least_seconds(work: Callable[[], object], repeats: int) -> float:
    """Return the least processor time of several runs after one that warms up."""
    work()
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
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
