"""The files that browsers get: put together rightly, readable, and the vendored ones unchanged."""

import hashlib
import re
from pathlib import Path

import pytest

import serve.web
from serve.web.bundle import CHARTS, WebFault, bundled, report_assets, study_assets

WEB = Path(str(serve.web.__file__)).parent
OURS = sorted(path for page in ("report", "study") for path in (WEB / page).glob("*.[jc]s*"))


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_our_web_files_keep_the_size_of_the_house(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    assert len(lines) <= 400
    assert max(map(len, lines)) <= 100
    assert lines[0].startswith(("// ", "/* ")), "a file opens by saying what it is for"


def test_our_scripts_build_no_markup_from_text() -> None:
    for path in OURS:
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|fetch\(",
                             path.read_text("utf-8")), path.name  # fmt: skip  # one condition


def test_every_module_of_a_page_is_in_its_script() -> None:
    scripts = {"report": report_assets().scripts[1], "study": study_assets().scripts[0]}
    for path in OURS:
        if path.suffix == ".js":
            assert f"const {path.stem}_module = " in scripts[path.parent.name]
    for script in scripts.values():
        assert not re.search(r"^(import|export)\b", script, re.MULTILINE)


def test_names_that_are_imported_are_exported_there() -> None:
    sources = {path.stem: path.read_text("utf-8") for path in OURS if path.suffix == ".js"}
    for source in sources.values():
        for names, other in re.findall(
            r'import \{([^}]*)\} from "\.\.?/(?:\w+/)?(\w+)\.js"', source
        ):
            for name in names.split(","):
                assert re.search(rf"^export \w+ {name.strip()}\b", sources[other], re.MULTILINE)


def write(folder: Path, **modules: str) -> Path:
    for name, text in modules.items():
        (folder / f"{name}.js").write_text(text, encoding="utf-8")
    return folder


def test_modules_run_in_the_order_of_their_imports(tmp_path: Path) -> None:
    write(
        tmp_path,
        a='import { two } from "./b.js";\nlog(two());\n',
        b='import { one } from "./c.js";\nexport function two() { return 2 * one; }\n',
        c="export const one = 1;\n",
    )
    script = bundled(tmp_path, "a")
    places = [script.index(f"const {name}_module") for name in "cba"]
    assert places == sorted(places)
    assert "const { two } = b_module;" in script
    assert "return { two };" in script


def test_a_page_takes_modules_of_another_page_but_no_two_of_one_name(tmp_path: Path) -> None:
    own = write(tmp_path, a='import { h } from "../report/dom.js";\nlog(h);\n')
    script = bundled(own, "a")
    assert script.index("const dom_module") < script.index("const { h } = dom_module;")
    write(tmp_path, b='import { i } from "./dom.js";\n', dom="export const i = 1;\n")
    own = write(tmp_path, a='import { h } from "../report/dom.js";\nimport { b } from "./b.js";\n')
    with pytest.raises(WebFault, match="one module of that name"):
        bundled(own, "a")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('import b from "./b.js";\n', "import b"),
        ("export default 1;\n", "export default"),
        ('import { a } from "./a.js";\n', "circle"),
    ],
)
def test_a_form_of_import_that_is_not_known_is_refused(
    tmp_path: Path, text: str, found: str
) -> None:
    with pytest.raises(WebFault, match=found):
        bundled(write(tmp_path, a=text, b=""), "a")


def test_the_vendored_charts_are_those_that_their_note_names() -> None:
    script = (WEB / CHARTS).read_bytes()
    note = (WEB / CHARTS).with_name("VERSION.md").read_text("utf-8")
    assert hashlib.sha256(script).hexdigest() in note
    (version,) = re.findall(rb"Lightweight Charts\S* v([\d.]+)", script)
    assert note.startswith(f"# lightweight-charts {version.decode()}\n")
    assert "Apache License" in (WEB / CHARTS).with_name("LICENSE").read_text("utf-8")
    assert "tradingview.com" in (WEB / CHARTS).with_name("NOTICE").read_text("utf-8")


def colours(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#\w+)", block))


def schemes() -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    style = report_assets().style
    light, by_system, by_switch = re.findall(r":root[^{]*\{([^}]*)\}", style)[:3]
    return colours(light), colours(by_system), colours(by_switch)


def test_dark_is_the_same_by_the_system_and_by_the_switch() -> None:
    light, by_system, by_switch = schemes()
    assert by_system == by_switch
    assert light.keys() == by_system.keys()


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("text", "ground"),
    [
        *((text, ground) for text in ("ink", "dim", "gain", "loss", "accent", "long", "short")
          for ground in ("page", "raised")),
        ("accent", "accent-soft"), ("ink", "accent-soft"), ("loss", "accent-soft"),
        ("gain", "accent-soft"), ("warn", "warn-soft"), ("page", "ink"),
    ],
)  # fmt: skip  # pairs read by their rows
def test_text_has_the_contrast_that_the_guideline_asks(scheme: int, text: str, ground: str) -> None:
    # WCAG 2.2, 1.4.3 (AA): 4.5 to 1.
    palette = schemes()[scheme]
    dark, bright = sorted((luminance(palette[text]), luminance(palette[ground])))
    assert (bright + 0.05) / (dark + 0.05) >= 4.5
