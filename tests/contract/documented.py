"""The venue's documented examples, and how a reply differs from one in keys and JSON types."""

import json
import re
from typing import Any

from tests.tidy.house import SHARED

PROTOCOL = SHARED / "truth" / "bybit_v5_protocol"
RECORDED = SHARED / "truth" / "bybit_v5_examples"


def documented(page: str, number: int = 0) -> Any:
    """Return an example of a page; where it is written for people, its first JSON object."""
    example = json.loads((PROTOCOL / "pages" / f"{page}.json").read_text())["json_examples"][number]
    return _first_object(example["_unparsed"]) if "_unparsed" in example else example


def recorded(name: str) -> Any:
    """Return a recorded reply or message."""
    return _first_object((RECORDED / f"{name}.json5").read_text())


def _first_object(text: str) -> Any:
    plain = re.sub(r"(?m)(^|\s)//.*$", "", text)
    plain = re.sub(r",\s*\.{3,}", "", plain)  # "and so on"
    value, _ = json.JSONDecoder().raw_decode(plain[plain.index("{") :])
    return value


def differences(wanted: Any, found: Any, place: str = "") -> list[str]:
    """Return where `found` has other keys or other JSON types than the example `wanted`.

    Every item of a list is compared with the example's first; null may stand for anything.
    """
    if wanted is None or (found is None and place.endswith("?")):
        return []
    if _kind(wanted) != _kind(found):
        return [f"{place or 'it'} is {_kind(found)}, documented {_kind(wanted)}"]
    if isinstance(wanted, list):
        if not wanted or not found:
            return []
        return [d for item in found for d in differences(wanted[0], item, f"{place}[]")]
    if not isinstance(wanted, dict):
        return []
    missing = [f"{place}.{name} is missing" for name in wanted if name not in found]
    extra = [f"{place}.{name} is not documented" for name in found if name not in wanted]
    inside = [
        line
        for name in wanted
        if name in found
        for line in differences(wanted[name], found[name], f"{place}.{name}")
    ]
    return list(dict.fromkeys([*missing, *extra, *inside]))


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    names = {dict: "object", list: "array", str: "string", int: "number", float: "number"}
    return names.get(type(value), "null")
