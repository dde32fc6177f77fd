"""One call to a venue: retried while that can help, its failure one typed sentence.

Theory. A call passes the circuit breaker, then the budget (inside ccxt, `hooks`), then the network.
What fails becomes a `VenueFault` by the return code in the reply, else by the HTTP status, else by
ccxt's class; an error that is not even ccxt's means a reply that cannot be read.
A retryable one is tried again, after the wait the venue asked for or after a delay that doubles;
each attempt is a whole new request with a new signature. All calls made here only ask: an order
is never repeated by this module, because a lost reply leaves its outcome unknown.

Failures of the way (`VenueUnreachable`) count for the breaker; a refusal shows that the venue is
there. Keys that were refused once are not tried again: the account halts until it is opened anew.

Secrets: a venue may repeat the key in its reply, so every text passes `scrubbed`, nothing keeps
ccxt's own exception, and ccxt's log, which shows signed headers, stays at warnings.
"""

import json
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

import stamina
from ccxt.base import errors as ccxt_errors

from actors.venue.faults import (
    AddressBanned,
    AddressLimited,
    ClockWrong,
    FundsShort,
    KeysRefused,
    OrderDuplicate,
    OrderRefused,
    OrderUnknown,
    PermissionRefused,
    RateLimited,
    RefusedUnnamed,
    RegionRefused,
    RequestRefused,
    SymbolRefused,
    VenueFault,
    VenueResting,
    VenueUnreachable,
)
from actors.venue.gate import CLOSED_MS_MAX, asked_wait_ms, stated
from actors.venue.hooks import REPLY, Gated, Reply
from engines.live.breaker import Breaker
from engines.live.venue_clock import VenueClock

T = TypeVar("T")
ATTEMPTS_MAX = 8
ATTEMPTS_AT_FIRST = 4  # A venue that has never answered is given up within a second or two.
RATE_WAIT_MS = 1_000
FOUND_LENGTH_MAX = 200
RESET_HEADER = "X-Bapi-Limit-Reset-Timestamp"

# The first that fits decides, so a class stands before those it derives from.
CCXT_KINDS: tuple[tuple[type[Exception], type[VenueFault]], ...] = (
    (ccxt_errors.BadSymbol, SymbolRefused),
    (ccxt_errors.PermissionDenied, PermissionRefused),
    (ccxt_errors.AuthenticationError, KeysRefused),
    (ccxt_errors.RestrictedLocation, RegionRefused),
    (ccxt_errors.InsufficientFunds, FundsShort),
    (ccxt_errors.OrderNotFound, OrderUnknown),
    (ccxt_errors.DuplicateOrderId, OrderDuplicate),
    (ccxt_errors.InvalidOrder, OrderRefused),
    (ccxt_errors.RateLimitExceeded, RateLimited),
    (ccxt_errors.DDoSProtection, RateLimited),
    (ccxt_errors.InvalidNonce, ClockWrong),
    (ccxt_errors.OperationFailed, VenueUnreachable),
    (ccxt_errors.BadRequest, RequestRefused),
    (ccxt_errors.ArgumentsRequired, RequestRefused),
    (ccxt_errors.NotSupported, RequestRefused),
)

logging.getLogger("ccxt").setLevel(logging.WARNING)
logging.getLogger("stamina").setLevel(logging.ERROR)  # Retries are counted and told in sum.


class Refusals:
    """How one venue says no: its codes and statuses as kinds of fault."""

    def __init__(
        self,
        kind_of_code: Callable[[str], type[VenueFault]],
        kind_of_status: Callable[[int], type[VenueFault] | None],
        code_names: tuple[str, str],
    ) -> None:
        """Take the tables and the names of the code and of its text in a reply."""
        self.kind_of_code = kind_of_code
        self.kind_of_status = kind_of_status
        self._code_name, self._text_name = code_names

    def said(self, error: Exception) -> tuple[str, str]:
        """Return the code and the text of the reply that ccxt's exception quotes, "" for none."""
        text = str(error)
        try:
            reply = json.loads(text[text.index("{") :])
        except ValueError:
            return "", ""
        if not isinstance(reply, dict) or self._code_name not in reply:
            return "", ""
        return str(reply[self._code_name]), str(reply.get(self._text_name, ""))

    def kind(self, code: str, status: int, error: Exception) -> type[VenueFault]:
        """Return which fault it is."""
        if self.kind_of_status(status) is AddressBanned:  # Whatever the reply says beside.
            return AddressBanned
        by_code = self.kind_of_code(code) if code not in ("", "0") else RefusedUnnamed
        if by_code is not RefusedUnnamed:
            return by_code
        if code == "" and (by_status := self.kind_of_status(status)) is not None:
            return by_status
        if not isinstance(error, ccxt_errors.BaseError):
            return VenueUnreachable  # A reply of another shape than ccxt reads.
        if type(error) is ccxt_errors.ExchangeError and code == "":
            return VenueUnreachable  # A transfer that broke off.
        return next((kind for known, kind in CCXT_KINDS if isinstance(error, known)), by_code)


class Caller:
    """Makes the calls of one exchange object."""

    def __init__(self, exchange: Gated, refusals: Refusals, secrets: Iterable[str]) -> None:
        """Take the exchange, its tables, and what no text may contain."""
        self.exchange = exchange
        self.clock = VenueClock()
        self.retries = 0
        self._refusals = refusals
        self._secrets = tuple(secret for secret in secrets if secret)
        self._breaker = Breaker()
        self._halted: VenueFault | None = None
        self._is_reached = False

    async def ask(self, subject: str, request: Callable[[], Awaitable[T]]) -> T:
        """Return what the venue answers to a question that changes nothing.

        Raises: VenueFault.
        """
        attempts = ATTEMPTS_MAX if self._is_reached else ATTEMPTS_AT_FIRST
        async for attempt in stamina.retry_context(
            on=_wait_s, attempts=attempts, timeout=None, wait_initial=0.1, wait_jitter=0.1
        ):
            with attempt:
                self.retries += attempt.num > 1
                return await self._once(subject, request)
        raise AssertionError("stamina lets the last failure through")

    async def ask_signed(self, subject: str, request: Callable[[], Awaitable[T]]) -> T:
        """Return what the venue answers to a signed question.

        Raises: VenueFault; at once, once keys were refused.
        """

        async def with_clock() -> T:
            if self.clock.is_stale(_now_ms()):
                await self.time_ms()
            return await request()

        if self._halted is not None:
            raise self._halted
        try:
            return await self.ask(subject, with_clock)
        except VenueFault as fault:
            if fault.halts:  # Never undone: a call that was under way may end otherwise.
                self._halted = fault
            raise

    async def time_ms(self) -> int:
        """Return the venue's time, and learn by how much our clock differs."""
        sent_ms = _now_ms()
        venue_ms: int = await self.exchange.fetch_time()
        self.clock.learn(sent_ms, venue_ms, _now_ms())
        self.exchange.options["timeDifference"] = -self.clock.offset_ms
        return venue_ms

    async def _once(self, subject: str, request: Callable[[], Awaitable[T]]) -> T:
        if (wait_ms := self._breaker.admit(sent_ms := _steady_ms())) > 0:
            found = f"none: {self._breaker.failures} failures in a row"
            raise VenueResting(subject, VenueResting.wanted, found, "", wait_ms)
        token = REPLY.set(reply := Reply())
        try:
            answer = await request()
        except VenueFault as fault:
            self._note(fault, reply, sent_ms)
            raise
        except Exception as error:  # ccxt lets out whatever it meets in a reply that is none.
            refused = self._fault(subject, error, reply)
        else:
            self._breaker.succeeded()
            self._is_reached = True
            return answer
        finally:
            REPLY.reset(token)
        self._note(refused, reply, sent_ms)
        raise refused  # Outside of the handler, so that ccxt's exception does not hang on it.

    def _note(self, fault: VenueFault, reply: Reply, sent_ms: int) -> None:
        """Draw the consequences: for the breaker, the budget, the clock."""
        if isinstance(fault, VenueUnreachable):
            self._breaker.failed(_steady_ms(), sent_ms)
        elif not isinstance(fault, AddressBanned):
            self._breaker.succeeded()
        if isinstance(fault, RateLimited):
            is_address = isinstance(fault, AddressLimited)
            self.exchange.gate.throttled(reply.route, fault.wait_ms, is_address)
        if isinstance(fault, ClockWrong):
            self.clock.forget()

    def _fault(self, subject: str, error: Exception, reply: Reply) -> VenueFault:
        code, text = self._refusals.said(error)
        kind = self._refusals.kind(code, reply.status, error)
        wait_ms = self._wait_ms(reply.headers) if issubclass(kind, RateLimited) else 0
        if kind is AddressBanned:
            wait_ms = self.exchange.gate.banned_ms()
        found = self.scrubbed(_words(code, text, reply.status, error))
        if wait_ms > CLOSED_MS_MAX and issubclass(kind, RateLimited):
            found += f", to be asked again in {wait_ms / 60_000:.0f} minutes"
        return kind(subject, kind.wanted, found, code or str(reply.status or ""), wait_ms)

    def _wait_ms(self, headers: Mapping[str, str]) -> int:
        if wait_ms := asked_wait_ms(headers):
            return wait_ms
        reset = stated(headers, RESET_HEADER)
        if reset.isdecimal() and self.clock.is_known:
            return min(60_000, max(1, int(reset) - self.clock.at(_now_ms())))
        return RATE_WAIT_MS

    def scrubbed(self, text: str) -> str:
        """Return a text of bounded length without any secret in it."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        text = " ".join(text.split())
        return text if len(text) <= FOUND_LENGTH_MAX else text[: FOUND_LENGTH_MAX - 3] + "..."


def _words(code: str, text: str, status: int, error: Exception) -> str:
    """Return what was found, in words."""
    if code not in ("", "0"):
        return f"{text or 'a refusal'} ({code})"
    if status >= 400:
        return f"HTTP {status}"
    cause = error.__cause__
    if cause is not None:
        return f"none: {cause or type(cause).__name__}"
    return f"{type(error).__name__}: {error}"


def _wait_s(error: Exception) -> bool | float:
    """Return whether to try again, or after how long exactly; nobody waits in silence for long."""
    if not isinstance(error, VenueFault) or not error.is_retryable:
        return False
    if error.wait_ms > CLOSED_MS_MAX:
        return False
    return error.wait_ms / 1000 if error.wait_ms else True


def _now_ms() -> int:
    """Return the system's time, by which requests are signed."""
    return time.time_ns() // 1_000_000


def _steady_ms() -> int:
    return time.monotonic_ns() // 1_000_000
