"""What an account is worth at a moment, and how much of it is bound.

Theory. One coin, the settlement coin, carries the margin of all positions in it (cross margin):
equity is its balance plus open PnL at mark; bound is the initial margin of the positions, what the
resting orders would add to them, and what spot orders hold. The rest is available. Conditional and
reduce-only orders bind nothing, nor do others as far as the position that they close backs them.
Source: Bybit v5, "Get Wallet Balance": totalAvailableBalance, totalInitialMargin.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from actors.venue_sim import public
from actors.venue_sim.account import Account
from actors.venue_sim.listing import LINEAR, SPOT, Listed, Market
from actors.venue_sim.orders import ZERO, Order, decimal
from actors.venue_sim.positions import Position
from actors.venue_sim.wire import SERVER_ERROR, Refused

USD_COINS = frozenset({"USDT", "USDC"})


@dataclass(frozen=True, slots=True)
class Valuation:
    """An account at a time."""

    account: Account
    market: Market
    now_ms: int

    def last(self, listed: Listed) -> Decimal:
        """Return a market's last price.

        Raises: Refused before its first bar.
        """
        bar = listed.base_tape.last(self.now_ms)
        if bar is None:
            raise Refused(SERVER_ERROR, "the market has no price yet")
        return decimal(bar.close)

    def mark(self, listed: Listed) -> Decimal:
        """Return a market's mark price."""
        return decimal(public.mark_price(listed, self.now_ms))

    def pnl_open(self, coin: str) -> Decimal:
        """Return the open PnL of the positions that settle in a coin."""
        return sum((p.pnl_open(self.mark(p.listed)) for p in self._holdings(coin)), ZERO)

    def equity(self, coin: str) -> Decimal:
        """Return a coin's balance with open PnL."""
        return self.account.coins.get(coin, ZERO) + self.pnl_open(coin)

    def margin_positions(self, coin: str) -> Decimal:
        """Return the initial margin of positions."""
        return sum((p.margin_initial(self.mark(p.listed)) for p in self._holdings(coin)), ZERO)

    def margin_maintenance(self, coin: str) -> Decimal:
        """Return the maintenance margin of positions."""
        return sum((p.margin_maintenance(self.mark(p.listed)) for p in self._holdings(coin)), ZERO)

    def margin_orders(self, coin: str, besides: Order | None = None) -> Decimal:
        """Return the initial margin that resting orders (`besides` one) would add."""
        everyone = self.account.orders.values()
        orders = [one for one in everyone if one.listed.quote == coin and one is not besides]
        unbacked = self._unbacked(orders)
        return sum((qty * self._margin(one, one.price or ZERO) for one, qty in unbacked), ZERO)

    def margin_of(self, order: Order, price: Decimal) -> Decimal:
        """Return the initial margin that an order at a price binds beside those that wait."""
        others = [one for one in self.account.open_orders(order.listed) if one is not order]
        for one, qty in self._unbacked([*others, order]):
            if one is order:
                return qty * self._margin(order, price)
        return ZERO

    def _margin(self, order: Order, price: Decimal) -> Decimal:
        return price / self.account.position(order.listed, order.position_idx).leverage

    def _unbacked(self, orders: Iterable[Order]) -> Iterator[tuple[Order, Decimal]]:
        """Yield the orders that bind margin, and for how much.

        A position backs the orders against it up to its quantity, once, the oldest first.
        """
        credits: dict[tuple[str, int, int], Decimal] = {}
        for order in orders:
            if order.is_conditional or order.reduce_only or order.listed.category != LINEAR:
                continue
            key = (order.listed.name, order.position_idx, order.sign)
            if key not in credits:
                position = self.account.position(order.listed, order.position_idx)
                credits[key] = position.size if position.signed_qty * order.sign < 0 else ZERO
            backed = min(credits[key], order.leaves)
            credits[key] -= backed
            yield order, order.leaves - backed

    def available(self, coin: str, besides: Order | None = None) -> Decimal:
        """Return what an order may use of a coin: a new one, or a waiting one (`besides`)."""
        held = self.margin_orders(coin, besides) + self.account.locked(coin, besides)
        return self.equity(coin) - self.margin_positions(coin) - held

    def price_liquidation(self, position: Position) -> Decimal | None:
        """Return where the account would be liquidated if only this market moved."""
        coin = position.listed.quote
        mark = self.mark(position.listed)
        others = self.margin_maintenance(coin) - position.margin_maintenance(mark)
        cover = self.equity(coin) - position.pnl_open(mark) - others
        return position.price_liquidation(cover)

    def usd(self, coin: str) -> Decimal:
        """Return the price of a coin in dollars, zero where no market tells it."""
        if coin in USD_COINS:
            return Decimal(1)
        for category in (SPOT, LINEAR):
            for quote in sorted(USD_COINS, reverse=True):
                listed = self.market.listed.get((category, coin + quote))
                if listed is not None:
                    return self.last(listed)
        return ZERO

    def _holdings(self, coin: str) -> list[Position]:
        return [one for one in self.account.holdings() if one.listed.quote == coin]
