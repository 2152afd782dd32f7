"""Scenes: which crops are made of what, and what happens where something is missing."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from PIL import Image
from torch import Tensor

from dirac_enhance import BaseReconstruction, BenchmarkError, DiracWarning, Enhancer, PluginError, RestorerError, Window
from dirac_enhance.bench.preparation import Preparation
from dirac_enhance.bench.report.scenes import CropChoice, SceneSettings, find_peers, make_scenes, parse_crop
from dirac_enhance.bench.restorers.restorer import Absence, Restoration, Restorer
from dirac_enhance.sampling import SamplingSettings
from dirac_enhance_jpeg import JpegCodec


class _Enhancer:
    """Adds as many levels of 1/255 as there are steps."""

    def evaluations(self, *, steps: int, **_others: object) -> int:
        return 1 + (steps > 80)

    def enhance(self, base: BaseReconstruction, *, steps: int, **_others: object) -> Tensor:
        return (base.pixels + steps / 255).clamp(0, 1)


class _Peer:
    """Turns pictures black, or fails."""

    id, method, base = "black", "Black", "libjpeg"

    def __init__(self, *, fails: bool = False) -> None:
        self._fails = fails

    def available(self) -> Absence | None:
        return None

    def restore(self, data: bytes) -> Restoration:
        if self._fails:
            raise RestorerError("it crashed")
        with Image.open(io.BytesIO(data)) as picture:
            return Restoration(torch.zeros(3, picture.height, picture.width))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five originals; noise is in the lower right corner of each."""
    generator = torch.Generator().manual_seed(2)
    for number in range(5):
        samples = torch.full((80, 120, 3), 100, dtype=torch.uint8)
        samples[-24:, -32:] = torch.randint(0, 256, (24, 32, 3), generator=generator, dtype=torch.uint8)
        Image.fromarray(samples.numpy()).save(tmp_path / f"{number}.png")
    return tmp_path


def _make(settings: SceneSettings, peers: Sequence[object] = ()) -> list[tuple[object, ...]]:
    scenes = make_scenes(
        settings, codec=JpegCodec(), enhancer=cast(Enhancer, _Enhancer()), peers=cast(Sequence[Restorer], peers)
    )
    return [(scene.name, scene.window, scene.rate, [version.label for version in scene.versions]) for scene in scenes]


def test_scene_has_original_base_steps_and_peers(folder: Path) -> None:
    crop = CropChoice("1.png", Window(40, 60, 24, 32))
    settings = SceneSettings(folder, (crop,), (10,), steps=(100, 1))

    (scene,) = make_scenes(
        settings, codec=JpegCodec(), enhancer=cast(Enhancer, _Enhancer()), peers=[cast(Restorer, _Peer())]
    )

    assert (scene.width, scene.height, scene.codec) == (120, 80, "jpeg")
    assert [(version.kind, version.label) for version in scene.versions] == [
        ("original", "original"),
        ("base", "jpeg 10"),
        ("steps", "steps 1"),
        ("steps", "steps 100"),
        ("peer", "Black"),
    ]
    assert [version.note.partition(" dB, ")[2] for version in scene.versions[2:]] == [
        *("1 evaluation", "2 evaluations", "peer"),
    ]
    pictures = [Image.open(io.BytesIO(version.webp)).convert("RGB") for version in scene.versions]
    assert {picture.size for picture in pictures} == {(32, 24)}
    with Image.open(folder / "1.png") as original:
        assert pictures[0].tobytes() == original.crop((60, 40, 92, 64)).tobytes()
    assert pictures[1].tobytes() != pictures[0].tobytes()
    assert not any(pictures[4].tobytes())


def test_originals_are_prepared_and_sampled_as_the_settings_say(folder: Path) -> None:
    asked: list[dict[str, object]] = []

    class Recorder(_Enhancer):
        def enhance(self, base: BaseReconstruction, *, steps: int, **others: object) -> Tensor:
            asked.append({"steps": steps, **others})
            return super().enhance(base, steps=steps)

    chosen: dict[str, Any] = {"late_start": 90, "spacing": "paper", "seed": 3, "eta": 0.5}
    sampling = SamplingSettings(**chosen)
    settings = SceneSettings(
        folder, (CropChoice("1.png"),), (10,), (100,), sampling, Preparation.RESIZE_256_THEN_SQUARE
    )
    (scene,) = make_scenes(settings, codec=JpegCodec(), enhancer=cast(Enhancer, Recorder()))

    assert (scene.width, scene.height) == (256, 256)
    assert asked == [{"steps": 100, "evaluations": None, "end_timestep": None, **chosen}]


def test_every_crop_and_rate_is_a_scene_and_a_name_without_a_window_is_cut_automatically(folder: Path) -> None:
    crops = (CropChoice("3", Window(0, 0, 8, 8)), CropChoice("3.png", Window(8, 8, 8, 8)), CropChoice("1.png"))

    made = [scene[:3] for scene in _make(SceneSettings(folder, crops, (10, 50)))]

    whole = Window(0, 0, 80, 120)
    assert made == [
        *(("3.png", Window(top, top, 8, 8), rate) for rate in (10, 50) for top in (0, 8)),
        *(("1.png", whole, rate) for rate in (10, 50)),
    ]


def test_automatic_crops_lie_where_versions_differ_in_pictures_spread_over_the_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dirac_enhance.bench.report.scenes._CROP_WIDTH", 32)
    monkeypatch.setattr("dirac_enhance.bench.report.scenes._CROP_HEIGHT", 24)

    made = _make(SceneSettings(folder, (), (10,), steps=(1,)))

    assert [scene[0] for scene in made] == ["0.png", "2.png", "4.png"]
    assert all(scene[1] == Window(56, 88, 24, 32) for scene in made)


def test_peer_that_fails_is_left_out_with_a_warning(folder: Path) -> None:
    settings = SceneSettings(folder, (CropChoice("1.png"),), (10,), steps=(1,))

    with pytest.warns(DiracWarning, match=r"'1.png' goes without the peer 'black': it crashed"):
        made = _make(settings, [_Peer(fails=True), _Peer()])
    assert made[0][3] == ["original", "jpeg 10", "steps 1", "Black"]


def test_codec_that_breaks_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JpegCodec, "decode", lambda *_: 1 / 0)

    with pytest.raises(PluginError, match=r"'1.png': codec 'jpeg' failed at 10: ZeroDivisionError"):
        _make(SceneSettings(folder, (CropChoice("1.png"),), (10,)))


@pytest.mark.parametrize(
    ("text", "name", "window"),
    [
        ("kodim05.png", "kodim05.png", None),
        ("a/b.png:1,2,3,4", "a/b.png", Window(2, 1, 4, 3)),
        ("10:30:1,2,3,4", "10:30", Window(2, 1, 4, 3)),
        ("x:1,2,3", "x:1,2,3", None),
        ("x:-1,2,3,4", "x", Window(2, -1, 4, 3)),
    ],
)
def test_crops_are_read_as_they_are_typed(text: str, name: str, window: Window | None) -> None:
    assert parse_crop(text) == CropChoice(name, window)


@pytest.mark.parametrize("text", ["", "x:0,0,0,4"])
def test_crop_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(BenchmarkError, match=f"'{text}' is no crop; expected NAME or NAME:X,Y,WIDTH,HEIGHT"):
        parse_crop(text)


@pytest.mark.parametrize(
    ("crop", "message"),
    [
        (CropChoice("9.png"), "there is no picture '9.png' in '.*'; expected one such as '0.png'"),
        (CropChoice("1.png", Window(0, 100, 8, 21)), "the crop 100,0,21,8 reaches beyond '1.png' of 120×80 pixels"),
        (CropChoice("1.png", Window(-1, 0, 8, 8)), "the crop 0,-1,8,8 reaches beyond"),
    ],
)
def test_crop_that_is_not_there_is_refused(folder: Path, crop: CropChoice, message: str) -> None:
    with pytest.raises(BenchmarkError, match=message):
        _make(SceneSettings(folder, (crop,), (10,)))


def test_absent_peer_is_left_out_with_a_warning_that_says_what_to_get(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    with pytest.warns(DiracWarning, match="the peer 'jpeg2png' is left out: .*; "):
        assert find_peers(["jpeg2png"], codec_id="jpeg") == ()


@pytest.mark.parametrize(
    ("name", "codec", "message"),
    [
        ("ddrm", "jpeg", "the peer 'ddrm' takes no files of codec 'jpeg'"),
        ("jpeg2png", "vtm", "the peer 'jpeg2png' takes no files of codec 'vtm'"),
        ("nobody", "jpeg", "unknown peer 'nobody'"),
    ],
)
def test_peer_that_cannot_take_these_files_is_refused(name: str, codec: str, message: str) -> None:
    with pytest.raises(BenchmarkError, match=message):
        find_peers([name], codec_id=codec)
