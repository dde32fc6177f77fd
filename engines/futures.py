"""Other futures for the same past, to see whether a strategy cares.

The bars up to a cut stay; those behind it are mirrored about the last known close, or stand at
twice or half their prices and volumes. A wish that the true future let live dies in one of them.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from engines.klines import PRICE_COLUMNS, Klines
from engines.types import F64_1D

SCALES = (2.0, 0.5)

# From a column behind the cut and the last close before it to what stands there instead.
Change = Callable[[F64_1D, float], F64_1D]


def other_futures(klines: Klines, cut: int, bars_max: int) -> Iterator[Klines]:
    """Yield bars that are `klines` before index `cut` and something else behind it.

    The first future is none at all; the others have up to `bars_max` bars.
    """
    yield klines.between(0, cut)
    seen = klines.between(0, min(len(klines), cut + bars_max))
    known_ms = int(klines.close_time_ms[cut - 1])
    yield _changed(seen, known_ms, _mirrored, 1.0, is_mirrored=True)
    for scale in SCALES:
        yield _changed(seen, known_ms, _scaled(scale), scale, is_mirrored=False)


def _changed(
    klines: Klines, known_ms: int, change: Change, volume_scale: float, *, is_mirrored: bool
) -> Klines:
    """Return the bars with those that close after `known_ms` changed, in other series too."""
    cut = int(np.searchsorted(klines.close_time_ms, known_ms, side="right"))
    anchor = float(klines.close[cut - 1] if cut else klines.open[0])
    columns: dict[str, Any] = {}
    for name in PRICE_COLUMNS:
        source = {"high": "low", "low": "high"}.get(name, name) if is_mirrored else name
        future = change(getattr(klines, source)[cut:], anchor)
        columns[name] = np.concatenate([getattr(klines, name)[:cut], future])
    for name in ("volume", "turnover"):
        column = getattr(klines, name)
        if column is not None:
            columns[name] = np.concatenate([column[:cut], column[cut:] * volume_scale])
    others = {
        name: _changed(other, known_ms, change, volume_scale, is_mirrored=is_mirrored)
        for name, other in klines.others.items()
    }
    return replace(klines, **columns, others=others)


def _mirrored(column: F64_1D, anchor: float) -> F64_1D:
    return anchor * (anchor / column)


def _scaled(scale: float) -> Change:
    return lambda column, _: column * scale
