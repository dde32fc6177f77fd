"""Positions that close in parts and take next to all of an account, walked as stacks of one entry.

Margin calls take steps off what the targets have left, entries that cannot be paid are refused, and
rules that look back count both. Plans are those of gated parts, with any share of equity.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import strategies as st

from engines.costs import Costs
from engines.funding import constant_funding
from engines.kernels.trials import Market
from engines.klines import HOUR_MS, Klines
from engines.plan import Exits, LevelSource, MarginMode, Plan, Reentry, Sizing, SizingKind, Target
from strategies.ema_crossover import EmaCrossover
from tests.property import test_gated_parts_equal_reference as of_parts
from tests.property.path_cases import Case, PlainWishes, case_of, check, compared
from tests.property.test_chains_equal_reference import COSTS, Rare
from tests.property.test_parts_equal_reference import COARSE, INSTRUMENT, PARTED
from tests.property.test_plans_hold import START_MS
from tests.property.test_stacks_equal_reference import check_case

EXAMPLES, EXAMPLES_LONG = 25, 4_000


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Return strategies of random wishes on random bars, and a plan that spends nearly all."""
    market, plan, strategies = draw(of_parts.cases())
    share = draw(st.sampled_from((1.0, 1.0, 0.99, 0.9, 0.6)))
    plan = replace(
        plan, sizing=Sizing(SizingKind.EQUITY_RATIO, share),
        exits=replace(plan.exits, levels=LevelSource.PLAN),
        reentry=draw(st.just(Reentry()) | st.just(plan.reentry)),
    )  # fmt: skip # what else it says
    if draw(st.booleans()):
        plan = replace(plan, margin_long_ratio=1.0, margin_short_ratio=1.0)
    return case_of(market, plan, strategies)


test_full_parts_equal_reference_on_random_sets = compared(cases(), EXAMPLES, check_case)
test_full_parts_equal_reference_on_many_random_sets = pytest.mark.long(
    compared(cases(), EXAMPLES_LONG, check_case)
)


@pytest.mark.parametrize("is_funded", [False, True])
@pytest.mark.parametrize("name", ["breakeven", "all of them", "verified"])
def test_grids_that_spend_all_and_close_in_parts_are_decided(
    name: str, is_funded: bool, klines: Klines
) -> None:
    crosses = [EmaCrossover(fast, slow) for fast in (5, 14) for slow in (15, 50)]
    plan = replace(
        PARTED[name], exits=replace(PARTED[name].exits, levels=LevelSource.PLAN),
        sizing=Sizing(SizingKind.EQUITY_RATIO, 1.0),
    )  # fmt: skip # what it spends
    funding = constant_funding(0.0001, 8, klines) if is_funded else None
    market = Market(klines, INSTRUMENT, COSTS["notional"], funding)
    rare = [Rare(every, leaves) for every in (40, 2_000) for leaves in (False, True)]
    assert check(market, plan, [*crosses, *rare]) == 1.0


def test_margin_is_judged_at_the_open_at_which_an_entry_fills_and_closes() -> None:
    klines = Klines(
        "R/USDT:USDT", HOUR_MS, START_MS + HOUR_MS * np.arange(6),
        open=np.array([100.0, 100.1, 99.0, 98.0, 96.8, 96.1]),
        high=np.array([100.1, 100.1, 99.5, 98.4, 97.0, 98.8]),
        low=np.array([99.4, 98.7, 97.8, 96.0, 96.0, 95.4]),
        close=np.array([100.1, 99.0, 98.0, 96.8, 96.1, 98.4]),
        volume=np.full(6, 100.0),
    )  # fmt: skip # a column a line
    plan = Plan(
        capital_quote=1_000.0, leverage=1.5, margin_mode=MarginMode.ISOLATED,
        sizing=Sizing(SizingKind.EQUITY_RATIO, 1.0),
        exits=Exits(
            stop_atr=1.0, atr_period=2, targets=(Target(0.0078125, 1.0),), levels=LevelSource.PLAN
        ),
    )  # fmt: skip # what it spends, then where it ends
    # A fill slips by so much that the open is far from it, beyond the stop and what is owned.
    costs = Costs(commission=0.0, slippage_ticks=15)
    market = Market(klines, COARSE[0], costs)
    assert check(market, plan, [PlainWishes(seed) for seed in range(8)]) < 1.0
