"""How fast a sweep is through Ray beside one program on the same cores, and from a cold start.

The work is rsi_mean_reversion x stop x target on 70,080 synthetic 15-minute bars (two years). Both
sides make the same rows, which is required before anything is printed. Memory is what a worker
holds of its own, the shared bars left out (RssAnon of Linux).
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cluster.batches import BatchPlan
from cluster.session import session
from cluster.settings import ClusterSettings
from cluster.study import Study, study_of, swept_settings
from cluster.study_folder import StudyFolder
from cluster.study_manifest import Ranking, Standing
from cluster.study_table import added, table_hash
from cluster.sweep import Sweep
from cluster.tasks import run_batch
from cluster.user_strategy import find_strategy
from engines.costs import Costs
from engines.instrument import Instrument
from engines.kernels.trials import Market
from engines.klines import MINUTE_MS
from engines.plan import Exits, LevelSource, Plan
from engines.search.grid import parse_grid
from engines.search.objectives import Objective
from engines.search.plan_axes import plan_settings
from engines.search.space import Space
from engines.synthetic import synthetic_klines
from tests.cluster.worker_memory import own_memory_mb
from tests.unit.test_cli import write_bars

pytestmark = pytest.mark.bench

BARS = 70_080
STOPS_AND_TARGETS = "stop_loss=1%:4.9%:0.1% take_profit=1%:10.75%:0.25%"  # 40 x 40
HUNDRED_THOUSAND, MILLION = "rsi=9:20:1 oversold=20:40:4", "rsi=7:21:1 oversold=20:40:0.5"
CORES = os.cpu_count() or 1


def study(grid: str) -> Study:
    """Return a study of the grid on made-up bars."""
    found = find_strategy("rsi_mean_reversion")
    plan = Plan(exits=Exits(levels=LevelSource.PLAN))
    axes, _ = parse_grid(grid, swept_settings(found.parameters), found.name)
    plan_axes, _ = parse_grid(STOPS_AND_TARGETS, plan_settings(plan), "the plan")
    swept = {axis.name for axis in axes}
    fixed = {name: value for name, value in found.values({}).items() if name not in swept}
    klines = synthetic_klines(BARS, 15 * MINUTE_MS, 1)
    market = Market(klines, Instrument("SYNTHETIC", 0.1, 0.001), Costs())
    return study_of(found, fixed, plan, Space.of(axes, plan_axes), [market])


class Watched:
    """Look at the workers' own memory each time that a batch comes."""

    def __init__(self) -> None:
        self.peaks_mb: list[float] = []

    def __call__(self, standing: Standing) -> None:
        self.peaks_mb.append(own_memory_mb())


def test_sweep_through_ray_beside_one_program(tmp_path: Path) -> None:
    swept = study(MILLION)
    watched, ranking = Watched(), Ranking(Objective.parse("net_profit_quote"), (), 5)
    with session(cpus=CORES):
        folder = StudyFolder(tmp_path / swept.id)
        with folder.locked():
            result = Sweep(swept, folder, ranking, ClusterSettings(), {}, watched).run()
    sums, rows, started = (0, 0), 0, time.perf_counter()
    for batch in BatchPlan(1, result.standing.plan.sets_max).of(swept.recipe):
        found = run_batch(swept.recipe, swept.markets[0], batch, CORES, has_gpu=False)
        sums, rows = added(sums, found.sums), rows + found.rows
    alone = rows / (time.perf_counter() - started)
    assert table_hash(sums, rows, swept.recipe.space.fingerprint) == result.standing.table_hash
    assert result.is_sound
    through, size = result.standing.sets_per_second, folder.path
    third = max(1, len(watched.peaks_mb) // 3)
    stored = sum(path.stat().st_size for path in size.rglob("*.parquet"))
    print(
        f"\n{rows:,} sets x {BARS:,} bars on {CORES} cores: {alone:,.0f} sets/s in one program, "
        f"{through:,.0f} through Ray ({through / alone:.0%}); a worker's own memory "
        f"{max(watched.peaks_mb[:third]):.0f} MB in the first third, "
        f"{max(watched.peaks_mb[-third:]):.0f} in the last; {stored / rows:.0f} bytes a set stored"
    )


def test_sweep_of_a_hundred_thousand_sets_from_a_cold_start(tmp_path: Path) -> None:
    bars = write_bars(tmp_path / "SYNTHETIC_15m.csv", bars=BARS, seed=1)
    command = [
        sys.executable, "-m", "serve.cli", "sweep", "rsi_mean_reversion", "--bars", str(bars),
        "--grid", HUNDRED_THOUSAND, "--plan-grid", STOPS_AND_TARGETS,
        "--out", str(tmp_path / "out"),
    ]  # fmt: skip  # flags with their values
    for start in ("first", "second"):
        started = time.perf_counter()
        done = subprocess.run([*command, "--force"], capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - started
        assert done.returncode == 0, done.stderr
        said = next(line for line in done.stdout.splitlines() if " s for " in line)
        print(f"\nphalanx sweep, {start} start, {seconds:.1f} s in all; {said}")
