"""Where the real TradingView lists and bars lie, and how a test reads them."""

from functools import cache
from pathlib import Path

import pytest

from cluster.kline_files import read_klines
from cluster.tv_export import read_trade_list
from engines.klines import Klines
from engines.parity import ListedTrade

TRUTH = Path(__file__).resolve().parents[3] / "shared" / "truth"
ETH_FOLDER = TRUTH / "tv_ethusdt_15m"
EUR_FOLDER = TRUTH / "tv_eurusd_1h"
BYBIT_FOLDER = TRUTH / "tv_bybit_rsi"
KLINES_FOLDER = TRUTH / "bybit_klines"

# Files carry no clock of their own; every truth file was closed long before this instant.
AFTER_ALL_MS = 1_900_000_000_000

needs_truth = pytest.mark.skipif(not TRUTH.is_dir(), reason="../shared/truth is absent")


@cache
def bars(*paths: Path, symbol: str) -> Klines:
    """Return the bars of one series from its files."""
    return read_klines(list(paths), symbol, None, AFTER_ALL_MS).klines


@cache
def listed(path: Path) -> tuple[ListedTrade, ...]:
    """Return the trades of a list whose times carry their zone."""
    return read_trade_list(path).trades
