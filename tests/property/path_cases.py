"""What the property tests of the kernel's paths share: what they draw, and one comparison.

A path is a way to run sets without the machine: all stops and targets of one entry (first passage),
or many strategies under one plan (chains, and what is built on them). A test module draws `Case`s
that its path follows, `compared` makes its two tests of them, and `check` says how many sets the
path has decided, since one that it leaves to the machine proves nothing of it.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, TypeAlias

import numpy as np
from hypothesis import event, given, settings
from hypothesis import strategies as st

from engines.backtest import run_backtest
from engines.costs import Costs, SlippageKind
from engines.errors import PlanFault
from engines.funding import Funding, constant_funding
from engines.instrument import Instrument
from engines.kernels.plan_terms import price_range, refusal
from engines.kernels.summary import SUMMARY
from engines.kernels.trials import Engine, Market, Trials
from engines.klines import MINUTE_MS, Klines
from engines.plan import Direction, Exits, MarginMode, Plan, PositionMode, SizingKind
from engines.plan import Market as Traded
from engines.rules.columns import rule_columns
from engines.signals import Signals
from strategies.base import SignalStrategy
from tests.property import plans_random as random_plans
from tests.property.test_kernel_equals_reference import INSTRUMENTS
from tests.property.test_plans_hold import BARS_MAX, Wishes, klines_of_seed
from tests.property.test_summary_equals_measure import check_summary

Case: TypeAlias = tuple[Market, Plan, list[SignalStrategy]]
INSIDE_MS = 20 * MINUTE_MS
DECIDED_MIN = 0.3  # of sets, in the mean; cases hang on what else is imported where they are drawn
SIZES = (SizingKind.QTY, SizingKind.CASH, SizingKind.EQUITY_RATIO)


@dataclass(frozen=True)
class PlainWishes(SignalStrategy):
    """The wishes of a seed without sizes of their own, and perhaps without levels."""

    seed: int = 0
    has_levels: bool = False

    @classmethod
    def parameters(cls) -> tuple[()]:
        """Return none: a seed is no parameter."""
        return ()

    def signals(self, klines: Klines) -> Signals:
        """Return random wishes."""
        wishes = replace(Wishes(self.seed).signals(klines), size=None, equity_ratio=None)
        return wishes if self.has_levels else wishes.without_levels()


@st.composite
def followed(draw: st.DrawFn) -> Plan:
    """Return a plan that first passage follows, without stops and targets."""
    held = {
        "market": st.just(Traded.LINEAR),
        "sizing": random_plans.sizings().filter(lambda sizing: sizing.kind in SIZES),
        "position_mode": st.just(PositionMode.NET),
        "pyramiding": st.just(1),
        "exits": st.just(Exits()),
        "capital_quote": st.sampled_from((1_000.0, 10_000.0, 98_765.4)),
        "limit_verify_ticks": st.just(0),
        "leverage": st.just(1.0),
    }
    plain = Plan()
    for name in (
        "entry", "reentry", "ladder", "process_on_close", "intraday_fills_max",
        "intraday_loss_ratio_max", "intraday_loss_quote_max",
    ):  # fmt: skip # one list
        held[name] = st.just(getattr(plain, name))
    for name in ("hours", "filters", "closes", "margin_long_ratio", "position_qty_max"):
        if draw(st.booleans()):
            held[name] = st.just(getattr(plain, name))
    return draw(random_plans.plans(**held))


@st.composite
def fundings(draw: st.DrawFn, klines: Klines) -> Funding | None:
    """Return funding at a rate that may be high, or none; it settles at opens, inside bars or both.

    Bars are of whole hours or less, so what settles at whole hours alone settles at opens.
    """
    rate = draw(st.sampled_from((None, 0.0001, -0.0003, 0.004)))
    if rate is None:
        return None
    at_opens, inside = constant_funding(rate, draw(st.sampled_from((1, 8))), klines), INSIDE_MS
    times = {
        "at opens": at_opens.time_ms,
        "inside": at_opens.time_ms + inside,
        "both": np.sort(np.concatenate([at_opens.time_ms, at_opens.time_ms + inside])),
    }[draw(st.sampled_from(("at opens", "inside", "both")))]
    return Funding(times, np.full(len(times), rate))


def followed_costs() -> st.SearchStrategy[Costs]:
    """Return costs that do not depend on the size of a fill."""
    by_size = SlippageKind.VOLUME, SlippageKind.COMBINED
    return random_plans.costs().filter(lambda costs: costs.slippage_kind not in by_size)


@st.composite
def borrowed(draw: st.DrawFn, plan: Plan) -> Plan:
    """Return a plan with leverage, or of the coin itself, or as it is."""
    kind = draw(st.sampled_from(("as it is", "as it is", "leverage", "coin")))
    if kind == "as it is":
        return plan
    plan = replace(plan, margin_long_ratio=1.0, margin_short_ratio=1.0)
    if kind == "coin":
        return replace(plan, market=Traded.SPOT, direction=Direction.LONG)
    leverage, mode = draw(st.sampled_from((1.5, 5.0, 20.0))), draw(st.sampled_from(MarginMode))
    return replace(plan, leverage=leverage, margin_mode=mode)


@st.composite
def markets(draw: st.DrawFn, instruments: Sequence[Instrument] = INSTRUMENTS) -> tuple[int, Market]:
    """Return random bars that are traded from some bar on, and the seed that they come from."""
    seed = draw(st.integers(0, 2**31))
    klines = klines_of_seed(seed, draw(st.integers(2, BARS_MAX)))
    start = min(draw(st.integers(0, 30)), len(klines) - 1)
    return seed, Market(
        klines, draw(st.sampled_from(instruments)), draw(followed_costs()), draw(fundings(klines)),
        since_ms=int(klines.open_time_ms[start]),
    )  # fmt: skip # what is traded, then from when


def case_of(market: Market, plan: Plan, strategies: list[SignalStrategy]) -> Case:
    """Return a case; the coin itself pays no funding."""
    is_spot = plan.market is Traded.SPOT
    return replace(market, funding=None) if is_spot else market, plan, strategies


def can_run(market: Market, plan: Plan) -> bool:
    """Return whether a plan can be run at all, and not by the reference alone."""
    try:
        rule_columns(plan, market.klines)
    except PlanFault:
        return False
    return refusal(plan, market.costs, market.instrument, price_range(market.klines)) is None


def check(
    market: Market, plan: Plan, strategies: list[SignalStrategy], times: int = 1,
    others: Sequence[Plan] = (),
) -> float:  # fmt: skip # what is run, then how
    """Compare every set with the reference; return the share that chains have decided.

    Where strategies come several times, lists of them run aside, and the sets of each are equal.
    `others` are plans that run in the same call.
    """
    plans = [plan, *others]
    with ThreadPoolExecutor(1) as aside:
        trials = Trials(market, plans, 1, aside=aside if times > 1 else None)
        found = trials.run(strategies * times)
    assert found.errors == {}
    repeated = found.values.reshape(times, len(strategies), len(plans), len(SUMMARY))
    np.testing.assert_array_equal(repeated, np.broadcast_to(repeated[0], repeated.shape))
    for (row, strategy), (column, own) in product(enumerate(strategies), enumerate(plans)):
        theirs = run_backtest(
            strategy, market.klines, market.instrument, own, market.costs,
            since_ms=market.since_ms, funding=market.funding, mark=market.mark,
        )  # fmt: skip # who and where, then the rest
        check_summary(found.values[row, column], theirs)
    return float((found.engine == Engine.FIRST_PASSAGE).mean())


def check_case(case: Case) -> float | None:
    """Compare a case; return the share that is decided, None if its plan cannot be run at all."""
    market, plan, _ = case
    if not can_run(market, plan):
        return None
    decided = check(*case)
    event(f"decided: {decided:.1f}")
    return decided


def check_together(cases: tuple[Case, ...]) -> float | None:
    """Compare plans of several cases in one call, on the market and strategies of the first."""
    market, _, strategies = cases[0]
    plans = [plan for _, plan, _ in cases]
    if any(plan.market is Traded.SPOT for plan in plans):  # which pays no funding
        market = replace(market, funding=None)
    plans = [plan for plan in plans if can_run(market, plan)]
    return check(market, plans[0], strategies, others=plans[1:]) if plans else None


def compared(
    cases: st.SearchStrategy[Any], examples: int,
    compare: Callable[[Any], float | None] = check_case,
) -> Callable[[], None]:  # fmt: skip # what is compared, then how
    """Return a test that compares so many random cases, of which most sets must be decided."""
    shares = list[float]()

    @settings(max_examples=examples)
    @given(case=cases)
    def explore(case: Any) -> None:
        decided = compare(case)
        if decided is not None:
            shares.append(decided)

    def test() -> None:
        shares.clear()
        explore()
        assert np.mean(shares) > DECIDED_MIN, "a path that decides little proves little of itself"

    return test
