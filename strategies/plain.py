"""The plain form of a strategy: DataFrame in, DataFrame with a column `signal` out.

Any class with `generate_signals(df)` is accepted as a strategy, so that code written for notebooks
and other frameworks runs here unchanged.
"""

from typing import Protocol

import numpy as np
import pandas as pd

from engines.errors import KlineFault, StrategyFault
from engines.klines import Klines
from engines.signals import Signals, signals_from_column
from engines.types import F64_1D

# Seconds since 1970 have ten digits until 2286; milliseconds have twelve since March 1973.
EARLIEST_MS = 100_000_000_000


class PlainStrategy(Protocol):
    """A class from elsewhere that speaks the plain form."""

    def generate_signals(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return `frame`, or a frame of the same rows, with a column `signal` in 1, -1, 0."""
        ...


class PlainSignals:
    """A plain strategy as the engine sees it."""

    def __init__(self, strategy: PlainStrategy) -> None:
        self.strategy = strategy

    def signals(self, klines: Klines) -> Signals:
        """Return the wishes that the plain strategy's `signal` column asks for.

        Raises: StrategyFault if the answer has no such column of numbers or other rows.
        """
        frame = frame_from_klines(klines)
        index = frame.index
        answer: object = self.strategy.generate_signals(frame)
        subject = f"generate_signals of {type(self.strategy).__name__}"
        if not isinstance(answer, pd.DataFrame):
            raise StrategyFault(subject, "a DataFrame", type(answer).__name__)
        if list(answer.columns).count("signal") != 1:
            found = ", ".join(map(str, answer)) or "no column"
            raise StrategyFault(subject, "a column signal", found)
        if len(answer) != len(klines):
            raise StrategyFault(subject, f"{len(klines)} rows", str(len(answer)))
        # A range is what reset_index leaves: rows in order, as far as anyone can tell.
        if not (isinstance(answer.index, pd.RangeIndex) or answer.index.equals(index)):
            raise StrategyFault(subject, "the rows of the frame in their order", "another index")
        try:
            signal = answer["signal"].to_numpy(dtype=np.float64)
        except (TypeError, ValueError):
            kind = answer["signal"].dtype
            raise StrategyFault(subject, "1, -1 and 0 in column signal", f"{kind}") from None
        return signals_from_column(signal)


def frame_from_klines(klines: Klines) -> pd.DataFrame:
    """Return klines as a frame indexed by open time in UTC."""
    index = pd.to_datetime(klines.open_time_ms, unit="ms", utc=True)
    columns = {
        name: getattr(klines, name).copy() for name in ("open", "high", "low", "close", "volume")
    }
    return pd.DataFrame({"open_time_ms": klines.open_time_ms, **columns}, index=index)


def klines_from_frame(
    frame: pd.DataFrame, symbol: str = "frame", interval_ms: int | None = None
) -> Klines:
    """Return the checked klines of a frame; the inverse of `frame_from_klines`.

    Without an interval the smallest step between two rows is taken for it.
    Raises: KlineFault if the times are not milliseconds or the rows no klines.
    """
    if "open_time_ms" in frame:
        open_time_ms = frame["open_time_ms"].to_numpy(dtype=np.int64)
    else:
        index = pd.DatetimeIndex(frame.index).as_unit("ms")
        open_time_ms = index.asi8.astype(np.int64)
    if len(early := open_time_ms[open_time_ms < EARLIEST_MS]):
        raise KlineFault(
            f"open_time_ms of {symbol}", "milliseconds since 1970, 12 digits or more", f"{early[0]}"
        )
    if interval_ms is None:
        steps = np.diff(open_time_ms)
        interval_ms = max(1, int(steps.min())) if len(steps) else 1
    return Klines(
        symbol=symbol,
        interval_ms=interval_ms,
        open_time_ms=open_time_ms,
        open=_column(frame, "open"),
        high=_column(frame, "high"),
        low=_column(frame, "low"),
        close=_column(frame, "close"),
        volume=_column(frame, "volume"),
    )


def _column(frame: pd.DataFrame, name: str) -> F64_1D:
    return frame[name].to_numpy(dtype=np.float64)
