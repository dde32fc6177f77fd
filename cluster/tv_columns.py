"""Find which column of a TradingView list holds what, by what the columns hold.

Theory. TradingView writes two rows a trade, entry and exit in either order, and names the columns
in the language of the page. What does not change is the shape: a trade number that stands on two
neighbouring rows; one column of times; a type whose two rows differ and that takes few values; the
signal, the other column of text; then numbers in a fixed order, price, quantity, (value), and
groups of money with its percentage beside it. The first group is the result; the cumulative one
is the one whose steps are the results, or says so; the others are the favourable and the adverse
excursion, in this order.
"""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from cluster.tv_cells import (
    day_first,
    decimal_mark,
    has_word,
    parse_number,
    parse_time,
    plain_text,
)
from cluster.tv_table import Sheet
from cluster.tv_vocabulary import CUMULATIVE_WORDS, ENTRY_WORDS, EXIT_WORDS, PERCENT_SIGNS
from engines.types import F64_1D

# Entry and exit, long and short make four types; a margin call or a liquidation may add some.
TYPES_MAX = 8


@dataclass(frozen=True, slots=True)
class Roles:
    """Index of the column of each role; money and percent by field name."""

    number: int
    type: int
    time: int
    signal: int | None
    price: int
    qty: int
    value: int | None
    mark: str
    is_day_first: bool | None
    money: dict[str, int] = field(default_factory=dict)
    percent: dict[str, int] = field(default_factory=dict)


def find_roles(sheet: Sheet) -> Roles | str:
    """Return the roles of a sheet's columns, or what it lacks to be a list of trades."""
    texts = [[plain_text(cell) for cell in sheet.column(i)] for i in range(len(sheet.header))]
    mark = decimal_mark(text for column in texts for text in column)
    is_day_first = day_first(text for column in texts for text in column)
    number = next((i for i, column in enumerate(texts) if _is_pair_number(column)), None)
    if number is None:
        return "a column of trade numbers that stand on two neighbouring rows"
    rest = [i for i in range(len(texts)) if i != number]
    time = next((i for i in rest if _is_time(sheet, i, is_day_first)), None)
    if time is None:
        return "a column of times"
    rest.remove(time)
    numeric = [i for i in rest if _is_numeric(texts[i], mark)]
    worded = [i for i in rest if i not in numeric and any(texts[i])]
    kind = _type_column(worded, texts, texts[number])
    if kind is None:
        return "a column that says entry and exit"
    if len(numeric) < 2:
        return "columns of price and quantity"
    price = _price_column(numeric, texts, texts[number])
    numeric = [i for i in numeric if i > price] or [i for i in numeric if i != price]
    if not numeric:
        return "a column of quantity"
    qty, after = numeric[0], numeric[1:]
    value, groups = _group(sheet.header, after)
    roles = Roles(
        number,
        kind,
        time,
        next((i for i in worded if i != kind), None),
        price,
        qty,
        value,
        mark,
        is_day_first,
    )
    _assign_money(roles, groups, sheet.header, texts)
    return roles


def _is_pair_number(column: list[str]) -> bool:
    """Return whether whole numbers stand on two neighbouring rows each, none coming back."""
    if not all(text.isdigit() for text in column):
        return False
    runs = [1]
    for before, text in pairwise(column):
        if text == before:
            runs[-1] += 1
        else:
            runs.append(1)
    # A trade still open may have an entry row only.
    return (
        len(runs) == len(set(column))
        and max(runs) == 2
        and sum(run == 2 for run in runs) >= len(runs) - 2
    )


def _is_time(sheet: Sheet, index: int, is_day_first: bool | None) -> bool:
    cells = [cell for cell in sheet.column(index) if cell is not None]
    return bool(cells) and all(parse_time(cell, is_day_first) is not None for cell in cells)


def _is_numeric(column: list[str], mark: str) -> bool:
    filled = [text for text in column if text not in ("", "—", "-", "N/A", "NaN")]
    return bool(filled) and all(parse_number(text, mark) is not None for text in filled)


def _pairs(numbers: list[str]) -> list[tuple[int, int]]:
    """Return the rows of every trade that has two."""
    return [(i, i + 1) for i in range(len(numbers) - 1) if numbers[i] == numbers[i + 1]]


def _type_column(worded: list[int], texts: list[list[str]], numbers: list[str]) -> int | None:
    """Return the text column whose two rows differ in every trade and that has few values."""
    pairs = _pairs(numbers)
    fitting = [
        i
        for i in worded
        if len(set(texts[i])) <= TYPES_MAX and all(texts[i][a] != texts[i][b] for a, b in pairs)
    ]
    known = [i for i in fitting if all(_is_type_word(text) for text in set(texts[i]))]
    # The type stands before the signal in every format.
    return next(iter(known or fitting), None)


def _is_type_word(text: str) -> bool:
    return has_word(text, ENTRY_WORDS) != has_word(text, EXIT_WORDS)


def _price_column(numeric: list[int], texts: list[list[str]], numbers: list[str]) -> int:
    """Return the first column whose two rows differ; quantities and results are written twice."""
    pairs = _pairs(numbers)
    filled = [i for i in numeric if all(texts[i])]
    for i in filled:
        if any(texts[i][a] != texts[i][b] for a, b in pairs):
            return i
    return (filled or numeric)[0]


def _group(
    header: tuple[str, ...], columns: list[int]
) -> tuple[int | None, list[tuple[int, int | None]]]:
    """Return the column of value, if there, and (money, percent) pairs in the order of the file.

    The value is the column that stands before the result and has no percentage beside it.
    """
    groups: list[tuple[int, int | None]] = []
    for i in columns:
        is_percent = any(sign in header[i] for sign in PERCENT_SIGNS)
        if is_percent and groups and groups[-1][1] is None:
            groups[-1] = (groups[-1][0], i)
        elif not is_percent:
            groups.append((i, None))
    has_value = len(groups) > 1 and groups[0][1] is None and groups[1][1] is not None
    return (groups[0][0], groups[1:]) if has_value else (None, groups)


def _assign_money(
    roles: Roles,
    groups: list[tuple[int, int | None]],
    header: tuple[str, ...],
    texts: list[list[str]],
) -> None:
    """Fill `roles.money` and `roles.percent` from the groups of money columns."""
    if not groups:
        return
    assigned = {"pnl": groups[0]}
    rest = groups[1:]
    named = [group for group in rest if has_word(header[group[0]], CUMULATIVE_WORDS)]
    if len(named) != 1 and len(rest) in (1, 3):
        numbers = texts[roles.number]
        pnl = _per_trade(texts[groups[0][0]], numbers, roles.mark)
        named = [min(rest, key=lambda g: _step_error(pnl, texts[g[0]], numbers, roles.mark))]
    if len(named) == 1:
        assigned["cumulative"] = named[0]
        rest = [group for group in rest if group != named[0]]
    if len(rest) >= 2:
        assigned["mfe"], assigned["mae"] = rest[0], rest[1]
    for name, (money, percent) in assigned.items():
        roles.money[name] = money
        if percent is not None:
            roles.percent[name] = percent


def _per_trade(column: list[str], numbers: list[str], mark: str) -> F64_1D:
    """Return a column's value of each trade [K], NaN where no row of the trade has one."""
    values: dict[str, float] = {}
    for number, text in zip(numbers, column, strict=True):
        parsed = parse_number(text, mark)
        if parsed is not None or number not in values:
            values[number] = np.nan if parsed is None else parsed[0]
    ordered = sorted(values, key=int)
    return np.array([values[number] for number in ordered])


def _step_error(pnl: F64_1D, column: list[str], numbers: list[str], mark: str) -> float:
    """Return how far a column's steps are from the results, on average."""
    total = _per_trade(column, numbers, mark)
    error = np.abs(np.diff(total, prepend=0.0) - pnl)
    return float(np.nanmean(error)) if np.isfinite(error).any() else np.inf
