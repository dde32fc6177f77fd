"""Settings of a plan two by two: how many of all pairs a faster path follows, and what some take.

A plan of any kind is to take 400 us of processor time a set at most. Each setting by itself is
timed in `test_each_setting_speed`; here its settings are put together, each pair that makes a valid
plan, beside a stop of 1 to 3 %. Which path a pair goes is asked of all; a sample, drawn with a
seed, is run, 10,240 sets of each.
"""

import random
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from functools import cache, partial
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from engines.errors import PlanFault
from engines.kernels.groups import Groups
from engines.kernels.passage.runs import follows
from engines.plan import Basis, CloseRule, Exits, Plan
from tests.bench.grids import Case, market, run_and_print
from tests.bench.test_any_plan_speed import MANY, REVERSIONS
from tests.bench.test_each_setting_speed import LADDERS, SETTINGS, with_stop

pytestmark = pytest.mark.bench

SAMPLE, SEED, LIMIT_US = 60, 5, 400.0
ALL = {name: plan for name, plan in SETTINGS.items() if name != "nothing"} | {
    name: Plan(
        pyramiding=len(ladder.rungs),
        close_rule=CloseRule.ALL,
        exits=Exits(take_profit_ratio=0.01, basis=Basis.AVERAGE),
        ladder=ladder,
    )
    for name, ladder in LADDERS.items()
}
NESTED = "exits", "hours", "reentry"  # records whose settings are put together one by one


def said(record: Any, plain: Any) -> dict[str, Any]:
    """Return what a record says that a plain one does not, nested records by their own."""
    found = dict[str, Any]()
    for item in fields(record):
        own, other = getattr(record, item.name), getattr(plain, item.name)
        if item.init and own != other:
            nests = item.name in NESTED and is_dataclass(own)
            found[item.name] = said(own, other) if nests else own
    return found


def together(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any] | None:
    """Return what both say, None if they contradict each other."""
    found = dict(one)
    for name, value in other.items():
        if name in found and isinstance(value, dict):
            found[name] = together(found[name], value)
            if found[name] is None:
                return None
        elif found.setdefault(name, value) != value:
            return None
    return found


def plan_of(settings: dict[str, Any]) -> Plan:
    plain = Plan()
    return replace(
        plain,
        **{
            name: replace(getattr(plain, name), **value) if isinstance(value, dict) else value
            for name, value in settings.items()
        },
    )


@cache
def pairs() -> dict[str, Plan]:
    """Return the plan of each pair of settings that makes one."""
    found, plain = dict[str, Plan](), Plan()
    for (name, one), (other_name, other) in combinations(ALL.items(), 2):
        both = together(said(one, plain), said(other, plain))
        if both is None:
            continue
        try:
            found[f"{name}, {other_name}"] = with_stop(plan_of(both), 0.02)
        except PlanFault:
            continue
    return found


def left_to_the_machine() -> Iterator[str]:
    """Return the pairs that no faster path follows."""
    groups = Groups(market(has_funding=False))
    for name, plan in pairs().items():
        sorted_ = groups.sort({0: plan})
        assert not sorted_.failed
        if any(len(g.plain.unchained) and not follows(g.terms).all() for g in sorted_.groups):
            yield name


def test_most_pairs_of_settings_go_a_faster_path_than_the_machine() -> None:
    left = list(left_to_the_machine())
    print(f"{len(pairs()):,} pairs of {len(ALL)} settings, {len(left)} by the machine:")
    print("\n".join(f"  {name}" for name in left))
    assert len(left) < len(pairs()) / 10


def test_a_sample_of_pairs_takes_this_long() -> None:
    sample = random.Random(SEED).sample(sorted(pairs()), SAMPLE)
    taken = [
        run_and_print(name, Case(REVERSIONS, partial(with_stop, pairs()[name]), MANY), MANY)
        for name in sample
    ]
    tenths = np.percentile(taken, [10, 25, 50, 75, 90])
    within = np.count_nonzero(np.array(taken) <= LIMIT_US)
    print(
        f"{SAMPLE} pairs: {', '.join(f'{value:,.0f}' for value in tenths)} us a set at 10, 25, 50, "
        f"75 and 90 %, {np.mean(taken):,.0f} in the mean; {within} take {LIMIT_US:.0f} us or less"
    )
