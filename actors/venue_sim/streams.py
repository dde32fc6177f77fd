"""The public WebSocket streams: who is subscribed to what, and what they are sent.

Theory. What a client sends is answered at once (acknowledgement, pong, error); what time brings
comes from the topics: `tick` asks each topic that somebody hears for its news and fans it out. All
of it returns `Outgoing`s for the shell to send in order; nothing here waits.
Source: Bybit v5, "WebSocket Stream", Connect.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from actors.venue_sim.faults import FaultKind, Faults
from actors.venue_sim.intervals import INTERVALS
from actors.venue_sim.listing import Listed, Market
from actors.venue_sim.sessions import (
    Outgoing,
    Session,
    answer,
    deliver,
    invalid_op,
    names_of_topics,
)
from actors.venue_sim.tape import Bar, Tape
from actors.venue_sim.topics import (
    BOOK_DEPTHS,
    BookTopic,
    KlineTopic,
    TickerTopic,
    Topic,
    TradeTopic,
)
from actors.venue_sim.wire import Payload
from engines.series import PriceKind

ARGS_TEXT_MAX = 21_000
SPOT_ARGS_MAX = 10


@dataclass(frozen=True, slots=True)
class _Correction:
    """A bar that closed with wrong values, and when it is put right."""

    due_ms: int
    topic: KlineTopic
    bar: Bar


class Streams:
    """All public sessions and the topics that they hear."""

    def __init__(self, market: Market, faults: Faults) -> None:
        self._market = market
        self._faults = faults
        self.sessions: dict[int, Session] = {}
        self._topics: dict[tuple[str, str], Topic] = {}
        self._corrections: list[_Correction] = []

    def open(self, session: Session) -> None:
        """Take a new session of a category's stream in."""
        self.sessions[session.session_id] = session

    def close(self, session_id: int) -> None:
        """Forget a session whose socket is gone."""
        if self.sessions.pop(session_id, None) is not None:
            self._drop_unheard()

    def receive(self, session_id: int, message: Mapping[str, Any], now_ms: int) -> list[Outgoing]:
        """Return the answers to what a client sent."""
        session = self.sessions.get(session_id)
        if session is None or session.is_silent:
            return []
        op = message.get("op")
        if op == "ping":
            answers = [answer(session, message, "ping", "pong")]
        elif op == "subscribe":
            answers = self._subscribe(session, message, now_ms)
        elif op == "unsubscribe":
            session.topics -= set(names_of_topics(message))
            self._drop_unheard()
            answers = [answer(session, message, "unsubscribe")]
        else:
            answers = [invalid_op(session, message)]
        return [Outgoing(session_id, answer) for answer in answers]

    def tick(self, now_ms: int) -> list[Outgoing]:
        """Return what all sessions are sent now that it is `now_ms`."""
        outgoing = self._put_right(now_ms)
        for (category, name), topic in list(self._topics.items()):
            for message in topic.news(now_ms):
                told = self._misstated(topic, message, now_ms)
                outgoing += self._fan_out(category, name, told)
        return outgoing

    def correct(self, listed: Listed, interval: str, bar: Bar, now_ms: int) -> list[Outgoing]:
        """Change a closed bar for good and tell who hears it."""
        tape = listed.tape(PriceKind.LAST, interval)
        assert tape is not None and not tape.is_made, "a bar of a file"
        _rewrite(listed, tape, bar)
        name = f"kline.{interval}.{listed.name}"
        topic = self._topics.get((listed.category, name))
        if not isinstance(topic, KlineTopic):
            return []
        return self._fan_out(listed.category, name, topic.message(bar, now_ms))

    def _subscribe(
        self, session: Session, message: Mapping[str, Any], now_ms: int
    ) -> list[Payload]:
        names = names_of_topics(message)
        reason = self._unfit(session, names)
        if reason:
            return [answer(session, message, "subscribe", reason, is_success=False)]
        openings: list[Payload] = []
        for name in names:
            key = (session.category, name)
            if key not in self._topics:
                topic = self._make(session.category, name, now_ms)
                assert topic is not None, "unfit names were refused"
                self._topics[key] = topic
            if name not in session.topics:
                openings += self._topics[key].opening(now_ms)
            session.topics.add(name)
        return [answer(session, message, "subscribe"), *openings]

    def _unfit(self, session: Session, names: list[str]) -> str:
        """Return why the venue refuses a subscription, nothing if it does not."""
        if not names or sum(map(len, names)) > ARGS_TEXT_MAX:
            return "args size is 0 or over 21000 characters"
        if session.category == "spot" and len(names) > SPOT_ARGS_MAX:
            return "args size >10"
        for name in names:
            if self._make(session.category, name, 0) is None:
                return f"error:handler not found,topic:{name}"
        return ""

    def _make(self, category: str, name: str, now_ms: int) -> Topic | None:
        """Return a new topic, None for a name that the venue does not know."""
        kind, _, rest = name.partition(".")
        setting, _, symbol = rest.rpartition(".")
        listed = self._market.listed.get((category, symbol))
        if listed is None:
            return None
        if kind == "kline" and setting in INTERVALS:
            if listed.tape(PriceKind.LAST, setting) is None:
                return None
            return KlineTopic(name, listed, setting, now_ms)
        if kind == "orderbook" and setting.isdecimal() and int(setting) in BOOK_DEPTHS:
            return BookTopic(name, listed, int(setting), now_ms)
        if kind == "tickers" and not setting:
            return TickerTopic(name, listed, now_ms)
        if kind == "publicTrade" and not setting:
            return TradeTopic(name, listed, now_ms)
        return None

    def _drop_unheard(self) -> None:
        heard = {(s.category, name) for s in self.sessions.values() for name in s.topics}
        self._topics = {key: topic for key, topic in self._topics.items() if key in heard}

    def _fan_out(self, category: str, name: str, message: Payload) -> list[Outgoing]:
        closes_bar = name.startswith("kline.") and message["data"][0]["confirm"]
        return [
            sent
            for session in self.sessions.values()
            if session.category == category and name in session.topics
            for sent in deliver(session, name, message, self._faults, closes_bar=closes_bar)
        ]

    def _misstated(self, topic: Topic, message: Payload, now_ms: int) -> Payload:
        """Return a closing bar's message, with wrong values where that fault is drawn."""
        if not isinstance(topic, KlineTopic) or not message["data"][0]["confirm"]:
            return message
        listed = topic.listed
        tape = listed.tape(PriceKind.LAST, topic.interval)
        if tape is None or tape.is_made:
            return message
        kinds = frozenset({FaultKind.LATE_CORRECTION})
        if self._faults.draw(topic.name, kinds) is None:
            return message
        bar = tape.at(tape.index_of(message["data"][0]["start"]), now_ms)
        close = listed.instrument.price_of(listed.instrument.ticks_nearest(bar.close) + 1)
        wrong = bar._replace(close=close, high=max(bar.high, close))
        _rewrite(listed, tape, wrong)
        due_ms = max(now_ms, bar.end_ms) + (bar.end_ms - bar.open_time_ms)
        self._corrections.append(_Correction(due_ms, topic, bar))
        return topic.message(wrong, now_ms)

    def _put_right(self, now_ms: int) -> list[Outgoing]:
        due = [one for one in self._corrections if one.due_ms <= now_ms]
        self._corrections = [one for one in self._corrections if one.due_ms > now_ms]
        return [
            sent
            for one in due
            for sent in self.correct(one.topic.listed, one.topic.interval, one.bar, now_ms)
        ]


def _rewrite(listed: Listed, tape: Tape, bar: Bar) -> None:
    tape.correct(bar.open_time_ms, bar)
    listed.forget_made()
