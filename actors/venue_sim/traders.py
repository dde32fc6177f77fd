"""The accounts of everybody who holds a key, and the one way to each: its desk at a time.

Whoever asks for a desk finds an account that has lived until then: the engine has played the tape
up to the moment, so that a request never sees or touches the past.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from actors.venue_sim import private_rows
from actors.venue_sim.account import Account, Execution, News
from actors.venue_sim.listing import Market
from actors.venue_sim.matching import Matching
from actors.venue_sim.orders import Order
from actors.venue_sim.positions import Position
from actors.venue_sim.trading import Desk
from actors.venue_sim.wire import Payload


@dataclass(frozen=True, slots=True)
class Told:
    """Rows of one private topic, of one category (none for the wallet)."""

    topic: str
    category: str
    rows: list[Payload]


class Traders:
    """All accounts, made when they are first asked for."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._engines: dict[int, Matching] = {}

    def desk(self, uid: int, now_ms: int) -> Desk:
        """Return the desk of an account, played up to now."""
        engine = self._engines.get(uid)
        if engine is None:
            engine = self._engines[uid] = Matching(Account(uid), self._market, now_ms)
        engine.play(now_ms)
        return Desk(engine.account, engine, self._market, now_ms)

    def news(self, now_ms: int) -> list[tuple[int, list[Told]]]:
        """Return what every account has to tell since it was last asked, played up to now."""
        found = []
        for uid in self._engines:
            desk = self.desk(uid, now_ms)
            if desk.account.news:
                found.append((uid, _told(desk)))
        return found


def _told(desk: Desk) -> list[Told]:
    news, desk.account.news = desk.account.news, []
    told: list[Told] = []
    for (topic, category), items in groupby(news, key=_subject):
        told += _rows(desk, topic, category, [item for _, item in items])
    return told


def _subject(item: News) -> tuple[str, str]:
    topic, thing = item
    if isinstance(thing, Execution):
        return topic, thing.order.listed.category
    return topic, "" if thing is None else thing.listed.category


def _rows(
    desk: Desk, topic: str, category: str, things: Iterable[Order | Execution | Position | None]
) -> list[Told]:
    listed = list(things)
    fills = [one for one in listed if isinstance(one, Execution)]
    rows = [private_rows.order_news(one) for one in listed if isinstance(one, Order)]
    rows += [private_rows.execution_news(one) for one in fills]
    rows += [
        private_rows.position_news(one, desk.worth) for one in listed if isinstance(one, Position)
    ]
    if topic == "wallet":
        rows = [private_rows.wallet_row(desk.worth)]
    told = [Told(topic, category, rows)]
    fast = [private_rows.execution_fast_news(one) for one in fills if one.match.kind == "Trade"]
    return [*told, Told("execution.fast", category, fast)] if fast else told
