"""The door to CompressAI, whose import takes seconds and warns of what its own code does."""

from __future__ import annotations

import warnings
from types import ModuleType


def load_entropy_models() -> ModuleType:
    """Import `compressai.entropy_models`, for `EntropyBottleneck` and `GaussianConditional`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import compressai.entropy_models
    return compressai.entropy_models  # type: ignore[no-any-return]
