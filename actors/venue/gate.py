"""The shell of the rate budget: who owns it, and how everybody else comes by its tokens.

Theory. One owner holds the state (`engines/live/rate_budget`) of one venue and address. Whoever
sends requests does so through a gate, which keeps what it was lent and asks the owner only when
that is used up or too old: a busy gate asks for more at a time. The owner is an actor of the
cluster where there is one, since all its nodes count as one address, and otherwise one whose
state is a file that the machine's programs share (`budget_file`). A ban is pushed: each gate keeps
one question open at the owner that is answered by a ban, so that every gate stops within a
message's way, and only what is under way is still sent. Where the owner is a file a ban is known at
the next question. A gate refuses at once while a ban lasts, rather than let its caller hang for
minutes.

The actor holds nothing that must outlive it. Started again, it lends nothing until all that it may
have lent before is over, and learns of a ban from the gates, which tell what they know when they
find it new and with every question. While it starts a gate asks again, and says so at last.
"""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import ray

from actors.venue.faults import AddressBanned, VenueUnreachable
from engines.live.rate_budget import Lease, RateBook, RateBudget

LEASE_REQUESTS_MAX = 32
BANNED_STATUSES = (403, 418)  # 418 is Binance's
BAN_MS_MAX = 86_400_000
CLOSED_MS_MAX = 300_000  # A route that waits is silent, so never for longer than this.


LISTEN_S = 30  # so that the question of a gate that is gone does not stay open
OWNER_S, OWNER_TRIES, OWNER_RETRY_MS = 5, 20, 1_000


class GateClock(Protocol):
    """A clock that never goes back, and a way to wait by it."""

    def now_ms(self) -> int:
        """Return the time."""
        ...

    async def sleep(self, wait_ms: float) -> None:
        """Return after so long."""
        ...


class SteadyClock:
    """This machine's steady clock."""

    def now_ms(self) -> int:
        """Return the milliseconds since the machine started."""
        return time.monotonic_ns() // 1_000_000

    async def sleep(self, wait_ms: float) -> None:
        """Sleep."""
        await asyncio.sleep(wait_ms / 1000)


class BudgetOwner:
    """The one place where the requests of an address are counted.

    Resources as an actor: no CPU, no state to recover (see above).
    """

    def __init__(self, book: RateBook, clock: GateClock | None = None) -> None:
        self._clock = clock or SteadyClock()
        self._budget = RateBudget(book, self._clock.now_ms(), is_forgetful=_is_started_again())
        self._bans = 0
        self._banned = asyncio.Event()

    async def lease(self, route: str, wanted: int, banned_ms: int = 0) -> Lease:
        """Lend, or say how long to wait; the gate knows of a ban with `banned_ms` to go."""
        now_ms = self._clock.now_ms()
        if banned_ms > self._budget.banned_ms(now_ms):
            await self.ban(banned_ms)
        return self._budget.lease(route, wanted, now_ms)

    async def ban(self, left_ms: int) -> None:
        """Stop everybody: a 403 was seen."""
        self._budget.ban(self._clock.now_ms(), left_ms)
        self._bans += 1
        self._banned.set()
        self._banned = asyncio.Event()

    async def next_ban(self, known: int) -> tuple[int, int]:
        """Return how many bans there were and how long the last lasts, once one is news.

        Where none comes the answer is the same as before, and is to be asked for again.
        """
        if self._bans <= known:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._banned.wait(), LISTEN_S)
        return self._bans, self._budget.banned_ms(self._clock.now_ms())

    async def throttled(self, route: str, wait_ms: int, is_address: bool = False) -> None:
        """Lend nothing for a route, or for all that the address shares, for so long."""
        self._budget.throttled(route, wait_ms, self._clock.now_ms(), is_address)

    async def told_limit(self, route: str, tokens: int) -> None:
        """Take over the limit that the venue states for an account's route."""
        self._budget.told_limit(route, tokens)

    async def lent(self) -> Mapping[str, int]:
        """Return how many tokens of each bucket are out."""
        return self._budget.lent()


def _is_started_again() -> bool:
    if not ray.is_initialized():
        return False
    context: Any = ray.get_runtime_context()
    return context.get_actor_id() is not None and context.was_current_actor_reconstructed


class _Remote:
    """An owner that is an actor: the same methods, awaited."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handle, name).remote


@dataclass(slots=True)
class _Stock:
    """What a gate was lent for one route and has not used."""

    requests: int = 0
    until_ms: int = 0
    wanted: int = 1


class Gate:
    """One sender's way to the budget: `acquire` before each request, `told` after it."""

    def __init__(self, owner: Any, book: RateBook, clock: GateClock | None = None) -> None:
        """Take a `BudgetOwner`, or the handle of the actor that is one, and its book."""
        self._book = book
        self._is_remote = isinstance(owner, ray.actor.ActorHandle)
        self._owner = _Remote(owner) if self._is_remote else owner
        self._clock = clock or SteadyClock()
        self._stocks: dict[str, _Stock] = {}
        self._asking: dict[str, asyncio.Lock] = {}
        self._limits: dict[str, int] = {}
        self._told: set[asyncio.Future[None]] = set()
        self._banned_until_ms = 0
        self._listener: asyncio.Task[None] | None = None

    async def acquire(self, route: str) -> None:
        """Return when one request of this route may be sent, at once.

        Raises: AddressBanned while nothing may be.
        """
        if self._is_remote and self._listener is None:
            self._listener = asyncio.create_task(self._listen())
        while True:
            self.require_open()
            if self._take(route):
                return
            async with self._asking.setdefault(route, asyncio.Lock()):
                wait_ms = 0 if self._has(route) else await self._ask(route)
                # Asleep with the lock held: whoever else waits for this route waits in line.
                if wait_ms and not self.banned_ms():
                    await self._clock.sleep(wait_ms)

    def require_open(self) -> None:
        """Raise AddressBanned while nothing may be sent."""
        if (left_ms := self.banned_ms()) > 0:
            found = f"a ban for another {left_ms / 60_000:.1f} minutes"
            raise AddressBanned("requests", AddressBanned.wanted, found, "403", left_ms)

    def told(self, route: str, status: int, headers: Mapping[str, str]) -> None:
        """Take in what a reply says of the limits; a ban holds here from now on."""
        if status in BANNED_STATUSES:
            left_ms = min(BAN_MS_MAX, asked_wait_ms(headers) or self._book.ban_ms)
            self._close(left_ms)
            self._tell(self._owner.ban(left_ms))
        limit = stated(headers, self._book.limit_header)
        if limit.isdecimal() and self._limits.get(route) != int(limit):
            self._limits[route] = int(limit)
            self._tell(self._owner.told_limit(route, int(limit)))

    def throttled(self, route: str, wait_ms: int, is_address: bool = False) -> None:
        """Stop a route, or all that the address shares: the venue refused a request.

        What was lent of other routes is given up too: it may count against the same limit.
        """
        self._stocks.clear()
        self._tell(self._owner.throttled(route, min(wait_ms, CLOSED_MS_MAX), is_address))

    async def close(self) -> None:
        """Listen no more."""
        await asyncio.gather(*self._told, return_exceptions=True)
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
            self._listener = None

    def _has(self, route: str) -> bool:
        stock = self._stocks.get(route)
        return stock is not None and stock.requests > 0 and self._clock.now_ms() < stock.until_ms

    def _take(self, route: str) -> bool:
        if not self._has(route):
            return False
        self._stocks[route].requests -= 1
        return True

    async def _ask(self, route: str) -> int:
        """Ask the owner; return how long to wait where it lends nothing.

        A lease counts from the asking, which is before the granting: so it is over here first.
        """
        stock = self._stocks.setdefault(route, _Stock())
        # What was used up is asked for twice over, what ran out by time half: neither a busy gate
        # asks often nor does an idle one keep tokens from others.
        is_used_up = stock.requests == 0
        wanted = stock.wanted * 2 if is_used_up else stock.wanted // 2
        wanted = max(1, min(LEASE_REQUESTS_MAX, wanted))
        asked_ms, lease = await self._lease(route, wanted)
        stock.requests, stock.until_ms = lease.requests, asked_ms + lease.ttl_ms
        stock.wanted = max(1, lease.requests)
        if lease.is_banned:  # Not heard of it yet.
            self._close(lease.wait_ms)
        return lease.wait_ms

    async def _lease(self, route: str, wanted: int) -> tuple[int, Lease]:
        """Return when the owner was asked and what it lent, also if it has to start again."""
        for _ in range(OWNER_TRIES):
            asked_ms = self._clock.now_ms()
            try:
                question = self._owner.lease(route, wanted, self.banned_ms())
                return asked_ms, await asyncio.wait_for(question, OWNER_S)
            except (ray.exceptions.RayError, TimeoutError):
                await self._clock.sleep(OWNER_RETRY_MS)
        found = f"none to {OWNER_TRIES} questions"
        raise VenueUnreachable("budget of requests", "an answer of its owner", found)

    def _tell(self, message: Any) -> None:
        told: asyncio.Future[None] = asyncio.ensure_future(message)
        self._told.add(told)
        told.add_done_callback(self._forget)

    def _forget(self, told: "asyncio.Future[None]") -> None:
        self._told.discard(told)
        if not told.cancelled():
            told.exception()  # An owner that is gone learns of a ban from the listener.

    def banned_ms(self) -> int:
        """Return for how long nothing may be sent, as far as is known here."""
        return max(0, self._banned_until_ms - self._clock.now_ms())

    def _close(self, left_ms: int) -> None:
        self._banned_until_ms = max(self._banned_until_ms, self._clock.now_ms() + left_ms)

    async def _listen(self) -> None:
        known, is_new = 0, False
        while True:
            try:
                # A gate that is banned asks for nothing, so a new owner is told of it here.
                if is_new and self.banned_ms():
                    await self._owner.ban(self.banned_ms())
                is_new = False
                known, left_ms = await self._owner.next_ban(known)
                self._close(left_ms)
            except ray.exceptions.RayError:
                known, is_new = 0, True  # A new owner counts anew.
                await self._clock.sleep(OWNER_RETRY_MS)


def stated(headers: Mapping[str, str], name: str) -> str:
    """Return what a reply's header says, however its name is spelled; "" if there is none."""
    return next((said for each, said in headers.items() if each.lower() == name.lower()), "")


def asked_wait_ms(headers: Mapping[str, str]) -> int:
    """Return for how long a reply asks to wait, 0 if it does not say."""
    seconds = stated(headers, "Retry-After")
    return int(seconds) * 1000 if seconds.isdecimal() and len(seconds) < 10 else 0


BudgetActor = ray.remote(num_cpus=0, max_restarts=-1)(BudgetOwner)
