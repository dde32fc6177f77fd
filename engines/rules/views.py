"""The series that a filter looks at, seen from the traded bars without look-ahead.

Theory. A filter looks at the traded bars or at another series of `klines.others`, as they are or
gathered to a longer interval. A feature is computed on the bars looked at; the traded bar t sees
its value at the newest of them that is known at the close of t.

A bar is known from its own close on. A longer bar whose last part is missing (an outage) is known
only when a bar after it closes: until then the part might still arrive, and whoever has only the
bars up to here cannot tell. A value is seen until a newer one is known, as with TradingView's
request.security, but that of another series ends a week after the next one was due: then the series
has stopped (its file is shorter), and a silence of a holiday has not.
"""

import difflib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engines.errors import KlineFault, PlanFault
from engines.klines import WEEK_MS, Klines, interval_text, parse_interval_ms
from engines.resample import aggregate, project
from engines.types import F64_1D, I64_1D

SILENCE_MS_MAX = WEEK_MS


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Bars looked at, and for each of the `length` traded bars the newest one that is known.

    `bars` is None while not one whole bar of a longer interval is there, `newest` None when the
    bars are the traded ones. `close` is the newest close of the series on its own interval [T].
    """

    length: int
    bars: Klines | None
    newest: I64_1D | None
    close: F64_1D

    def measured(self, feature: Callable[[Klines], F64_1D]) -> F64_1D:
        """Return a feature of the bars as seen from the traded bars, NaN where undefined [T]."""
        if self.bars is None:
            return np.full(self.length, np.nan)
        values = feature(self.bars)
        return values if self.newest is None else project(values, self.newest)


def view_of(klines: Klines, source: str, interval: str | None) -> View:
    """Return the view of a series ("": the traded bars) on an interval (None: its own).

    Raises: PlanFault if there is no such series, or the interval is no multiple of its own.
    """
    series = _series(klines, source)
    own = None if series is klines else _newest_known(series, series.close_time_ms, klines, source)
    close = klines.close if own is None else project(series.close, own)
    interval_ms = series.interval_ms if interval is None else parse_interval_ms(interval)
    if interval_ms == series.interval_ms:
        return View(len(klines), series, own, close)
    if interval_ms % series.interval_ms:
        step = interval_text(series.interval_ms)
        of = f"{source}'s {step} bars" if source else f"the {step} bars"
        raise PlanFault("filters.interval", f"a multiple of {of}", interval_text(interval_ms))
    longer = _longer(series, interval_ms)
    if longer is None:
        return View(len(klines), None, None, close)
    newest = _newest_known(longer, _known_ms(longer, series), klines, source)
    return View(len(klines), longer, newest, close)


def _series(klines: Klines, source: str) -> Klines:
    if not source:
        return klines
    series = klines.others.get(source)
    if series is None:
        names = sorted(klines.others)
        near = difflib.get_close_matches(source, names, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        known = f"one of {', '.join(names)}{hint}" if names else "none, there is no further series"
        raise PlanFault("filters.source", known, repr(source))
    return series


def _longer(series: Klines, interval_ms: int) -> Klines | None:
    """Return the series on a longer interval, None while no such bar is whole."""
    try:
        return aggregate(series, interval_ms)
    except KlineFault as fault:
        # Too few bars are no fault here: the filter is undefined, as it is during any warm-up.
        if fault.expected.startswith("at least one whole bar"):
            return None
        raise


def _known_ms(longer: Klines, series: Klines) -> I64_1D:
    """Return from when on each longer bar is known [T of the longer bars]."""
    end_ms = longer.close_time_ms
    after = np.searchsorted(series.open_time_ms, end_ms, side="left")
    last_close_ms = series.close_time_ms[after - 1]
    next_close_ms = series.close_time_ms[np.minimum(after, len(series) - 1)]
    # max: the days of a zone with summer time may reach over the end of their week.
    return np.where(last_close_ms >= end_ms, np.maximum(end_ms, last_close_ms), next_close_ms)


def _newest_known(bars: Klines, known_ms: I64_1D, base: Klines, source: str) -> I64_1D:
    """Return the index of the newest bar known at each base close, -1 where there is none [T]."""
    index = np.searchsorted(known_ms, base.close_time_ms, side="right").astype(np.int64) - 1
    if not source:
        return index
    age_ms = base.close_time_ms - bars.close_time_ms[np.maximum(index, 0)]
    return np.where(age_ms <= bars.interval_ms + SILENCE_MS_MAX, index, -1)
