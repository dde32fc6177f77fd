"""Run Pine-like scripts in PyneCore: requests as JSON on stdin, trades as JSON on stdout.

PyneCore installs an import hook, keeps its whole state in modules and writes settings files beside
its scripts. So it runs in an interpreter of its own, `python pyne_worker.py < requests`, and
nothing of it enters the process of the tests. One interpreter serves a whole list of requests.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ["PYNE_SAVE_SCRIPT_TOML"] = "0"


def main() -> None:
    """Answer the requests on stdin."""
    asked = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / f"{name}.py" for name in asked["scripts"]}
        for name, text in asked["scripts"].items():
            paths[name].write_text(text)
        answers = [
            trades_of(paths[run["script"]], asked["markets"][run["market"]], run["settings"])
            for run in asked["runs"]
        ]
    json.dump(answers, sys.stdout)


def trades_of(script: Path, bars: list[list[float]], settings: dict[str, Any]) -> list[Any]:
    """Return the closed trades of one run, then the rows still open."""
    from pynecore.core.script_runner import ScriptRunner
    from pynecore.types.ohlcv import OHLCV

    ohlcv = [OHLCV(int(bar[0]), *bar[1:]) for bar in bars]
    runner = ScriptRunner(script, ohlcv, market_of_tests(), settings=settings)
    for _ in runner.run_iter(copy_results=False):
        pass
    position = runner.script.position
    return [
        *(_row(trade) for trade in position.closed_trades),
        *(_row(trade, is_open=True) for trade in position.open_trades),
    ]


def _row(trade: Any, is_open: bool = False) -> list[Any]:
    entry = [
        1 if trade.sign > 0 else -1,
        abs(trade.size),
        trade.entry_bar_index,
        trade.entry_price,
        _text(trade.entry_comment) or trade.entry_id,
    ]
    if is_open:
        return entry
    name = _text(trade.exit_comment) or trade.exit_id
    return [*entry, trade.exit_bar_index, trade.exit_price, name, trade.profit, trade.commission]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def market_of_tests() -> Any:
    """Return the instrument of all requests: tick 0.01, quantity step 0.001, always open."""
    from datetime import time

    from pynecore.core.syminfo import SymInfo, SymInfoInterval, SymInfoSession

    midnight = time(0, 0)
    return SymInfo(
        prefix="TEST",
        description="random bars",
        ticker="TEST",
        currency="USDT",
        basecurrency="TEST",
        period="15",
        type="crypto",
        mintick=0.01,
        pricescale=100,
        minmove=1,
        pointvalue=1.0,
        mincontract=0.001,
        opening_hours=[SymInfoInterval(day, midnight, time(23, 59, 59)) for day in range(7)],
        session_starts=[SymInfoSession(day, midnight) for day in range(7)],
        session_ends=[SymInfoSession(day, time(23, 59, 59)) for day in range(7)],
        timezone="UTC",
    )


if __name__ == "__main__":
    main()
