"""A study is cut into batches that follow from their numbers and hold every set once."""

import pytest

from cluster import batches
from cluster.batches import BATCHES_PER_CPU, GPU_SETS, SETS_MAX, BatchPlan, sets_for, work_of
from cluster.settings import SettingsFault, cluster_settings
from cluster.study import Recipe
from engines.kernels.trials import GPU_SETS_MIN
from tests.cluster.nodes import small_study

GRID, PLAN_GRID = "fast=5:20:5 slow=20,30,40", "stop_loss=1%:4%:1%"


def recipe(sample: tuple[int, int] | None = None) -> Recipe:
    return small_study(GRID, PLAN_GRID, sample=sample).recipe


def pairs(made: Recipe, sets_max: int, markets: int = 1) -> list[tuple[int, int, int]]:
    """Return market, strategy and plan of every set of every batch."""
    found = []
    for batch in BatchPlan(markets, sets_max).of(made):
        work = work_of(batch, made.space, made.sample)
        for place, strategy in enumerate(work.strategies):
            columns = range(len(work.plans)) if work.columns is None else work.columns[place]
            found += [(batch.market, strategy, work.plans[column]) for column in columns]
    return found


@pytest.mark.parametrize("sets_max", [1, 3, 7, 1000])
def test_batches_hold_every_set_of_every_market_once(sets_max: int) -> None:
    everything = [(m, s, p) for m in range(2) for s in range(12) for p in range(4)]
    assert sorted(pairs(recipe(), sets_max, 2)) == everything


@pytest.mark.parametrize("plans_max", [2, 4_096])
@pytest.mark.parametrize("sets_max", [1, 3, 7, 1000])
def test_batches_of_a_sample_hold_each_of_its_sets_once(
    sets_max: int, plans_max: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "PLANS_MAX", plans_max)  # with fewer, some plans are prepared
    made = recipe((17, 4))
    assert made.sample is not None
    drawn = sorted(made.space.split(point) for point in made.sample.points(0, 17).tolist())
    assert sorted((strategy, plan) for _, strategy, plan in pairs(made, sets_max)) == drawn


def test_a_batch_is_worth_its_seconds_and_leaves_work_for_every_cpu() -> None:
    assert sets_for(rate=100, seconds=2, sets=10**9, cpus=4) == 200
    assert sets_for(rate=100, seconds=2, sets=1600, cpus=4) == 1600 / (4 * BATCHES_PER_CPU)
    assert sets_for(rate=100, seconds=2, sets=10, cpus=4) == 50
    assert sets_for(rate=1e9, seconds=2, sets=10**12, cpus=1) == SETS_MAX
    assert sets_for(rate=1e-3, seconds=2, sets=10**9, cpus=1) == 1


def test_a_batch_is_enough_for_a_gpu_and_leaves_one_for_every_other() -> None:
    assert sets_for(rate=100, seconds=2, sets=10**9, cpus=4, gpus=1) == GPU_SETS > GPU_SETS_MIN
    assert sets_for(rate=100, seconds=2, sets=10_000, cpus=4, gpus=1) == 2_000
    assert sets_for(rate=100, seconds=2, sets=100, cpus=4, gpus=1) == 50
    assert sets_for(rate=9_000, seconds=2, sets=10**9, cpus=4, gpus=1) == 18_000


def test_a_wrong_setting_of_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHALANX_TASK_SECONDS", "none")
    with pytest.raises(SettingsFault, match=r"PHALANX_TASK_SECONDS: expected .*, found 'none'"):
        cluster_settings()
    monkeypatch.setenv("PHALANX_TASK_SECONDS", "3")
    assert cluster_settings().task_seconds == 3
