"""Funding and mark price of a market, as flags name them; each must cover all that is traded."""

import time
from collections.abc import Sequence

import numpy as np

from cluster.funding_files import FundingFile, judged, read_funding, require_coverage
from cluster.kline_files import read_klines
from cluster.ratios import parse_ratio
from engines.errors import KlineFault, ParameterFault
from engines.funding import INTERVAL_HOURS, Funding, constant_funding
from engines.klines import DAY_MS, Klines, interval_text, time_text
from serve.flags import BarFlags
from serve.market_files import files_of
from serve.series_flags import series_venue

STORED = "stored"
HOURS_USUAL = 8
# Mark and last price part by percents at worst; another symbol's is far away.
MARK_RATIO_MAX = 1.5


def funding_of(
    klines: Klines, flags: BarFlags, symbols: Sequence[str], notes: list[str]
) -> Funding | None:
    """Return the settlements of the traded bars, None if no flag asks for funding.

    Raises: PlanFault for a history that is wrong or does not cover the bars, ParameterFault for
    flags that mean nothing.
    """
    symbol = klines.symbol
    if flags.funding == [STORED]:
        return _stored_funding(klines, flags, notes)
    constants, files = _constants(flags.funding, symbol, symbols)
    paths = files_of("--funding", files, symbol, symbols)
    if len(constants) + bool(paths) > 1:
        found = f"{len(constants)} rates and {len(paths)} files"
        raise ParameterFault(f"--funding of {symbol}", "one rate, or files", found)
    if flags.funding_hours is not None and not constants:
        found = f"{flags.funding_hours} hours and no rate"
        raise ParameterFault("--funding-hours", "a constant --funding, as 0.01%", found)
    if constants:
        hours = HOURS_USUAL if flags.funding_hours is None else flags.funding_hours
        if hours not in INTERVAL_HOURS:
            raise ParameterFault("--funding-hours", "1, 4 or 8", repr(hours))
        notes.append(f"funding of {constants[0]:g} every {hours} hours, no real history")
        return constant_funding(constants[0], hours, klines)
    if not paths:
        if flags.funding is not None:
            expected = f"a file or rate of {symbol} too"
            raise ParameterFault("--funding", expected, ", ".join(flags.funding))
        return None
    history = read_funding(paths, symbol)
    return _covering(history, klines, ", ".join(map(str, paths)), paths[0].name, notes)


def _stored_funding(klines: Klines, flags: BarFlags, notes: list[str]) -> Funding:
    from cluster.history import History

    history = History()
    found = judged(history.read_funding(series_venue(flags.venue), klines.symbol), [])
    return _covering(found, klines, history.shown, history.shown, notes)


def _covering(
    history: FundingFile, klines: Klines, source: str, name: str, notes: list[str]
) -> Funding:
    """Return settlements that cover the traded bars, with what a reader should know of them."""
    start_ms, end_ms = int(klines.open_time_ms[0]), int(klines.close_time_ms[-1])
    require_coverage(klines.symbol, history, start_ms, end_ms, source)
    inside = history.funding.between(start_ms, end_ms)
    every = interval_text(history.interval_ms)
    notes.append(f"funding: {len(inside):,} settlements, {every} apart, from {name}")
    notes += history.notes
    return history.funding


def mark_of(
    klines: Klines, flags: BarFlags, symbols: Sequence[str], notes: list[str]
) -> Klines | None:
    """Return bars of the mark price that cover the traded bars, None if no flag names any.

    Raises: KlineFault for bars that are wrong, off the traded bars' grid or of other times;
    ParameterFault for flags that mean nothing.
    """
    if flags.mark == [STORED]:
        return _checked_mark(klines, *_stored_mark(klines, flags), notes)
    paths = files_of("--mark", flags.mark, klines.symbol, symbols)
    if not paths:
        if flags.mark is not None:
            expected = f"a file of {klines.symbol} too"
            raise ParameterFault("--mark", expected, ", ".join(flags.mark))
        return None
    now_ms = time.time_ns() // 1_000_000
    mark = read_klines(paths, klines.symbol, None, now_ms, drop_unfinished=True).klines
    return _checked_mark(klines, mark, ", ".join(map(str, paths)), notes)


def _stored_mark(klines: Klines, flags: BarFlags) -> tuple[Klines, str]:
    """Return the stored bars of the mark price, of the traded interval or the shortest there is."""
    from cluster.history import History, HistoryFault
    from engines.series import PriceKind, SeriesKey

    history, venue = History(), series_venue(flags.venue)
    every = history.keys()
    stored = [
        key
        for key in every
        if (key.venue, key.symbol, key.price) == (venue, klines.symbol, PriceKind.MARK)
    ]
    if not stored:
        wanted = SeriesKey(venue, klines.symbol, klines.interval_ms, PriceKind.MARK)
        raise HistoryFault("--mark stored", f"bars of {wanted} in {history.shown}", "none")
    stored.sort(key=lambda key: (key.interval_ms != klines.interval_ms, key.interval_ms))
    return history.read(stored[0]), history.shown


def _checked_mark(klines: Klines, mark: Klines, source: str, notes: list[str]) -> Klines:
    """Return bars of the mark price that cover the traded ones and are near them."""
    subject = f"mark price bars of {klines.symbol} in {source}"
    _require_aligned(klines, mark, subject)
    _require_near(klines, mark, subject)
    if mark.interval_ms != klines.interval_ms:
        words = f"mark price bars of {interval_text(mark.interval_ms)} price funding only"
        notes.append(f"{words}: liquidation is judged on bars of the traded interval")
    return mark


def _constants(
    texts: Sequence[str] | None, symbol: str, symbols: Sequence[str]
) -> tuple[list[float], list[str] | None]:
    """Return the constant rates of one symbol, and the texts that name files."""
    constants, files = [], list[str]()
    for text in texts or ():
        name, equals, value = text.partition("=")
        name, value = (name, value) if equals else ("", text)
        try:
            rate = parse_ratio(value)
        except ValueError:
            files.append(text)
            continue
        if not abs(rate) < 1:
            raise ParameterFault("--funding", "a rate between -1 and 1", repr(text))
        if name and name not in symbols:
            expected = f"SYMBOL=RATE with {' or '.join(symbols)}"
            raise ParameterFault("--funding", expected, repr(text))
        if name in ("", symbol):
            constants.append(rate)
    return constants, files


def _require_aligned(klines: Klines, mark: Klines, subject: str) -> None:
    step_ms = min(klines.interval_ms, mark.interval_ms, DAY_MS)
    if offset := int(mark.open_time_ms[0] - klines.open_time_ms[0]) % step_ms:
        expected = f"opens a multiple of {interval_text(step_ms)} from those of the traded bars"
        raise KlineFault(subject, expected, f"{offset / 60_000:g} minutes beside")
    start_ms, end_ms = int(klines.open_time_ms[0]), int(klines.close_time_ms[-1])
    first_ms, last_ms = int(mark.open_time_ms[0]), int(mark.close_time_ms[-1])
    if first_ms > start_ms or last_ms < end_ms - mark.interval_ms:
        raise KlineFault(
            subject,
            f"bars from {time_text(start_ms)} to {time_text(end_ms)} as the traded ones",
            f"{time_text(first_ms)} to {time_text(last_ms)}",
        )


def _require_near(klines: Klines, mark: Klines, subject: str) -> None:
    """Raise KlineFault where the mark price is so far off that it is of something else."""
    place = np.searchsorted(klines.open_time_ms, mark.open_time_ms)
    inside = place < len(klines)
    ratio = float(np.median(mark.open[inside] / klines.open[place[inside]]))
    if not 1 / MARK_RATIO_MAX < ratio < MARK_RATIO_MAX:
        raise KlineFault(subject, "prices near those of the traded bars", f"{ratio:.3g} of them")
