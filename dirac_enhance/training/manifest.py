"""The manifest of a folder of weights: a row for each file, with its sha256."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dirac_enhance.atomic import write_atomically
from dirac_enhance.errors import TrainingError
from dirac_enhance.weights import WeightsFile

MANIFEST_VERSION = 1


@contextmanager
def folder_of_weights(folder: Path) -> Iterator[None]:
    """Make a folder, and those above it, where they are missing, for what is written to it meanwhile.

    Raises:
        TrainingError: if it cannot be made or written to, as on a full disk.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as cause:
        raise TrainingError(f"cannot write to '{folder}': {cause.strerror}; pass another -o FOLDER") from cause


def add_to_manifest(weights: WeightsFile, *, codec_id: str, parameters: int, summary: str) -> None:
    """Write a file's row into `manifest.json` beside it; that of the same id is replaced, all others are kept.

    Args:
        weights: the file, with its sha256.
        codec_id: what the weights are found by: a codec's id for its enhancer, `<id>-codec` for a codec's own weights.
        parameters: how many there are.
        summary: a line for `dirac-enhance codecs`.
    """
    path = weights.path.with_name("manifest.json")
    empty: dict[str, Any] = {"format_version": MANIFEST_VERSION, "weights": []}
    manifest = json.loads(path.read_text(encoding="utf-8")) if path.exists() else empty
    row = {
        "codec_id": codec_id,
        "file": weights.path.name,
        "sha256": weights.sha256,
        "bytes": weights.path.stat().st_size,
        "parameters": parameters,
        "summary": summary,
    }
    rows = [other for other in manifest["weights"] if other["codec_id"] != codec_id]
    manifest["weights"] = sorted([*rows, row], key=lambda each: str(each["codec_id"]))
    write_atomically(path, (json.dumps(manifest, indent=2) + "\n").encode(), overwrite=True)
