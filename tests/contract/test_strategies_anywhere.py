"""Anywhere in its parameter space a signal strategy is causal and its wishes are orders."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.errors import ParameterFault
from engines.signals import Signals
from engines.synthetic import synthetic_klines
from strategies.base import Parameter, ParameterValue, SignalStrategy
from strategies.registry import REGISTRY

BARS = 500
MARKETS = [synthetic_klines(BARS, 900_000, seed=seed) for seed in (1, 2, 3)]
SIGNAL_IDS = [id for id in REGISTRY if id != "channel_breakout"]


def value_of(item: Parameter, draw: st.DrawFn) -> ParameterValue:
    """Draw a value on the step of a parameter."""
    if isinstance(item.default, bool):
        return draw(st.booleans())
    if item.name in ("lower", "upper"):  # A grid's edges, around the price of the market.
        edge = {"lower": 25_000.0, "upper": 33_000.0}[item.name]
        return draw(st.sampled_from([0.0, edge, edge + 3_000.0]))
    assert item.low is not None
    assert item.high is not None
    assert item.step is not None
    steps = draw(st.integers(0, round((item.high - item.low) / item.step)))
    return type(item.default)(min(item.low + steps * item.step, item.high))


def require_orders(wishes: Signals, close: np.ndarray) -> None:
    """See that each stop lies on the losing side of the close, each target on the winning one."""
    enters = wishes.entry_long | wishes.entry_short
    side = np.where(wishes.entry_long, 1.0, -1.0)
    for name, sign in (("stop_price", -1.0), ("target_price", 1.0)):
        prices = getattr(wishes, name)
        if prices is not None:
            assert (sign * side * (prices - close) > 0)[enters].all(), name
            assert np.isnan(prices[~enters]).all(), name
    if wishes.equity_ratio is not None:
        assert (wishes.equity_ratio[enters] > 0).all()
        assert np.isnan(wishes.equity_ratio[~enters]).all()


@pytest.mark.parametrize("id", SIGNAL_IDS)
def test_wishes_are_causal_orders_wherever_the_parameters_lie(id: str) -> None:
    cls = REGISTRY[id].load()
    tried = 0

    @settings(max_examples=25)
    @given(st.data())
    def holds(drawn: st.DataObject) -> None:
        nonlocal tried
        draw = st.composite(lambda draw: {i.name: value_of(i, draw) for i in cls.parameters()})
        values, market = drawn.draw(draw()), drawn.draw(st.sampled_from(MARKETS))
        try:
            strategy = cls(**values)
        except ParameterFault:
            return
        assert isinstance(strategy, SignalStrategy)
        tried += 1
        whole = strategy.signals(market)
        require_orders(whole.priced(), market.close)
        enters = np.flatnonzero(whole.entry_long | whole.entry_short)
        assert not enters.size or enters[0] >= strategy.min_bars() - 1
        cut = drawn.draw(st.integers(1, BARS - 1))
        part = strategy.signals(market.between(0, cut))
        np.testing.assert_array_equal(part.entry_long, whole.entry_long[:cut])
        np.testing.assert_array_equal(part.entry_short, whole.entry_short[:cut])
        np.testing.assert_array_equal(part.exit_long, whole.exit_long[:cut])
        np.testing.assert_array_equal(part.exit_short, whole.exit_short[:cut])

    holds()
    assert tried > 3
