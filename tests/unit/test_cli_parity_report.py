"""`phalanx parity --report` on a report in TradingView's form, made of one of our own runs."""

import json
from datetime import UTC, datetime
from pathlib import Path

import openpyxl
import pytest

from engines.metrics.table import TRADINGVIEW, Column, Metric, TradeSide, Unit
from engines.report_parity import shown_value
from serve.cli import run
from tests.unit.test_cli import printed, write_bars

STRATEGY = ("--strategy", "channel_breakout", "--set", "period=20")
SIZE = ("--qty", "0.1")
COLUMNS = [(side, column) for side in TradeSide for column in Column]
HEADINGS = ["", *(f"{side.title()} {'%' if column is Column.PERCENT else 'USDT'}"
                  for side, column in COLUMNS)]  # fmt: skip  # one list
LIST_HEADER = (
    "Trade #,Type,Date/Time,Signal,Price USDT,Position size (qty),Net P&L USDT,"
    "Favorable excursion USDT,Adverse excursion USDT"
)


class Export:
    """Bars, a list of trades and the sheets of a report, all of one run."""

    def __init__(self, folder: Path) -> None:
        self.bars = write_bars(folder / "TESTUSDT_15m.csv", bars=1500)
        command = ["backtest", "channel_breakout", "--bars", str(self.bars), "--set", "period=20"]
        assert run([*command, *SIZE, "--out", str(folder / "ours")]) == 0
        document = json.loads((folder / "ours" / "result.json").read_text())["runs"][0]
        self.trades = folder / "trades.csv"
        self.trades.write_text("\n".join([LIST_HEADER, *_list_rows(document["trades"])]) + "\n")
        self.sheets = [folder / f"sheet{number}.csv" for number in range(3)]
        rows = _sheet_rows(document["metrics"])
        for sheet, part in zip(self.sheets, (rows[:25], rows[25:45], rows[45:]), strict=True):
            sheet.write_text("\n".join(";".join(row) for row in (HEADINGS, *part)) + "\n")


def _list_rows(trades: list[dict[str, object]]) -> list[str]:
    rows = []
    for trade in trades:
        for kind in ("entry", "exit"):
            time_ms = trade[f"{kind}_time_ms"]
            assert isinstance(time_ms, int)
            moment = datetime.fromtimestamp(time_ms / 1000, UTC)
            money = ",".join(f"{trade[name]:.8f}" for name in ("pnl_quote", "mfe_quote"))
            cells = (trade["number"], f"{kind.title()} {trade['side']}", f"{moment:%Y-%m-%d %H:%M}",
                     trade[f"{kind}_name"], f"{trade[f'{kind}_price']:.1f}", trade["qty"], money,
                     f"-{trade['mae_quote']:.8f}")  # fmt: skip  # a row
            rows.append(",".join(map(str, cells)))
    return rows


def _sheet_rows(metrics: dict[str, float | None]) -> list[list[str]]:
    names = list(dict.fromkeys(item.cell.row for item in TRADINGVIEW if item.cell is not None))
    texts = {(item.cell, item.side): _text(item, metrics[item.name]) for item in TRADINGVIEW}
    places = {(cell.row, cell.column, side): text for (cell, side), text in texts.items() if cell}
    return [
        [name, *(places.get((name, column, side), "") for side, column in COLUMNS)]
        for name in names
    ]


def _text(metric: Metric, value: float | None) -> str:
    if value is None:
        return ""
    shown = f"{shown_value(metric, value):.{metric.decimals}f}"
    return f"{shown} days" if metric.unit is Unit.DAYS else shown.removesuffix(".00")


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Export:
    return Export(tmp_path_factory.mktemp("export"))


def compare(
    capsys: pytest.CaptureFixture[str], export: Export, *flags: object
) -> tuple[int, str, str]:
    """Run parity on the export's report; the sheets follow --report as people type them."""
    capsys.readouterr()
    return printed(capsys, "parity", "--report", *export.sheets, "--bars", export.bars, *flags)


def test_the_report_of_a_list_is_that_of_its_trades(
    export: Export, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = compare(capsys, export, "--trades", export.trades, "--time-zone", "UTC")
    assert code == 0, out
    lines = out.splitlines()
    assert lines[0].split() == ["row", "side", "column", "listed", "ours", "verdict"]
    assert lines[-1] == f"{len(lines) - 2} of {len(lines) - 2} cells are equal"
    assert len(lines) > 130
    assert "not known" not in err


def test_the_report_of_a_strategy_is_that_of_its_run(
    export: Export, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = compare(capsys, export, *STRATEGY, *SIZE, "--json")
    answer = json.loads(out)
    assert (code, answer["equal"], answer["report"]["cells_different"]) == (0, True, 0)
    assert answer["report"]["cells_equal"] == len(answer["report"]["cells"]) > 130
    code, out, _ = compare(
        capsys, export, *STRATEGY, *SIZE, "--trades", export.trades, "--time-zone", "UTC"
    )
    assert code == 0
    assert " trades match\n" in out
    assert out.endswith(" cells are equal\n")


def test_a_workbook_holds_all_sheets_of_a_report(
    export: Export, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    book = openpyxl.Workbook()
    for path in export.sheets:
        sheet = book.create_sheet(path.stem)
        for line in path.read_text().splitlines():
            sheet.append([_number(text) for text in line.split(";")])
    book.save(tmp_path / "report.xlsx")
    capsys.readouterr()
    report = ("--report", tmp_path / "report.xlsx")
    code, out, _ = printed(capsys, "parity", *report, "--bars", export.bars, *STRATEGY, *SIZE)
    assert code == 0, out
    counts = out.splitlines()[-1].split()
    assert counts[0] == counts[2]
    assert int(counts[0]) > 130


def _number(text: str) -> str | float | None:
    try:
        return float(text)
    except ValueError:
        return text or None


def test_a_cell_that_differs_is_named_with_exit_code_1(
    export: Export, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    sheets = [tmp_path / sheet.name for sheet in export.sheets]
    for sheet, copy in zip(export.sheets, sheets, strict=True):
        copy.write_text(sheet.read_text())
    text = sheets[0].read_text()
    assert "Initial capital;10000;" in text
    sheets[0].write_text(text.replace("Initial capital;10000;", "Initial capital;10000.01;"))
    code, out, _ = printed(
        capsys, "parity", "--report", *sheets, "--bars", export.bars, *STRATEGY, *SIZE,
        "--json", "--out", tmp_path / "out",
    )  # fmt: skip  # one command
    answer = json.loads(out)
    different = [cell for cell in answer["report"]["cells"] if cell["verdict"] == "different"]
    assert (code, answer["equal"]) == (1, False)
    assert [(cell["metric"], cell["listed"], cell["ours"]) for cell in different] == [
        ("capital_quote", "10000.01", "10000.00")
    ]
    saved = json.loads((tmp_path / "out" / "result.json").read_text())
    assert saved["parity"] == answer


def test_a_price_inside_the_last_bar_leaves_buy_and_hold_unexplained(
    export: Export, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    last = export.bars.read_text().splitlines()[-1].split(",")
    first = export.bars.read_text().splitlines()[1].split(",")
    inside = (float(last[2]) + float(last[3])) / 2
    for factor, code_expected, counted in ((1.0, 0, "1 unexplained"), (1.5, 1, "1 different")):
        held = 10_000 * (factor * inside / float(first[1]) - 1)
        sheet = tmp_path / "sheet.csv"
        lines = [";".join(HEADINGS), f"Buy & hold return;{held:.2f};;;;;"]
        lines += ["Initial capital;10000;;;;;", "Margin calls;0;;0;;0;"]
        sheet.write_text("\n".join(lines) + "\n")
        capsys.readouterr()
        code, out, _ = printed(
            capsys, "parity", "--report", sheet, "--bars", export.bars, *STRATEGY, *SIZE
        )
        assert code == code_expected
        assert out.endswith(f"4 of 5 cells are equal, {counted}\n")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("Long USDT", "Long %"), "currency and percent of all"),
        (("Net profit;", "Net profit;many"), "found 'many"),
        (("Net profit;", "Gross profit;"), "one row of that name"),
        (("\n", "\nNew figure;1;;;;;\n"), "'New figure' of the report is not known"),
    ],
)
def test_a_sheet_that_cannot_be_read_is_refused(
    export: Export,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    change: tuple[str, str],
    says: str,
) -> None:
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(export.sheets[0].read_text().replace(*change, 1))
    capsys.readouterr()
    code, out, err = printed(
        capsys, "parity", "--report", sheet, "--bars", export.bars, *STRATEGY, *SIZE
    )
    assert says in err
    if "not known" in says:
        assert code == 0
    else:
        assert (code, out) == (2, "")
        assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ("", "--trades, --report or both"),
        ("--report SHEET", "--strategy, or --trades whose figures they are"),
        ("--trades LIST", "--strategy that makes them, or --report"),
        ("SHEET --trades LIST", "--report before the sheets"),
        ("--report LIST --trades LIST", "strategy report"),
        ("--report BARS --trades LIST", "strategy report"),
        ("--report absent.csv --trades LIST", "absent.csv"),
        ("--report SHEET --trades LIST --time-zone UTC --commission 0.1%", "--commission"),
        ("--report SHEET --trades LIST --time-zone UTC --until 2024-01-07", "a time with a bar"),
        ("--report SHEET --trades LIST --time-zone Asia/Tokyo", "another symbol or time zone"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_sentence(
    export: Export, capsys: pytest.CaptureFixture[str], flags: str, says: str
) -> None:
    places = {"SHEET": export.sheets[0], "LIST": export.trades, "BARS": export.bars}
    words = [str(places.get(word, word)) for word in flags.split()]
    capsys.readouterr()
    code, out, err = printed(capsys, "parity", "--bars", export.bars, *words)
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1
