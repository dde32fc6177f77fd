"""Prices and quantities are decimals: rounded in one place, exact to the double, never guessed."""

import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.instrument_files import infer_tick_size, instrument_from, read_instrument
from cluster.kline_files import read_klines
from engines.errors import InstrumentFault
from engines.instrument import Instrument
from engines.klines import HOUR_MS, Klines
from engines.synthetic import synthetic_klines

TRUTH = Path(__file__).resolve().parents[2].parent / "shared" / "truth"
needs_truth = pytest.mark.skipif(not TRUTH.is_dir(), reason="../shared/truth is absent")
TICKS = ["0.01", "0.1", "0.5", "1", "0.025", "0.00001", "0.25", "10"]


@given(st.sampled_from(TICKS), st.integers(1, 10**8))
def test_price_of_ticks_is_the_double_nearest_to_its_decimal(tick: str, ticks: int) -> None:
    instrument = Instrument("X", float(tick), 1.0)
    price = instrument.price_of(ticks)
    assert price == float(Decimal(tick) * ticks)
    assert instrument.ticks_down(price) == instrument.ticks_up(price) == ticks
    assert instrument.ticks_nearest(price) == ticks


@given(st.sampled_from(TICKS), st.integers(1, 10**6), st.floats(0.01, 0.99))
def test_directions_of_rounding_are_those_of_their_names(
    tick: str, ticks: int, part: float
) -> None:
    instrument = Instrument("X", float(tick), 1.0)
    price = (ticks + part) * float(tick)
    assert instrument.round_price_down(price) == instrument.price_of(ticks)
    assert instrument.round_price_up(price) == instrument.price_of(ticks + 1)
    nearest = ticks + (part >= 0.5)
    if abs(part - 0.5) > 1e-6:
        assert instrument.round_price_nearest(price) == instrument.price_of(nearest)


def test_noise_of_a_product_does_not_move_a_level_by_a_tick() -> None:
    instrument = Instrument("X", 0.01, 0.0001)
    level = 1800.0 * 1.004
    assert instrument.round_price_up(level) == 1807.2
    assert instrument.round_price_down(level) == 1807.2


@given(st.sampled_from(["0.0001", "0.001", "0.1", "1"]), st.integers(0, 10**7), st.floats(0, 0.99))
def test_quantities_are_only_rounded_down(step: str, steps: int, part: float) -> None:
    instrument = Instrument("X", 0.01, float(step))
    qty = instrument.round_qty_down((steps + part) * float(step))
    assert qty == float(Decimal(step) * steps)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tick_size", 0.0),
        ("tick_size", -0.01),
        ("tick_size", float("nan")),
        ("qty_step", 0.0),
        ("point_value", float("inf")),
        ("qty_min", -1.0),
        ("notional_min", float("nan")),
        ("time_zone", "Mars/Olympus"),
    ],
)
def test_rules_that_cannot_hold_are_refused(name: str, value: object) -> None:
    rules: dict[str, object] = {"symbol": "X", "tick_size": 0.01, "qty_step": 0.1, name: value}
    with pytest.raises(InstrumentFault, match=name):
        Instrument(**rules)  # type: ignore[arg-type]  # wrong values are the point


def test_file_may_be_toml_or_json(tmp_path: Path) -> None:
    toml = tmp_path / "eth.toml"
    toml.write_text('symbol = "ETH"\ntick_size = 0.01\nqty_step = "0.001"\n', encoding="utf-8")
    expected = {"symbol": "ETH", "tick_size": 0.01, "qty_step": 0.001}
    assert read_instrument(toml) == expected
    path = tmp_path / "eth.json"
    path.write_text(json.dumps(expected), encoding="utf-8")
    assert read_instrument(path) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ticksize = 0.01", r"tick_size \(did you mean it\?\), found 'ticksize'"),
        ("colour = 1", "one of symbol, tick_size"),
        ('tick_size = "small"', "tick_size in .* a number"),
        ("tick_size = true", "tick_size in .* a number"),
        ("time_zone = 3", "time_zone in .* a text"),
        ("tick_size 0.01", "expected TOML or JSON"),
        ('{"tick_size": }', "expected TOML or JSON"),
    ],
)
def test_each_wrong_file_has_its_sentence(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "x.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InstrumentFault, match=expected):
        read_instrument(path)
    with pytest.raises(InstrumentFault, match="no such file"):
        read_instrument(tmp_path / "none.toml")


def test_flags_win_over_the_file_and_the_file_over_the_bars(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text("tick_size = 0.5\nqty_step = 0.1\npoint_value = 50\n", encoding="utf-8")
    klines = synthetic_klines(200, HOUR_MS, seed=1, tick_size=0.01)
    found = instrument_from("X", klines=klines, paths=[path], tick_size=0.25)
    assert found.instrument == Instrument("X", 0.25, 0.1, point_value=50.0)
    assert found.notes == ()


def test_what_was_not_given_is_said() -> None:
    klines = synthetic_klines(200, HOUR_MS, seed=1, tick_size=0.01)
    found = instrument_from("X", klines=klines)
    assert found.instrument.tick_size == 0.01
    assert found.notes == (
        "tick size 0.01 inferred from 200 bars",
        "quantity step 0.0001 assumed: none was given",
    )
    with pytest.raises(InstrumentFault, match="bars to infer it"):
        instrument_from("X")


@pytest.mark.parametrize("tick_size", [0.01, 0.1, 0.025, 0.25, 0.5, 1.0, 5.0, 0.00001])
def test_tick_size_is_inferred_from_prices(tick_size: float) -> None:
    start_price = 20_000 * tick_size
    klines = synthetic_klines(3000, HOUR_MS, seed=1, start_price=start_price, tick_size=tick_size)
    assert infer_tick_size(klines) == tick_size


def test_averaged_prices_are_on_no_tick() -> None:
    prices = np.linspace(1, 2, 100) / 3 + 1
    times = HOUR_MS * np.arange(100, dtype=np.int64)
    klines = Klines("X", HOUR_MS, times, prices, prices, prices, prices, prices)
    with pytest.raises(InstrumentFault, match="off any"):
        infer_tick_size(klines)


@needs_truth
@pytest.mark.parametrize(
    ("glob", "tick_size"),
    [
        ("bybit_klines/linear_15m/BTC*2025.csv", 0.1),
        ("bybit_klines/linear_15m/ETH*2025.csv", 0.01),
        ("tv_eurusd_1h/ohlcv.csv", 0.00001),
        ("tv_eurusd_1h/futures_pnl_ohlcv.csv", 0.025),
        ("tv_ethusdt_15m/ETHUSDT*.csv", 0.01),
    ],
)
def test_tick_size_of_real_bars_is_inferred(glob: str, tick_size: float) -> None:
    found = read_klines(next(TRUTH.glob(glob)), "X", None, 1_893_456_000_000)
    assert infer_tick_size(found.klines) == tick_size
