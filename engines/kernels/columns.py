"""The columns that a kernel run reads; whatever several parameter sets share is made once."""

from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from engines.types import F64_1D, I64_1D

F64_2D: TypeAlias = npt.NDArray[np.float64]
F64_3D: TypeAlias = npt.NDArray[np.float64]
I64_2D: TypeAlias = npt.NDArray[np.int64]
U8_1D: TypeAlias = npt.NDArray[np.uint8]
U8_2D: TypeAlias = npt.NDArray[np.uint8]


class Run(Protocol):
    """The row of one run [RUN or more] as the rules see it: numbers by their places (`slots`)."""

    def __getitem__(self, place: int, /) -> float:
        """Return the number at a place."""
        ...

    def __setitem__(self, place: int, number: float, /) -> None:
        """Set the number at a place."""
        ...

    def __len__(self) -> int:
        """Return how many places there are."""
        ...


NONE = np.empty(0)
NONE.flags.writeable = False


def frozen(column: npt.NDArray[Any] | None, dtype: type = np.float64) -> Any:
    """Return a column, none as an empty one, in the one form that kernels are compiled for."""
    view: npt.NDArray[Any] = np.ascontiguousarray(
        NONE if column is None else column, dtype=dtype
    ).view()
    view.flags.writeable = False
    return view


class Bars(NamedTuple):
    """Bars as a search and a walk read them.

    `prices` [T, 4] are open, high, low and close. `reach` [N, 2] are high and low: of each bar,
    then of each aligned block of 64 bars, then of each of 4096. `months` are the bars at which a
    month begins after that of the first traded bar; `days` are those from its open to the end.
    `marks` [T, 4] are the mark price, [0, 4] without one, and `watched` is the reach of both.
    """

    prices: F64_2D
    reach: F64_2D
    months: I64_1D
    days: float
    marks: F64_2D
    watched: F64_2D


class Wants(NamedTuple):
    """What is wished at each close: bits [T], and the bars with a wish that can matter.

    `flat`, `long` and `short` are those bars [N] by what is held, `roomy_long` and `roomy_short`
    those while the position takes more entries. The columns [T] refine an entry; one that is not
    given is empty.
    """

    wishes: U8_1D
    flat: I64_1D
    long: I64_1D
    short: I64_1D
    roomy_long: I64_1D
    roomy_short: I64_1D
    stop_price: F64_1D
    target_price: F64_1D
    size: F64_1D
    equity_ratio: F64_1D
    atr: F64_1D
    atr_ratio: F64_1D


class Tables(NamedTuple):
    """What W wants wish for: the columns of `Wants` one below the other.

    `wishes` and the columns are [W, T], a column that is not given [W, 0]. The events of want w
    are those from `starts[w]` to `starts[w + 1]`, one column of `starts` for each kind.
    """

    wishes: U8_2D
    flat: I64_1D
    long: I64_1D
    short: I64_1D
    roomy_long: I64_1D
    roomy_short: I64_1D
    starts: I64_2D
    stop_price: F64_2D
    target_price: F64_2D
    size: F64_2D
    equity_ratio: F64_2D
    atr: F64_2D
    atr_ratio: F64_2D


class Charges(NamedTuple):
    """What costs and counts depend on from bar to bar.

    Slippage, volume and the days of each bar's open and close are [T], settlements [N].

    `is_before` tells whether a settlement comes ahead of the fills of its bar's open; they ascend
    by bar. `day_bars` are the first bars of each day. Columns that nothing needs are empty;
    `settles` is 0 in a run without funding. `tiers` [K, 3] are the margin tiers of the instrument:
    limit, ratio and deduction.
    """

    slip_ratio: F64_1D
    volume: F64_1D
    settle_bar: I64_1D
    settle_time_ms: I64_1D
    settle_price: F64_1D
    settle_rate: F64_1D
    is_before: U8_1D
    settles: int
    open_day: I64_1D
    close_day: I64_1D
    day_bars: I64_1D
    tiers: F64_2D
