"""Bars that are traded from the history, fetched first where some are missing.

`--since` and `--until` say which bars must be there, every one that the venue has, and with them
the `--warm-up` bars before `--since`, so that the same command reads the same bars however much
older ones are stored. Without `--since` it is all that is stored, without `--until` up to the last
bar that is: with neither, nothing needs a venue, and a run gives the same tomorrow. Gaps that
remain are the market's, or rows that were rejected; they are noted, as those of files.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from actors.venue.faults import VenueFault
from actors.venue.pages import open_at_or_after
from actors.venue.settings import venue_settings
from cluster.database import database
from cluster.history import History, HistoryFault, wall_clock_ms
from cluster.instrument_book import Known
from cluster.issues import IssueKind, IssueLog
from cluster.kline_files import gap_notes
from cluster.settings import history_settings
from cluster.sync_plan import Range, without
from engines.errors import ParameterFault
from engines.klines import Klines, parse_interval_ms, time_text
from engines.series import SeriesKey
from serve.flags import BarFlags
from serve.series_flags import key_of, listing_of, range_ms, series_venue

WARM_UP_BARS = 1000
# Fetches the bars of a range into the history and returns what a reader should know of it.
Sync = Callable[[SeriesKey, int, int], Sequence[str]]


@dataclass(frozen=True, slots=True, eq=False)
class StoredBars:
    """Bars as stored, what a reader should know of them, and the rules their venue listed."""

    klines: Klines
    notes: tuple[str, ...]
    listed: Known | None


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What must be stored: opens from `first_ms` to before `stop_ms`, traded from `start_ms` on.

    `warm_up_step_ms` is how long one of the bars is that warm up.
    """

    key: SeriesKey
    first_ms: int
    start_ms: int
    stop_ms: int
    warm_up_step_ms: int


def stored_bars(symbol: str, flags: BarFlags, sync: Sync | None) -> StoredBars:
    """Return the bars of a symbol that flags ask for, those that are missing by `sync`.

    Raises: HistoryFault where bars are missing and cannot be fetched, ParameterFault for flags
    that mean nothing.
    """
    key = key_of(symbol, series_venue(flags.venue), flags.interval, None)
    history, notes = History(), list[str]()
    wanted = _wanted(history, key, flags, _listed(key))
    is_everything = flags.since is flags.until is None and history.span(key) is not None
    if not is_everything and _missing(history, wanted):
        notes += _fetched(history, wanted, sync)
    since_ms = None if flags.since is None else wanted.first_ms
    klines = history.read(key, since_ms, wanted.stop_ms)
    notes += _notes(klines, wanted, flags, history)
    return StoredBars(klines, tuple(notes), _listed(key))


def sync_of(venue: str | None) -> Sync:
    """Return what fetches bars from the venue of a flag, else from that of the environment."""

    def sync(key: SeriesKey, since_ms: int, until_ms: int) -> list[str]:
        from actors.upkeep import sync_all
        from serve.progress import shown

        with shown() as told:
            (result,) = sync_all(venue_settings(venue), [key], since_ms, until_ms, told)
        notes = [f"{result.written.added:,} bars of {key} fetched"]
        if not result.is_sound:
            doubtful = result.written.corrected + len(result.flaws)
            notes.append(f"{doubtful:,} rows of the venue are doubtful (phalanx data check)")
        return notes

    return sync


def _listed(key: SeriesKey) -> Known | None:
    """Return what the venue listed of a symbol, None if nothing was synced of it yet.

    Raises: ParameterFault for a symbol that the venue, whose list is known, never had.
    """
    with database() as engine:
        return listing_of(key.venue, key.symbol, engine)


def _wanted(history: History, key: SeriesKey, flags: BarFlags, listed: Known | None) -> _Wanted:
    since_ms, until_ms = range_ms(flags.since, flags.until)
    span, step_ms = history.span(key), key.interval_ms
    start_ms = history_settings().history_since_ms if span is None else span[0]
    start_ms = start_ms if since_ms is None else since_ms
    launched_ms = 0 if listed is None or listed.launched_ms is None else listed.launched_ms
    start_ms = max(start_ms, launched_ms)
    closed_ms = open_at_or_after(wall_clock_ms() - step_ms + 1, step_ms)
    if start_ms >= closed_ms:
        raise ParameterFault("--since", "a time of the past", f"{flags.since}")
    stop_ms = closed_ms if until_ms is None else min(until_ms, closed_ms)
    if until_ms is None and span is not None and span[1] >= start_ms:
        stop_ms = span[1] + step_ms
    warm_up = WARM_UP_BARS if flags.warm_up is None else flags.warm_up
    if warm_up < 0:
        raise ParameterFault("--warm-up", "a number of bars, zero or more", repr(warm_up))
    traded_ms = step_ms if flags.aggregate is None else parse_interval_ms(flags.aggregate)
    traded_ms = max(step_ms, traded_ms)
    warm_up = 0 if since_ms is None else warm_up
    first_ms = max(start_ms - warm_up * traded_ms, launched_ms)
    return _Wanted(key, first_ms, start_ms, stop_ms, traded_ms)


def _missing(history: History, wanted: _Wanted) -> list[Range]:
    """Return the ranges of bars that are not stored though the venue may have them."""
    key, step_ms = wanted.key, wanted.key.interval_ms
    missing = history.missing(key, wanted.first_ms, wanted.stop_ms)
    with database() as engine:
        log = IssueLog(engine)
        known = log.absent(key)
        known += [
            (issue.time_ms, issue.time_ms + step_ms)
            for issue in log.open(key)
            if issue.kind is IssueKind.REJECTED
        ]
    return [
        (since_ms, until_ms)
        for since_ms, until_ms in without(missing, known)
        if open_at_or_after(since_ms, step_ms) < until_ms
    ]


def _fetched(history: History, wanted: _Wanted, sync: Sync | None) -> Sequence[str]:
    """Have missing bars fetched and return what a reader should know of it.

    Raises: HistoryFault that says what is there and that no venue gives the rest.
    """
    why = "no venue is asked here"
    if sync is not None:
        try:
            return sync(wanted.key, wanted.first_ms, wanted.stop_ms)
        except VenueFault as fault:
            if not fault.is_retryable:
                raise
            why = str(fault)
    expected = f"bars {time_text(wanted.first_ms)} to {time_text(wanted.stop_ms)} stored or fetched"
    raise HistoryFault(f"{wanted.key}", expected, f"{_there(history, wanted)}; not fetched: {why}")


def _there(history: History, wanted: _Wanted) -> str:
    """Return in words what is stored, and which flags let it trade without a venue."""
    span, missing = history.span(wanted.key), _missing(history, wanted)
    if span is None:
        return "none"
    there = f"{time_text(span[0])} to {time_text(span[1])}"
    for since_ms, until_ms in missing:
        if span[0] < since_ms < span[1]:
            there += f" without {time_text(since_ms)} to {time_text(until_ms)}"
            return f"{there}, which trade without a venue where no --since or --until is given"
    there += ", which trade without a venue"
    if span[0] <= wanted.start_ms and all(until_ms <= wanted.start_ms for _, until_ms in missing):
        there += f" with --warm-up {(wanted.start_ms - span[0]) // wanted.warm_up_step_ms}"
    return there


def _notes(klines: Klines, wanted: _Wanted, flags: BarFlags, history: History) -> list[str]:
    first_ms, end_ms = int(klines.open_time_ms[0]), int(klines.close_time_ms[-1])
    span = f"{time_text(first_ms)} to {time_text(end_ms)}"
    notes = [f"{len(klines):,} bars of {wanted.key}, {span}, from {history.shown}"]
    if first_ms - wanted.start_ms >= klines.interval_ms:
        notes.append(f"there are no bars before {time_text(first_ms)}")
    elif flags.since is not None and first_ms > wanted.first_ms:
        warm = klines.index_at(wanted.start_ms)
        notes.append(f"{warm:,} bars before --since are stored to warm up")
    return [*notes, *history.turnover_note(wanted.key, klines), *gap_notes(klines)]
