"""Bybit's worked examples of fees, funding, margin and liquidation, reproduced.

The figures are those of Bybit's help centre ("Liquidation Price (USDT Contract)", "Funding fee
calculation", "Trading fee") and of the example answers in its v5 API documentation ("Get Trade
History", "Get Transaction Log", "Get Closed PnL"), read from ../shared where it is there.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines.costs import FREE, Costs
from engines.funding import Funding
from engines.instrument import Instrument
from engines.klines import HOUR_MS
from engines.margin import MarginTier
from tests.unit.market import (
    START_MS,
    Script,
    buys,
    closed,
    closes,
    klines_of,
    plan_with,
    play,
    sells,
    still,
)

EXAMPLES = Path(__file__).resolve().parents[3] / "shared/truth/bybit_v5_protocol/examples"
BTC = Instrument(
    "BTC/USDT:USDT", 0.1, 0.001, margin_tiers=(MarginTier(2e6, 0.005, leverage_max=100.0),)
)
TAKER = Costs(commission=0.0006)
needs_examples = pytest.mark.skipif(not EXAMPLES.is_dir(), reason="../shared/truth is absent")


def rows_of(name: str) -> list[dict[str, Any]]:
    """Return the rows of an example answer."""
    rows: list[dict[str, Any]] = json.loads((EXAMPLES / name).read_text())["result"]["list"]
    return rows


class TestHelpCentre:
    def test_trader_a_is_liquidated_at_19_700(self) -> None:
        # Long 1 BTC at 20 000 USDT on 50x, maintenance margin rate 0.5 %:
        # initial margin 20 000 / 50 = 400, maintenance margin 20 000 x 0.5 % = 100,
        # liquidation price 20 000 - (400 - 100) / 1 = 19 700, all 400 lost.
        plan = plan_with(leverage=50.0)
        start = still(20_000.0)
        for low, pnl_quote in ((19_700.1, []), (19_700.0, [-400.0])):
            bars = [start, start, (20_000.0, 20_000.0, low, 20_000.0), start]
            result = play(bars, {0: buys()}, plan, FREE, BTC)
            assert [trade.pnl_quote for trade in closed(result)] == pytest.approx(pnl_quote)

    def test_the_same_short_is_liquidated_at_20_300(self) -> None:
        plan = plan_with(leverage=50.0)
        start = still(20_000.0)
        for high, pnl_quote in ((20_299.9, []), (20_300.0, [-400.0])):
            bars = [start, start, (20_000.0, high, 20_000.0, 20_000.0), start]
            result = play(bars, {0: sells()}, plan, FREE, BTC)
            assert [trade.pnl_quote for trade in closed(result)] == pytest.approx(pnl_quote)

    def test_funding_of_ten_bitcoin_at_8000_is_8_usdt(self) -> None:
        # Position value 10 x 8000 = 80 000 USDT, at 0.01 %: the long pays 8, the short receives 8.
        bars, settled = [still(8_000.0)] * 4, np.array([START_MS + 2 * HOUR_MS], dtype=np.int64)
        funding = Funding(settled, np.array([0.0001]))
        for entry, paid_quote in ((buys(qty=10.0), 8.0), (sells(qty=10.0), -8.0)):
            result = play(bars, {0: entry}, instrument=BTC, funding=funding)
            assert [p.paid_quote for p in result.payments] == pytest.approx([paid_quote])

    def test_taker_fee_of_ten_bitcoin_at_8000_is_48_usdt(self) -> None:
        # 80 000 USDT x 0.06 %.
        result = play([still(8_000.0)] * 3, {0: buys(qty=10.0)}, costs=TAKER, instrument=BTC)
        assert result.fills[0].fee_quote == pytest.approx(48.0)


@needs_examples
class TestApiExamples:
    def test_execution_of_trade_history(self) -> None:
        (row,) = rows_of("order__execution__0.json")
        price, qty = float(row["execPrice"]), float(row["execQty"])
        costs = Costs(commission=float(row["feeRate"]))
        instrument = Instrument("ETH/USDC:USDC", 0.01, 0.01)
        result = play([still(price)] * 3, {0: buys(qty=qty)}, costs=costs, instrument=instrument)
        (fill,) = result.fills
        assert fill.qty * fill.price == pytest.approx(float(row["execValue"]))
        assert fill.fee_quote == pytest.approx(float(row["execFee"]))

    def test_funding_and_fees_of_the_transaction_log(self) -> None:
        settled, *trades = rows_of("account__transaction-log__0.json")
        instrument = Instrument("XRP/USDT:USDT", 0.0001, 0.1)
        price, time_ms = float(settled["tradePrice"]), int(settled["transactionTime"])
        klines = klines_of([still(price)] * 4, start_ms=time_ms - 2 * HOUR_MS)
        funding = Funding(np.array([time_ms]), np.array([float(settled["feeRate"])]))
        script: Script = {0: buys(qty=float(settled["size"]))}
        (payment,) = play(klines, script, instrument=instrument, funding=funding).payments
        # The log writes what the account received: a payment is below zero there.
        assert payment.paid_quote == pytest.approx(-float(settled["funding"]))
        for row in trades:
            bars = [still(float(row["tradePrice"]))] * 3
            costs = Costs(commission=float(row["feeRate"]))
            result = play(
                bars, {0: buys(qty=float(row["qty"]))}, costs=costs, instrument=instrument
            )
            assert result.fills[0].fee_quote == pytest.approx(float(row["fee"]))

    def test_closed_pnl_is_gross_less_both_fees(self) -> None:
        (row,) = rows_of("position__close-pnl__0.json")
        # 3 ETH sold for 3541.795 that had cost 3584.9255, less 0.06 % of each.
        instrument = Instrument("ETH/USDC:USDC", 1e-8, 1.0)
        bars = [still(float(row["avgEntryPrice"]))] * 2 + [still(float(row["avgExitPrice"]))] * 2
        script: Script = {0: buys(qty=float(row["qty"])), 1: closes("L")}
        result = play(bars, script, costs=TAKER, instrument=instrument)
        assert closed(result)[0].pnl_quote == pytest.approx(float(row["closedPnl"]), abs=1e-6)
