"""Sets whose entries hang on how earlier positions went equal the reference's runs.

Plans are those of `test_chains_equal_reference` with rules that look back: delays, cooldowns, the
most trades of a day and week, losses in a row, exits in profit alone, Kelly's sizing. Wishes come
from seeds, and there are more strategies than lanes. A set that is left to the machine proves
nothing of gates, so where nothing may be left to it, that is asserted.
"""

from dataclasses import replace
from itertools import cycle, repeat

import pytest
from hypothesis import strategies as st

from engines.backtest import run_backtest
from engines.costs import Costs
from engines.funding import constant_funding
from engines.instrument import Instrument
from engines.kernels.pending import CHAINS_MIN
from engines.kernels.trials import GIVEN_MAX, Engine, Market, Trials
from engines.klines import Klines
from engines.plan import (
    Direction,
    Exits,
    Hours,
    LevelSource,
    Plan,
    Reentry,
    Session,
    Sizing,
    SizingKind,
    Trailing,
)
from strategies.ema_crossover import EmaCrossover
from tests.property import plans_random as random_plans
from tests.property.path_cases import Case, PlainWishes, case_of, check, compared, followed, markets
from tests.property.test_chains_equal_reference import COSTS, Rare, exits
from tests.property.test_summary_equals_measure import check_summary

EXAMPLES, EXAMPLES_LONG, STRATEGIES = 40, 4_000, 20


@st.composite
def reentries(draw: st.DrawFn) -> Reentry:
    """Return rules of which some look back, or none."""
    most = st.none() | st.integers(1, 4)
    return draw(
        st.builds(
            Reentry,
            delay_bars=st.sampled_from((0, 0, 1, 3, 12)),
            cooldown_bars=st.sampled_from((0, 0, 1, 4, 20)),
            trades_per_day_max=most,
            trades_per_week_max=most | st.integers(5, 15),
            losses_in_a_row_max=most,
        )
    )


def kellys() -> st.SearchStrategy[Sizing]:
    """Return Kelly's sizing by few rounds, whose share is often at a bound or nothing."""
    return st.builds(
        Sizing,
        st.just(SizingKind.KELLY),
        value=st.sampled_from((0.1, 0.5, 1.0)),
        ratio_min=st.sampled_from((0.0, 0.0, 0.01)),
        ratio_max=st.sampled_from((0.02, 0.5, 1.0)),
        trades=st.integers(3, 30),
        trades_min=st.integers(1, 3),
    )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Return strategies of random wishes on random bars, and a plan that gates follow."""
    seed, market = draw(markets())
    count = draw(st.integers(CHAINS_MIN, STRATEGIES))
    plan = replace(
        draw(followed()), sizing=draw(random_plans.sizings() | kellys()), reentry=draw(reentries()),
        exits=replace(draw(exits()), only_in_profit=draw(st.booleans())),
        process_on_close=draw(st.sampled_from((False, False, True))),
    )  # fmt: skip # one plan
    return case_of(market, plan, [PlainWishes(seed + own, own % 2 == 1) for own in range(count)])


test_gates_equal_reference_on_random_sets = compared(cases(), EXAMPLES)
test_gates_equal_reference_on_many_random_sets = pytest.mark.long(compared(cases(), EXAMPLES_LONG))


STOP = Exits(stop_loss_ratio=0.01, take_profit_ratio=0.02, levels=LevelSource.PLAN)
PLANS = {
    "delay": Plan(reentry=Reentry(delay_bars=6), exits=STOP),
    "cooldown": Plan(
        reentry=Reentry(delay_bars=2, cooldown_bars=20), sizing=Sizing(SizingKind.RISK, 0.002),
        exits=Exits(stop_loss_ratio=0.01, trailing=Trailing(0.005, 0.01)),
    ),
    "a day": Plan(reentry=Reentry(trades_per_day_max=1), exits=STOP),
    "a week": Plan(
        reentry=Reentry(trades_per_week_max=3), sizing=Sizing(SizingKind.EQUITY_RATIO, 0.3),
        exits=Exits(stop_atr=3.0, target_atr=4.0),
    ),
    "losses": Plan(reentry=Reentry(losses_in_a_row_max=2), direction=Direction.LONG, exits=STOP),
    "one side": Plan(
        reentry=Reentry(trades_per_day_max=2), direction=Direction.LONG, exits=STOP,
        hours=Hours(session=Session("08:00", "20:00"), bars_held_max=60),
    ),
    "one side a week": Plan(
        reentry=Reentry(1, 10, 3, 8, 3), direction=Direction.SHORT,
        sizing=Sizing(SizingKind.EQUITY_RATIO, 0.3), exits=replace(STOP, only_in_profit=True),
    ),
    "all of them": Plan(
        reentry=Reentry(2, 20, 2, 8, 3), exits=STOP,
        hours=Hours(session=Session("08:00", "20:00"), bars_held_max=60),
    ),
    "no levels": Plan(
        reentry=Reentry(1, 10, 2, 8, 2), exits=Exits(levels=LevelSource.PLAN)
    ),
    "in profit": Plan(exits=replace(STOP, only_in_profit=True), hours=Hours(bars_held_max=300)),
    "in profit alone": Plan(exits=Exits(only_in_profit=True), direction=Direction.SHORT),
    "in profit and seldom": Plan(
        reentry=Reentry(1, 10, 2, 8, 2), exits=Exits(stop_loss_ratio=0.02, only_in_profit=True)
    ),
    "kelly": Plan(sizing=Sizing(SizingKind.KELLY, 0.5), exits=STOP),
    "kelly and all": Plan(
        sizing=Sizing(SizingKind.KELLY, 0.3, trades=7, trades_min=3),
        reentry=Reentry(1, 10, 2, 8, 3), exits=replace(STOP, only_in_profit=True),
    ),
}  # fmt: skip # one table
AT_CLOSES = "all of them", "in profit and seldom", "kelly and all", "one side"
INSTRUMENT = Instrument("SYNTHETIC", 0.1, 0.001, time_zone="America/New_York")


@pytest.mark.parametrize(
    ("name", "settles", "costs"),
    [
        *zip(PLANS, repeat(False), cycle(COSTS.values())),
        *zip(AT_CLOSES, repeat(True), cycle(COSTS.values())),
    ],
)
def test_signal_grids_that_look_back_are_decided(
    name: str, settles: bool, costs: Costs, klines: Klines
) -> None:
    crosses = [EmaCrossover(fast, slow) for fast in (5, 9, 14) for slow in (15, 21, 50)]
    rare = [Rare(every, leaves) for every in (40, 2_000) for leaves in (False, True)]
    own = replace(PLANS[name].exits, levels=LevelSource.PLAN)
    plan = replace(PLANS[name], exits=own, process_on_close=settles)
    funding = constant_funding(0.0001, 8, klines)
    market = Market(klines, INSTRUMENT, costs, funding, since_ms=int(klines.open_time_ms[500]))
    assert check(market, plan, [*crosses, *rare], times=2) == 1.0


def test_shares_of_their_own_where_one_side_counts_are_left_to_the_machine(klines: Klines) -> None:
    plan = Plan(
        sizing=Sizing(SizingKind.RISK, 0.002), direction=Direction.LONG,
        reentry=Reentry(trades_per_day_max=2), exits=STOP,
    )  # fmt: skip # one plan
    assert check(Market(klines, INSTRUMENT, Costs()), plan, [Rare(40), Rare(300)], times=10) == 0.0


def test_strategies_with_levels_of_their_own_are_decided(klines: Klines) -> None:
    crosses = [EmaCrossover(fast, slow) for fast in (5, 9, 14) for slow in (15, 21, 50)]
    plan = Plan(reentry=Reentry(2, 20, 2, 8, 3))
    market = Market(klines, INSTRUMENT, COSTS["notional"])
    assert check(market, plan, [*crosses, Rare()], times=2) == 1.0


def test_many_plans_with_levels_of_strategies_are_decided(klines: Klines) -> None:
    crosses = [EmaCrossover(fast, slow) for fast in (5, 9, 14) for slow in (15, 21, 50)]
    plans = [Plan(reentry=Reentry(cooldown_bars=2 * bars)) for bars in range(GIVEN_MAX + 4)]
    market = Market(klines, INSTRUMENT, COSTS["notional"])
    found = Trials(market, plans, 1).run(crosses)
    assert (found.engine == Engine.FIRST_PASSAGE).all()
    theirs = run_backtest(crosses[4], klines, INSTRUMENT, plans[-1], market.costs)
    check_summary(found.values[4, -1], theirs)
