"""`train-codec` learns, stops, resumes, survives being killed, agrees over processes, and exports."""

from __future__ import annotations

import hashlib
import json
import math
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from torch import Tensor

from dirac_enhance import WeightsFile, load_host
from dirac_enhance.cli.group import build_group
from dirac_enhance.networks.catalogue import NETWORKS
from dirac_enhance.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from dirac_enhance.training.images import load_pool, read_pixels
from dirac_enhance.training.settings import TrainingSettings
from dirac_enhance.training.state import TrainingState
from dirac_enhance_swint_charm import SwintCharmCodec
from dirac_enhance_swint_charm.networks.config import CONFIGS
from dirac_enhance_swint_charm.networks.initialisation import initialise_by_klt
from dirac_enhance_swint_charm.networks.network import SwintCharm
from dirac_enhance_swint_charm.training.crops import CropRecipe, CropSource
from dirac_enhance_swint_charm.training.loop import CodecTraining, rate_distortion_loss
from dirac_enhance_swint_charm.training.optimizer import QUANTILE_RATE, build_optimizer, set_learning_rate
from dirac_enhance_swint_charm.training.validation import JpegCurve
from dirac_enhance_swint_charm.weights_file import load_codec_weights
from processes import kill_9, needs_signals, start_python, start_ranks, wait_until

Train = Callable[..., Result]
COMMAND = ("train-codec", "--codec", "swint-charm", "--config", "tiny", "--crop-size", "64", "--batch-size", "2")
QUANTILES = "bottleneck.quantiles"
EMPTY: dict[str, Any] = {"state": {}, "param_groups": []}
"""Of an optimiser."""
OPTIONS = ("--workers", "0", "--precision", "float32", "--device", "cpu", "--interval", "4")


@pytest.fixture
def train(photographs: Path, tmp_path: Path) -> Train:
    """Run `train-codec` on the photographs, into a folder of its own."""
    group = build_group(load_host())

    def run(*arguments: str) -> Result:
        command = [*COMMAND, *OPTIONS, "--data", str(photographs), "-o", str(tmp_path), *arguments]
        return CliRunner().invoke(group, command)

    return run


def spawn(folder: Path, photographs: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start `train-codec` in a process of its own."""
    return start_python("-m", "dirac_enhance", *COMMAND, *OPTIONS, "--data", photographs, "-o", folder, *arguments)


def test_it_validates_resumes_and_exports(train: Train, photographs: Path, tmp_path: Path) -> None:
    validation = ("--validation", str(photographs), "--validation-limit", "2", "--validation-interval", "8")
    first = train("--iterations", "8", *validation)
    resumed = train("--iterations", "16", "--resume", *validation)

    assert (first.exit_code, resumed.exit_code) == (0, 0), first.output + resumed.output
    assert re.search(r"λ 0\.006 +\d\.\d{3} bpp +\d\d\.\d\d dB +JPEG \d\d\.\d\d dB +[+-]\d+\.\d\d dB", first.stdout)
    checkpoint = load_checkpoint(tmp_path)
    early, late = checkpoint.history
    assert (early["iteration"], late["iteration"], checkpoint.iteration) == (8, 16, 16)
    assert late["bpp@0.001"] < late["bpp@0.03"]
    check_export(tmp_path / "swint-charm-codec.safetensors", checkpoint)
    assert f"weights: {tmp_path}" in resumed.stdout
    assert re.search(r"tiny: [\d,]+ parameters; the paper's network has 28\.4 M: for rehearsals only", first.stdout)


def check_export(path: Path, checkpoint: Checkpoint) -> None:
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    assert metadata["format_version"] == "1"
    assert json.loads(metadata["codec_config"]) == json.loads(json.dumps(CONFIGS["tiny"].to_dict()))
    assert json.loads(metadata["training"])["iteration"] == 16
    assert torch.equal(tensors["scaling.a"], checkpoint.averaged["scaling.a"])
    for model, rows in (("bottleneck", CONFIGS["tiny"].hyper_channels), ("gaussian", 64)):
        cdf, length = tensors[f"{model}._quantized_cdf"], tensors[f"{model}._cdf_length"]
        assert {tensors[f"{model}.{name}"].dtype for name in ("_quantized_cdf", "_cdf_length", "_offset")} == {
            torch.int32
        }
        assert len(cdf) == len(length) == len(tensors[f"{model}._offset"]) == rows
        for row, last in zip(cdf, length, strict=True):
            assert row[last - 1] == 2**16
            assert (row[1:last] > row[: last - 1]).all()
    medians = checkpoint.averaged["bottleneck.quantiles"][:, 0, 1]
    assert torch.equal(tensors["bottleneck.quantiles"][:, 0, 1], medians)
    network = SwintCharm(CONFIGS["tiny"])
    assert set(network.state_dict()) == set(tensors)


def test_a_training_is_exported_with_its_card_and_manifest_row(train: Train, tmp_path: Path) -> None:
    assert train("--iterations", "4").exit_code == 0
    folder = tmp_path / "weights"
    command = ["export-codec", str(tmp_path), "-o", str(folder)]
    result = CliRunner().invoke(build_group(load_host()), command)
    assert result.exit_code == 0, result.output

    path = folder / "swint-charm-codec.safetensors"
    (row,) = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["weights"]
    content = path.read_bytes()
    assert (row["codec_id"], row["file"]) == ("swint-charm-codec", path.name)
    assert (row["sha256"], row["bytes"]) == (hashlib.sha256(content).hexdigest(), len(content))
    assert content == (tmp_path / path.name).read_bytes()  # train-codec exported the same
    codec = SwintCharmCodec(weights=str(path), device="cpu")
    pixels = torch.rand(3, 32, 48, generator=torch.Generator().manual_seed(0))
    assert codec.decode(codec.encode(pixels, rate_factor=0.01)).pixels.shape == pixels.shape

    card = path.with_suffix(".md")
    card.write_text(card.read_text(encoding="utf-8") + "\nBy hand.\n", encoding="utf-8")
    assert CliRunner().invoke(build_group(load_host()), [*command, "--full"]).exit_code == 0
    text = card.read_text(encoding="utf-8")
    assert text.startswith("# Weights of the codec `swint-charm`")
    assert text.count("By hand.") == 1
    assert path.stat().st_size > len(content)


def test_a_training_starts_from_exported_weights(train: Train, tmp_path: Path) -> None:
    assert train("--iterations", "4").exit_code == 0
    first = tmp_path / "swint-charm-codec.safetensors"
    options = ("--iterations", "1", "--learning-rate", "1e-9", "--from-weights", str(first))
    result = train(*options, "-o", str(tmp_path / "second"))
    assert result.exit_code == 0, result.output

    trained = load_codec_weights(WeightsFile(first)).trained_network().state_dict()
    checkpoint = load_checkpoint(tmp_path / "second")
    assert torch.allclose(checkpoint.weights["analysis.project.weight"], trained["analysis.project.weight"], atol=1e-6)
    assert checkpoint.recipe["started_from"] == hashlib.sha256(first.read_bytes()).hexdigest()
    assert [run["iterations"] for run in checkpoint.recipe["earlier_runs"]] == [4]

    other = train(*options, "-o", str(tmp_path / "third"), "--config", "small")
    assert other.exit_code == 1
    assert "pass another --config" in other.output


def test_what_is_no_training_of_the_codec_is_not_exported(tmp_path: Path) -> None:
    result = CliRunner().invoke(build_group(load_host()), ["export-codec", str(tmp_path), "-o", str(tmp_path / "new")])
    assert result.exit_code == 1
    assert "no checkpoint" in result.output
    assert not (tmp_path / "new").exists()


def test_the_rate_factor_is_log_uniform_and_drawn_for_each_crop(photographs: Path) -> None:
    low, high = 0.0005, 0.05
    crops = CropSource(load_pool(photographs, smallest_side=64), CropRecipe(64, (low, high)))
    batch = crops.draw_batch(np.random.default_rng(0), 400)
    place = np.log(batch.rate_factor.numpy() / low) / math.log(high / low)

    assert batch.pixels.shape == (400, 3, 64, 64)
    assert len(set(batch.rate_factor.tolist())) == 400
    assert ((place >= 0) & (place <= 1)).all()
    assert np.quantile(place, [0.1, 0.25, 0.5, 0.75, 0.9]) == pytest.approx([0.1, 0.25, 0.5, 0.75, 0.9], abs=0.06)


def test_the_auxiliary_loss_moves_the_quantiles_unclipped_and_all_other_gradients_are_limited(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = 1e-3
    crops = CropSource(load_pool(photographs, smallest_side=64), CropRecipe(64, (0.001, 0.02)))
    settings = TrainingSettings(batch_size=2, iterations=3, lpips_weight=0, workers=0, gradient_clip=clip)
    norms: dict[str, list[float]] = {"unclipped": [], "limited": [], "quantiles": []}
    descend = TrainingState.descend

    def measure(state: TrainingState[SwintCharm], loss: Tensor, *settings: Any, **clipped: Any) -> None:
        parameters = [*state.network.parameters()]
        gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
        before = dict(gradients_of(state.network, gradients))
        descend(state, loss, *settings, **clipped)
        after = dict(gradients_of(state.network, [parameter.grad for parameter in parameters]))
        quantiles = after.pop(QUANTILES)
        assert torch.equal(quantiles, before.pop(QUANTILES))
        norms["unclipped"].append(norm_of(before.values()))
        norms["limited"].append(norm_of(after.values()))
        norms["quantiles"].append(norm_of([quantiles]))

    monkeypatch.setattr(TrainingState, "descend", measure)
    path = CodecTraining(crops, CONFIGS["tiny"], settings, tmp_path, precision=torch.float32).start()

    assert min(norms["unclipped"]) > 100 * clip
    assert norms["limited"] == pytest.approx([clip] * 3, rel=0.01)
    assert min(norms["quantiles"]) > 100 * clip
    start = SwintCharm(CONFIGS["tiny"]).bottleneck.quantiles
    assert (load_checkpoint(path).weights[QUANTILES] - start).abs().amax(dim=2).min() > QUANTILE_RATE


def gradients_of(network: SwintCharm, gradients: Iterable[Tensor | None]) -> Iterator[tuple[str, Tensor]]:
    """Yield those gradients that there are, under their parameters' names."""
    for (name, _), gradient in zip(network.named_parameters(), gradients, strict=True):
        if gradient is not None:
            yield name, gradient.clone()


def norm_of(gradients: Iterable[Tensor]) -> float:
    return float(torch.stack([gradient.norm() for gradient in gradients]).norm())


def test_a_few_steps_lower_the_loss_of_what_is_trained_on(photographs: Path) -> None:
    torch.manual_seed(0)
    crops = CropSource(load_pool(photographs, smallest_side=64), CropRecipe(64, (0.0067, 0.0067)))
    batch = crops.draw_batch(np.random.default_rng(0), 4)
    network, pixels = SwintCharm(CONFIGS["tiny"]), batch.pixels / 255
    initialise_by_klt(network, pixels)
    optimizer = build_optimizer(network, learning_rate=2e-3)
    losses = []
    for _ in range(30):
        set_learning_rate(optimizer, 2e-3)
        coded = network(pixels, batch.rate_factor)
        squared = (coded.pixels - pixels).square().flatten(1).mean(dim=1)
        loss = rate_distortion_loss(coded.bits_per_pixel, squared, batch.rate_factor).mean()
        optimizer.zero_grad()
        (loss + network.bottleneck.loss()).backward()
        optimizer.step()
        losses.append(loss.item())

    assert sum(losses[-5:]) < 0.95 * sum(losses[:5])


def test_what_cannot_be_trained_is_said_in_one_line(train: Train, photographs: Path) -> None:
    below_a_file = str(photographs / "a__0.png" / "run")
    said = {
        "no end given to the training; pass --minutes M or --iterations N": train(),
        "no checkpoint at": train("--iterations", "1", "--resume"),
        "72; expected a multiple of 64": train("--iterations", "1", "--crop-size", "72"),
        "rate factor 7 given; expected a number from 0.0005 to 0.05": train("--iterations", "1", "--rate-factor", "7"),
        "no source named c; the sources are a, b": train("--iterations", "1", "--share", "c=0.5"),
        "expected SOURCE=SHARE": train("--iterations", "1", "--share", "a"),
        "Not a directory; pass another -o FOLDER": train("--iterations", "1", "-o", below_a_file),
    }

    assert not {text: result.output for text, result in said.items() if text not in result.output}
    assert all(result.exit_code for result in said.values())


def test_a_training_is_not_mixed_with_another(train: Train) -> None:
    assert train("--iterations", "1", "--rate-factor", "0.01", "--share", "a=0.9").exit_code == 0

    assert "holds a training already; pass --resume or another -o FOLDER" in train("--iterations", "2").output
    assert "ask for the same --config" in train("--iterations", "2", "--resume", "--config", "small").output


def test_a_checkpoint_that_is_none_of_this_codec_s_training_is_told_in_one_line(train: Train, tmp_path: Path) -> None:
    assert train("--iterations", "1").exit_code == 0
    own = load_checkpoint(tmp_path)
    enhancer = replace(own, network=NETWORKS["tiny"].to_dict())
    for other, message in (
        (replace(own, optimizer={"SGD": {}}), "is of other optimisers or an earlier version; export it and pass"),
        (replace(own, optimizer={**own.optimizer, "Muon": EMPTY}), "is of other optimisers or an earlier version"),
        (enhancer, "holds no training of the codec, but of an enhancer, perhaps; pass another -o FOLDER"),
        (replace(enhancer, codec_id="jpeg"), "holds no training of the codec, but of an enhancer, perhaps"),
    ):
        save_checkpoint(tmp_path, other)
        result = train("--iterations", "2", "--resume")

        assert (result.exit_code, type(result.exception)) == (1, SystemExit)
        assert message in result.stderr
        assert result.stderr.count("\n") == 1


@needs_signals
def test_kill_9_and_resume_lose_at_most_one_interval(photographs: Path, tmp_path: Path) -> None:
    killed = spawn(tmp_path, photographs, "--iterations", "100000")
    wait_until((tmp_path / "checkpoint.pt").exists, killed, patience=300)
    kill_9(killed)
    reached = load_checkpoint(tmp_path).iteration
    assert reached >= 4
    assert reached % 4 == 0
    resumed = spawn(tmp_path, photographs, "--iterations", str(reached + 3), "--resume")
    said = resumed.communicate(timeout=300)
    assert resumed.returncode == 0, said
    assert load_checkpoint(tmp_path).iteration == reached + 3


def test_two_processes_end_with_equal_weights(photographs: Path, tmp_path: Path) -> None:
    processes = start_ranks(2, Path(__file__).with_name("worker.py"), photographs, tmp_path)
    said = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    one, other = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in range(2))

    for kind in ("weights", "averaged"):
        assert all(torch.equal(one[kind][name], other[kind][name]) for name in one[kind])
    assert not torch.equal(one["first_crop"], other["first_crop"])
    assert load_checkpoint(tmp_path).recipe["processes"] == 2


def test_the_loss_weighs_the_error_by_lambda_and_all_rates_alike() -> None:
    rates = torch.tensor([0.0067, 4 * 0.0067])
    loss = rate_distortion_loss(torch.tensor([0.3, 0.6]), torch.tensor([1e-3, 0.5e-3]), rates)

    assert loss[0].item() == pytest.approx(0.0067 * 65025 * 1e-3 + 0.3)
    assert loss[1].item() == pytest.approx(loss[0].item())  # twice the bits and half the error at four times λ


def test_jpeg_at_no_more_bytes_is_the_best_quality_that_fits(photographs: Path) -> None:
    curve = JpegCurve.measure(read_pixels(photographs / "a__0.png"))
    fits, less = curve.psnr_within(curve.sizes[49]), curve.psnr_within(curve.sizes[49] - 1)

    assert len(curve.sizes) == 95
    assert less < fits < curve.psnr_within(curve.sizes[80])
    assert curve.psnr_within(0) == curve.psnr_within(curve.sizes[0])


def test_help_has_examples_and_every_default() -> None:
    group = build_group(load_host())
    command = group.commands["train-codec"]
    context = click.Context(command, show_default=True)
    options = [option for option in command.params if isinstance(option, click.Option)]
    required = [option.name for option in options if option.required]

    assert "Examples:\n    dirac-enhance train-codec" in CliRunner().invoke(group, ["train-codec", "--help"]).stdout
    assert required == ["codec", "data", "output"]
    assert all(
        "[default: " in str(option.get_help_record(context))
        for option in options
        if not (option.required or option.is_flag)
    )
