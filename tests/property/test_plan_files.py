"""Any plan survives being written and read, in YAML and in JSON."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster.plan_files import PlanFile, plan_from, plan_tree, read_plan, write_plan
from engines.backtest import run_backtest
from engines.costs import Costs
from engines.funding import constant_funding
from engines.instrument import Instrument
from engines.klines import MINUTE_MS, Klines
from engines.margin import MarginTier
from engines.plan import Market, Plan
from engines.signals import Signals
from engines.synthetic import synthetic_klines
from strategies.base import SignalStrategy
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


INSTRUMENT = Instrument(
    "TESTUSDT",
    0.1,
    0.001,
    margin_tiers=(
        MarginTier(100_000, 0.005, leverage_max=100),
        MarginTier(10_000_000, 0.01, leverage_max=50),
    ),
)
KLINES = synthetic_klines(400, 30 * MINUTE_MS, seed=3)  # sessions begin at half hours


@dataclass(frozen=True)
class EverySoOften(SignalStrategy):
    """Enters a side in turn, closes now and then."""

    def signals(self, klines: Klines) -> Signals:
        bars = np.arange(len(klines))
        is_close = bars % 37 == 36
        return Signals(bars % 24 == 3, is_close, bars % 24 == 15, is_close)


@settings(max_examples=25, suppress_health_check=list(HealthCheck), deadline=None)
@given(plan=plans_random.plans(filters=st.just(())), costs=plans_random.costs())
def test_a_plan_from_a_file_trades_as_the_one_that_was_written(
    plan: Plan, costs: Costs, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("plans") / "plan.yaml"
    write_plan(path, plan, costs)
    read = read_plan(path)
    is_spot = plan.market is Market.SPOT
    funding = None if is_spot else constant_funding(0.0001, 8, KLINES)
    ours, theirs = (
        run_backtest(EverySoOften(), KLINES, INSTRUMENT, *terms, funding=funding)
        for terms in ((plan, costs), (read.plan, read.costs))
    )
    assert theirs.trades == ours.trades
    assert theirs.payments == ours.payments
    assert np.array_equal(theirs.equity_quote, ours.equity_quote)
