"""Bybit v5 by ccxt: linear perpetuals and spot, on mainnet, demo, testnet or a local server.

Demo trading has the real market and play money, so its bars are Bybit's own; the testnet's market
is another one and its series have another name.
Source: Bybit v5, "Demo Trading Service"; the limits, `bybit_rules`; the codes, `bybit_codes`.
"""

from typing import Any

from ccxt.pro.bybit import bybit

from actors.venue.bybit_codes import kind_of_code, kind_of_status
from actors.venue.calls import Caller, Refusals
from actors.venue.gate import Gate
from actors.venue.hooks import Gated, Told, moved
from actors.venue.market import CcxtVenue
from actors.venue.settings import VenueEnvironment, VenueSettings

PAGE_BARS = 1000
# A spot subscription names at most 10 topics; of the perpetuals', the request's length is limited.
TOPICS_AT_ONCE = {True: 10, False: 200}


class GatedBybit(Gated, bybit):  # type: ignore[misc]  # ccxt carries no types
    """ccxt.pro's Bybit behind the gate, with what it leaves out of a bar kept."""

    sent_ms = 0

    def parse_ohlcv(self, ohlcv: Any, market: Any = None) -> list[Any]:
        """Return a bar as ccxt does, and its turnover where there is one."""
        row: list[Any] = super().parse_ohlcv(ohlcv, market)
        return [*row, self.safe_number(ohlcv, 6)]

    def handle_ohlcv(self, client: Any, message: Any) -> None:
        """Let ccxt take in a message; its rows carry the last trade's time only, it its own."""
        self.sent_ms = message.get("ts") or 0
        super().handle_ohlcv(client, message)

    def parse_ws_ohlcv(self, ohlcv: Any, market: Any = None) -> list[Any]:
        """Return a streamed bar as ccxt does, and tell it with what says whether it is closed."""
        row: list[Any] = super().parse_ws_ohlcv(ohlcv, market)
        if self.told_kline is not None:
            timeframe = self.find_timeframe(self.safe_string(ohlcv, "interval"))
            confirm = self.safe_bool(ohlcv, "confirm")
            turnover = self.safe_number(ohlcv, "turnover")
            symbol = market["symbol"]
            self.told_kline(Told(symbol, timeframe, row, turnover, confirm, self.sent_ms))
        return row


class BybitVenue(CcxtVenue):
    """Bybit, or a server that speaks as it does."""

    async def require_keys(self) -> None:
        """Ask for the wallet, so that wrong keys are known before anything depends on them.

        Raises: KeysRefused, after which no signed request is sent any more.
        """
        await self._caller.ask_signed(f"wallet of {self._name}", self._exchange.fetch_balance)


def open_bybit(settings: VenueSettings, gate: Gate) -> BybitVenue:
    """Return the venue of these settings; nothing is sent yet."""
    key, secret = settings.secrets()
    options = {"fetchMarkets": {"types": ["spot", "linear"]}, "defaultType": "swap"}
    timeout_ms = int(settings.venue_timeout_s * 1000)
    exchange = GatedBybit(
        {"apiKey": key, "secret": secret, "timeout": timeout_ms, "options": options}
    )
    exchange.gate = gate
    exchange.has["fetchCurrencies"] = False  # It wants keys, and nothing here wants currencies.
    if settings.venue_environment is VenueEnvironment.DEMO:
        exchange.enable_demo_trading(True)
    elif settings.venue_environment is VenueEnvironment.TESTNET:
        exchange.set_sandbox_mode(True)
    if settings.venue_url is not None:
        exchange.urls["api"] = moved(exchange.urls["api"], settings.venue_url)
    refusals = Refusals(kind_of_code, kind_of_status, ("retCode", "retMsg"))
    caller = Caller(exchange, refusals, (key, secret))
    return BybitVenue(settings.series_venue, exchange, caller, PAGE_BARS, TOPICS_AT_ONCE)
