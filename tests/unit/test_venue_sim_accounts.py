"""What the local Bybit's rules do to an account: a trader without a socket, from order to books."""

from decimal import Decimal
from typing import Any

import pytest

from actors.venue_sim import trading
from actors.venue_sim.clock import VenueClock
from actors.venue_sim.control import Control
from actors.venue_sim.core import VenueCore
from actors.venue_sim.keyring import ApiKey, signature
from actors.venue_sim.listing import LINEAR, SPOT
from actors.venue_sim.orders import ZERO
from actors.venue_sim.positions import Position
from actors.venue_sim.public import funding_rate_next
from actors.venue_sim.sessions import TRADE, Session
from actors.venue_sim.trading import Desk
from actors.venue_sim.wire import Refused, Request
from engines.klines import HOUR_MS
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

    @property
    def position(self) -> Position:
        return self.desk.account.position(self.core.market.find(LINEAR, "BTCUSDT"))

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


def test_a_flip_takes_the_stops_of_the_old_side_with_it(bench: Bench) -> None:
    last = bench.last()
    bench.order("Buy", "0.01")
    levels = {"stopLoss": str(last - 3000), "takeProfit": str(last + 3000)}
    bench.ask(trading.trading_stop, **levels)
    bench.order("Sell", "0.03")
    position = bench.position
    assert (position.side, position.stop_loss, position.take_profit) == ("Sell", ZERO, ZERO)
    assert bench.desk.account.open_orders() == []


def test_an_order_that_flips_guards_what_it_opened(bench: Bench) -> None:
    last = bench.last()
    bench.order("Buy", "0.01")
    level = str(last + 3000)
    bench.order("Sell", "0.03", stopLoss=level, tpslMode="Partial", slOrderType="Market")
    (stop,) = bench.desk.account.open_orders()
    assert (stop.side, stop.qty, str(stop.trigger_price)) == ("Buy", Decimal("0.02"), level)


def test_an_order_that_only_reduces_gives_the_other_side_no_levels(bench: Bench) -> None:
    last = bench.last()
    bench.order("Buy", "0.02")
    bench.order("Sell", "0.01", takeProfit=str(last - 3000), stopLoss=str(last + 3000))
    assert bench.position.size == Decimal("0.01")
    assert bench.desk.account.open_orders() == []


def test_a_position_shows_the_levels_that_its_orders_have(bench: Bench) -> None:
    level, nearer = (bench.last() - below for below in (3000, 2000))
    bench.order("Buy", "0.01")
    bench.ask(trading.trading_stop, stopLoss=str(level), trailingStop="5000")
    stop, trailing = bench.desk.account.open_orders()
    bench.ask(trading.amend, orderId=stop.order_id, triggerPrice=str(nearer))
    assert bench.position.stop_loss == nearer
    for order in (stop, trailing):
        bench.ask(trading.cancel, orderId=order.order_id)
    assert (bench.position.stop_loss, bench.position.trailing) == (ZERO, ZERO)
    told = [one for topic, one in bench.desk.account.news if topic == "position"]
    assert isinstance(told[-1], Position) and told[-1].stop_loss == 0
    bench.ask(trading.trading_stop, stopLoss=str(nearer))
    assert bench.position.stop_loss == nearer


@pytest.mark.parametrize("side", ["Buy", "Sell"])
def test_a_level_on_the_wrong_side_is_refused_with_the_order_and_its_amendment(
    bench: Bench, side: str
) -> None:
    sign = 1 if side == "Buy" else -1
    last = bench.last()
    right, wrong = str(last + sign * 3000), str(last - sign * 3000)
    for levels in ({"takeProfit": wrong}, {"stopLoss": right}):
        with pytest.raises(Refused, match="position should be") as refused:
            bench.order(side, "0.01", **levels)
        assert code(refused) == 10001
    price = str(last - sign * 500)
    order = bench.order(side, "0.01", price=price, takeProfit=right, stopLoss=wrong)
    for level in (last - sign * 600, last - sign * 500):
        with pytest.raises(Refused, match="base_price"):
            bench.ask(trading.amend, orderId=order, takeProfit=str(level))
    (waiting,) = bench.desk.account.open_orders()
    assert str(waiting.take_profit) == right
    bench.ask(trading.amend, orderId=order, takeProfit=str(last - sign * 400))
    assert waiting.take_profit == last - sign * 400


def test_the_orders_against_a_position_share_its_quantity_as_credit(bench: Bench) -> None:
    last = bench.last()
    bench.order("Buy", "0.5")
    price = str(last + 200)
    free = bench.desk.worth.available("USDT")
    bench.order("Sell", "0.3", price=price)
    bench.order("Sell", "0.2", price=price)
    assert bench.desk.worth.available("USDT") == free
    third = bench.order("Sell", "0.3", price=price)
    assert bench.desk.worth.available("USDT") == free - Decimal("0.03") * (last + 200)
    with pytest.raises(Refused) as refused:
        bench.order("Sell", "0.5", price=price)
    assert code(refused) == 110007
    with pytest.raises(Refused) as refused:
        bench.ask(trading.amend, orderId=third, qty="0.8")
    assert code(refused) == 110007


def signed_in(core: VenueCore, key: ApiKey, ip: str = "127.0.0.1") -> tuple[Session, int]:
    session, expires = core.open(TRADE, ip), NOW_MS + 10_000
    sign = signature(key.secret, f"GET/realtime{expires}")
    message = {"op": "auth", "args": [key.key, str(expires), sign]}
    (said, *_) = core.receive(session, message, NOW_MS)
    assert said.message is not None
    return session, int(said.message["retCode"])


def test_a_socket_grants_a_key_no_more_than_rest_does() -> None:
    reader = ApiKey("reader", "s", uid=5, is_read_only=True)
    expired = ApiKey("expired", "s", is_expired=True)
    elsewhere = ApiKey("elsewhere", "s", ips=("10.0.0.1",))
    core = VenueCore(LISTINGS, [reader, expired, elsewhere])
    assert signed_in(core, expired)[1] == 33004
    assert signed_in(core, elsewhere)[1] == 10010
    assert signed_in(core, elsewhere, "10.0.0.1")[1] == 0
    session, welcome = signed_in(core, reader)
    assert welcome == 0
    order = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market"}
    message = {"op": "order.create", "header": {"X-BAPI-TIMESTAMP": str(NOW_MS)}}
    (said, *_) = core.receive(session, message | {"args": [order | {"qty": "0.01"}]}, NOW_MS)
    assert said.message is not None and said.message["retCode"] == 10005
    assert not core.traders.desk(5, NOW_MS).account.holdings()
    assert "'s'" not in repr(reader)


@pytest.mark.parametrize(
    ("ip", "headers"),
    [
        ("10.0.0.7", {}),
        ("", {}),
        ("127.0.0.1", {"CONTENT-TYPE": "text/plain"}),
        ("127.0.0.1", {"HOST": "evil.example:8980"}),
        ("127.0.0.1", {"HOST": "127.0.0.1.evil.example"}),
    ],
)
def test_neither_a_web_page_nor_another_machine_drives_the_clock(
    ip: str, headers: dict[str, str]
) -> None:
    clock = VenueClock(NOW_MS, 0)
    control = Control(VenueCore(LISTINGS), clock)
    own = {"CONTENT-TYPE": "application/json", "HOST": "127.0.0.1:8980"}
    body = '{"advance_ms": 1000}'
    ask = Request("POST", "/control/clock", headers=own | headers, body=body, ip=ip)
    assert control.respond(ask).status == 403 and clock.now_ms() == NOW_MS
    ask = Request("POST", "/control/clock", headers=own | {"HOST": "localhost"}, body=body)
    assert control.respond(ask).status == 200 and clock.now_ms() == NOW_MS + 1000


def test_the_ticker_forecasts_the_last_settled_funding_and_nothing_later(bench: Bench) -> None:
    listed = bench.core.market.find(LINEAR, "BTCUSDT")
    assert listed.listing.funding is not None
    known = [0.0001, *listed.listing.funding.rate[:3].tolist()]
    first = int(listed.listing.funding.time_ms[0])
    moments = (first - 1, first, first + 8 * HOUR_MS, first + 16 * HOUR_MS)
    assert [funding_rate_next(listed, at) for at in moments] == known


def test_nothing_is_traded_once_the_bars_have_ended(bench: Bench) -> None:
    order = bench.order("Buy", "0.01", price=str(bench.last() - 80_000))
    bench.now_ms = START_MS + BARS * QUARTER_MS
    for category, expected in ((LINEAR, 110074), (SPOT, 170210)):
        with pytest.raises(Refused) as refused:
            bench.order("Buy", "0.01", category)
        assert code(refused) == expected
    with pytest.raises(Refused) as refused:
        bench.ask(trading.amend, orderId=order, qty="0.02")
    assert code(refused) == 110074
    bench.ask(trading.cancel, orderId=order)


def test_a_symbol_has_ten_conditional_orders_and_cancelling_them_spares_the_stop(
    bench: Bench,
) -> None:
    last = bench.last()
    bench.order("Buy", "0.01")
    bench.ask(trading.trading_stop, stopLoss=str(last - 9000))
    trigger = {"triggerDirection": "1", "triggerPrice": str(last + 9000)}
    for _ in range(10):
        bench.order("Buy", "0.001", **trigger)
    with pytest.raises(Refused) as refused:
        bench.order("Buy", "0.001", **trigger)
    assert code(refused) == 110009
    bench.ask(trading.cancel_all, orderFilter="StopOrder", stopOrderType="Stop")
    (stop,) = bench.desk.account.open_orders()
    assert stop.stop_order_type == "StopLoss"


def test_spot_refuses_with_codes_of_its_own(bench: Bench) -> None:
    with pytest.raises(Refused) as refused:
        bench.ask(trading.cancel, SPOT, orderId="nope")
    assert code(refused) == 170213
    bench.order("Buy", "0.01", SPOT, orderLinkId="mine", marketUnit="baseCoin")
    with pytest.raises(Refused) as refused:
        bench.order("Buy", "0.01", SPOT, orderLinkId="mine", marketUnit="baseCoin")
    assert code(refused) == 170141
