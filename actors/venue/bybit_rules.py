"""Bybit's rate limits as a budget's book.

Source: Bybit v5, "Rate Limit Rules": 600 requests in 5 s an address, for everything; per second and
account on private routes. The address's rule keeps a fifth below, as the page itself advises
against the edge. An account that has less says so in its replies, and the budget takes it over;
what one has beyond this is not used, since a bucket serves all accounts of the address.
"""

from engines.live.rate_budget import RateBook, RateRule, Route

ADDRESS = "address"
ACCOUNT_LIMITS = {
    # requests a second and account
    "POST /v5/order/create": 10,
    "POST /v5/order/amend": 10,
    "POST /v5/order/cancel": 10,
    "POST /v5/order/cancel-all": 10,
    "GET /v5/order/realtime": 50,
    "GET /v5/order/history": 50,
    "GET /v5/execution/list": 50,
    "GET /v5/position/list": 50,
    "POST /v5/position/set-leverage": 10,
    "POST /v5/position/switch-mode": 10,
    "POST /v5/position/trading-stop": 10,
    "GET /v5/account/wallet-balance": 50,
    "GET /v5/account/info": 50,
    "GET /v5/user/query-api": 10,
}
BOOK = RateBook(
    rules={ADDRESS: RateRule(480, 5_000)}
    | {route: RateRule(limit, 1_000) for route, limit in ACCOUNT_LIMITS.items()},
    otherwise=Route((ADDRESS,)),
    routes={route: Route((ADDRESS, route)) for route in ACCOUNT_LIMITS},
    limit_header="X-Bapi-Limit",
)
