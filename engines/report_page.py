"""The report: one page that needs nothing but itself.

The page is a frame around three things: the style, the scripts (both files of `serve/web`, handed
in) and one JSON element with the payload, from which the scripts build what is seen. Its content
security policy forbids every request, and every script but these, by their hashes; the JSON holds
no `<`, so no name or note can end the element it stands in.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from engines.klines import interval_text
from engines.report import SYNTHETIC, Run, is_synthetic, plain
from engines.report_payload import payload


@dataclass(frozen=True, slots=True)
class Assets:
    """The fixed text of a page: one style sheet, and scripts in the order in which they run."""

    style: str
    scripts: tuple[str, ...]


def page(runs: Sequence[Run], assets: Assets) -> str:
    """Return the page of one command's runs."""
    said = (
        "This report draws itself: it needs JavaScript, and nothing from the network. The same "
        "results lie beside it as result.json, trades.csv and equity.csv."
    )
    return framed(_title(runs), payload(runs), assets, said)


def framed(title: str, shown: Mapping[str, object], assets: Assets, said: str) -> str:
    """Return a page that draws what is `shown`; without scripts it shows what is `said`."""
    text = json.dumps(plain(shown), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    scripts = "".join(f"<script>{script}</script>\n" for script in assets.scripts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(assets)}">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>{assets.style}</style>\n</head>\n<body>\n"
        f'<main id="report"><h1>{escape(title)}</h1>'
        f"<noscript><p>{escape(said)}</p></noscript></main>\n"
        f'<script type="application/json" id="payload">{_inert(text)}</script>\n'
        f"{scripts}</body>\n</html>\n"
    )


def _title(runs: Sequence[Run]) -> str:
    klines = runs[0].result.klines
    names = list(dict.fromkeys(run.strategy for run in runs))
    shown = ", ".join(names) if len(names) <= 3 else f"{len(runs)} runs"
    is_made_up = any(is_synthetic(run.result.klines) for run in runs)
    is_said = klines.symbol.startswith(SYNTHETIC)
    label = f"{SYNTHETIC} " if is_made_up and not is_said else ""
    return f"{shown} · {label}{klines.symbol} {interval_text(klines.interval_ms)} · phalanx"


def _inert(text: str) -> str:
    """Return JSON text in which no character can open or close an element."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _policy(assets: Assets) -> str:
    """Return the content security policy: no requests, no scripts but ours.

    Styles may be set inline: the charts place their canvases so.
    """
    hashes = " ".join(f"'sha256-{_hash(script)}'" for script in assets.scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
