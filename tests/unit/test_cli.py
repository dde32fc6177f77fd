"""The commands as a user types them: results, exit codes, what goes to stdout and to stderr."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engines.synthetic import synthetic_klines
from serve.cli import run
from serve.market_files import symbol_of
from serve.times import parse_time_ms

BARS = 3000
FILES = {"report.html", "result.json", "trades.csv", "equity.csv"}


def write_bars(path: Path, *, bars: int = BARS, seed: int = 4) -> Path:
    klines = synthetic_klines(bars, 900_000, seed)
    names = ("open_time_ms", "open", "high", "low", "close", "volume")
    columns = [getattr(klines, name).tolist() for name in names]
    rows = [",".join(map(repr, row)) for row in zip(*columns, strict=True)]
    path.write_text("\n".join([",".join(names), *rows]) + "\n")
    return path


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bars(tmp_path_factory.mktemp("bars") / "TESTUSDT_15m.csv")


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Run a command line and return its exit code, stdout and stderr."""
    code = run([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_backtest_prints_its_figures_and_notes(
    bars: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = printed(capsys, "backtest", "ema_crossover", "--bars", bars)
    assert code == 0
    assert out.startswith("ema_crossover (fast=9, slow=21")
    assert "TESTUSDT, 15m, 3,000 bars" in out
    assert "profit factor" in out
    assert "note: tick size 0.1 inferred" in err


def test_json_is_the_only_thing_on_stdout(bars: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = printed(
        capsys, "backtest", "ema_crossover", "channel_breakout", "--bars", bars, "--json",
        "--set", "fast=7", "--commission", "0.1%", "--qty", "0.5", "--tick-size", 0.1,
    )  # fmt: skip  # flags with their values
    ema, channel = json.loads(out)["runs"]
    assert code == 0
    assert ema["parameters"]["fast"] == 7
    assert channel["parameters"] == {"period": 5}
    assert ema["costs"]["commission"] == 0.001
    sizing = ema["plan"]["sizing"]
    assert (sizing["kind"], sizing["value"]) == ("qty", 0.5)


def test_out_holds_the_report_and_its_tables(
    bars: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "result"
    for _ in range(2):
        code, said, _ = printed(capsys, "backtest", "ema_crossover", "--bars", bars, "--out", out)
        assert code == 0
        assert f"report: {out / 'report.html'}" in said
        assert {item.name for item in out.iterdir()} == FILES
    assert [item.name for item in out.parent.iterdir()] == ["result"]
    command = json.loads((out / "result.json").read_text())["command"]
    assert command == f"phalanx backtest ema_crossover --bars {bars} --out {out}"


def test_a_folder_in_use_is_left_alone_unless_forced(
    bars: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "notes.txt"
    mine.write_text("keep me")
    command = ("backtest", "ema_crossover", "--bars", bars, "--out", tmp_path)
    code, _, err = printed(capsys, *command)
    assert code == 2
    assert "found other files" in err
    assert list(tmp_path.iterdir()) == [mine]
    assert printed(capsys, *command, "--force")[0] == 0
    assert {item.name for item in tmp_path.iterdir()} == FILES | {"notes.txt"}
    assert mine.read_text() == "keep me"


def test_files_in_a_row_are_joined_and_bars_aggregated(
    tmp_path: Path, bars: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = bars.read_text().splitlines()
    parts = [tmp_path / "TESTUSDT_a.csv", tmp_path / "TESTUSDT_b.csv"]
    parts[0].write_text("\n".join(lines[:1501]) + "\n")
    parts[1].write_text("\n".join([lines[0], *lines[1501:]]) + "\n")
    code, out, err = printed(
        capsys, "backtest", "ema_crossover", "--bars", parts[1], "--bars", parts[0],
        "--interval", "15m", "--aggregate", "1h", "--since", "2024-01-11", "--json",
    )  # fmt: skip  # flags with their values
    assert code == 0
    assert "aggregated to 1h" in err
    (one,) = json.loads(out)["runs"]
    assert one["klines"]["bars"] == BARS // 4
    assert one["klines"]["interval"] == "1h"
    assert one["klines"]["traded_from_ms"] == parse_time_ms("", "2024-01-11T00:00Z")
    assert min(t["entry_time_ms"] for t in one["trades"]) > one["klines"]["traded_from_ms"]


def test_gaps_are_reported_and_not_a_fault(
    tmp_path: Path, bars: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = bars.read_text().splitlines()
    path = tmp_path / "TESTUSDT.csv"
    path.write_text("\n".join(lines[:500] + lines[520:]) + "\n")
    code, _, err = printed(capsys, "backtest", "ema_crossover", "--bars", path)
    assert code == 0
    assert "1 gap, 20 bars missing" in err


def test_what_a_strategy_prints_does_not_reach_stdout(
    tmp_path: Path, bars: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text(
        "print('imported')\nclass Mine:\n    def generate_signals(self, frame):\n"
        "        print('asked')\n"
        "        return frame.assign(signal=(frame.close > frame.open).astype(int))\n"
    )
    code, out, err = printed(capsys, "backtest", f"{mine}:Mine", "--bars", bars, "--json")
    assert code == 0
    assert json.loads(out)["runs"][0]["metrics"]["trades"] == 0
    assert "imported" in err
    assert "asked" in err


def test_strategies_are_listed_with_their_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    assert "channel_breakout" in printed(capsys, "strategies")[1]
    code, out, _ = printed(capsys, "strategies", "ema_crossover", "--json")
    assert code == 0
    assert json.loads(out)["parameters"][0]["name"] == "fast"


def test_the_doctor_finds_this_machine_ready(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = printed(capsys, "doctor", "--json")
    assert code == 0
    checks = {check["name"]: check for check in json.loads(out)["checks"]}
    assert checks["numba"]["there"]
    assert all(check["there"] or check["remedy"] for check in checks.values())


@pytest.mark.parametrize(
    "command", ["", "backtest", "parity", "plan", "strategies", "demo", "doctor"]
)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = printed(capsys, *command.split(), "--help")
    assert code == 0
    assert out.startswith("Usage: phalanx")
    assert not err
    assert command in {"", "strategies"} or "--json" in out


def test_a_bug_is_told_from_bad_input(
    bars: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("broken inside")

    monkeypatch.setattr("serve.runs.run_backtest", fail)
    code, _, err = printed(capsys, "backtest", "ema_crossover", "--bars", bars)
    assert code == 3
    assert "a bug in phalanx, AssertionError: broken inside" in err
    monkeypatch.setenv("PHALANX_DEBUG", "1")
    with pytest.raises(AssertionError):
        run(["backtest", "ema_crossover", "--bars", str(bars)])


def test_an_interrupt_exits_with_130_and_leaves_nothing(
    bars: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("serve.runs.run_backtest", interrupt)
    out = tmp_path / "out"
    code, _, err = printed(capsys, "backtest", "ema_crossover", "--bars", bars, "--out", out)
    assert code == 130
    assert err.endswith("phalanx: interrupted.\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("BTCUSDT_15m_2024.csv", "BTCUSDT"),
        ("BYBIT_ETHUSDT.P, 30.csv", "ETHUSDT.P"),
        ("eth.parquet", "eth"),
    ],
)
def test_the_symbol_is_read_from_the_files_name(name: str, symbol: str) -> None:
    assert symbol_of(Path("folder") / name) == symbol


def test_compiled_kernels_go_to_a_temporary_folder_where_nothing_else_can_be_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", "mine")
    monkeypatch.setattr("os.access", lambda *_: False)
    assert printed(capsys, "strategies")[0] == 0
    assert os.environ["NUMBA_CACHE_DIR"] == "mine"
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    assert printed(capsys, "strategies")[0] == 0
    assert "phalanx-numba-" in os.environ["NUMBA_CACHE_DIR"]
    monkeypatch.delenv("NUMBA_CACHE_DIR")


def phalanx(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the console script's module in a process of its own."""
    command = [sys.executable, "-m", "serve.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_help_imports_neither_numpy_nor_numba_nor_rich() -> None:
    code = (
        "import sys\nfrom serve.cli import run\nassert run(['--help']) == 0\n"
        "heavy = {'numpy', 'numba', 'rich', 'pandas', 'pyarrow'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_backtest_imports_only_what_it_uses(bars: Path) -> None:
    code = (
        f"import sys\nfrom serve.cli import run\n"
        f"assert run(['backtest', 'ema_crossover', '--bars', {str(bars)!r}]) == 0\n"
        "heavy = {'pandas', 'rich', 'scipy.linalg'} & set(sys.modules)\nassert not heavy, heavy\n"
        "import scipy.linalg\nassert scipy.linalg.norm([3.0, 4.0]) == 5.0"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_version_and_a_fault_of_a_real_process(bars: Path) -> None:
    assert phalanx("--version").stdout.startswith("phalanx ")
    done = phalanx("backtest", "ema_crosover", "--bars", bars)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_a_reader_that_leaves_is_no_failure(bars: Path) -> None:
    command = f"'{sys.executable}' -m serve.cli backtest ema_crossover --json --bars '{bars}'"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} 2>errors | head -c 10; test $? -eq 0"],
        capture_output=True, text=True, check=False, cwd=bars.parent,
    )  # fmt: skip  # terms of one call
    assert done.returncode == 0, (bars.parent / "errors").read_text()


@pytest.mark.parametrize("command", ["strategies", "--help", "strategies --json"])
def test_a_closed_pipe_is_no_finding(command: str) -> None:
    read, write = os.pipe()
    os.close(read)
    words = [sys.executable, "-m", "serve.cli", *command.split()]
    done = subprocess.run(words, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_tick_is_inferred_from_the_bars_before_until(
    tmp_path: Path, bars: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = bars.read_text().splitlines()
    cells = lines[-1].split(",")
    cells[2] = repr(float(cells[2]) + 0.0003)
    path = tmp_path / "TESTUSDT.csv"
    path.write_text("\n".join([*lines[:-1], ",".join(cells)]) + "\n")
    command = ("backtest", "ema_crossover", "--bars", path)
    assert "note: tick size 0.0001 inferred" in printed(capsys, *command)[2]
    assert "note: tick size 0.1 inferred" in printed(capsys, *command, "--until", "2024-01-20")[2]


def test_prices_off_the_given_tick_are_noted(
    bars: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("backtest", "ema_crossover", "--bars", bars, "--tick-size")
    assert "off the tick size" not in printed(capsys, *command, "0.1")[2]
    code, _, err = printed(capsys, *command, "0.5")
    assert code == 0
    assert "prices are off the tick size 0.5: fills are rounded to it" in err


def test_a_fault_seen_on_a_terminal_names_the_strategy(
    tmp_path: Path,
    bars: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "class Mine:\n    def features(self, klines):\n        return {}\n"
        "    def on_bar(self, ctx):\n        1 / 0\n"
    )
    monkeypatch.setattr("serve.progress.sys.stderr.isatty", lambda: True)
    for flag in ("--causality-check", "--no-causality-check"):
        code, _, err = printed(capsys, "backtest", path, "--bars", bars, flag)
        assert code == 2
        assert "on_bar of Mine at 2024-01-01" in err
