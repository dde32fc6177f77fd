"""Write stored bars and settlements into files that `kline_files` and others read.

CSV holds the shortest text of each double, so that what is read back is the same double; the file
appears whole or not at all.
"""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
from pyarrow import csv, parquet

from cluster.results import OutputFault
from cluster.whole_files import write_whole
from engines.funding import Funding
from engines.klines import PRICE_COLUMNS, Klines
from engines.types import F64_1D, I64_1D

SUFFIXES = (".csv", ".parquet")


def export_series(series: Klines | Funding, path: Path) -> None:
    """Write bars or settlements as CSV or Parquet, by the name of the file.

    Raises: OutputFault for another name, or a place that cannot be written to.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise OutputFault(f"file {path}", "a name that ends in .csv or .parquet", repr(path.suffix))
    table = pa.table(dict(_columns(series)))
    sink = pa.BufferOutputStream()
    if path.suffix.lower() == ".csv":
        sink.write(",".join(table.column_names).encode() + b"\n")  # unquoted, unlike pyarrow's
        csv.write_csv(table, sink, csv.WriteOptions(include_header=False))
    else:
        parquet.write_table(table, sink)
    path = path.absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, sink.getvalue().to_pybytes())
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputFault(f"file {path}", "a place that can be written to", reason) from None


def _columns(series: Klines | Funding) -> Mapping[str, I64_1D | F64_1D]:
    """Return the columns of a file: names that every reader of ours knows."""
    if isinstance(series, Funding):
        return {"funding_time_ms": series.time_ms, "funding_rate": series.rate}
    columns: dict[str, I64_1D | F64_1D] = {"open_time_ms": series.open_time_ms}
    columns |= {name: getattr(series, name) for name in (*PRICE_COLUMNS, "volume")}
    return columns if series.turnover is None else columns | {"turnover": series.turnover}
