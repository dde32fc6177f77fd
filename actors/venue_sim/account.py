"""One trader's account: coins, positions, orders and fills, and what each fill does to them.

Theory. What changes goes through `book` (an order that is accepted), `fill`, `finish` and
`settle`, each of which notes rows for the private streams in `news`, in the order in which they
happened. Equity is USDT plus open PnL at mark; other coins count at their last price in USDT.
Margin is the account's (cross): initial margin of positions and of what waiting orders would add
must fit into equity, and at equity below maintenance the account is liquidated (`matching`).
Histories are bounded; the oldest go first.
Source: Bybit v5, "Get Wallet Balance", "Get Position Info", "Place Order".
"""

from collections import deque
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count

from actors.venue_sim.listing import LINEAR, SPOT, Listed
from actors.venue_sim.orders import BUY, ZERO, Order, Status
from actors.venue_sim.positions import LEVERAGE_DEFAULT, Position

HISTORY_MAX = 10_000
ORDERS_MAX = 500
CENT = Decimal("0.00000001")
TAKER = {LINEAR: Decimal("0.00055"), SPOT: Decimal("0.001")}
MAKER = {LINEAR: Decimal("0.0002"), SPOT: Decimal("0.001")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What the market gave: a quantity at a price, when, on which side of the book.

    `kind` is the venue's execType: Trade, BustTrade, or Funding, of which `qty` is the position's.
    """

    qty: Decimal
    price: Decimal
    time_ms: int
    mark: Decimal
    sequence: int
    is_maker: bool = False
    kind: str = "Trade"


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One match of an order as it was booked."""

    exec_id: str
    order: Order
    match: Match
    fee: Decimal
    fee_rate: Decimal
    leaves: Decimal = ZERO
    closed_size: Decimal = ZERO
    pnl: Decimal = ZERO


# What happened, as the private topic that tells it; the wallet is read when it is told.
News = tuple[str, Order | Execution | Position | None]


@dataclass(slots=True, eq=False)
class Account:
    """The state of one uid."""

    uid: int
    coins: dict[str, Decimal] = field(default_factory=lambda: {"USDT": Decimal(10_000)})
    pnl_ever: dict[str, Decimal] = field(default_factory=dict)
    positions: dict[tuple[str, int], Position] = field(default_factory=dict)
    hedged: set[str] = field(default_factory=set)
    leverage: dict[str, Decimal] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    closed: deque[Order] = field(default_factory=lambda: deque(maxlen=HISTORY_MAX))
    executions: deque[Execution] = field(default_factory=lambda: deque(maxlen=HISTORY_MAX))
    news: list[News] = field(default_factory=list)
    link_ids: set[str] = field(default_factory=set)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def new_id(self, kind: str) -> str:
        """Return an id that was never given before, shaped as the venue's."""
        return f"{kind}{self.uid:07d}-0000-4000-8000-{next(self._numbers):012d}"

    def position(self, listed: Listed, index: int = 0) -> Position:
        """Return the position of a perpetual, flat if there never was one."""
        key = (listed.name, index)
        if key not in self.positions:
            leverage = self.leverage.get(listed.name, LEVERAGE_DEFAULT)
            self.positions[key] = Position(listed=listed, index=index, leverage=leverage)
        return self.positions[key]

    def indexes(self, listed: Listed) -> tuple[int, ...]:
        """Return the positions that a perpetual has in its mode: one, or one a side."""
        return (1, 2) if listed.name in self.hedged else (0,)

    def holdings(self) -> list[Position]:
        """Return the positions that are not flat."""
        return [one for one in self.positions.values() if one.signed_qty]

    def open_orders(self, listed: Listed | None = None) -> list[Order]:
        """Return the open orders, oldest first; of one market, or all."""
        return [o for o in self.orders.values() if listed is None or o.listed is listed]

    def book(self, order: Order) -> None:
        """Take an accepted order in."""
        self.orders[order.order_id] = order
        if order.link_id:
            self.link_ids.add(order.link_id)
        self.tell(order)

    def tell(self, order: Order) -> None:
        """Note an order's present state for the streams; its position shows the level it has."""
        if order.covers_position:
            level = order.trigger_price if order.is_conditional else None
            position = self.position(order.listed, order.position_idx)
            position.show(order.stop_order_type, level or ZERO)
        self.news.append(("order", copy(order)))

    def note(self, position: Position) -> None:
        """Note a position's present state for the streams."""
        self.news.append(("position", copy(position)))

    def finish(
        self, order: Order, now_ms: int, cancel_type: str = "UNKNOWN", reason: str = "EC_NoError"
    ) -> None:
        """Close an order that will not be filled further."""
        if order.is_conditional and order.listed.category == LINEAR:
            order.status = Status.DEACTIVATED
        elif order.cum_qty and order.listed.category == SPOT:
            order.status = Status.PARTIALLY_FILLED_CANCELED
        else:
            order.status = Status.CANCELLED
        order.cancel_type, order.reject_reason, order.updated_ms = cancel_type, reason, now_ms
        self._close(order)

    def fill(self, order: Order, match: Match) -> None:
        """Fill a part of an order and book what follows from it."""
        rate = (MAKER if match.is_maker else TAKER)[order.listed.category]
        value = match.qty * match.price
        order.cum_qty += match.qty
        order.cum_value += value
        order.updated_ms = match.time_ms
        is_whole = order.cum_qty >= order.qty
        order.status = Status.FILLED if is_whole else Status.PARTIALLY_FILLED
        is_spot = order.listed.category == SPOT
        fee = (match.qty if is_spot and order.side == BUY else value) * rate
        closed, pnl = ZERO, ZERO
        if is_spot:
            self._exchange(order, match, fee)
        else:
            closed, pnl = self._trade(order, match, fee)
        order.cum_fee += fee
        order.closed_pnl += pnl
        execution = Execution(
            exec_id=self.new_id("e"),
            order=order,
            match=match,
            fee=fee,
            fee_rate=rate,
            leaves=order.leaves,
            closed_size=closed,
            pnl=pnl,
        )
        self._note_execution(execution)
        if is_whole:
            self._close(order)
        else:
            self.tell(order)
        if not is_spot:
            self.note(self.position(order.listed, order.position_idx))
        self.news.append(("wallet", None))

    def settle(self, position: Position, order: Order, match: Match, rate: Decimal) -> None:
        """Pay funding: a long pays a positive rate. `order` only names the position's market."""
        payment = position.signed_qty * match.price * rate
        coin = position.listed.quote
        self.add(coin, -payment)
        self.pnl_ever[coin] = self.pnl_ever.get(coin, ZERO) - payment
        position.realise(-payment)
        record = Execution(
            exec_id=self.new_id("e"), order=order, match=match, fee=payment, fee_rate=rate
        )
        self._note_execution(record)
        self.news.append(("wallet", None))

    def add(self, coin: str, amount: Decimal) -> None:
        """Put an amount into a coin's balance."""
        self.coins[coin] = self.coins.get(coin, ZERO) + amount

    def locked(self, coin: str, besides: Order | None = None) -> Decimal:
        """Return what waiting spot orders (`besides` one) hold of a coin."""
        held = ZERO
        for order in self.orders.values():
            if order.listed.category != SPOT or order is besides:
                continue
            if order.side == BUY and order.listed.quote == coin:
                held += order.leaves * (order.price or ZERO)
            elif order.side != BUY and order.listed.base == coin:
                held += order.leaves
        return held

    def _note_execution(self, execution: Execution) -> None:
        self.executions.append(execution)
        self.news.append(("execution", execution))

    def _trade(self, order: Order, match: Match, fee: Decimal) -> tuple[Decimal, Decimal]:
        position = self.position(order.listed, order.position_idx)
        closed, pnl = position.fill(order.sign * match.qty, match.price, match.time_ms)
        position.realise(-fee)
        position.sequence = match.sequence
        coin = order.listed.quote
        self.add(coin, pnl - fee)
        self.pnl_ever[coin] = self.pnl_ever.get(coin, ZERO) + pnl - fee
        return closed, pnl

    def _exchange(self, order: Order, match: Match, fee: Decimal) -> None:
        base, quote = order.listed.base, order.listed.quote
        if order.side == BUY:
            self.add(base, match.qty - fee)
            self.add(quote, -match.qty * match.price)
        else:
            self.add(base, -match.qty)
            self.add(quote, match.qty * match.price - fee)

    def _close(self, order: Order) -> None:
        self.orders.pop(order.order_id, None)
        self.closed.append(order)
        self.tell(order)
