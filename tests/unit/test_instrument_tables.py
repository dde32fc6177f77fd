"""Instrument files with margin tiers, in our own keys and as Bybit replies."""

import json
from pathlib import Path
from typing import Any

import pytest

from cluster.instrument_files import instrument_from, read_instrument
from engines.errors import InstrumentFault
from engines.margin import MarginTier

OURS = """
symbol = "BTCUSDT"
tick_size = 0.1
qty_step = 0.001
[[margin_tiers]]
notional_max = 2000000
maintenance_ratio = "0.5%"
leverage_max = 100
[[margin_tiers]]
notional_max = 10000000
maintenance_ratio = 0.01
leverage_max = 50
"""


def risk_limit(symbol: str = "BTCUSDT", unit: float = 1, **changes: Any) -> dict[str, Any]:
    rows = [
        {
            "id": number,
            "symbol": symbol,
            "riskLimitValue": value,
            "maintenanceMargin": str(maintenance * unit),
            "initialMargin": str(initial * unit),
            "isLowestRisk": int(number == 1),
            "maxLeverage": leverage,
            "mmDeduction": deduction,
        }
        for number, value, maintenance, initial, leverage, deduction in (
            (1, "2000000", 0.005, 0.01, "100.00", ""),
            (2, "10000000", 0.01, 0.02, "50.00", "10000"),
        )
    ]
    rows[0] |= changes
    return {"retCode": 0, "retMsg": "OK", "result": {"category": "linear", "list": rows}}


SIZES = {
    "symbol": "BTCUSDT",
    "priceFilter": {"minPrice": "0.10", "tickSize": "0.10"},
    "lotSizeFilter": {"minOrderQty": "0.001", "qtyStep": "0.001", "minNotionalValue": "5"},
}
INSTRUMENTS_INFO = {"retCode": 0, "result": {"category": "linear", "list": [SIZES]}}


def written(path: Path, table: object) -> Path:
    path.write_text(table if isinstance(table, str) else json.dumps(table))
    return path


@pytest.mark.parametrize("unit", [1, 100])
def test_our_keys_and_bybits_replies_give_the_same_instrument(unit: int, tmp_path: Path) -> None:
    ours = instrument_from("BTCUSDT", paths=[written(tmp_path / "a.toml", OURS)]).instrument
    assert ours.margin_tiers == (
        MarginTier(2_000_000, 0.005, 0.0, 100),
        MarginTier(10_000_000, 0.01, 10_000.0, 50),
    )
    replies = [
        written(tmp_path / "sizes.json", INSTRUMENTS_INFO),
        written(tmp_path / "limits.json", risk_limit(unit=unit)),
    ]
    found = instrument_from("BTCUSDT", paths=replies)
    assert found.instrument.margin_tiers == ours.margin_tiers
    assert (found.instrument.tick_size, found.instrument.qty_step) == (0.1, 0.001)
    assert (found.instrument.qty_min, found.instrument.notional_min) == (0.001, 5.0)
    assert found.notes == ()


def test_of_several_symbols_the_wanted_one_is_taken(tmp_path: Path) -> None:
    both = risk_limit()
    both["result"]["list"] = risk_limit("ETHUSDT")["result"]["list"] + both["result"]["list"]
    path = written(tmp_path / "limits.json", both)
    assert read_instrument(path, "ETHUSDT")["symbol"] == "ETHUSDT"
    with pytest.raises(InstrumentFault, match="rules of XRPUSDT, found those of BTCUSDT, ETHUSDT"):
        read_instrument(path, "XRPUSDT")


def test_a_rule_given_by_two_files_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.toml", OURS)
    with pytest.raises(InstrumentFault, match="margin_tiers of BTCUSDT: expected one file with it"):
        instrument_from("BTCUSDT", paths=[path, path])


WRONG: list[tuple[object, str]] = [
    ({"margin_tiers": 5}, "a list of 1 to 200 tables, found 5"),
    ({"margin_tiers": []}, "a list of 1 to 200 tables, found 0"),
    ({"margin_tiers": [5]}, "a list of 1 to 200 tables"),
    ({"margin_tiers": [{"notional": 5}]}, r"notional_max \(did you mean it\?\)"),
    ({"margin_tiers": [{"notional_max": 5, "leverage_max": 2}]}, "maintenance_ratio of margin_tie"),
    (
        {"margin_tiers": [{"notional_max": 5, "leverage_max": 2, "maintenance_ratio": "2%%"}]},
        "maintenance_ratio in margin_tiers 1 in .*a number, found '2%%'",
    ),
    (
        {"margin_tiers": [{"notional_max": 5, "leverage_max": 2, "maintenance_ratio": True}]},
        "a number, found True",
    ),
    ([1], "key in .*one of symbol"),
    ("{" * 5, "TOML or JSON"),
    ('{"tick_size":' * 50_000, "too deep a nest"),
    ({"retCode": 10001, "retMsg": "params error"}, "retCode 0, found retCode 10001 params error"),
    ({"retCode": 0}, "a reply of category linear, found no result"),
    ({"retCode": 0, "result": {"category": "inverse"}}, "category linear, found 'inverse'"),
    ({"retCode": 0, "result": {"category": "linear", "list": []}}, "a list of 1 to 200 tables"),
    (
        {"retCode": 0, "result": {"category": "linear", "list": [{"symbol": "X"}]}},
        "priceFilter and lotSizeFilter, or riskLimitValue",
    ),
    (
        risk_limit(maintenanceMargin=None),
        "maintenanceMargin in risk limit 1 .*a number, found None",
    ),
    (risk_limit(initialMargin="0.5"), "initialMargin x maxLeverage of 1, or of 100"),
    (risk_limit(mmDeduction="x"), "mmDeduction in risk limit 1"),
]


@pytest.mark.parametrize(("table", "says"), WRONG)
def test_each_wrong_table_has_its_sentence(table: object, says: str, tmp_path: Path) -> None:
    with pytest.raises(InstrumentFault, match=says):
        read_instrument(written(tmp_path / "x.json", table), "BTCUSDT")
