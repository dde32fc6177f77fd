"""The keys of evaluations: the same for the same settings, another for any other."""

import io
import itertools
from dataclasses import make_dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from cluster.batches import BatchPlan
from cluster.study import study_of
from cluster.tasks import run_batch
from cluster.trial_keys import code_fingerprint, surroundings, trial_keys
from cluster.user_strategy import find_strategy
from engines.costs import Costs
from engines.funding import constant_funding
from engines.instrument import Instrument
from engines.klines import MINUTE_MS
from engines.margin import MarginTier
from engines.plan import Basis, DcaLadder, Exits, Plan, Sizing, SizingKind
from engines.synthetic import synthetic_klines
from strategies.ema_crossover import EmaCrossover
from strategies.rsi_mean_reversion import RsiMeanReversion
from tests.cluster.nodes import small_study

PARAMETERS = [{"fast": fast, "slow": slow} for fast in (5, 9) for slow in (20, 30, 40)]
INSTRUMENT = Instrument("TESTUSDT", tick_size=0.1, qty_step=0.001)
PINNED = 8060494905562855193
PLANS = [Plan(exits=Exits(stop_loss_ratio=stop)) for stop in (0.01, 0.02, 0.03, 0.04)]


def one_key(
    parameters: dict[str, object], plan: Plan, costs: Costs | None = None, code: str = "c",
    around: dict[str, object] | None = None,
) -> int:  # fmt: skip # who trades, then where
    return int(trial_keys(code, [parameters], [plan], costs or Costs(), around or {})[0, 0])


def test_a_grid_has_the_keys_of_its_sets_one_by_one() -> None:
    keys = trial_keys("c", PARAMETERS, PLANS, Costs(), {})
    singly = [[one_key(dict(one), plan) for plan in PLANS] for one in PARAMETERS]
    assert keys.tolist() == singly
    assert len(set(keys.ravel().tolist())) == keys.size


def test_keys_do_not_depend_on_how_a_set_was_reached_or_written() -> None:
    plan = PLANS[0]
    key = one_key({"fast": 5, "slow": 20}, plan)
    assert key == one_key({"slow": 20, "fast": 5.0}, plan)
    assert key == one_key({"fast": np.int64(5), "slow": np.float64(20)}, plan)
    assert key == one_key({"fast": 5, "slow": 20}, replace(Plan(), exits=plan.exits))


@pytest.mark.parametrize("plan", [Plan(), Plan(ladder=DcaLadder())])
def test_a_sweep_has_the_keys_of_its_sets_run_alone(plan: Plan) -> None:
    made = small_study("fast=5,9 slow=20,30", "pyramiding=1,30 stop_loss=1%,2%")
    own = made.recipe
    study = study_of(own.strategy, own.fixed, plan, own.space, made.markets, None)
    market, recipe = study.markets[0], study.recipe
    around = surroundings(market.klines, market.instrument, market.funding, market.mark)
    for batch in BatchPlan(1, 8).of(recipe):
        result = run_batch(recipe, market, batch, 1, has_gpu=False)
        table = pq.read_table(io.BytesIO(result.parquet)).to_pydict()
        assert result.rows == len(batch)
        for number, key in zip(table["set_id"], table["trial_key"], strict=True):
            strategy, column = divmod(number, recipe.space.plans.size)
            chosen = recipe.plan_at(column)
            assert chosen is not None
            values = dict[str, object](recipe.parameters_at(strategy))
            assert key == one_key(values, chosen, code=recipe.code, around=around)


def test_any_setting_makes_another_key() -> None:
    plan, parameters = PLANS[0], {"fast": 5, "slow": 20, "kind": "ema", "flag": True}
    keys = [
        one_key(dict(parameters), plan),
        one_key(dict(parameters), plan, code="d"),
        one_key(dict(parameters), plan, Costs(commission=0.001)),
        one_key(dict(parameters), replace(plan, pyramiding=2)),
        one_key(dict(parameters), replace(plan, sizing=Sizing(SizingKind.EQUITY_RATIO, 0.2))),
        one_key(parameters | {"fast": 20, "slow": 5}, plan),
        one_key(parameters | {"kind": "sma"}, plan),
        one_key(parameters | {"flag": 1}, plan),
        int(trial_keys("c", [parameters], [plan], Costs(), {}, since_ms=0)[0, 0]),
    ]
    assert all(first != second for first, second in itertools.combinations(keys, 2))


def test_a_basis_is_the_same_key_whether_the_plan_says_it_or_leaves_it_open() -> None:
    ladder, grid = DcaLadder(), DcaLadder(refill=True)
    for plan in (Plan(), Plan(pyramiding=3), Plan(ladder=ladder), Plan(ladder=grid)):
        keys = {
            basis: one_key({}, replace(plan, exits=Exits(basis=basis))) for basis in (None, *Basis)
        }
        assert keys[None] == keys[plan.basis]
        assert len(set(keys.values())) == len(Basis)


def test_whatever_a_market_brings_makes_another_key() -> None:
    klines = synthetic_klines(100, MINUTE_MS, seed=1)
    other = synthetic_klines(100, MINUTE_MS, seed=2)
    tiers = (MarginTier(1e6, 0.005, leverage_max=100.0),)
    around = [
        surroundings(klines, INSTRUMENT),
        surroundings(klines, replace(INSTRUMENT, tick_size=0.5)),
        surroundings(klines, replace(INSTRUMENT, qty_step=1.0)),
        surroundings(klines, replace(INSTRUMENT, margin_tiers=tiers)),
        surroundings(klines, INSTRUMENT, constant_funding(0.0001, 1, klines)),
        surroundings(klines, INSTRUMENT, constant_funding(0.0002, 1, klines)),
        surroundings(klines, INSTRUMENT, mark=other),
        surroundings(klines, INSTRUMENT, magnifier=other),
        surroundings(replace(klines, others={"BTC": other}), INSTRUMENT),
        surroundings(replace(klines, others={"ETH": other}), INSTRUMENT),
    ]
    keys = [one_key({"fast": 5}, PLANS[0], around=one) for one in around]
    assert len(set(keys)) == len(keys)
    assert one_key({"fast": 5}, PLANS[0], around=surroundings(klines, INSTRUMENT)) == keys[0]


def test_keys_are_the_same_in_every_program_and_version() -> None:
    # Whoever changes this number makes every ledger count everything once more.
    around = surroundings(synthetic_klines(100, MINUTE_MS, seed=1), INSTRUMENT)
    assert one_key({"fast": 5, "slow": 20}, PLANS[0], around=around) == PINNED


def test_a_setting_that_a_plan_learns_changes_no_key_where_it_is_not_used() -> None:
    learnt = make_dataclass("Plan", [("novel", float | None, None)], bases=(Plan,), frozen=True)
    plan, novel = PLANS[0], learnt(exits=PLANS[0].exits)
    assert one_key({"fast": 5}, novel) == one_key({"fast": 5}, plan)
    assert one_key({"fast": 5}, learnt(novel=1.0, exits=plan.exits)) != one_key({"fast": 5}, plan)


def test_code_is_what_the_file_says_not_how_it_is_laid_out(tmp_path: Path) -> None:
    source = "class Mine:\n    def signals(self, klines):\n        return klines.close > 1\n"
    texts = {
        "same": source,
        "commented": "# why\n\n" + source.replace("> 1", ">  1  # above one"),
        "other": source.replace("> 1", "> 2"),
    }
    found = {}
    for name, text in texts.items():
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        found[name] = code_fingerprint(find_strategy(f"{path}:Mine").cls)
    assert found["same"] == found["commented"]
    assert found["same"] != found["other"]
    assert code_fingerprint(EmaCrossover) != code_fingerprint(RsiMeanReversion)


def test_code_is_also_what_the_file_imports_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from levels_of_mine import LEVEL\nimport math\n\n"
        "class Mine:\n    def signals(self, klines):\n        return klines.close > LEVEL\n"
    )
    (tmp_path / "levels_of_mine.py").write_text("from deeper_than_mine import LEVEL  # one away\n")
    (tmp_path / "beside.py").write_text("LEVEL = 1\n")
    found = []
    for deeper in ("LEVEL = 1\n", "LEVEL = 1  # the same\n", "LEVEL = 2\n"):
        (tmp_path / "deeper_than_mine.py").write_text(deeper)
        found.append(code_fingerprint(find_strategy(f"{tmp_path / 'mine.py'}:Mine").cls))
    (tmp_path / "beside.py").write_text("LEVEL = 2\n")
    found.append(code_fingerprint(find_strategy(f"{tmp_path / 'mine.py'}:Mine").cls))
    assert found[0] == found[1] != found[2] == found[3]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, 1 << 60])
def test_unusual_values_have_keys_too(value: object) -> None:
    assert one_key({"a": value}, Plan()) == one_key({"a": value}, Plan())
    assert one_key({"a": value}, Plan()) != one_key({"a": 0}, Plan())
