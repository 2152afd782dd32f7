from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from dirac_enhance import weights
from dirac_enhance.errors import WeightsChecksumError, WeightsError
from dirac_enhance.weights import WeightsFile, WeightsMetadata, bundled_weights, find_weights, save_weights

METADATA = WeightsMetadata(
    codec_id="jpeg",
    network={"channels": [8, 12], "patch": 2},
    schedule={"num_timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.02},
    trained_timesteps=(0, 999),
    late_start=80,
    spacing="log-snr",
    evaluations=4,
    thresholds=((0.5, 0.25), (1.5, 0.125)),
    training={"iterations": 12, "note": "größer"},
)
TENSORS = {"weight": torch.arange(12.0).reshape(3, 4), "bias": torch.tensor([0.5], dtype=torch.float16)}


@pytest.fixture
def file(tmp_path: Path) -> WeightsFile:
    return save_weights(tmp_path / "jpeg.safetensors", TENSORS, METADATA)


def test_what_is_saved_is_loaded(file: WeightsFile) -> None:
    loaded = file.load()
    assert loaded.metadata == METADATA
    assert {name: tensor.dtype for name, tensor in loaded.state_dict.items()} == {
        "weight": torch.float32,
        "bias": torch.float16,
    }
    assert all(torch.equal(loaded.state_dict[name], tensor) for name, tensor in TENSORS.items())
    assert loaded.sha256 == file.sha256 == hashlib.sha256(file.path.read_bytes()).hexdigest()


def test_saving_again_writes_the_same_bytes_in_place(file: WeightsFile) -> None:
    again = save_weights(file.path, {name: TENSORS[name] for name in reversed(TENSORS)}, METADATA)
    assert again == file
    assert [path.name for path in file.path.parent.iterdir()] == ["jpeg.safetensors"]


def test_tensors_in_other_layouts_are_saved_by_their_values(tmp_path: Path) -> None:
    layouts = {"transposed": TENSORS["weight"].T, "trained": TENSORS["weight"].clone().requires_grad_()}
    loaded = save_weights(tmp_path / "file.safetensors", layouts, METADATA).load().state_dict
    assert all(torch.equal(loaded[name], tensor) for name, tensor in layouts.items())


def test_any_safetensors_reader_finds_tensors_and_metadata(file: WeightsFile) -> None:
    with safetensors.safe_open(file.path, framework="pt") as opened:
        assert set(opened.keys()) == set(TENSORS)
        assert json.loads(opened.metadata()["dirac_enhance"])["codec_id"] == "jpeg"


def test_metadata_is_read_without_torch(file: WeightsFile) -> None:
    program = (
        "import sys; from pathlib import Path; from dirac_enhance.weights import WeightsFile;"
        f"print(WeightsFile(Path({str(file.path)!r})).metadata().codec_id, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["jpeg", "False"]


def test_another_checksum_is_refused_with_both_named(file: WeightsFile) -> None:
    with pytest.raises(WeightsChecksumError, match=f"{file.sha256}.*{'0' * 64} was expected; reinstall with"):
        WeightsFile(file.path, "0" * 64).load()


def test_a_missing_file_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    missing = WeightsFile(tmp_path / "none.safetensors")
    for read in (missing.load, missing.metadata):
        with pytest.raises(
            WeightsError, match=r"none.safetensors': there is no such file; pass another --weights FILE"
        ):
            read()


def test_a_folder_is_no_weights_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot read the weights"):
        WeightsFile(tmp_path).load()


def header(entries: object) -> bytes:
    text = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return len(text).to_bytes(8, "little") + text


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:0],
        lambda content: content[:4],
        lambda content: content[:8],
        lambda content: content[:100],
        lambda content: content[:-1],
        lambda content: content + b"\0",
        lambda content: b"\xff" * 7 + b"\x7f" + content[8:],
        lambda content: (1 << 40).to_bytes(8, "little") + content[8:],
        lambda content: content[:8] + b"\xff" + content[9:],
    ],
)
def test_damaged_files_are_one_clear_line(file: WeightsFile, damage: Callable[[bytes], bytes]) -> None:
    file.path.write_bytes(damage(file.path.read_bytes()))
    check_refusal(WeightsFile(file.path))


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xd8\xff\xe0 a photograph" * 100,
        header([1, 2]),
        header({"weight": 3}),
        header({"__metadata__": 3}),
        header({"weight": {"data_offsets": [0, "12"]}}),
        header(b"[" * 100_000),
    ],
)
def test_other_files_are_one_clear_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.safetensors"
    path.write_bytes(content)
    check_refusal(WeightsFile(path))


def check_refusal(refused: WeightsFile) -> None:
    for read in (refused.load, refused.metadata):
        with pytest.raises(WeightsError, match=f"^'{re.escape(str(refused.path))}' cannot be used: it") as caught:
            read()
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 300


def test_tensors_that_overlap_are_refused_on_loading(file: WeightsFile) -> None:
    content = file.path.read_bytes()
    file.path.write_bytes(content.replace(b'"data_offsets":[0,', b'"data_offsets":[1,', 1))
    with pytest.raises(WeightsError, match="its tensors are damaged"):
        WeightsFile(file.path).load()


def test_safetensors_of_something_else_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    safetensors.torch.save_file(TENSORS, path)
    with pytest.raises(WeightsError, match="holds no enhancer; expected a file made by `dirac-enhance export`"):
        WeightsFile(path).metadata()


def test_metadata_round_trips_through_json() -> None:
    plain = replace(METADATA, thresholds=None, evaluations=None, training=None)
    for metadata in (METADATA, plain, replace(METADATA, end_timestep=10)):
        assert WeightsMetadata.from_json(metadata.to_json()) == metadata


def test_metadata_of_earlier_files_has_no_end_of_its_own() -> None:
    values = json.loads(METADATA.to_json())
    assert values.pop("end_timestep") is None
    assert values["format_version"] == 1
    assert WeightsMetadata.from_json(json.dumps(values)) == METADATA


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 2, "thresholds": None}, "its format is 2, and this dirac-enhance reads 1"),
        ({"codec_id": ""}, "codec_id '' cannot be"),
        ({"network": 3}, "network 3"),
        ({"schedule": {"beta_start": "x"}}, "schedule"),
        ({"schedule": {"name": 3}}, "schedule {'name': 3} cannot be"),
        ({"trained_timesteps": [9, 3]}, "trained_timesteps"),
        ({"trained_timesteps": [0.5, 3]}, "trained_timesteps"),
        ({"late_start": 100}, "late_start 100"),
        ({"late_start": True}, "late_start True"),
        ({"spacing": "cosine"}, "spacing 'cosine'"),
        ({"evaluations": 0}, "evaluations 0"),
        ({"end_timestep": -1}, "end_timestep -1"),
        ({"end_timestep": 4.0}, "end_timestep 4.0"),
        ({"end_timestep": 4, "spacing": "paper"}, "end_timestep 4"),
        ({"thresholds": []}, "thresholds"),
        ({"thresholds": [[1.0, 2.0]]}, "thresholds"),
        ({"thresholds": [[1.0]]}, "thresholds"),
        ({"thresholds": 0.5}, "thresholds"),
        ({"training": []}, "training"),
    ],
)
def test_metadata_that_cannot_be_is_refused(change: dict[str, Any], message: str) -> None:
    values = {**json.loads(METADATA.to_json()), **change}
    with pytest.raises(WeightsError, match=re.escape(message)):
        WeightsMetadata.from_json(json.dumps(values))


@pytest.mark.parametrize("text", ["", "3", "{", "[]", "{}", '{"format_version": 1}'])
def test_metadata_that_is_incomplete_is_refused(text: str) -> None:
    with pytest.raises(WeightsError, match="metadata"):
        WeightsMetadata.from_json(text)


def bundle(folder: Path, monkeypatch: pytest.MonkeyPatch, manifest: str | None) -> None:
    """Put a package of weights where Python finds it."""
    package = folder / "bundle_of_weights"
    package.mkdir()
    (package / "__init__.py").touch()
    if manifest is not None:
        (package / "manifest.json").write_text(manifest)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(weights, "BUNDLED_PACKAGE", "bundle_of_weights")
    monkeypatch.delitem(sys.modules, "bundle_of_weights", raising=False)


def test_bundled_weights_come_from_the_manifest_with_their_checksum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"codec_id": "jpeg", "file": "jpeg.safetensors", "sha256": "ab" * 32}
    bundle(tmp_path, monkeypatch, json.dumps({"format_version": 1, "weights": [row]}))
    expected = WeightsFile(tmp_path / "bundle_of_weights" / "jpeg.safetensors", "ab" * 32)
    assert bundled_weights("jpeg") == find_weights("jpeg") == expected
    assert bundled_weights("webp") is None


def test_no_manifest_and_no_package_mean_no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle(tmp_path, monkeypatch, None)
    assert bundled_weights("jpeg") is None
    monkeypatch.setattr(weights, "BUNDLED_PACKAGE", "no_such_package_of_weights")
    assert bundled_weights("jpeg") is None


@pytest.mark.parametrize("manifest", ["", "[]", "{}", '{"weights": [{"codec_id": "jpeg"}]}', '{"weights": [{}]}'])
def test_a_damaged_manifest_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, manifest: str) -> None:
    bundle(tmp_path, monkeypatch, manifest)
    with pytest.raises(WeightsError, match=r"manifest of bundle_of_weights is damaged.*reinstall"):
        bundled_weights("jpeg")


def test_a_codec_without_weights_is_told_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle(tmp_path, monkeypatch, None)
    message = (
        "no enhancer weights for codec 'webp'; train one with `dirac-enhance train --codec webp` or pass --weights FILE"
    )
    with pytest.raises(WeightsError, match=re.escape(message)):
        find_weights("webp")


def test_weights_given_are_used(tmp_path: Path) -> None:
    given = WeightsFile(tmp_path / "file.safetensors", "00")
    assert find_weights("jpeg", given) is given
    assert find_weights("jpeg", given.path) == WeightsFile(given.path)
