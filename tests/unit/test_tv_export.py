"""TradingView's list of trades in every language and shape, and tables with a row a trade."""

# ruff: noqa: RUF001 (letters of other alphabets that resemble Latin ones are meant)

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.tv_cells import decimal_mark, parse_number, plain_text
from cluster.tv_export import read_trade_list
from engines.errors import TradeListFault
from engines.parity import ListedTrade
from engines.trades import Side

NEW_HEADER = (
    *("Trade #", "Type", "Date and time", "Signal", "Price USDT", "Size (qty)", "Size (value)"),
    *("Net P&L USDT", "Net P&L %", "Favorable excursion USDT", "Favorable excursion %"),
    *("Adverse excursion USDT", "Adverse excursion %", "Cumulative P&L USDT", "Cumulative P&L %"),
)
OLD_HEADER = (
    *("Trade #", "Type", "Signal", "Date/Time", "Price USDT", "Contracts", "Profit USDT"),
    *("Profit %", "Cum. Profit USDT", "Cum. Profit %", "Run-up USDT", "Run-up %"),
    *("Drawdown USDT", "Drawdown %"),
)
# Three trades: number, side, entry and exit (time, name, price), qty, and money columns.
TRADES = (
    (1, "long", ("2025-01-08 02:00", "In", 100.5), ("2025-01-08 05:00", "Out", 101.0), 2.5, 1.25),
    (2, "short", ("2025-01-08 05:00", "Dn", 101.0), ("2025-01-09 00:00", "Up", 102.5), 2.0, -3.0),
    (3, "long", ("2025-01-09 00:00", "In", 102.5), ("2025-01-09 03:00", "Open", 104.5), 1.0, 2.0),
)
WORDS = {
    "English": ("Entry long", "Exit long", "Entry short", "Exit short"),
    "Russian": (
        *("Вход в длинную позицию", "Выход из длинной позиции"),
        *("Вход в короткую позицию", "Выход из короткой позиции"),
    ),
    "German": ("Long-Einstieg", "Long-Ausstieg", "Short-Einstieg", "Short-Ausstieg"),
    "French": ("Entrée longue", "Sortie longue", "Entrée courte", "Sortie courte"),
    "Spanish": ("Entrada en largo", "Salida en largo", "Entrada en corto", "Salida en corto"),
    "Italian": ("Entrata long", "Uscita long", "Entrata short", "Uscita short"),
    "Portuguese": ("Entrada comprada", "Saída comprada", "Entrada vendida", "Saída vendida"),
    "Polish": ("Wejście długie", "Wyjście długie", "Wejście krótkie", "Wyjście krótkie"),
    "Turkish": ("Uzun Giriş", "Uzun Çıkış", "Kısa Giriş", "Kısa Çıkış"),
    "Japanese": (
        *("ロングエントリー", "ロングエグジット"),
        *("ショートエントリー", "ショートエグジット"),
    ),
    "Korean": ("롱 진입", "롱 청산", "숏 진입", "숏 청산"),
    "Chinese": ("多头进场", "多头出场", "空头进场", "空头出场"),
    "Taiwanese": ("多頭進場", "多頭出場", "空頭進場", "空頭出場"),
    "Arabic": ("دخول طويل", "خروج طويل", "دخول قصير", "خروج قصير"),
    "Hebrew": ("כניסה ללונג", "יציאה מלונג", "כניסה לשורט", "יציאה משורט"),
    "Vietnamese": ("Vào lệnh mua", "Thoát lệnh mua", "Vào lệnh bán", "Thoát lệnh bán"),
    "Thai": ("เข้าซื้อ", "ออกจากการซื้อ", "เข้าขาย", "ออกจากการขาย"),
    "Indonesian": ("Entri beli", "Keluar beli", "Entri jual", "Keluar jual"),
    "Malay": ("Masuk panjang", "Keluar panjang", "Masuk pendek", "Keluar pendek"),
    # No language at all: the structure alone has to tell.
    "unknown": ("qqq", "www", "zzz", "yyy"),
}


def number(value: float, mark: str = ".") -> str:
    return f"{value:.10g}".replace(".", mark)


def new_rows(
    words: Sequence[str] = WORDS["English"], mark: str = ".", exit_first: bool = False
) -> list[list[str]]:
    rows, total = [], 0.0
    for index, side, entry, leave, qty, pnl in TRADES:
        total += pnl
        value = entry[2] * qty
        money = (pnl, pnl / value * 100, max(pnl, 0.0) + 1, 0.5, min(pnl, 0.0) - 1.5, -0.75)
        tail = [number(round(x, 2), mark) for x in (*money, total, total / 100)]
        first = 0 if side == "long" else 2
        pair = []
        for word, (time, name, price) in ((words[first], entry), (words[first + 1], leave)):
            cells = [str(index), word, time, name, number(price, mark), number(qty, mark)]
            pair.append([*cells, number(value, mark), *tail])
        rows += pair[::-1] if exit_first else pair
    return rows


def old_rows() -> list[list[str]]:
    """The format before 2025: results on the exit row only, the cumulative one in the middle."""
    rows = []
    for new in new_rows():
        number_, word, time, name, price, qty, _, pnl, pct, up, up_pct, down, down_pct, *total = new
        results = [pnl, pct, *total, up, up_pct, down, down_pct]
        shown = results if word.startswith("Exit") else [""] * len(results)
        rows.append([number_, word, name, time, price, qty, *shown])
    return rows


def text_of(header: Sequence[str], rows: Iterable[Sequence[str]], delimiter: str = ",") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows([header, *rows])
    return out.getvalue()


def written(folder: Path, text: str) -> Path:
    path = folder / "list.csv"
    path.write_text("\ufeff" + text, encoding="utf-8")
    return path


def wall_ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def assert_is_list(trades: Sequence[ListedTrade]) -> None:
    assert len(trades) == len(TRADES)
    total = 0.0
    for found, (index, side, entry, leave, qty, pnl) in zip(trades, TRADES, strict=True):
        total += pnl
        assert (found.number, found.qty) == (index, qty)
        assert found.side is (Side.BUY if side == "long" else Side.SELL)
        assert (found.entry_price, found.entry_name) == (entry[2], entry[1])
        assert (found.exit_price, found.exit_name) == (leave[2], leave[1])
        assert found.entry_time_ms == wall_ms(entry[0])
        assert found.exit_time_ms == wall_ms(leave[0])
        assert found.is_open is (index == 3)
        assert found.pnl is not None
        assert found.pnl.value == pnl
        assert found.pnl_pct is not None
        assert found.pnl_pct.value == round(pnl / (entry[2] * qty) * 100, 2)
        assert found.mfe is not None
        assert found.mfe.value == max(pnl, 0.0) + 1
        assert found.mae is not None
        assert found.mae.value == min(pnl, 0.0) - 1.5
        assert found.cumulative is not None
        assert found.cumulative.value == total
        assert found.cumulative_pct is not None


def test_new_format_is_read(tmp_path: Path) -> None:
    found = read_trade_list(written(tmp_path, text_of(NEW_HEADER, new_rows())))
    assert_is_list(found.trades)
    assert found.time_zone is None
    assert found.trades[0].position_value is not None
    assert found.trades[0].position_value.value == 251.25


def test_old_format_is_read(tmp_path: Path) -> None:
    found = read_trade_list(written(tmp_path, text_of(OLD_HEADER, old_rows())))
    assert_is_list(found.trades)
    assert found.trades[0].position_value is None


@pytest.mark.parametrize("exit_first", [False, True])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_order_of_rows_and_separator_do_not_matter(
    tmp_path: Path, exit_first: bool, delimiter: str
) -> None:
    rows = new_rows(exit_first=exit_first)
    assert_is_list(read_trade_list(written(tmp_path, text_of(NEW_HEADER, rows, delimiter))).trades)
    assert_is_list(
        read_trade_list(written(tmp_path, text_of(NEW_HEADER, rows[::-1], delimiter))).trades
    )


@pytest.mark.parametrize("language", WORDS)
@pytest.mark.parametrize("mark", [".", ","])
def test_every_language_is_read_even_with_column_names_unknown(
    tmp_path: Path, language: str, mark: str
) -> None:
    header = [f"кол {i}{' %' if '%' in name else ''}" for i, name in enumerate(NEW_HEADER)]
    rows = new_rows(WORDS[language], mark)
    path = written(tmp_path, text_of(header, rows, ";" if mark == "," else ","))
    assert_is_list(read_trade_list(path).trades)


def test_spaces_minus_signs_and_currency_of_locales_are_read(tmp_path: Path) -> None:
    rows = new_rows(WORDS["Russian"], ",")
    for row in rows:
        row[6] = row[6].replace("251,25", "251,25 USDT")
        row[7:] = [cell.replace("-", "\u2212") + "\u202f" for cell in row[7:]]
        row[8] += "%"
    assert_is_list(read_trade_list(written(tmp_path, text_of(NEW_HEADER, rows, ";"))).trades)


@pytest.mark.parametrize("as_dates", [True, False])
def test_workbook_is_read_from_the_sheet_that_holds_trades(tmp_path: Path, as_dates: bool) -> None:
    book = openpyxl.Workbook()
    performance = book.active
    assert performance is not None
    performance.title = "Показатели"
    for row in (("", "All USDT", "All %", "Long USDT", "Long %"), ("Net profit", 1, 2, 3, 4)):
        performance.append(row)
    for title in ("Анализ", "Список сделок", "Свойства"):
        sheet = book.create_sheet(title)
        if title != "Список сделок":
            sheet.append(["name", "value"])
            continue
        sheet.append(NEW_HEADER)
        for row_text in new_rows(WORDS["Russian"]):
            cells: list[object] = [*row_text]
            cells[0] = int(row_text[0])
            cells[2] = datetime.fromisoformat(row_text[2]) if as_dates else row_text[2]
            cells[4:] = [float(cell) for cell in row_text[4:]]
            sheet.append(cells)
    path = tmp_path / "list.xlsx"
    book.save(path)
    assert_is_list(read_trade_list(path).trades)


def test_percent_cells_of_a_workbook_are_brought_to_percent(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(NEW_HEADER)
    for row_text in new_rows():
        numbers = [float(cell) for cell in row_text[4:]]
        for i in (4, 6, 8, 10):
            numbers[i] /= 100
        sheet.append([int(row_text[0]), *row_text[1:4], *numbers])
        for i in (9, 11, 13, 15):
            sheet.cell(sheet.max_row, i).number_format = "0.00%"
    path = tmp_path / "list.xlsx"
    book.save(path)
    assert_is_list(read_trade_list(path).trades)


def test_times_with_an_offset_become_utc(tmp_path: Path) -> None:
    rows = new_rows()
    for row in rows:
        row[2] = row[2].replace(" ", "T") + ":00-0500"
    found = read_trade_list(written(tmp_path, text_of(NEW_HEADER, rows)))
    assert found.time_zone == "UTC"
    assert found.trades[0].entry_time_ms == wall_ms("2025-01-08 07:00")


@pytest.mark.parametrize("zone", ["Europe/Moscow", "+03:00", "UTC+3"])
def test_given_zone_turns_wall_clock_into_utc(tmp_path: Path, zone: str) -> None:
    path = written(tmp_path, text_of(NEW_HEADER, new_rows()))
    found = read_trade_list(path, time_zone=zone)
    assert found.trades[0].entry_time_ms == wall_ms("2025-01-07 23:00")
    assert found.time_zone == zone


def test_unknown_zone_is_named(tmp_path: Path) -> None:
    with pytest.raises(TradeListFault, match="Mars/Olympus"):
        read_trade_list(
            written(tmp_path, text_of(NEW_HEADER, new_rows())), time_zone="Mars/Olympus"
        )


def test_open_in_the_middle_is_a_name_and_not_a_state(tmp_path: Path) -> None:
    rows = new_rows()
    rows[1][3] = "Open"
    found = read_trade_list(written(tmp_path, text_of(NEW_HEADER, rows)))
    assert [trade.is_open for trade in found.trades] == [False, False, True]


def test_entry_without_an_exit_is_an_open_trade(tmp_path: Path) -> None:
    found = read_trade_list(written(tmp_path, text_of(NEW_HEADER, new_rows()[:-1])))
    assert found.trades[-1].is_open
    assert found.trades[-1].exit_time_ms is None


def test_days_without_a_clock_are_read(tmp_path: Path) -> None:
    rows = new_rows()
    for row in rows:
        row[2] = row[2][:10]
    found = read_trade_list(written(tmp_path, text_of(NEW_HEADER, rows)))
    assert not found.has_clock
    assert found.trades[0].entry_time_ms == wall_ms("2025-01-08")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "an empty file"),
        ("hello", "no such table"),
        ("a,b,c,d,e\n", "no such table"),
        ("a,b,c,d,e\n1,2,3,4,5\n", "no column of trade numbers"),
        (text_of(NEW_HEADER[:4], [row[:4] for row in new_rows()]), "no such table"),
        (text_of(NEW_HEADER[:5], [row[:5] for row in new_rows()]), "price and quantity"),
        (text_of(NEW_HEADER, [[*row[:2], "x", *row[3:]] for row in new_rows()]), "column of times"),
        (text_of(NEW_HEADER, [[*row[:1], "x", *row[2:3], "y", *row[4:]] for row in new_rows()]),
         "says entry and exit"),
        (text_of(NEW_HEADER, [[*row, "1"] for row in new_rows()]), "expected 15 columns, found 16"),
    ],
)  # fmt: skip  # one case a line reads as a table
def test_each_wrong_list_has_its_sentence(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TradeListFault, match=expected) as caught:
        read_trade_list(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "raw", [b"\x00\x01" * 99, b"\xff\xd8" * 99, b"PK\x03\x04 no workbook", b"\xd0\xcf\x11\xe0 xls"]
)
def test_garbage_is_a_fault(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "list.xlsx"
    path.write_bytes(raw)
    with pytest.raises(TradeListFault):
        read_trade_list(path)
    with pytest.raises(TradeListFault, match="a directory"):
        read_trade_list(tmp_path)
    with pytest.raises(TradeListFault, match="no such file"):
        read_trade_list(tmp_path / "none.csv")


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_random_bytes_never_escape_as_another_exception(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    path = tmp_path_factory.mktemp("bytes") / "list.csv"
    path.write_bytes(b"Trade #,Type,Date,Signal,Price,Qty\n1,Entry long," + raw)
    with pytest.raises(TradeListFault):
        read_trade_list(path)


@pytest.mark.parametrize(
    ("texts", "mark"),
    [
        (["3257.92", "0.2998"], "."),
        (["3257,92", "0,2998"], ","),
        (["3 257,92", "-123,65"], ","),
        (["3,257.92", "1,000"], "."),
        (["3.257,92", "1.000"], ","),
        (["1,234,567", "12"], "."),
        (["0,001", "1,234"], ","),
        (["٣٢٥٧٫٩٢", "٠٫٥"], "."),
    ],
)
def test_decimal_mark_is_decided_by_all_numbers(texts: list[str], mark: str) -> None:
    assert decimal_mark(plain_text(text) for text in texts) == mark


@given(
    st.decimals(-(10**9), 10**9, places=5, allow_nan=False),
    st.sampled_from([".", ","]),
    st.sampled_from(["", "\u00a0", "\u202f", " "]),
    st.sampled_from(["-", "\u2212"]),
)
def test_numbers_survive_every_spelling(
    value: object, mark: str, separator: str, minus: str
) -> None:
    written_number = f"{value:,f}".replace(",", "_").replace(".", mark).replace("_", separator)
    text = plain_text(written_number.replace("-", minus))
    parsed = parse_number(text, mark)
    assert parsed == (float(str(value)), 5)
