"""`phalanx parity` as a user runs it on a list of trades in TradingView's form."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from serve.cli import run
from tests.unit.test_cli import printed, write_bars

TRUTH = Path(__file__).resolve().parents[2].parent / "shared" / "truth"
EURUSD = TRUTH / "tv_eurusd_1h"
HEADER = "Trade #,Type,Date/Time,Signal,Price USDT,Position size (qty),Net P&L USDT"
FLAGS = ("--strategy", "channel_breakout", "--set", "period=20", "--qty", "0.1")


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bars(tmp_path_factory.mktemp("bars") / "TESTUSDT_15m.csv", bars=1500)


def write_list(
    path: Path, bars: Path, hours: int = 3, price_factor: float = 1.0, count: int = 30
) -> Path:
    """Write our own trades as TradingView lists them, in a zone `hours` ahead of UTC."""
    out = path.parent / "ours"
    command = ["backtest", "channel_breakout", "--bars", str(bars), "--set", "period=20"]
    assert run([*command, "--qty", "0.1", "--out", str(out)]) == 0
    trades = json.loads((out / "result.json").read_text())["runs"][0]["trades"][:count]
    lines = [HEADER]
    for trade in trades:
        for kind in ("entry", "exit"):
            moment = datetime.fromtimestamp(trade[f"{kind}_time_ms"] / 1000, UTC)
            moment += timedelta(hours=hours)
            price = trade[f"{kind}_price"] * price_factor
            label = f"{kind.title()} {trade['side']}"
            money = f"{price:.1f},0.1,{trade['pnl_quote']:.2f}"
            cells = (trade["number"], label, f"{moment:%Y-%m-%d %H:%M}", trade[f"{kind}_name"])
            lines.append(",".join(map(str, (*cells, money))))
    path.write_text("\n".join(lines) + "\n")
    return path


def test_our_own_list_matches_whatever_zone_it_is_written_in(
    bars: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = write_list(tmp_path / "list.csv", bars)
    capsys.readouterr()
    code, out, err = printed(capsys, "parity", "--bars", bars, "--trades", listed, *FLAGS)
    assert (code, out) == (0, "30 of 30 trades match\n")
    assert "+03:00" in err
    assert "of ours enter after the list's end" in err


def test_a_difference_is_shown_side_by_side_with_exit_code_1(
    bars: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = write_list(tmp_path / "list.csv", bars)
    capsys.readouterr()
    command = ("parity", "--bars", bars, "--trades", listed, *FLAGS, "--slippage-ticks", 2)
    code, out, _ = printed(capsys, *command)
    assert code == 1
    assert out.startswith("0 of 30 trades match\ntrade 1 differs:\n")
    assert "  list: " in out
    assert "  ours: " in out
    assert "likely cause: " in out
    code, out, _ = printed(capsys, *command, "--json", "--out", tmp_path / "report")
    answer = json.loads(out)
    assert (code, answer["equal"], answer["matched"], answer["listed"]) == (1, False, 0, 30)
    assert json.loads((tmp_path / "report" / "result.json").read_text())["parity"] == answer


def test_a_list_that_outlasts_the_bars_is_compared_up_to_a_time(
    bars: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = write_list(tmp_path / "list.csv", bars)
    capsys.readouterr()
    code, out, err = printed(
        capsys, "parity", "--bars", bars, "--trades", listed, *FLAGS, "--until", "2024-01-07"
    )
    assert code == 0
    assert "listed trades that end after --until are not compared" in err
    matched, _, total = out.partition(" trades")[0].partition(" of ")
    assert matched == total
    assert 3 < int(total) < 30


@pytest.mark.parametrize(
    ("hours", "price_factor", "flags", "says"),
    [
        (3, 7.0, "", "another symbol"),
        (3, 7.0, "--time-zone Europe/Moscow", "another symbol"),
        (3, 1.0, "--time-zone Asia/Tokyo", "another symbol or time zone"),
        (3, 1.0, "--time-zone Mars", "time zone"),
        (3, 1.0, "--name onlyone", "OURS=THEIRS"),
        (24 * 400, 1.0, "--time-zone UTC", "where the bars are"),
        (3, 1.0, "--trades absent.csv", "absent.csv"),
        (3, 1.0, "--strategy nothing_like_it", "nothing_like_it"),
    ],
)
def test_a_list_that_does_not_belong_to_the_bars_is_refused(
    hours: int,
    price_factor: float,
    flags: str,
    says: str,
    bars: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    listed = write_list(tmp_path / "list.csv", bars, hours, price_factor)
    capsys.readouterr()
    out = tmp_path / "report"
    command = ("parity", "--bars", bars, "--trades", listed, *FLAGS, "--out", out, *flags.split())
    code, said, err = printed(capsys, *command)
    assert (code, said) == (2, "")
    assert says in err
    assert err.count("\n") == 1
    assert not out.exists()


@pytest.mark.skipif(not TRUTH.is_dir(), reason="../shared/truth is absent")
def test_the_built_in_channel_breakout_is_tradingviews(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, _ = printed(
        capsys, "parity", "--bars", EURUSD / "ohlcv.csv", "--symbol", "EURUSD",
        "--trades", EURUSD / "channelbreakout_trades.csv", "--strategy", "channel_breakout",
        "--qty", 1, "--capital", 1_000_000, "--commission", 0, "--tick-size", 0.00001,
    )  # fmt: skip  # flags with their values
    assert (code, out) == (0, "2946 of 2946 trades match\n")
