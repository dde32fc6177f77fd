"""Studies whose pages are opened: made-up tables in the form in which a sweep writes them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engines.kernels.summary import SUMMARY
from engines.metrics.measure import measure
from engines.search.objectives import Constraint, Objective
from engines.types import F64_1D
from serve.study_payload import StudyReport, Winner
from serve.study_rows import StudyTable
from strategies.ema_crossover import EmaCrossover
from tests.browser import runs

GRID: Mapping[str, Sequence[object]] = {
    "fast": range(5, 17),
    "slow": range(20, 100, 5),
    "trend": (False, True),
    "exits.stop_loss_ratio": [None, *np.round(np.arange(0.01, 0.055, 0.005), 4).tolist()],
}
SYMBOLS = ("BTCUSDT", "ETHUSDT")


def metric_columns(values: Mapping[str, F64_1D], seed: int) -> dict[str, F64_1D]:
    """Return 24 metrics that look like those of a strategy with a ridge in its space."""
    rng = np.random.default_rng(seed)
    count = len(next(iter(values.values())))
    stop = np.nan_to_num(values["exits.stop_loss_ratio"], nan=0.08)
    ridge = -(((values["slow"] - 4.5 * values["fast"]) / 22) ** 2) - ((stop - 0.03) / 0.03) ** 2
    edge = 0.35 + 0.4 * ridge + 0.08 * values["trend"] + rng.normal(0, 0.16, count)
    trades = np.floor(4000 / values["slow"] * (1 + rng.random(count)))
    drawdown = np.clip(0.25 - 0.2 * edge + rng.normal(0, 0.03, count), 0.02, 0.9)
    columns = {name: rng.normal(0, 1, count) for name in SUMMARY}
    columns |= {
        "net_profit_quote": 10_000 * edge,
        "return_ratio": edge,
        "cagr_ratio": edge / 2,
        "drawdown_ratio_max": drawdown,
        "drawdown_quote_max": 10_000 * drawdown,
        "drawdown_closed_quote_max": 8_000 * drawdown,
        "trades": trades,
        "wins": np.floor(trades * 0.4),
        "win_ratio": np.full(count, 0.4),
        "profit_factor": np.exp(edge),
        "expectancy_quote": 10_000 * edge / trades,
        "sharpe": np.where(rng.random(count) < 0.01, np.nan, edge),
        "sortino": edge * 1.4,
        "calmar": edge / 2 / drawdown,
        "bars_held_mean": values["slow"] * 2,
        "exposure_ratio": np.clip(rng.random(count), 0.2, 0.9),
        "fees_quote": trades * 1.4,
        "liquidations": np.zeros(count),
        "recovery_factor": edge / drawdown,
    }
    return columns


def market_table(
    symbol: str, columns: Mapping[str, pa.Array], metrics: Mapping[str, F64_1D]
) -> pa.Table:
    """Return one market's rows."""
    sets = np.arange(len(metrics["trades"]), dtype=np.int64)
    return pa.table(
        {
            "set_id": sets,
            "symbol": [symbol] * len(sets),
            "interval": ["15m"] * len(sets),
            **columns,
            **metrics,
            "engine": ["machine"] * len(sets),
            "trial_key": sets.astype(np.uint64),
        }
    )


def write_table(
    folder: Path,
    grid: Mapping[str, Sequence[object]] = GRID,
    symbols: Sequence[str] = SYMBOLS,
    batch_rows: int = 1000,
) -> StudyTable:
    """Write every set of a grid on every market as Parquet files and return the table."""
    folder.mkdir(parents=True)
    sizes = [len(values) for values in grid.values()]
    sets = np.arange(np.prod(sizes), dtype=np.int64)
    places = np.unravel_index(sets, sizes)
    columns = {
        name: pa.array(list(values)).take(pa.array(place))
        for (name, values), place in zip(grid.items(), places, strict=True)
    }
    numbers = {
        name: column.cast(pa.float64()).to_numpy(zero_copy_only=False)
        for name, column in columns.items()
        if not pa.types.is_string(column.type)
    }
    for seed, symbol in enumerate(symbols):
        table = market_table(symbol, columns, metric_columns(numbers, seed))
        for start in range(0, len(table), batch_rows):
            path = folder / f"{seed}-{start:07d}.parquet"
            pq.write_table(table.slice(start, batch_rows), path)
    return StudyTable(
        files=tuple(sorted(folder.glob("*.parquet"))),
        axes=tuple(grid),
        objective=Objective.parse("sharpe"),
        constraints=(Constraint.parse("trades>=30"),),
    )


def winners_of(table: StudyTable, count: int, verified: bool | str | None = True) -> list[Winner]:
    """Return the best sets of a table, read in one piece."""
    rows = pa.concat_tables(pq.read_table(path) for path in table.files)
    columns = {name: rows[name].to_numpy() for name in SUMMARY}
    scores = table.objective.scores(columns)
    for constraint in table.constraints:
        scores = np.where(constraint.holds(columns), scores, np.nan)
    order = np.lexsort((rows["set_id"].to_numpy(), -scores))[:count]
    own = table.objective.values(columns)
    return [
        Winner(
            market=f"{row['symbol']} {row['interval']}",
            set_id=row["set_id"],
            values={name: row[name] for name in table.axes},
            metrics={name: row[name] for name in SUMMARY} | {table.objective.name: float(value)},
            verified=verified,
        )
        for row, value in zip(rows.take(order).to_pylist(), own[order], strict=True)
    ]


def report_of(table: StudyTable, name: str = "ema_crossover", **changes: Any) -> StudyReport:
    """Return a study's report as a sweep makes it."""
    best = runs.run_of(name, EmaCrossover())
    terms: dict[str, Any] = {
        "study_id": f"{name}-0123456789",
        "strategy": name,
        "command": f"phalanx sweep {name} --bars btc.csv --grid 'fast=5:16:1 slow=20:95:5'",
        "table": table,
        "winners": winners_of(table, 20),
        "excluded": 12,
        "failed": 80,
        "is_synthetic": False,
        "facts": [
            ("Study", [("seed", "1"), ("code version", "0.1.0+abc"), ("space", "9f" * 32)]),
            ("Bars", [("BTCUSDT 15m", "ab" * 32), ("ETHUSDT 15m", "cd" * 32)]),
        ],
        "notes": ["slow became slow"],
        "versions": {"phalanx": "0.1.0", "python": "3.11"},
        "best": replace(best, trials=7680, metrics=measure(best.result, 7680)),
    }
    return StudyReport(**(terms | changes))


def ordinary(folder: Path) -> StudyReport:
    """Return a study of four axes on two markets."""
    return report_of(write_table(folder / "batches"))


def one_axis(folder: Path) -> StudyReport:
    """Return a study of one parameter, its first set the reference's own, others unchecked."""
    grid = {name: list(values)[:1] for name, values in GRID.items()} | {"slow": GRID["slow"]}
    table = write_table(folder / "batches", grid, SYMBOLS[:1])
    own = winners_of(table, 1, verified="reference")
    winners = [*own, *winners_of(table, 3, verified=None)[1:]]
    return report_of(table, winners=winners, best=None)


def fruitless(folder: Path) -> StudyReport:
    """Return a study in which no set fulfils the constraints."""
    table = write_table(folder / "batches")
    strict = replace(table, constraints=(Constraint.parse("trades>=1e9"),))
    return report_of(strict, winners=[], best=None)


def hostile(folder: Path) -> StudyReport:
    """Return a study in which everything that has a name tries to be markup."""
    grid = {**GRID, runs.EVIL: [runs.EVIL, "b"]}
    table = write_table(folder / "batches", grid, [runs.EVIL, "b"])
    return report_of(
        table,
        runs.EVIL,
        winners=winners_of(table, 5, verified=False),
        facts=[(runs.EVIL, [(runs.EVIL, runs.EVIL)])],
        notes=[runs.EVIL],
        command=runs.EVIL,
        versions={runs.EVIL: runs.EVIL},
        is_synthetic=True,
    )


KINDS: Mapping[str, Callable[[Path], StudyReport]] = {
    "study": ordinary,
    "study_of_one_axis": one_axis,
    "fruitless_study": fruitless,
    "hostile_study": hostile,
}
