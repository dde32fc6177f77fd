"""Open the venue that the settings name. ccxt takes seconds to import, so it is imported here."""

from typing import TYPE_CHECKING

from actors.venue import bybit_rules
from actors.venue.gate import open_gate
from actors.venue.settings import SIM, VenueSettings, endpoint, without_keys
from cluster.settings import SettingsFault

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

        return binance.open_binance(settings, open_gate(host, binance.BOOK))
    from actors.venue import bybit

    return bybit.open_bybit(settings, open_gate(host, bybit_rules.BOOK))
