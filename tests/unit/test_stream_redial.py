"""How a stream that is cut again and again is dialled: ever more slowly, and always again."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest

from actors.venue import stream as stream_module
from actors.venue.stream import Stream
from engines.klines import MINUTE_MS
from engines.live.events import StreamLost
from engines.live.venue_clock import VenueClock
from engines.series import SeriesKey
from tests.patience import PATIENCE_S

KEY = SeriesKey("sim", "BTC/USDT:USDT", MINUTE_MS)
DIALS = 8


class Dialled:
    """An exchange whose connection does something each time that it is dialled."""

    def __init__(self, at_dial: Callable[["Dialled"], None]) -> None:
        self.told_kline: Any = None
        self.told_opened: Any = None
        self.told_lost: Any = None
        self.at_dial = at_dial

    async def watch_ohlcv_for_symbols(self, places: Any) -> None:
        """Subscribe, and have heard a first message."""
        self.told_opened("linear")
        self.at_dial(self)

    async def close_ws_clients(self) -> None:
        """Close nothing."""


def cut(exchange: Dialled) -> None:
    """Cut the connection just after its first message."""
    asyncio.get_running_loop().call_soon(exchange.told_lost, "linear", "cut")


def fail(exchange: Dialled) -> None:
    """Fail as no error of ccxt's does."""
    raise ValueError("a message that nobody expected")


async def dialled(exchange: Any) -> tuple[Stream, list[StreamLost]]:
    """Watch until it was lost so many times."""
    watched = Stream(exchange, VenueClock(), {MINUTE_MS: "1m"}, {False: 10, True: 10})
    losses: list[StreamLost] = []
    async with asyncio.timeout(PATIENCE_S), aclosing(watched.watch([KEY])) as events:
        async for event in events:
            losses += [event] if isinstance(event, StreamLost) else []
            if len(losses) == DIALS:
                break
    return watched, losses


@pytest.mark.parametrize(("steady_s", "failures"), [(60.0, DIALS - 1), (0.0, 1)])
def test_only_a_connection_that_has_lived_ends_the_doubling_of_the_wait(
    monkeypatch: pytest.MonkeyPatch, steady_s: float, failures: int
) -> None:
    monkeypatch.setattr(stream_module, "REDIAL_S", 0.0001)
    monkeypatch.setattr(stream_module, "STEADY_S", steady_s)
    watched, _ = asyncio.run(dialled(Dialled(cut)))
    assert watched._groups[0].failures == failures


def test_an_error_of_any_kind_is_told_and_the_stream_dialled_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream_module, "REDIAL_S", 0.0001)
    _, losses = asyncio.run(dialled(Dialled(fail)))
    assert {loss.reason for loss in losses} == {"a message that nobody expected"}
