"""Wishes become positions: the chain of one set, by the rules that `passage.runs` reads from them.

Theory. While flat, the first wish to enter is taken; it fills at the next open. A position is held
until a wish, a rule or its age closes it, at the open after that close, or is open at the end. A
close that also wishes to enter ends the position in one fill with the next (REVERSED), or leaves
the end to fill for itself at the same open (RELIEVED) where something else than that entry closes
it. One pass over the wishes finds all links; a second finds how far prices went against each
position, since look-ups that do not wait for each other cost a fraction of those that do. Sets go
through the first side by side, span by span of the bars: what they look up stays in a cache.

Where a level ends a position before that, its bar is known from the line and the side of the entry
(`Exits`), and the next wish may be that of the bar's own close.

What counts are the bars from the entry's on and the open at which the position ends.
"""

import numpy as np

from engines.kernels._compiled import inlined, rule
from engines.kernels._prefetch import prefetch
from engines.kernels.chains.columns import (
    AT_LEVEL,
    I32_1D,
    LONGEST,
    LOOKS,
    MODE_BITS,
    MODE_MASK,
    NO_LEVELS,
    SHORT,
    SIDE_MASK,
    SPAN_BITS,
    SPANS,
    WISH_BITS,
    WISH_MASK,
    Decides,
    Exits,
    Given,
    Links,
    Opens,
)
from engines.kernels.chains.exits import RECALLED, UNKNOWN, entry_of, recall, walk_given
from engines.kernels.passage.columns import ALONE, OPEN_AT_END, RELIEVED, REVERSED
from engines.kernels.search import extremes
from engines.kernels.slots import (
    ENDS,
    ENTERS_LONG,
    ENTERS_SHORT,
    LEAVES_LONG,
    LEAVES_SHORT,
)
from engines.types import F64_1D, I64_1D

NO_ENTRY = -1
# Where a set stands: its next wish, the place of its next link, the bar of the wish that it holds,
# which wishes close that, which leave it, the bar in which a level ends it, and where that lies
# among the exits.
OWN, COUNT, ENTRY, CLOSES, LEAVES, LEVEL, PLACE = range(7)
STAND = PLACE + 1
SOON = 12  # links ahead of the one whose prices are looked up


@rule
def given_with(given: Given, start: int, stop: int) -> Given:
    """Return what is given with the wishes of one set, which begin and end there."""
    return Given(
        given.stops[min(start, len(given.stops)) : stop],
        given.targets[min(start, len(given.targets)) : stop],
        given.runs, given.prices, given.slip_ratio, given.known,
    )  # fmt: skip # the order of its fields


@rule
def begin_links(links: Links, stand: I64_1D, opens: Opens, first: int) -> None:
    """Let a set stand before its first wish; its links are written from `first` on."""
    stand[OWN], stand[COUNT], stand[ENTRY] = 0, first, NO_ENTRY
    stand[CLOSES], stand[LEAVES], stand[LEVEL], stand[PLACE] = 0, 0, opens.bars, 0
    _end(links, first, 0, OPEN_AT_END)


@rule
def link(
    wishes: I32_1D, opens: Opens, decides: Decides, given: Given, exits: Exits, plan: int,
    links: Links, stand: I64_1D, kept: int, until: int,
) -> None:  # fmt: skip # what it reads, then where it writes
    """Write the links that a set has up to bar `until`, and where it stands then.

    `plan` is the row of its plan among the exits, NO_LEVELS if there is none. Levels that the set
    gives itself end positions as found when each is taken, in the places that there are then; the
    exit of what is held at last is `kept` at a place of the set's own.
    """
    row, last = 0 if len(given.stops) > 0 else plan, min(until, opens.bars - 1)
    count, entry, level = int(stand[COUNT]), int(stand[ENTRY]), int(stand[LEVEL])
    closes, leaves, place = int(stand[CLOSES]), int(stand[LEAVES]), int(stand[PLACE])
    recalled = at = int(stand[OWN])
    for own in range(at, len(wishes)):
        bar, wish = int(wishes[own]) >> WISH_BITS, int(wishes[own]) & WISH_MASK
        if bar >= last:
            break
        at = own + 1
        enters, timed = wish & decides.enters, entry + decides.held_max
        if entry != NO_ENTRY and not _has_ended(links, exits, row, place, count, level, timed, bar):
            if timed != bar and wish & closes == 0:
                continue
            mode = ALONE
            if enters != 0:
                mode = RELIEVED if timed == bar or wish & leaves != 0 else REVERSED
            _end(links, count, bar + 1, mode)
        entry = NO_ENTRY
        if enters != 0 and bar >= decides.start:
            is_long = enters & ENTERS_LONG != 0
            leaves = (LEAVES_LONG if is_long else LEAVES_SHORT) | ENDS
            closes = leaves | (ENTERS_SHORT if is_long else ENTERS_LONG)
            entry, follower = bar, entry_of(int(wishes[own]), decides.enters)
            links.nexts[count] = np.int32(follower)
            if row != NO_LEVELS:
                place = _exit_of(
                    opens, given, exits, plan, wishes, decides.enters, own, follower, recalled
                )  # fmt: skip # one call
                recalled = own + RECALLED - place
                level = (int(exits.ends[row, place]) >> MODE_BITS) - opens.lag
            count += 1
    if len(given.stops) > 0 and entry != NO_ENTRY and place != kept:
        _keep(exits, place, kept)
        place = kept
    stand[OWN], stand[COUNT], stand[ENTRY], stand[LEVEL] = at, count, entry, level
    stand[CLOSES], stand[LEAVES], stand[PLACE] = closes, leaves, place


@inlined
def _keep(exits: Exits, place: int, kept: int) -> None:
    """Keep an exit where no look-up of another set writes."""
    exits.ends[0, kept] = exits.ends[0, place]
    exits.prices[0, kept], exits.worst[0, kept] = exits.prices[0, place], exits.worst[0, place]


@rule
def end_links(
    opens: Opens, decides: Decides, given: Given, exits: Exits, plan: int, links: Links,
    stand: I64_1D,
) -> int:  # fmt: skip # what it reads, then where it writes
    """Write how what a set holds behind its last wish ends; return behind which link it is over."""
    bars, row = opens.bars, 0 if len(given.stops) > 0 else plan
    count, entry, level = int(stand[COUNT]), int(stand[ENTRY]), int(stand[LEVEL])
    last, timed, place = bars - 1, entry + decides.held_max, int(stand[PLACE])
    if entry != NO_ENTRY and not _has_ended(links, exits, row, place, count, level, timed, last):
        _end(links, count, bars, OPEN_AT_END)
    links.nexts[count] = np.int32((bars + 1) << 1)
    return count + 1


@inlined
def _exit_of(
    opens: Opens, given: Given, exits: Exits, plan: int, wishes: I32_1D, enters: int, own: int,
    entry: int, recalled: int,
) -> int:  # fmt: skip # what is read, then who asks
    """Return the place of an entry's exit, which is found here where the set gives the levels.

    Then those of the wishes before `recalled` have been looked up, and the last one has the last
    place.
    """
    if len(given.stops) == 0:
        return int(exits.places[entry])
    place = own + RECALLED - recalled
    if own >= recalled:
        recall(opens, given, exits, plan, wishes, enters, own)
        place = 0
    if exits.ends[0, place] == UNKNOWN:
        walk_given(opens, given, exits, plan, own, entry, place)
    return place


@inlined
def _has_ended(
    links: Links, exits: Exits, row: int, place: int, count: int, level: int, timed: int,
    bar: int,
) -> bool:  # fmt: skip # what it reads, then where the position stands
    """Return whether a level or its age ends a position before the close of `bar`; note how."""
    if level <= min(timed, bar):
        links.ends[count] = exits.ends[row, place]
        links.prices[count] = exits.prices[row, place]
        links.worst[count] = exits.worst[row, place]
        return True
    if timed < bar:
        _end(links, count, timed + 1, ALONE)
        return True
    return False


@inlined
def _end(links: Links, count: int, line: int, mode: int) -> None:
    links.ends[count] = np.int32((line << MODE_BITS) | mode)


@rule
def ask(wishes: I32_1D, bars: int, decides: Decides, sure: int, until: I32_1D) -> None:
    """Note of each entry that a set may take the last bar in which a level may end it.

    `until` lies by line and side; of several sets it keeps the latest, -1 where none may enter.
    Of the wishes that close a position those count that no rule may refuse, the `sure` ones.
    """
    last_long = last_short = bars - 1
    for back in range(1, len(wishes) + 1):
        bar = int(wishes[-back]) >> WISH_BITS
        wish = int(wishes[-back]) & WISH_MASK
        if bar >= bars - 1:
            continue
        enters = wish & decides.enters
        if enters != 0:
            is_long = enters & ENTERS_LONG != 0
            entry = ((bar + 1) << 1) | (0 if is_long else 1)
            last = min(last_long if is_long else last_short, bar + decides.held_max)
            until[entry] = np.int32(max(until[entry], last))
        if wish & sure & (ENDS | LEAVES_LONG | ENTERS_SHORT):
            last_long = bar
        if wish & sure & (ENDS | LEAVES_SHORT | ENTERS_LONG):
            last_short = bar


@rule
def look_back(opens: Opens, links: Links, first: int, count: int) -> None:
    """Write how far prices went against each position of a set."""
    links.worst[first] = 0.0
    one, last = np.uint64(1), np.uint64(first + count - 1)
    for place in range(np.uint64(first + 1), np.uint64(first + count)):
        soon = min(place + np.uint64(SOON), last)
        _ask_for_spans(opens, np.uint64(links.nexts[soon - one]), np.uint64(links.ends[soon]))
        begun = np.uint64(links.nexts[place - one])
        end = np.uint64(links.ends[place])
        if end & np.uint64(MODE_MASK) >= np.uint64(AT_LEVEL):
            continue
        end >>= np.uint64(MODE_BITS)
        links.worst[place] = lowest(opens, begun >> one, end, begun & np.uint64(SIDE_MASK))


@inlined
def _ask_for_spans(opens: Opens, begun: np.uint64, end: np.uint64) -> None:
    """Ask for what `lowest` reads of a position, its first and its last look-up."""
    start, stop = begun >> np.uint64(1), end >> np.uint64(MODE_BITS)
    kind = _kind_of(stop - start)
    width = np.uint64(1) << (np.uint64(SPAN_BITS) * kind)
    row = (np.uint64(2) * kind + (begun & np.uint64(SIDE_MASK))) * np.uint64(opens.bars)
    prefetch(opens.lowest, row + start)
    prefetch(opens.lowest, row + stop - width)


@inlined
def _kind_of(count: np.uint64) -> np.uint64:
    """Return the kind of the longest spans that so many bars hold."""
    kind = np.uint64(0)
    for finer in range(1, SPANS):
        kind = np.uint64(finer) if count >> np.uint64(SPAN_BITS * finer) > 0 else kind
    return kind


@rule
def lowest(opens: Opens, start: np.uint64, stop: np.uint64, side: np.uint64) -> float:
    """Return the lowest signed price of the bars [start, stop), of which there is one or more."""
    if stop - start >= np.uint64(LONGEST):
        first, last = int(np.int64(start)), int(np.int64(stop))
        high, low = extremes(opens.reach, opens.bars, first, last)
        return -high if side == np.uint64(SHORT) else low
    return lowest_of_few(opens.lowest, np.uint64(opens.bars), start, stop, side)


@rule
def lowest_of_few(
    spans: F64_1D, bars: np.uint64, start: np.uint64, stop: np.uint64, side: np.uint64
) -> float:
    """Return the same of less than LONGEST bars, from the lowest of spans alone.

    Places without a sign spare the machine to ask whether they count from the end of a column.
    """
    kind = _kind_of(stop - start)
    width = np.uint64(1) << (np.uint64(SPAN_BITS) * kind)
    row = (np.uint64(2) * kind + side) * bars
    place, at_last = row + start, row + stop - width
    value = float(spans[at_last])
    for _ in range(LOOKS - 1):
        value = min(value, spans[min(place, at_last)])
        place += width
    return value
