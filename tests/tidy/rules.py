"""House style, one function a rule: a parsed Python file in, findings out.

A finding is `line N: what is wrong`. Rules see one file at a time and read nothing from disk;
`house.py` holds what concerns the repository as a whole, and `PYTHON_RULES` at the end lists
every rule here.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass

ROOMS = ("engines", "strategies", "cluster", "actors", "serve")
PURE_ROOMS = ("engines", "strategies")
PURE_LIBRARIES = frozenset({"numba", "numpy", "pandas", "pyarrow", "scipy"})
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 40

BANNED_WORDS = frozenset(
    {"data", "info", "manager", "managers", "helper", "helpers", "util", "utils", "process"}
)
# Phrases in which a banned word is somebody else's term, with whose.
FIELD_PHRASES = (
    "process_orders_on_close",  # TradingView's strategy setting
    "process_on_close",  # the same, as our plan names it
    "market_data",  # the MCP tool get_market_data and the HTTP routes beside it
    "package_data",  # setuptools
)

IMPURE_CALLS = frozenset({"open", "print", "input", "breakpoint", "exec", "eval", "__import__"})
CLOCKS = frozenset({"now", "utcnow", "today", "localtime", "gmtime"})
FILE_CALLS = re.compile(
    r".*\.(read_(csv|parquet|excel|json|table|feather|pickle|sql)|to_(parquet|excel|pickle|feather)"
    r"|write_table|tofile)|(np|numpy)\.(load|loadtxt|genfromtxt|fromfile|save\w*|memmap)"
)
SEEDED_RANDOM = frozenset({"Generator", "SeedSequence", "BitGenerator", "PCG64", "default_rng"})

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True)
class Python:
    """Hold one Python file: its path below the root, its text and its syntax tree."""

    path: str
    text: str
    tree: ast.Module

    @classmethod
    def parse(cls, path: str, text: str) -> "Python":
        """Parse the text; a file that does not parse is a SyntaxError."""
        return cls(path, text, ast.parse(text, path))

    @property
    def room(self) -> str:
        """Return the top folder: a room, or `tests`."""
        return self.path.partition("/")[0]


def _at(node: ast.AST, message: str) -> str:
    return f"line {getattr(node, 'lineno', 1)}: {message}"


def _dotted(node: ast.expr) -> str:
    """Return `a.b.c` for a chain of names, and "" for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        owner = _dotted(node.value)
        return f"{owner}.{node.attr}" if owner else ""
    return ""


def _comments(source: Python) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


# --- size


def file_is_short(source: Python) -> Iterator[str]:
    """Find a file of more than 400 lines."""
    lines = len(source.text.splitlines())
    if lines > FILE_LINES_MAX:
        yield f"line {lines}: the file has {lines} lines, at most {FILE_LINES_MAX}"


def functions_are_short(source: Python) -> Iterator[str]:
    """Find functions of more than 40 lines, their docstring aside."""
    for node in ast.walk(source.tree):
        if not isinstance(node, FUNCTIONS):
            continue
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        if ast.get_docstring(node, clean=False) is not None:
            docstring = node.body[0]
            lines -= (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1
        if lines > FUNCTION_LINES_MAX:
            yield _at(node, f"{node.name} has {lines} lines, at most {FUNCTION_LINES_MAX}")


# --- names


def _banned_words(name: str) -> frozenset[str]:
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    for phrase in FIELD_PHRASES:
        snake = snake.replace(phrase, "")
    words = snake.strip("_").split("_")
    return BANNED_WORDS.intersection(words) | ({"do_"} if words[0] == "do" else set())


def _bound_names(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            yield node, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node, node.attr
        elif isinstance(node, ast.alias) and node.asname:
            yield node, node.asname


def names_are_field_words(source: Python) -> Iterator[str]:
    """Find banned words: as a part of what we define, as the whole of what we bind.

    A module, class or function may not contain one (`order_manager`, `do_step`); a variable,
    parameter or attribute may not be one (`data`). Test names are sentences, hence exempt.
    """
    module = source.path.rpartition("/")[2].removesuffix(".py")
    for word in _banned_words(module):
        yield f"line 1: the module's name {module} contains {word!r}"
    for node in ast.walk(source.tree):
        if isinstance(node, Definition) and not node.name.startswith("test_"):
            for word in _banned_words(node.name):
                yield _at(node, f"the name {node.name} contains {word!r}")
    for place, name in _bound_names(source.tree):
        if name.strip("_").lower() in BANNED_WORDS:
            yield _at(place, f"the name {name} says nothing; the glossary has field words")


def names_of_tests_are_sentences(source: Python) -> Iterator[str]:
    """Find test functions whose name is shorter than three words."""
    for node in ast.walk(source.tree):
        if not isinstance(node, FUNCTIONS) or not node.name.startswith("test_"):
            continue
        if len(node.name.split("_")) < 4:
            yield _at(node, f"{node.name} is not a sentence")


# --- docstrings and comments


def docstrings_are_there(source: Python) -> Iterator[str]:
    """Find modules, public classes and public functions of a room without a docstring."""
    if source.room not in ROOMS:
        return
    public: list[ast.Module | Definition] = [source.tree]
    for node in public:
        if ast.get_docstring(node) is None:
            yield _at(node, f"{getattr(node, 'name', 'the module')} has no docstring")
        if isinstance(node, ast.Module | ast.ClassDef):
            public += [
                child
                for child in node.body
                if isinstance(child, Definition) and not child.name.startswith("_")
            ]


def todos_name_their_issue(source: Python) -> Iterator[str]:
    """Find a TODO, FIXME, XXX or HACK without an issue number such as #12."""
    for line, comment in _comments(source):
        if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", comment) and not re.search(r"#\d+", comment):
            yield f"line {line}: a TODO names its issue, as in TODO #12"


def ignores_carry_their_reason(source: Python) -> Iterator[str]:
    """Find `type: ignore`, `noqa` and the like without a code and a reason after it."""
    marker = re.compile(
        r"(?P<kind>type:\s*ignore|noqa|pragma:|fmt:\s*(off|skip))"
        r"(?P<code>\[[\w, -]+\]|:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*|\s*no cover)?(?P<reason>.*)"
    )
    for line, comment in _comments(source):
        found = marker.search(comment)
        if found is None:
            continue
        needs_code = not found["kind"].startswith("fmt")
        if (needs_code and not found["code"]) or len(re.findall(r"\w+", found["reason"])) < 2:
            yield f"line {line}: an ignore names its code and carries its reason: {comment}"


# --- errors


def errors_are_not_swallowed(source: Python) -> Iterator[str]:
    """Find bare `except:`, silent `except Exception` and `suppress(Exception)`."""
    broad = {"Exception", "BaseException"}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler):
            if node.type is None:
                yield _at(node, "a bare except catches everything")
            elif _dotted(node.type) in broad and all(map(_says_nothing, node.body)):
                yield _at(node, "an except Exception swallows the error")
        elif isinstance(node, ast.Call) and _dotted(node.func).endswith("suppress"):
            for argument in node.args:
                if _dotted(argument) in broad:
                    yield _at(node, "suppress(Exception) swallows the error")


def _says_nothing(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Return):
        return statement.value is None or isinstance(statement.value, ast.Constant)
    constant = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return constant or isinstance(statement, ast.Pass | ast.Continue)


# --- imports and purity


def imports_are_absolute(source: Python) -> Iterator[str]:
    """Find relative and star imports."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                yield _at(node, "an import is relative")
            if any(alias.name == "*" for alias in node.names):
                yield _at(node, "an import takes everything")


def pure_rooms_import_only_mathematics(source: Python) -> Iterator[str]:
    """Find third-party imports of engines and strategies beyond the five allowed.

    What they may not take from the standard library is a contract in pyproject.toml.
    """
    if source.room not in PURE_ROOMS:
        return
    allowed = PURE_LIBRARIES | sys.stdlib_module_names | set(ROOMS)
    for node in ast.walk(source.tree):
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        for module in modules:
            if module.partition(".")[0] not in allowed:
                yield _at(node, f"{source.room} may not import {module}")


def pure_rooms_only_decide(source: Python) -> Iterator[str]:
    """Find engines and strategies that touch a file, the terminal, the clock or global chance."""
    if source.room not in PURE_ROOMS:
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            name = _dotted(node.func)
            owner, _, last = name.rpartition(".")
            if name in IMPURE_CALLS:
                yield _at(node, f"{name}() acts; the core only decides")
            elif last in CLOCKS and owner:
                yield _at(node, f"{name}() reads the clock; time arrives in events")
            elif FILE_CALLS.fullmatch(name):
                yield _at(node, f"{name}() touches files; the shell does that")
            elif last == "default_rng" and not (node.args or node.keywords):
                yield _at(node, f"{name}() has no seed; randomness arrives as a Generator")
        elif isinstance(node, ast.Attribute):
            name = _dotted(node)
            if re.match(r"os\.(environ|getenv)$|random\.", name):
                yield _at(node, f"{name} reads the environment or global randomness")
            state = re.match(r"(?:np|numpy)\.random\.(\w+)$", name)
            if state and state[1] not in SEEDED_RANDOM:
                yield _at(node, f"{name} is global randomness; it arrives as a Generator")


# --- tests that do not run


def skips_name_shared(source: Python) -> Iterator[str]:
    """Find skips for any reason but an absent ../shared, and every xfail and importorskip."""
    constants = {
        target.id: statement.value
        for statement in source.tree.body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }
    reasons = {
        id(node.func): _reason(node, constants)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call)
    }
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Attribute):
            continue
        name = _dotted(node)
        skips = re.fullmatch(r"pytest\.(mark\.)?skip(if)?|unittest\.skip\w*", name)
        if name in {"pytest.xfail", "pytest.mark.xfail", "pytest.importorskip"}:
            yield _at(node, f"{name} hides a failure")
        elif skips and "shared" not in reasons.get(id(node), ""):
            yield _at(node, f"{name}: the only reason to skip is an absent ../shared")


def _reason(call: ast.Call, constants: dict[str, ast.expr]) -> str:
    """Return the text of a skip's reason, looking one level through the module's constants."""
    last = _dotted(call.func).rpartition(".")[2]
    given = [keyword.value for keyword in call.keywords if keyword.arg in {"reason", "msg"}]
    given += call.args[:1] if last == "skip" else []
    texts: list[str] = []
    for expression in given:
        for node in ast.walk(expression):
            if isinstance(node, ast.Name):
                node = constants.get(node.id, node)
            if isinstance(node, ast.Constant):
                texts.append(str(node.value))
    return " ".join(texts)


Rule = Callable[[Python], Iterator[str]]

PYTHON_RULES: tuple[Rule, ...] = (
    file_is_short,
    functions_are_short,
    names_are_field_words,
    names_of_tests_are_sentences,
    docstrings_are_there,
    todos_name_their_issue,
    ignores_carry_their_reason,
    errors_are_not_swallowed,
    imports_are_absolute,
    pure_rooms_import_only_mathematics,
    pure_rooms_only_decide,
    skips_name_shared,
)
