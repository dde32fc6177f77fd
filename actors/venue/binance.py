"""Binance's USD-margined perpetuals by ccxt, for market data only.

A request costs a weight by its route; the address has 2,400 a minute. What is refused with 429 says
in Retry-After how long to wait, and who goes on is banned with 418.
Source: Binance USDⓈ-M futures, "General Info" and "Error Codes".
"""

from typing import Any

from ccxt.pro.binanceusdm import binanceusdm

from actors.venue.calls import Caller, Refusals
from actors.venue.faults import (
    AddressBanned,
    AddressLimited,
    ClockWrong,
    KeysRefused,
    RateLimited,
    RefusedUnnamed,
    RegionRefused,
    RequestRefused,
    SymbolRefused,
    VenueFault,
    VenueUnreachable,
)
from actors.venue.gate import Gate
from actors.venue.hooks import Gated, Told, moved
from actors.venue.market import CcxtVenue
from actors.venue.settings import VenueEnvironment, VenueSettings
from cluster.settings import SettingsFault
from engines.live.rate_budget import RateBook, RateRule, Route

PAGE_BARS = 500  # ccxt: wider ranges do not come back whole
ADDRESS, FUNDING = "address", "funding"
BOOK = RateBook(
    rules={ADDRESS: RateRule(1_900, 60_000), FUNDING: RateRule(400, 300_000)},
    otherwise=Route((ADDRESS,)),
    routes={
        "GET /klines": Route((ADDRESS,), cost=5),
        "GET /markPriceKlines": Route((ADDRESS,), cost=5),
        "GET /fundingRate": Route((ADDRESS, FUNDING)),
    },
)
CODES: dict[str, type[VenueFault]] = {
    "-1000": VenueUnreachable,
    "-1001": VenueUnreachable,
    "-1003": AddressLimited,
    "-1006": VenueUnreachable,
    "-1007": VenueUnreachable,
    "-1008": RateLimited,
    "-1021": ClockWrong,
    "-1121": SymbolRefused,
    "-2014": KeysRefused,
    "-2015": KeysRefused,
}
STATUSES: dict[int, type[VenueFault]] = {
    400: RequestRefused,
    401: KeysRefused,
    403: AddressBanned,
    418: AddressBanned,
    429: AddressLimited,
    451: RegionRefused,
}
TOPICS_AT_ONCE = {True: 1, False: 200}


class GatedBinance(Gated, binanceusdm):  # type: ignore[misc]  # ccxt carries no types
    """ccxt.pro's Binance USD-M behind the gate, with what it leaves out of a bar kept."""

    def parse_ohlcv(self, ohlcv: Any, market: Any = None) -> list[Any]:
        """Return a bar as ccxt does, and its turnover where there is one."""
        row: list[Any] = super().parse_ohlcv(ohlcv, market)
        return [*row, self.safe_number(ohlcv, 7)]

    def handle_ohlcv(self, client: Any, message: Any) -> None:
        """Let ccxt keep a streamed bar, and tell it with what says whether it is closed."""
        super().handle_ohlcv(client, message)
        kline = message.get("k")
        if self.told_kline is None or not isinstance(kline, dict):
            return
        symbol = self.safe_symbol(kline.get("s"), None, None, "contract")
        timeframe = self.find_timeframe(kline.get("i"))
        row = [self.safe_number(kline, name) for name in ("t", "o", "h", "l", "c", "v")]
        row[0] = self.safe_integer(kline, "t")
        turnover, is_closed = self.safe_number(kline, "q"), self.safe_bool(kline, "x")
        self.told_kline(Told(symbol, timeframe, row, turnover, is_closed, message.get("E") or 0))


def kind_of_code(code: str) -> type[VenueFault]:
    """Return which refusal one of Binance's codes is."""
    return CODES.get(code, RefusedUnnamed)


def kind_of_status(status: int) -> type[VenueFault] | None:
    """Return which refusal an HTTP status is by itself."""
    if status in STATUSES:
        return STATUSES[status]
    return VenueUnreachable if status >= 500 else None


def open_binance(settings: VenueSettings, gate: Gate) -> CcxtVenue:
    """Return the venue of these settings, without keys; nothing is sent yet."""
    exchange = GatedBinance({"timeout": int(settings.venue_timeout_s * 1000)})
    if settings.venue_environment is not VenueEnvironment.MAINNET:
        expected = "mainnet, which alone is read here"
        raise SettingsFault("environment of binance", expected, settings.venue_environment)
    exchange.gate = gate
    exchange.has["fetchCurrencies"] = False
    if settings.venue_url is not None:
        exchange.urls["api"] = moved(exchange.urls["api"], settings.venue_url)
    caller = Caller(exchange, Refusals(kind_of_code, kind_of_status, ("code", "msg")), ())
    return CcxtVenue(settings.series_venue, exchange, caller, PAGE_BARS, TOPICS_AT_ONCE)
