"""Several programs on one history: writers that wait their turn, one that is killed, readers."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cluster.history import History, HistoryBusy
from engines.series import SeriesKey
from tests.unit.bars import NOW_MS, STEP_MS, bars, same

KEY = SeriesKey("bybit", "BTC/USDT:USDT", STEP_MS)
ROOT = Path(__file__).resolve().parents[2]
COUNT, CHUNK = 9000, 100
# Writes chunks of bars, every `argv[3]`th from `argv[2]` on, and says so after each; it ends when
# nobody holds its input any more.
PROGRAM = """
import sys, time
from cluster.history import History, HistoryBusy
from tests.unit.bars import NOW_MS, bars
from tests.unit.test_history_programs import CHUNK, COUNT, KEY

history = History(sys.argv[1], now_ms=lambda: NOW_MS)
for first in range(int(sys.argv[2]) * CHUNK, COUNT, int(sys.argv[3]) * CHUNK):
    while True:
        try:
            history.write(KEY, bars(first, first + CHUNK))
            break
        except HistoryBusy:
            time.sleep(0.001)
    print(first, flush=True)
sys.stdin.read()
"""


def program(
    folder: Path, start: int, step: int, stdin: int = subprocess.DEVNULL
) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", PROGRAM, str(folder), str(start), str(step)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdin=stdin, stdout=pipe, text=True)


def test_two_programs_that_write_to_one_series_lose_nothing(tmp_path: Path) -> None:
    writers = [program(tmp_path, start, 2) for start in (0, 1)]
    history = History(str(tmp_path), now_ms=lambda: NOW_MS)
    everything, seen = bars(0, COUNT), 0
    while any(writer.poll() is None for writer in writers):
        if history.span(KEY) is not None:
            # What is read while they write: whole bars, and never fewer than before.
            found = history.read(KEY)
            rows = ((found.open_time_ms - everything.open_time_ms[0]) // STEP_MS).tolist()
            assert found.close.tobytes() == everything.close[rows].tobytes()
            assert len(found) >= seen
            seen = len(found)
        time.sleep(0.05)
    assert [writer.wait() for writer in writers] == [0, 0]
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.close()
    assert same(history.read(KEY), everything)


def test_a_program_that_is_killed_while_it_writes_leaves_what_it_said_it_wrote(
    tmp_path: Path,
) -> None:
    history = History(str(tmp_path), now_ms=lambda: NOW_MS)
    for said in (3, 11, 23):
        # One that is done before we come to kill it waits for us.
        writer = program(tmp_path, 0, 1, subprocess.PIPE)
        assert writer.stdin is not None and writer.stdout is not None
        done = [int(writer.stdout.readline()) for _ in range(said)]
        writer.send_signal(signal.SIGKILL)
        assert writer.wait() == -signal.SIGKILL
        writer.stdin.close()
        writer.stdout.close()
        found = history.read(KEY)
        assert len(found) >= done[-1] + CHUNK
        assert same(found, bars(0, len(found)))
        # Its lock died with it.
        assert history.write(KEY, bars(0, 10)).equal == 10
    history.write(KEY, bars(0, COUNT))
    assert same(history.read(KEY), bars(0, COUNT))


def test_a_program_that_holds_a_series_is_named_to_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.history.BUSY_S", 0.1)
    holder = """
import sys
from cluster.history import History
from tests.unit.test_history_programs import KEY

with History(sys.argv[1]).writing(KEY):
    print("held", flush=True)
    sys.stdin.read()
"""
    command = [sys.executable, "-c", holder, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(HistoryBusy, match=rf"process {other.pid} on .* at work on it"):
            History(str(tmp_path), now_ms=lambda: NOW_MS).write(KEY, bars(0, 10))
        other.communicate()
    assert History(str(tmp_path), now_ms=lambda: NOW_MS).write(KEY, bars(0, 10)).added == 10
