"""Make trades of a table that has one row a trade, with English column names."""

from cluster.tv_cells import decimal_mark, parse_number, parse_time, plain_text
from cluster.tv_rows import SHOWN_FIELDS, ListedRows, decimals_of, mark_open, with_shown
from cluster.tv_table import Sheet
from cluster.tv_vocabulary import FLAT_COLUMNS
from engines.errors import TradeListFault
from engines.parity import ListedTrade, Shown
from engines.trades import Side

REQUIRED = ("side", "entry_time", "entry_price", "exit_time", "exit_price", "qty")
SIDES = {
    "long": Side.BUY,
    "buy": Side.BUY,
    "1": Side.BUY,
    "short": Side.SELL,
    "sell": Side.SELL,
    "-1": Side.SELL,
}


def _columns(header: tuple[str, ...]) -> dict[str, int]:
    names = [name.strip().casefold() for name in header]
    return {
        role: next(names.index(name) for name in candidates if name in names)
        for role, candidates in FLAT_COLUMNS.items()
        if any(name in names for name in candidates)
    }


def is_flat(header: tuple[str, ...]) -> bool:
    """Return whether a header names entry and exit side by side."""
    return all(role in _columns(header) for role in ("entry_time", "entry_price", "exit_time"))


def flat_trades(sheet: Sheet, source: str) -> ListedRows:
    """Return the trades of a table with one row a trade.

    Raises: TradeListFault naming the missing columns or the first row that cannot be read.
    """
    columns = _columns(sheet.header)
    missing = [role for role in REQUIRED if role not in columns]
    if missing:
        found = ", ".join(sheet.header)
        raise TradeListFault(f"columns of {source}", f"also {', '.join(missing)}", found)
    texts = {role: [plain_text(cell) for cell in sheet.column(i)] for role, i in columns.items()}
    mark = decimal_mark(text for column in texts.values() for text in column)
    offsets: set[bool] = set()
    has_clock = False
    trades = []
    for i in range(len(sheet.rows)):
        cells = {role: column[i] for role, column in texts.items()}
        where = f"row {i + 1} of {source}"
        times = {}
        for role in ("entry_time", "exit_time"):
            times[role], has_offset, clock = _time(cells[role], role, where)
            offsets.add(has_offset)
            has_clock |= clock
        if cells["side"].casefold() not in SIDES:
            raise TradeListFault(f"side in {where}", "long or short", repr(cells["side"]))
        trades.append(_trade(i, cells, times, mark, where))
    if len(offsets) > 1:
        raise TradeListFault(f"times of {source}", "all with or all without an offset", "both")
    shown = _shown_columns(texts, mark)
    filled = [
        with_shown(trade, {role: column[i] for role, column in shown.items()})
        for i, trade in enumerate(trades)
    ]
    return ListedRows(mark_open(filled), True in offsets, has_clock)


def _time(text: str, role: str, where: str) -> tuple[int, bool, bool]:
    if text.isdigit() and len(text) == 13:
        return int(text), True, True
    time = parse_time(text)
    if time is None:
        raise TradeListFault(f"{role} in {where}", "a time such as 2025-01-31T12:45Z", repr(text))
    return time.time_ms, time.has_offset, time.has_clock


def _number(text: str, role: str, mark: str, where: str) -> float:
    parsed = parse_number(text, mark)
    if parsed is None:
        raise TradeListFault(f"{role} in {where}", "a number", repr(text))
    return parsed[0]


def _trade(
    index: int, cells: dict[str, str], times: dict[str, int], mark: str, where: str
) -> ListedTrade:
    return ListedTrade(
        number=int(_number(cells["number"], "number", mark, where))
        if "number" in cells
        else index + 1,
        side=SIDES[cells["side"].casefold()],
        qty=abs(_number(cells["qty"], "qty", mark, where)),
        entry_time_ms=times["entry_time"],
        entry_price=_number(cells["entry_price"], "entry_price", mark, where),
        entry_name=cells.get("entry_name", ""),
        exit_time_ms=times["exit_time"],
        exit_price=_number(cells["exit_price"], "exit_price", mark, where),
        exit_name=cells.get("exit_name", ""),
    )


def _shown_columns(texts: dict[str, list[str]], mark: str) -> dict[str, list[Shown | None]]:
    """Return every column of money, percent or value that the table has, as shown."""
    columns: dict[str, list[Shown | None]] = {}
    for role in SHOWN_FIELDS:
        if role not in texts:
            continue
        decimals = decimals_of(texts[role], mark)
        parsed = [parse_number(text, mark) for text in texts[role]]
        extends = not role.endswith("_pct")
        columns[role] = [number and Shown(number[0], decimals, extends) for number in parsed]
    return columns
