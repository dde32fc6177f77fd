"""What the first-passage path makes of sets equals the reference's runs in every figure.

Plans are drawn from `plans_random` within what the path follows, with a grid of stops and targets
of all kinds; bars and wishes come from a seed. What a figure may differ by is that of the machine's
summary. A set that the path leaves to the machine proves nothing, so it is counted that most are
decided.
"""

from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from engines.backtest import run_backtest
from engines.costs import Costs
from engines.funding import Funding, constant_funding, settlements_of
from engines.instrument import Instrument
from engines.kernels.cpu import bars_of
from engines.kernels.passage import runs
from engines.kernels.plan_terms import terms_row
from engines.kernels.summary import FIGURES, SUMMARY
from engines.kernels.trials import Market
from engines.kernels.wants import charges_of, wants_of
from engines.klines import MINUTE_MS, Klines
from engines.metrics.measure import measure
from engines.plan import Exits, LevelSource, Plan, Sizing, SizingKind
from engines.rules.columns import rule_columns
from engines.signals import Signals
from engines.synthetic import synthetic_klines
from engines.types import BOOL_1D, F64_1D
from strategies.base import SignalStrategy
from strategies.registry import REGISTRY
from tests.property.path_cases import PlainWishes, can_run, followed, followed_costs, fundings
from tests.property.test_kernel_equals_reference import INSTRUMENTS
from tests.property.test_plans_hold import BARS_MAX, klines_of_seed
from tests.property.test_summary_equals_measure import check_summary

EXAMPLES, EXAMPLES_LONG = 150, 6_000
RATIOS = (0.002, 0.01, 0.03, 0.3)
MULTIPLES = (0.3, 1.0, 4.0)
NOT_FOLLOWED = {"dca", "grid_trading", "channel_breakout"}  # several entries, or own orders


@dataclass(frozen=True)
class Case:
    """Sets that differ in their levels only."""

    klines: Klines
    instrument: Instrument
    plans: tuple[Plan, ...]
    costs: Costs
    strategy: SignalStrategy
    since_ms: int | None = None
    funding: Funding | None = None
    tile_events: int = runs.TILE_EVENTS

    def run(self) -> tuple[F64_1D, BOOL_1D]:
        """Return the figures of all sets, and which were decided."""
        plan, klines, instrument = self.plans[0], self.klines, self.instrument
        start = 0 if self.since_ms is None else klines.index_at(self.since_ms)
        signals = self.strategy.signals(klines)
        if plan.exits.levels is LevelSource.PLAN:
            signals = signals.without_levels()
        rules = rule_columns(max(self.plans, key=lambda p: p.exits.uses_atr), klines)
        terms = np.array([terms_row(p, self.costs, instrument, start) for p in self.plans])
        found = np.ones((len(terms), FIGURES + 1))
        charges = charges_of(
            self.costs, klines, instrument, settlements_of(plan, klines, self.funding, None)
        )
        bars, wants = bars_of(klines, instrument.time_zone, start), wants_of(signals, rules)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(runs, "TILE_EVENTS", self.tile_events)
            runs.run_first_passage(bars, wants, charges, terms, found)
        return found[:, :FIGURES], found[:, FIGURES] == 0

    def check(self) -> float:
        """Compare every set that is decided with the reference; return their share."""
        found, is_decided = self.run()
        for place in np.flatnonzero(is_decided):
            theirs = run_backtest(
                self.strategy, self.klines, self.instrument, self.plans[place], self.costs,
                since_ms=self.since_ms, funding=self.funding,
            )  # fmt: skip # who and where, then the rest
            check_summary(found[place], theirs)
        return float(is_decided.mean())


@st.composite
def plans(draw: st.DrawFn) -> tuple[Plan, ...]:
    """Return a plan with several stops and targets."""
    plan = draw(followed())
    stops = draw(levels("stop_loss_ratio", "stop_atr", may_be_both=True))
    targets = draw(levels("take_profit_ratio", "target_atr", may_be_both=False))
    source, period = draw(st.sampled_from(LevelSource)), draw(st.integers(2, 20))
    return tuple(
        replace(plan, exits=Exits(**stop, **target, levels=source, atr_period=period))
        for stop, target in product(stops, targets)
    )


@st.composite
def levels(draw: st.DrawFn, ratio: str, atr: str, may_be_both: bool) -> list[dict[str, Any]]:
    """Return one to four levels, as settings of `Exits`."""
    kinds = [
        st.just({}),
        st.sampled_from(RATIOS).map(lambda value: {ratio: value}),
        st.sampled_from(MULTIPLES).map(lambda value: {atr: value}),
    ]
    if may_be_both:
        kinds.append(
            st.tuples(st.sampled_from(RATIOS), st.sampled_from(MULTIPLES)).map(
                lambda pair: {ratio: pair[0], atr: pair[1]}
            )
        )
    return draw(st.lists(st.one_of(kinds), min_size=1, max_size=4))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Return sets on random bars and wishes."""
    seed = draw(st.integers(0, 2**32 - 1))
    klines = klines_of_seed(seed, draw(st.integers(2, BARS_MAX)))
    costs = draw(followed_costs())
    start = draw(st.integers(0, 30))
    return Case(
        klines, draw(st.sampled_from(INSTRUMENTS)), draw(plans()), costs,
        PlainWishes(seed, draw(st.booleans())),
        since_ms=int(klines.open_time_ms[min(start, len(klines) - 1)]),
        funding=draw(fundings(klines)),
        tile_events=draw(st.sampled_from((1, 2, 3, 8, runs.TILE_EVENTS))),
    )  # fmt: skip # one call


def check(case: Case) -> None:
    """Compare a case, unless its plans cannot be run at all."""
    if can_run(Market(case.klines, case.instrument, case.costs), case.plans[0]):
        event(f"decided: {case.check():.1f}")


@settings(max_examples=EXAMPLES)
@given(case=cases())
def test_first_passage_equals_reference_on_random_sets(case: Case) -> None:
    check(case)


@pytest.mark.long
@settings(max_examples=EXAMPLES_LONG)
@given(case=cases())
def test_first_passage_equals_reference_on_many_random_sets(case: Case) -> None:
    check(case)


@pytest.fixture(scope="module")
def klines() -> Klines:
    """Return two months of synthetic bars."""
    return synthetic_klines(6_000, 15 * MINUTE_MS, seed=11)


GRID = tuple(product((None, 0.004, 0.02), (None, 0.006, 0.03)))


@pytest.mark.parametrize("name", [name for name in REGISTRY if name not in NOT_FOLLOWED])
@pytest.mark.parametrize("source", LevelSource)
def test_built_in_strategies_on_a_grid_are_decided(
    name: str, source: LevelSource, klines: Klines
) -> None:
    strategy = REGISTRY[name].load()()
    assert isinstance(strategy, SignalStrategy)
    plans = tuple(
        Plan(exits=Exits(stop_loss_ratio=stop, take_profit_ratio=target, levels=source))
        for stop, target in GRID
    )
    case = Case(
        klines, Instrument("SYNTHETIC", 0.1, 0.001), plans, Costs(slippage_ticks=2), strategy,
        funding=constant_funding(0.0001, 8, klines) if source is LevelSource.PLAN else None,
    )  # fmt: skip # one call
    assert case.check() == 1.0


@dataclass(frozen=True)
class SeldomLong(SignalStrategy):
    """An entry every 40 bars, which only a level ends: after hours in some sets, or months."""

    @classmethod
    def parameters(cls) -> tuple[()]:
        """Return none."""
        return ()

    def signals(self, klines: Klines) -> Signals:
        """Return the wishes at each close [T]."""
        none = np.zeros(len(klines), np.bool_)
        return Signals(np.arange(len(klines)) % 40 == 0, none, none, none)


@pytest.mark.parametrize("strategy", [SeldomLong(), REGISTRY["macd_trend"].load()()])
@pytest.mark.parametrize("tile_events", [1, 7])
def test_tiles_change_no_bit_of_any_figure(strategy: SignalStrategy, tile_events: int) -> None:
    klines = synthetic_klines(2_000, 240 * MINUTE_MS, seed=5)
    ratios = (0.004, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)  # more sets than lanes
    plans = tuple(
        Plan(exits=Exits(stop_loss_ratio=stop, take_profit_ratio=target, levels=LevelSource.PLAN))
        for stop, target in product(ratios, ratios)
    )
    case = Case(
        klines, Instrument("SYNTHETIC", 0.1, 0.001), plans, Costs(slippage_ticks=2), strategy,
        funding=constant_funding(0.0001, 8, klines),
    )  # fmt: skip # one call
    whole, is_decided = case.run()
    assert is_decided.all()
    assert len(np.unique(whole[:, SUMMARY.index("net_profit_quote")])) > len(plans) / 2
    np.testing.assert_array_equal(replace(case, tile_events=tile_events).run()[0], whole)


def test_a_set_that_may_meet_a_margin_call_is_left_to_the_machine(klines: Klines) -> None:
    strategy = REGISTRY["macd_trend"].load()()
    assert isinstance(strategy, SignalStrategy)
    plans = tuple(
        Plan(sizing=Sizing(SizingKind.EQUITY_RATIO, share), exits=Exits(stop_loss_ratio=0.02))
        for share in (0.1, 1.0)
    )
    case = Case(klines, Instrument("SYNTHETIC", 0.1, 0.001), plans, Costs(), strategy)
    assert case.run()[1].tolist() == [True, False]


def test_every_set_has_the_trades_of_its_own_levels(klines: Klines) -> None:
    strategy = REGISTRY["macd_trend"].load()()
    assert isinstance(strategy, SignalStrategy)
    plans = tuple(
        Plan(exits=Exits(stop_loss_ratio=stop, take_profit_ratio=target, levels=LevelSource.PLAN))
        for stop, target in product((0.002, 0.004, 0.008), (0.003, 0.009))
    )
    instrument = Instrument("SYNTHETIC", 0.1, 0.001)
    found, is_decided = Case(klines, instrument, plans, Costs(), strategy).run()
    assert is_decided.all()
    figures = [measure(run_backtest(strategy, klines, instrument, p, Costs())) for p in plans]
    wins = [item["wins"] for item in figures]
    assert found[:, SUMMARY.index("wins")].tolist() == wins
    assert len(set(wins)) == len(wins)
