"""Ask PyneCore for a second opinion: one strategy written twice, the same bars, the trades of both.

A twin is an on_bar strategy that carries its own Pine-like script; `ask` runs the scripts of many
cases in one PyneCore interpreter (`pyne_worker`), `our_rows` runs our engine, and both answer with
rows of the same shape. The settings of PyneCore are made from the same plan and costs.
"""

import json
import subprocess
import sys
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import numpy as np

from engines.backtest import run_backtest
from engines.costs import FREE, CommissionKind, Costs
from engines.instrument import Instrument
from engines.klines import MINUTE_MS, Klines
from engines.plan import Plan, Sizing, SizingKind
from engines.trades import Trade
from engines.types import F64_1D
from strategies.base import OrderStrategy

INSTRUMENT = Instrument("TEST", tick_size=0.01, qty_step=0.001)
INTERVAL_MS = 15 * MINUTE_MS
START_MS = 1_735_689_600_000  # 2025-01-01T00:00Z
WORKER = Path(__file__).with_name("pyne_worker.py")
HEADER = '''"""
@pyne
"""
from pynecore.lib import bar_index, close, high, low, math, open, script, strategy, ta, volume


@script.strategy("twin", use_bar_magnifier=False)
def main():
'''

# Entry: side, quantity, bar, price, name. When closed also: bar, price, name, net, commission.
Row: TypeAlias = tuple[Any, ...]
ENTRY_COLUMNS = 5


@dataclass(frozen=True)
class Twin(OrderStrategy):
    """A strategy written twice; `pine` is the body of its Pine-like script."""

    pine: ClassVar[str] = ""


AMPLE = Plan(capital_quote=1_000_000.0, sizing=Sizing(SizingKind.QTY, 1.0))


@dataclass(frozen=True)
class TwinCase:
    """A twin under given settings; the default is one contract, no costs, ample capital.

    `gap_name` is what PyneCore calls the twin's bracket when it fills at an open (see the note).
    """

    twin: Twin
    plan: Plan = AMPLE
    costs: Costs = FREE
    gap_name: str = ""


def random_klines(seed: int, bars: int) -> Klines:
    """Return a seeded geometric walk on ticks, with gaps at opens and ties among the prices."""
    chance = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(chance.normal(0.0, 0.006, bars)))
    gap = np.where(chance.random(bars) < 0.4, chance.normal(0.0, 0.003, bars), 0.0)
    open_ = np.concatenate(([100.0], close[:-1])) * np.exp(gap)
    above, below = chance.exponential(0.002, (2, bars)) * (chance.random((2, bars)) < 0.85)
    mirrored = chance.random(bars) < 0.05  # both extremes equally far from the open
    open_ticks, close_ticks = np.rint(open_ * 100), np.rint(close * 100)
    high_ticks = np.maximum(open_ticks, close_ticks) + np.rint(above * close_ticks)
    low_ticks = np.minimum(open_ticks, close_ticks) - np.rint(below * close_ticks)
    reach = np.maximum(high_ticks - open_ticks, open_ticks - low_ticks)
    high_ticks = np.where(mirrored, open_ticks + reach, high_ticks)
    low_ticks = np.where(mirrored, open_ticks - reach, low_ticks)
    return Klines(
        symbol=INSTRUMENT.symbol,
        interval_ms=INTERVAL_MS,
        open_time_ms=START_MS + INTERVAL_MS * np.arange(bars, dtype=np.int64),
        open=open_ticks / 100,
        high=high_ticks / 100,
        low=low_ticks / 100,
        close=close_ticks / 100,
        # The volume is a die that strategies may read: both engines see the same throw.
        volume=chance.integers(0, 1_000_000, bars).astype(np.float64),
    )


def our_rows(case: TwinCase, klines: Klines) -> list[Row]:
    """Return the trades of our engine."""
    found = run_backtest(case.twin, klines, INSTRUMENT, case.plan, case.costs)
    rows = [_row(trade) for trade in found.trades]
    if not case.gap_name:
        return rows
    opens, slip = klines.open, case.costs.slippage_ticks * INSTRUMENT.tick_size
    return [_with_gap_name(row, opens, slip, case.gap_name) for row in rows]


def ask(cases: dict[str, TwinCase], markets: dict[int, Klines]) -> dict[tuple[str, int], list[Row]]:
    """Return the trades of PyneCore by case and seed.

    Raises: AssertionError with what it said if PyneCore failed or wrote anything to stderr.
    """
    runs = [(name, seed) for name in cases for seed in markets]
    request = {
        "scripts": {name: script_of(case.twin) for name, case in cases.items()},
        "markets": {str(seed): _bars(klines) for seed, klines in markets.items()},
        "runs": [
            {"script": name, "market": str(seed), "settings": settings_of(cases[name])}
            for name, seed in runs
        ],
    }
    answer = subprocess.run(
        [sys.executable, str(WORKER)],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0 and not answer.stderr, answer.stderr[-4000:]
    rows = [[tuple(row) for row in trades] for trades in json.loads(answer.stdout)]
    return dict(zip(runs, rows, strict=True))


def script_of(twin: Twin) -> str:
    """Return the twin's whole Pine-like script."""
    return HEADER + textwrap.indent(textwrap.dedent(twin.pine).strip("\n"), "    ") + "\n"


def settings_of(case: TwinCase) -> dict[str, Any]:
    """Return PyneCore's strategy settings for the plan and costs of `case`."""
    plan, costs = case.plan, case.costs
    kinds = {
        SizingKind.QTY: "fixed",
        SizingKind.CASH: "cash",
        SizingKind.EQUITY_RATIO: "percent_of_equity",
    }
    commissions = {
        CommissionKind.RATIO: "percent",
        CommissionKind.PER_CONTRACT: "cash_per_contract",
        CommissionKind.PER_ORDER: "cash_per_order",
    }
    is_of_equity = plan.sizing.kind is SizingKind.EQUITY_RATIO
    is_percent = costs.commission_kind is CommissionKind.RATIO
    return {
        "initial_capital": plan.capital_quote,
        "default_qty_type": kinds[plan.sizing.kind],
        "default_qty_value": plan.sizing.value * (100 if is_of_equity else 1),
        "pyramiding": plan.pyramiding,
        "close_entries_rule": plan.close_rule.value.upper(),
        "margin_long": plan.margin_long_ratio * 100,
        "margin_short": plan.margin_short_ratio * 100,
        "process_orders_on_close": plan.process_on_close,
        "commission_type": commissions[costs.commission_kind],
        "commission_value": costs.commission * (100 if is_percent else 1),
        "slippage": costs.slippage_ticks,
    }


def first_difference(ours: Iterable[Row], theirs: Iterable[Row]) -> str:
    """Return the first trade that differs, both versions of it, or "" if none does."""
    left, right = _merged(ours), _merged(theirs)
    for number in range(max(len(left), len(right))):
        one = left[number] if number < len(left) else None
        other = right[number] if number < len(right) else None
        if one is None or other is None or not _agree(one, other):
            return f"trade {number + 1} of {len(left)}\n  ours    {one}\n  PyneCore {other}"
    return ""


def _merged(rows: Iterable[Row]) -> list[Row]:
    """Add up neighbouring rows of one lot that left at one bar, price and name.

    They come of several legs that fill at one instant; the note says which is right about their
    order.
    """
    merged: list[Row] = []
    for row in map(_pair_long_first, rows):
        last = merged[-1] if merged else ()
        if len(row) > ENTRY_COLUMNS and _place(row) == _place(last):
            sums = (last[1] + row[1], last[8] + row[8], last[9] + row[9])
            merged[-1] = (row[0], sums[0], *row[2:8], *sums[1:])
        else:
            merged.append(row)
    return merged


def _pair_long_first(row: Row) -> Row:
    """Show two orders that met at one bar and price with the long one as the entry."""
    is_pair = len(row) > ENTRY_COLUMNS and row[2] == row[5] and abs(row[3] - row[6]) < 1e-9
    if not is_pair or row[0] > 0:
        return row
    return (1, row[1], row[2], row[6], row[7], row[5], row[3], row[4], *row[8:])


def _place(row: Row) -> tuple[Any, ...]:
    """Return what identifies a closed row apart from its quantity and money."""
    return tuple(round(v, 6) if isinstance(v, float) else v for v in (*row[:1], *row[2:8]))


def _agree(one: Row, other: Row) -> bool:
    """Return whether two rows are the same trade: money to 1e-9 relative, all else exactly."""
    return len(one) == len(other) and all(
        a == b if isinstance(a, (int, str)) else abs(a - b) <= 1e-9 * max(1.0, abs(a))
        for a, b in zip(one, other, strict=True)
    )


def _row(trade: Trade) -> Row:
    entry = (int(trade.side), trade.qty, trade.entry_bar, trade.entry_price, trade.entry_name)
    if trade.is_open:
        return entry
    result = (trade.pnl_quote, trade.fee_quote)
    return (*entry, trade.exit_bar, trade.exit_price, trade.exit_name, *result)


def _with_gap_name(row: Row, opens: F64_1D, slip: float, gap_name: str) -> Row:
    """Return the row under `gap_name` if it is of a bracket that filled at an open."""
    if len(row) <= ENTRY_COLUMNS or row[7] not in ("profit", "loss"):
        return row
    at_open = opens[row[5]] - row[0] * slip * (row[7] == "loss")
    return (*row[:7], gap_name, *row[8:]) if abs(row[6] - at_open) < 1e-9 else row


def _bars(klines: Klines) -> list[list[float]]:
    columns = (klines.open, klines.high, klines.low, klines.close, klines.volume)
    return [
        [int(time_ms), *(float(value) for value in values)]
        for time_ms, *values in zip(klines.open_time_ms, *columns, strict=True)
    ]
