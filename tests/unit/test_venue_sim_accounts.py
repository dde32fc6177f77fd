"""What the local Bybit's rules do to an account: a trader without a socket, from order to books."""

from decimal import Decimal
from typing import Any

import pytest

from actors.venue_sim import trading
from actors.venue_sim.core import VenueCore
from actors.venue_sim.listing import LINEAR, SPOT
from actors.venue_sim.trading import Desk
from actors.venue_sim.wire import Refused
from tests.contract.venue_bench import QUARTER_MS, START_MS, listings

NOW_MS = START_MS + 100 * QUARTER_MS
BARS = 300
LISTINGS = listings(BARS)


class Bench:
    """One account at a venue: `ask` signs nothing and acts at the present time."""

    def __init__(self) -> None:
        self.core = VenueCore(LISTINGS)
        self.now_ms = NOW_MS

    @property
    def desk(self) -> Desk:
        return self.core.traders.desk(1, self.now_ms)

    def last(self, category: str = LINEAR) -> Decimal:
        return self.desk.worth.last(self.core.market.find(category, "BTCUSDT"))

    def ask(self, act: Any, category: str = LINEAR, **body: object) -> Any:
        return act(self.desk, {"category": category, "symbol": "BTCUSDT"} | body)

    def order(self, side: str, qty: str, category: str = LINEAR, **body: object) -> str:
        """Place an order, at market unless it has a price; return its id."""
        kind = "Limit" if "price" in body else "Market"
        wanted = {"side": side, "qty": qty, "orderType": kind} | body
        return str(self.ask(trading.create, category, **wanted)["orderId"])


@pytest.fixture
def bench() -> Bench:
    return Bench()


def code(refused: pytest.ExceptionInfo[Refused]) -> int:
    return refused.value.ret_code


def test_an_amended_spot_order_never_spends_more_than_there_is(bench: Bench) -> None:
    last = bench.last(SPOT)
    bench.order("Buy", "0.01", SPOT, price=str(last + 5))
    order = bench.order("Sell", "0.009", SPOT, price=str(last + 300))
    with pytest.raises(Refused) as refused:
        bench.ask(trading.amend, SPOT, orderId=order, qty="1.0", price=str(last - 300))
    assert code(refused) == 170131
    (waiting,) = bench.desk.account.open_orders()
    assert (waiting.qty, waiting.price) == (Decimal("0.009"), last + 300)
    assert bench.desk.account.coins["BTC"] == Decimal("0.00999")
    bid = bench.order("Buy", "0.01", SPOT, price=str(last - 300))
    with pytest.raises(Refused) as refused:
        bench.ask(trading.amend, SPOT, orderId=bid, qty="0.2")
    assert code(refused) == 170131
