"""CompressAI's compiled rANS coder, without the seconds that importing all of CompressAI takes."""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import ModuleType
from typing import Any

from dirac_enhance import PluginError

_NAME = "compressai.ans"


def rans_extension() -> Any:
    """Return the module `compressai.ans`.

    It is loaded from its file and left where `import compressai` finds it, since it can be loaded only once.

    Raises:
        PluginError: if CompressAI is not installed, or its coder cannot be loaded.
    """
    return sys.modules.get(_NAME) or _load(_find())


def _find() -> Path:
    package = importlib.util.find_spec("compressai")
    for folder in (package and package.submodule_search_locations) or ():
        for suffix in EXTENSION_SUFFIXES:
            file = Path(folder) / f"ans{suffix}"
            if file.is_file():
                return file
    raise PluginError("the entropy coder of SwinT-ChARM is CompressAI's, which is missing; `pip install compressai`")


def _load(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(_NAME, file)
    assert spec is not None
    assert spec.loader is not None
    try:
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    except ImportError as cause:
        raise PluginError(f"CompressAI's entropy coder '{file}' cannot be loaded: {cause}") from cause
    sys.modules[_NAME] = module
    return module
