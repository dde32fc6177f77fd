"""A set that cannot be run costs itself alone, and is named with its values and the line."""

import csv
import io
from pathlib import Path

import pytest

from cluster.batches import Batch, BatchPlan, span_text
from cluster.failed_sets import SENTENCES_MAX
from cluster.study import Study, study_of, swept_settings
from cluster.study_folder import StudyFolder
from cluster.study_manifest import Standing
from cluster.tasks import BatchResult, run_batch
from cluster.user_strategy import find_strategy
from engines.costs import Costs
from engines.errors import StrategyFault
from engines.instrument import Instrument
from engines.kernels.trials import Market
from engines.plan import Plan
from engines.search.grid import Axis, parse_grid
from engines.search.objectives import Objective, TopList
from engines.search.sampling import Sample
from engines.search.space import Space, Tile
from engines.synthetic import synthetic_klines

# Orders of its own need no compiled kernel.
ORDERS = """\
import numpy as np
from dataclasses import dataclass
from strategies.base import OrderStrategy, parameter

@dataclass(frozen=True)
class Wild(OrderStrategy):
    period: int = parameter(5, low=2, high=500)

    def check(self):
        {built}

    def features(self, klines):
        {asked}
        return {{"close": klines.close}}

    def on_bar(self, ctx):
        {on_bar}
"""
SIGNALS = """\
class Wild:
    def __init__(self, period=5):
        self.period = period

    def min_bars(self):
        return 1000 if self.period == 3 else 1

    def signals(self, klines):
        return 1 / 0
"""
MARKET = f"{synthetic_klines(60, 900_000, seed=1).symbol} 15m"
PLANS = Axis("pyramiding", (1, 2))


def study(folder: Path, text: str, grid: str = "period=2:5") -> Study:
    path = folder / "wild.py"
    path.write_text(text)
    found = find_strategy(f"{path}:Wild")
    axes, _ = parse_grid(grid, swept_settings(found.parameters), found.name)
    klines = synthetic_klines(60, 900_000, seed=1)
    market = Market(klines, Instrument(klines.symbol, 0.1, 0.001), Costs())
    return study_of(found, {}, Plan(), Space.of(axes, [PLANS]), [market])


def wild(folder: Path, built: str = "pass", asked: str = "pass", on_bar: str = "pass") -> Study:
    return study(folder, ORDERS.format(built=built, asked=asked, on_bar=on_bar))


def whole(study: Study) -> BatchResult:
    """Return what comes of a study as one batch."""
    (batch,) = BatchPlan(1, 1000).of(study.recipe)
    return run_batch(study.recipe, study.markets[0], batch, 1, has_gpu=False)


def listed(text: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.decode())))


@pytest.mark.parametrize(
    ("wrong", "line", "said"),
    [
        ("built", 10, "constructor of Wild: expected an instance, found ZeroDivisionError: "),
        ("asked", 13, "strategy Wild: expected to run, found ZeroDivisionError: "),
        ("on_bar", 17, "expected a decision, found ZeroDivisionError: "),
    ],
)
def test_what_a_strategy_raises_costs_its_own_sets_and_names_them(
    tmp_path: Path, wrong: str, line: int, said: str
) -> None:
    result = whole(wild(tmp_path, **{wrong: "1 / (self.period - 3)"}))
    assert (result.rows, result.excluded, result.failed) == (6, 0, 2)
    assert result.faults[0].startswith(f"set 2 (period=3, pyramiding=1) on {MARKET}: ")
    place = f"division by zero in line {line} of {tmp_path / 'wild.py'}"
    assert said in result.faults[0] and result.faults[0].endswith(place)
    assert result.faults[0].count(place) == 1
    rows = listed(result.failed_csv)
    assert [row["set_id"] for row in rows] == ["2", "3"]
    assert all(row["why"].endswith(place) for row in rows)


def test_signals_that_raise_and_too_few_bars_name_their_sets(tmp_path: Path) -> None:
    result = whole(study(tmp_path, SIGNALS))
    assert (result.rows, result.failed) == (0, 8)
    whys = {row["set_id"]: row["why"] for row in listed(result.failed_csv)}
    assert "division by zero in line 9 of" in whys["0"] and "division by zero" in whys["7"]
    assert "the warm-up of Wild, found 60" in whys["2"]
    assert len(result.faults) == 4  # one a strategy


def test_few_of_many_sentences_are_kept_and_the_list_is_whole(tmp_path: Path) -> None:
    made = study(tmp_path, SIGNALS, "period=2:20")
    result = whole(made)
    assert len(result.faults) == SENTENCES_MAX
    folder = StudyFolder(tmp_path / made.id)
    top = TopList(3, Objective.parse("sharpe"))
    standing = Standing(made, BatchPlan(1, 1000), 1, top)
    with folder.locked():
        standing.count(folder.keep(result))
        assert len(listed((folder.failed / "000000.csv").read_bytes())) == 38
        folder.clear()
        assert not folder.failed.exists()


def test_the_sets_of_a_batch_that_fails_as_a_whole_are_not_run(tmp_path: Path) -> None:
    made = wild(tmp_path)
    plan = BatchPlan(1, 4)
    standing = Standing(made, plan, 2, TopList(3, Objective.parse("sharpe")))
    standing.leave(plan.of(made.recipe)[1], "its worker died")
    assert standing.not_run == 4 and standing.failed == 0
    (said,) = standing.failed_batches.values()
    where = f"batch 1 was not run (4 sets from 4 to 7 on {MARKET})"
    assert said == f"{where}: its worker died"


def test_a_batch_says_between_which_numbers_its_sets_lie(tmp_path: Path) -> None:
    space = wild(tmp_path).recipe.space
    assert span_text(Batch(0, 0, Tile(range(1, 3), range(1))), space, None) == (
        "2 of the sets from 2 to 4"
    )
    assert span_text(Batch(0, 0, Tile(range(3, 4), range(1, 2))), space, None) == "set 7"
    sample = Sample(len(space), 5, 1)
    points = sample.sorted_points(0, 5).tolist()
    said = span_text(Batch(0, 0, range(5)), space, sample)
    assert said.endswith(f"sets from {points[0]} to {points[-1]}")


def test_a_study_begins_though_its_first_constructor_fails(tmp_path: Path) -> None:
    assert whole(wild(tmp_path, built="1 / (self.period - 2)")).failed == 2
    with pytest.raises(StrategyFault, match="all 4 combinations of the strategy"):
        wild(tmp_path, built="1 / 0")
