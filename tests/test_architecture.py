"""The shape of the program, held by walking its source: who imports whom, and what is loaded when."""

import ast
import importlib.metadata
import importlib.util
import inspect
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from bifrost_cli import errors
from bifrost_cli.errors import BifrostError
from bifrost_cli.providers import HOME, PROVIDERS, load
from bifrost_cli.providers.base import Provider
from bifrost_cli.sandbox import EMULATORS

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "bifrost_cli"
FOLDERS = sorted(path.name for path in (PACKAGE / "providers").iterdir() if (path / "__init__.py").exists())
SDKS = {"anthropic", "openai", "google", "boto3"}
"""The vendors' own, which are for tests only."""


class Import(NamedTuple):
    """One import of a module. `name` is absolute; `lazy`: not when the module itself is loaded."""

    module: str
    line: int
    name: str
    lazy: bool

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.name}"


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports(module: str) -> Iterator[Import]:
    """What a module imports, those for type checkers left out."""
    yield from _imports(module, ast.parse(SOURCES[module].read_text()), False)


def _imports(module: str, node: ast.AST, lazy: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.Import):
            yield from (Import(module, child.lineno, alias.name, lazy) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield from (Import(module, child.lineno, name, lazy) for name in _from(module, child))
        yield from _imports(module, child, lazy or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef))


def _from(module: str, node: ast.ImportFrom) -> Iterator[str]:
    """The modules that `from x import a, b` loads: `x.a` where that is one of ours, else `x`."""
    package = module if SOURCES[module].name == "__init__.py" else module.rpartition(".")[0]
    name = importlib.util.resolve_name("." * node.level + (node.module or ""), package) if node.level else node.module
    assert name is not None
    yield from (f"{name}.{alias.name}" if f"{name}.{alias.name}" in SOURCES else name for alias in node.names)


def ours(module: str) -> Iterator[Import]:
    yield from (each for each in imports(module) if each.name.partition(".")[0] == "bifrost_cli")


def below(*packages: str) -> list[str]:
    """The modules of these packages."""
    return [name for name in SOURCES if any(_within(name, package) for package in packages)]


def _within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def strangers(modules: Iterable[str], *, exactly: Iterable[str] = (), within: Iterable[str] = ()) -> list[str]:
    """The imports of our own modules that are not among the allowed."""
    exact = {"bifrost_cli", *(f"bifrost_cli.{name}" for name in exactly)}
    packages = [f"bifrost_cli.{name}" for name in within]
    return [
        str(each)
        for module in modules
        for each in ours(module)
        if each.name not in exact and not any(_within(each.name, package) for package in packages)
    ]


CONTRACT = ("providers", "providers.base", "providers.encoder")

# -- who imports whom --------------------------------------------------------------------------------------------


def test_the_core_imports_the_contract_and_the_registry_and_never_a_provider() -> None:
    allowed = ("errors", "models", "config", "bodies", "transport", *CONTRACT)
    assert strangers(below("bifrost_cli.core"), exactly=allowed, within=["core"]) == []


@pytest.mark.parametrize("name", FOLDERS)
def test_a_provider_imports_the_contract_and_its_own_folder(name: str) -> None:
    shared = [f"providers.{module}" for module in ("base", "encoder", "checks", "tools", "answers", "events")]
    allowed = ("errors", "models", "config", "repeats", "bodies", "transport", "sse", *shared)
    assert strangers(below(f"bifrost_cli.providers.{name}"), exactly=allowed, within=[f"providers.{name}"]) == []


def test_the_contract_and_what_it_stands_on_import_no_provider_and_no_core() -> None:
    assert strangers(["bifrost_cli.errors", "bifrost_cli.sse"]) == []
    assert strangers(["bifrost_cli.models"], exactly=["errors"]) == []
    assert strangers(["bifrost_cli.bodies"], exactly=["errors"]) == []
    assert strangers(["bifrost_cli.transport"], exactly=["bodies", "errors", "repeats", "sse", "tls"]) == []
    assert strangers(["bifrost_cli.repeats"], exactly=["errors"]) == []
    assert strangers(["bifrost_cli.providers"]) == []
    assert strangers(["bifrost_cli.config"], exactly=["errors", "providers"]) == []
    assert strangers(["bifrost_cli.providers.encoder"], exactly=["errors"]) == []
    stands_on = ("errors", "models", "config", "bodies", "transport", "providers.encoder")
    assert strangers(["bifrost_cli.providers.base"], exactly=stands_on) == []


@pytest.mark.parametrize("name", ["cli", "server"])
def test_the_ways_in_import_the_core_and_the_registry(name: str) -> None:
    allowed = ("errors", "models", "config", "providers", "providers.base", "transport", "sse")
    assert strangers(below(f"bifrost_cli.{name}"), exactly=allowed, within=["core", name, "server", "sandbox"]) == []


def test_the_command_line_loads_server_and_sandbox_only_when_it_uses_them() -> None:
    heavy = ("bifrost_cli.server", "bifrost_cli.sandbox")
    found = [each for module in below("bifrost_cli.cli") for each in ours(module)]
    assert [str(each) for each in found if not each.lazy and any(_within(each.name, part) for part in heavy)] == []


def test_the_sandbox_imports_nothing_of_ours() -> None:
    """Else an emulator and its adapter could agree on a mistake."""
    assert strangers(below("bifrost_cli.sandbox"), within=["sandbox"]) == []


def test_nothing_of_ours_imports_the_sandbox_but_the_ways_in() -> None:
    users = {each.module for module in SOURCES for each in ours(module) if _within(each.name, "bifrost_cli.sandbox")}
    assert {name.split(".")[1] for name in users} <= {"cli", "server", "sandbox"}


# -- what depends on what ----------------------------------------------------------------------------------------


def test_no_vendors_sdk_is_imported() -> None:
    assert [str(each) for module in SOURCES for each in imports(module) if each.name.split(".")[0] in SDKS] == []


def test_what_is_imported_is_a_declared_dependency() -> None:
    declared = set(_declared())
    homes = importlib.metadata.packages_distributions()
    tops = {each.name.split(".")[0]: each for module in SOURCES for each in imports(module)}
    foreign = {name: each for name, each in tops.items() if name not in {*sys.stdlib_module_names, "bifrost_cli"}}
    assert foreign
    undeclared = [each for name, each in foreign.items() if declared.isdisjoint(map(_normal, homes.get(name, [])))]
    assert [str(each) for each in undeclared] == []


def _declared() -> Iterator[str]:
    """What is installed to run: the dependencies, and the extras but the one for development."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {name: lines for name, lines in project.get("optional-dependencies", {}).items() if name != "dev"}
    for line in [*project["dependencies"], *(line for lines in extras.values() for line in lines)]:
        yield _normal(re.split(r"[^\w.-]", line)[0])


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


LIGHT = "import sys; from bifrost_cli.cli.app import main; sys.argv = ['bifrost', {argument!r}]\n"
LISTED = "try: main()\nfinally: print(*sys.modules, sep='\\n', file=sys.stderr)"


@pytest.mark.parametrize("argument", ["--version", "--help"])
def test_version_and_help_load_neither_clients_nor_models_nor_providers(argument: str) -> None:
    script = LIGHT.format(argument=argument) + LISTED
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stderr.splitlines())
    assert "bifrost_cli.cli.app" in loaded
    heavy = {"httpx", "pydantic", "starlette", "uvicorn", "orjson", "sqlite3", *SDKS}
    ours = {f"bifrost_cli.{name}" for name in ("core", "transport", "models", "server", "sandbox")}
    providers = {f"bifrost_cli.providers.{name}" for name in (*FOLDERS, "base")}
    assert loaded & (heavy | ours | providers) == set()


# -- names -------------------------------------------------------------------------------------------------------


def literals(module: str) -> Iterator[ast.Constant]:
    """The strings of a module that are neither docstrings nor help."""
    tree = ast.parse(SOURCES[module].read_text())
    passed_over = {id(node) for node in _prose(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in passed_over:
            yield node


def _prose(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value
        if isinstance(node, ast.keyword) and node.arg in ("hint", "help"):
            yield from ast.walk(node)


@pytest.mark.parametrize("module", below("bifrost_cli.core", "bifrost_cli.server", "bifrost_cli.transport"))
def test_the_middle_names_no_provider(module: str) -> None:
    names = re.compile(rf"(?i)(?<![a-z])({'|'.join({*FOLDERS, *PROVIDERS})})(?![a-z])")
    found = [f"{module}:{node.lineno}: {node.value!r}" for node in literals(module) if names.search(node.value)]
    assert found == []


# -- providers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_registered_provider_is_whole(name: str) -> None:
    kind = load(name)
    assert issubclass(kind, Provider)
    assert kind.name == name
    assert kind.title
    assert name in EMULATORS
    assert (PACKAGE / "providers" / name / "api.py").exists()
    assert (PACKAGE / "providers" / name / "translate.py").exists()


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_providers_secrets_are_marked(name: str) -> None:
    secret = re.compile(r"key$|token$|secret|password|headers$")
    marked = {setting.name: setting.secret for setting in load(name).settings}
    assert [setting for setting, hidden in marked.items() if secret.search(setting) and not hidden] == []


def test_the_home_provider_is_registered() -> None:
    assert HOME in PROVIDERS


# -- errors ------------------------------------------------------------------------------------------------------


class Row(NamedTuple):
    """One line of the tree in the docstring of `errors`."""

    name: str
    depth: int
    exit_code: int
    status: int
    type: str | None


def rows() -> list[Row]:
    line = re.compile(r"^    ([│├└─ ]*)(\w+) +(\d+) +(\d+) +(\S+)")
    found = [match for text in str(errors.__doc__).splitlines() if (match := line.match(text))]
    return [
        Row(name, len(branch) // 4, int(code), int(status), None if type == "-" else type)
        for branch, name, code, status, type in (match.groups() for match in found)
    ]


def classes() -> dict[str, type[BifrostError]]:
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, BifrostError)]
    return {kind.__name__: kind for kind in kinds}


def test_every_error_is_in_the_docstrings_tree_with_its_codes() -> None:
    drawn = {row.name: (row.exit_code, row.status, row.type) for row in rows()}
    kinds = classes()
    assert drawn.keys() == kinds.keys()
    for name, (exit_code, status, type) in drawn.items():
        kind = kinds[name]
        assert (kind.exit_code, kind.status) == (exit_code, status), name
        assert type is None or kind.type == type, name


def test_the_docstrings_tree_has_the_branches_of_the_classes() -> None:
    above: list[str] = []
    for row in rows():
        del above[row.depth :]
        parent = classes()[row.name].__base__
        assert parent is not None
        assert parent.__name__ == (above[-1] if above else "Exception"), row.name
        above.append(row.name)
