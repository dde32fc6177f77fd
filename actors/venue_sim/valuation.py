"""What an account is worth at a moment, and how much of it is bound.

Theory. One coin, the settlement coin, carries the margin of all positions in it (cross margin):
equity is its balance plus open PnL at mark; bound is the initial margin of the positions, what the
resting orders would add to them, and what spot orders hold. The rest is available. Conditional and
reduce-only orders bind nothing.
Source: Bybit v5, "Get Wallet Balance": totalAvailableBalance, totalInitialMargin.
"""

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
        return sum((self.margin_of(one, one.price or ZERO) for one in orders), ZERO)

    def margin_of(self, order: Order, price: Decimal) -> Decimal:
        """Return the initial margin that an order binds at a price."""
        if order.is_conditional or order.reduce_only or order.listed.category != LINEAR:
            return ZERO
        position = self.account.position(order.listed, order.position_idx)
        against = position.size if position.signed_qty * order.sign < 0 else ZERO
        return max(ZERO, order.leaves - against) * price / position.leverage

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
