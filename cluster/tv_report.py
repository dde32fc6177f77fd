"""Read TradingView's strategy report: the sheets of figures beside the list of trades.

The export has three: performance, trade statistics and risk ratios, as CSV files or as sheets of a
workbook. Each has a row a figure and six columns, currency and percent of all, long and short
trades. Columns are found by their headings' words, rows by their names in English or Russian; a row
of another name is reported, not guessed at.
"""

# ruff: noqa: RUF001 (letters of other alphabets that resemble Latin ones are meant)

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.tv_cells import decimal_mark, has_word, number_text, parse_number, plain_text
from cluster.tv_table import Sheet, read_sheets
from cluster.tv_vocabulary import LONG_WORDS, PERCENT_SIGNS, SHORT_WORDS
from engines.errors import TradeListFault
from engines.metrics.table import TRADINGVIEW, Column, TradeSide
from engines.report_parity import ListedCell

MARGIN_CALL_WORDS = ("margin call", "маржин")
ROWS_MIN = 3  # a report sheet has at least the four risk ratios; fewer known names are chance
COLUMNS = tuple((side, column) for side in TradeSide for column in Column)
EXPECTED = "a sheet of TradingView's strategy report (currency and percent of all, long, short)"

# TradingView's other names of the rows of the table, by their names there.
ROW_NAMES: dict[str, tuple[str, ...]] = {
    "Initial capital": ("Исходный капитал", "Начальный капитал"),
    "Open P&L": ("Нереализовання ПР/УБ", "Нереализованная ПР/УБ", "Open PL"),
    "Net profit": ("Чистая прибыль", "Чистые ПР/УБ", "Net P&L", "Total P&L"),
    "Gross profit": ("Валовая прибыль",),
    "Gross loss": ("Валовый убыток",),
    "Expected payoff": ("Ожидаемая прибыль", "Expectancy"),
    "Commission paid": ("Выплаченная комиссия",),
    "Buy & hold return": ("Прибыль от покупки и удержания",),
    "Buy & hold % gain": ("Прибыль в % при покупке и удержании",),
    "Strategy outperformance": ("Опережающая динамика стратегии",),
    "Max contracts held": ("Макс. кол-во контрактов в позиции",),
    "Annualized return (CAGR)": ("Годовая доходность (СГТР)", "CAGR"),
    "Return on initial capital": ("Доходность на исходный капитал",),
    "Account size required": ("Необходимый размер счёта",),
    "Return on account size required": ("Требуемая доходность от размера счёта",),
    "Avg margin used": ("Сред. использованная маржа",),
    "Max margin used": ("Максимальная использованная маржа",),
    "Margin efficiency": ("Эффективность использования маржи",),
    "Avg equity run-up duration (close-to-close)": (
        "Сред. продолжительность роста капитала (от закрытия до закрытия)",
    ),
    "Avg equity run-up (close-to-close)": ("Сред. рост капитала (от закрытия до закрытия)",),
    "Max equity run-up (close-to-close)": ("Макс. рост капитала (от закрытия до закрытия)",),
    "Max equity run-up (intrabar)": ("Макс. рост капитала (внутри бара)", "Max equity run-up"),
    "Max equity run-up as % of initial capital (intrabar)": (
        "Макс. рост капитала в % от начального (внутри бара)",
    ),
    "Avg equity drawdown duration (close-to-close)": (
        "Сред. продолжительность просадки капитала (от закрытия до закрытия)",
    ),
    "Avg equity drawdown (close-to-close)": ("Сред. просадка капитала (от закрытия до закрытия)",),
    "Return on max drawdown": (
        "Доходность на макс. просадку капитала",
        "Return on max equity drawdown",
        "Return of max equity drawdown",
    ),
    "Max equity drawdown (close-to-close)": ("Макс. просадка капитала (от закрытия до закрытия)",),
    "Max equity drawdown (intrabar)": (
        "Макс. просадка капитала (внутри бара)",
        "Max equity drawdown",
    ),
    "Max equity drawdown as % of initial capital (intrabar)": (
        "Макс. просадка капитала в % от начального (внутри бара)",
    ),
    "Net profit as % of largest loss": (
        "Чистая прибыль в % от наибольшего убытка",
        "Net P&L as % of largest loss",
    ),
    "Largest winning trade as % of gross profit": (
        "Самая крупная прибыльная сделка в % от валовой прибыли",
        "Largest winner as % of gross profit",
    ),
    "Largest losing trade as % of gross loss": (
        "Самая крупная убыточная сделка в % от валового убытка",
        "Largest loser as % of gross loss",
    ),
    "Total open trades": ("Всего открытых сделок",),
    "Total trades": ("Всего сделок", "Total closed trades"),
    "Winning trades": ("Прибыльные сделки", "Number winning trades"),
    "Losing trades": ("Убыточные сделки", "Number losing trades"),
    "Breakeven trades": ("Сделки в безубыток", "Break even trades"),
    "Percent profitable": ("Процент прибыльных",),
    "Avg P&L": ("Средние ПР/УБ", "Avg trade"),
    "Avg winning trade": ("Средняя прибыль по сделке",),
    "Avg losing trade": ("Средний убыток по сделке",),
    "Ratio avg win / avg loss": ("Коэф. средней прибыли / среднего убытка",),
    "Largest winning trade": ("Самая прибыльная сделка",),
    "Largest winning trade percent": ("Самая прибыльная сделка, процент",),
    "Largest losing trade": ("Самая убыточная сделка",),
    "Largest losing trade percent": ("Самая убыточная сделка, процент",),
    "Avg # bars in trades": ("Среднее # баров в позиции",),
    "Avg # bars in winning trades": ("Среднее # баров в прибыльной позиции",),
    "Avg # bars in losing trades": ("Среднее # баров в убыточной позиции",),
    "Sharpe ratio": ("Коэффициент Шарпа",),
    "Sortino ratio": ("Коэффициент Сортино",),
    "Profit factor": ("Фактор прибыли", "Коэффициент прибыли"),
    "Margin calls": ("Маржин коллы", "Маржин-коллы"),
}


@dataclass(frozen=True, slots=True)
class ListedReport:
    """The filled cells of a report, and the names of filled rows that the table does not know."""

    cells: tuple[ListedCell, ...]
    unknown_rows: tuple[str, ...]


def read_report(paths: Sequence[Path]) -> ListedReport:
    """Read the sheets of a report from CSV or XLSX files.

    Raises: TradeListFault for a file that is no report, a cell that is no number, or two cells of
    one place.
    """
    names = _row_names()
    cells: dict[tuple[str, TradeSide, Column], ListedCell] = {}
    unknown: list[str] = []
    for path in paths:
        sheets = [sheet for sheet in read_sheets(path) if _known(sheet, names) >= ROWS_MIN]
        if not sheets:
            raise TradeListFault(str(path), EXPECTED, "no rows of its names")
        for sheet in sheets:
            for cell in _cells(sheet, names, str(path), unknown):
                place = (cell.row, cell.side, cell.column)
                if place in cells:
                    found = f"another one, {cell.text} beside {cells[place].text}"
                    raise TradeListFault(f"{cell.row} in {path}", "one row of that name", found)
                cells[place] = cell
    return ListedReport(tuple(cells.values()), tuple(unknown))


def _row_names() -> dict[str, str]:
    """Return our row by every name that it is known under, in the form of `_key`."""
    rows = {item.cell.row for item in TRADINGVIEW if item.cell is not None}
    assert rows == ROW_NAMES.keys()
    return {_key(name): row for row, others in ROW_NAMES.items() for name in (row, *others)}


def _key(name: str) -> str:
    """Return a name without what changes between exports: case, spaces, marks."""
    return re.sub(r"[^\w%#&]+", " ", name.casefold().replace("ё", "е")).strip()


def _known(sheet: Sheet, names: dict[str, str]) -> int:
    return sum(_key(plain_text(row[0])) in names for row in sheet.rows)


def _columns(sheet: Sheet, source: str) -> list[tuple[TradeSide, Column]]:
    """Return what each column after the first holds.

    Raises: TradeListFault unless they are the six of a report.
    """
    found = []
    for heading in sheet.header[1:]:
        is_long, is_short = has_word(heading, LONG_WORDS), has_word(heading, SHORT_WORDS)
        side = TradeSide.LONG if is_long else TradeSide.SHORT if is_short else TradeSide.ALL
        is_percent = any(sign in heading for sign in PERCENT_SIGNS)
        found.append((side, Column.PERCENT if is_percent else Column.CURRENCY))
    if sorted(found) != sorted(COLUMNS):
        headings = ", ".join(repr(heading) for heading in sheet.header[1:])
        raise TradeListFault(
            f"columns of {source}",
            "currency and percent of all, long and short trades, once each",
            headings or "none",
        )
    return found


def _cells(
    sheet: Sheet, names: dict[str, str], source: str, unknown: list[str]
) -> list[ListedCell]:
    columns = _columns(sheet, source)
    texts = [[plain_text(cell) for cell in row] for row in sheet.rows]
    mark = decimal_mark(text for row in texts for text in row[1:])
    cells = []
    for row in texts:
        filled = [(place, text) for place, text in zip(columns, row[1:], strict=True) if text]
        name = names.get(_key(row[0]))
        if name is None:
            unknown += [row[0]] if filled else []
            continue
        for (side, column), text in filled:
            # A duration carries its unit: 48 days.
            number = text if number_text(text) else text.split(" ")[0]
            parsed = parse_number(number, mark)
            if parsed is None:
                raise TradeListFault(f"{row[0]} in {source}", "a number", repr(text))
            cells.append(ListedCell(name, side, column, text, *parsed))
    return cells
