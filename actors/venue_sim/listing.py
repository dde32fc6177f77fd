"""What the venue lists: each market's names, trading rules, bars, mark price and funding.

Names. Ours are ccxt's unified symbols; the venue's are the two coins written together, the same
for the perpetual (category `linear`) and the spot market. Rules that no file gives are told by the
bars: prices are multiples of the tick, volumes sums of multiples of the quantity step.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

from actors.venue_sim.intervals import INTERVAL_MS, INTERVALS
from actors.venue_sim.tape import Grain, Tape, grouped, merged
from actors.venue_sim.wire import PARAMETER_ERROR, Refused
from engines.errors import KlineFault
from engines.funding import Funding
from engines.instrument import Instrument
from engines.klines import Klines, interval_text
from engines.margin import MarginTier
from engines.series import PriceKind

QUOTES = ("USDT", "USDC")
LINEAR, SPOT, INVERSE, OPTION = "linear", "spot", "inverse", "option"
CATEGORIES = (LINEAR, SPOT, INVERSE, OPTION)
# What the venue's pages give for BTCUSDT, where bars tell nothing.
NOTIONAL_MIN = {LINEAR: 5.0, SPOT: 5.0}

# The first tier of the venue's large perpetuals, where an instrument names none.
TIERS_DEFAULT = (
    MarginTier(2_000_000.0, 0.005, 0.0, 100.0),
    MarginTier(10_000_000.0, 0.01, 10_000.0, 50.0),
    MarginTier(1e12, 0.02, 110_000.0, 25.0),
)


@dataclass(frozen=True, slots=True)
class Listing:
    """One market: its unified symbol and the series it is replayed from.

    `klines` of any intervals, at least one; `mark` likewise, empty where the last price stands in.
    """

    symbol: str
    klines: Sequence[Klines]
    mark: Sequence[Klines] = ()
    funding: Funding | None = None
    instrument: Instrument | None = None
    funding_interval_ms: int = 8 * 3_600_000


@dataclass(slots=True, eq=False)
class Listed:
    """A listing as the venue works with it."""

    name: str
    category: str
    base: str
    quote: str
    listing: Listing
    instrument: Instrument
    _tapes: dict[tuple[PriceKind, str], Tape | None] = field(default_factory=dict)
    _plays: dict[PriceKind, Tape] = field(default_factory=dict)

    @classmethod
    def of(cls, listing: Listing) -> "Listed":
        """Return the listing under the venue's names.

        Raises: KlineFault for a symbol that is no market of Bybit's, or without bars.
        """
        base, quote, category = names_of(listing.symbol)
        if not listing.klines:
            raise KlineFault(f"bars of {listing.symbol}", "at least one series", "none")
        for klines in (*listing.klines, *listing.mark):
            _code_of(klines)
        finest = min(listing.klines, key=lambda klines: klines.interval_ms)
        instrument = listing.instrument or _rules_of(listing.symbol, category, finest)
        return cls(base + quote, category, base, quote, listing, instrument)

    @property
    def tiers(self) -> tuple[MarginTier, ...]:
        """Return a perpetual's margin tiers."""
        return self.instrument.margin_tiers or TIERS_DEFAULT

    @property
    def base_tape(self) -> Tape:
        """Return the tape that the market is played from: the finest bars there are at any time."""
        return self._played(PriceKind.LAST)

    @property
    def mark_tape(self) -> Tape:
        """Return the like of mark prices; without any the last price stands in."""
        return self._played(PriceKind.MARK if self.listing.mark else PriceKind.LAST)

    def tape(self, kind: PriceKind, interval: str) -> Tape | None:
        """Return the bars of an interval, None where no file can make them."""
        if kind is PriceKind.MARK and not self.listing.mark:
            kind = PriceKind.LAST
        played = self._played(kind)
        key = (kind, interval)
        if key not in self._tapes:
            tape = self._tapes[key] = self._make(kind, interval)
            if tape is not None:
                tape.finer = played
        return self._tapes[key]

    def forget_made(self) -> None:
        """Drop the bars that are made of others, after one of those was corrected."""
        self._plays.clear()
        self._tapes = {
            key: tape for key, tape in self._tapes.items() if tape is None or not tape.is_made
        }

    def _played(self, kind: PriceKind) -> Tape:
        """Return the tape of all files together, which tells what happens inside their bars."""
        if kind not in self._plays:
            codes = sorted(self._files(kind), key=INTERVAL_MS.__getitem__, reverse=True)
            tapes = [self._file_tape(kind, code) for code in codes]
            self._plays[kind] = played = reduce(merged, tapes)
            for tape in tapes:
                tape.finer = None if tape is played else played
        return self._plays[kind]

    def _files(self, kind: PriceKind) -> dict[str, Klines]:
        files = self.listing.klines if kind is PriceKind.LAST else self.listing.mark
        return {_code_of(klines): klines for klines in files}

    def _file_tape(self, kind: PriceKind, code: str) -> Tape:
        tape = self._tapes.get((kind, code))
        if tape is None:
            tape = self._tapes[kind, code] = Tape.of(self._files(kind)[code], code)
        return tape

    def _make(self, kind: PriceKind, interval: str) -> Tape | None:
        codes = self._files(kind)
        if interval in codes:
            return self._file_tape(kind, interval)
        wanted_ms = INTERVAL_MS.get(interval, 24 * 3_600_000)  # a month is whole days
        fits = [c for c in codes if wanted_ms % INTERVAL_MS[c] == 0 and INTERVAL_MS[c] <= wanted_ms]
        if not fits:
            return None
        base = self._file_tape(kind, max(fits, key=INTERVAL_MS.__getitem__))
        return grouped(base, interval)


class Market:
    """Everything that is listed, found by category and the venue's name."""

    def __init__(self, listings: Iterable[Listing]) -> None:
        self.listed: dict[tuple[str, str], Listed] = {}
        for listing in listings:
            one = Listed.of(listing)
            if (one.category, one.name) in self.listed:
                raise KlineFault(f"listing of {listing.symbol}", "once", "twice")
            self.listed[one.category, one.name] = one

    def of(self, category: str) -> list[Listed]:
        """Return what a category lists, in the venue's order of names."""
        return sorted((m for m in self.listed.values() if m.category == category), key=_by_name)

    def find(self, category: str, name: str) -> Listed:
        """Return a market.

        Raises: Refused if it is not listed there.
        """
        one = self.listed.get((category, name))
        if one is None:
            raise Refused(PARAMETER_ERROR, "params error: symbol invalid")
        return one

    def chosen(self, query: Mapping[str, str], categories: Sequence[str] = CATEGORIES) -> Listed:
        """Return the market of a request's category and symbol, linear where none is said."""
        category = category_of(query, categories, default=LINEAR)
        name = query.get("symbol", "")
        if not name:
            raise Refused(PARAMETER_ERROR, "params error: symbol is required")
        return self.find(category, name)


def category_of(
    query: Mapping[str, str], categories: Sequence[str] = CATEGORIES, default: str | None = None
) -> str:
    """Return the category that a request names.

    Raises: Refused for none or for one that the route does not have.
    """
    category = query.get("category") or default or ""
    if category not in categories:
        raise Refused(PARAMETER_ERROR, "params error: category invalid")
    return category


def interval_of(text: str) -> str:
    """Return an interval of the venue's.

    Raises: Refused for any other text.
    """
    if text not in INTERVALS:
        raise Refused(PARAMETER_ERROR, "params error: interval invalid")
    return text


def names_of(symbol: str) -> tuple[str, str, str]:
    """Return base coin, quote coin and category of a unified symbol.

    Raises: KlineFault for a symbol that is neither a linear perpetual nor a spot market.
    """
    pair, colon, settle = symbol.partition(":")
    base, slash, quote = pair.partition("/")
    is_right = base and slash and quote in QUOTES and (not colon or settle == quote)
    if not is_right:
        expected = "BASE/USDT:USDT for a perpetual or BASE/USDT for spot"
        raise KlineFault("symbol to list", expected, repr(symbol))
    return base, quote, LINEAR if colon else SPOT


def _code_of(klines: Klines) -> str:
    for code, interval_ms in INTERVAL_MS.items():
        if interval_ms == klines.interval_ms:
            return code
    expected = f"one of Bybit's intervals ({', '.join(INTERVAL_MS)})"
    raise KlineFault(f"interval of {klines.symbol}", expected, interval_text(klines.interval_ms))


def _rules_of(symbol: str, category: str, klines: Klines) -> Instrument:
    grain = Grain.of(klines)
    step = float(f"1e-{grain.volume}")
    return Instrument(
        symbol=symbol,
        tick_size=float(f"1e-{grain.price}"),
        qty_step=step,
        qty_min=step,
        notional_min=NOTIONAL_MIN[category],
    )


def _by_name(listed: Listed) -> str:
    return listed.name
