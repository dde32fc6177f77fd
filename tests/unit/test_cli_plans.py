"""One plan, asked for by file, by flags and in Python, is one run; several markets are several."""

import json
from pathlib import Path
from typing import Any

import pytest

from cluster.kline_files import read_klines
from cluster.user_strategy import find_strategy
from engines.backtest import run_backtest
from engines.costs import Costs, SlippageKind
from engines.funding import constant_funding
from engines.instrument import Instrument
from engines.margin import MarginTier
from engines.plan import (
    Breakeven,
    Direction,
    Exits,
    Hours,
    Plan,
    Sizing,
    SizingKind,
    Target,
    Trailing,
)
from engines.report import plain, trade_row
from serve.cli import run
from strategies.base import SignalStrategy
from strategies.registry import REGISTRY
from tests.unit.test_cli import printed, write_bars

MINE = """
from dataclasses import dataclass
import numpy as np
from engines.signals import Signals
from strategies.base import SignalStrategy, parameter

@dataclass(frozen=True)
class Mine(SignalStrategy):
    every: int = parameter(40, low=2, high=500)

    def signals(self, klines):
        bars = np.arange(len(klines))
        none = np.zeros(len(klines), dtype=bool)
        return Signals(bars % self.every == 5, none, bars % self.every == 25, none)
"""
PLAN = Plan(
    capital_quote=20_000,
    leverage=3,
    sizing=Sizing(SizingKind.RISK, 0.01),
    direction=Direction.LONG,
    exits=Exits(
        stop_loss_ratio=0.02,
        targets=(Target(0.004, 0.25), Target(0.03, 0.75)),
        trailing=Trailing(0.01, 0.005),
        breakeven=Breakeven(0.005, 0.001),
    ),
    hours=Hours(bars_held_max=30),
)
COSTS = Costs(commission=0.00055, slippage_kind=SlippageKind.RATIO, slippage_ratio=0.0002)
YAML = """
plan:
  capital_quote: 20000
  leverage: 3
  sizing: {kind: risk, value: 0.01}
  direction: long
  exits:
    stop_loss_ratio: 2%
    targets: [{ratio: 0.4%, portion: 25%}, {ratio: 3%, portion: 75%}]
    trailing: {activation: 0.01, distance: 0.005}
    breakeven: {activation_ratio: 0.5%, offset_ratio: 0.1%}
  hours: {bars_held_max: 30}
costs: {commission: 0.00055, slippage_kind: ratio, slippage_ratio: 0.02%}
"""
FLAGS = """
--capital 20000 --leverage 3 --risk 1% --direction long --stop-loss 2% --targets 0.4%:25%,3%:75%
--trailing 1%:0.5% --breakeven 0.5%:0.1% --bars-held-max 30 --commission 0.055% --slippage 0.02%
"""
TIERS = """
symbol = "TESTUSDT"
tick_size = 0.1
qty_step = 0.001
[[margin_tiers]]
notional_max = 2000000
maintenance_ratio = "0.5%"
leverage_max = 100
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("doors")
    write_bars(folder / "TESTUSDT_15m.csv", bars=1500)
    (folder / "mine.py").write_text(MINE)
    (folder / "plan.yaml").write_text(YAML)
    (folder / "TESTUSDT.toml").write_text(TIERS)
    return folder


def asked(folder: Path, capsys: pytest.CaptureFixture[str], *flags: object) -> dict[str, Any]:
    """Return the one run of a backtest command."""
    code, out, err = printed(
        capsys, "backtest", folder / "mine.py", "--bars", folder / "TESTUSDT_15m.csv",
        "--instrument", folder / "TESTUSDT.toml", "--funding", "0.01%", "--json", *flags,
    )  # fmt: skip  # flags with their values
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)["runs"][0]
    return found


def in_python(folder: Path) -> list[object]:
    klines = read_klines(folder / "TESTUSDT_15m.csv", "TESTUSDT", None, 2**42).klines
    instrument = Instrument(
        "TESTUSDT", 0.1, 0.001, margin_tiers=(MarginTier(2_000_000, 0.005, leverage_max=100),)
    )
    strategy = find_strategy(str(folder / "mine.py")).build({})
    funding = constant_funding(0.0001, 8, klines)
    result = run_backtest(strategy, klines, instrument, PLAN, COSTS, funding=funding)
    return [plain(trade_row(number, trade)) for number, trade in enumerate(result.trades, 1)]


def test_one_plan_by_file_flags_and_python_gives_the_same_trades(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    by_python = in_python(folder)
    assert len(by_python) > 20
    by_yaml = asked(folder, capsys, "--plan", folder / "plan.yaml")
    by_flags = asked(folder, capsys, *FLAGS.split())
    assert run(["plan", str(folder / "plan.yaml"), "--out", str(folder / "plan.json")]) == 0
    capsys.readouterr()
    by_json = asked(folder, capsys, "--plan", folder / "plan.json")
    for found in (by_yaml, by_json, by_flags):
        assert found["trades"] == by_python
        assert found["plan"] == by_yaml["plan"]
        assert found["costs"] == by_yaml["costs"]


def test_a_flag_goes_before_the_file_and_a_default_does_not(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ("--capital", 5000, "--slippage-ticks", 2, "--plan", folder / "plan.yaml")
    found = asked(folder, capsys, *flags)
    assert found["plan"]["capital_quote"] == 5000
    assert found["plan"]["leverage"] == 3
    assert found["plan"]["exits"]["stop_loss_ratio"] == 0.02
    assert found["costs"]["commission"] == 0.00055
    assert found["costs"]["slippage_ticks"] == 2
    assert found["costs"]["slippage_ratio"] is None


def test_funding_is_paid_and_changes_the_result(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    every_eight = asked(folder, capsys, *FLAGS.split())
    hourly = asked(folder, capsys, *FLAGS.split(), "--funding-hours", "1")
    paid = [sum(trade["funding_quote"] for trade in it["trades"]) for it in (every_eight, hourly)]
    assert 0 < paid[0] < paid[1]
    assert "funding of 0.0001 every 8 hours, no real history" in every_eight["notes"]


def test_the_plan_is_shown_checked_and_written(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = printed(capsys, "plan")
    assert code == 0
    assert "  leverage: 1.0\n" in out
    path = tmp_path / "mine.yaml"
    assert printed(capsys, "plan", folder / "plan.yaml", "--leverage", 4, "--out", path)[0] == 0
    code, out, _ = printed(capsys, "plan", path, "--json")
    assert json.loads(out)["plan"]["leverage"] == 4
    assert json.loads(out)["plan"]["hours"]["bars_held_max"] == 30
    code, _, err = printed(capsys, "plan", "--out", path)
    assert code == 2
    assert "a new file (or --force)" in err
    assert printed(capsys, "plan", "--out", path, "--force")[0] == 0
    assert "$defs" in json.loads(printed(capsys, "plan", "--schema")[1])


def test_all_is_every_built_in_strategy_that_makes_signals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bars = write_bars(tmp_path / "TESTUSDT.csv", bars=400)
    code, out, err = printed(
        capsys, "backtest", "all:aggressive", "--bars", bars, "--no-causality-check", "--json"
    )
    assert code == 0, err
    names = [found["strategy"] for found in json.loads(out)["runs"]]
    makers = [id for id, item in REGISTRY.items() if issubclass(item.load(), SignalStrategy)]
    assert names == [f"{id}:aggressive" for id in makers]
    assert len(names) == 11


def test_bars_of_two_symbols_are_two_markets_with_their_own_rules(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = folder / "TESTUSDT_15m.csv"
    two = write_bars(tmp_path / "OTHERUSDT_15m.csv", bars=900, seed=9)
    rules = tmp_path / "rules.toml"
    rules.write_text("qty_step = 0.01")
    command = (
        "backtest", folder / "mine.py", "ema_crossover", "--bars", one, "--bars", two,
        "--funding", "TESTUSDT=0.01%", "--funding", "OTHERUSDT=0.02%",
        "--instrument", folder / "TESTUSDT.toml", "--instrument", f"OTHERUSDT={rules}",
    )  # fmt: skip  # flags with their values
    out = tmp_path / "out"
    code, said, err = printed(capsys, *command, "--out", out, "--json")
    assert code == 0, err
    runs = json.loads(said)["runs"]
    symbols = [found["klines"]["symbol"] for found in runs]
    assert symbols == ["TESTUSDT", "TESTUSDT", "OTHERUSDT", "OTHERUSDT"]
    assert [found["instrument"]["qty_step"] for found in runs] == [0.001, 0.001, 0.01, 0.01]
    assert "note: OTHERUSDT: funding of 0.0002 every 8 hours" in err
    assert (out / "equity.csv").read_text().count("\n") > 1500
    # A market does not feel that there is another.
    alone = printed(
        capsys, "backtest", folder / "mine.py", "--bars", one, "--funding", "0.01%",
        "--instrument", folder / "TESTUSDT.toml", "--json",
    )[1]  # fmt: skip  # flags with their values
    assert json.loads(alone)["runs"][0]["trades"] == runs[0]["trades"]
    # One symbol for all joins the files instead, and these overlap.
    code, _, err = printed(capsys, *command[:7], "--symbol", "X")
    assert code == 2
    assert "bars would be there twice" in err


ASKS = """
from dataclasses import dataclass, replace
from strategies.base import OrderStrategy

@dataclass(frozen=True)
class Asks(OrderStrategy):
    def plan(self, plan):
        return replace(plan, pyramiding=7)

    def on_bar(self, ctx):
        pass
"""


@pytest.mark.parametrize("is_terminal", [True, False])
def test_what_a_strategy_asks_of_the_plan_counts_on_a_terminal_too(
    is_terminal: bool,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "asks.py"
    path.write_text(ASKS)
    monkeypatch.setattr("serve.progress.sys.stderr.isatty", lambda: is_terminal)
    bars = folder / "TESTUSDT_15m.csv"
    code, out, err = printed(capsys, "backtest", path, "--bars", bars, "--json")
    assert code == 0, err
    assert json.loads(out)["runs"][0]["plan"]["pyramiding"] == 7


def test_a_real_history_is_named_and_paid(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{1_704_067_200_000 + i * 28_800_000},0.0001" for i in range(50)]
    history = tmp_path / "TESTUSDT_funding.csv"
    history.write_text("\n".join(["fundingRateTimestamp,fundingRate", *rows]))
    code, out, err = printed(
        capsys, "backtest", folder / "mine.py", "--bars", folder / "TESTUSDT_15m.csv",
        "--instrument", folder / "TESTUSDT.toml", "--funding", history, "--json", *FLAGS.split(),
    )  # fmt: skip  # flags with their values
    assert code == 0, err
    assert "note: funding: 47 settlements, 8h apart, from TESTUSDT_funding.csv" in err
    assert json.loads(out)["runs"][0]["trades"] == asked(folder, capsys, *FLAGS.split())["trades"]
