"""The habits of the house, held by reading the source: sizes, names, and what is never written.

Where a longer thing really reads better it stays, with its reason, in EXCEPTIONS.
"""

import ast
import io
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

FILE_LINES = 400
BODY_LINES = 60
PARAMETERS = 8
CONFIG_FIELDS = 12

EXCEPTIONS: dict[str, str] = {}
"""What may break a limit, as `src/.../file.py` or `src/.../file.py::name`, and why it reads better that way."""

VAGUE_NAMES = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}
FORBIDDEN_IMPORTS = {"pickle": "it runs what it reads", "dill": "it runs what it reads", "joblib": "it writes pickles"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(text(path))


def functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, Function))


def body_lines(function: Function) -> int:
    """Lines of the body, without the docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def n_parameters(function: Function) -> int:
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return sum(argument.arg not in ("self", "cls") for argument in arguments)


def is_machine_code(function: Function) -> bool:
    """Whether it is compiled for a processor or a GPU: such a loop takes arrays and numbers, never an object."""
    return any(ast.unparse(decorator) in ("compiled", "triton.jit") for decorator in function.decorator_list)


def configs(path: Path) -> Iterator[tuple[ast.ClassDef, str]]:
    """Dataclasses named for settings, with their decorator."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ClassDef) and node.name.endswith("Config"):
            decorators = " ".join(map(ast.unparse, node.decorator_list))
            if "dataclass" in decorators:
                yield node, decorators


def over_the_limits() -> Iterator[tuple[str, str]]:
    """Place and size of everything that is too long to take in at once."""
    for path in [*SOURCES, *TESTS]:
        lines = len(text(path).splitlines())
        if lines > FILE_LINES:
            yield relative(path), f"{lines} lines: cut it where its subject changes"
    for path in SOURCES:
        for f in functions(path):
            if body_lines(f) > BODY_LINES:
                yield f"{relative(path)}::{f.name}", f"{body_lines(f)} lines: name its steps"
            if n_parameters(f) > PARAMETERS and not is_machine_code(f):
                yield f"{relative(path)}::{f.name}", f"{n_parameters(f)} parameters: which of them are one thing?"
        for config, _ in configs(path):
            fields = sum(isinstance(item, ast.AnnAssign) for item in config.body)
            if fields > CONFIG_FIELDS:
                yield f"{relative(path)}::{config.name}", f"{fields} fields: compose it of smaller ones"


def test_everything_can_be_read_at_one_sitting():
    assert not {place: size for place, size in over_the_limits() if place not in EXCEPTIONS}


def test_every_exception_has_a_reason_and_is_still_needed():
    assert all(EXCEPTIONS.values())
    assert EXCEPTIONS.keys() <= {place for place, _ in over_the_limits()}


def test_configs_are_frozen():
    assert not [c.name for path in SOURCES for c, decorators in configs(path) if "frozen=True" not in decorators]


def never_written(module: ast.Module, *, lazy: bool = False) -> Iterator[str]:
    """Line and reason of what the source must not hold; `lazy` allows a package its `__getattr__`."""
    for node in ast.walk(module):
        match node:
            case ast.Call(func=ast.Name(id="hasattr")):
                yield f"{node.lineno}: hasattr asks what a thing is by poking it; say it in its type"
            case ast.ExceptHandler(type=None):
                yield f"{node.lineno}: a bare except hides every bug; name what can be raised"
            case ast.ExceptHandler(type=ast.expr() as caught) if {"Exception", "BaseException"} & names_in(caught):
                yield f"{node.lineno}: catching Exception hides every bug; name what can be raised"
            case ast.FunctionDef(name="__getattr__" | "__getattribute__") if not (lazy and node in module.body):
                yield f"{node.lineno}: {node.name} lets a misspelt name answer"
            case ast.Import() | ast.ImportFrom():
                for name in FORBIDDEN_IMPORTS.keys() & imported(node):
                    yield f"{node.lineno}: {name}: {FORBIDDEN_IMPORTS[name]}"
            case ast.Call(func=ast.Attribute(value=ast.Name(id="torch"), attr="load")) if not loads_weights_only(node):
                yield f"{node.lineno}: torch.load without weights_only=True runs what it reads"


def names_in(node: ast.expr) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def imported(node: ast.Import | ast.ImportFrom) -> set[str]:
    names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
    return {name.split(".")[0] for name in names}


def loads_weights_only(call: ast.Call) -> bool:
    return any(k.arg == "weights_only" and ast.unparse(k.value) == "True" for k in call.keywords)


def test_what_is_never_written():
    found = {relative(path): list(never_written(tree(path), lazy=path.name == "__init__.py")) for path in SOURCES}
    assert not {path: lines for path, lines in found.items() if lines}


BAD = """
import pickle
def f(x):
    try:
        return hasattr(x, "y")
    except (ValueError, Exception):
        return torch.load(x)
class A:
    def __getattr__(self, name): ...
"""
GOOD = """
def __getattr__(name): ...
try:
    torch.load(x, weights_only=True)
except ValueError:
    pass
"""


def test_the_check_sees_what_it_looks_for_and_nothing_else():
    assert len(list(never_written(ast.parse(BAD), lazy=True))) == 5
    assert not list(never_written(ast.parse(GOOD), lazy=True))


def test_nothing_is_left_for_later():
    marks = ("TO" + "DO", "FIX" + "ME", "XX" + "X")
    for path in [*SOURCES, *TESTS]:
        for token in tokenize.generate_tokens(io.StringIO(text(path)).readline):
            is_mark = token.type == tokenize.COMMENT and any(mark in token.string for mark in marks)
            assert not is_mark, f"{relative(path)}:{token.start[0]}: {token.string}"


def test_a_file_is_named_for_what_it_holds():
    names = {
        path: {part.removesuffix(".py").removeprefix("test_") for part in path.parts} for path in [*SOURCES, *TESTS]
    }
    assert not [relative(path) for path, parts in names.items() if parts & VAGUE_NAMES]


def test_a_file_says_what_it_is():
    assert not [relative(path) for path in SOURCES if text(path) and ast.get_docstring(tree(path)) is None]
