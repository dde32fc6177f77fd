"""Every route of the venue in one table: how it is asked, who may, how often, and what answers.

Limits are requests a second and uid, of a linear and of a spot request; public routes have none of
their own, only the address's.
Source: Bybit v5, "Rate Limit Rules".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from actors.venue_sim import public, reading, rules, trading
from actors.venue_sim.listing import Market
from actors.venue_sim.trading import Desk
from actors.venue_sim.wire import Payload

PublicAct = Callable[[Market, Mapping[str, str], int], Payload]
PrivateAct = Callable[[Desk, Mapping[str, Any]], Payload]


@dataclass(frozen=True, slots=True)
class PrivateRoute:
    """A signed route: what answers it, and how often it may be asked."""

    act: PrivateAct
    limit: int
    limit_spot: int = 0

    def limit_of(self, body: Mapping[str, Any]) -> int:
        """Return the limit for a request's category."""
        return self.limit_spot if self.limit_spot and body.get("category") == "spot" else self.limit


PUBLIC: dict[str, PublicAct] = {
    "/v5/market/time": public.server_time,
    "/v5/market/instruments-info": rules.instruments,
    "/v5/market/kline": public.klines,
    "/v5/market/mark-price-kline": public.mark_klines,
    "/v5/market/funding/history": public.funding_history,
    "/v5/market/tickers": public.tickers,
    "/v5/market/orderbook": public.orderbook,
    "/v5/market/recent-trade": public.recent_trades,
    "/v5/market/risk-limit": rules.risk_limits,
}
PAGED = frozenset({"/v5/market/kline", "/v5/market/mark-price-kline", "/v5/market/funding/history"})
READING = {
    "/v5/order/realtime": PrivateRoute(reading.realtime, 50),
    "/v5/order/history": PrivateRoute(reading.history, 50),
    "/v5/execution/list": PrivateRoute(reading.executions, 50),
    "/v5/position/list": PrivateRoute(reading.positions, 50),
    "/v5/account/wallet-balance": PrivateRoute(reading.wallet, 50),
    "/v5/account/fee-rate": PrivateRoute(reading.fee_rates, 5),
    "/v5/account/info": PrivateRoute(reading.account_modes, 50),
    "/v5/asset/coin/query-info": PrivateRoute(reading.coins, 5),
    "/v5/user/query-api": PrivateRoute(reading.key_terms, 10),
}
TRADING = {
    "/v5/order/create": PrivateRoute(trading.create, 10, 20),
    "/v5/order/amend": PrivateRoute(trading.amend, 10),
    "/v5/order/cancel": PrivateRoute(trading.cancel, 10, 20),
    "/v5/order/cancel-all": PrivateRoute(trading.cancel_all, 10, 20),
    "/v5/position/set-leverage": PrivateRoute(trading.set_leverage, 10),
    "/v5/position/switch-mode": PrivateRoute(trading.switch_mode, 10),
    "/v5/position/trading-stop": PrivateRoute(trading.trading_stop, 10),
}
PRIVATE = {"GET": READING, "POST": TRADING}
