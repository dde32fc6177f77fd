"""What a venue can refuse, one class for each thing that a caller would do differently.

Theory. A venue has some hundred return codes; a caller has few choices: try again, wait, ask the
venue what became of the order, change the order, halt. A class is one of these choices, and the
tables of codes (`bybit_codes`) say which class a code is. `is_retryable` means that the same
request may succeed unchanged in a while; of an order it also means that its outcome is unknown.
`halts` means that no request of this account can succeed until a person has changed something.
No text of a fault holds a key or a signature: whoever builds one scrubs what the venue sent.
"""

from typing import ClassVar

from engines.errors import Fault


class VenueFault(Fault):
    """A venue did not do what was asked; `code` is its own, "" where it gave none."""

    is_retryable: ClassVar[bool] = False
    halts: ClassVar[bool] = False
    wanted: ClassVar[str] = "an answer"  # what the sentence says was expected

    def __init__(
        self, subject: str, expected: str, found: str, code: str = "", wait_ms: int = 0
    ) -> None:
        super().__init__(subject, expected, found)
        self.code = code
        self.wait_ms = wait_ms
        self.args = (subject, expected, found, code, wait_ms)  # Crosses process borders whole.


class VenueUnreachable(VenueFault):
    """No answer, or none that can be read: a broken network, a busy or a restarting server."""

    is_retryable = True


class VenueResting(VenueFault):
    """Not asked at all: the circuit breaker is open after many failures in a row."""

    is_retryable = True
    wanted = "a venue that answers"


class RateLimited(VenueFault):
    """Too many requests; it may be asked again after `wait_ms`."""

    is_retryable = True
    wanted = "requests within the venue's rate limit"


class AddressLimited(RateLimited):
    """Too many requests of this address, on whatever routes."""


class AddressBanned(VenueFault):
    """HTTP 403: this address may send nothing for `wait_ms`."""

    wanted = "an address that may send requests"


class ClockWrong(VenueFault):
    """The time of a signed request is outside the venue's window: measure the clock again."""

    is_retryable = True
    wanted = "a request signed with the venue's time"


class KeysRefused(VenueFault):
    """Keys that are wrong, expired or of another environment."""

    halts = True
    wanted = "API keys that the venue accepts for this"


class PermissionRefused(VenueFault):
    """Keys that may not do this; what they may do goes on."""

    wanted = "API keys with the permission for this"


class RegionRefused(VenueFault):
    """Not offered where this account or address is."""

    halts = True
    wanted = "a service that is offered here"


class AccountRefused(VenueFault):
    """An account that is banned, of the wrong mode, being upgraded or not yet agreed to terms."""

    halts = True
    wanted = "an account that may do this"


class SymbolRefused(VenueFault):
    """A symbol that the venue does not list, or not for this account."""

    wanted = "a symbol that the venue trades"


class RequestRefused(VenueFault):
    """A request that is malformed, or of a kind that the venue does not know."""

    wanted = "a request that the venue understands"


class OrderUnknown(VenueFault):
    """No such order, as far as the venue knows (its list of closed ones is kept elsewhere)."""

    wanted = "an order that the venue knows"


class OrderFinal(VenueFault):
    """The order is filled, cancelled or locked: it cannot change any more."""

    wanted = "an order that can still change"


class OrderDuplicate(VenueFault):
    """The venue has this order already: it was accepted before."""

    wanted = "an order that was not sent before"


class OrderRefused(VenueFault):
    """The price, the quantity, the kind or the moment of an order is not allowed."""

    wanted = "an order within the instrument's rules"


class FundsShort(VenueFault):
    """The balance or the margin does not carry it."""

    wanted = "balance and margin enough"


class LimitReached(VenueFault):
    """The venue's limit of risk, position, leverage or open orders is reached."""

    wanted = "less than the venue's limit of risk and orders"


class ReduceOnly(VenueFault):
    """Only a smaller position is allowed now."""

    wanted = "a market that takes new positions"


class ModeRefused(VenueFault):
    """The margin, position or stop mode does not allow it now."""

    wanted = "an account mode that allows this now"


class NothingChanged(VenueFault):
    """It is so already: the wish is fulfilled."""

    wanted = "a setting that differs from the present one"


class ProductRefused(VenueFault):
    """A refusal of a product that is not traded here: loans, transfers, earn, quotes, bots."""

    wanted = "a request about a product that is traded here"


class RefusedUnnamed(VenueFault):
    """A code that no table knows: nothing is assumed about it."""

    wanted = "a reply whose code is known"
