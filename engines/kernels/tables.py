"""Several wants as tables, one below the other, for code that runs many sets in one call."""

from collections.abc import Sequence

import numpy as np

from engines.kernels._compiled import rule
from engines.kernels.columns import Tables, Wants, frozen

EVENTS = ("flat", "long", "short", "roomy_long", "roomy_short")
COLUMNS = Wants._fields[1 + len(EVENTS) :]


def tables_of(wants: Sequence[Wants]) -> Tables:
    """Return wants one below the other; those that lack a column another has are given NaN."""
    starts = np.zeros((len(wants) + 1, len(EVENTS)), dtype=np.int64)
    starts[1:] = [[len(getattr(want, name)) for name in EVENTS] for want in wants]
    tables = {"starts": frozen(starts.cumsum(axis=0), np.int64)}
    tables["wishes"] = frozen(np.stack([want.wishes for want in wants]), np.uint8)
    for name in EVENTS:
        tables[name] = frozen(np.concatenate([getattr(want, name) for want in wants]), np.int64)
    for name in COLUMNS:
        rows = [getattr(want, name) for want in wants]
        width = max(map(len, rows))
        filled = [row if len(row) == width else np.full(width, np.nan) for row in rows]
        tables[name] = frozen(np.stack(filled))
    return Tables(**tables)


@rule
def wants_at(tables: Tables, want: int) -> Wants:
    """Return the wants that lie at a place of the tables."""
    starts = tables.starts
    return Wants(
        tables.wishes[want],
        tables.flat[starts[want, 0] : starts[want + 1, 0]],
        tables.long[starts[want, 1] : starts[want + 1, 1]],
        tables.short[starts[want, 2] : starts[want + 1, 2]],
        tables.roomy_long[starts[want, 3] : starts[want + 1, 3]],
        tables.roomy_short[starts[want, 4] : starts[want + 1, 4]],
        tables.stop_price[want],
        tables.target_price[want],
        tables.size[want],
        tables.equity_ratio[want],
        tables.atr[want],
        tables.atr_ratio[want],
    )
