"""Find an instrument's trading rules: given, read from small TOML or JSON files, or inferred.

A flag wins over the file, the file over what the bars show, and whatever was not given is said in
a note: a tick size that is inferred or a quantity step that is assumed decides prices and sizes.
"""

import json
import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import Any

import numpy as np

from cluster.instrument_tables import fields_of
from engines.errors import InstrumentFault
from engines.instrument import Instrument
from engines.klines import Klines

# TradingView rounds quantities of most crypto perpetuals to four decimals.
QTY_STEP_ASSUMED = 0.0001
PathLike = str | os.PathLike[str]
DECIMALS_MAX = 10
# With fewer prices a common divisor (all of them multiples of 5, say) may be chance.
PRICES_MIN = 50


@dataclass(frozen=True, slots=True)
class InstrumentFound:
    """An instrument, and what a reader of its results should know about where it came from."""

    instrument: Instrument
    notes: tuple[str, ...]


def read_instrument(path: PathLike, symbol: str | None = None) -> dict[str, Any]:
    """Return the fields of `Instrument` that a TOML or JSON file gives, those of `symbol`.

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
    except RecursionError:
        raise InstrumentFault(source, "TOML or JSON", "too deep a nest") from None
    return fields_of(table, source, symbol)


def _fields(paths: Sequence[PathLike], symbol: str) -> dict[str, Any]:
    """Return what the files give together; a rule is given once."""
    fields: dict[str, Any] = {}
    for path in paths:
        found = read_instrument(path, symbol)
        twice = (fields.keys() & found.keys()) - {"symbol"}
        if twice:
            raise InstrumentFault(f"{min(twice)} of {symbol}", "one file with it", f"{path} too")
        fields |= found
    return fields


def instrument_from(
    symbol: str,
    *,
    klines: Klines | None = None,
    paths: Sequence[PathLike] = (),
    tick_size: float | None = None,
    qty_step: float | None = None,
    qty_min: float | None = None,
    notional_min: float | None = None,
    point_value: float | None = None,
    time_zone: str | None = None,
    listed: Instrument | None = None,
) -> InstrumentFound:
    """Return the instrument of `symbol`; a value given wins over files, they over `listed`.

    Without a tick size it is inferred from the prices of `klines`.
    Raises: InstrumentFault if there is neither, or the values cannot hold.
    """
    fields = _listed_fields(listed) | _fields(paths, symbol)
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
    instrument = Instrument(symbol, **fields)
    return InstrumentFound(instrument, tuple(notes))


def _listed_fields(listed: Instrument | None) -> dict[str, Any]:
    """Return the rules that a venue listed."""
    if listed is None:
        return {}
    return {item.name: getattr(listed, item.name) for item in dataclass_fields(listed) if item.init}


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
