"""Sets under limits of a day and of the drawdown equal the reference's runs.

Plans are those of `test_chains_equal_reference` with limits near enough to be met: fills of a day,
its losses, the largest drawdown, beside rules that look back. A set that is left to the machine
proves nothing of gates, so where nothing may be left to it, that is asserted.
"""

from dataclasses import replace
from itertools import cycle, product

import numpy as np
import pytest
from hypothesis import strategies as st

from engines.costs import Costs
from engines.funding import constant_funding
from engines.instrument import Instrument
from engines.kernels.pending import CHAINS_MIN
from engines.kernels.trials import Market
from engines.klines import Klines
from engines.plan import (
    Breakeven,
    Direction,
    Exits,
    Hours,
    LevelSource,
    Plan,
    Reentry,
    Sizing,
    SizingKind,
    Trailing,
)
from strategies.ema_crossover import EmaCrossover
from tests.property import plans_random as random_plans
from tests.property.path_cases import (
    Case,
    PlainWishes,
    borrowed,
    case_of,
    check,
    compared,
    followed,
    markets,
)
from tests.property.test_chains_equal_reference import COSTS, Rare, exits
from tests.property.test_gates_equal_reference import kellys, reentries

EXAMPLES, EXAMPLES_LONG, STRATEGIES = 40, 4_000, 20
SOME = st.none(), st.none()


@st.composite
def limited(draw: st.DrawFn, plan: Plan) -> Plan:
    """Return a plan with some limits."""
    drawdown = draw(st.one_of(*SOME, st.sampled_from((0.002, 0.02, 0.1, 0.3))))
    return replace(
        plan, exits=replace(plan.exits, drawdown_ratio_max=drawdown),
        intraday_fills_max=draw(st.one_of(*SOME, st.integers(1, 6))),
        intraday_loss_ratio_max=draw(st.one_of(*SOME, st.sampled_from((0.0005, 0.005, 0.05)))),
        intraday_loss_quote_max=draw(st.one_of(*SOME, st.sampled_from((1.0, 20.0, 400.0)))),
    )  # fmt: skip # one plan


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Return strategies of random wishes on random bars, and a plan with limits."""
    seed, market = draw(markets())
    count = draw(st.integers(CHAINS_MIN, STRATEGIES))
    plan = replace(
        draw(followed()), sizing=draw(random_plans.sizings() | kellys()),
        exits=replace(draw(exits()), only_in_profit=draw(st.sampled_from((False, False, True)))),
        reentry=draw(st.just(Reentry()) | reentries()),
        process_on_close=draw(st.sampled_from((False, False, True))),
    )  # fmt: skip # one plan
    plan = draw(borrowed(draw(limited(plan))))
    return case_of(market, plan, [PlainWishes(seed + own, own % 2 == 1) for own in range(count)])


test_limits_equal_reference_on_random_sets = compared(cases(), EXAMPLES)
test_limits_equal_reference_on_many_random_sets = pytest.mark.long(compared(cases(), EXAMPLES_LONG))


STOP = Exits(stop_loss_ratio=0.01, take_profit_ratio=0.02, levels=LevelSource.PLAN)
MOVING = Exits(
    stop_loss_ratio=0.01, trailing=Trailing(0.005, 0.01), breakeven=Breakeven(0.01, 0.001),
    levels=LevelSource.PLAN,
)  # fmt: skip # one record
HALF = Sizing(SizingKind.EQUITY_RATIO, 0.5)
LIMITS = {
    "fills": Plan(intraday_fills_max=3),
    "losses": Plan(intraday_loss_ratio_max=0.004, sizing=HALF),
    "losses in money": Plan(intraday_loss_quote_max=20.0, direction=Direction.LONG),
    "drawdown": Plan(sizing=HALF, exits=Exits(drawdown_ratio_max=0.2)),
    "all of them": Plan(
        intraday_fills_max=5, intraday_loss_ratio_max=0.01, intraday_loss_quote_max=90.0,
        sizing=HALF, exits=Exits(drawdown_ratio_max=0.3), reentry=Reentry(1, 3),
        hours=Hours(bars_held_max=60),
    ),
    "all of them, and entries": Plan(
        intraday_fills_max=5, intraday_loss_ratio_max=0.002, sizing=HALF,
        exits=Exits(drawdown_ratio_max=0.9),
        reentry=Reentry(trades_per_day_max=3, trades_per_week_max=7),
    ),
}  # fmt: skip # one table
LEVELS = {"still": STOP, "moving": MOVING, "none": Exits(levels=LevelSource.PLAN)}
INSTRUMENT = Instrument("SYNTHETIC", 0.1, 0.001, time_zone="America/New_York")


@pytest.mark.parametrize(
    ("name", "levels", "costs", "settles"),
    [
        (name, levels, costs, settles)
        for (name, levels), costs, settles in zip(
            product(LIMITS, LEVELS), cycle(COSTS.values()), cycle((False, False, True, False))
        )
    ],
)
def test_signal_grids_under_limits_are_decided(
    name: str, levels: str, costs: Costs, settles: bool, klines: Klines
) -> None:
    crosses = [EmaCrossover(fast, slow) for fast in (5, 9, 14) for slow in (15, 21, 50)]
    rare = [Rare(every, leaves) for every in (40, 2_000) for leaves in (False, True)]
    limit = LIMITS[name].exits.drawdown_ratio_max
    plan = replace(
        LIMITS[name], exits=replace(LEVELS[levels], drawdown_ratio_max=limit),
        process_on_close=settles,
    )  # fmt: skip # one plan
    funding = constant_funding(0.0001, 8, klines) if levels == "still" else None
    market = Market(klines, INSTRUMENT, costs, funding, since_ms=int(klines.open_time_ms[500]))
    assert check(market, plan, [*crosses, *rare], times=2) == 1.0


def test_a_loss_of_a_day_that_closes_beyond_the_drawdown_is_left_to_the_machine() -> None:
    """The reference ends trading only at an order that fills nothing: here a forbidden short."""
    bars, hour_ms, level = 100, 3_600_000, np.full(100, 100.0)
    times = 1_735_689_600_000 + hour_ms * np.arange(bars, dtype=np.int64)
    klines = Klines("HAND", hour_ms, times, level, level, level, level, np.ones(bars))
    plan = Plan(
        capital_quote=1000.0, sizing=Sizing(SizingKind.QTY, 2.0), direction=Direction.LONG,
        intraday_loss_quote_max=1.5, exits=Exits(drawdown_ratio_max=0.003),
    )  # fmt: skip # in at 101, worth 998 at the close, out at 99: 996
    market = Market(klines, Instrument("HAND", 1.0, 1.0), Costs(slippage_ticks=1))
    assert check(market, plan, [Rare(20 + number) for number in range(CHAINS_MIN)]) == 0.0
