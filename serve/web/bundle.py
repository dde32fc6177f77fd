"""Put the report's files together: one style sheet and the scripts of a page without a server.

Theory. Our scripts are ES modules, so that a served page can load them as they are. A page opened
from a file cannot: browsers refuse it imports. There each module becomes a function called once,
in the order of the imports; `import { a } from "./x.js"` becomes a lookup in what that function
returned, `export` a name in what it returns. A page may take modules of another one's folder
(`"../report/x.js"`); no two modules share a name. Nothing is minified: what runs can be read.
"""

import re
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from engines.errors import Fault
from engines.report_page import Assets

IMPORT = re.compile(r'^import \{([^}]*)\} from "(?:\./|\.\./(\w+)/)(\w+)\.js";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) (\w+))", re.MULTILINE)
MODULE_WORD = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)
CHARTS = "vendor/lightweight-charts/lightweight-charts.standalone.production.js"
ENDS_SCRIPT = re.compile(r"<(?:/script|!--)", re.IGNORECASE)


class WebFault(Fault):
    """A file of `serve/web` that cannot be put into a page."""


@cache
def report_assets() -> Assets:
    """Return the style and the scripts of the report page, from the installed files."""
    web = files("serve.web")
    ours = web / "report"
    scripts = ((web / CHARTS).read_text("utf-8"), bundled(ours, "report"))
    return Assets((ours / "report.css").read_text("utf-8"), tuple(map(_embeddable, scripts)))


@cache
def study_assets() -> Assets:
    """Return the style and the scripts of a study's page, from the installed files."""
    web = files("serve.web")
    styles = (web / "report" / "report.css", web / "study" / "study.css")
    style = "\n".join(sheet.read_text("utf-8") for sheet in styles)
    return Assets(style, (_embeddable(bundled(web / "study", "study")),))


def bundled(folder: Traversable, main: str) -> str:
    """Return the module `main` of `folder` and all that it imports as one script.

    Raises: WebFault for a form of import or export that this does not know, or a circle of imports.
    """
    done: dict[str, tuple[str, str]] = {}
    _collect(folder, main, done, ())
    return '"use strict";\n(() => {\n' + "".join(text for _, text in done.values()) + "})();\n"


def _collect(
    folder: Traversable, name: str, done: dict[str, tuple[str, str]], path: tuple[str, ...]
) -> None:
    if name in path:
        raise WebFault(f"{name}.js", "imports without a circle", " -> ".join((*path, name)))
    if name in done:
        if done[name][0] != folder.name:
            raise WebFault(f"{name}.js", "one module of that name", f"another in {folder.name}")
        return
    source = (folder / f"{name}.js").read_text("utf-8")
    for _, place, other in IMPORT.findall(source):
        home = _beside(folder, place) if place else folder
        _collect(home, other, done, (*path, name))
    done[name] = (folder.name, _as_function(name, source))


def _beside(folder: Traversable, name: str) -> Traversable:
    """Return another page's folder: neighbours lie in the installed package."""
    return folder if folder.name == name else files("serve.web") / name


def _as_function(name: str, source: str) -> str:
    """Return a module as a constant: what its function returned."""
    names = EXPORT.findall(source)
    body = EXPORT.sub("", IMPORT.sub(r"const {\1} = \3_module;\n", source))
    if unknown := MODULE_WORD.search(body):
        raise WebFault(
            f"{name}.js", 'import { a } from "./b.js" and export of a declaration', unknown[0]
        )
    return f"const {name}_module = (() => {{\n{body}return {{ {', '.join(names)} }};\n}})();\n"


def _embeddable(script: str) -> str:
    """Return `script` if it can stand inside an element; CR would change its hash."""
    if found := ENDS_SCRIPT.search(script) or re.search("\r", script):
        raise WebFault("a script of the report", "no </script>, <!-- or CR in it", repr(found[0]))
    return script
