"""Several entries, each of which closes in parts, equal the reference's runs in every figure.

Plans are those of `test_stacks_equal_reference` with the targets of `test_parts_equal_reference`,
whose levels hang on each entry alone, some of them with limits. Many bars and ticks are whole, so
that levels of several entries lie at one price and opens pass some at once; many entries are too
small for every target. A set that is left to the machine proves nothing: where none may be, that is
asserted, and so is that strategies with levels or sizes of their own go there.
"""

from dataclasses import dataclass, replace
from itertools import cycle

import numpy as np
import pytest
from hypothesis import strategies as st

from engines.backtest import run_backtest
from engines.costs import Costs
from engines.execution import MARGIN_CALL_NAME
from engines.funding import constant_funding
from engines.instrument import Instrument
from engines.kernels.pending import CHAINS_MIN
from engines.kernels.trials import Market
from engines.klines import HOUR_MS, Klines
from engines.plan import CloseRule, Exits, LevelSource, Plan, Reentry, Sizing, SizingKind, Target
from engines.signals import Signals
from strategies.base import SignalStrategy
from strategies.ema_crossover import EmaCrossover
from tests.property import test_parts_equal_reference as of_parts
from tests.property.path_cases import Case, PlainWishes, case_of, check, compared, markets
from tests.property.test_chains_equal_reference import COSTS, TIERS
from tests.property.test_kernel_equals_reference import INSTRUMENTS
from tests.property.test_limits_equal_reference import limited
from tests.property.test_parts_equal_reference import COARSE, INSTRUMENT, PARTED, SEVERAL
from tests.property.test_plans_hold import START_MS
from tests.property.test_stacks_equal_reference import (
    GRID,
    SELDOM,
    STRATEGIES,
    Twice,
    check_case,
    stacked,
)

EXAMPLES, EXAMPLES_LONG = 60, 4_000
WHOLE = Instrument("R/USDT:USDT", 1.0, 0.001, margin_tiers=TIERS)
STOP = Exits(stop_loss_ratio=0.015, targets=SEVERAL, levels=LevelSource.PLAN)
SMALL = Sizing(SizingKind.EQUITY_RATIO, 0.1)


@dataclass(frozen=True)
class Sized(SignalStrategy):
    """Wishes of a grid, each with a size of its own."""

    place: int = 0

    def signals(self, klines: Klines) -> Signals:
        """Return the wishes at each close [T]."""
        return replace(
            GRID[self.place % len(GRID)].signals(klines), size=np.full(len(klines), 0.01)
        )


def whole(klines: Klines) -> Klines:
    """Return bars with every price rounded to a whole one."""
    return Klines(
        klines.symbol, klines.interval_ms, klines.open_time_ms, open=np.rint(klines.open),
        high=np.rint(klines.high), low=np.rint(klines.low), close=np.rint(klines.close),
        volume=klines.volume,
    )  # fmt: skip # a column a line


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Return strategies of random wishes on random bars, and a plan of parts that stacks follow."""
    seed, market = draw(markets((*INSTRUMENTS, *COARSE, WHOLE, WHOLE)))
    if draw(st.booleans()):
        market = replace(market, klines=whole(market.klines))
    plan, step = replace(draw(stacked()), close_rule=CloseRule.ANY), market.instrument.qty_step
    few = st.integers(1, 9).map(lambda steps: Sizing(SizingKind.QTY, steps * step))
    exits = replace(
        draw(of_parts.exits()), trailing=None, levels=LevelSource.PLAN,
        only_in_profit=plan.exits.only_in_profit,
    )  # fmt: skip # what it says
    rules = st.sampled_from([rule for rule in CloseRule if rule is not CloseRule.ALL])
    plan = replace(
        plan, exits=exits, sizing=draw(st.just(plan.sizing) | few), close_rule=draw(rules)
    )  # fmt: skip # what else it says
    if draw(SELDOM):
        plan = replace(draw(limited(plan)), process_on_close=False, reentry=Reentry())
    count = draw(st.integers(CHAINS_MIN, STRATEGIES))
    return case_of(market, plan, [PlainWishes(seed + own, own % 2 == 1) for own in range(count)])


test_stacked_parts_equal_reference_on_random_sets = compared(cases(), EXAMPLES, check_case)
test_stacked_parts_equal_reference_on_many_random_sets = pytest.mark.long(
    compared(cases(), EXAMPLES_LONG, check_case)
)


RULES = [rule for rule in CloseRule if rule is not CloseRule.ALL]
NAMES = [name for name, plan in PARTED.items() if plan.exits.trailing is None]


@pytest.mark.parametrize("settles", [False, True], ids=["at opens", "at closes"])
@pytest.mark.parametrize(("name", "rule"), list(zip(NAMES, cycle(RULES))))
def test_grids_of_stacked_parts_are_decided(
    name: str, rule: CloseRule, settles: bool, klines: Klines
) -> None:
    plan = replace(
        PARTED[name], pyramiding=3, close_rule=rule, sizing=SMALL, process_on_close=settles,
        exits=replace(PARTED[name].exits, levels=LevelSource.PLAN),
    )  # fmt: skip # what it holds, then how that ends
    funding, costs = constant_funding(0.0001, 8, klines), Costs(slippage_ticks=2)
    market = Market(klines, INSTRUMENT, costs, funding, since_ms=int(klines.open_time_ms[500]))
    assert check(market, plan, GRID) == 1.0


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_entries_of_few_steps_are_stacked(rule: CloseRule, steps: int, klines: Klines) -> None:
    sizing = Sizing(SizingKind.QTY, steps * INSTRUMENT.qty_step)
    plan = Plan(pyramiding=4, close_rule=rule, sizing=sizing, exits=STOP)
    assert check(Market(klines, INSTRUMENT, Costs()), plan, GRID) == 1.0


@pytest.mark.parametrize("rule", [CloseRule.FIFO, CloseRule.LIFO])
def test_margin_calls_take_from_what_targets_have_left(rule: CloseRule, klines: Klines) -> None:
    plan = Plan(
        sizing=Sizing(SizingKind.EQUITY_RATIO, 0.49), pyramiding=3, close_rule=rule,
        exits=replace(STOP, stop_loss_ratio=0.05),
    )  # fmt: skip # what it asks for, then how it ends
    market = Market(klines, INSTRUMENT, Costs(slippage_ticks=2))
    trades = run_backtest(GRID[1], klines, INSTRUMENT, plan, market.costs).trades
    assert sum(trade.exit_name == MARGIN_CALL_NAME for trade in trades) > 5
    assert check(market, plan, GRID) == 1.0


@pytest.mark.parametrize("rule", RULES)
def test_what_strategies_give_is_left_to_the_machine(rule: CloseRule, klines: Klines) -> None:
    market = Market(klines, INSTRUMENT, COSTS["notional"])
    crosses = [EmaCrossover(fast, slow) for fast in (5, 9, 14) for slow in (15, 21, 50)]
    exits = replace(STOP, levels=LevelSource.STRATEGY)
    plan = Plan(pyramiding=3, close_rule=rule, sizing=SMALL, exits=exits)
    assert check(market, plan, [*crosses]) == 0.0
    assert check(market, plan, [*crosses, *GRID]) == len(GRID) / (len(GRID) + len(crosses))
    assert check(market, replace(plan, exits=STOP), [*crosses]) == 1.0
    assert check(market, replace(plan, exits=STOP), [Sized(n) for n in range(CHAINS_MIN)]) == 0.0


WAYS = {
    "one price": [(100, 100, 100, 100), (100, 103, 100, 102)],
    "up and down": [(100, 102, 98, 99), (99, 100, 96, 97)],
    "a gap up": [(103, 104, 102, 103), (103, 103, 99, 99)],
    "a gap down": [(97, 98, 96, 97), (97, 103, 97, 101)],
    "down first": [(100, 103, 99, 102), (104, 104, 95, 96)],
}


@pytest.mark.parametrize("is_long", [True, False])
@pytest.mark.parametrize("rule", RULES)
def test_closes_of_several_entries_in_one_bar_come_in_their_order(
    rule: CloseRule, is_long: bool
) -> None:
    targets = Target(0.01, 0.5), Target(0.02, 0.3), Target(0.03, 0.2)
    exits = Exits(stop_loss_ratio=0.02, targets=targets, levels=LevelSource.PLAN)
    plans = [
        Plan(sizing=Sizing(SizingKind.QTY, qty), pyramiding=3, close_rule=rule, exits=exits)
        for qty in (0.001, 0.002, 0.004, 3.0)
    ]
    for second in (100, 101, 99):
        for way in WAYS.values():
            path = np.full((14, 4), 100.0)
            path[5], path[6] = (100, max(100, second), min(100, second), second), (second,) * 4
            path[6:8], path[8:] = way, float(way[-1][-1])
            path[6, 0] = second
            path[6, 1], path[6, 2] = path[6].max(), path[6].min()
            worth = path if is_long else 200.0 - path
            high, low = (worth[:, 1], worth[:, 2]) if is_long else (worth[:, 2], worth[:, 1])
            klines = Klines(
                "R/USDT:USDT", HOUR_MS, START_MS + HOUR_MS * np.arange(14), open=worth[:, 0],
                high=high, low=low, close=worth[:, 3], volume=np.ones(14),
            )  # fmt: skip # one list
            for costs in (Costs(), Costs(commission=0.0, slippage_ticks=1)):
                market = Market(klines, WHOLE, costs)
                strategies: list[SignalStrategy] = [Twice(is_long=is_long)] * CHAINS_MIN
                assert check(market, plans[0], strategies, others=plans[1:]) == 1.0
