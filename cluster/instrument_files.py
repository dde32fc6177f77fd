"""Find an instrument's trading rules: given, read from a small TOML or JSON file, or inferred.

A flag wins over the file, the file over what the bars show, and whatever was not given is said in
a note: a tick size that is inferred or a quantity step that is assumed decides prices and sizes.
"""

import difflib
import json
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engines.errors import InstrumentFault
from engines.instrument import Instrument
from engines.klines import Klines

NUMBER_FIELDS = ("tick_size", "qty_step", "qty_min", "notional_min", "point_value")
FIELDS = ("symbol", *NUMBER_FIELDS, "time_zone")
# TradingView rounds quantities of most crypto perpetuals to four decimals.
QTY_STEP_ASSUMED = 0.0001
DECIMALS_MAX = 10
# With fewer prices a common divisor (all of them multiples of 5, say) may be chance.
PRICES_MIN = 50


@dataclass(frozen=True, slots=True)
class InstrumentFound:
    """An instrument, and what a reader of its results should know about where it came from."""

    instrument: Instrument
    notes: tuple[str, ...]


def read_instrument(path: str | os.PathLike[str]) -> dict[str, float | str]:
    """Return the fields of `Instrument` that a TOML or JSON file gives.

    Raises: InstrumentFault if the file cannot be read or has an unknown or ill-typed key.
    """
    source = str(path)
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InstrumentFault(source, "a TOML or JSON file", "no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        found = f"an unreadable file ({error})"
        raise InstrumentFault(source, "a TOML or JSON file", found) from None
    try:
        table = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        raise InstrumentFault(source, "TOML or JSON", str(error)) from None
    return {name: _checked(name, value, source) for name, value in table.items()}


def _checked(name: str, value: Any, source: str) -> float | str:
    if name not in FIELDS:
        near = difflib.get_close_matches(name, FIELDS, n=1)
        expected = f"{near[0]} (did you mean it?)" if near else f"one of {', '.join(FIELDS)}"
        raise InstrumentFault(f"key in {source}", expected, repr(name))
    if name not in NUMBER_FIELDS:
        if isinstance(value, str) and value.strip():
            return value.strip()
        raise InstrumentFault(f"{name} in {source}", "a text", repr(value))
    try:
        if not isinstance(value, bool):
            return float(value)
    except (TypeError, ValueError):
        pass
    raise InstrumentFault(f"{name} in {source}", "a number", repr(value))


def instrument_from(
    symbol: str,
    *,
    klines: Klines | None = None,
    path: str | os.PathLike[str] | None = None,
    tick_size: float | None = None,
    qty_step: float | None = None,
    qty_min: float | None = None,
    notional_min: float | None = None,
    point_value: float | None = None,
    time_zone: str | None = None,
) -> InstrumentFound:
    """Return the instrument of `symbol`; a value given here wins over the file at `path`.

    Without a tick size it is inferred from the prices of `klines`.
    Raises: InstrumentFault if there is neither, or the values cannot hold.
    """
    fields = {} if path is None else read_instrument(path)
    given = {
        "tick_size": tick_size,
        "qty_step": qty_step,
        "qty_min": qty_min,
        "notional_min": notional_min,
        "point_value": point_value,
        "time_zone": time_zone,
    }
    fields |= {name: value for name, value in given.items() if value is not None}
    notes: list[str] = []
    file_symbol = fields.pop("symbol", symbol)
    if file_symbol != symbol:
        notes.append(f"instrument file is of {file_symbol}, used for {symbol}")
    if "tick_size" not in fields:
        if klines is None:
            raise InstrumentFault(
                f"tick_size of {symbol}", "a value or bars to infer it", "neither"
            )
        fields["tick_size"] = infer_tick_size(klines)
        notes.append(f"tick size {fields['tick_size']:g} inferred from {len(klines)} bars")
    if "qty_step" not in fields:
        fields["qty_step"] = QTY_STEP_ASSUMED
        notes.append(f"quantity step {QTY_STEP_ASSUMED:g} assumed: none was given")
    numbers = {name: float(fields[name]) for name in NUMBER_FIELDS if name in fields}
    instrument = Instrument(symbol, time_zone=str(fields.get("time_zone", "UTC")), **numbers)
    return InstrumentFound(instrument, tuple(notes))


def infer_tick_size(klines: Klines) -> float:
    """Return the coarsest step of which every price is a multiple.

    Decimals first (0.01), then their common divisor (0.025, 0.25, 0.5) where there are enough
    prices for it not to be chance.
    Raises: InstrumentFault if the prices are on no decimal step, as averaged bars are.
    """
    prices = np.unique(np.concatenate([klines.open, klines.high, klines.low, klines.close]))
    for decimals in range(DECIMALS_MAX + 1):
        scaled = prices * 10.0**decimals
        whole = np.rint(scaled)
        # The noise of a decimal times a power of ten is about one unit in the last place.
        if np.all(np.abs(scaled - whole) <= 1e-15 * scaled * 4 + 1e-9) and whole[0] >= 1:
            steps = whole.astype(np.int64)
            divisor = int(np.gcd.reduce(steps)) if len(prices) >= PRICES_MIN else 1
            return float(divisor / 10**decimals)
    raise InstrumentFault(
        f"tick_size of {klines.symbol}", "prices on a decimal step, or a value", "prices off any"
    )
