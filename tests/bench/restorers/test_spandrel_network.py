"""The spandrel adapter, on small random networks that the test saves."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from dirac_enhance import RestorerError, load_host
from dirac_enhance.bench.restorers.exchange import luminance
from dirac_enhance.bench.restorers.restorer import Restorer
from dirac_enhance.bench.restorers.spandrel_network import SpandrelRestorer

pytest.importorskip("spandrel", reason="spandrel is not installed (the extra `peers`)")


class SmallDnCnn(nn.Module):
    """DnCNN's layout with few channels: what it computes is subtracted from the picture (Zhang et al. 2017)."""

    def __init__(self, channels: int, layers: int = 9, width: int = 4) -> None:
        super().__init__()
        torch.manual_seed(5)
        convolutions = [
            nn.Conv2d(channels if layer == 0 else width, width, 3, padding=1) for layer in range(layers - 1)
        ]
        inner = [part for convolution in convolutions for part in (convolution, nn.ReLU())]
        self.model = nn.Sequential(*inner, nn.Conv2d(width, channels, 3, padding=1))

    def forward(self, pixels: Tensor) -> Tensor:
        noise: Tensor = self.model(pixels)
        return pixels - noise


def save(folder: Path, network: nn.Module) -> Path:
    path = folder / "dncnn_small.pth"
    torch.save(network.state_dict(), path)
    return path


def test_a_colour_network_gives_what_it_computes(tmp_path: Path, jpeg_bytes: bytes) -> None:
    network = SmallDnCnn(3)
    restorer = SpandrelRestorer(save(tmp_path, network))
    base = load_host().codec("jpeg").codec.decode(jpeg_bytes).pixels

    restored = restorer.restore(jpeg_bytes).pixels

    with torch.no_grad():
        expected = network(base[None])[0].clamp(0, 1)
    assert torch.allclose(restored, expected, atol=1e-6)
    assert (restored - base).abs().max() > 1e-3, "the network does something"
    assert isinstance(restorer, Restorer)
    assert (restorer.base, restorer.method) == ("libjpeg", "dncnn_small")


def test_a_network_of_one_channel_restores_the_luminance(tmp_path: Path, jpeg_bytes: bytes) -> None:
    network = SmallDnCnn(1)
    base = load_host().codec("jpeg").codec.decode(jpeg_bytes).pixels

    restored = SpandrelRestorer(save(tmp_path, network)).restore(jpeg_bytes).pixels

    with torch.no_grad():
        change = (network(luminance(base)[None])[0].clamp(0, 1) - luminance(base)).expand(3, -1, -1)
    assert torch.allclose(restored, (base + change).clamp(0, 1), atol=1e-6)


def test_the_network_is_loaded_once(tmp_path: Path, jpeg_bytes: bytes) -> None:
    file = save(tmp_path, SmallDnCnn(3))
    restorer = SpandrelRestorer(file)
    first = restorer.restore(jpeg_bytes).pixels
    file.unlink()

    assert torch.equal(restorer.restore(jpeg_bytes).pixels, first)


def test_a_file_that_holds_no_network_is_told(tmp_path: Path, jpeg_bytes: bytes) -> None:
    other, garbage, text = tmp_path / "other.pth", tmp_path / "garbage.pth", tmp_path / "notes.txt"
    torch.save({"weight": torch.zeros(3)}, other)
    garbage.write_bytes(b"garbage")
    text.touch()

    for file in (other, garbage):
        with pytest.raises(RestorerError, match=f"spandrel cannot load '{file}'"):
            SpandrelRestorer(file).restore(jpeg_bytes)
    with pytest.raises(RestorerError, match=r"notes\.txt' given; spandrel reads \.pth, "):
        SpandrelRestorer(text).restore(jpeg_bytes)


def test_a_network_that_enlarges_is_refused(tmp_path: Path, jpeg_bytes: bytes) -> None:
    layers = [nn.Conv2d(3, 4, 3, padding=1), nn.PReLU(4), nn.Conv2d(4, 4, 3, padding=1), nn.PReLU(4)]
    body = nn.Sequential(*layers, nn.Conv2d(4, 3 * 2**2, 3, padding=1))  # Real-ESRGAN's compact network
    path = tmp_path / "upscaler.pth"
    torch.save({f"body.{name}": tensor for name, tensor in body.state_dict().items()}, path)

    with pytest.raises(RestorerError, match="Compact, SR, ×2; expected a network that keeps the size"):
        SpandrelRestorer(path).restore(jpeg_bytes)


def test_a_network_that_gives_no_numbers_is_told(tmp_path: Path, jpeg_bytes: bytes) -> None:
    network = SmallDnCnn(3)
    nn.init.constant_(network.model[-1].bias, torch.nan)  # type: ignore[arg-type] # a layer of a sequence

    with pytest.raises(RestorerError, match=r"gave no finite picture of shape \(3, 24, 40\)"):
        SpandrelRestorer(save(tmp_path, network)).restore(jpeg_bytes)


def test_an_absent_file_or_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = tmp_path / "swinir.pth"
    assert f"there is no file '{missing}'" in str(SpandrelRestorer(missing).available())

    monkeypatch.setitem(sys.modules, "spandrel", None)
    assert "pip install dirac-enhance[peers]" in str(SpandrelRestorer(missing).available())
    with pytest.raises(RestorerError, match="cannot run: spandrel is not installed"):
        SpandrelRestorer(missing).restore(b"")
