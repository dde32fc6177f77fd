"""The public market routes: instruments, klines, funding, tickers, the book and the tape.

Each function takes the market, a request's parameters and the venue's time, and returns the
`result` of the reply. What the files cannot know is made up deterministically from what they do:
the book stands one tick around the last price, open interest and the order of the book are
constants of the listing. Every documented example is compared with these replies in tests.
Source: Bybit v5, the pages under "Market".
"""

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np

from actors.venue_sim import rules
from actors.venue_sim.listing import (
    INVERSE,
    LINEAR,
    OPTION,
    SPOT,
    Listed,
    Market,
    category_of,
    interval_of,
)
from actors.venue_sim.tape import Bar, Print, Tape
from actors.venue_sim.wire import (
    PARAMETER_ERROR,
    Payload,
    Refused,
    limit_of,
    number_text,
    required,
    whole_number,
)
from engines.klines import DAY_MS, HOUR_MS
from engines.series import PriceKind

Query = Mapping[str, str]

OPEN_INTEREST_STEPS = 50_000_000
BOOK_LEVELS = {LINEAR: (500, 25), SPOT: (200, 1)}
TRADES_LIMIT = {LINEAR: (1000, 500), SPOT: (60, 60)}


def server_time(market: Market, query: Query, now_ms: int) -> Payload:
    """Return the venue's time."""
    return {"timeSecond": str(now_ms // 1000), "timeNano": str(now_ms * 1_000_000)}


def klines(market: Market, query: Query, now_ms: int) -> Payload:
    """Return a page of bars of last prices, newest first."""
    return _kline_page(market.chosen(query, (LINEAR, SPOT, INVERSE)), PriceKind.LAST, query, now_ms)


def mark_klines(market: Market, query: Query, now_ms: int) -> Payload:
    """Return a page of bars of mark prices, which have no volume, newest first."""
    page = _kline_page(
        market.chosen(query, (LINEAR, INVERSE, OPTION)), PriceKind.MARK, query, now_ms
    )
    page["list"] = [row[:5] for row in page["list"]]
    return page


def _kline_page(one: Listed, kind: PriceKind, query: Query, now_ms: int) -> Payload:
    interval = interval_of(required(query, "interval"))
    limit = limit_of(query, default=200, highest=1000)
    start_ms, end_ms = whole_number(query, "start"), whole_number(query, "end")
    if start_ms is not None and end_ms is not None and start_ms > end_ms:
        raise Refused(PARAMETER_ERROR, "params error: start must not be after end")
    tape = one.tape(kind, interval)
    rows = [] if tape is None else tape.rows(start_ms, end_ms, limit, now_ms)
    return {"symbol": one.name, "category": one.category, "list": rows}


def funding_history(market: Market, query: Query, now_ms: int) -> Payload:
    """Return settled funding rates, newest first; a start alone is refused."""
    category = category_of(query, (LINEAR, INVERSE))
    one = market.find(category, required(query, "symbol"))
    limit = limit_of(query, default=200, highest=200)
    start_ms, end_ms = whole_number(query, "startTime"), whole_number(query, "endTime")
    if start_ms is not None and end_ms is None:
        raise Refused(PARAMETER_ERROR, "params error: endTime is required with startTime")
    if start_ms is not None and end_ms is not None and start_ms > end_ms:
        raise Refused(PARAMETER_ERROR, "params error: startTime must not be after endTime")
    rows: list[Payload] = []
    if one.listing.funding is not None:
        last_ms = now_ms if end_ms is None else min(now_ms, end_ms)
        known = one.listing.funding.between(start_ms or 0, last_ms + 1)
        newest = zip(known.time_ms[::-1].tolist(), known.rate[::-1].tolist(), strict=True)
        rows = [
            {
                "symbol": one.name,
                "fundingRate": number_text(rate),
                "fundingRateTimestamp": str(time_ms),
            }
            for (time_ms, rate), _ in zip(newest, range(limit), strict=False)
        ]
    return {"category": category, "list": rows}


def tickers(market: Market, query: Query, now_ms: int) -> Payload:
    """Return the latest prices and the last 24 hours of one symbol, or of a whole category."""
    category = category_of(query)
    if symbol := query.get("symbol"):
        listed = [market.find(category, symbol)]
    else:
        listed = market.of(category)
    rows = [row for one in listed if (row := ticker(one, now_ms))]
    return {"category": category, "list": rows}


def ticker(one: Listed, now_ms: int) -> Payload:
    """Return a market's ticker row; empty before its first bar."""
    tape = one.base_tape
    last = tape.last(now_ms)
    if last is None:
        return {}
    day = _day(tape, now_ms)
    bid, ask = best_prices(one, last.close)
    size = number_text(one.instrument.qty_of(1000))
    row = {
        "symbol": one.name,
        "bid1Price": number_text(bid),
        "bid1Size": size,
        "ask1Price": number_text(ask),
        "ask1Size": size,
        "lastPrice": number_text(last.close),
        **day,
    }
    if one.category == SPOT:
        return row | {"usdIndexPrice": number_text(last.close)}
    return row | _contract_ticker(one, last, now_ms)


def _day(tape: Tape, now_ms: int) -> Payload:
    """Return the 24-hour part of a ticker, over the bars that opened in the last 24 hours."""
    visible = tape.visible(now_ms)
    first = min(int(np.searchsorted(tape.open_ms, now_ms - DAY_MS, side="right")), visible - 1)
    newest = tape.at(visible - 1, now_ms)
    before = slice(first, visible - 1)
    opens, highs, lows, _, volumes, turnovers = tape.columns
    previous = float(opens[first])
    grain = tape.grain
    return {
        "prevPrice24h": number_text(previous),
        "price24hPcnt": number_text(round(newest.close / previous - 1, 6)),
        "highPrice24h": number_text(max([newest.high, *highs[before].tolist()])),
        "lowPrice24h": number_text(min([newest.low, *lows[before].tolist()])),
        "turnover24h": number_text(
            round(float(turnovers[before].sum()) + newest.turnover, grain.turnover)
        ),
        "volume24h": number_text(round(float(volumes[before].sum()) + newest.volume, grain.volume)),
    }


def _contract_ticker(one: Listed, last: Bar, now_ms: int) -> Payload:
    mark = mark_price(one, now_ms)
    interest = one.instrument.qty_of(OPEN_INTEREST_STEPS)
    interval_ms = one.listing.funding_interval_ms
    hour_ago = one.base_tape.visible(now_ms - HOUR_MS)
    previous = one.base_tape.at(max(hour_ago - 1, 0), now_ms).close
    return {
        "indexPrice": number_text(mark),
        "markPrice": number_text(mark),
        "prevPrice1h": number_text(previous),
        "openInterest": number_text(interest),
        "openInterestValue": number_text(round(interest * mark, 2)),
        "fundingRate": number_text(funding_rate_next(one, now_ms)),
        "nextFundingTime": str((now_ms // interval_ms + 1) * interval_ms),
        "predictedDeliveryPrice": "",
        "basisRate": "",
        "deliveryFeeRate": "",
        "deliveryTime": "0",
        "basis": "",
        "preOpenPrice": "",
        "preQty": "",
        "curPreListingPhase": "",
        "fundingIntervalHour": str(interval_ms // HOUR_MS),
        "basisRateYear": "",
        "fundingCap": rules.FUNDING_CAP,
    }


def mark_price(one: Listed, now_ms: int) -> float:
    """Return the fair price at a time, the last price where no mark bars say it."""
    bar = one.mark_tape.last(now_ms) or one.base_tape.last(now_ms)
    assert bar is not None, "asked once the market has a price"
    return bar.close


def funding_rate_next(one: Listed, now_ms: int) -> float:
    """Return the forecast of the next rate: the last one settled, 0.0001 before the first.

    The rate that will settle stands in the file, but nobody could have known it.
    """
    funding = one.listing.funding
    place = 0 if funding is None else int(np.searchsorted(funding.time_ms, now_ms, side="right"))
    return 0.0001 if funding is None or place == 0 else float(funding.rate[place - 1])


def best_prices(one: Listed, last_price: float) -> tuple[float, float]:
    """Return bid and ask: a tick below and a tick above the last price."""
    ticks = one.instrument.ticks_nearest(last_price)
    return one.instrument.price_of(max(ticks - 1, 0)), one.instrument.price_of(ticks + 1)


def book_level(one: Listed, last_price: float, level: int, side: int) -> tuple[float, float]:
    """Return price and quantity of a level of the book, asks (side 1) or bids (-1), from 0 on.

    So a market order pays one tick of slippage, as a backtest with `slippage_ticks=1` does.
    """
    ticks = one.instrument.ticks_nearest(last_price) + side * (1 + level)
    return one.instrument.price_of(ticks), one.instrument.qty_of(1000 + 100 * level)


def orderbook(market: Market, query: Query, now_ms: int) -> Payload:
    """Return the made-up book around the last price, best levels first."""
    one = market.chosen(query, (LINEAR, SPOT, INVERSE))
    highest, default = BOOK_LEVELS[one.category]
    return book_of(one, limit_of(query, default, highest), now_ms)


def book_of(one: Listed, levels: int, now_ms: int) -> Payload:
    """Return `levels` bids and asks a tick apart; sizes grow away from the middle."""
    last = one.base_tape.last(now_ms)
    sides: dict[int, list[list[str]]] = {1: [], -1: []}
    if last is not None:
        for side, level in product(sides, range(levels)):
            price, qty = book_level(one, last.close, level, side)
            if price > 0:
                sides[side].append([number_text(price), number_text(qty)])
    update = update_id(one, now_ms)
    return {
        "s": one.name,
        "a": sides[1],
        "b": sides[-1],
        "ts": now_ms,
        "u": update,
        "seq": update * 10,
        "cts": now_ms,
    }


def update_id(one: Listed, now_ms: int) -> int:
    """Return the book's update number, which grows with every print."""
    tape = one.base_tape
    count = tape.visible(now_ms)
    return 1 if count == 0 else tape.prints(count - 1, now_ms)[-1].number + 2


def recent_trades(market: Market, query: Query, now_ms: int) -> Payload:
    """Return the newest public trades, newest first."""
    one = market.chosen(query, (LINEAR, SPOT, INVERSE))
    highest, default = TRADES_LIMIT[one.category]
    limit = limit_of(query, default, highest)
    tape = one.base_tape
    rows: list[Payload] = []
    for index in range(tape.visible(now_ms) - 1, -1, -1):
        if len(rows) >= limit:
            break
        rows += [_trade_row(one, item) for item in reversed(tape.prints(index, now_ms))]
    return {"category": one.category, "list": rows[:limit]}


def _trade_row(one: Listed, item: Print) -> dict[str, Any]:
    return {
        "execId": trade_id(one, item),
        "symbol": one.name,
        "price": number_text(item.price),
        "size": number_text(item.qty),
        "side": trade_side(item),
        "time": str(item.time_ms),
        "isBlockTrade": False,
        "isRPITrade": False,
        "seq": str(item.number),
    }


def trade_id(one: Listed, item: Print) -> str:
    """Return the id of a public trade, the same whenever it is asked for."""
    return f"{one.category}-{one.name}-{item.number}"


def trade_side(item: Print) -> str:
    """Return the taker's side of a public trade; sides alternate."""
    return "Buy" if item.number % 2 else "Sell"
