"""Read a strategy's docstring: its idea, its rule and its source, for every door that shows them.

The docstring is the one place where they are written. Its first paragraph is the idea; a paragraph
that begins with "Rule:" or "Source:" is that, to the next one that begins so.
"""

import inspect
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Description:
    """What a strategy does, in words; "" where its docstring does not say."""

    idea: str
    rule: str
    source: str


def describe(cls: type) -> Description:
    """Return the parts of the docstring that `cls` itself carries, each as one line."""
    own = cls.__dict__.get("__doc__") or ""
    parts = {"idea": "", "rule": "", "source": ""}
    heading = "idea"
    for paragraph in inspect.cleandoc(own).split("\n\n"):
        text = " ".join(paragraph.split())
        for name in ("rule", "source"):
            if text.startswith(f"{name.capitalize()}: "):
                heading, text = name, text.partition(": ")[2]
        parts[heading] = f"{parts[heading]} {text}".strip()
    return Description(**parts)
