"""The golden trades of the built-in strategies: what is pinned, and the command that pins it anew.

    python -m tests.golden.pinned "why the trades changed" [strategy ...]

One JSON file a strategy holds the SHA-256 of its canonical trade list on BTCUSDT 15m of 2025, the
number of trades and the net result, with the source and the checksum of the bars, the date and the
reason of the last change. Only files whose trades differ are written. The trade list itself is
printed by `lines`, so that two versions can be compared by a plain diff.
"""

import hashlib
import json
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from engines.backtest import Backtest, run_backtest
from engines.costs import Costs
from engines.instrument import Instrument
from engines.klines import time_text
from engines.plan import Plan
from strategies.base import OrderStrategy, SignalStrategy
from strategies.registry import REGISTRY
from tests.parity.truth import KLINES_FOLDER, bars

FOLDER = Path(__file__).parent
BARS_PATH = KLINES_FOLDER / "linear_15m" / "BTCUSDT_15m_2025.csv"
SOURCE = "Bybit linear BTCUSDT, 15m, calendar year 2025 (UTC)"
INSTRUMENT = Instrument("BTCUSDT", tick_size=0.1, qty_step=0.001)
PLAN = Plan(capital_quote=100_000.0)
COSTS = Costs()
ELEVEN = tuple(id for id in REGISTRY if id != "channel_breakout")


@cache
def run(id: str) -> Backtest:
    """Backtest a built-in strategy with its defaults on the golden bars."""
    strategy = REGISTRY[id].load()()
    assert isinstance(strategy, SignalStrategy | OrderStrategy)
    klines = bars(BARS_PATH, symbol="BTCUSDT")
    return run_backtest(strategy, klines, INSTRUMENT, PLAN, COSTS)


def lines(result: Backtest) -> list[str]:
    """Return the canonical trade list: exact times, prices on the tick, quantities on the step."""
    return [
        f"{trade.side:+d} {trade.qty:.3f} {trade.entry_time_ms} {trade.entry_price:.1f}"
        f" {trade.exit_time_ms} {trade.exit_price:.1f} {trade.exit_reason}"
        for trade in result.trades
    ]


def facts(result: Backtest) -> dict[str, object]:
    """Return what is pinned of a run."""
    text = "\n".join(lines(result))
    return {
        "trades": len(result.trades),
        "net_profit_quote": round(sum(trade.pnl_quote for trade in result.trades), 2),
        "trades_sha256": hashlib.sha256(text.encode()).hexdigest(),
    }


def bars_sha256() -> str:
    """Return the checksum of the golden bars' file."""
    return hashlib.sha256(BARS_PATH.read_bytes()).hexdigest()


def read(id: str) -> dict[str, object]:
    """Return what is pinned for a strategy; empty before the first time."""
    path = FOLDER / f"{id}.json"
    pinned: dict[str, object] = json.loads(path.read_text()) if path.exists() else {}
    return pinned


def pin(id: str, reason: str) -> bool:
    """Write the file of a strategy if its trades changed; return whether they did."""
    result, old = run(id), read(id)
    new = facts(result)
    if {name: old.get(name) for name in new} == new and old["bars_sha256"] == bars_sha256():
        return False
    klines = result.klines
    first, last = (time_text(int(klines.open_time_ms[bar])) for bar in (0, -1))
    document = {
        "strategy": id,
        "source": SOURCE,
        "bars": f"{len(klines)} bars that open from {first} to {last}",
        "bars_sha256": bars_sha256(),
        "capital_quote": PLAN.capital_quote,
        "commission": COSTS.commission,
        **new,
        "date": datetime.now(UTC).date().isoformat(),
        "reason": reason,
    }
    (FOLDER / f"{id}.json").write_text(json.dumps(document, indent=1) + "\n")
    return True


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for id in sys.argv[2:] or ELEVEN:
        print(f"{id}: {'pinned anew' if pin(id, sys.argv[1]) else 'unchanged'}")
