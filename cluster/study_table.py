"""The table of a study's results: one row a set and market, written batch by batch as Parquet.

    set_id       its number in the space (`engines.search.space`)
    symbol, interval
    ...          one column a swept parameter of the strategy, then one a swept setting of the plan
    ...          the summary metrics (`engines.kernels.summary`), NaN where undefined
    engine       which engine ran it, as `machine`
    trial_key    its key in the trial ledger (`cluster.trial_keys`)

Theory of the hash. A table is known by the sum, modulo 2^64 and in two lanes, of a hash of each
row's number, market and `HASHED` metrics (an additive multiset hash). A sum does not depend on the
order of rows, on how they were cut into batches, by how many workers, or which of them died on the
way. Which engine runs a set does follow from its batch, and engines may add up the same trades in
another order; so the hash reads the metrics that every engine gives to the last bit: counts, what
is made of counts, and extremes. Swept values follow from the number and the space.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from cluster.study import Recipe
from engines.kernels.summary import SUMMARY
from engines.kernels.trials import Engine
from engines.search.grid import Axis
from engines.search.sampling import mixed
from engines.search.space import Numbering
from engines.types import I64_1D

U64 = np.uint64
LANE = U64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: any odd number with mixed bits
MODULUS = 1 << 64
HASHED = (
    "trades", "wins", "win_ratio", "bars_held_mean", "exposure_ratio", "liquidations",
    "win_quote_max", "loss_quote_max", "losses_in_a_row_max",
)  # fmt: skip # one list
HASHED_PLACES = [SUMMARY.index(name) for name in HASHED]
ENGINE_NAMES = tuple(engine.name.lower() for engine in Engine)
ARROW_TYPES = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}


@dataclass(frozen=True, slots=True)
class Rows:
    """The sets of a batch that were evaluated, aligned [N]; `values` is [N, len(SUMMARY)]."""

    strategy: I64_1D
    plan: I64_1D
    values: npt.NDArray[np.float64]
    engine: npt.NDArray[np.uint8]
    trial_key: npt.NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.strategy)

    @classmethod
    def joined(cls, parts: "list[Rows]") -> "Rows":
        """Return the rows of all parts."""
        names = ("strategy", "plan", "values", "engine", "trial_key")
        if not parts:
            none = np.zeros(0, np.int64)
            empty = np.zeros((0, len(SUMMARY)))
            return cls(none, none, empty, none.astype(np.uint8), none.astype(U64))
        if len(parts) == 1:
            return parts[0]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def table_of(rows: Rows, recipe: Recipe, symbol: str, interval: str) -> pa.Table:
    """Return rows as the table that is written."""
    count, space = len(rows), recipe.space
    columns = {
        "set_id": pa.array(rows.strategy * space.plans.size + rows.plan),
        "symbol": pa.repeat(pa.scalar(symbol), count),
        "interval": pa.repeat(pa.scalar(interval), count),
    }
    for names, numbering, indices in zip(
        recipe.columns, (space.strategies, space.plans), (rows.strategy, rows.plan), strict=True
    ):
        columns.update(zip(names, _swept(numbering, indices), strict=True))
    for place, name in enumerate(SUMMARY):
        columns[name] = pa.array(np.ascontiguousarray(rows.values[:, place]))
    columns["engine"] = pa.array(ENGINE_NAMES).take(pa.array(rows.engine))
    columns["trial_key"] = pa.array(rows.trial_key)
    return pa.table(columns)


def parquet_of(table: pa.Table) -> bytes:
    """Return a table as the bytes of a Parquet file, the same ones for the same table."""
    sink = pa.BufferOutputStream()
    repeating = [
        name for name in table.column_names if name not in (*SUMMARY, "set_id", "trial_key")
    ]
    pq.write_table(
        table,
        sink,
        compression="zstd",
        compression_level=1,
        use_dictionary=repeating,
        write_statistics=False,
    )
    contents: bytes = sink.getvalue().to_pybytes()
    return contents


def row_sums(rows: Rows, recipe: Recipe, market: str) -> tuple[int, int]:
    """Return the two lanes of the rows' hash; `market` is the market's fingerprint."""
    seed = U64(int(market[:16], 16))
    hashes = mixed((rows.strategy * recipe.space.plans.size + rows.plan).astype(U64) ^ seed)
    values = rows.values[:, HASHED_PLACES] + 0.0  # minus zero is zero
    bits = np.ascontiguousarray(np.where(np.isnan(values), np.nan, values)).view(U64)
    for place in range(bits.shape[1]):
        hashes = mixed(hashes + bits[:, place])
    lanes = hashes, mixed(hashes ^ LANE)
    first, second = (int(lane.sum(dtype=U64)) for lane in lanes)
    return first, second


def table_hash(sums: tuple[int, int], rows: int, space: str) -> str:
    """Return the hash of a whole table: its lanes, its length and the space's fingerprint."""
    text = f"{sums[0]:016x}{sums[1]:016x} {rows} {space}"
    return hashlib.sha256(text.encode()).hexdigest()


def added(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    """Return the lanes of two disjoint parts of a table together."""
    return (one[0] + other[0]) % MODULUS, (one[1] + other[1]) % MODULUS


def _swept(numbering: Numbering, indices: I64_1D) -> list[pa.Array]:
    """Return the value of each axis at the indices."""
    found: list[pa.Array] = []
    for axis in reversed(numbering.axes):
        indices, digits = np.divmod(indices, len(axis.values))
        found.append(_values(axis).take(pa.array(digits)))
    return found[::-1]


def _values(axis: Axis) -> pa.Array:
    kinds = [type(value) for value in axis.values if value is not None]
    return pa.array(axis.values, ARROW_TYPES[kinds[0]] if kinds else pa.float64())
