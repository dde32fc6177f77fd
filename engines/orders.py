"""Orders as the broker holds them, and the prices at which something happens to each.

Theory. Between two decisions of the strategy nothing happens to an order until the price reaches
one of two levels: `up`, met by a rising price, and `down`, met by a falling one. A buy stop and a
sell limit wait above, a sell stop and a buy limit wait below. The broker only compares prices with
these two numbers; which rule has set them is decided here:

    order                     up                            down
    buy limit                 -                             limit
    buy stop                  stop                          -
    buy stop-limit            stop, then -                  -, then limit
    sell exit with bracket    the nearest of limit, next    the highest of stop, ratcheted stop
                              ratchet and arm               and trailing stop
    (buy and sell mirrored)

A stop-limit is one order: its limit sleeps until the stop was met. The leg of an exit bracket is
one order as well, so filling one side ends the other. A trailing leg that is not armed yet waits at
its arming level; once armed, its stop follows the best price (`Moves`; the rules: `brackets`).

A *rung* is an entry that only ever adds to a position of its side (`with_position`). Said beside an
entry which is yet to fill it sleeps, without levels, until that opens the position: then it is
bound, and where the price has passed it already it fills at once. It goes with its position, closed
or reversed, and when neither the position nor such an entry is left: at once where the entry is
refused, at the next open where it was cancelled.
"""

import math
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import NamedTuple, TypeAlias

from engines.plan import Basis
from engines.trades import ExitReason, Side

NAN = math.nan
INF = math.inf


class OrderKind(Enum):
    """Which command made the order; it decides how much the order may do."""

    ENTRY = "entry"  # reverses an opposite position, obeys pyramiding
    RAW = "order"  # nets, obeys no position rule
    EXIT = "exit"  # a bracket's leg: reduces the entry that it is bound to
    CLOSE = "close"  # reduces at market


PRICED_KINDS = (OrderKind.ENTRY, OrderKind.RAW)


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


class Unit(Enum):
    """How a level is said: a price, or a distance from the base price."""

    PRICE = "price"
    TICKS = "ticks"
    RATIO = "ratio"
    QUOTE = "quote"


Level: TypeAlias = tuple[Unit, float]
Ratchets: TypeAlias = tuple[tuple[float, float], ...]


class BracketSpec(NamedTuple):
    """What one exit command asks of each entry that it covers, checked.

    `gains`, `losses` and `arms` are the ways in which target, stop and arming level are given,
    `trail_distance` is how far the trailing stop follows. `qty_steps` or `qty_ratio` of the
    entry's original quantity; neither: all that no other exit has reserved.
    """

    id: str
    names: Names
    oca_name: str = ""
    qty_steps: int | None = None
    qty_ratio: float | None = None
    gains: tuple[Level, ...] = ()
    losses: tuple[Level, ...] = ()
    arms: tuple[Level, ...] = ()
    trail_distance: Level = (Unit.TICKS, 0)
    ratchets: Ratchets = ()
    basis: Basis = Basis.ENTRY
    stop_reason: ExitReason = ExitReason.STOP_LOSS
    profit_reason: ExitReason = ExitReason.TAKE_PROFIT


class ExitTerms(NamedTuple):
    """An exit command as it was said: two that are equal ask for the same thing.

    `gains` and `losses` are a price, ticks and a ratio; `arms` price, points, ratio and quote;
    `distances` offset, ratio and quote; `comments` plain, profit, loss and trailing.
    """

    id: str
    qty: float | None
    qty_ratio: float | None
    gains: tuple[float | None, ...]
    losses: tuple[float | None, ...]
    arms: tuple[float | None, ...]
    distances: tuple[float | None, ...]
    ratchets: Ratchets
    basis: Basis
    oca_name: str
    comments: tuple[str, str, str, str]
    stop_reason: ExitReason
    profit_reason: ExitReason


@dataclass(slots=True, eq=False)
class Bracket:
    """An exit command in force for the entries named `from_entry` ("": for all).

    `is_bound` once it belongs to a position: it then ends with that position.
    """

    spec: BracketSpec
    terms: ExitTerms
    from_entry: str
    is_bound: bool = False
    is_live: bool = True


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
class Moves:
    """What moves the stop of a leg: a trailing part, and ratchets of (trigger, stop) prices.

    `best_price` and `trail_stop` are NaN until the trailing part is armed, `ratchet_stop` until the
    first ratchet has acted. `ratchets` are those still to act, the next one first.
    """

    arm_price: float = NAN
    trail_ticks: int = 0
    best_price: float = NAN
    trail_stop: float = NAN
    ratchets: tuple[tuple[float, float], ...] = ()
    ratchet_stop: float = NAN

    @property
    def is_trailing(self) -> bool:
        """Return whether the stop follows the price now."""
        return self.best_price == self.best_price  # NaN until armed

    def waits_at(self, limit: float, sign: int) -> float:
        """Return the nearest of `limit`, the next trigger and the arming level (`sign` 1: long)."""
        if self.ratchets:
            limit = _nearer(limit, self.ratchets[0][0], -sign)
        return limit if self.is_trailing else _nearer(limit, self.arm_price, -sign)

    def stops_at(self, stop: float, sign: int) -> float:
        """Return the nearest of `stop`, the ratcheted and the trailing stop (`sign` 1: long)."""
        return _nearer(_nearer(stop, self.ratchet_stop, sign), self.trail_stop, sign)


def _nearer(a: float, b: float, sign: int) -> float:
    """Return the higher (`sign` 1) or the lower (-1) level; a NaN is none."""
    return b if a != a or (b - a) * sign > 0 else a


@dataclass(slots=True, eq=False)
class Order:
    """One order in the book.

    `steps` is its own quantity, `flip_steps` what flattens the opposite position and was fixed when
    the order was issued. `limit_trigger` is where its limit fills: the limit itself, or beyond it
    by the ticks that the plan wants to see verified. `slot` is its place in the queue of orders
    resting at one price. A priced order without a size carries its money and the rate of its issue,
    and is sized when it fills. `reason` is what an order that closes gives as the exit's reason.
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
    with_position: bool = False
    is_bound: bool = False
    reason: ExitReason = ExitReason.SIGNAL
    entry: Entry | None = None
    bracket: Bracket | None = None
    moves: Moves | None = None
    is_done: bool = False
    limit_trigger: float = NAN
    up: float = INF
    down: float = -INF

    @property
    def is_trailing(self) -> bool:
        """Return whether the order follows the price now."""
        return self.moves is not None and self.moves.is_trailing

    @property
    def stop_reason(self) -> ExitReason:
        """Return which stop of a leg the price has met."""
        assert self.bracket is not None
        moves, sign = self.moves, -int(self.side)
        if moves is None or self.stop == moves.stops_at(self.stop, sign):
            return self.bracket.spec.stop_reason
        if moves.ratchet_stop == moves.stops_at(moves.ratchet_stop, sign):
            return ExitReason.BREAKEVEN_SL
        return ExitReason.TRAILING_STOP

    def refresh(self) -> None:
        """Set `up` and `down` from limit, stop and what moves the stop (the table above)."""
        if self.with_position and not self.is_bound:
            self.up, self.down = INF, -INF
            return
        limit, stop = self.limit_trigger, self.stop
        if limit == limit and stop == stop and self.kind in PRICED_KINDS:  # both are given
            limit, stop = (limit, NAN) if self.is_triggered else (NAN, stop)
        if self.side is Side.SELL:
            if self.moves is not None:
                limit, stop = self.moves.waits_at(limit, 1), self.moves.stops_at(stop, 1)
            self.up = limit if limit == limit else INF
            self.down = stop if stop == stop else -INF
        else:
            if self.moves is not None:
                limit, stop = self.moves.waits_at(limit, -1), self.moves.stops_at(stop, -1)
            self.up = stop if stop == stop else INF
            self.down = limit if limit == limit else -INF
