"""The signals of the eleven equal those of an independent computation, column by column."""

import dataclasses

import numpy as np
import pytest

from engines.klines import MINUTE_MS, Klines
from engines.synthetic import synthetic_klines
from strategies.base import PRESET_NAMES, SignalStrategy
from strategies.plain import frame_from_klines
from strategies.registry import REGISTRY
from tests.contract.plain_rules import RULES
from tests.parity.truth import KLINES_FOLDER, bars, needs_truth

CASES = [(id, preset) for id in RULES for preset in PRESET_NAMES]
# Parameters that no preset turns.
SWITCHED: list[tuple[str, dict[str, object]]] = [
    ("macd_trend", {"require_histogram": False}),
    ("bollinger_bands", {"require_rsi": False}),
    ("rsi_momentum", {"strong": 55.0, "threshold": 54.0}),
    ("grid_trading", {"target_per_grid": False, "grids": 5}),
    ("grid_trading", {"lower": 28_000.0, "upper": 33_000.0, "grids": 25}),
]


def require_equal(strategy: SignalStrategy, klines: Klines, id: str) -> None:
    """Compare every column of both computations and see that there is something to compare."""
    found = strategy.signals(klines).priced()
    frame = frame_from_klines(klines).reset_index(drop=True)
    wanted = RULES[id](frame, dataclasses.asdict(strategy))
    decided = ~wanted.get("undecided", wanted.long & False).to_numpy(dtype=bool)
    assert decided.mean() > 0.98
    for name in ("entry_long", "entry_short", "exit_long", "exit_short"):
        column = wanted[name.removeprefix("entry_")].to_numpy(dtype=bool)
        differ = np.flatnonzero((getattr(found, name) != column) & decided)
        assert not differ.size, f"{id} {name}: {differ.size} bars, the first {differ[:5]}"
    for name, short in (
        ("stop_price", "stop"),
        ("target_price", "target"),
        ("equity_ratio", "ratio"),
    ):
        column = wanted[short].to_numpy(dtype=np.float64)
        prices = getattr(found, name)
        prices = np.full(len(klines), np.nan) if prices is None else prices
        np.testing.assert_allclose(prices[decided], column[decided], rtol=1e-9, err_msg=name)
    assert found.entry_long.any()


def test_the_rules_are_those_of_the_eleven() -> None:
    assert len(RULES) == 11
    assert RULES.keys() == REGISTRY.keys() - {"channel_breakout"}


def built(id: str, values: object) -> SignalStrategy:
    assert isinstance(values, dict)
    strategy = REGISTRY[id].load()(**values)
    assert isinstance(strategy, SignalStrategy)
    return strategy


@pytest.fixture(scope="module")
def synthetic() -> Klines:
    return synthetic_klines(5000, 15 * MINUTE_MS, seed=11)


@pytest.mark.parametrize(("id", "preset"), CASES)
def test_signals_on_synthetic_bars(id: str, preset: str, synthetic: Klines) -> None:
    strategy = built(id, dict(REGISTRY[id].load().presets[preset]))
    require_equal(strategy, synthetic, id)


@pytest.mark.parametrize(("id", "values"), SWITCHED)
def test_signals_with_the_switches_turned(
    id: str, values: dict[str, object], synthetic: Klines
) -> None:
    require_equal(built(id, values), synthetic, id)


@needs_truth
@pytest.mark.parametrize("id", RULES)
def test_signals_on_bitcoin_of_2025(id: str) -> None:
    path = KLINES_FOLDER / "linear_15m" / "BTCUSDT_15m_2025.csv"
    klines = bars(path, symbol="BTCUSDT")
    assert len(klines) == 365 * 96
    require_equal(built(id, {}), klines, id)
