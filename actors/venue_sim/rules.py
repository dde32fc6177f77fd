"""The rules of what is listed, as the venue writes them: instruments and risk limits.

What the files do not tell (launch, largest orders, funding caps) is that of the documented BTCUSDT.
Source: Bybit v5, "Get Instruments Info", "Get Risk Limit".
"""

from collections.abc import Mapping

from actors.venue_sim.listing import INVERSE, LINEAR, SPOT, Listed, Market, category_of
from actors.venue_sim.wire import Payload, limit_of, number_text

LEVERAGE_MAX = "100.00"
FUNDING_CAP = "0.00375"
QTY_MAX_STEPS = 1_190_000
LAUNCH_MS = 1_585_526_400_000

Query = Mapping[str, str]


def instruments(market: Market, query: Query, now_ms: int) -> Payload:
    """Return the rules of what is listed, 500 symbols a page in the order of their names."""
    category = category_of(query)
    listed = market.of(category)
    if symbol := query.get("symbol"):
        listed = [market.find(category, symbol)]
    if base := query.get("baseCoin"):
        listed = [one for one in listed if one.base == base]
    if query.get("status", "Trading") != "Trading":
        listed = []
    if category == SPOT:
        return {"category": category, "list": [spot_row(one) for one in listed]}
    limit = limit_of(query, default=500, highest=1000)
    listed = [one for one in listed if one.name > query.get("cursor", "")]
    page = listed[:limit]
    cursor = page[-1].name if len(listed) > limit else ""
    rows = [linear_row(one, place) for place, one in enumerate(page, start=1)]
    return {"category": category, "list": rows, "nextPageCursor": cursor}


def linear_row(one: Listed, symbol_id: int) -> Payload:
    """Return a perpetual's rules."""
    rules = one.instrument
    tick = number_text(rules.tick_size)
    return {
        "symbol": one.name,
        "symbolId": symbol_id,
        "contractType": "LinearPerpetual",
        "status": "Trading",
        "baseCoin": one.base,
        "quoteCoin": one.quote,
        "launchTime": str(LAUNCH_MS),
        "deliveryTime": "0",
        "deliveryFeeRate": "",
        "priceScale": str(one.base_tape.grain.price),
        "leverageFilter": {
            "minLeverage": "1",
            "maxLeverage": LEVERAGE_MAX,
            "leverageStep": "0.01",
        },
        "priceFilter": {
            "minPrice": tick,
            "maxPrice": number_text(rules.price_of(19_999_998)),
            "tickSize": tick,
        },
        "lotSizeFilter": _lot_sizes(one),
        "unifiedMarginTrade": True,
        "fundingInterval": one.listing.funding_interval_ms // 60_000,
        "settleCoin": one.quote,
        "copyTrading": "both",
        "upperFundingRate": FUNDING_CAP,
        "lowerFundingRate": f"-{FUNDING_CAP}",
        "isPreListing": False,
        "preListingInfo": None,
        "riskParameters": {"priceLimitRatioX": "0.01", "priceLimitRatioY": "0.02"},
        "symbolType": "",
    }


def _lot_sizes(one: Listed) -> Payload:
    rules = one.instrument
    qty_max = number_text(rules.qty_of(QTY_MAX_STEPS))
    return {
        "maxOrderQty": qty_max,
        "minOrderQty": number_text(rules.qty_min),
        "qtyStep": number_text(rules.qty_step),
        "postOnlyMaxOrderQty": qty_max,
        "maxMktOrderQty": qty_max,
        "minNotionalValue": number_text(rules.notional_min),
    }


def spot_row(one: Listed) -> Payload:
    """Return a spot market's rules."""
    rules = one.instrument
    qty_max = number_text(rules.qty_of(QTY_MAX_STEPS))
    return {
        "symbolId": 1,
        "symbol": one.name,
        "baseCoin": one.base,
        "quoteCoin": one.quote,
        "innovation": "0",
        "status": "Trading",
        "marginTrading": "utaOnly",
        "stTag": "0",
        "lotSizeFilter": {
            "basePrecision": number_text(rules.qty_step),
            "quotePrecision": "0.0000001",
            "minOrderQty": number_text(rules.qty_min),
            "maxOrderQty": qty_max,
            "minOrderAmt": number_text(rules.notional_min),
            "maxOrderAmt": "8000000",
            "maxLimitOrderQty": qty_max,
            "maxMarketOrderQty": qty_max,
            "postOnlyMaxLimitOrderSize": qty_max,
        },
        "priceFilter": {"tickSize": number_text(rules.tick_size)},
        "riskParameters": {"priceLimitRatioX": "0.005", "priceLimitRatioY": "0.01"},
        "symbolType": "",
    }


def risk_limits(market: Market, query: Query, now_ms: int) -> Payload:
    """Return the margin tiers of a perpetual, or of all."""
    category = category_of(query, (LINEAR, INVERSE))
    listed = market.of(category)
    if symbol := query.get("symbol"):
        listed = [market.find(category, symbol)]
    rows = [
        {
            "id": place,
            "symbol": one.name,
            "riskLimitValue": number_text(tier.notional_max),
            "maintenanceMargin": number_text(tier.maintenance_ratio),
            "initialMargin": number_text(1 / tier.leverage_max),
            "isLowestRisk": int(place == 1),
            "maxLeverage": number_text(tier.leverage_max),
            "mmDeduction": number_text(tier.deduction_quote or 0.0),
        }
        for one in listed
        for place, tier in enumerate(one.tiers, start=1)
    ]
    return {"category": category, "list": rows, "nextPageCursor": ""}
