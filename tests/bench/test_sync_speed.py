"""Measure how fast bars come from a local server into the history."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from actors.upkeep import sync_all
from actors.venue.settings import venue_settings
from engines.klines import MINUTE_MS
from engines.series import SeriesKey
from tests.contract.venue_bench import BTC
from tests.parity.truth import KLINES_FOLDER, needs_truth

pytestmark = [pytest.mark.bench, needs_truth]
ROUNDS = 4
SINCE_MS = 1_701_216_000_000  # 2023-11-29, where the files begin


@contextmanager
def venue(*files: Path) -> Iterator[str]:
    """Give the address of `phalanx venue-sim` in a process of its own."""
    bars = [flag for file in files for flag in ("--bars", f"{BTC}={file}")]
    command = ["venue-sim", *bars, "--port", "0", "--json"]
    program = f"import sys; from serve.cli import run; sys.exit(run({command!r}))"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        said = ""
        while not said.rstrip().endswith("}"):
            said += server.stdout.readline()
        try:
            yield json.loads(said)["rest"]
        finally:
            server.kill()


def test_two_years_of_quarter_hours_and_then_the_tail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = sorted((KLINES_FOLDER / "linear_15m").glob("BTCUSDT_15m_*.csv"))
    key = SeriesKey("sim", BTC, 15 * MINUTE_MS)
    monkeypatch.setenv("PHALANX_DATABASE_URL", f"sqlite:///{tmp_path / 'phalanx.db'}")
    rates, tails_s, cpu_s = [], [], []
    with venue(*files) as url:
        settings = venue_settings(url)
        for number in range(ROUNDS):
            monkeypatch.setenv("PHALANX_HISTORY_URL", str(tmp_path / str(number)))
            begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
            (result,) = sync_all(settings, [key], SINCE_MS)
            seconds = time.perf_counter() - begun_s
            cpu_s.append(time.process_time() - begun_cpu_s)
            rates.append(result.written.added / seconds)
            begun_s = time.perf_counter()
            (tail,) = sync_all(settings, [key], SINCE_MS)
            tails_s.append(time.perf_counter() - begun_s)
            assert tail.asked == 1
        print(
            f"\nsync: {result.written.added:,} bars in {result.asked} pages, "
            f"{max(rates):,.0f} bars/s ({min(cpu_s):.2f} s of CPU here); "
            f"again, only the tail: {min(tails_s) * 1000:.0f} ms"
        )
