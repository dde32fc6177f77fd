"""Bad input gets one clear sentence and exit code 2, and nothing is written."""

from collections.abc import Callable
from pathlib import Path

import pytest

from serve.cli import run
from tests.unit.test_cli import write_bars

Rows = list[list[str]]
STRATEGY_HEADER = """
from dataclasses import dataclass
import numpy as np
from engines.signals import Signals
from strategies.base import OrderStrategy, SignalStrategy, parameter
"""
STRATEGIES = {
    "fails_to_import": "import a_module_that_is_absent\n",
    "does_not_parse": "def broken(:\n",
    "raises_in_the_middle": """
@dataclass(frozen=True)
class Mine(OrderStrategy):
    def on_bar(self, ctx):
        if ctx.bar_index == 100:
            raise RuntimeError("boom")
""",
    "divides_by_zero": """
@dataclass(frozen=True)
class Mine(OrderStrategy):
    def on_bar(self, ctx):
        1 / (ctx.bar_index - 100)
""",
    "raises_in_signals": """
@dataclass(frozen=True)
class Mine(SignalStrategy):
    def signals(self, klines):
        return klines.nothing
""",
    "looks_ahead": """
@dataclass(frozen=True)
class Mine(SignalStrategy):
    def signals(self, klines):
        rises = np.append(klines.close[1:] > klines.close[:-1], False)
        none = np.zeros(len(klines), dtype=bool)
        return Signals(rises, ~rises, none, none)
""",
    "reads_the_future": """
@dataclass(frozen=True)
class Mine(OrderStrategy):
    def on_bar(self, ctx):
        ctx.close[-1]
""",
    "orders_no_size": """
@dataclass(frozen=True)
class Mine(OrderStrategy):
    def on_bar(self, ctx):
        ctx.entry("L", 1, qty=0.0)
""",
    "orders_nan": """
@dataclass(frozen=True)
class Mine(OrderStrategy):
    def on_bar(self, ctx):
        ctx.order("L", 1, qty=float("nan"))
""",
    "exits": """
@dataclass(frozen=True)
class Mine(OrderStrategy):
    def on_bar(self, ctx):
        raise SystemExit(0)
""",
    "keeps_the_future": """
class Mine:
    def features(self, klines):
        self.klines = klines
        return {}
    def on_bar(self, ctx):
        close = self.klines.close
        if ctx.bar_index + 2 < len(close):
            up = close[ctx.bar_index + 2] > close[ctx.bar_index]
            ctx.entry("L" if up else "S", 1 if up else -1)
""",
    "has_no_features": "class Mine:\n    def features(self, klines): pass\n"
    "    def on_bar(self, ctx): pass\n",
    "plain_without_answer": "class Mine:\n    def generate_signals(self, frame): pass\n",
    "plain_with_words": "class Mine:\n    def generate_signals(self, frame):\n"
    "        return frame.assign(signal='buy')\n",
    "has_no_signals": "class Mine:\n    def signals(self, klines): pass\n",
    "is_no_strategy": "class Mine:\n    pass\n",
    "lacks_its_method": "@dataclass(frozen=True)\nclass Mine(SignalStrategy):\n    pass\n",
    "plain_without_signal": "class Mine:\n    def generate_signals(self, frame):\n"
    "        return frame\n",
    "plain_with_twos": "class Mine:\n    def generate_signals(self, frame):\n"
    "        return frame.assign(signal=2)\n",
}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bars(tmp_path_factory.mktemp("good") / "TESTUSDT_15m.csv", bars=400)


def refused(capsys: pytest.CaptureFixture[str], folder: Path, *arguments: object) -> str:
    """Run a command that must be refused, and return its one sentence."""
    out = folder / "results"
    code = run([*map(str, arguments), "--out", str(out)])
    said = capsys.readouterr()
    assert code == 2, said.err
    assert said.out == ""
    assert said.err.count("\n") == 1, said.err
    assert said.err.startswith("phalanx: ")
    assert said.err.endswith((".\n", "?\n"))
    assert "Traceback" not in said.err
    left = {item.name for item in folder.iterdir()}
    assert not {name for name in left if "results" in name}, left
    return said.err


def cell(row: int, column: int, value: str) -> Callable[[Rows], None]:
    return lambda rows: rows[row].__setitem__(column, value)


def without_high(rows: Rows) -> None:
    for row in rows:
        del row[2]


WRONG_BARS: dict[str, tuple[Callable[[Rows], object], str]] = {
    "a missing column": (without_high, "missing: high"),
    "mixed units of time": (lambda rows: rows[200].__setitem__(0, rows[200][0][:-3]), "seconds"),
    "NaN": (cell(200, 4, "NaN"), "close in row 200"),
    "a negative price": (cell(200, 3, "-5.0"), "above zero, found -5"),
    "high below low": (cell(200, 2, "1.0"), "low <= open and close <= high"),
    "a word for a price": (cell(200, 1, "dear"), "dear"),
    "a duplicate": (lambda rows: rows.insert(200, list(rows[199])), "duplicate"),
    "unsorted bars": (lambda rows: rows.insert(100, rows.pop(200)), "ascend"),
    "future bars": (lambda rows: rows[-1].__setitem__(0, str(4_102_444_800_000)), "future"),
    "no row": (lambda rows: rows.__delitem__(slice(1, None)), "a header line only"),
    "no line": (lambda rows: rows.clear(), "an empty file"),
}


@pytest.mark.parametrize("wrong", WRONG_BARS)
def test_bars_that_cannot_be_trusted_are_refused(
    wrong: str, good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil, says = WRONG_BARS[wrong]
    rows = [line.split(",") for line in good.read_text().splitlines()]
    spoil(rows)
    path = tmp_path / "BADUSDT.csv"
    path.write_text("".join(",".join(row) + "\n" for row in rows))
    sentence = refused(
        capsys, tmp_path, "backtest", "ema_crossover", "--bars", path, "--interval", "15m"
    )
    assert says in sentence
    assert "BADUSDT" in sentence


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ("--interval 5m", "expected 5m as given, found bars 15m apart"),
        ("--interval 1h", "--aggregate 1h"),
        ("--interval soon", "interval"),
        ("--aggregate 20m", "a multiple of 15m"),
        ("--set fst=9", "fast (did you mean it?)"),
        ("--set fast=100", "parameter fast"),
        ("--set fast=nine", "parameter fast"),
        ("--set fast", "NAME=VALUE"),
        ("--set fast=3 --set fast=4", "--set fast"),
        ("--set fast=20 --set slow=15", "below slow"),
        ("--capital 0", "capital_quote"),
        ("--capital much", "--capital"),
        ("--qty 0", "sizing value"),
        ("--qty 1 --cash 100", "--qty and --cash"),
        ("--commission 7", "0.0007 for 0.07 %"),
        ("--commission some", "--commission"),
        ("--commission-kind per_order", "--commission"),
        ("--slippage-ticks -1", "slippage_ticks"),
        ("--pyramiding -1", "pyramiding"),
        ("--close-rule best", "--close-rule"),
        ("--direction up", "--direction"),
        ("--stop-loss 150%", "stop_loss_ratio"),
        ("--stop-loss far", "--stop-loss"),
        ("--margin-long 2", "margin_long_ratio"),
        ("--since yesterday", "--since"),
        ("--since 2040-01-01", "--since"),
        ("--until 2001-01-01", "--until"),
        ("--tick-size 0", "tick_size"),
        ("--exchange-zone Mars/Base", "time_zone"),
        ("--instrument absent.toml", "absent.toml"),
        ("--magnifier absent.csv", "absent.csv"),
        ("--other BTC", "NAME=FILE"),
        ("--other BTC=absent.csv", "absent.csv"),
        ("--bars absent.csv", "absent.csv"),
        ("--barz x", "--barz"),
        ("--interval ²m", "interval"),
        ("--interval 1M", "interval"),
        ("--aggregate 99999999999999999w", "interval"),
        ("--capital inf", "capital"),
        ("--capital 1e308", "--capital"),
        ("--qty 1e308", "--qty"),
        ("--cash 1e308", "--cash"),
        ("--equity-percent nan", "--equity-percent"),
        ("--tick-size 1e-320", "--tick-size"),
        ("--tick-size 1e308", "--tick-size"),
        ("--point-value 1e308", "--point-value"),
        ("--qty-step 1e-300", "--qty-step"),
        ("--commission 0.07%%", "--commission"),
        ("--take-profit inf", "--take-profit"),
        ("--stop-loss nan", "--stop-loss"),
        ("--stop-loss 2%%", "--stop-loss"),
    ],
)
def test_flags_that_mean_nothing_are_refused(
    flags: str, says: str, good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("backtest", "ema_crossover", "--bars", good, *flags.split())
    assert says in refused(capsys, tmp_path, *command)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("ema_crosover", "ema_crossover (did you mean it?)"),
        ("nothing_like_it", "one of atr_breakout, bollinger_bands"),
        ("absent.py:Mine", "absent.py"),
        ("absent/:Mine", "no such file"),
    ],
)
def test_an_unknown_strategy_is_refused(
    name: str, says: str, good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert says in refused(capsys, tmp_path, "backtest", name, "--bars", good)


STRATEGY_SAYS = {
    "fails_to_import": "line 6: ModuleNotFoundError",
    "does_not_parse": "line 6: SyntaxError",
    "raises_in_the_middle": "RuntimeError: boom in line 11",
    "divides_by_zero": "2024-01-02 01:00Z: expected a decision, found ZeroDivisionError",
    "raises_in_signals": "AttributeError",
    "looks_ahead": "so it looks ahead",
    "reads_the_future": "an index of 0 or more bars ago",
    "orders_no_size": "quantity of entry L at 2024-01-01 00:00Z: expected a number above zero",
    "orders_nan": "quantity of order L",
    "exits": "found SystemExit: 0 in line",
    "keeps_the_future": "orders of Mine at bar",
    "has_no_features": "features of Mine: expected a mapping",
    "plain_without_answer": "a DataFrame, found NoneType",
    "plain_with_words": "1, -1 and 0 in column signal",
    "has_no_signals": "signals of Mine: expected an instance of Signals",
    "is_no_strategy": "class Mine",
    "lacks_its_method": "a method signals(klines)",
    "plain_without_signal": "a column signal",
    "plain_with_twos": "only 1, -1 and 0",
}


@pytest.mark.parametrize("kind", STRATEGIES)
def test_a_strategy_that_cannot_run_is_refused(
    kind: str, good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(STRATEGY_HEADER + STRATEGIES[kind])
    sentence = refused(capsys, tmp_path, "backtest", f"{path}:Mine", "--bars", good)
    assert STRATEGY_SAYS[kind] in sentence


def test_an_output_that_is_a_file_is_refused(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "taken"
    out.write_text("mine")
    code = run(["backtest", "ema_crossover", "--bars", str(good), "--out", str(out)])
    assert (code, out.read_text()) == (2, "mine")
    assert "expected a folder, found a file" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--no-causality-check", "--causality-check"])
def test_a_strategy_that_exits_is_refused_with_and_without_the_check(
    flag: str, good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(STRATEGY_HEADER + STRATEGIES["exits"])
    assert "SystemExit: 0" in refused(capsys, tmp_path, "backtest", path, "--bars", good, flag)


def test_another_series_is_named_once(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("backtest", "ema_crossover", "--bars", good)
    others = ("--other", f"a={good}", "--other", f"a={tmp_path / 'b.csv'}")
    sentence = refused(capsys, tmp_path, *command, *others)
    assert f"--other a: expected one file, found {good} and" in sentence
