"""The training loop: it learns, stops, resumes, survives being killed, and agrees over processes."""

from __future__ import annotations

import os
import re
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from dirac_enhance.diffusion.schedule import build_schedule, linear_schedule
from dirac_enhance.diffusion.schedule_catalogue import SCHEDULES
from dirac_enhance.errors import TrainingError
from dirac_enhance.metrics.perceptual import LPIPS
from dirac_enhance.networks.catalogue import NETWORKS
from dirac_enhance.networks.config import UNetConfig
from dirac_enhance.networks.unet import UNet
from dirac_enhance.training import loop
from dirac_enhance.training.checkpoint import find_checkpoint, load_checkpoint, save_checkpoint
from dirac_enhance.training.images import load_pool
from dirac_enhance.training.loop import TrainingRun
from dirac_enhance.training.pairs import PairMaker, PairRecipe
from dirac_enhance.training.processes import ProcessGroup
from dirac_enhance.training.settings import TrainingSettings
from dirac_enhance.training.weighting import RatePower, measure_rate_power
from processes import PATIENCE, kill_9, needs_signals, start_ranks, wait_until

if TYPE_CHECKING:
    from tests.training.conftest import QuantisingCodec, SteppedCodec

SETTINGS = TrainingSettings(
    batch_size=4,
    iterations=12,
    warmup=4,
    learning_rate=2e-3,
    lpips_weight=0,
    interval=4,
    validation_interval=6,
    workers=0,
)
RECIPE = PairRecipe(crop_size=32, rate_bounds=(4, 32))
SCHEDULE = linear_schedule()
RATE_POWER = RatePower((4.0, 32.0), (0.02, 0.0005))
WORKER = Path(__file__).with_name("worker.py")


@pytest.fixture
def run(photographs: Path, codec: SteppedCodec, tmp_path: Path) -> TrainingRun:
    maker = PairMaker(load_pool(photographs, smallest_side=48), codec, RECIPE)
    return TrainingRun(
        maker, NETWORKS["tiny"], SETTINGS, tmp_path, RATE_POWER, report=lambda _: None, precision=torch.float32
    )


def has_cpp_compiler() -> bool:
    """Whether there is one that torch.compile would use."""
    return any(shutil.which(name) for name in (os.environ.get("CXX", ""), "g++", "clang++") if name)


def random_lpips() -> LPIPS:
    """LPIPS over the features of a SqueezeNet that has learned nothing."""
    from torchvision import models

    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = models.squeezenet1_1(weights=None).state_dict()
    widths = (64, 128, 256, 384, 384, 512, 512)
    return LPIPS("squeezenet", backbone_state=state, heads=tuple(torch.ones(width) for width in widths))


def tensors_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.skipif(not has_cpp_compiler(), reason="torch.compile needs a C++ compiler for the CPU")
def test_a_compiled_training_can_go_on_uncompiled(run: TrainingRun, tmp_path: Path) -> None:
    """Slow where PyTorch's own cache of compiled networks has none of this one."""
    network = UNetConfig((8,), blocks_per_level=1, middle_blocks=1, patch=4, skips="add", normalisation="none")
    once = replace(SETTINGS, iterations=1, batch_size=1, own_estimates=0)
    compiled = replace(run, network=network, settings=once, folder=tmp_path / "run", compiled=True)
    compiled.folder.mkdir()
    counters = pytest.importorskip("torch._dynamo.utils", reason="this PyTorch cannot compile").counters["stats"]
    graphs = counters["unique_graphs"]

    first = load_checkpoint(compiled.start())

    assert counters["unique_graphs"] > graphs
    assert first.weights.keys() == first.averaged.keys() == UNet(network).state_dict().keys()  # without _orig_mod
    twice = replace(compiled, compiled=False, settings=replace(once, iterations=2))
    assert load_checkpoint(twice.resume()).iteration == 2


def test_training_lowers_the_squared_error(run: TrainingRun) -> None:
    lines: list[str] = []
    longer = replace(
        run,
        settings=replace(SETTINGS, iterations=200, validation_interval=1000, ema_decay=0.9),
        report=lines.append,
    )
    checkpoint = load_checkpoint(longer.start())
    network, batch = UNet(NETWORKS["tiny"]), run.pairs.draw_batch(np.random.default_rng(99), 32)
    base = batch.base_reconstruction.float() / 127.5 - 1
    residual = batch.original.float() / 127.5 - 1 - base
    timestep, noise = torch.full((32,), 990), torch.randn(base.shape, generator=torch.Generator().manual_seed(0))
    network.load_state_dict(checkpoint.averaged)
    with torch.inference_mode():
        predicted = network(noise, base, timestep, batch.known_rate_factor)
    assert (predicted - residual).square().mean() < 0.95 * residual.square().mean()


def test_it_stops_at_the_iteration_asked_for_and_validates_at_intervals(run: TrainingRun) -> None:
    seen: list[int] = []

    def validate(network: UNet) -> dict[str, float]:
        seen.append(sum(parameter.numel() for parameter in network.parameters()))
        return {"figure": float(len(seen))}

    checkpoint = load_checkpoint(replace(run, validate=validate).start())
    assert checkpoint.iteration == 12
    assert checkpoint.history == [{"iteration": 6, "figure": 1.0}, {"iteration": 12, "figure": 2.0}]
    assert checkpoint.seconds > 0


def test_minutes_stop_it_too(run: TrainingRun) -> None:
    begin = time.monotonic()
    checkpoint = load_checkpoint(replace(run, settings=replace(SETTINGS, iterations=None, minutes=0.02)).start())
    assert checkpoint.iteration > 0
    assert time.monotonic() - begin < 30


def test_the_same_seed_trains_the_same_weights(run: TrainingRun, tmp_path: Path) -> None:
    paths = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        paths.append(replace(run, folder=tmp_path / name).start())
    one, other = (load_checkpoint(path) for path in paths)
    assert tensors_equal(one.weights, other.weights)
    assert tensors_equal(one.averaged, other.averaged)


def test_resuming_goes_on_where_the_checkpoint_stopped(run: TrainingRun) -> None:
    first = load_checkpoint(run.start())
    second = load_checkpoint(replace(run, settings=replace(SETTINGS, iterations=20)).resume())
    assert (first.iteration, second.iteration) == (12, 20)
    assert second.seconds > first.seconds
    assert not tensors_equal(first.weights, second.weights)
    held = [{name: len(each["state"]) for name, each in kept.optimizer.items()} for kept in (first, second)]
    assert held[0] == held[1]
    assert all(held[0].values())


def test_a_checkpoint_of_another_optimiser_does_not_resume(run: TrainingRun) -> None:
    checkpoint = load_checkpoint(run.start())
    save_checkpoint(run.folder, replace(checkpoint, optimizer={"state": {}, "param_groups": []}))
    with pytest.raises(TrainingError, match="--from-weights"):
        run.resume()


def test_resuming_a_finished_training_changes_nothing(run: TrainingRun) -> None:
    first = load_checkpoint(run.start())
    assert tensors_equal(first.averaged, load_checkpoint(run.resume()).averaged)


def test_a_training_is_not_begun_over_another(run: TrainingRun) -> None:
    run.start()
    with pytest.raises(TrainingError, match="--resume"):
        run.start()


def test_there_must_be_something_to_resume(run: TrainingRun) -> None:
    with pytest.raises(TrainingError, match="leave out --resume"):
        run.resume()


def test_another_network_does_not_resume(run: TrainingRun) -> None:
    run.start()
    with pytest.raises(TrainingError, match="ask for the same"):
        replace(run, network=replace(NETWORKS["tiny"], channels=(4, 4))).resume()


def test_another_noise_schedule_does_not_resume(run: TrainingRun) -> None:
    cosine = replace(run, settings=replace(SETTINGS, schedule="cosine"))
    assert load_checkpoint(cosine.start()).schedule == "cosine"
    with pytest.raises(TrainingError, match="trains for the cosine schedule; asked for linear; pass --schedule cosine"):
        run.resume()
    assert load_checkpoint(cosine.resume()).iteration == 12


def test_a_checkpoint_that_names_no_schedule_is_of_the_linear_one(run: TrainingRun) -> None:
    checkpoint = load_checkpoint(run.start())
    del checkpoint.recipe["settings"]["schedule"]
    save_checkpoint(run.folder, checkpoint)
    assert load_checkpoint(run.resume()).schedule == "linear"


def test_validation_and_training_see_the_schedule_asked_for(run: TrainingRun) -> None:
    seen: list[float] = []

    def validate(network: UNet) -> dict[str, float]:
        seen.append(float(network.schedule.alpha_bar[500]))
        return {"figure": 0.0}

    replace(run, validate=validate, settings=replace(SETTINGS, schedule="cosine", iterations=1)).start()
    assert seen == [float(build_schedule(SCHEDULES["cosine"]).alpha_bar[500])]


def test_exported_tensors_can_be_trained_on(run: TrainingRun, tmp_path: Path) -> None:
    first = load_checkpoint(run.start())
    (tmp_path / "on").mkdir()
    still = replace(run, folder=tmp_path / "on", settings=replace(SETTINGS, iterations=1, learning_rate=0.0))
    assert tensors_equal(load_checkpoint(still.start(initial=first.averaged)).weights, first.averaged)


def test_tensors_of_another_network_are_no_start(run: TrainingRun) -> None:
    other = UNet(replace(NETWORKS["tiny"], channels=(4, 4)))
    with pytest.raises(TrainingError, match="ask for that --network"):
        run.start(initial=other.state_dict())


def test_progress_tells_speed_losses_and_time_left(run: TrainingRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dirac_enhance.training.iterations.REPORT_SECONDS", 0.0)
    lines: list[str] = []
    replace(run, report=lines.append).start()
    assert len(lines) == 12
    number = r"\d+\.\d+"
    form = rf"iteration 12 \| {number} it/s \| squared error {number} \| LPIPS {number} \| 0:00:\d\d left"
    assert re.fullmatch(form, lines[-1]), lines[-1]


def test_the_gradient_s_norm_is_limited(run: TrainingRun, tmp_path: Path) -> None:
    clipped, still = replace(SETTINGS, gradient_clip=0.0), replace(SETTINGS, learning_rate=0.0)
    trained = []
    for name, settings in (("clipped", clipped), ("still", still)):
        (tmp_path / name).mkdir()
        path = replace(run, folder=tmp_path / name, settings=replace(settings, iterations=2)).start()
        trained.append(load_checkpoint(path).weights)
    assert tensors_equal(*trained)


def test_the_perceptual_term_changes_what_is_learned(run: TrainingRun, tmp_path: Path) -> None:
    trained = []
    for weight in (0.0, 1.0):
        (tmp_path / str(weight)).mkdir()
        settings = replace(SETTINGS, iterations=3, lpips_weight=weight, lpips_share=1.0)
        path = replace(run, folder=tmp_path / str(weight), settings=settings, lpips=random_lpips()).start()
        trained.append(load_checkpoint(path).weights)
    without, with_it = trained
    assert not tensors_equal(without, with_it)
    assert all(bool(tensor.isfinite().all()) for tensor in with_it.values())


def test_the_perceptual_term_needs_its_metric(run: TrainingRun) -> None:
    with pytest.raises(TrainingError, match="--lpips-backbone"):
        replace(run, settings=replace(SETTINGS, lpips_weight=0.1))


def test_the_best_validation_is_exported_and_a_resumed_training_must_beat_it(run: TrainingRun) -> None:
    gains = iter([0.1, 0.5, 0.3, 0.4, 0.6])

    def validate(_: UNet) -> dict[str, float]:
        return {"gain1@10": next(gains)}

    run = replace(run, validate=validate, settings=replace(SETTINGS, keep_best="gain"))
    path = run.start()
    assert path.name == "best.pt"
    assert load_checkpoint(path).history == [{"iteration": 0, "gain1@10": 0.1}, {"iteration": 6, "gain1@10": 0.5}]
    last = load_checkpoint(run.folder)
    assert (load_checkpoint(path).iteration, last.iteration, len(last.history)) == (6, 12, 3)
    assert find_checkpoint(run.folder) == path
    longer = replace(run, settings=replace(run.settings, iterations=18)).resume()
    assert load_checkpoint(longer).iteration == 6
    longest = replace(run, settings=replace(run.settings, iterations=24)).resume()
    assert load_checkpoint(longest).iteration == 24


def test_weights_that_training_does_not_improve_stay_the_best(run: TrainingRun) -> None:
    gains = iter([0.5, 0.1, 0.2])
    settings = replace(SETTINGS, keep_best="gain")
    path = replace(run, validate=lambda _: {"gain1@10": next(gains)}, settings=settings).start()
    assert load_checkpoint(path).iteration == 0


def test_the_best_is_not_known_without_validation(run: TrainingRun) -> None:
    with pytest.raises(TrainingError, match="--held-out"):
        replace(run, settings=replace(SETTINGS, keep_best="gain"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_said_in_one_line_and_the_old_checkpoint_stays(run: TrainingRun) -> None:
    path = run.start()
    (run.folder / "checkpoint.partial").symlink_to("/dev/full")
    with pytest.raises(TrainingError, match=r"cannot write the checkpoint '.*': No space left on device; make room"):
        run.resume()
    assert load_checkpoint(path).iteration == 12
    assert not (run.folder / "checkpoint.partial").exists()


def test_weights_of_a_codec_with_other_rate_factors_can_be_trained_on(
    photographs: Path, qp_codec: QuantisingCodec, run: TrainingRun, tmp_path: Path
) -> None:
    jpeg = replace(
        NETWORKS["tiny"], residual_std=((6.7, 0.13), (86.0, 0.05)), rate_range=(1, 100), rate_log_spaced=True
    )
    qp = replace(
        NETWORKS["tiny"], residual_std=((0.0, 0.01), (45.0, 0.06)), residual_std_log_spaced=False, rate_range=(0, 63)
    )
    initial = {name: tensor.half() for name, tensor in UNet(jpeg).state_dict().items()}
    maker = PairMaker(load_pool(photographs, smallest_side=48), qp_codec, replace(RECIPE, rate_bounds=(0, 45)))
    power = measure_rate_power(maker.draw_batch(np.random.default_rng(0), 64), log_spaced=False)
    trained = replace(run, pairs=maker, network=qp, rate_power=power, folder=tmp_path).start(initial=initial)
    checkpoint = load_checkpoint(trained)
    assert checkpoint.network["rate_range"] == (0, 63)
    assert all(bool(tensor.isfinite().all()) for tensor in checkpoint.weights.values())
    assert not tensors_equal(checkpoint.weights, initial)


def test_a_damaged_checkpoint_is_refused(run: TrainingRun) -> None:
    path = run.start()
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(TrainingError, match="not a whole checkpoint"):
        run.resume()


@needs_signals
def test_kill_9_and_resume_lose_at_most_one_interval(photographs: Path, tmp_path: Path) -> None:
    (killed,) = start_ranks(1, WORKER, photographs, tmp_path, 100_000)
    wait_until((tmp_path / "checkpoint.pt").exists, killed)
    time.sleep(0.5)
    kill_9(killed)
    reached = load_checkpoint(tmp_path).iteration
    assert reached >= 4
    assert reached % 4 == 0
    (resumed,) = start_ranks(1, WORKER, photographs, tmp_path, reached + 3)
    said = resumed.communicate(timeout=PATIENCE)
    assert resumed.returncode == 0, said
    assert load_checkpoint(tmp_path).iteration == reached + 3


def test_two_processes_end_with_equal_weights_trained_on_both_their_pairs(photographs: Path, tmp_path: Path) -> None:
    workers = start_ranks(2, WORKER, photographs, tmp_path, 4)
    said = [worker.communicate(timeout=PATIENCE) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], said
    one, other = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in range(2))
    assert tensors_equal(one["weights"], other["weights"])
    assert tensors_equal(one["averaged"], other["averaged"])
    assert not torch.equal(one["first_pair"], other["first_pair"])
    assert load_checkpoint(tmp_path).recipe["processes"] == 2


@pytest.mark.parametrize(("own_estimates", "last_share"), [(1.0, 0.0), (0.0, 0.5)])
def test_pairs_noised_from_the_networks_own_estimate_are_what_sampling_comes_to(
    run: TrainingRun, own_estimates: float, last_share: float
) -> None:
    settings = replace(SETTINGS, own_estimates=own_estimates, last_share=last_share)
    state = loop._build_state(run.network, settings, torch.device("cpu"))
    process = loop._Loop(replace(run, settings=settings), ProcessGroup(0, 1, torch.device("cpu")), state)
    residual, timestep = torch.full((2, 3, 8, 8), 0.3), torch.tensor([400, 40])
    noised = process._noise(residual, torch.zeros(2, 3, 8, 8), timestep, torch.full((2,), 8.0))
    signal = SCHEDULE.alpha_bar[timestep].sqrt().float()
    spread = (1 - SCHEDULE.alpha_bar[timestep]).sqrt().float()
    # An untrained network's estimate is zero: nothing of r_0 is left at t = 40, the batch's end; at 400 all of it is.
    assert (noised[0].mean() - 0.3 * signal[0]).abs() < 3 * spread[0] / 192**0.5
    assert noised[1].mean().abs() < 3 * spread[1] / 192**0.5
    assert noised[1].std() == pytest.approx(spread[1].item(), rel=0.2)
