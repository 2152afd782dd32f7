"""Who may import whom, what stays light, and which files must not exist."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import dirac_enhance

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "dirac_enhance"

# Module or sub-package → the modules and sub-packages of this package that it may import when it runs, "*" for all.
# Imports for type checking only are free. Within a sub-package all may import each other, in no circle.
MAY_IMPORT = {
    "__init__": "atomic codec colour_profile device enhancer errors host hookspecs pixel_limit weights window",
    "__main__": "cli",
    "errors": "",
    "window": "",
    "hookspecs": "",
    "sampling": "",
    "atomic": "errors",
    "colour_profile": "errors",
    "codec": "errors",
    "contract": "codec errors",
    "device": "errors",
    "weights": "atomic errors weights_metadata",
    "weights_metadata": "errors",
    "diffusion": "errors window",
    "networks": "diffusion.schedule errors",
    "metrics": "errors",
    "tiles": "window",
    "tiling": "device diffusion errors tiles",
    "exif": "errors",
    "streams": "codec errors",
    "out_of_memory": "errors",
    "subject": "",
    "interruption": "",
    "pixel_limit": "codec errors",
    "image_formats": "codec colour_profile errors exif",
    "sixteen_bit": "codec errors image_formats",
    "image": "atomic codec decoded_pixels errors exif image_formats sixteen_bit streams subject",
    "webp": "",
    "decoded_pixels": "codec colour_profile errors exif image_formats pixel_limit sixteen_bit webp",
    "transparency": "",
    "host": "codec contract errors hookspecs weights",
    "guard": "codec contract errors host out_of_memory pixel_limit",
    "enhancer": "codec device diffusion errors networks sampling tiling transparency weights window",
    "pipeline": "atomic codec decoded_pixels enhancer errors guard host image out_of_memory pixel_limit sampling"
    " streams subject",
    "batch": "atomic codec device enhancer errors host image image_formats out_of_memory pipeline sampling streams",
    "picture": "codec colour_profile errors host image pipeline streams",
    "rate_search": "codec errors",
    "encoding": "atomic codec colour_profile errors guard host out_of_memory picture pipeline rate_search",
    "inspection": "colour_profile errors host pipeline weights",
    "comparison": "colour_profile errors host metrics picture",
    "contact_sheet": "codec enhancer errors host image picture pipeline sampling window",
    "training": "atomic codec device diffusion enhancer errors guard image interruption metrics networks tiling weights"
    " window",
    "testing": "codec contract errors window",
    "bench.report": "__init__ atomic bench contact_sheet.crops image image_formats metrics rate_search sampling",
    "bench": "__init__ atomic image metrics rate_search sampling",  # files are read and written in one place
    "cli": "*",
}

# Imported at the top of no module that the command line loads before it knows what to do.
HEAVY = "PIL compressai cv2 lpips matplotlib numpy safetensors spandrel torch torchvision tqdm"
LIGHT = (
    "__init__ __main__ errors window hookspecs sampling atomic codec contract out_of_memory pixel_limit streams subject"
    " weights weights_metadata guard host pipeline testing cli batch.inputs batch.leftovers batch.plan"
    " diffusion.schedule_catalogue networks.catalogue networks.config interruption"
    " picture rate_search encoding inspection comparison bench training.command_options training.lineage"
)

# Library → the modules that may touch it, where it belongs behind a door.
DOORS = {
    "PIL": "bench.preparation colour_profile contact_sheet.drawing decoded_pixels image image_formats pixel_limit"
    " sixteen_bit training.images",
    "cv2": "sixteen_bit",
    "click": "cli host training.command_options",
    "compressai": "",
    "matplotlib": "bench.plots",
}

FORBIDDEN_FILES = (
    "utils.py helpers.py common.py misc.py base.py types.py constants.py config.yaml"
    " registry.py logger.py version.py setup.py requirements.txt"
)


@dataclass(frozen=True)
class Import:
    """One imported name: `module` may be a name inside a module; `top` means executed when the module is."""

    importer: str
    module: str
    top: bool


def imports_of(path: Path, importer: str) -> Iterator[Import]:
    """What a file imports when it runs, inside functions too; what only type checkers see is left out."""
    yield from _walk(ast.parse(path.read_text(encoding="utf-8")), importer, top=True)


def _walk(node: ast.AST, importer: str, *, top: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.Import):
            yield from (Import(importer, alias.name, top) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"{importer} has a relative import"
            yield from (Import(importer, f"{child.module}.{alias.name}", top) for alias in child.names)
        else:
            yield from _walk(child, importer, top=top and not isinstance(child, ast.FunctionDef))


def modules_of(package: Path) -> dict[str, Path]:
    """Modules by their dotted name inside the package; a sub-package's `__init__` goes by the sub-package's name."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        found[".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules_of(PACKAGE)
PLUGINS = sorted(path.parent for path in (ROOT / "plugins").glob("dirac_enhance_*/__init__.py"))


def inside(module: str, parents: Iterable[str]) -> bool:
    """Whether a module is one of `parents` or below one; the parent "*" is everything."""
    return any(parent in ("*", module) or module.startswith(f"{parent}.") for parent in parents)


def own_module(imported: str) -> str | None:
    """The module of this package that an imported name belongs to, or None for another package's name."""
    top, _, rest = imported.partition(".")
    if top != "dirac_enhance":
        return None
    while rest and rest not in MODULES:
        rest = rest.rpartition(".")[0]
    return rest or "__init__"


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_its_row_allows(module: str) -> None:
    row = next((row for row in MAY_IMPORT if inside(module, (row,))), None)
    assert row is not None, f"no row for {module}: say in MAY_IMPORT what it may import"

    for each in imports_of(MODULES[module], module):
        imported = own_module(each.module)
        assert imported is None or inside(imported, [row, *MAY_IMPORT[row].split()]), f"{module} imports {each.module}"


def test_no_module_imports_in_a_circle() -> None:
    graph = {
        module: {own_module(each.module) for each in imports_of(path, module)} - {None, module}
        for module, path in MODULES.items()
    }

    assert len(list(TopologicalSorter(graph).static_order())) == len(MODULES)


@pytest.mark.parametrize("module", [module for module in MODULES if inside(module, LIGHT.split())])
def test_a_light_module_imports_heavy_libraries_where_they_are_used(module: str) -> None:
    at_the_top = [each.module for each in imports_of(MODULES[module], module) if each.top]

    assert not [name for name in at_the_top if inside(name, HEAVY.split())]


@pytest.mark.parametrize("library", DOORS)
def test_a_library_behind_a_door_is_imported_by_nobody_else(library: str) -> None:
    importers = {
        module
        for module, path in MODULES.items()
        for each in imports_of(path, module)
        if inside(each.module, (library,))
    }

    assert not {module for module in importers if not inside(module, DOORS[library].split())}


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.name)
def test_a_plugin_imports_public_names_only(plugin: Path) -> None:
    for module, path in modules_of(plugin).items():
        for each in imports_of(path, module):
            top, _, name = each.module.partition(".")
            if top == "dirac_enhance":
                public = name in dirac_enhance.__all__ or inside(name, ("training", "testing"))
                assert public, f"{plugin.name}.{module} imports {each.module}"
            assert not (top.startswith("dirac_enhance_") and top != plugin.name), f"{module} imports {each.module}"


@pytest.mark.parametrize("folder", [PACKAGE, *PLUGINS], ids=lambda folder: folder.name)
def test_nobody_imports_plugins_tests_or_benchmarks(folder: Path) -> None:
    for module, path in modules_of(folder).items():
        for each in imports_of(path, module):
            top = each.module.partition(".")[0]
            assert top not in ("tests", "benchmarks"), f"{module} imports {each.module}"
            assert not top.startswith("dirac_enhance_") or top == folder.name, f"{module} imports {each.module}"


def test_no_grab_bag_and_no_file_over_400_lines() -> None:
    files = [
        path
        for folder in ("dirac_enhance", "plugins", "tests", "benchmarks", "weights")
        for path in (ROOT / folder).rglob("*.*")
        if path.is_file() and "__pycache__" not in path.parts
    ]

    assert not [path for path in [*files, *ROOT.glob("*.*")] if path.name in FORBIDDEN_FILES.split()]
    assert not [path for path in files if path.suffix == ".py" and len(path.read_text().splitlines()) > 400]


def test_every_public_name_can_be_imported() -> None:
    for name in dirac_enhance.__all__:
        assert getattr(dirac_enhance, name) is not None
    assert set(dirac_enhance.__all__) <= set(dir(dirac_enhance))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = dirac_enhance.nothing  # type: ignore[attr-defined] # that is the point


REPORT = "print('loaded:', sorted(n for n in {heavy!r} if n in sys.modules))"


def run_python(code: str) -> str:
    """Run code in a fresh interpreter, and return what it printed last."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False, env=environment
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["enhance", "--help"], ["contact-sheet", "--help"], ["report", "--help"], ["codecs"], ["--version"]],
)
def test_the_command_line_loads_nothing_heavy_before_it_has_to(arguments: list[str]) -> None:
    heavy = ("torch", "compressai", "cv2", "numpy", "PIL")
    code = f"""
import sys
from dirac_enhance.cli import main
sys.argv = ["dirac-enhance", *{arguments!r}]
try:
    main()
except SystemExit as ended:
    assert not ended.code
{REPORT.format(heavy=heavy)}
"""
    assert run_python(code) == "loaded: []"


def test_the_public_api_and_the_plugins_are_light_to_import() -> None:
    names = ", ".join(plugin.name for plugin in PLUGINS)

    assert run_python(f"import sys, dirac_enhance, {names}; {REPORT.format(heavy=HEAVY.split())}") == "loaded: []"


def test_jpeg_and_training_work_without_compressai_opencv_and_lpips() -> None:
    training = [f"dirac_enhance.{module}" for module in MODULES if inside(module, ("training",))]
    code = f"""
import sys
for name in ("compressai", "cv2", "lpips", "torchvision"):
    sys.modules[name] = None
import importlib, torch
from dirac_enhance import load_host
for name in {training!r}:
    importlib.import_module(name)
codec = load_host().codec("jpeg").codec
print(tuple(codec.decode(codec.encode(torch.zeros(3, 8, 9), rate_factor=50)).pixels.shape))
"""
    assert run_python(code) == "(3, 8, 9)"
