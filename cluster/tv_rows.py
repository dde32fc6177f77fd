"""Make trades of the rows of a list that has two rows a trade.

Theory. Which row is the entry and which side it is on are read from the words of the type column.
Where the words are unknown, structure decides for each distinct type by majority: the entry is the
row that is not later than the other, and a trade is long if it gains when the price rises. Money
is kept as shown, with the decimals of its column: TradingView drops trailing zeros, so one cell
does not tell how far it was rounded.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cluster.tv_cells import Cell, has_word, parse_number, parse_time, plain_text
from cluster.tv_columns import Roles
from cluster.tv_table import Sheet
from cluster.tv_vocabulary import (
    ENTRY_WORDS,
    EXIT_WORDS,
    LONG_WORDS,
    OPEN_WORDS,
    SHORT_WORDS,
)
from engines.errors import TradeListFault
from engines.parity import ListedTrade, Shown
from engines.trades import Side

# Below this many whole results a column without decimals may be so by chance.
WHOLE_RESULTS_MIN = 10
MONEY_FIELDS = ("pnl", "mfe", "mae", "cumulative")
SHOWN_FIELDS = ("position_value", *(f + end for f in MONEY_FIELDS for end in ("", "_pct")))


@dataclass(frozen=True, slots=True)
class ListedRows:
    """Trades as read, wall-clock times counted as UTC where there is no offset."""

    trades: tuple[ListedTrade, ...]
    has_offset: bool
    has_clock: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Row:
    """One row's cells by role."""

    number: int
    kind: str
    time_ms: int
    has_offset: bool
    has_clock: bool
    name: str
    price: float
    qty: float
    texts: tuple[str, ...]


def paired_trades(sheet: Sheet, roles: Roles, source: str) -> ListedRows:
    """Return the trades of a sheet whose columns are known.

    Raises: TradeListFault naming the row that cannot be read.
    """
    rows = [_row(cells, roles, i + 1, source) for i, cells in enumerate(sheet.rows)]
    if len({row.has_offset for row in rows}) > 1:
        raise TradeListFault(f"times of {source}", "all with or all without an offset", "both")
    pairs = _pairs(rows)
    entry_kinds = _entry_kinds(pairs, source)
    sides = _sides(pairs, entry_kinds, roles, source)
    decimals = column_decimals(sheet, roles)
    trades = []
    for number in sorted(pairs):
        entry, leave = _split(pairs[number], entry_kinds, source)
        trades.append(_trade(entry, leave, sides[entry.kind], roles, decimals))
    return ListedRows(mark_open(trades), rows[0].has_offset, any(row.has_clock for row in rows))


def _row(cells: Sequence[Cell], roles: Roles, row_number: int, source: str) -> _Row:
    texts = tuple(plain_text(cell) for cell in cells)
    time = parse_time(cells[roles.time], roles.is_day_first)
    price = parse_number(texts[roles.price], roles.mark)
    qty = parse_number(texts[roles.qty], roles.mark)
    for name, found in (("time", time), ("price", price), ("quantity", qty)):
        if found is None:
            raise TradeListFault(f"{name} in row {row_number} of {source}", "a value", "nothing")
    assert time is not None and price is not None and qty is not None
    return _Row(
        number=int(texts[roles.number]),
        kind=texts[roles.type],
        time_ms=time.time_ms,
        has_offset=time.has_offset,
        has_clock=time.has_clock,
        name="" if roles.signal is None else _signal(cells[roles.signal]),
        price=price[0],
        qty=abs(qty[0]),
        texts=texts,
    )


def _signal(cell: Cell) -> str:
    """Return a signal's name as written: it is compared with ours to the letter."""
    return cell.strip() if isinstance(cell, str) else plain_text(cell)


def _pairs(rows: list[_Row]) -> dict[int, list[_Row]]:
    pairs: dict[int, list[_Row]] = {}
    for row in rows:
        pairs.setdefault(row.number, []).append(row)
    return pairs


def _entry_kinds(pairs: dict[int, list[_Row]], source: str) -> set[str]:
    """Return the texts of the type column that mean an entry."""
    kinds = {row.kind for rows in pairs.values() for row in rows}
    meaning = {kind: _meaning(kind, ENTRY_WORDS, EXIT_WORDS) for kind in kinds}
    if None not in meaning.values() and set(meaning.values()) == {True, False}:
        return {kind for kind, is_entry in meaning.items() if is_entry}
    earlier: Counter[str] = Counter()
    for first, second in (rows for rows in pairs.values() if len(rows) == 2):
        if first.time_ms != second.time_ms:
            early, late = sorted((first, second), key=lambda row: row.time_ms)
            earlier[early.kind] += 1
            earlier[late.kind] -= 1
    entries = {kind for kind in kinds if earlier[kind] > 0}
    if not entries or any(earlier[kind] == 0 for kind in kinds):
        found = ", ".join(repr(kind) for kind in sorted(kinds))
        raise TradeListFault(
            f"types of {source}", "words or times that tell entry from exit", found
        )
    return entries


def _meaning(kind: str, yes: tuple[str, ...], no: tuple[str, ...]) -> bool | None:
    """Return whether a text has a word of the first list only, None if of none or both."""
    has_yes, has_no = has_word(kind, yes), has_word(kind, no)
    return has_yes if has_yes != has_no else None


def _sides(
    pairs: dict[int, list[_Row]], entry_kinds: set[str], roles: Roles, source: str
) -> dict[str, Side]:
    """Return the side of each type of entry: by its words, else by how its trades gain."""
    sides: dict[str, Side] = {}
    for kind in entry_kinds:
        is_long = _meaning(kind, LONG_WORDS, SHORT_WORDS)
        if is_long is None:
            votes = sum(_side_vote(rows, roles) for rows in pairs.values() if _has(rows, kind))
            if votes == 0:
                raise TradeListFault(f"type of {source}", "a word for long or short", repr(kind))
            is_long = votes > 0
        sides[kind] = Side.BUY if is_long else Side.SELL
    if len(sides) == 2 and len(set(sides.values())) == 1:
        raise TradeListFault(f"types of {source}", "one long and one short", ", ".join(sides))
    return sides


def _has(rows: list[_Row], kind: str) -> bool:
    return any(row.kind == kind for row in rows)


def _side_vote(rows: list[_Row], roles: Roles) -> int:
    """Return +1 if a trade gained with a rising price or lost with a falling one, else -1."""
    if len(rows) != 2 or "pnl" not in roles.money:
        return 0
    entry, leave = sorted(rows, key=lambda row: row.time_ms)
    if entry.time_ms == leave.time_ms:
        return 0
    pnl = _number(rows, roles.money["pnl"], roles.mark) or 0.0
    move = (leave.price - entry.price) * pnl
    return (move > 0) - (move < 0)


def _number(rows: Sequence[_Row], index: int, mark: str) -> float | None:
    """Return the number of a column from whichever row of the trade shows it."""
    for row in rows:
        parsed = parse_number(row.texts[index], mark)
        if parsed is not None:
            return parsed[0]
    return None


def _split(rows: list[_Row], entry_kinds: set[str], source: str) -> tuple[_Row, _Row | None]:
    """Return the entry row and the exit row of one trade."""
    entries = [row for row in rows if row.kind in entry_kinds]
    exits = [row for row in rows if row.kind not in entry_kinds]
    if len(entries) != 1 or len(exits) > 1:
        found = " and ".join(repr(row.kind) for row in rows)
        raise TradeListFault(f"trade {rows[0].number} of {source}", "an entry and an exit", found)
    if exits and exits[0].time_ms < entries[0].time_ms:
        raise TradeListFault(
            f"trade {rows[0].number} of {source}", "an exit after its entry", "one before it"
        )
    return entries[0], exits[0] if exits else None


def _trade(
    entry: _Row, leave: _Row | None, side: Side, roles: Roles, decimals: dict[int, int]
) -> ListedTrade:
    # The exit row first: an old list leaves the entry row's results empty or shows them later.
    rows = (entry,) if leave is None else (leave, entry)
    shown: dict[str, Shown | None] = {}
    for name in MONEY_FIELDS:
        shown[name] = _shown(rows, roles.money.get(name), roles.mark, decimals, True)
        shown[f"{name}_pct"] = _shown(rows, roles.percent.get(name), roles.mark, decimals, False)
    shown["position_value"] = _shown(rows, roles.value, roles.mark, decimals, True)
    trade = ListedTrade(
        number=entry.number,
        side=side,
        qty=entry.qty,
        entry_time_ms=entry.time_ms,
        entry_price=entry.price,
        entry_name=entry.name,
        exit_time_ms=None if leave is None else leave.time_ms,
        exit_price=None if leave is None else leave.price,
        exit_name="" if leave is None else leave.name,
    )
    return with_shown(trade, shown)


def with_shown(trade: ListedTrade, shown: Mapping[str, Shown | None]) -> ListedTrade:
    """Return the trade with its money, percentages and value by field name."""
    return replace(
        trade,
        position_value=shown.get("position_value"),
        pnl=shown.get("pnl"),
        pnl_pct=shown.get("pnl_pct"),
        mfe=shown.get("mfe"),
        mfe_pct=shown.get("mfe_pct"),
        mae=shown.get("mae"),
        mae_pct=shown.get("mae_pct"),
        cumulative=shown.get("cumulative"),
        cumulative_pct=shown.get("cumulative_pct"),
    )


def _shown(
    rows: Sequence[_Row], index: int | None, mark: str, decimals: dict[int, int], extends: bool
) -> Shown | None:
    value = None if index is None else _number(rows, index, mark)
    return None if value is None or index is None else Shown(value, decimals[index], extends)


def column_decimals(sheet: Sheet, roles: Roles) -> dict[int, int]:
    """Return how many decimals each column of money, percent or value is rounded to."""
    columns = [*roles.money.values(), *roles.percent.values()]
    columns += [] if roles.value is None else [roles.value]
    return {
        i: decimals_of([plain_text(cell) for cell in sheet.column(i)], roles.mark) for i in columns
    }


def decimals_of(texts: Sequence[str], mark: str) -> int:
    """Return how many decimals a column is rounded to, at least two unless all of it is whole.

    A small result with one significant digit tells nothing: it is shown with more decimals so
    that it does not show as zero.
    """
    parsed = [number for text in set(texts) if (number := parse_number(text, mark)) is not None]
    whole = {value for value, decimals in parsed if decimals == 0 and value != 0}
    if len(whole) >= WHOLE_RESULTS_MIN and all(value.is_integer() for value, _ in parsed):
        return 0
    most = 2
    for value, _ in parsed:
        # Float noise such as -79.99950000000001 is cut off before digits are counted.
        digits = f"{value:.12g}"
        mantissa = digits.partition("e")[0].replace(".", "").lstrip("-0").rstrip("0")
        exact = parse_number(digits, ".")
        if exact is not None and len(mantissa) > 1:
            most = max(most, exact[1])
    return most


def mark_open(trades: Sequence[ListedTrade]) -> tuple[ListedTrade, ...]:
    """Return the trades with the last ones marked that are still open.

    An exit may be named "Open" or nothing for its own reasons; only at the end of the list, and
    all at one time, does it mean a position still open.
    """
    marked = list(trades)
    last_ms = max((t.exit_time_ms for t in trades if t.exit_time_ms is not None), default=None)
    for i in reversed(range(len(marked))):
        trade = marked[i]
        name_is_open = trade.exit_name.strip().casefold() in OPEN_WORDS
        if not name_is_open or trade.exit_time_ms not in (None, last_ms):
            break
        marked[i] = replace(trade, is_open=True)
    return tuple(marked)
