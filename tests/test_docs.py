"""Documentation that cannot rot: every command, architecture, metric and public name has its heading.

A heading names a thing in code spans: `## `topk``, or `### `models.load`, `models.wrap``. The tables
are read from the source, so that adding a line to one of them fails here until it is explained.
"""

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
SOURCE = ROOT / "src" / "monosema"
LAYERS = (
    "corpus",
    "models",
    "activations",
    "dictionaries",
    "evaluation",
    "features",
    "toys",
    "probes",
    "circuits",
    "geometry",
    "dashboard",
)

HEADING = re.compile(r"^#{1,6} +(.+)$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`]+)`")


def headings(*pages: Path) -> set[str]:
    """What the headings of `pages` (all of them by default) name in code spans."""
    texts = (FENCED.sub("", page.read_text(encoding="utf-8")) for page in pages or sorted(DOCS.rglob("*.md")))
    return {name for text in texts for heading in HEADING.findall(text) for name in CODE.findall(heading)}


def public_names(layer: str) -> list[str]:
    """The literal `__all__` of a layer's package, read without importing it."""
    module = ast.parse((SOURCE / layer / "__init__.py").read_text(encoding="utf-8"))
    for node in module.body:
        match node:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                return list(ast.literal_eval(value))
    raise AssertionError(f"monosema.{layer} has no literal __all__")


def table(layer: str, name: str) -> list[str]:
    return list(getattr(import_module(f"monosema.{layer}"), name))


@pytest.mark.parametrize("layer", LAYERS)
def test_every_public_name_has_a_heading(layer: str):
    named = headings()
    assert not [name for name in public_names(layer) if f"{layer}.{name}" not in named]


@pytest.mark.parametrize("layer", LAYERS)
def test_no_heading_names_what_is_not_there(layer: str):
    named = {name for name in headings() if re.fullmatch(rf"{layer}\.\w+", name)}
    assert named <= {f"{layer}.{name}" for name in public_names(layer)}


def test_every_architecture_has_a_heading():
    assert not set(table("dictionaries", "ARCHITECTURES")) - headings(DOCS / "architectures.md")


def test_every_metric_has_a_heading():
    assert not set(table("evaluation", "METRICS")) - headings(DOCS / "metrics.md")


def test_every_metric_has_its_own_formula_there():
    page = (DOCS / "metrics.md").read_text(encoding="utf-8")
    for name in table("evaluation", "METRICS"):
        formula = import_module("monosema.evaluation").METRICS[name].formula
        assert f"    {formula}\n" in page, f"{name}: {formula}"


def test_every_command_has_a_page_of_its_own():
    for verb in table("cli", "VERBS"):
        page = DOCS / "commands" / f"{verb.replace(' ', '-')}.md"
        assert page.exists(), f"docs/commands/{page.name} is missing"
        assert f"monosema {verb}" in headings(page)


def test_every_page_is_in_the_table_of_contents():
    listed = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8")))
    assert listed == {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}


def test_a_heading_inside_a_code_block_does_not_count(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text("# `one`\n\n```bash\n# `two`\n```\n\n## `three` and `four`\n")
    assert headings(page) == {"one", "three", "four"}
