"""Positions that close in parts under losses of a day and a drawdown equal the reference's runs.

Plans are those of `test_gated_parts_equal_reference` with the limits of
`test_limits_equal_reference`, near enough to be met; they are walked as stacks of one entry. A set
that is left to the machine proves nothing: where nothing may be left to it, that is asserted.
"""

from dataclasses import replace
from itertools import cycle

import numpy as np
import pytest
from hypothesis import strategies as st

from engines.costs import Costs
from engines.funding import constant_funding
from engines.kernels.trials import Market
from engines.klines import HOUR_MS, Klines
from engines.plan import Exits, LevelSource, Plan, Reentry, Sizing, SizingKind, Target
from strategies.ema_crossover import EmaCrossover
from tests.property import test_gated_parts_equal_reference as of_parts
from tests.property.path_cases import Case, case_of, check, compared
from tests.property.test_chains_equal_reference import COSTS
from tests.property.test_limits_equal_reference import LIMITS, limited
from tests.property.test_parts_equal_reference import INSTRUMENT, PARTED
from tests.property.test_plans_hold import START_MS
from tests.property.test_stacks_equal_reference import GRID, check_case

EXAMPLES, EXAMPLES_LONG = 60, 4_000
STOP = Exits(stop_loss_ratio=0.015, targets=(Target(0.004, 0.5), Target(0.02, 0.5)))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Return strategies of random wishes on random bars, and a plan of parts with limits."""
    market, plan, strategies = draw(of_parts.cases())
    levels = draw(st.sampled_from((*[LevelSource.PLAN] * 2, *LevelSource)))
    plan = replace(
        plan, exits=replace(plan.exits, levels=levels), process_on_close=False,
        reentry=draw(st.just(Reentry()) | st.just(plan.reentry)),
    )  # fmt: skip # one plan
    return case_of(market, draw(limited(plan)), strategies)


test_limited_parts_equal_reference_on_random_sets = compared(cases(), EXAMPLES, check_case)
test_limited_parts_equal_reference_on_many_random_sets = pytest.mark.long(
    compared(cases(), EXAMPLES_LONG, check_case)
)


@pytest.mark.parametrize(
    ("limits", "parts", "costs"),
    list(zip(cycle(LIMITS), PARTED, cycle(COSTS.values()), strict=False)),
)
def test_grids_of_limited_parts_are_decided(
    limits: str, parts: str, costs: Costs, klines: Klines
) -> None:
    limit, exits = LIMITS[limits], PARTED[parts].exits
    plan = replace(
        limit,
        exits=replace(
            exits, levels=LevelSource.PLAN, drawdown_ratio_max=limit.exits.drawdown_ratio_max
        ),
        limit_verify_ticks=PARTED[parts].limit_verify_ticks,
    )
    funding = constant_funding(0.0001, 8, klines) if limits != "drawdown" else None
    market = Market(klines, INSTRUMENT, costs, funding, since_ms=int(klines.open_time_ms[500]))
    assert check(market, plan, GRID) == 1.0


@pytest.mark.parametrize("limits", LIMITS)
def test_limits_beside_parts_hold_where_strategies_give_levels(limits: str, klines: Klines) -> None:
    limit = LIMITS[limits]
    exits = replace(STOP, drawdown_ratio_max=limit.exits.drawdown_ratio_max)
    crosses = [EmaCrossover(fast, slow) for fast in (5, 9, 14) for slow in (15, 21, 50)]
    check(Market(klines, INSTRUMENT, Costs()), replace(limit, exits=exits), [*crosses])


def test_a_drawdown_beside_a_stop_comes_first_where_the_price_does() -> None:
    bars = np.arange(120)
    opened = np.array([100.0, 100.2, 99.9, 99.8])[bars % 4]
    lows = np.where(bars % 4 == 2, 96.0, opened - 0.3)
    klines = Klines(
        "R/USDT:USDT", HOUR_MS, START_MS + HOUR_MS * bars, open=opened, high=opened + 0.4, low=lows,
        close=np.append(opened[1:], 100.0), volume=np.full(len(bars), 100.0),
    )  # fmt: skip # a column a line
    targets = Target(0.01, 0.5), Target(0.02, 0.5)
    plans = [
        Plan(
            capital_quote=1_000.0, sizing=Sizing(SizingKind.QTY, 8.0),
            exits=Exits(
                stop_loss_ratio=0.02, targets=targets, levels=LevelSource.PLAN,
                drawdown_ratio_max=drawdown,
            ),
        )
        for drawdown in np.arange(0.014, 0.021, 0.0002).tolist()
    ]  # fmt: skip # one record
    # The stop lies among these levels, and what it pays does as well.
    market = Market(klines, INSTRUMENT, Costs(commission=0.0, slippage_ticks=3))
    decided = check(market, plans[0], GRID, others=plans[1:])
    assert decided > 0.8  # Of the others the machine alone tells what comes first.
