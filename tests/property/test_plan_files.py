"""Any plan survives being written and read, in YAML and in JSON."""

import json
from pathlib import Path

import yaml
from hypothesis import HealthCheck, given, settings

from cluster.plan_files import PlanFile, plan_from, plan_tree, read_plan, write_plan
from engines.costs import Costs
from engines.plan import Plan
from tests.property import plans_random


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(plan=plans_random.plans(), costs=plans_random.costs())
def test_a_plan_written_and_read_is_the_same_plan(plan: Plan, costs: Costs, tmp_path: Path) -> None:
    for name in ("plan.yaml", "plan.json"):
        write_plan(tmp_path / name, plan, costs)
        assert read_plan(tmp_path / name) == PlanFile(plan, costs)
    tree = plan_tree(plan, costs)
    assert plan_from(json.loads(json.dumps(tree)), "memory") == PlanFile(plan, costs)
    # Any YAML reader takes what we write for the same values, also one of version 1.1.
    assert yaml.safe_load((tmp_path / "plan.yaml").read_text()) == tree
