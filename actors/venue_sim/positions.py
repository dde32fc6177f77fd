"""A position, and what a fill makes of it.

Theory. `signed_qty` is above zero when long; `entry_value` is what it was opened for. A fill on the
position's own side adds qty and value; one against it closes at the average price, as far as the
position goes, and what is left opens the other way (one-way mode only: the sides of hedge mode are
positions of their own, and an order there never flips one). Realised PnL is price difference times
closed quantity; fees and funding are added to the realised sums by the account.
The levels it shows are those of the orders that guard it: `Account.tell` passes each on.
Initial margin is mark value / leverage, maintenance margin tiered by mark value (`engines.margin`).
Source: Bybit v5, "Get Position Info"; "Get Risk Limit".
"""

from dataclasses import dataclass
from decimal import Decimal

from actors.venue_sim.listing import Listed
from actors.venue_sim.orders import ZERO
from engines.margin import MarginTier, tier_of

LEVERAGE_DEFAULT = Decimal(10)
TAKE_PROFIT, STOP_LOSS, TRAILING = "TakeProfit", "StopLoss", "TrailingStop"


@dataclass(slots=True, eq=False, kw_only=True)
class Position:
    """What an account holds of one perpetual on one side (`index` 0: either side)."""

    listed: Listed
    index: int
    leverage: Decimal = LEVERAGE_DEFAULT
    signed_qty: Decimal = ZERO
    entry_value: Decimal = ZERO
    pnl_here: Decimal = ZERO  # realised since the position was opened
    pnl_ever: Decimal = ZERO
    take_profit: Decimal = ZERO
    stop_loss: Decimal = ZERO
    trailing: Decimal = ZERO
    trailing_from: Decimal | None = None  # arms the trailing stop
    best: Decimal | None = None  # the best price since it is armed
    created_ms: int = 0
    updated_ms: int = 0
    opened_ms: int = 0
    funded_ms: int = 0  # the last settlement that was paid
    sequence: int = -1

    @property
    def size(self) -> Decimal:
        """Return the quantity without its sign."""
        return abs(self.signed_qty)

    @property
    def side(self) -> str:
        """Return Buy, Sell, or nothing when flat."""
        if self.signed_qty == 0:
            return ""
        return "Buy" if self.signed_qty > 0 else "Sell"

    @property
    def entry_price(self) -> Decimal:
        """Return the average entry price, zero when flat."""
        return self.entry_value / self.size if self.signed_qty else ZERO

    def pnl_open(self, mark: Decimal) -> Decimal:
        """Return the unrealised PnL at a mark price."""
        side = 1 if self.signed_qty > 0 else -1
        return side * (mark * self.size - self.entry_value)

    def margin_initial(self, mark: Decimal) -> Decimal:
        """Return the initial margin at a mark price."""
        return mark * self.size / self.leverage

    def margin_maintenance(self, mark: Decimal) -> Decimal:
        """Return the maintenance margin at a mark price."""
        value = float(mark * self.size)
        return Decimal(repr(self.tier(mark).maintenance_quote(value))) if value else ZERO

    def tier(self, mark: Decimal) -> MarginTier:
        """Return the margin tier of the position's value."""
        return tier_of(self.listed.tiers, float(mark * self.size))

    def price_liquidation(self, cover: Decimal) -> Decimal | None:
        """Return the tick at which equity meets maintenance, None if at no price above zero.

        `cover` is the account's equity without this position's open PnL, less the maintenance of
        all others. Each tier gives one candidate; the one whose value lies in its tier is the root,
        as the margin is continuous.
        """
        if self.signed_qty == 0:
            return None
        side = 1 if self.signed_qty > 0 else -1
        tick, above = Decimal(repr(self.listed.instrument.tick_size)), ZERO
        for tier in self.listed.tiers:
            ratio = Decimal(repr(tier.maintenance_ratio))
            deduction = Decimal(repr(tier.deduction_quote or 0.0))
            divisor = self.size * (side - ratio)
            price = (side * self.entry_value - cover - deduction) / divisor
            highest = Decimal(repr(tier.notional_max))
            if above < price * self.size <= highest:
                return price // tick * tick
            above = highest
        return None

    def fill(self, signed_qty: Decimal, price: Decimal, now_ms: int) -> tuple[Decimal, Decimal]:
        """Take a fill in; return the quantity that it closed and the PnL that this realised."""
        closed, pnl = ZERO, ZERO
        if self.signed_qty * signed_qty < 0:
            closed = min(self.size, abs(signed_qty))
            side = 1 if self.signed_qty > 0 else -1
            part = self.entry_value * closed / self.size
            pnl = side * (price * closed - part)
            self.entry_value -= part
            self.signed_qty -= side * closed
            signed_qty += side * closed
        if signed_qty:
            if self.signed_qty == 0:
                self.opened_ms, self.pnl_here = now_ms, ZERO
                self.created_ms = self.created_ms or now_ms
            self.signed_qty += signed_qty
            self.entry_value += abs(signed_qty) * price
        if self.signed_qty == 0:
            self.entry_value, self.opened_ms = ZERO, 0
        self.realise(pnl)
        self.updated_ms = now_ms
        return closed, pnl

    def show(self, kind: str, level: Decimal) -> None:
        """Take over the level of the order that guards the position, zero when it is gone."""
        if kind == TAKE_PROFIT:
            self.take_profit = level
        elif kind == STOP_LOSS:
            self.stop_loss = level
        elif not level:
            self.trailing, self.trailing_from, self.best = ZERO, None, None

    def realise(self, amount: Decimal) -> None:
        """Add a result, a fee or funding to the realised sums."""
        self.pnl_here += amount
        self.pnl_ever += amount
