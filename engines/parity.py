"""Compare trades from elsewhere, as a list shows them, with ours.

Theory. A list shows rounded money, so ours must round to what is shown, under the lister's rule.
TradingView's rule, found on 5,527 results of its own lists without one exception: a result is
shown with two decimals, rounded half up (towards plus infinity, as JavaScript's Math.round does);
if that shows zero, with the fewest decimals that show something else; trailing zeros are dropped.
Percentages have two decimals and show zero as zero. An exact half may fall either way here, as the
double behind it lies on either side.

Trades are aligned by order. Times, sides, prices, quantities and names are compared exactly, and
money to the last digit shown, or within a tolerance where a list is kept in another currency. What
most probably made the first difference is told by `CAUSES`, asked in order.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from engines.klines import MINUTE_MS, time_text
from engines.trades import Side, Trade

DECIMALS_MAX = 10
# Prices and quantities are printed decimals: equal up to the noise of one product of doubles.
EXACT_RATIO = 1e-9
TIE_NOISE = 1e-9


@dataclass(frozen=True, slots=True)
class Shown:
    """A rounded number of a list: `decimals` of its column, more if it `extends` past a zero."""

    value: float
    decimals: int = 2
    extends: bool = True

    def admits(self, exact: float) -> bool:
        """Return whether `exact` is shown as this value."""
        last = DECIMALS_MAX if self.extends else self.decimals
        for decimals in range(self.decimals, max(last, self.decimals) + 1):
            scale = 10.0**decimals
            candidates = _half_up(exact * scale)
            for candidate in candidates:
                if candidate == 0 and decimals < last:
                    continue
                if math.isclose(candidate / scale, self.value, rel_tol=1e-9, abs_tol=1e-6 / scale):
                    return True
            if 0 not in candidates:
                return False
        return False


def _half_up(scaled: float) -> set[int]:
    """Return the whole numbers a value may round to: two of them at an exact half."""
    rounded = math.floor(scaled + 0.5)
    distance = abs(scaled - math.floor(scaled) - 0.5)
    if distance <= TIE_NOISE * max(1.0, abs(scaled)):
        return {math.floor(scaled), math.floor(scaled) + 1}
    return {rounded}


@dataclass(frozen=True, slots=True)
class ListedTrade:
    """One trade as a list shows it; what the list does not show is None.

    Times are UTC milliseconds, except in a list whose zone is still to be found. A trade still
    open has `is_open`, and no exit at all where the list shows none.
    """

    number: int
    side: Side
    qty: float
    entry_time_ms: int
    entry_price: float
    entry_name: str
    exit_time_ms: int | None
    exit_price: float | None
    exit_name: str
    is_open: bool = False
    position_value: Shown | None = None
    pnl: Shown | None = None
    pnl_pct: Shown | None = None
    mfe: Shown | None = None
    mfe_pct: Shown | None = None
    mae: Shown | None = None
    mae_pct: Shown | None = None
    cumulative: Shown | None = None
    cumulative_pct: Shown | None = None


@dataclass(frozen=True, slots=True)
class MoneyTolerance:
    """How far money may differ: `ratio` of its size plus `absolute`."""

    ratio: float = 0.0025
    absolute: float = 0.01


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of one trade, as the list has it and as we have it."""

    number: int
    field: str
    listed: str
    ours: str


@dataclass(frozen=True, slots=True)
class ParityReport:
    """How many of the listed trades are ours in every field compared, and where they differ."""

    matched: int
    total: int
    total_ours: int
    differences: tuple[Difference, ...]
    first: str
    cause: str

    @property
    def is_equal(self) -> bool:
        """Return whether every trade matches and none is over on either side."""
        return not self.differences

    def text(self) -> str:
        """Return the result as lines to print: the count, and the first difference if any."""
        lines = [f"{self.matched} of {self.total} trades match"]
        if self.differences:
            lines += [self.first, f"likely cause: {self.cause}"]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Terms:
    """What is compared and how strictly; `name_map` maps our signal names to the list's.

    `compare_open` False leaves out the exit and the money of a trade still open, which a list
    values at the moment of its export. `capital_quote` is needed for the cumulative percentage
    and `tick_size` for naming the cause of prices that differ.
    """

    money: MoneyTolerance | None = None
    compare_excursions: bool = True
    compare_open: bool = True
    capital_quote: float | None = None
    tick_size: float | None = None
    name_map: Mapping[str, str] | None = None


def compare(
    listed: Sequence[ListedTrade], ours: Sequence[Trade], terms: Terms | None = None
) -> ParityReport:
    """Return where our trades differ from a list's, aligned by order."""
    terms = terms or Terms()
    gross = list(accumulate(abs(trade.pnl_quote) for trade in ours))
    differences: list[Difference] = []
    differing = 0
    for index in range(max(len(listed), len(ours))):
        if index >= len(ours):
            found = [Difference(listed[index].number, "trade", _listed_text(listed[index]), "none")]
        elif index >= len(listed):
            found = [Difference(index + 1, "trade", "none", _our_text(ours[index]))]
        else:
            found = [
                *_plain_differences(listed[index], ours[index], terms),
                *_money_differences(listed[index], ours[index], terms, gross[index]),
            ]
        differences += found
        differing += bool(found) and index < len(listed)
    first, cause = _explain(listed, ours, differences, terms)
    return ParityReport(
        len(listed) - differing, len(listed), len(ours), tuple(differences), first, cause
    )


def _plain_differences(listed: ListedTrade, ours: Trade, terms: Terms) -> Iterator[Difference]:
    """Yield the differences in what is compared exactly."""
    names = terms.name_map or {}
    pairs: list[tuple[str, object, object]] = [
        ("side", listed.side, ours.side),
        ("entry_time", listed.entry_time_ms, ours.entry_time_ms),
        ("entry_price", listed.entry_price, ours.entry_price),
        ("qty", listed.qty, ours.qty),
        ("entry_name", listed.entry_name, names.get(ours.entry_name, ours.entry_name)),
        ("is_open", listed.is_open, ours.is_open),
    ]
    if not (listed.is_open and ours.is_open):
        pairs.append(("exit_time", listed.exit_time_ms, ours.exit_time_ms))
        pairs.append(("exit_name", listed.exit_name, names.get(ours.exit_name, ours.exit_name)))
    if terms.compare_open or not listed.is_open:
        pairs.append(("exit_price", listed.exit_price, ours.exit_price))
    for field, theirs, mine in pairs:
        if not _is_same(theirs, mine):
            yield Difference(listed.number, field, _text(field, theirs), _text(field, mine))


def _is_same(theirs: object, mine: object) -> bool:
    if theirs is None:
        return True
    if isinstance(theirs, float) and isinstance(mine, float | int):
        return math.isclose(theirs, mine, rel_tol=EXACT_RATIO)
    return theirs == mine


def _text(field: str, value: object) -> str:
    if field.endswith("_time") and isinstance(value, int):
        return time_text(value)
    if isinstance(value, Side):
        return "long" if value.is_long else "short"
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _money_differences(
    listed: ListedTrade, ours: Trade, terms: Terms, gross: float
) -> Iterator[Difference]:
    """Yield the differences in money, percentages and excursions.

    A cumulative result adds up the deviations of all results before it, so its tolerance is taken
    of `gross`, the sum of their sizes.
    """
    if listed.is_open and not terms.compare_open:
        return
    capital = terms.capital_quote
    exact: list[tuple[str, Shown | None, float, float]] = [
        ("position_value", listed.position_value, ours.entry_price * ours.qty, 0.0),
        ("pnl", listed.pnl, ours.pnl_quote, 0.0),
        ("pnl_pct", listed.pnl_pct, ours.pnl_ratio * 100, 0.0),
        ("cumulative", listed.cumulative, ours.cumulative_quote, gross),
    ]
    if capital is not None:
        percent = ours.cumulative_quote / capital * 100
        exact.append(("cumulative_pct", listed.cumulative_pct, percent, gross / capital * 100))
    if terms.compare_excursions:
        # A list shows the adverse excursion below zero or above it; ours is a size.
        exact += [
            ("mfe", listed.mfe, ours.mfe_quote, 0.0),
            ("mfe_pct", listed.mfe_pct, ours.mfe_ratio * 100, 0.0),
            ("mae", _size(listed.mae), abs(ours.mae_quote), 0.0),
            ("mae_pct", _size(listed.mae_pct), abs(ours.mae_ratio) * 100, 0.0),
        ]
    for field, shown, mine, base in exact:
        if shown is not None and not _is_shown(shown, mine, base, terms.money):
            yield Difference(listed.number, field, f"{shown.value:.12g}", f"{mine:.12g}")


def _size(shown: Shown | None) -> Shown | None:
    return shown and Shown(abs(shown.value), shown.decimals, shown.extends)


def _is_shown(shown: Shown, exact: float, base: float, tolerance: MoneyTolerance | None) -> bool:
    if tolerance is None:
        return shown.admits(exact)
    allowed = tolerance.absolute + tolerance.ratio * max(abs(exact), base)
    return abs(shown.value - exact) <= allowed * (1 + EXACT_RATIO)


def _listed_text(trade: ListedTrade) -> str:
    leave = "no exit"
    if trade.exit_time_ms is not None:
        leave = f"out {time_text(trade.exit_time_ms)} at {trade.exit_price:.12g}"
    result = "" if trade.pnl is None else f", result {trade.pnl.value:.12g}"
    return (
        f"{_text('side', trade.side)} {trade.qty:.12g} in {time_text(trade.entry_time_ms)} at "
        f"{trade.entry_price:.12g} ({trade.entry_name}), {leave} ({trade.exit_name}){result}"
    )


def _our_text(trade: Trade) -> str:
    return (
        f"{_text('side', trade.side)} {trade.qty:.12g} in {time_text(trade.entry_time_ms)} at "
        f"{trade.entry_price:.12g} ({trade.entry_name}), out {time_text(trade.exit_time_ms)} at "
        f"{trade.exit_price:.12g} ({trade.exit_name}), result {trade.pnl_quote:.12g}"
    )


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a cause is judged by: the trades, and the first differing one with its fields."""

    listed: Sequence[ListedTrade]
    ours: Sequence[Trade]
    index: int
    fields: frozenset[str]
    tick_size: float | None

    def near(self) -> list[tuple[ListedTrade, Trade]]:
        """Return the aligned trades from the first difference on, at most 20."""
        stop = self.index + 20
        pairs = zip(self.listed[self.index : stop], self.ours[self.index : stop], strict=False)
        return list(pairs)


def _explain(
    listed: Sequence[ListedTrade],
    ours: Sequence[Trade],
    differences: Sequence[Difference],
    terms: Terms,
) -> tuple[str, str]:
    """Return the first difference in words, both versions side by side, and its likely cause."""
    if not differences:
        return "", ""
    number = differences[0].number
    index = next((i for i, t in enumerate(listed) if t.number == number), number - 1)
    found = [d for d in differences if d.number == number]
    theirs = _listed_text(listed[index]) if index < len(listed) else "none"
    mine = _our_text(ours[index]) if index < len(ours) else "none"
    fields = "; ".join(f"{d.field} {d.listed} against {d.ours}" for d in found)
    lines = [f"trade {number} differs:", f"  list: {theirs}", f"  ours: {mine}"]
    if found[0].field != "trade":
        lines.append(f"  in: {fields}")
    evidence = Evidence(listed, ours, index, frozenset(d.field for d in found), terms.tick_size)
    causes = (cause(evidence) for cause in CAUSES)
    return "\n".join(lines), next((c for c in causes if c), "none of the usual ones")


def _shifted_times(evidence: Evidence) -> str | None:
    near = evidence.near()
    shifts = {mine.entry_time_ms - theirs.entry_time_ms for theirs, mine in near}
    if len(shifts) != 1 or 0 in shifts or len(near) < 2:
        return None
    # Trades that are one place out of step also differ by a constant, but in price and side too.
    if any((t.side, t.entry_price) != (mine.side, mine.entry_price) for t, mine in near):
        return None
    minutes = shifts.pop() / MINUTE_MS
    return (
        f"every time differs by {minutes:+g} minutes: the time zone of the list, or a bar's delay"
    )


def _count(evidence: Evidence) -> str | None:
    i, listed, ours = evidence.index, evidence.listed, evidence.ours
    if i >= len(ours) or i >= len(listed):
        side = "fewer" if i >= len(ours) else "more"
        return f"we have {side} trades than the list: another end of the bars, or a missed signal"
    if "entry_time" not in evidence.fields and "side" not in evidence.fields:
        return None
    if i + 1 < len(ours) and ours[i + 1].entry_time_ms == listed[i].entry_time_ms:
        return "we have a trade that the list has not: a signal, its warm-up or the bars' start"
    if i + 1 < len(listed) and listed[i + 1].entry_time_ms == ours[i].entry_time_ms:
        return "the list has a trade that we have not: a signal, its warm-up or the bars' start"
    return "another entry: a signal, its warm-up or the bars' start"


def _sizing(evidence: Evidence) -> str | None:
    if "qty" not in evidence.fields or evidence.fields & {"entry_price", "side"}:
        return None
    ratios = [mine.qty / theirs.qty for theirs, mine in evidence.near() if theirs.qty]
    if ratios and max(ratios) - min(ratios) <= 0.001 * max(ratios) and len(ratios) > 1:
        return f"our quantity is {ratios[0]:.6g} times the list's: sizing or initial capital"
    return "another quantity: sizing, quantity step, or equity that differs"


def _prices(evidence: Evidence) -> str | None:
    theirs, mine = evidence.near()[0]
    differing = evidence.fields & {"entry_price", "exit_price"}
    if not differing or evidence.fields & {"entry_time", "exit_time", "side"}:
        return None
    tick_size = evidence.tick_size
    if tick_size is None:
        return "other prices at the same times: slippage, tick size, or bars of another source"
    gaps = [abs(getattr(theirs, field) - getattr(mine, field)) / tick_size for field in differing]
    if max(gaps) < 1.5:
        return "prices one tick apart: rounding of a level, or one tick of slippage"
    if abs(max(gaps) - round(max(gaps))) < 1e-3 and max(gaps) < 100:
        return f"prices {round(max(gaps))} ticks apart: slippage, or another stop or target"
    return "other prices at the same times: another stop or target, or bars of another source"


def _fields(evidence: Evidence) -> str | None:
    if evidence.fields & {"exit_time", "exit_price", "is_open"}:
        return "same entry, another exit: the bracket, its stop or target, or when it starts"
    return next((cause for fields, cause in FIELD_CAUSES if evidence.fields <= fields), None)


NAME_FIELDS = frozenset({"entry_name", "exit_name"})
EXCURSION_FIELDS = frozenset({"mfe", "mfe_pct", "mae", "mae_pct"})
SUM_FIELDS = frozenset({"cumulative", "cumulative_pct"})
MONEY_FIELDS = EXCURSION_FIELDS | SUM_FIELDS | {"pnl", "pnl_pct", "position_value"}
FIELD_CAUSES = (
    (NAME_FIELDS, "only signal names differ: comments, or an export in another language"),
    (EXCURSION_FIELDS, "only excursions differ: the path inside a bar, or a bar magnifier"),
    (SUM_FIELDS, "only sums differ: initial capital, or earlier results within their rounding"),
    (MONEY_FIELDS, "only money differs: commission, point value, or an account's currency"),
)
CAUSES: tuple[Callable[[Evidence], str | None], ...] = (
    _shifted_times,
    _count,
    _sizing,
    _prices,
    _fields,
)
