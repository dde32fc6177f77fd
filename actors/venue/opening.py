"""Open the venue that the settings name. ccxt takes seconds to import, so it is imported here."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray

from actors.venue import bybit_rules
from actors.venue.budget_file import FiledOwner
from actors.venue.gate import BudgetActor, Gate
from actors.venue.settings import SIM, VenueSettings, endpoint, without_keys
from cluster.settings import SettingsFault
from engines.live.rate_budget import RateBook

if TYPE_CHECKING:
    from actors.venue.market import CcxtVenue

BYBIT, BINANCE = "bybit", "binance"
NAMES = (BYBIT, BINANCE, SIM)


def open_venue(settings: VenueSettings) -> "CcxtVenue":
    """Return the venue, on the budget that is shared with whoever else asks it.

    Raises: SettingsFault if there is no venue of this name.
    """
    if settings.venue not in NAMES:
        expected = f"{', '.join(NAMES)}, or the address of a local server"
        raise SettingsFault("venue", expected, repr(without_keys(settings.venue)))
    host = endpoint(settings.venue_url or "") or settings.venue
    if settings.venue == BINANCE:
        from actors.venue import binance

        return binance.open_binance(settings, open_gate(host, binance.BOOK, settings.budgets))
    from actors.venue import bybit

    return bybit.open_bybit(settings, open_gate(host, bybit_rules.BOOK, settings.budgets))


def open_gate(name: str, book: RateBook, folder: Path) -> Gate:
    """Return a gate to the budget of this name: the cluster's, or else this machine's."""
    if not ray.is_initialized():
        try:
            return Gate(FiledOwner(book, folder, name), book)
        except OSError as error:
            expected, found = "a folder that can be written", f"{folder}: {error.strerror}"
            raise SettingsFault("PHALANX_BUDGETS", expected, found) from None
    actor: Any = BudgetActor
    options = {"name": f"rate-budget-{name}", "get_if_exists": True, "lifetime": "detached"}
    return Gate(actor.options(**options).remote(book), book)
