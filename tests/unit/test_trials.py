"""Many sets at once: their places, who ran them, and those that could not be run."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from engines.backtest import run_backtest
from engines.costs import Costs
from engines.errors import PlanFault, StrategyFault
from engines.features.moving_averages import ema
from engines.funding import constant_funding
from engines.instrument import Instrument
from engines.kernels.summary import SUMMARY
from engines.kernels.trials import Engine, Market, Trials
from engines.klines import MINUTE_MS, Klines
from engines.metrics.measure import measure
from engines.plan import (
    Direction,
    Exits,
    Plan,
    PositionMode,
    Reentry,
    Trailing,
    TrendFilter,
)
from engines.signals import Signals
from engines.synthetic import synthetic_klines
from engines.wishes import Tradable
from strategies.base import SignalStrategy
from strategies.channel_breakout import ChannelBreakout
from strategies.ema_crossover import EmaCrossover
from strategies.rsi_mean_reversion import RsiMeanReversion

BARS = 3_000
PLANS = (
    Plan(),
    Plan(exits=Exits(stop_loss_ratio=0.01, take_profit_ratio=0.03)),
    Plan(position_mode=PositionMode.HEDGE),
    Plan(position_qty_max=1e15),  # too many steps for the kernel, as good as no limit
)


@dataclass(frozen=True)
class Broken(SignalStrategy):
    """Fails whatever it is asked."""

    def signals(self, klines: Klines) -> Signals:
        raise StrategyFault("signals of Broken", "an answer", "none")


@dataclass(frozen=True)
class Scribbler(SignalStrategy):
    """Writes into what a feature gave it."""

    def signals(self, klines: Klines) -> Signals:
        average = ema(klines.close, 9)
        average[:20] = np.nan
        never = np.zeros(len(klines), dtype=np.bool_)
        return Signals(klines.close > average, klines.close < average, never, never)


@dataclass(frozen=True)
class Buggy(SignalStrategy):
    """Raises what is no fault."""

    def signals(self, klines: Klines) -> Signals:
        raise IndexError("bar 7 of 5")


@dataclass(frozen=True)
class BadPlanner(EmaCrossover):
    """Raises what is no fault when it is asked for its plan."""

    def plan(self, plan: Plan) -> Plan:
        raise ZeroDivisionError("by hand")


@dataclass(frozen=True)
class Raising:
    """Raises what it is told to."""

    error: BaseException

    def signals(self, klines: Klines) -> Signals:
        raise self.error


@pytest.fixture(scope="module")
def market() -> Market:
    """Return a month of bars with funding, the first ten days to warm up on."""
    klines = synthetic_klines(BARS, 15 * MINUTE_MS, seed=5)
    return Market(
        klines,
        Instrument("SYNTHETIC", 0.1, 0.001),
        Costs(),
        funding=constant_funding(0.0001, 8, klines),
        since_ms=int(klines.open_time_ms[1_000]),
    )


def reference_row(market: Market, strategy: Tradable, plan: Plan) -> list[float]:
    """Return the summary of the reference's run."""
    result = run_backtest(
        strategy, market.klines, market.instrument, plan, market.costs,
        since_ms=market.since_ms, funding=market.funding, mark=market.mark,
    )  # fmt: skip # who and where, then the rest
    figures = measure(result)
    return [figures[name] for name in SUMMARY]


def test_every_set_has_the_reference_s_summary_at_its_place(market: Market) -> None:
    strategies = (EmaCrossover(), EmaCrossover(fast=5))
    found = Trials(market, PLANS, threads=1).run(strategies)
    assert found.errors == {}
    assert found.values.shape == (2, 4, len(SUMMARY))
    for row, strategy in enumerate(strategies):
        for column, plan in enumerate(PLANS):
            wanted = reference_row(market, strategy, plan)
            np.testing.assert_allclose(found.values[row, column], wanted, rtol=1e-9, atol=1e-9)
    assert (found.values[:, :, SUMMARY.index("trades")] > 5).all()


def test_the_engine_of_each_set_is_told(market: Market) -> None:
    found = Trials(market, PLANS[1:], threads=1).run((EmaCrossover(),))
    assert found.engine.tolist() == [[Engine.MACHINE, Engine.MACHINE, Engine.REFERENCE]]


def test_strategies_with_orders_of_their_own_go_through_the_reference(market: Market) -> None:
    strategy = ChannelBreakout()
    found = Trials(market, PLANS[:1], threads=1).run((strategy,))
    assert found.engine.tolist() == [[Engine.REFERENCE]]
    np.testing.assert_array_equal(found.values[0, 0], reference_row(market, strategy, PLANS[0]))


def test_a_set_that_cannot_run_is_told_of_and_the_others_go_on(market: Market) -> None:
    found = Trials(market, PLANS[:2], threads=1).run((Broken(), EmaCrossover()))
    assert set(found.errors) == {(0, 0), (0, 1)}
    assert found.errors[0, 1] == "signals of Broken: expected an answer, found none"
    assert found.engine[0].tolist() == [Engine.NONE, Engine.NONE]
    assert np.isnan(found.values[0]).all()
    assert found.engine[1].tolist() == [Engine.MACHINE, Engine.MACHINE]


def test_a_strategy_that_raises_anything_is_told_of(market: Market) -> None:
    found = Trials(market, PLANS[:1], threads=1).run((Buggy(),))
    wanted = "signals of Buggy: expected an answer, found IndexError: bar 7 of 5"
    assert found.errors == {(0, 0): wanted}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (AssertionError("too few bars"), "AssertionError: too few bars"),
        (AssertionError(), "AssertionError"),
        (SystemExit(3), "SystemExit: 3"),
    ],
)
def test_a_strategy_s_own_assert_or_exit_costs_its_own_sets_alone(
    market: Market, error: BaseException, said: str
) -> None:
    found = Trials(market, PLANS[:1], threads=1).run((Raising(error), EmaCrossover()))
    assert found.errors == {(0, 0): f"signals of Raising: expected an answer, found {said}"}
    assert found.engine[:, 0].tolist() == [Engine.NONE, Engine.MACHINE]


def test_a_plan_that_a_strategy_fails_to_make_costs_its_own_sets_alone(market: Market) -> None:
    found = Trials(market, PLANS[:1], threads=1).run((BadPlanner(), EmaCrossover()))
    said = "plan of BadPlanner: expected an answer, found ZeroDivisionError: by hand"
    assert found.errors == {(0, 0): said}
    assert found.engine[:, 0].tolist() == [Engine.NONE, Engine.MACHINE]


def test_an_interrupt_and_an_assert_of_the_engine_s_end_the_run(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = Trials(market, PLANS[:1], threads=1)
    with pytest.raises(KeyboardInterrupt):
        trials.run((Raising(KeyboardInterrupt()),))

    def broken(*_: object) -> None:
        raise AssertionError("a broken invariant")

    monkeypatch.setattr("engines.kernels.trials.wants_of", broken)
    with pytest.raises(AssertionError, match="a broken invariant"):
        trials.run((EmaCrossover(),))


def test_a_strategy_may_write_into_what_a_feature_gave_it(market: Market) -> None:
    found = Trials(market, PLANS[:1], threads=1).run((EmaCrossover(), Scribbler(), EmaCrossover()))
    assert found.errors == {}
    np.testing.assert_array_equal(found.values[0], found.values[2])
    wanted = reference_row(market, Scribbler(), PLANS[0])
    np.testing.assert_allclose(found.values[1, 0], wanted, rtol=1e-9, atol=1e-9)


@dataclass(frozen=True)
class Reusing(SignalStrategy):
    """Gives its stops and sizes in the same columns each time, as a saving strategy would."""

    ratio: float = 0.01
    column = np.empty(BARS)

    def signals(self, klines: Klines) -> Signals:
        bars, none = np.arange(len(klines)), np.zeros(len(klines), np.bool_)
        np.multiply(klines.close, 1 - self.ratio, out=self.column)
        return Signals(bars % 20 == 5, none, none, none, stop_price=self.column[:])


def test_a_strategy_may_write_again_into_the_columns_that_it_gave(market: Market) -> None:
    strategies = Reusing(0.001), Reusing(0.02), Reusing(0.05)
    found = Trials(market, PLANS[:1], threads=1).run(strategies)
    for row, strategy in enumerate(strategies):
        wanted = reference_row(market, strategy, PLANS[0])
        np.testing.assert_allclose(found.values[row, 0], wanted, rtol=1e-12)


@dataclass(frozen=True)
class Borrowing(EmaCrossover):
    """Trades with more leverage than its instrument has if one average is as wished."""

    def plan(self, plan: Plan) -> Plan:
        return replace(plan, leverage=5.0) if self.fast == 5 else plan


def test_a_plan_that_the_instrument_does_not_allow_costs_its_own_sets_alone(
    market: Market,
) -> None:
    found = Trials(market, PLANS[:1], threads=1).run((Borrowing(fast=9), Borrowing(fast=5)))
    with pytest.raises(PlanFault) as raised:
        run_backtest(Borrowing(fast=5), market.klines, market.instrument, PLANS[0], market.costs)
    assert found.errors == {(1, 0): str(raised.value)}
    assert found.engine[:, 0].tolist() == [Engine.MACHINE, Engine.NONE]


def test_wishes_that_wait_for_the_machine_together_keep_their_places(market: Market) -> None:
    capped = Plan(  # as only it follows
        intraday_fills_max=6, reentry=Reentry(trades_per_day_max=9), direction=Direction.LONG,
        process_on_close=True,
    )  # fmt: skip # one plan
    stopped = replace(capped, exits=Exits(stop_loss_ratio=0.01))
    plans = capped, Plan(), stopped
    strategies = [EmaCrossover(fast=fast) for fast in range(3, 12)] + [RsiMeanReversion()]
    together = Trials(market, plans, threads=2).run(strategies)
    assert together.engine[:, 0].tolist() == [Engine.MACHINE] * len(strategies)
    for row, strategy in enumerate(strategies):
        alone = Trials(market, plans, threads=1).run([strategy])
        np.testing.assert_array_equal(together.values[row, ::2], alone.values[0, ::2])
        np.testing.assert_allclose(together.values[row, 1], alone.values[0, 1], 1e-12, 1e-9)
        assert together.engine[row, ::2].tolist() == alone.engine[0, ::2].tolist()


def test_some_sets_are_what_they_are_among_all(market: Market) -> None:
    free = replace(market, funding=None)  # so that chains and first passage have sets too
    stops = [Plan(exits=Exits(stop_loss_ratio=0.01 * step)) for step in range(1, 9)]
    wrong = Plan(filters=(TrendFilter(source="OTHER"),))
    plans = (*PLANS, *stops, Plan(exits=Exits(trailing=Trailing(0.004, 0.006))), wrong)
    crosses = [EmaCrossover(fast=fast) for fast in range(3, 9)]
    strategies: list[Tradable] = [*crosses, Buggy(), ChannelBreakout()]
    whole = Trials(free, plans, threads=1).run(strategies)
    rng = np.random.default_rng(3)
    columns = [np.flatnonzero(rng.random(len(plans)) < 0.6) for _ in strategies]
    columns[2] = columns[2][:0]
    some = Trials(free, plans, threads=1).run_some(strategies, columns)
    pairs = [(row, column) for row, own in enumerate(columns) for column in own.tolist()]
    # Which faster engine runs a set may depend on how many plans there are.
    for engine in (Engine.NONE, Engine.REFERENCE):
        told = [whole.engine[pair] == engine for pair in pairs]
        assert (some.engine == engine).tolist() == told
    assert set(some.engine.tolist()) == {*Engine} - {Engine.GPU}
    np.testing.assert_allclose(
        some.values, [whole.values[pair] for pair in pairs], rtol=1e-12, atol=1e-9
    )
    wanted = {place: whole.errors[pair] for place, pair in enumerate(pairs) if pair in whole.errors}
    assert some.errors == wanted
    assert len(wanted) > len(columns[6])
