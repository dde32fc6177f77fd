"""Which file belongs to which market: by SYMBOL=FILE, or by the symbol that a name begins with."""

import re
from collections.abc import Sequence
from pathlib import Path

from engines.errors import ParameterFault

# What the symbols of perpetuals look like, so that a file of another one is told from a plain name.
SYMBOL_LIKE = re.compile(r"[A-Z0-9]{2,}(USDT|USDC|USD|PERP)")


def files_of(
    flag: str, texts: Sequence[str] | None, symbol: str, symbols: Sequence[str]
) -> list[Path]:
    """Return the files that SYMBOL=FILE texts give for one of the markets' symbols.

    A file without a symbol is the only market's, or the one's that its name begins with.
    Raises: ParameterFault for a file that belongs to none.
    """
    files = []
    for text in texts or ():
        name, equals, path = text.partition("=")
        if not equals or Path(text).is_file():
            name, path = _owner(flag, text, symbols), text
        if name not in symbols or not path:
            expected = f"SYMBOL=FILE with {' or '.join(symbols)}"
            raise ParameterFault(flag, expected, repr(text))
        if name == symbol:
            files.append(Path(path))
    return files


def _owner(flag: str, text: str, symbols: Sequence[str]) -> str:
    """Return the symbol of the market that a file without one belongs to."""
    named = symbol_of(Path(text))
    if len(symbols) > 1 or named in symbols:
        return named
    plain, wanted = named.removesuffix(".P"), symbols[0].removesuffix(".P")
    is_telling = SYMBOL_LIKE.fullmatch(plain) and SYMBOL_LIKE.fullmatch(wanted)
    if is_telling and plain != wanted and flag != "--instrument":
        expected = f"a file of {symbols[0]} ({symbols[0]}={text} if it is one)"
        raise ParameterFault(flag, expected, f"one of {named} by its name")
    return symbols[0]


def symbol_of(path: Path) -> str:
    """Return the symbol that a file's name begins with: BTCUSDT of BTCUSDT_15m_2024.csv.

    TradingView names its files EXCHANGE_SYMBOL, INTERVAL.
    """
    if exported := re.match(r"[A-Z0-9]+_([^,_]+), ", path.name):
        return exported[1]
    return re.split(r"[_ ,]", path.name.partition(".")[0])[0] or path.stem


def require_named(path: Path, symbol: str) -> None:
    """Raise ParameterFault for a file whose name begins with another symbol than `symbol`."""
    named, wanted = symbol_of(path).removesuffix(".P"), symbol.partition(":")[0].replace("/", "")
    if SYMBOL_LIKE.fullmatch(named) and named != wanted.upper():
        raise ParameterFault(f"{path}", f"a file of {symbol}", f"one of {named} by its name")
