"""How fast the reference engine and the command line are, beside what a user would pick instead.

Every figure is the best of several runs in this process, on 70,080 synthetic 15-minute bars (two
years), Numba's cache warm. The named alternatives run on the same bars in the same session: a bare
Python loop with a stop and a target as the floor that pure Python sets, and PyneCore.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engines.backtest import run_backtest
from engines.costs import Costs
from engines.instrument import Instrument
from engines.klines import MINUTE_MS, Klines
from engines.plan import Exits, Plan
from engines.synthetic import synthetic_klines
from engines.wishes import Tradable, makes_signals
from strategies.channel_breakout import ChannelBreakout
from strategies.ema_crossover import EmaCrossover
from tests.bench.strategies import EmaCrossOnBar, RsiReversion

pytestmark = pytest.mark.bench

BARS = 70_080
ROOT = Path(__file__).resolve().parents[2]
INSTRUMENT = Instrument("SYNTHETIC", tick_size=0.1, qty_step=0.001)
PYNE_SCRIPT = '''"""@pyne"""
from pynecore.lib import close, script, strategy, ta

@script.strategy("cross", overlay=True, initial_capital=10000)
def main():
    fast = ta.ema(close, 9)
    slow = ta.ema(close, 21)
    if ta.crossover(fast, slow):
        strategy.entry("long", strategy.long, qty=0.01)
    if ta.crossunder(fast, slow):
        strategy.entry("short", strategy.short, qty=0.01)
'''


@pytest.fixture(scope="module")
def klines() -> Klines:
    """Return two years of seeded synthetic bars."""
    return synthetic_klines(BARS, 15 * MINUTE_MS, seed=7)


def best_seconds(work: Callable[[], object], repeats: int = 7) -> float:
    """Return the shortest of several runs."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def show(name: str, seconds: float, note: str = "") -> None:
    """Print one line of the table."""
    print(f"{name:44} {seconds * 1000:8.1f} ms {BARS / seconds:12,.0f} bars/s  {note}")


def bare_loop(klines: Klines) -> float:
    """Trade a stop and a target in the barest Python: the floor of the language."""
    highs, lows, closes = klines.high.tolist(), klines.low.tolist(), klines.close.tolist()
    cash = stop = target = entry = 0.0
    is_long = False
    for bar, (high, low, close) in enumerate(zip(highs, lows, closes, strict=True)):
        if is_long and (low <= stop or high >= target):
            cash += (stop if low <= stop else target) - entry
            is_long = False
        elif not is_long and bar % 29 == 0:
            is_long, entry, stop, target = True, close, close * 0.99, close * 1.02
    return cash


@pytest.mark.parametrize(
    ("name", "strategy"),
    [
        ("signals: ema_crossover (ATR stop and target)", EmaCrossover()),
        ("signals: RSI 14 leaves 30/70, stop 2 %", RsiReversion()),
        ("on_bar: EMA 9/21 cross, reversal", EmaCrossOnBar()),
        ("on_bar: channel_breakout, 2 stops a bar", ChannelBreakout()),
    ],
)
def test_reference_engine_speed(name: str, strategy: Tradable, klines: Klines) -> None:
    # The plan's stop is for signals; an order strategy says its own.
    plan = Plan(exits=Exits(stop_loss_ratio=0.02)) if makes_signals(strategy) else Plan()
    result = run_backtest(strategy, klines, INSTRUMENT, plan, Costs())
    seconds = best_seconds(lambda: run_backtest(strategy, klines, INSTRUMENT, plan, Costs()))
    show(name, seconds, f"{len(result.trades)} trades")
    assert len(result.equity_quote) == BARS


def test_bare_python_loop_is_the_floor(klines: Klines) -> None:
    show("floor: bare Python loop, stop and target", best_seconds(lambda: bare_loop(klines)))
    assert np.isfinite(bare_loop(klines))


def test_pynecore_on_the_same_bars(klines: Klines) -> None:
    rows = np.column_stack(
        [
            klines.open_time_ms / 1000,
            klines.open,
            klines.high,
            klines.low,
            klines.close,
            klines.volume,
        ]
    ).tolist()
    request = {
        "scripts": {"cross": PYNE_SCRIPT},
        "markets": {"bench": rows},
        "runs": [{"script": "cross", "market": "bench", "settings": {}}],
    }
    worker = ROOT / "tests" / "parity" / "pyne_worker.py"
    seconds = []
    for bars in (1000, BARS):
        request["markets"] = {"bench": rows[:bars]}
        start = time.perf_counter()
        run = subprocess.run(
            [sys.executable, str(worker)],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            check=True,
        )
        seconds.append(time.perf_counter() - start)
    # The difference leaves out the interpreter's start and the loading of PyneCore.
    per_bar = (seconds[1] - seconds[0]) / (BARS - 1000)
    show("PyneCore: EMA 9/21 cross, reversal", per_bar * BARS, "start-up left out")
    assert json.loads(run.stdout)[0]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("phalanx --help", ["--help"]),
        ("phalanx backtest ema_crossover, cold process", ["backtest", "ema_crossover", "--json"]),
    ],
)
def test_command_line_speed(name: str, words: list[str], klines: Klines, tmp_path: Path) -> None:
    if words[0] == "backtest":
        path = tmp_path / "bars.csv"
        columns = [klines.open_time_ms, klines.open, klines.high, klines.low, klines.close]
        np.savetxt(
            path,
            np.column_stack([*columns, klines.volume]),
            fmt=["%d", "%.1f", "%.1f", "%.1f", "%.1f", "%.3f"],
            delimiter=",",
            header="open_time_ms,open,high,low,close,volume",
            comments="",
        )
        words = [*words, "--bars", str(path), "--symbol", "SYNTHETIC"]
    command = [str(Path(sys.executable).with_name("phalanx")), *words]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = best_seconds(lambda: subprocess.run(command, capture_output=True, check=True), 5)
    print(f"{name:44} {seconds:8.2f} s")
    assert run.stdout
