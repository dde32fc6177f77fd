"""Orders as the broker holds them, and the prices at which something happens to each.

Theory. Between two decisions of the strategy nothing happens to an order until the price reaches
one of two levels: `up`, met by a rising price, and `down`, met by a falling one. A buy stop and a
sell limit wait above, a sell stop and a buy limit wait below. The broker only compares prices with
these two numbers; which rule has set them is decided here:

    order                     up                            down
    buy limit                 -                             limit
    buy stop                  stop                          -
    buy stop-limit            stop, then -                  -, then limit
    sell exit with bracket    the nearer of limit and arm   the higher of stop and trailing stop
    (buy and sell mirrored)

A stop-limit is one order: its limit sleeps until the stop was met. The leg of an exit bracket is
one order as well, so filling one side ends the other. A trailing leg that is not armed yet waits at
its arming level; once armed, its stop follows the best price at `trail_offset_ticks`.
"""

import math
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import NamedTuple

from engines.trades import Side

NAN = math.nan
INF = math.inf


class OrderKind(Enum):
    """Which command made the order; it decides how much the order may do."""

    ENTRY = "entry"  # reverses an opposite position, obeys pyramiding
    RAW = "order"  # nets, obeys no position rule
    EXIT = "exit"  # a bracket's leg: reduces the entry that it is bound to
    CLOSE = "close"  # reduces at market


class OcaKind(StrEnum):
    """What the fill of one order does to the others of its group."""

    NONE = "none"
    CANCEL = "cancel"
    REDUCE = "reduce"


class Names(NamedTuple):
    """Signal names of a fill: `plain`, or the one for the side of a bracket that filled."""

    plain: str
    profit: str = ""
    loss: str = ""
    trailing: str = ""


class ExitTerms(NamedTuple):
    """An exit command as it was said: two that are equal ask for the same thing.

    `levels` are limit, stop, profit and loss in ticks, profit and loss as ratios; `trail` is price,
    points and offset.
    """

    id: str
    from_entry: str
    qty: float | None
    qty_ratio: float | None
    levels: tuple[float | None, ...]
    trail: tuple[float | None, ...]
    oca_name: str
    names: Names


class BracketSpec(NamedTuple):
    """What one exit command asks for; NaN and None mean not given.

    Prices in quote, distances in ticks from the entry price or as a ratio of it. `qty_steps` or
    `qty_ratio` of the entry's original quantity; neither: all that no other exit has reserved.
    """

    id: str
    from_entry: str
    names: Names
    oca_name: str = ""
    qty_steps: int | None = None
    qty_ratio: float | None = None
    limit: float = NAN
    stop: float = NAN
    profit_ticks: float = NAN
    loss_ticks: float = NAN
    profit_ratio: float = NAN
    loss_ratio: float = NAN
    trail_price: float = NAN
    trail_points: float = NAN
    trail_offset: float = NAN

    @property
    def trail_terms(self) -> tuple[float, float, float]:
        """Return what identifies the trailing part: a re-issue with the same terms keeps it."""
        return (self.trail_price, self.trail_points, self.trail_offset)


@dataclass(slots=True, eq=False)
class Entry:
    """One fill that opened or added: what brackets and closes are bound to.

    `bound_steps` is what its own exits may still close. The rows of the trade list are lots and are
    consumed by the close rule, so under FIFO an exit of this entry may close another entry's lot.
    """

    id: str
    side: Side
    price: float
    bar_index: int
    steps: int
    bound_steps: int
    legs: "list[Order]" = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Order:
    """One order in the book.

    `steps` is its own quantity, `flip_steps` what flattens the opposite position and was fixed when
    the order was issued. `limit_trigger` is where its limit fills: the limit itself, or beyond it
    by the ticks that the plan wants to see verified. `slot` is its place in the queue of orders
    resting at one price. A priced order without a size carries its money and the rate of its issue,
    and is sized when it fills.
    """

    kind: OrderKind
    id: str
    side: Side
    steps: int
    names: Names
    bar_index: int
    is_market: bool = True  # has no level and fills at the next open
    slot: int = 0
    flip_steps: int = 0
    limit: float = NAN
    stop: float = NAN
    budget_quote: float = NAN
    budget_rate: float = 1.0
    oca_name: str = ""
    oca_kind: OcaKind = OcaKind.NONE
    is_triggered: bool = False
    is_closing_only: bool = False
    flips: bool = True
    entry: Entry | None = None
    bracket: BracketSpec | None = None
    arm_price: float = NAN
    trail_offset_ticks: int = 0
    best_price: float = NAN
    trail_stop: float = NAN
    is_done: bool = False
    limit_trigger: float = NAN
    up: float = INF
    down: float = -INF

    @property
    def is_trailing(self) -> bool:
        """Return whether the order follows the price now."""
        return self.best_price == self.best_price  # NaN until armed

    def refresh(self) -> None:
        """Set `up` and `down` from limit, stop and trailing state (the table above)."""
        limit, stop = self.limit_trigger, self.stop
        is_stop_limit = self.kind in (OrderKind.ENTRY, OrderKind.RAW) and not (
            math.isnan(limit) or math.isnan(stop)
        )
        if is_stop_limit:
            limit, stop = (limit, NAN) if self.is_triggered else (NAN, stop)
        if self.is_trailing:
            nearer = max if self.side is Side.SELL else min
            stop = self.trail_stop if math.isnan(stop) else nearer(stop, self.trail_stop)
        elif not math.isnan(self.arm_price):
            nearer = min if self.side is Side.SELL else max
            limit = self.arm_price if math.isnan(limit) else nearer(limit, self.arm_price)
        above, below = (limit, stop) if self.side is Side.SELL else (stop, limit)
        self.up = INF if math.isnan(above) else above
        self.down = -INF if math.isnan(below) else below
