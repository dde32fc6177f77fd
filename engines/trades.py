"""What the broker made: fills and the trades matched from them.

A fill is one execution. A trade is a part of one entry fill matched with the exit fill that closed
it, so one entry closed in three parts makes three trades, and one exit that closes three entries
makes three trades; TradingView lists them the same way. A position still open at the last bar is a
trade with `is_open`, valued at the last close.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NamedTuple

OPEN_AT_END = "Open"  # TradingView's signal name of a position still open at the last bar.


class Side(IntEnum):
    """Direction of an order, a fill or a trade's entry; its value is the sign."""

    BUY = 1
    SELL = -1

    @property
    def is_long(self) -> bool:
        """Return whether a trade entered on this side is long."""
        return self is Side.BUY

    @property
    def opposite(self) -> "Side":
        """Return the other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class ExitReason(StrEnum):
    """What ended a trade, whatever its signal name says."""

    SIGNAL = "signal"
    REVERSAL = "reversal"
    STOP_LOSS = "stop_loss"
    TAKE_PROFIT = "take_profit"
    ATR_SL = "atr_sl"
    ATR_TP = "atr_tp"
    TRAILING_STOP = "trailing_stop"
    BREAKEVEN_SL = "breakeven_sl"
    TIME_EXIT = "time_exit"
    SESSION_CLOSE = "session_close"
    WEEKEND_CLOSE = "weekend_close"
    MAX_DRAWDOWN = "max_drawdown"
    LIQUIDATION = "liquidation"
    MARGIN_CALL = "margin_call"
    RISK_RULE = "risk_rule"
    END_OF_DATA = "end_of_data"


@dataclass(frozen=True, slots=True)
class FundingPayment:
    """One settlement while a position was held: `paid_quote` > 0 is a cost, in account currency."""

    bar_index: int
    time_ms: int
    rate: float
    mark_price: float
    signed_qty: float
    paid_quote: float


class Fill(NamedTuple):
    """One execution: `price` after slippage, `fee_quote` the commission in account currency.

    `slippage_quote` is what slippage cost: the distance from the price at which the order was due,
    times quantity.
    """

    bar_index: int
    time_ms: int
    order_id: str
    name: str
    side: Side
    qty: float
    price: float
    fee_quote: float
    slippage_quote: float = 0.0


class Trade(NamedTuple):
    """One round trip.

    `side` is the entry's. Money is in account currency: `pnl_quote` after `fee_quote` (the entry's
    and the exit's share of commission, the first alone in `fee_entry_quote`) and after
    `funding_quote` (what it paid at settlements, below zero if it received). `slippage_quote` is
    already in the prices. `stop_price` and `target_price` are the levels that its entry's first
    exit had in the end, None without. `pnl_ratio` is over what the entry cost: its notional and its
    commission. `mfe_quote` and `mae_quote` (both >= 0) are the best and the worst open result
    between the two fills, the entry commission taken off; the ratios are over the entry's cost too.
    `cumulative_quote` is the net profit of the account right after this trade, the entry commission
    of what was still open taken off. Bars count from 0.
    """

    side: Side
    qty: float
    entry_bar: int
    entry_time_ms: int
    entry_price: float
    entry_name: str
    exit_bar: int
    exit_time_ms: int
    exit_price: float
    exit_name: str
    pnl_quote: float
    pnl_ratio: float
    fee_quote: float
    fee_entry_quote: float
    mfe_quote: float
    mfe_ratio: float
    mae_quote: float
    mae_ratio: float
    cumulative_quote: float
    is_open: bool = False
    funding_quote: float = 0.0
    slippage_quote: float = 0.0
    exit_reason: ExitReason = ExitReason.SIGNAL
    stop_price: float | None = None
    target_price: float | None = None

    @property
    def bars_held(self) -> int:
        """Return the bars in the trade, the entry's and the exit's both counted."""
        return self.exit_bar - self.entry_bar + 1
