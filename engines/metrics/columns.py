"""The trades of a run as aligned columns, read once so that every figure is a sum over an array."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from operator import attrgetter
from typing import Any

import numpy as np

from engines.trades import ExitReason, Trade
from engines.types import BOOL_1D, F64_1D, I64_1D

_FLOATS = (
    "qty", "entry_price", "pnl_quote", "pnl_ratio", "fee_quote", "fee_entry_quote",
    "funding_quote", "slippage_quote", "mfe_quote", "mae_quote",
)  # fmt: skip  # one list
_INTEGERS = ("side", "entry_bar", "exit_bar", "entry_time_ms", "exit_time_ms")


@dataclass(frozen=True)
class TradeColumns:
    """Trades as columns [K] in the order of the list; the names are those of `Trade`."""

    side: I64_1D
    qty: F64_1D
    entry_bar: I64_1D
    entry_time_ms: I64_1D
    entry_price: F64_1D
    exit_bar: I64_1D
    exit_time_ms: I64_1D
    pnl_quote: F64_1D
    pnl_ratio: F64_1D
    fee_quote: F64_1D
    fee_entry_quote: F64_1D
    funding_quote: F64_1D
    slippage_quote: F64_1D
    mfe_quote: F64_1D
    mae_quote: F64_1D
    is_open: BOOL_1D
    is_margin_call: BOOL_1D
    is_liquidation: BOOL_1D

    def __len__(self) -> int:
        return len(self.side)

    def where(self, mask: BOOL_1D) -> "TradeColumns":
        """Return the trades that `mask` [K] keeps."""
        return replace(self, **{item.name: getattr(self, item.name)[mask] for item in fields(self)})

    @cached_property
    def before_quote(self) -> F64_1D:
        """Return the sum of the results of the closed trades before each one [K]."""
        settled = np.where(self.is_open, 0.0, self.pnl_quote)
        return np.cumsum(settled) - settled

    def held(self, amount: F64_1D, bars: int) -> F64_1D:
        """Return the sum of `amount` [K] over the trades open at each close [T].

        A trade is open from its entry's bar to the one before its exit's, or to the last one.
        """
        last = np.where(self.is_open, bars, self.exit_bar)
        steps = np.bincount(self.entry_bar, amount, bars + 1)
        held: F64_1D = np.cumsum(steps - np.bincount(last, amount, bars + 1))[:bars]
        # What is left of a sum that should be zero is float noise, not a position.
        noise = 1e-9 * float(np.abs(amount).max()) if len(amount) else 0.0
        return np.where(np.abs(held) > noise, held, 0.0)


def trade_columns(trades: Sequence[Trade]) -> TradeColumns:
    """Return trades as columns."""
    names = (*_FLOATS, *_INTEGERS)
    rows = zip(*map(attrgetter(*names), trades), strict=True) if trades else [()] * len(names)
    columns: dict[str, Any] = {
        name: np.array(row, dtype=np.float64 if name in _FLOATS else np.int64)
        for name, row in zip(names, rows, strict=True)
    }  # Any: integers and floats alike, by name
    reasons = [trade.exit_reason for trade in trades]
    return TradeColumns(
        **columns,
        is_open=np.array([trade.is_open for trade in trades], dtype=np.bool_),
        is_margin_call=_are(reasons, ExitReason.MARGIN_CALL),
        is_liquidation=_are(reasons, ExitReason.LIQUIDATION),
    )


def _are(reasons: Sequence[ExitReason], wanted: ExitReason) -> BOOL_1D:
    return np.array([reason is wanted for reason in reasons], dtype=np.bool_)
