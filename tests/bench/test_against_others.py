"""An EMA cross beside what a user would pick instead: vectorbt and raptorbt.

The same synthetic bars (two years of 15 minutes), the same work from bars to figures: averages,
crossings, trades with commission, metrics. Every package runs in a process and an environment of
its own (`environments`), one after another on the same machine, warm, the best of several runs; so
does ours. Results are shown equal first, on the crossings of our averages, as far as they mean the
same:

- vectorbt, both ways, a fixed quantity: every trade's bars, prices and result.
- raptorbt holds one direction a run and sizes by a share of equity where it fills: long only, every
  trade's bars and prices. Half the trades, so half the work of both ways.

With their own averages vectorbt's first trades differ (its EMA starts at the first value, not at
the SMA). Stops and targets differ in what happens inside a bar that reaches both, in gaps and in
rounding to ticks, so the sweeps are the same work, not the same trades.

A sweep is 10,000 sets of a stop and a target for us. The others are given fewer, and their time
for 10,000 is what that many would take at the same pace.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines.features.events import crossover, crossunder
from engines.features.moving_averages import ema
from engines.klines import MINUTE_MS, Klines
from engines.synthetic import synthetic_klines
from tests.bench.environments import OURS, CannotInstall, Environment, environment, write_columns

pytestmark = pytest.mark.bench

BARS = 70_080
FAST, SLOW = 9, 21
SETS = 10_000
OTHERS = {"vectorbt": ("vectorbt==1.2.0",), "raptorbt": ("raptorbt==0.13.4", "numpy")}
GRID_SIDES = {"phalanx": 100, "vectorbt": 10, "raptorbt": 20}


@pytest.fixture(scope="module")
def klines() -> Klines:
    """Return two years of seeded synthetic bars."""
    return synthetic_klines(BARS, 15 * MINUTE_MS, seed=7)


@pytest.fixture(scope="module")
def folder(klines: Klines, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the bars and the crossings of our averages."""
    path = tmp_path_factory.mktemp("columns")
    write_columns(path, klines)
    fast, slow = ema(klines.close, FAST), ema(klines.close, SLOW)
    np.save(path / "enters.npy", crossover(fast, slow))
    np.save(path / "exits.npy", crossunder(fast, slow))
    return path


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Environment]:
    """Return the environments that could be made; print why the others could not."""
    made = {"phalanx": OURS}
    for name, requirements in OTHERS.items():
        try:
            made[name] = environment(tmp_path_factory.mktemp(name), *requirements)
        except CannotInstall as failure:
            print(f"\n{name} is not measured: {failure}")
    return made


def request(folder: Path, **asked: Any) -> dict[str, Any]:
    """Return what every worker is asked."""
    return {
        "folder": str(folder),
        "interval_ms": 15 * MINUTE_MS,
        "periods": [FAST, SLOW],
        "capital": 100_000.0,
        "qty": 0.1,
        "commission": 0.0007,
        "threads": os.cpu_count() or 1,
        "repeats": 15,
        **asked,
    }


def test_one_run_beside_others(folder: Path, environments: dict[str, Environment]) -> None:
    asked = request(folder, work="one")
    found = {name: env.ask(f"{name}_worker.py", asked) for name, env in environments.items()}
    ours = found["phalanx"]
    for name, equal in EQUAL.items():
        if name in found:
            equal(ours, found[name])
    print(f"\none run, EMA {FAST}/{SLOW} on {BARS:,} bars, {len(ours['trades']):,} trades closed")
    for name, answer in found.items():
        print(
            f"{name:10} {answer['seconds'] * 1000:8.2f} ms to {answer['figures']} figures, "
            f"{len(answer['trades']):,} trades, peak {answer['peak_mb']:,.0f} MB"
        )
    for title, seconds in (
        ("trades as columns, equity at every close, 24 figures", ours["columns_seconds"]),
        ("the trades and all metrics", ours["whole_seconds"]),
    ):
        print(f"{'phalanx':10} {seconds * 1000:8.2f} ms to {title}")


def assert_trades_equal_vectorbt(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    closed = theirs["trades"][: len(ours["trades"])]
    assert len(theirs["trades"]) - len(closed) <= 1, "one may still be open"
    np.testing.assert_allclose(closed, ours["trades"], rtol=1e-12, atol=1e-9)


def assert_trades_equal_raptorbt(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    closed = theirs["trades"][: len(ours["long_trades"])]
    assert len(theirs["trades"]) - len(closed) <= 1, "one may still be open"
    expected = [row[:4] for row in ours["long_trades"]]
    np.testing.assert_allclose(closed, expected, rtol=1e-12)


EQUAL: dict[str, Callable[[dict[str, Any], dict[str, Any]], None]] = {
    "vectorbt": assert_trades_equal_vectorbt,
    "raptorbt": assert_trades_equal_raptorbt,
}


def test_a_sweep_of_stops_and_targets_beside_others(
    folder: Path, environments: dict[str, Environment]
) -> None:
    print(f"\n{SETS:,} sets of a stop and a target, EMA {FAST}/{SLOW} on {BARS:,} bars")
    for name, env in environments.items():
        side = GRID_SIDES[name]
        levels = {
            "stops": np.linspace(0.005, 0.05, side).tolist(),
            "targets": np.linspace(0.005, 0.08, side).tolist(),
        }
        answer = env.ask(f"{name}_worker.py", request(folder, work="sweep", **levels))
        rate = answer["sets"] / answer["seconds"]
        note = "measured" if answer["sets"] == SETS else f"from {answer['sets']} sets"
        if "bare_seconds" in answer:
            note += f"; without metrics {answer['sets'] / answer['bare_seconds']:,.0f} sets/s"
        if "engines" in answer:
            note += f"; by {' and '.join(answer['engines'])}"
        print(
            f"{name:10} {rate:10,.0f} sets/s, {SETS / rate:8,.1f} s, peak {answer['peak_mb']:,.0f} "
            f"MB, {answer['trades_mean']:,.0f} trades a set; {note}"
        )
        assert answer["trades_mean"] > 0
