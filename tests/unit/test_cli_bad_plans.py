"""Plans, histories and instruments that cannot be run get one sentence, and nothing is written."""

from pathlib import Path

import pytest

from engines.klines import HOUR_MS
from serve.cli import run
from tests.unit.test_cli import write_bars
from tests.unit.test_cli_bad_input import refused

START_MS = 1_704_067_200_000  # the synthetic bars' 2024-01-01T00:00Z
TIERS = """
tick_size = 0.1
qty_step = 0.001
margin_tiers = [{notional_max = 1000, maintenance_ratio = 0.01, leverage_max = 20}]
"""


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bars(tmp_path_factory.mktemp("good") / "TESTUSDT_15m.csv", bars=400)


FLAGS = [
    ("--take-profit 2% --targets 1%:100%", "exits.take_profit_ratio and exits.targets"),
    ("--target-atr 2 --take-profit 2%", "exits.take_profit_ratio and exits.target_atr"),
    ("--targets 1%:50%,2%:20%", "portions that sum to 1"),
    ("--targets 2%:50%,1%:50%", "each above the one before"),
    ("--targets 1%", "--targets: expected two ratios such as 1%:0.5%, found '1%'"),
    ("--targets 1%:100", "exits.targets portion"),
    ("--trailing 1%", "--trailing: expected two ratios"),
    ("--trailing far:near", "--trailing: expected two ratios"),
    ("--trailing 5%:1% --take-profit 2%", "exits.trailing.activation and exits.take_profit_ratio"),
    ("--breakeven 1%:2%:3%", "--breakeven: expected one ratio or two"),
    (
        "--breakeven 3% --take-profit 2%",
        "exits.breakeven.activation_ratio and exits.take_profit_ratio",
    ),
    ("--breakeven 1%:1%", "exits.breakeven.offset_ratio and exits.breakeven.activation_ratio"),
    ("--leverage 5", "leverage and margin_tiers"),
    ("--leverage 126", "leverage"),
    ("--leverage nan", "leverage"),
    ("--risk 1% --qty 2", "--qty and --risk"),
    ("--risk 200%", "sizing"),
    ("--kelly 0", "sizing"),
    ("--bars-held-max 0", "hours.bars_held_max"),
    ("--slippage 1% --slippage-ticks 2", "--slippage and --slippage-ticks"),
    ("--slippage 200%", "slippage_ratio"),
    ("--stop-atr -1", "exits.stop_atr"),
    ("--funding 7", "a rate between -1 and 1"),
    ("--funding 0.01% --funding 0.02%", "one rate, or files"),
    ("--funding OTHERUSDT=0.01%", "SYMBOL=RATE with TESTUSDT"),
    ("--funding 0.01% --funding-hours 3", "1, 4 or 8, found 3"),
    ("--funding-hours 8", "a constant --funding"),
    ("--funding absent.csv", "absent.csv: expected a funding history"),
    ("--mark absent.csv", "absent.csv"),
    ("--mark OTHERUSDT=absent.csv", "SYMBOL=FILE with TESTUSDT"),
    ("--instrument OTHERUSDT=absent.toml", "SYMBOL=FILE with TESTUSDT"),
    ("--plan absent.yaml", "absent.yaml: expected a YAML or JSON file"),
]


@pytest.mark.parametrize(("flags", "says"), FLAGS)
def test_flags_that_contradict_are_refused(
    flags: str, says: str, good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("backtest", "ema_crossover", "--bars", good, *flags.split())
    assert says in refused(capsys, tmp_path, *command)


FILES: list[tuple[bytes, str, str]] = [
    (b"", "", "an empty file"),
    (b"\xff\x00\xfe", "", "not UTF-8"),
    (b"- 1", "", "a mapping of settings"),
    (b"plan: {a: &x [1, 1], b: [*x, *x]}", "", "an anchor or alias"),
    (b"plan: {exits: {stop_loss: 1%}}", "", "stop_loss_ratio (did you mean it?)"),
    (b"plan: {market: spot, leverage: 2}", "", "market and leverage in"),
    (b"plan: {capital_quote: .inf}", "", "capital_quote in"),
    (b"plan: {pyramiding: 1, pyramiding: 1}", "", "key pyramiding"),
    # A flag that contradicts the file names both.
    (b"plan: {exits: {take_profit_ratio: 1%}}", "--breakeven 2%", "and exits.take_profit_ratio"),
    (b"plan: {market: spot, direction: long}", "--direction both", "market and direction"),
    (b"plan: {market: spot, direction: long}", "--funding 0.01%", "market and funding"),
    (b"costs: {commission_kind: per_order, commission: 5}", "--commission 1%", "money for kind"),
    (b"plan: {filters: [{kind: trend, source: BTC}]}", "", "BTC"),
]


@pytest.mark.parametrize(("text", "flags", "says"), FILES)
def test_a_plan_file_that_cannot_be_run_is_refused(
    text: bytes, flags: str, says: str, good: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip  # terms of a case
    path = tmp_path / "plan.yaml"
    path.write_bytes(text)
    command = ("backtest", "ema_crossover", "--bars", good, "--plan", path, *flags.split())
    assert says in refused(capsys, tmp_path, *command)


def test_an_unknown_preset_is_refused(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("ema_crossover:agressive", "all:agressive"):
        sentence = refused(capsys, tmp_path, "backtest", name, "--bars", good)
        assert "aggressive (did you mean it?)" in sentence


def test_more_leverage_than_the_first_tier_allows_is_refused(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "tiers.toml"
    path.write_text(TIERS)
    command = ("backtest", "ema_crossover", "--bars", good, "--instrument", path)
    assert "leverage and margin_tiers" in refused(capsys, tmp_path, *command, "--leverage", 21)


def funding_csv(path: Path, first: int, count: int) -> Path:
    rows = [f"{START_MS + (first + i) * 8 * HOUR_MS},0.0001" for i in range(count)]
    path.write_text("\n".join(["time_ms,rate", *rows]) + "\n")
    return path


@pytest.mark.parametrize(("first", "count"), [(2, 20), (0, 5), (500, 5)])
def test_funding_that_does_not_cover_the_bars_is_refused(
    first: int, count: int, good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = funding_csv(tmp_path / "funding.csv", first, count)
    command = ("backtest", "ema_crossover", "--bars", good, "--funding", path)
    sentence = refused(capsys, tmp_path, *command)
    assert "settlements from 2024-01-01 00:00Z to 2024-01-05 04:00Z" in sentence
    assert "--since and --until trade fewer, --funding RATE takes a constant" in sentence


def test_a_file_named_after_another_symbol_is_refused(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    funding = funding_csv(tmp_path / "OTHERUSDT_funding.csv", 0, 20)
    mark = write_bars(tmp_path / "OTHERUSDT_mark.csv", bars=400)
    for flag, path in (("--funding", funding), ("--mark", mark)):
        command = ("backtest", "ema_crossover", "--bars", good, flag, path)
        assert "one of OTHERUSDT by its name" in refused(capsys, tmp_path, *command)


def test_with_several_markets_a_file_says_whose_it_is(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_bars(tmp_path / "OTHERUSDT.csv", bars=400)
    funding = funding_csv(tmp_path / "history.csv", 0, 20)
    command = ("backtest", "ema_crossover", "--bars", good, "--bars", other)
    for flags, says in (
        (("--funding", funding), "SYMBOL=FILE with TESTUSDT or OTHERUSDT"),
        (("--funding", f"TESTUSDT={funding}"), "a file or rate of OTHERUSDT too"),
        (("--mark", f"TESTUSDT={good}"), "--mark: expected a file of OTHERUSDT too"),
    ):
        assert says in refused(capsys, tmp_path, *command, *flags)


def shifted(good: Path, path: Path, shift_ms: int, factor: float = 1.0) -> Path:
    """Write the bars of `good` later and dearer."""
    header, *rows = good.read_text().splitlines()
    lines = [header]
    for row in rows:
        time, *prices, volume = row.split(",")
        cells = [str(int(time) + shift_ms), *(repr(float(p) * factor) for p in prices), volume]
        lines.append(",".join(cells))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("shift_ms", "factor", "says"),
    [
        (60_000, 1.0, "1 minutes beside"),
        (100 * HOUR_MS, 1.0, "as the traded ones"),
        (0, 30.0, "prices near those of the traded bars, found 30 of them"),
    ],
)
def test_mark_bars_that_do_not_belong_to_the_bars_are_refused(
    shift_ms: int, factor: float, says: str, good: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip  # terms of a case
    mark = shifted(good, tmp_path / "mark.csv", shift_ms, factor)
    command = ("backtest", "ema_crossover", "--bars", good, "--mark", mark)
    assert says in refused(capsys, tmp_path, *command)


def test_all_is_no_one_strategy(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["strategies", "all"]) == 2
    assert "found 'all'" in capsys.readouterr().err
