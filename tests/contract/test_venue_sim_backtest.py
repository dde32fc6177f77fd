"""What a backtest says of market orders and funding is what the local Bybit does with them."""

from decimal import Decimal

import numpy as np
import pytest

from actors.venue_sim import trading
from actors.venue_sim.core import VenueCore
from actors.venue_sim.listing import Listing
from engines.backtest import run_backtest
from engines.costs import Costs
from engines.klines import HOUR_MS
from engines.plan import Plan
from tests.contract.venue_bench import BTC, QUARTER_MS, START_MS, made_up, made_up_funding
from tests.unit.market import BUY, SELL, TENTHS, Scripted, orders

BARS = 600
# The venue's taker fee, and the half of its spread.
COSTS = Costs(commission=0.00055, slippage_ticks=1)


def drawn(seed: int) -> list[tuple[int, int]]:
    """Return orders (bar of the decision, signed steps) that end flat and stay within 0.1."""
    random = np.random.default_rng(seed)
    held, placed = 0, list[tuple[int, int]]()
    for bar in sorted(random.choice(np.arange(5, BARS - 5), 60, replace=False).tolist()):
        steps = int(random.integers(-40, 41))
        if steps and abs(held + steps) <= 100:
            placed.append((bar, steps))
            held += steps
    return [*placed, (BARS - 4, -held)] if held else placed


@pytest.mark.parametrize("is_funded", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_market_orders_fill_and_funding_is_paid_as_in_the_backtest(
    seed: int, is_funded: bool
) -> None:
    klines, placed = made_up(BTC, BARS, seed=seed + 1), drawn(seed)
    mark = made_up(BTC, BARS // 4, HOUR_MS, seed=seed + 20) if is_funded else None
    funding = made_up_funding() if is_funded else None
    core = VenueCore([Listing(BTC, [klines], [mark] if mark else [], funding)])
    for bar, steps in placed:
        body = {"category": "linear", "symbol": "BTCUSDT", "orderType": "Market"}
        body |= {"side": "Buy" if steps > 0 else "Sell", "qty": str(abs(steps) / 1000)}
        trading.create(core.traders.desk(1, START_MS + (bar + 1) * QUARTER_MS), body)
    script = {
        bar: orders(str(bar), BUY if steps > 0 else SELL, qty=abs(steps) / 1000)
        for bar, steps in placed
    }
    plan = Plan(capital_quote=10_000.0)
    trades = run_backtest(
        Scripted(script), klines, TENTHS, plan, COSTS, funding=funding, mark=mark
    ).trades

    account = core.traders.desk(1, START_MS + BARS * QUARTER_MS).account
    filled = {
        (one.match.time_ms, float(one.match.price))
        for one in account.executions
        if one.match.kind == "Trade"
    }
    opens = klines.open_time_ms
    wanted = {(int(opens[t.entry_bar]), t.entry_price) for t in trades}
    wanted |= {(int(opens[t.exit_bar]), t.exit_price) for t in trades}
    assert filled == wanted and len(filled) > 30
    paid = [one for one in account.executions if one.match.kind == "Funding"]
    assert bool(paid) == is_funded
    profit = sum(trade.pnl_quote for trade in trades)
    assert float(account.coins["USDT"] - Decimal(10_000)) == pytest.approx(profit, abs=1e-6)
