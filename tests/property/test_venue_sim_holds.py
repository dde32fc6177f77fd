"""What holds in the local Bybit whatever is asked of it: its tape, its books and its accounts."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.venue_sim import quiet, trading
from actors.venue_sim.account import Account
from actors.venue_sim.core import VenueCore
from actors.venue_sim.listing import LINEAR, SPOT
from actors.venue_sim.orders import ZERO, Order
from actors.venue_sim.positions import Position
from actors.venue_sim.tape import PRINTS, Tape
from actors.venue_sim.topics import BookTopic, TradeTopic
from actors.venue_sim.wire import Refused
from engines.series import PriceKind
from tests.contract.venue_bench import BTC, QUARTER_MS, START_MS, listings, made_up

BARS = 300
MARKETS = {seed: made_up(BTC, BARS, seed=seed) for seed in range(1, 10)}
LISTINGS = listings(BARS)
Body = dict[str, object]


@given(
    bar=st.integers(0, BARS - 1), after_ms=st.integers(0, QUARTER_MS - 1), seed=st.integers(1, 9)
)
def test_a_forming_bar_is_the_prints_so_far(bar: int, after_ms: int, seed: int) -> None:
    klines = MARKETS[seed]
    tape = Tape.of(klines, "15")
    now_ms = int(klines.open_time_ms[bar]) + after_ms
    shown, prints = tape.at(bar, now_ms), tape.prints(bar, now_ms)
    prices = [one.price for one in prints]
    assert prices and all(one.time_ms <= now_ms for one in prints)
    assert (shown.open, shown.close) == (prices[0], prices[-1])
    assert (shown.high, shown.low) == (max(prices), min(prices))
    assert round(sum(one.qty for one in prints), 3) == shown.volume
    assert not shown.is_closed


@given(bar=st.integers(0, BARS - 1), seed=st.integers(1, 9))
def test_the_prints_of_a_closed_bar_are_the_bar(bar: int, seed: int) -> None:
    klines = MARKETS[seed]
    tape = Tape.of(klines, "15")
    prints = tape.prints(bar, int(klines.open_time_ms[bar]) + QUARTER_MS)
    prices = [one.price for one in prints]
    times = [one.time_ms for one in prints]
    assert len(prints) == PRINTS and times == sorted(set(times))
    assert klines.open_time_ms[bar] == times[0] and times[-1] < times[0] + QUARTER_MS
    assert (prices[0], max(prices), min(prices), prices[-1]) == tuple(
        float(getattr(klines, name)[bar]) for name in ("open", "high", "low", "close")
    )
    assert round(sum(one.qty for one in prints), 3) == klines.volume[bar]


@given(
    steps=st.lists(st.integers(1, 3 * QUARTER_MS), min_size=1, max_size=12),
    late_ms=st.integers(0, QUARTER_MS),
)
def test_deltas_put_on_the_snapshot_are_the_book(steps: list[int], late_ms: int) -> None:
    market = VenueCore(LISTINGS).market
    listed = market.find(LINEAR, "BTCUSDT")
    now_ms = START_MS + 10 * QUARTER_MS
    topic = BookTopic("orderbook.50.BTCUSDT", listed, 50, now_ms)
    now_ms += late_ms  # somebody else has subscribed before
    (snapshot,) = topic.opening(now_ms)
    sides = {side: dict(snapshot["data"][side]) for side in ("a", "b")}
    for step in steps:
        now_ms += step
        for message in topic.news(now_ms):
            for side, levels in sides.items():
                levels |= dict(message["data"][side])
                sides[side] = {price: qty for price, qty in levels.items() if qty != "0"}
        (whole,) = topic.opening(now_ms)
        for side, levels in sides.items():
            assert levels == dict(whole["data"][side])


@given(steps=st.lists(st.integers(1, 5 * QUARTER_MS), min_size=1, max_size=8))
def test_the_stream_of_trades_has_every_print_once_however_it_is_asked(steps: list[int]) -> None:
    market = VenueCore(LISTINGS).market
    listed = market.find(LINEAR, "BTCUSDT")
    start_ms = now_ms = START_MS + 10 * QUARTER_MS
    topic = TradeTopic("publicTrade.BTCUSDT", listed, now_ms)
    numbers: list[int] = []
    for step in steps:
        now_ms += step
        numbers += [row["seq"] for message in topic.news(now_ms) for row in message["data"]]
    whole = TradeTopic("publicTrade.BTCUSDT", listed, start_ms)
    at_once = [row["seq"] for message in whole.news(now_ms) for row in message["data"]]
    assert numbers == at_once == [10 * PRINTS + 1 + place for place in range(len(at_once))]


SIDES = st.sampled_from(["Buy", "Sell"])
QTYS = st.integers(1, 80).map(lambda steps: f"{steps / 1000:.3f}")
OFFSETS = st.integers(-400, 400)


@st.composite
def orders(draw: st.DrawFn) -> Body:
    """Draw a request for an order near the price of the made-up market; some are refused."""
    body: Body = {"side": draw(SIDES), "qty": draw(QTYS), "offset": draw(OFFSETS)}
    body["orderType"] = draw(st.sampled_from(["Market", "Limit"]))
    body["timeInForce"] = draw(st.sampled_from(["GTC", "IOC", "FOK", "PostOnly"]))
    body["reduceOnly"] = draw(st.booleans())
    if draw(st.booleans()):
        body["stop"] = draw(st.integers(1, 300))
    if draw(st.integers(0, 3)) == 0:
        body["trigger"] = draw(st.integers(1, 300))
    return body


def sent(core: VenueCore, body: Body, now_ms: int) -> None:
    """Place a drawn order; what the rules refuse is not placed."""
    desk = core.traders.desk(1, now_ms)
    last = desk.worth.last(core.market.find(LINEAR, "BTCUSDT"))
    side = 1 if body["side"] == "Buy" else -1
    wanted: Body = {"category": "linear", "symbol": "BTCUSDT"}
    wanted |= {n: body[n] for n in ("side", "qty", "orderType", "timeInForce", "reduceOnly")}
    wanted["price"] = str(last + Decimal(str(body["offset"])))
    if "stop" in body and not body["reduceOnly"]:
        wanted["stopLoss"] = str(last - side * Decimal(str(body["stop"])))
    if "trigger" in body:
        wanted["triggerPrice"] = str(last + Decimal(str(body["trigger"])))
        wanted["triggerDirection"] = 1
    try:
        trading.create(desk, wanted)
    except Refused as refused:
        if refused.ret_code not in {10001, 110003, 110007, 110017}:
            raise


@given(plan=st.lists(st.tuples(orders(), st.integers(0, 2 * QUARTER_MS)), max_size=15))
def test_equity_is_what_was_paid_and_received_and_what_is_held(
    plan: list[tuple[Body, int]],
) -> None:
    core = VenueCore(LISTINGS)
    now_ms = START_MS + 20 * QUARTER_MS + 1
    for body, wait_ms in plan:
        sent(core, body, now_ms)
        now_ms += wait_ms
        _require_whole(core, now_ms)


def _require_whole(core: VenueCore, now_ms: int) -> None:
    desk = core.traders.desk(1, now_ms)
    account, worth = desk.account, desk.worth
    listed = core.market.find(LINEAR, "BTCUSDT")
    cash = Decimal(10_000)
    held = ZERO
    for one in account.executions:
        cash -= one.fee
        if one.match.kind != "Funding":
            cash -= one.order.sign * one.match.qty * one.match.price
            held += one.order.sign * one.match.qty
    position = account.position(listed)
    assert held == position.signed_qty
    assert abs(cash + held * worth.mark(listed) - worth.equity("USDT")) < Decimal("1e-15")
    _require_orders_whole(account, position.signed_qty)
    guards = {one.stop_order_type: one for one in account.open_orders() if one.covers_position}
    assert all(one.sign * position.signed_qty < 0 for one in guards.values())
    stop = guards.get("StopLoss")
    assert position.stop_loss == (0 if stop is None else stop.trigger_price)


@given(
    plan=st.lists(
        st.tuples(
            SIDES, st.integers(1, 120), OFFSETS, st.integers(0, 3), st.integers(0, QUARTER_MS)
        ),
        max_size=20,
    )
)
def test_no_spot_order_new_or_amended_spends_more_than_there_is(
    plan: list[tuple[str, int, int, int, int]],
) -> None:
    core = VenueCore(LISTINGS)
    listed = core.market.find(SPOT, "BTCUSDT")
    now_ms = START_MS + 20 * QUARTER_MS + 1
    for side, steps, offset, kind, wait_ms in plan:
        desk = core.traders.desk(1, now_ms)
        account, last = desk.account, desk.worth.last(listed)
        wanted: Body = {"category": "spot", "symbol": "BTCUSDT", "side": side}
        wanted |= {"qty": str(Decimal(steps) / 1000), "price": str(last + offset)}
        waiting = account.open_orders(listed)
        if kind == 0 and side == "Buy":
            wanted |= {"orderType": "Market", "qty": str(steps * 85)}
        else:
            wanted |= {"orderType": "Limit" if kind else "Market"}
        try:
            if kind > 1 and waiting:
                trading.amend(desk, wanted | {"orderId": waiting[steps % len(waiting)].order_id})
            else:
                trading.create(desk, wanted)
        except Refused as refused:
            if refused.ret_code not in {10001, 110003, 110064, 110094, 170131}:
                raise
        now_ms += wait_ms
        core.traders.desk(1, now_ms)
        assert all(amount >= 0 for amount in account.coins.values())
        held = {coin: amount - account.locked(coin) for coin, amount in account.coins.items()}
        assert all(free >= 0 for free in held.values())
        bought = [one.order.sign * one.match.qty for one in account.executions]
        fees = [one.fee for one in account.executions if one.order.sign > 0]
        assert account.coins.get("BTC", ZERO) == sum(bought, ZERO) - sum(fees, ZERO)


def _require_orders_whole(account: Account, signed_qty: Decimal) -> None:
    everyone: list[Order] = [*account.open_orders(), *account.closed]
    assert len({order.order_id for order in everyone}) == len(everyone)
    for order in everyone:
        filled = [one.match for one in account.executions if one.order is order]
        if order.status == "Filled":
            assert order.cum_qty == order.qty
        if filled and filled[0].kind != "Funding":
            assert sum((m.qty for m in filled), ZERO) == order.cum_qty <= order.qty
        if order.price is not None:
            assert all((m.price - order.price) * order.sign <= 0 for m in filled)
    guards = [order for order in account.open_orders() if order.covers_position]
    assert all(order.qty == abs(signed_qty) != 0 for order in guards)
    assert not any(order.is_open for order in account.closed)


def test_the_tape_of_longer_bars_grows_like_its_parts() -> None:
    core = VenueCore(LISTINGS)
    listed = core.market.find(LINEAR, "BTCUSDT")
    hours, base = listed.tape(PriceKind.LAST, "60"), listed.base_tape
    assert hours is not None
    random = np.random.default_rng(5)
    for _ in range(200):
        now_ms = START_MS + int(random.integers(4 * QUARTER_MS, 100 * QUARTER_MS))
        bar = hours.last(now_ms)
        assert bar is not None
        parts = [
            base.at(index, now_ms)
            for index in range(base.visible(now_ms))
            if base.open_ms[index] >= bar.open_time_ms
        ]
        assert (bar.open, bar.close) == (parts[0].open, parts[-1].close)
        assert bar.high == max(part.high for part in parts)
        assert bar.low == min(part.low for part in parts)
        assert bar.volume == round(sum(part.volume for part in parts), 3)


@settings(max_examples=25)
@given(plan=st.lists(st.tuples(orders(), st.integers(0, 9 * QUARTER_MS)), max_size=8))
def test_leaving_quiet_bars_out_changes_nothing(plan: list[tuple[Body, int]]) -> None:
    told = []
    for is_skimmed in (True, False):
        core = VenueCore(LISTINGS)
        with pytest.MonkeyPatch.context() as patch:
            if not is_skimmed:
                patch.setattr(quiet, "is_quiet", lambda *_: False)
            told.append(story(core, plan))
    assert told[0] == told[1]


def story(core: VenueCore, plan: list[tuple[Body, int]]) -> list[tuple[object, ...]]:
    now_ms = START_MS + 20 * QUARTER_MS + 1
    for body, wait_ms in plan:
        sent(core, body, now_ms)
        now_ms += wait_ms
    account = core.traders.desk(1, now_ms + 20 * QUARTER_MS).account
    fills = [(one.order.order_id, one.match) for one in account.executions]
    closed = [(one.order_id, one.status, one.updated_ms) for one in account.closed]
    return [*fills, *closed, *sorted(account.coins.items())]


@given(
    qty=st.integers(1, 400_000),
    side=st.sampled_from([1, -1]),
    entry=st.integers(500_000, 1_500_000),
    cover=st.integers(0, 2_000_000),
)
def test_equity_meets_maintenance_at_the_liquidation_price(
    qty: int, side: int, entry: int, cover: int
) -> None:
    listed = VenueCore(LISTINGS).market.find(LINEAR, "BTCUSDT")
    position = Position(listed=listed, index=0)
    position.fill(side * Decimal(qty) / 1000, Decimal(entry) / 10, START_MS)

    def excess(price: Decimal) -> Decimal:
        """Return equity above maintenance at a mark price."""
        return cover + position.pnl_open(price) - position.margin_maintenance(price)

    found = position.price_liquidation(Decimal(cover))
    near, far = Decimal("0.1"), Decimal(10_000_000)
    if found is None:
        assert (excess(near) > 0) == (excess(far) > 0)
        return
    assert excess(found) * excess(found + near) <= 0
    assert (excess(found - near) <= 0) == (side > 0)
