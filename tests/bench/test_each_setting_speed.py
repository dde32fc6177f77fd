"""How fast `Trials` is with each setting of a plan by itself, and each built-in as it comes.

What `test_any_plan_speed` combines stands here alone, beside a stop, over all that a plan can say;
the built-in strategies run under their own plans, a grid over their first three numbers. Only
`channel_breakout` is left out: it decides bar by bar in Python, which the reference alone runs.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import islice, product
from typing import Any

import numpy as np
import pytest

from engines.errors import ParameterFault
from engines.plan import Exits, Plan
from strategies.base import SignalStrategy
from strategies.registry import REGISTRY
from tests.bench.grids import Case, run_and_print
from tests.bench.test_any_plan_speed import MANY, ONE, REVERSIONS
from tests.settings import LADDERS, SETTINGS, with_stop

pytestmark = pytest.mark.bench

VALUES, SETS_MAX = 6, 216  # of each number of a built-in, and in all
TARGET = Exits(take_profit_ratio=0.01)
CASES = {
    name: Case(REVERSIONS, partial(with_stop, plan), MANY)
    for name, plan in {"nothing": Plan(), **SETTINGS}.items()
}
CASES |= {
    f"{name}, a target of 1 %": Case(
        REVERSIONS, partial(with_stop, replace(SETTINGS[name], exits=TARGET)), MANY
    )
    for name in LADDERS
}
BUILT_IN = [id for id in REGISTRY if id != "channel_breakout"]


def grid_of(strategy: type[SignalStrategy]) -> Iterator[SignalStrategy]:
    """Make sets over the range of the first three numbers that a strategy uses as it comes."""
    axes = dict[str, list[Any]]()
    for item in strategy.parameters():
        if item.low is None or item.high is None or item.default == 0 or len(axes) == 3:
            continue
        steps = np.linspace(item.low, item.high, VALUES).tolist()
        axes[item.name] = [type(item.default)(value) for value in steps]
    for values in product(*axes.values()):
        try:
            yield strategy(**dict(zip(axes, values, strict=True)))
        except ParameterFault:  # a pair that excludes each other, as of two averages
            continue


@pytest.mark.parametrize("name", CASES)
def test_a_setting_by_itself(name: str) -> None:
    run_and_print(name, CASES[name], MANY)


@pytest.mark.parametrize("id", BUILT_IN)
def test_a_built_in_strategy_under_its_own_plan(id: str) -> None:
    strategy = REGISTRY[id].load()
    assert issubclass(strategy, SignalStrategy)
    sets = list(islice(grid_of(strategy), SETS_MAX))
    run_and_print(f"{id}, own plan", Case(sets, lambda _: Plan(), ONE), ONE)
