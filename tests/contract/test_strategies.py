"""What every built-in strategy owes, as one contract class."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest

from engines.backtest import Backtest, run_backtest
from engines.causality import check_causal
from engines.costs import Costs
from engines.errors import ParameterFault
from engines.instrument import Instrument
from engines.klines import Klines
from engines.plan import Direction, Plan
from engines.synthetic import synthetic_klines
from engines.wishes import Tradable
from strategies.base import (
    PRESET_NAMES,
    OrderStrategy,
    Parameter,
    ParameterValue,
    SignalStrategy,
    Strategy,
)
from strategies.plain import frame_from_klines
from strategies.registry import REGISTRY

KLINES = synthetic_klines(600, 900_000, seed=7)
ORDINARY = synthetic_klines(3000, 900_000, seed=7)
WINDOWS = 400
INSTRUMENT = Instrument("SYNTHETIC", tick_size=0.1, qty_step=0.001)


def tradable(strategy: Strategy) -> Tradable:
    assert isinstance(strategy, SignalStrategy | OrderStrategy)
    return strategy


def traded(strategy: Strategy, klines: Klines) -> Backtest:
    return run_backtest(tradable(strategy), klines, INSTRUMENT, Plan(), Costs())


def bounds(cls: type[Strategy]) -> Iterator[tuple[Parameter, ParameterValue]]:
    """Yield every parameter with each value it may go to; both answers of a yes or no."""
    for item in cls.parameters():
        if isinstance(item.default, bool):
            yield item, not item.default
        for bound in (item.low, item.high):
            if bound is not None:
                yield item, type(item.default)(bound)


@pytest.mark.parametrize("id", REGISTRY)
class TestStrategyContract:
    def test_a_strategy_is_frozen_and_hashable(self, id: str) -> None:
        strategy = REGISTRY[id].load()()
        name = strategy.parameters()[0].name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(strategy, name, 1)
        assert hash(strategy) == hash(type(strategy)())

    def test_defaults_lie_within_bounds_and_on_the_step(self, id: str) -> None:
        for item in REGISTRY[id].load().parameters():
            if isinstance(item.default, bool | str):
                continue
            assert item.low is not None
            assert item.high is not None
            assert item.step is not None
            assert item.low <= item.default <= item.high
            steps = (item.default - item.low) / item.step
            assert steps == pytest.approx(round(steps))

    def test_every_parameter_runs_at_its_bounds_or_is_refused_by_the_check(self, id: str) -> None:
        cls = REGISTRY[id].load()
        ran = 0
        for item, value in bounds(cls):
            try:
                strategy = cls(**{item.name: value})
            except ParameterFault:
                continue
            assert np.isfinite(traded(strategy, KLINES).equity_quote).all()
            ran += 1
        assert ran >= len(cls.parameters())

    def test_values_beyond_the_bounds_are_refused(self, id: str) -> None:
        cls = REGISTRY[id].load()
        for item in cls.parameters():
            if item.high is not None:
                with pytest.raises(ParameterFault, match=item.name):
                    cls(**{item.name: type(item.default)(item.high + 1)})

    def test_taking_later_bars_away_changes_nothing_earlier(self, id: str) -> None:
        cls = REGISTRY[id].load()
        for values in cls.presets.values():
            check_causal(tradable(cls(**values)), KLINES, cuts_each=10)

    def test_it_trades_each_side_that_it_may_on_ordinary_bars(self, id: str) -> None:
        strategy = REGISTRY[id].load()()
        is_long_only = strategy.plan(Plan()).direction is Direction.LONG
        found = {trade.side for trade in traded(strategy, ORDINARY).trades}
        assert found == ({1} if is_long_only else {1, -1})

    def test_one_bar_is_enough_not_to_fail(self, id: str) -> None:
        assert len(traded(REGISTRY[id].load()(), KLINES.between(0, 1)).equity_quote) == 1

    def test_presets_are_valid_and_want_different_things(self, id: str) -> None:
        cls = REGISTRY[id].load()
        assert tuple(cls.presets) == PRESET_NAMES
        built = [cls(**values) for values in cls.presets.values()]
        assert len(set(built)) == len(PRESET_NAMES)
        assert len({tuple(map(str, traded(item, KLINES).trades)) for item in built}) == 3

    def test_the_values_of_presets_are_of_their_parameters_kind_and_on_the_step(
        self, id: str
    ) -> None:
        cls = REGISTRY[id].load()
        known = {item.name: item for item in cls.parameters()}
        for name, value in (pair for values in cls.presets.values() for pair in values.items()):
            item = known[name]
            assert type(value) is type(item.default)
            if item.step is not None:
                steps = (float(value) - (item.low or 0.0)) / item.step
                assert steps == pytest.approx(round(steps))

    def test_no_wish_to_enter_comes_before_the_bars_it_needs_and_one_may_come_then(
        self, id: str
    ) -> None:
        cls = REGISTRY[id].load()
        for values in cls.presets.values():
            strategy = cls(**values)
            if not isinstance(strategy, SignalStrategy):
                continue
            bars = strategy.min_bars()
            wishes = [
                strategy.signals(ORDINARY.between(start, start + bars + 20))
                for start in range(0, WINDOWS * 6, 6)
            ]
            enters = np.array([item.entry_long | item.entry_short for item in wishes])
            first = np.flatnonzero(enters.any(axis=0))[0]
            assert bars - 1 <= first <= bars + 4

    def test_the_plain_form_agrees_with_the_signals(self, id: str) -> None:
        strategy = REGISTRY[id].load()()
        if not isinstance(strategy, SignalStrategy):
            return
        wishes = strategy.signals(KLINES)
        answer = strategy.generate_signals(frame_from_klines(KLINES))["signal"].to_numpy()
        np.testing.assert_array_equal(answer == 1, wishes.entry_long)
        np.testing.assert_array_equal(answer == -1, wishes.entry_short)


def crossed(klines: Klines, fast: int, slow: int) -> list[int]:
    """Return the bars in which EMAs by their textbook loop cross, +bar upwards, -bar downwards."""

    def ema(period: int) -> list[float]:
        close = klines.close.tolist()
        values = [float("nan")] * (period - 1) + [sum(close[:period]) / period]
        for price in close[period:]:
            values.append(values[-1] + 2 / (period + 1) * (price - values[-1]))
        return values

    a, b = ema(fast), ema(slow)
    above = [x > y for x, y in zip(a, b, strict=True)]
    return [t if above[t] else -t for t in range(slow, len(klines)) if above[t] != above[t - 1]]


def test_ema_crossover_enters_where_a_textbook_loop_crosses() -> None:
    from strategies.ema_crossover import EmaCrossover

    wishes = EmaCrossover(require_trend=False).signals(KLINES)
    entries = [*np.flatnonzero(wishes.entry_long), *(-np.flatnonzero(wishes.entry_short))]
    assert sorted(map(int, entries), key=abs) == crossed(KLINES, 9, 21)


def test_ema_crossover_puts_the_target_rr_times_as_far_as_the_stop() -> None:
    from strategies.ema_crossover import EmaCrossover

    wishes = EmaCrossover(reward_ratio=3.0).signals(KLINES).priced()
    assert wishes.stop_price is not None
    assert wishes.target_price is not None
    entered = wishes.entry_long | wishes.entry_short
    stop = (KLINES.close - wishes.stop_price)[entered]
    target = (wishes.target_price - KLINES.close)[entered]
    np.testing.assert_allclose(target, 3.0 * stop)
    assert ((stop > 0) == wishes.entry_long[entered]).all()
    assert np.isnan(wishes.stop_price[~entered]).all()
