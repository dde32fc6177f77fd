"""The shape of a plan file, made from the records that a plan consists of.

Theory. `engines.plan` and `engines.costs` say what a setting means and judge it; they are plain
dataclasses and know no files. Here each of them gets a pydantic model with the same field names, in
the types that YAML and JSON have: an enum is one of its texts, a tuple a list, one of several
records (a filter, a close, a ladder) is told by its `kind`. A model judges types and names, then
the record is built from what was given and judges values, so that no rule is written twice.
A field that is named a ratio or a portion takes a percentage as text too: "2%".
"""

import dataclasses
import inspect
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, create_model

from cluster.ratios import parse_ratio
from engines.plan import Sizing

RATIO_WORDS = frozenset({"ratio", "portion"})
RATIO_SCHEMA = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": "%\\s*$"}]}
# A size is nothing without both: a value alone would be read in a unit that nobody wrote.
NEEDED: Mapping[type, frozenset[str]] = {Sizing: frozenset({"kind", "value"})}


class Shape(BaseModel):
    """Settings as a file holds them; `record` is what they become."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
    record: ClassVar[type]

    @classmethod
    def tag(cls) -> str | None:
        """Return the `kind` by which this one of several shapes is told, None if it is no such."""
        item = cls.model_fields.get("kind")
        texts = get_args(item.annotation) if item is not None else ()
        return texts[0] if len(texts) == 1 else None

    def build(self) -> Any:
        """Return the record made from what was given.

        Raises: PlanFault for a value that cannot hold.
        """
        given = {name: _built(getattr(self, name)) for name in self.model_fields_set}
        return self.record(**given)


def _built(value: object) -> object:
    if isinstance(value, Shape):
        return value.build()
    return tuple(map(_built, value)) if isinstance(value, list) else value


@cache
def shape_of(record: type) -> type[Shape]:
    """Return the model of one record of settings, its docstring as description."""
    hints = get_type_hints(record)
    needed = NEEDED.get(record, frozenset())
    fields: dict[str, Any] = {
        item.name: (
            _type_of(hints[item.name], item.name),
            _default_of(item, hints[item.name], needed),
        )
        for item in dataclasses.fields(record)
        if item.init
    }
    shape = create_model(record.__name__, __base__=Shape, __doc__=inspect.getdoc(record), **fields)
    shape.record = record
    return shape


def shapes_in(annotation: object) -> list[type[Shape]]:
    """Return the shapes that a field's type holds, however deep."""
    if isinstance(annotation, type) and issubclass(annotation, Shape):
        return [annotation]
    return [shape for part in get_args(annotation) for shape in shapes_in(part)]


def _default_of(item: "dataclasses.Field[Any]", hint: Any, needed: frozenset[str]) -> Any:
    if get_origin(hint) is Literal or item.name in needed:
        return ...
    if item.default_factory is not dataclasses.MISSING:
        return tree_of(item.default_factory())
    return ... if item.default is dataclasses.MISSING else tree_of(item.default)


def _type_of(hint: Any, name: str) -> Any:
    """Return the type that a file holds for a field of type `hint`."""
    if get_origin(hint) in (Union, UnionType):
        parts = [_type_of(part, name) for part in get_args(hint) if part is not NoneType]
        both: Any = Union[tuple(parts)]  # noqa: UP007  # made at run time
        if len(parts) > 1:
            both = Annotated[both, Field(discriminator="kind")]
        return both | None if NoneType in get_args(hint) else both
    if get_origin(hint) is tuple:
        return list[_type_of(get_args(hint)[0], name)]  # type: ignore[misc]  # made at run time
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return Literal[tuple(item.value for item in hint)]
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return shape_of(hint)
    if hint is float and RATIO_WORDS & set(name.split("_")):
        return Annotated[float, BeforeValidator(_unpercented), WithJsonSchema(RATIO_SCHEMA)]
    return hint


def _unpercented(value: object) -> object:
    """Return the ratio that a percentage means, anything else as it is, to be judged by type."""
    if isinstance(value, str) and value.rstrip().endswith("%"):
        try:
            return parse_ratio(value)
        except ValueError:
            return value
    return value


def tree_of(value: object) -> Any:
    """Return settings in the types that YAML and JSON have, every field of every record."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [item for item in dataclasses.fields(value) if item.init]
        return {item.name: tree_of(getattr(value, item.name)) for item in fields}
    if isinstance(value, StrEnum):
        return value.value
    return [tree_of(item) for item in value] if isinstance(value, tuple) else value
