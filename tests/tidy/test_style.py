"""Every Python file of the rooms and the tests keeps the house style."""

import pytest

from tests.tidy.house import python_files
from tests.tidy.rules import PYTHON_RULES, Python, Rule

# One snippet a rule would miss at our peril: (rule, path, text).
BAD = [
    ("file_is_short", "engines/x.py", "a = 1\n" * 401),
    ("functions_are_short", "engines/x.py", "def f():\n" + "    a = 1\n" * 40),
    ("functions_are_short", "tests/x.py", "async def f():\n    '''Doc.'''\n" + "    a = 1\n" * 40),
    ("names_are_field_words", "engines/utils.py", ""),
    ("names_are_field_words", "engines/x.py", "class OrderManager: ..."),
    ("names_are_field_words", "engines/x.py", "def process_bar(): ..."),
    ("names_are_field_words", "engines/x.py", "def do_step(): ..."),
    ("names_are_field_words", "engines/x.py", "def f(data): ..."),
    ("names_are_field_words", "engines/x.py", "for info in (): ..."),
    ("names_are_field_words", "engines/x.py", "import numpy as data"),
    ("names_are_field_words", "engines/x.py", "class A:\n    data: int = 0"),
    ("names_of_tests_are_sentences", "tests/x.py", "def test_rsi(): ..."),
    ("docstrings_are_there", "serve/x.py", "a = 1"),
    ("docstrings_are_there", "serve/x.py", "'''Doc.'''\ndef f(): ..."),
    ("docstrings_are_there", "serve/x.py", "'''Doc.'''\nclass A: ..."),
    ("docstrings_are_there", "serve/x.py", "'''D.'''\nclass A:\n '''D.'''\n def f(self): ..."),
    ("todos_name_their_issue", "tests/x.py", "a = 1  # TO" + "DO: later"),
    ("ignores_carry_their_reason", "tests/x.py", "a = 1  # type: " + "ignore"),
    ("ignores_carry_their_reason", "tests/x.py", "a = 1  # type: " + "ignore[misc]"),
    ("ignores_carry_their_reason", "tests/x.py", "a = 1  # no" + "qa: E501"),
    ("ignores_carry_their_reason", "tests/x.py", "a = 1  # no" + "qa - because I say so"),
    ("errors_are_not_swallowed", "serve/x.py", "try: ...\nexcept: raise"),
    ("errors_are_not_swallowed", "serve/x.py", "try: ...\nexcept Exception: pass"),
    ("errors_are_not_swallowed", "serve/x.py", "try: ...\nexcept BaseException: ..."),
    ("errors_are_not_swallowed", "serve/x.py", "while a:\n try: ...\n except Exception: continue"),
    ("errors_are_not_swallowed", "serve/x.py", "with contextlib.suppress(Exception): ..."),
    ("imports_are_absolute", "engines/x.py", "from . import klines"),
    ("imports_are_absolute", "engines/x.py", "from engines.klines import *"),
    ("pure_rooms_import_only_mathematics", "engines/x.py", "import polars"),
    ("pure_rooms_import_only_mathematics", "strategies/x.py", "from yaml import load"),
    ("pure_rooms_only_decide", "engines/x.py", "open('a')"),
    ("pure_rooms_only_decide", "engines/x.py", "print(1)"),
    ("pure_rooms_only_decide", "strategies/x.py", "input()"),
    ("pure_rooms_only_decide", "engines/x.py", "datetime.now(UTC)"),
    ("pure_rooms_only_decide", "engines/x.py", "datetime.datetime.utcnow()"),
    ("pure_rooms_only_decide", "engines/x.py", "date.today()"),
    ("pure_rooms_only_decide", "engines/x.py", "np.random.normal(0, 1)"),
    ("pure_rooms_only_decide", "engines/x.py", "np.random.default_rng()"),
    ("pure_rooms_only_decide", "engines/x.py", "random.random()"),
    ("pure_rooms_only_decide", "engines/x.py", "os.environ['A']"),
    ("pure_rooms_only_decide", "engines/x.py", "pd.read_csv(a)"),
    ("pure_rooms_only_decide", "engines/x.py", "np.load(a)"),
    ("skips_name_shared", "tests/x.py", "pytest.skip('slow')"),
    ("skips_name_shared", "tests/x.py", "pytest.skip()"),
    ("skips_name_shared", "tests/x.py", "@pytest.mark.skip\ndef f(): ..."),
    ("skips_name_shared", "tests/x.py", "@pytest.mark.skipif(shared, reason='slow')\ndef f(): ..."),
    ("skips_name_shared", "tests/x.py", "WHY = 'slow'\npytest.skip(WHY)"),
    ("skips_name_shared", "tests/x.py", "pytest.importorskip('shared')"),
    ("skips_name_shared", "tests/x.py", "@pytest.mark.xfail(reason='shared')\ndef f(): ..."),
]

# What the rules must leave alone: each snippet passes all of them.
GOOD = [
    ("engines/x.py", "'''Doc.'''\ndef f():\n    '''Say.\n" + "\n" * 50 + "    '''\n"),
    ("engines/x.py", "'''Doc.'''\ndef process_on_close():\n    '''Doc.'''"),
    ("engines/x.py", "'''Doc.'''\nrng = np.random.default_rng(seed)\nx = rng.normal()"),
    ("engines/x.py", "'''Doc.'''\nimport datetime\nd = datetime.datetime(2025, 1, 1)"),
    ("serve/x.py", "'''Doc.'''\nprint(open('a'))\nimport typer\nfrom engines import klines"),
    ("serve/x.py", "'''Doc.'''\ntry: ...\nexcept Exception as error:\n    log(error)\n    raise"),
    ("tests/x.py", "a = 1  # type: " + "ignore[misc]  # numba has no types for this"),
    ("tests/x.py", "a = 1  # TO" + "DO #12: a bar too many"),
    ("tests/x.py", "WHY = 'no ../shared'\npytest.skip(WHY)\npytest.skip('no ../shared')"),
    ("tests/x.py", "def test_the_process_is_killed(): ..."),
]


@pytest.mark.parametrize("rule", PYTHON_RULES, ids=lambda rule: rule.__name__)
def test_every_file_keeps_the_rule(rule: Rule) -> None:
    files = python_files()
    assert files, "no Python file was found, so nothing was judged"
    findings = [f"{source.path}: {finding}" for source in files for finding in rule(source)]
    assert not findings, "\n" + "\n".join(findings)


@pytest.mark.parametrize(("rule", "path", "text"), BAD)
def test_the_rule_finds_what_is_wrong(rule: str, path: str, text: str) -> None:
    rules = {rule.__name__: rule for rule in PYTHON_RULES}
    assert list(rules[rule](Python.parse(path, text)))


def test_every_rule_has_been_seen_to_fail() -> None:
    assert {rule.__name__ for rule in PYTHON_RULES} == {rule for rule, _, _ in BAD}


@pytest.mark.parametrize(("path", "text"), GOOD)
def test_the_rules_leave_good_code_alone(path: str, text: str) -> None:
    source = Python.parse(path, text)
    assert not [finding for rule in PYTHON_RULES for finding in rule(source)]
