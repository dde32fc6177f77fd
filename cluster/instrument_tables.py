"""What a table of an instrument's rules says: our own keys, or a reply of Bybit's v5.

Own keys are the fields of `Instrument`; `margin_tiers` is a list of tables with notional_max,
maintenance_ratio ("0.5%" or 0.005), leverage_max and, if wanted, deduction_quote.

Bybit's replies are taken as they came: "Get Instruments Info" for sizes, "Get Risk Limit" for
tiers. The latter gives margins as ratios or, in older replies, as percentages; which of them shows
in initialMargin x maxLeverage, which is 1 or 100.
Source: Bybit v5, market/instruments-info and market/risk-limit.
"""

import difflib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from cluster.ratios import parse_ratio
from engines.errors import InstrumentFault
from engines.margin import MarginTier

NUMBER_FIELDS = ("tick_size", "qty_step", "qty_min", "notional_min", "point_value")
FIELDS = ("symbol", *NUMBER_FIELDS, "time_zone", "margin_tiers")
TIER_FIELDS = ("notional_max", "maintenance_ratio", "deduction_quote", "leverage_max")
TIERS_MAX = 200
# Ours, and where an instrument of Bybit's reply holds it.
BYBIT_SIZES = {
    "tick_size": ("priceFilter", "tickSize"),
    "qty_step": ("lotSizeFilter", "qtyStep"),
    "qty_min": ("lotSizeFilter", "minOrderQty"),
    "notional_min": ("lotSizeFilter", "minNotionalValue"),
}
WHOLE_NOISE = 0.01  # maxLeverage is rounded to cents


def fields_of(table: Any, source: str, symbol: str | None) -> dict[str, Any]:
    """Return the fields of `Instrument` that a table gives; `symbol` is the wanted one.

    Raises: InstrumentFault naming the key that is unknown, missing or of the wrong type.
    """
    if not isinstance(table, Mapping):
        raise InstrumentFault(source, "a table of rules", type(table).__name__)
    if "retCode" in table or "result" in table:
        return _of_reply(table, source, symbol)
    return {name: _checked(name, value, source) for name, value in table.items()}


def _checked(name: str, value: Any, source: str) -> Any:
    _require_known(name, FIELDS, source)
    if name == "margin_tiers":
        tables = _tables(name, value, source)
        return tuple(
            _tier(item, f"margin_tiers {i} in {source}") for i, item in enumerate(tables, 1)
        )
    if name in NUMBER_FIELDS:
        return _number(name, value, source)
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise InstrumentFault(f"{name} in {source}", "a text", repr(value))


def _tier(table: Mapping[str, Any], source: str) -> MarginTier:
    for name in table:
        _require_known(name, TIER_FIELDS, source)
    for name in ("notional_max", "maintenance_ratio", "leverage_max"):
        if name not in table:
            raise InstrumentFault(f"{name} of {source}", "a number", "none")
    ratio = table["maintenance_ratio"]
    if isinstance(ratio, str):
        with suppress(ValueError):  # judged below, by type
            ratio = parse_ratio(ratio)
    numbers = {**table, "maintenance_ratio": ratio}
    return MarginTier(**{name: _number(name, value, source) for name, value in numbers.items()})


def _of_reply(table: Mapping[str, Any], source: str, symbol: str | None) -> dict[str, Any]:
    if table.get("retCode") != 0:
        found = f"retCode {table.get('retCode')!r} {table.get('retMsg', '')!s}".strip()
        raise InstrumentFault(source, "a reply of Bybit's with retCode 0", found)
    result = table.get("result")
    if not isinstance(result, Mapping) or result.get("category") != "linear":
        found = repr(result.get("category")) if isinstance(result, Mapping) else "no result"
        raise InstrumentFault(source, "a reply of category linear", found)
    rows = _tables("list", result.get("list"), source)
    names = sorted({str(row.get("symbol")) for row in rows})
    if len(names) != 1 and symbol not in names:
        listed = ", ".join(names[:5]) or "none"
        raise InstrumentFault(source, f"rules of {symbol or 'one symbol'}", f"those of {listed}")
    chosen = symbol if symbol in names else names[0]
    mine = [row for row in rows if row.get("symbol") == chosen]
    fields: dict[str, Any] = {"symbol": chosen}
    if "riskLimitValue" in mine[0]:
        return fields | {"margin_tiers": _risk_limits(mine, source)}
    return fields | _sizes(mine[0], source)


def _sizes(row: Mapping[str, Any], source: str) -> dict[str, float]:
    found = {}
    for name, (group, key) in BYBIT_SIZES.items():
        values = row.get(group)
        if isinstance(values, Mapping) and key in values:
            found[name] = _number(f"{group}.{key}", values[key], source)
    if not {"tick_size", "qty_step"} <= found.keys():
        raise InstrumentFault(source, "priceFilter and lotSizeFilter, or riskLimitValue", "neither")
    return found


def _risk_limits(rows: Sequence[Mapping[str, Any]], source: str) -> tuple[MarginTier, ...]:
    tiers = []
    for row in rows:
        where = f"risk limit {row.get('id')} in {source}"
        names = ("riskLimitValue", "maintenanceMargin", "initialMargin", "maxLeverage")
        value, maintenance, initial, leverage = (_number(n, row.get(n), where) for n in names)
        unit = next((u for u in (1, 100) if abs(initial * leverage / u - 1) <= WHOLE_NOISE), None)
        if unit is None:
            expected = "initialMargin x maxLeverage of 1, or of 100 in percent"
            raise InstrumentFault(where, expected, f"{initial * leverage:g}")
        deduction = row.get("mmDeduction")
        tiers.append(
            MarginTier(
                notional_max=value,
                maintenance_ratio=maintenance / unit,
                deduction_quote=None
                if deduction in (None, "")
                else _number("mmDeduction", deduction, where),
                leverage_max=leverage,
            )
        )
    return tuple(sorted(tiers, key=lambda tier: tier.notional_max))


def _tables(name: str, value: Any, source: str) -> list[Mapping[str, Any]]:
    is_list = isinstance(value, list) and all(isinstance(item, Mapping) for item in value)
    if not is_list or not 1 <= len(value) <= TIERS_MAX:
        found = f"{len(value)}" if is_list else repr(value)[:60]
        raise InstrumentFault(f"{name} in {source}", f"a list of 1 to {TIERS_MAX} tables", found)
    tables: list[Mapping[str, Any]] = value
    return tables


def _require_known(name: str, known: Sequence[str], source: str) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        expected = f"{near[0]} (did you mean it?)" if near else f"one of {', '.join(known)}"
        raise InstrumentFault(f"key in {source}", expected, repr(name))


def _number(name: str, value: Any, source: str) -> float:
    try:
        if not isinstance(value, bool):
            return float(value)
    except (TypeError, ValueError, OverflowError):
        pass
    raise InstrumentFault(f"{name} in {source}", "a number", repr(value))
