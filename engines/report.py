"""What a run leaves behind: one JSON document, two tables, and (in `report_page`) a page.

Everything here follows from the run alone: no clock and no machine, so the same command on the same
bars writes the same bytes. Undefined numbers are null in JSON and empty in CSV.
"""

import csv
import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from enum import Enum

import numpy as np

from engines.backtest import Backtest
from engines.klines import Klines, interval_text, time_text
from engines.metrics.describe import json_schema
from engines.metrics.run_ups_and_drawdowns import drawdown_quote
from engines.trades import Trade
from engines.types import F64_1D, I64_1D

FORMAT = 1
SYNTHETIC = "SYNTHETIC"
FINGERPRINT_COLUMNS = ("open_time_ms", "open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One backtest with what is needed to repeat it and to judge it; `metrics` by their names.

    `trials` is how many evaluations of the strategy on these bars have been counted, this one
    included; the deflated Sharpe ratio is measured by it.
    """

    strategy: str
    parameters: Mapping[str, object]
    result: Backtest
    metrics: Mapping[str, float]
    notes: tuple[str, ...]
    command: str
    versions: Mapping[str, str]
    trials: int = 1


def is_synthetic(klines: Klines) -> bool:
    """Return whether the bars are made up."""
    return klines.symbol.startswith(SYNTHETIC)


def fingerprint(klines: Klines) -> str:
    """Return the SHA-256 of the columns of bars, little-endian, one after the other."""
    digest = hashlib.sha256()
    for name in FINGERPRINT_COLUMNS:
        column = getattr(klines, name)
        digest.update(np.ascontiguousarray(column, column.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def run_labels(runs: Sequence[Run]) -> list[str]:
    """Return a name for each run that no other one has.

    The strategy; then the symbol where there are several, then the parameters that differ, then a
    number.
    """
    several = len({run.result.klines.symbol for run in runs}) > 1
    labels = [
        f"{run.strategy} {run.result.klines.symbol}" if several else run.strategy for run in runs
    ]
    for label in {label for label in labels if labels.count(label) > 1}:
        alike = [index for index, other in enumerate(labels) if other == label]
        rows = [runs[index].parameters for index in alike]
        differing = [name for name in rows[0] if len({str(row.get(name)) for row in rows}) > 1]
        for index, row in zip(alike, rows, strict=True):
            settings = ", ".join(f"{name}={row.get(name)}" for name in differing)
            labels[index] = f"{label} ({settings})" if settings else label
    return [
        f"{label} #{labels[: index + 1].count(label)}" if labels.count(label) > 1 else label
        for index, label in enumerate(labels)
    ]


def document(runs: Sequence[Run]) -> dict[str, object]:
    """Return the JSON document of one command's runs."""
    return {
        "phalanx_result": FORMAT,
        "command": runs[0].command,
        "versions": dict(runs[0].versions),
        "metrics_schema": json_schema(),
        "runs": [
            _run_document(run, label) for run, label in zip(runs, run_labels(runs), strict=True)
        ],
    }


def json_text(value: object) -> str:
    """Return `value` as JSON, with null for what is not a finite number."""
    return json.dumps(plain(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def plain(value: object) -> object:
    """Return `value` in the types JSON knows; NaN and infinities are None."""
    if isinstance(value, Enum):
        return value.name.lower()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def _run_document(run: Run, label: str) -> dict[str, object]:
    result = run.result
    klines = result.klines
    instrument = {
        item.name: getattr(result.instrument, item.name)
        for item in fields(result.instrument)
        if not item.name.startswith("_")
    }
    return {
        "label": label,
        "strategy": run.strategy,
        "parameters": dict(run.parameters),
        "synthetic": is_synthetic(klines),
        "klines": {
            "symbol": klines.symbol,
            "interval": interval_text(klines.interval_ms),
            "bars": len(klines),
            "first_open_ms": int(klines.open_time_ms[0]),
            "last_open_ms": int(klines.open_time_ms[-1]),
            "traded_from_ms": traded_from_ms(result),
            "sha256": fingerprint(klines),
        },
        "instrument": instrument,
        "plan": asdict(result.plan),
        "costs": asdict(result.costs),
        "trials_counted": run.trials,
        "metrics": dict(run.metrics),
        "refusals": dict(result.refusals),
        "notes": list(run.notes),
        "trades": [trade_row(number, trade) for number, trade in enumerate(result.trades, 1)],
    }


def traded_from_ms(result: Backtest) -> int:
    """Return the open time of the first traded bar."""
    bar = min(result.start_bar, len(result.klines) - 1)
    return int(result.klines.open_time_ms[bar])


def trade_row(number: int, trade: Trade) -> dict[str, object]:
    """Return a trade as a row of a table, numbered as TradingView does."""
    return {
        "number": number,
        "side": "long" if trade.side.is_long else "short",
        "is_open": trade.is_open,
        "qty": trade.qty,
        "entry_time_ms": trade.entry_time_ms,
        "entry_price": trade.entry_price,
        "entry_name": trade.entry_name,
        "exit_time_ms": trade.exit_time_ms,
        "exit_price": trade.exit_price,
        "exit_name": trade.exit_name,
        "exit_reason": trade.exit_reason,
        "pnl_quote": trade.pnl_quote,
        "pnl_ratio": trade.pnl_ratio,
        "cumulative_quote": trade.cumulative_quote,
        "fee_quote": trade.fee_quote,
        "funding_quote": trade.funding_quote,
        "slippage_quote": trade.slippage_quote,
        "mfe_quote": trade.mfe_quote,
        "mae_quote": trade.mae_quote,
        "bars_held": trade.bars_held,
    }


def trades_csv(runs: Sequence[Run]) -> str:
    """Return the trades of all runs as CSV, times in UTC."""
    rows: list[list[object]] = []
    header: list[str] = []
    for run, label in zip(runs, run_labels(runs), strict=True):
        for number, trade in enumerate(run.result.trades, 1):
            row = trade_row(number, trade)
            row["entry_time_ms"] = time_text(trade.entry_time_ms)
            row["exit_time_ms"] = time_text(trade.exit_time_ms)
            header = ["run", *(name.replace("_time_ms", "_time") for name in row)]
            rows.append([label, *row.values()])
    return _csv(header or ["run", "number"], rows)


def equity_csv(runs: Sequence[Run]) -> str:
    """Return equity and drawdown at every traded close as CSV, two columns a run.

    The rows are all closes of all runs; a run has empty cells where it has no bar.
    """
    starts = [run.result.klines.close_time_ms[run.result.start_bar :] for run in runs]
    times = np.unique(np.concatenate(starts))
    header, columns = ["close_time_ms"], [times.tolist()]
    for run, label, closes in zip(runs, run_labels(runs), starts, strict=True):
        equity = run.result.equity_quote[run.result.start_bar :]
        fall = drawdown_quote(equity, run.result.plan.capital_quote)
        suffix = "" if len(runs) == 1 else f"_{label}"
        header += [f"equity_quote{suffix}", f"drawdown_quote{suffix}"]
        columns += [_spread(np.round(values, 8), closes, times) for values in (equity, fall)]
    return _csv(header, zip(*columns, strict=True))


def _spread(values: F64_1D, at_ms: I64_1D, times_ms: I64_1D) -> list[object]:
    """Return `values` at their places in `times_ms`, None elsewhere."""
    if len(at_ms) == len(times_ms):
        return list(values.tolist())
    column: list[object] = [None] * len(times_ms)
    for place, value in zip(
        np.searchsorted(times_ms, at_ms).tolist(), values.tolist(), strict=True
    ):
        column[place] = value
    return column


class _Text:
    """Collects what a writer writes; the pure rooms have no files, not even in memory."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def write(self, part: str) -> int:
        """Take one part."""
        self.parts.append(part)
        return len(part)


def _csv(header: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    text = _Text()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return "".join(text.parts)
