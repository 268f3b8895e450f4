"""The house as it was drawn: which way imports run, and that what is public is explained."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import equisphere

SOURCE = Path(equisphere.__file__).parent

#: what each package may import from, beside the private modules at the root
BELOW = {
    "groups": set(),
    "grids": set(),
    "harmonics": set(),
    "transforms": {"groups", "grids", "harmonics"},
    "nn": {"transforms", "groups", "grids", "harmonics"},
    "audit": {"transforms", "groups", "grids", "harmonics", "plot"},  # plot: the page of a report, when it is asked for
    "align": {"transforms", "groups", "grids", "harmonics"},
    "plot": {"transforms", "groups", "grids", "harmonics"},
    "interop": {"transforms", "groups", "grids", "harmonics"},
    "models": {"nn", "transforms", "groups", "grids", "harmonics"},
    "data": {"interop", "transforms", "groups", "grids", "harmonics"},
    "train": {"interop", "data", "models", "nn", "audit", "transforms", "groups", "grids", "harmonics"},
    "cli": {
        "train",
        "interop",
        "data",
        "models",
        "plot",
        "align",
        "nn",
        "audit",
        "transforms",
        "groups",
        "grids",
        "harmonics",
    },
}
CORE = ("torch", "numpy", "scipy", "jaxtyping")
#: optional accelerators, and the only files that may import each
OPTIONAL = {
    "numba": (
        "transforms/_legendre_kernels.py",
        "transforms/_lane_code.py",
        "transforms/_lane_fourier.py",
        "transforms/_lane_kernels.py",
        "nn/_compare_kernels.py",
    ),
    "llvmlite": ("transforms/_lane_code.py",),
    "ducc0": ("transforms/_ducc.py",),
    "finufft": ("transforms/_nufft.py",),
    "safetensors": ("models/_checkpoint.py",),
    "rich": ("audit/_report.py",),
    "huggingface_hub": ("models/_hub.py",),
}


def imported(path: Path) -> set[str]:
    """Dotted names that a module imports, at its head or later."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return names


def test_every_package_has_its_place():
    assert {path.parent.name for path in SOURCE.glob("*/__init__.py")} == BELOW.keys()


@pytest.mark.parametrize("package", BELOW)
def test_imports_run_downward(package):
    for path in (SOURCE / package).glob("*.py"):
        for name in imported(path):
            parts = name.split(".")
            if parts[0] == "equisphere" and len(parts) > 1 and parts[1] in BELOW:
                assert parts[1] in BELOW[package] | {package}, f"{path.name} imports {name}"


@pytest.mark.parametrize("package", ["groups", "grids", "harmonics", "transforms", "nn", "audit", "align", "models"])
def test_the_core_needs_its_four_libraries_alone(package):
    standard = __import__("sys").stdlib_module_names
    for path in (SOURCE / package).glob("*.py"):
        foreign = {name.split(".")[0] for name in imported(path)} - standard - {"equisphere", *CORE}
        allowed = {name for name, files in OPTIONAL.items() if f"{package}/{path.name}" in files}
        assert foreign <= allowed, f"{path.name} imports {foreign}"


def public():
    for package in BELOW:
        if package == "cli":
            continue
        module = importlib.import_module(f"equisphere.{package}")
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isclass(value) or inspect.isfunction(value):
                yield pytest.param(package, name, value, id=f"{package}.{name}")


@pytest.mark.parametrize(("package", "name", "value"), list(public()))
def test_what_is_public_is_explained(package, name, value):
    text = inspect.getdoc(value) or ""
    assert len(text) > 20
    abstract = inspect.isabstract(value) or (inspect.isclass(value) and issubclass(value, Exception))
    if package in ("groups", "grids", "harmonics", "transforms", "nn", "align") and not abstract:
        assert ">>>" in text, "no example"
    if inspect.isfunction(value):
        signature = inspect.signature(value)
        assert signature.return_annotation is not inspect.Signature.empty
        assert all(p.annotation is not inspect.Parameter.empty for p in signature.parameters.values())


def test_the_library_asserts_nothing_and_prints_nothing():
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            assert not isinstance(node, ast.Assert), f"{path} asserts"
            assert not (isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"), f"{path} prints"


@pytest.mark.parametrize("name", ["equisphere", "equisphere.data", "equisphere.train", "equisphere.cli._app"])
def test_what_is_heavy_and_seldom_used_loads_late(name):
    heavy = {
        "scipy.special",
        "scipy.fft",
        "pytorch_lightning",
        "matplotlib",
        "trimesh",
        "PIL",
        "huggingface_hub",
        "pandas",
    }
    code = f"import sys, {name}; print(*(m for m in {sorted(heavy)} if m in sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == []


def test_files_stay_small():
    for path in SOURCE.rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 300, path
