"""The house stays the house: who may know whom, which packages ship, and what stands near money."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("core_ext", "ledger", "projections", "console")
CYTHON_SOURCES = sorted([*ROOT.glob("core_ext/**/*.pyx"), *ROOT.glob("core_ext/**/*.pxd")])
PYTHON_SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
#: The console has no amounts to reckon with, the store only timeouts.
FAR_FROM_MONEY = ("console", "ledger/store")
MONEY_SOURCES = [path for path in PYTHON_SOURCES if not str(path.relative_to(ROOT)).startswith(FAR_FROM_MONEY)]

FORBIDDEN_IN_KERNELS = re.compile(
    r"^\s*(?:from|import|cimport)\s+(ledger|projections|console|eventsourcing|msgspec|psycopg|pyarrow|sqlite3|time)\b",
    re.MULTILINE,
)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_there_are_kernels_to_look_at() -> None:
    """The checks below look at real files."""
    assert CYTHON_SOURCES
    assert PYTHON_SOURCES


@pytest.mark.parametrize("source", CYTHON_SOURCES, ids=name)
def test_a_kernel_knows_integers_bytes_and_buffers_only(source: Path) -> None:
    """No kernel imports the ledger, the projections, the console, an event library, SQL or a clock."""
    assert FORBIDDEN_IN_KERNELS.findall(source.read_text(encoding="utf-8")) == []


def test_the_check_of_kernel_imports_can_fail() -> None:
    """A kernel that imported the ledger would be found, however it is written."""
    for line in (
        "import ledger",
        "from ledger.events import X",
        "    cimport projections.fold",
        "from console cimport y",
    ):
        assert FORBIDDEN_IN_KERNELS.search(line)
    assert not FORBIDDEN_IN_KERNELS.search("from libc.stdint cimport int64_t")


@pytest.mark.parametrize("source", [path for path in CYTHON_SOURCES if path.suffix == ".pyx"], ids=name)
def test_every_kernel_has_its_interface_and_its_specification(source: Path) -> None:
    """Beside each compiled kernel stand a hand-written interface and a plain-Python reference."""
    assert source.with_suffix(".pyi").exists()
    assert (source.parent / "reference" / f"{source.stem.removeprefix('_')}.py").exists()


def test_the_wheel_lists_every_package_and_nothing_else() -> None:
    """Every folder of Python in the four packages ships; tests and benches do not."""
    found = {".".join(path.parent.relative_to(ROOT).parts) for path in PYTHON_SOURCES}
    assert set(project()["tool"]["setuptools"]["packages"]) == found


@pytest.mark.parametrize("source", MONEY_SOURCES, ids=name)
def test_no_float_stands_near_money(source: Path) -> None:
    """Where amounts are there is no float: not as a literal, not as a conversion."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    literals = [
        node.lineno for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, float)
    ]
    casts = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "float"]
    assert (literals, casts) == ([], [])


def test_modules_are_named_after_nouns_of_the_domain() -> None:
    """Nothing hides in a drawer called utils, helpers, common or misc."""
    assert {path.stem for path in PYTHON_SOURCES} & {"utils", "helpers", "common", "misc"} == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_says_what_it_is(package: str) -> None:
    """Every module with something in it opens with a docstring."""
    silent = [
        name(path)
        for path in (ROOT / package).rglob("*.py")
        if path.stat().st_size and not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert silent == []
