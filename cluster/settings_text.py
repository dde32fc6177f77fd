"""YAML and JSON texts of settings, read so that each means one thing and none can do harm.

Theory. YAML is read by the core schema of version 1.2, in which a file and its JSON form agree: no
and on are texts, 10:30 is a text and not 630, 1e-3 is a number, dates are texts. What makes YAML a
programming language is refused: tags, anchors and aliases (the expanding bomb), merge keys. In both
forms a key given twice, NaN, an infinity, a deep nest and a large file are faults.
Source: YAML 1.2.2, 10.3 (core schema); its NaN and infinities are left out.
"""

import json
import math
import re
from pathlib import Path
from typing import Any

import yaml

from engines.errors import PlanFault

BYTES_MAX = 1_000_000
DEPTH_MAX = 20
READABLE = "a YAML or JSON file of settings"
CORE_SCHEMA = (
    ("null", r"~|null|Null|NULL|", "~nN"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
)
PLAIN_WORD = re.compile(r"[a-z][a-z_]*")


class SettingsLoader(yaml.SafeLoader):
    """YAML's core schema, without anchors and tags, each key once."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Refuse what a file of settings has no use for, then compose as ever."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]  # yaml's stubs have gaps
        where = f"line {event.start_mark.line + 1}"
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise PlanFault(where, "values written out", "an anchor or alias (& or *)")
        if event.tag is not None:
            raise PlanFault(where, "values without tags", f"the tag {event.tag}")
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise PlanFault(where, f"at most {DEPTH_MAX} levels", "more")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Return a mapping whose keys are texts, none of them twice."""
        pairs = [(self.construct_object(key), value) for key, value in node.value]
        _unique([(key, None) for key, _ in pairs])
        return {key: self.construct_object(value, deep=True) for key, value in pairs}

    def construct_yaml_map(self, node: Any) -> Any:
        """Return a mapping at once: without aliases nothing can hold itself."""
        return self.construct_mapping(node)

    def construct_whole(self, node: Any) -> int:
        """Return a whole number; leading zeros mean nothing."""
        return int(self.construct_scalar(node))

    def construct_finite(self, node: Any) -> float:
        """Return a number.

        Raises: PlanFault for one beyond what a float holds.
        """
        return _finite(self.construct_scalar(node))


SettingsLoader.yaml_implicit_resolvers = {}
for _name, _pattern, _first in CORE_SCHEMA:
    _regexp = re.compile(f"(?:{_pattern})$")
    # The empty text, which is null, begins with no character.
    _starts = [*_first, ""] if _name == "null" else list(_first)
    SettingsLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", _regexp, _starts)
SettingsLoader.add_constructor("tag:yaml.org,2002:map", SettingsLoader.construct_yaml_map)
SettingsLoader.add_constructor("tag:yaml.org,2002:int", SettingsLoader.construct_whole)
SettingsLoader.add_constructor("tag:yaml.org,2002:float", SettingsLoader.construct_finite)


def read_settings(path: Path) -> Any:
    """Return the values of a YAML or JSON file, told apart by the first character.

    Raises: PlanFault in one sentence for whatever makes it none.
    """
    source = str(path)
    text = _text_of(path)
    try:
        return _parsed(text)
    except PlanFault as fault:
        raise PlanFault(f"{fault.subject} of {source}", fault.expected, fault.found) from None
    except json.JSONDecodeError as error:
        found = f"{error.msg} in line {error.lineno}"
        raise PlanFault(source, "JSON, as it begins with a brace", found) from None
    except yaml.YAMLError as error:
        raise PlanFault(source, READABLE, _yaml_words(error)) from None
    except RecursionError:
        raise PlanFault(source, f"at most {DEPTH_MAX} levels", "more") from None
    except ValueError as error:  # Python's own limit on the digits of a whole number
        raise PlanFault(source, "numbers", str(error).split(";")[0]) from None


def yaml_scalar(value: object) -> str:
    """Return a number, truth, text or None as every YAML reader takes it for the same."""
    if isinstance(value, str):
        return value if _is_plain(value) else json.dumps(value)
    text = json.dumps(value, allow_nan=False)
    # YAML 1.1 takes 1e-05 for a text.
    return text.replace("e", ".0e") if isinstance(value, float) and "." not in text else text


def _is_plain(text: str) -> bool:
    """Return whether a text needs no quotes; older readers take no, on and the like for truths."""
    resolved = yaml.SafeLoader.yaml_implicit_resolvers.get(text[:1], ())
    is_word = PLAIN_WORD.fullmatch(text) is not None
    return is_word and not any(regexp.match(text) for _, regexp in resolved)


def _text_of(path: Path) -> str:
    source = str(path)
    if path.is_dir():
        raise PlanFault(source, READABLE, "a directory")
    try:
        with path.open("rb") as file:
            raw = file.read(BYTES_MAX + 1)
        text = raw.decode("utf-8-sig")
    except FileNotFoundError:
        raise PlanFault(source, READABLE, "no such file") from None
    except OSError as error:
        raise PlanFault(source, READABLE, error.strerror or str(error)) from None
    except UnicodeDecodeError:
        raise PlanFault(source, READABLE, "bytes that are not UTF-8 text") from None
    if len(raw) > BYTES_MAX:
        raise PlanFault(source, f"at most {BYTES_MAX:,} bytes", "more")
    if not text.strip():
        raise PlanFault(source, READABLE, "an empty file")
    return text


def _parsed(text: str) -> Any:
    if text.lstrip().startswith("{"):
        return json.loads(
            text, object_pairs_hook=_unique, parse_float=_finite, parse_constant=_finite
        )
    return yaml.load(text, Loader=SettingsLoader)  # derived from the safe one


def _unique(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    """Return pairs as a mapping.

    Raises: PlanFault for a key that is no text or given twice.
    """
    found: dict[Any, Any] = {}
    for key, value in pairs:
        if not isinstance(key, str):
            raise PlanFault("a key", "a name", repr(key))
        if key in found:
            raise PlanFault(f"key {key}", "one value", "two")
        found[key] = value
    return found


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise PlanFault("a number", "finite ones", text)
    return value


def _yaml_words(error: yaml.YAMLError) -> str:
    """Return what YAML's parser says, in one line."""
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "no YAML"
    mark = getattr(error, "problem_mark", None)
    return f"{problem} in line {mark.line + 1}" if mark is not None else str(problem)
