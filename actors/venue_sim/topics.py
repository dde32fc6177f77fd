"""What the public streams say: one topic each, asked what is new whenever time has passed.

Theory. A topic knows what it said last. `opening` is what a new subscriber is told at once, `news`
what all subscribers are told when the time is `now_ms`: everything that happened since it was last
asked, in order, however far the clock jumped. Topics hold no subscribers and know no sockets.
Source: Bybit v5, "WebSocket Stream", the pages Kline, Ticker, Trade and Orderbook.
"""

from typing import Protocol

from actors.venue_sim import public
from actors.venue_sim.listing import SPOT, Listed
from actors.venue_sim.tape import PRINTS, Bar, Print, Tape, print_time
from actors.venue_sim.wire import Payload, number_text
from engines.series import PriceKind

KLINE_PUSH_MS, BOOK_AGAIN_MS = 1_000, 3_000
TRADES_PER_MESSAGE = 1024
BOOK_DEPTHS = {1, 50, 200, 1000}


class Topic(Protocol):
    """One subject that clients subscribe to."""

    name: str

    def opening(self, now_ms: int) -> list[Payload]:
        """Return what a new subscriber is told."""
        ...

    def news(self, now_ms: int) -> list[Payload]:
        """Return what has happened since the last call."""
        ...


class KlineTopic:
    """kline.{interval}.{symbol}: the forming bar every second, and each bar once as it closes."""

    def __init__(self, name: str, listed: Listed, interval: str, now_ms: int) -> None:
        self.name = name
        self.listed = listed
        self.interval = interval
        self._closed = self._tape().closed(now_ms)
        self._pushed_ms = now_ms

    def opening(self, now_ms: int) -> list[Payload]:
        """Return the forming bar."""
        bar = self._tape().last(now_ms)
        return [] if bar is None or bar.is_closed else [self.message(bar, now_ms)]

    def news(self, now_ms: int) -> list[Payload]:
        """Return the bars that closed, then the forming one if it is due."""
        tape = self._tape()
        closed = tape.closed(now_ms)
        messages = [
            self.message(tape.at(index, now_ms), now_ms) for index in range(self._closed, closed)
        ]
        self._closed = closed
        if messages or now_ms - self._pushed_ms >= KLINE_PUSH_MS:
            self._pushed_ms = now_ms
            messages += self.opening(now_ms)
        return messages

    def message(self, bar: Bar, now_ms: int) -> Payload:
        """Return one bar as the stream says it; its `end` is the last millisecond inside."""
        prints = PRINTS - 1
        if not bar.is_closed:
            prints = (now_ms - bar.open_time_ms) * PRINTS // (bar.end_ms - bar.open_time_ms)
        return {
            "topic": self.name,
            "data": [
                {
                    "start": bar.open_time_ms,
                    "end": bar.end_ms - 1,
                    "interval": self.interval,
                    "open": number_text(bar.open),
                    "close": number_text(bar.close),
                    "high": number_text(bar.high),
                    "low": number_text(bar.low),
                    "volume": number_text(bar.volume),
                    "turnover": number_text(bar.turnover),
                    "confirm": bar.is_closed,
                    "timestamp": print_time(bar, prints),
                }
            ],
            "ts": now_ms,
            "type": "snapshot",
        }

    def _tape(self) -> Tape:
        tape = self.listed.tape(PriceKind.LAST, self.interval)
        assert tape is not None, "subscribed to an interval that the bars can make"
        return tape


class TickerTopic:
    """tickers.{symbol}: all fields at first, then those that changed; always all for spot."""

    def __init__(self, name: str, listed: Listed, now_ms: int) -> None:
        self.name = name
        self.listed = listed
        self._said = self._fields(now_ms)

    def opening(self, now_ms: int) -> list[Payload]:
        """Return a snapshot of what was said last, for the next delta is put on that."""
        return [self._message("snapshot", self._said, now_ms)]

    def news(self, now_ms: int) -> list[Payload]:
        """Return what changed."""
        fields = self._fields(now_ms)
        changed = {name: value for name, value in fields.items() if self._said.get(name) != value}
        self._said = fields
        if not changed:
            return []
        if self.listed.category == SPOT:
            return [self._message("snapshot", fields, now_ms)]
        return [self._message("delta", {"symbol": self.listed.name} | changed, now_ms)]

    def _fields(self, now_ms: int) -> Payload:
        row = public.ticker(self.listed, now_ms)
        if not row:
            return {"symbol": self.listed.name}
        if self.listed.category == SPOT:
            return {name: row[name] for name in row if not name.startswith(("bid1", "ask1"))}
        tape = self.listed.base_tape
        newest = tape.prints(tape.visible(now_ms) - 1, now_ms)
        falls = len(newest) > 1 and newest[-1].price < newest[-2].price
        absent = {"predictedDeliveryPrice", "basisRate", "deliveryFeeRate", "deliveryTime"}
        absent |= {"basis", "basisRateYear"}
        kept = {name: value for name, value in row.items() if name not in absent}
        return kept | {"tickDirection": "MinusTick" if falls else "PlusTick"}

    def _message(self, kind: str, fields: Payload, now_ms: int) -> Payload:
        sequence = public.update_id(self.listed, now_ms)
        return {"topic": self.name, "type": kind, "data": fields, "cs": sequence, "ts": now_ms}


class TradeTopic:
    """publicTrade.{symbol}: every print of the tape, once, in order."""

    def __init__(self, name: str, listed: Listed, now_ms: int) -> None:
        self.name = name
        self.listed = listed
        self._next = self._after(now_ms)

    def opening(self, now_ms: int) -> list[Payload]:
        """Return nothing: the tape starts with what comes next."""
        return []

    def news(self, now_ms: int) -> list[Payload]:
        """Return the prints since the last call, so many a message."""
        tape = self.listed.base_tape
        end = self._after(now_ms)
        rows = [
            self._row(item)
            for index in range(self._next // PRINTS, tape.visible(now_ms))
            for item in tape.prints(index, now_ms)
            if item.number >= self._next
        ]
        self._next = end
        return [
            {
                "topic": self.name,
                "type": "snapshot",
                "ts": now_ms,
                "data": rows[first : first + TRADES_PER_MESSAGE],
            }
            for first in range(0, len(rows), TRADES_PER_MESSAGE)
        ]

    def _after(self, now_ms: int) -> int:
        """Return the number of the first print that has not happened."""
        tape = self.listed.base_tape
        count = tape.visible(now_ms)
        return tape.prints(count - 1, now_ms)[-1].number + 1 if count else 0

    def _row(self, item: Print) -> Payload:
        return {
            "T": item.time_ms,
            "s": self.listed.name,
            "S": public.trade_side(item),
            "v": number_text(item.qty),
            "p": number_text(item.price),
            "L": "PlusTick" if item.number % 2 else "MinusTick",
            "i": public.trade_id(self.listed, item),
            "BT": False,
            "RPI": False,
            "seq": item.number,
        }


class BookTopic:
    """orderbook.{depth}.{symbol}: a snapshot, then what changed; of depth 1 snapshots only."""

    def __init__(self, name: str, listed: Listed, depth: int, now_ms: int) -> None:
        self.name = name
        self.listed = listed
        self.depth = depth
        self._said = self._book(now_ms)
        self._pushed_ms = now_ms

    def opening(self, now_ms: int) -> list[Payload]:
        """Return the whole book as it was said last, for the next delta is put on that."""
        return [self._message("snapshot", self._said, now_ms)]

    def news(self, now_ms: int) -> list[Payload]:
        """Return the levels that changed; a level that is gone has size 0."""
        book = self._book(now_ms)
        before, self._said = self._said, book
        is_same = (before["a"], before["b"]) == (book["a"], book["b"])
        is_old = self.depth == 1 and now_ms - self._pushed_ms >= BOOK_AGAIN_MS
        if is_same and not is_old:
            return []
        self._pushed_ms = now_ms
        if self.depth == 1:
            return [self._message("snapshot", book, now_ms)]
        delta = book | {side: _changes(before[side], book[side]) for side in ("a", "b")}
        return [self._message("delta", delta, now_ms)]

    def _book(self, now_ms: int) -> Payload:
        return public.book_of(self.listed, self.depth, now_ms)

    def _message(self, kind: str, book: Payload, now_ms: int) -> Payload:
        part = {name: book[name] for name in ("s", "b", "a", "u", "seq")}
        return {
            "topic": self.name,
            "type": kind,
            "ts": now_ms,
            "data": part,
            "cts": book["cts"],
        }


def _changes(before: list[list[str]], after: list[list[str]]) -> list[list[str]]:
    old = dict(before)
    new = dict(after)
    gone = [[price, "0"] for price in old if price not in new]
    return [[price, qty] for price, qty in new.items() if old.get(price) != qty] + gone
