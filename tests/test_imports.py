"""What an import costs: names come at once, numerics when they are used."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OPTIONAL = {
    "pyarrow": "read by corpus.tables when there is an Arrow file, with a message when it is missing",
    "triton": "the kernels for CUDA, imported when they are chosen; torch for CUDA brings it",
}
NUMERICS = {"torch", "numpy", "transformers", "tokenizers", "safetensors", "duckdb", "jaxtyping", "scipy"}
LIGHT_CORE = ["config", "errors", "findings", "fingerprints", "progress", "runs", "seeding", "sites"]


def modules_of(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter loads to run `code`, as -X importtime tells them."""
    done = subprocess.run([sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().split(".")[0] for line in lines}


def test_the_measurement_sees_an_import():
    assert "numpy" in modules_of("import numpy")


def test_importing_monosema_loads_no_numerics():
    modules = modules_of("import monosema; monosema.__version__; monosema.Site; monosema.Finding; dir(monosema)")
    assert "monosema" in modules
    assert not modules & NUMERICS


@pytest.mark.parametrize("module", LIGHT_CORE)
def test_core_is_light(module: str):
    assert not modules_of(f"import monosema.core.{module}") & NUMERICS


@pytest.mark.parametrize("arguments", [[], ["train"]], ids=["monosema", "monosema train"])
def test_help_loads_no_numerics(arguments: list[str]):
    code = f"""
import sys
from monosema.cli import main
sys.argv = ["monosema", *{arguments!r}, "--help"]
try:
    sys.exit(main())
except SystemExit as end:
    assert not end.code, end.code
"""
    assert not modules_of(code) & NUMERICS


def test_a_name_that_is_not_there_names_the_nearest():
    import monosema

    with pytest.raises(AttributeError, match=r"unknown name 'evaluate'\. Did you mean 'evaluation'"):
        monosema.evaluate  # noqa: B018


def test_every_public_name_resolves_and_is_listed():
    import monosema

    assert set(dir(monosema)) == {*monosema.__all__, "__version__"}
    for name in ("Finding", "MonosemaError", "Site"):
        assert getattr(monosema, name).__name__ == name


def test_a_layer_arrives_when_it_is_first_used():
    code = "import monosema, sys; assert 'monosema.corpus' not in sys.modules; assert monosema.corpus.pack"
    modules_of(code)


def test_what_is_imported_is_a_declared_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {re.split(r"[<>=\[ ]", requirement)[0] for requirement in project["dependencies"]}
    imported: set[str] = set()
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").split(".")[0])
    assert imported - sys.stdlib_module_names - {"monosema"} <= declared | OPTIONAL.keys()
