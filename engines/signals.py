"""What a signals strategy wants at the close of each bar: aligned columns, no orders yet.

A wish at bar t is known at its close and may act from bar t+1 on (or at the close itself when the
plan processes orders on close). `stop_price`, `target_price`, `size` and `equity_ratio` refine the
entry of the same bar; NaN means the plan decides.

Most strategies set stops by a rule that is the same for every bar. They say it instead of a column
for each level, since few bars enter and a sweep asks for thousands of columns: `RangeBracket`.
"""

from dataclasses import dataclass, replace

import numpy as np

from engines.errors import StrategyFault
from engines.features._compiled import compiled
from engines.types import BOOL_1D, F64_1D

KINDS = (
    ("entry_long", "b"), ("exit_long", "b"), ("entry_short", "b"), ("exit_short", "b"),
    ("stop_price", "f"), ("target_price", "f"), ("size", "f"), ("equity_ratio", "f"),
)  # fmt: skip # the columns, and of which kind of dtype each is
NO_EDGE: F64_1D = np.empty(0)
NO_EDGE.flags.writeable = False


@dataclass(frozen=True, slots=True, eq=False)
class RangeBracket:
    """Levels by a rule: the stop lies `multiplier` ranges behind the deciding close.

    The target lies `reward_ratio` times as far on its other side, or there is none. With a `bottom`
    and a `top` the stop of a long lies no higher than the one, that of a short no lower than the
    other. Columns [T] are in quote and read-only. An entry where the stop would not lie behind the
    close is the strategy's own mistake.
    Raises: StrategyFault if the multiplier or the ratio is no number, or one edge comes alone.
    """

    close: F64_1D
    ranges: F64_1D
    multiplier: float
    reward_ratio: float | None
    bottom: F64_1D | None = None
    top: F64_1D | None = None

    def __post_init__(self) -> None:
        for name in ("multiplier", "reward_ratio"):
            value = getattr(self, name)
            if value is None and name == "reward_ratio":
                continue
            try:  # Compiled code takes floats alone, far from whoever may be told of another.
                object.__setattr__(self, name, float(value))
            except (TypeError, ValueError):
                raise StrategyFault(f"signal bracket's {name}", "a number", repr(value)) from None
        if (self.bottom is None) != (self.top is None):
            raise StrategyFault("signal bracket's bottom and top", "both or none", "one of them")

    @property
    def edges(self) -> tuple[F64_1D, F64_1D]:
        """Return the bottom and the top, empty if there are none."""
        if self.bottom is None or self.top is None:
            return NO_EDGE, NO_EDGE
        return self.bottom, self.top

    def columns(self, long: BOOL_1D, short: BOOL_1D) -> tuple[F64_1D, F64_1D | None]:
        """Return the stops and the targets of entries [T], NaN where nothing enters."""
        bars = len(self.close)
        stops, targets = np.empty(bars), np.empty(0 if self.reward_ratio is None else bars)
        ratio = self.reward_ratio or 0.0
        _price(
            self.close, self.ranges, self.multiplier, ratio, *self.edges, long, short, stops,
            targets,
        )  # fmt: skip # the rule, what enters, what is filled
        return stops, None if self.reward_ratio is None else targets


@compiled
def _price(
    close: F64_1D, ranges: F64_1D, multiplier: float, reward_ratio: float, bottom: F64_1D,
    top: F64_1D, long: BOOL_1D, short: BOOL_1D, stops: F64_1D, targets: F64_1D,
) -> None:  # fmt: skip # the rule, what enters, what is filled
    for t in range(close.size):
        sign = (1.0 if long[t] else 0.0) - (1.0 if short[t] else 0.0)
        stop = close[t] - sign * (multiplier * ranges[t])
        if bottom.size > 0 and sign != 0.0:
            edge = bottom[t] if sign > 0.0 else top[t]
            # A range or an edge that is not known leaves no stop.
            stop = edge if not sign * stop <= sign * edge and stop == stop else stop
        stops[t] = stop if sign != 0.0 else np.nan
        if targets.size > 0:
            target = close[t] + reward_ratio * (close[t] - stop)
            targets[t] = target if sign != 0.0 else np.nan


@dataclass(frozen=True, slots=True, eq=False)
class Signals:
    """Entry and exit wishes [T] for both sides.

    `stop_price` and `target_price` in quote, `size` in contracts, `equity_ratio` the share of
    equity that the entry spends (times the plan's leverage), each [T] or None. A `bracket` stands
    for both levels: `priced` has them.
    Raises: StrategyFault if a column is misaligned, one bar wants to enter both sides, or levels
    are given twice.
    """

    entry_long: BOOL_1D
    exit_long: BOOL_1D
    entry_short: BOOL_1D
    exit_short: BOOL_1D
    stop_price: F64_1D | None = None
    target_price: F64_1D | None = None
    size: F64_1D | None = None
    equity_ratio: F64_1D | None = None
    bracket: RangeBracket | None = None

    def __post_init__(self) -> None:
        wanted = self.entry_long.shape
        for name, kind in KINDS:
            values = getattr(self, name)
            if values is None:
                continue
            if values.shape != wanted or len(wanted) != 1 or values.dtype.kind != kind:
                raise StrategyFault(
                    f"signal column {name}",
                    f"{wanted} of {'bool' if kind == 'b' else 'float64'}",
                    f"{values.shape} of {values.dtype}",
                )
        both = self.entry_long & self.entry_short
        # The first bar is asked for at once: whether there is any takes longer to find out.
        if both.size and both[both.argmax()]:
            found = f"both sides at bar {both.argmax()}"
            raise StrategyFault("signals", "one entry side a bar", found)
        if self.bracket is not None:
            self._require_one_bracket(self.bracket)

    def _require_one_bracket(self, bracket: RangeBracket) -> None:
        for name in ("stop_price", "target_price"):
            if getattr(self, name) is not None:
                raise StrategyFault(f"signal column {name}", "none beside a bracket", "a column")
        for name in ("close", "ranges", "bottom", "top"):
            column = getattr(bracket, name)
            if column is None and name in ("bottom", "top"):
                continue
            if column.shape != self.entry_long.shape or column.dtype != np.float64:
                raise StrategyFault(
                    f"signal bracket's {name}",
                    f"{self.entry_long.shape} of float64",
                    f"{column.shape} of {column.dtype}",
                )

    def __len__(self) -> int:
        return len(self.entry_long)

    @property
    def are_plain(self) -> bool:
        """Return whether no column refines an entry."""
        return self.have_no_levels and self.have_no_size

    @property
    def have_no_levels(self) -> bool:
        """Return whether the plan alone sets stops and targets."""
        return self.stop_price is None and self.target_price is None and self.bracket is None

    @property
    def have_no_size(self) -> bool:
        """Return whether the plan alone sizes the entries."""
        return self.size is None and self.equity_ratio is None

    def without_levels(self) -> "Signals":
        """Return the same wishes with no stop and no target of the strategy's own."""
        if self.have_no_levels:
            return self
        return replace(self, stop_price=None, target_price=None, bracket=None)

    def priced(self) -> "Signals":
        """Return the same wishes with the levels of a bracket as columns."""
        if self.bracket is None:
            return self
        stops, targets = self.bracket.columns(self.entry_long, self.entry_short)
        return replace(self, stop_price=stops, target_price=targets, bracket=None)


def signals_from_column(signal: F64_1D) -> Signals:
    """Return signals from the plain form: 1 wants to be long, -1 short, 0 keeps what is.

    A 1 enters long (and so closes a short); there is no wish to be flat in this form.
    """
    found = np.unique(signal[~np.isnan(signal)])
    if not np.isin(found, (-1.0, 0.0, 1.0)).all() or np.isnan(signal).any():
        raise StrategyFault("column signal", "only 1, -1 and 0", f"{found[:5].tolist()} or NaN")
    none = np.zeros(len(signal), dtype=np.bool_)
    return Signals(
        entry_long=signal == 1, exit_long=none, entry_short=signal == -1, exit_short=none
    )
