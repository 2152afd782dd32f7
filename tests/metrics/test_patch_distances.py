"""The two grids, distances end to end with a small random extractor, and how they are named."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from dirac_enhance.errors import InvalidImageError, MetricError
from dirac_enhance.metrics import (
    InceptionFeatures,
    PatchStatistics,
    frechet_distance_256,
    kernel_distance_256,
    patches_256,
)


class RandomFeatures(nn.Module):
    """Eight random projections of a patch shrunk to 4×4."""

    name = "random"

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        weights = torch.randn(3 * 4 * 4, width, generator=torch.Generator().manual_seed(0))
        self.register_buffer("weights", weights)
        self.num_features = width

    def forward(self, patches: Tensor) -> Tensor:
        assert patches.dtype == torch.uint8
        shrunk = functional.adaptive_avg_pool2d(patches.float() / 255, 4).flatten(1)
        return torch.tanh(shrunk @ self.get_buffer("weights"))


def random_pictures(count: int, *, size: tuple[int, int] = (384, 400), seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return functional.interpolate(torch.rand(count, 3, 7, 8, generator=generator), size=size, mode="bilinear")


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (512, 768, 8),  # Kodak: 24 pictures of 8 are the 192 of HiFiC
        (768, 512, 8),
        (256, 256, 1),
        (383, 2000, 7),
        (384, 384, 2),
        (511, 600, 3),
    ],
)
def test_there_are_as_many_patches_as_two_grids_hold(height: int, width: int, expected: int) -> None:
    picture = torch.zeros(1, 1, 1, 1).expand(1, 3, height, width)
    assert sum(len(patches) for patches in patches_256(picture)) == expected


def test_patches_lie_on_a_grid_at_0_and_on_one_at_128() -> None:
    rows, columns = torch.meshgrid(torch.arange(512) // 64, torch.arange(768) // 64, indexing="ij")
    picture = torch.stack([rows, columns, rows * 0]) / 255
    corners = [(patch[:2, 0, 0].int() * 64).tolist() for patches in patches_256(picture[None]) for patch in patches]
    first = [[0, 0], [0, 256], [0, 512], [256, 0], [256, 256], [256, 512]]
    assert corners == [*first, [128, 128], [128, 384]]


def test_patches_agree_with_unfolding() -> None:
    pictures = random_pictures(2, size=(530, 641))
    for offset, start in ((0, 0), (128, 8)):
        unfolded = functional.unfold(pictures[:, :, offset:, offset:], kernel_size=256, stride=256)
        expected = unfolded.permute(2, 0, 1).reshape(-1, 3, 256, 256)
        found = torch.cat(list(patches_256(pictures)))[start : start + len(expected)]
        assert torch.equal(found, (expected * 255).round().byte())


@pytest.mark.parametrize("shape", [(1, 3, 255, 400), (1, 3, 400, 255), (1, 1, 300, 300), (3, 300, 300)])
def test_pictures_without_a_whole_patch_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidImageError, match="H and W at least 256: leave smaller pictures out"):
        PatchStatistics(RandomFeatures()).add(torch.zeros(shape))


def test_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(InvalidImageError, match="not finite"):
        PatchStatistics(RandomFeatures()).add(torch.full((1, 3, 256, 256), torch.nan))


def gather(pictures: Tensor, *, places: int = 16) -> PatchStatistics:
    statistics = PatchStatistics(RandomFeatures())
    for picture in pictures:
        statistics.add(picture[None], places=places)
    return statistics


@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception Distance` will save all:UserWarning")
def test_distances_agree_with_torchmetrics_on_the_same_patches() -> None:
    fid, kid = pytest.importorskip("torchmetrics.image.fid"), pytest.importorskip("torchmetrics.image.kid")
    originals = random_pictures(10)
    pictures = (originals + 0.1 * random_pictures(10, seed=1)).clamp(0, 1)
    reference_fid = fid.FrechetInceptionDistance(feature=RandomFeatures())
    reference_kid = kid.KernelInceptionDistance(feature=RandomFeatures(), subsets=1, subset_size=20)
    for real, side in ((True, originals), (False, pictures)):
        patches = torch.cat(list(patches_256(side)))
        reference_fid.update(patches, real=real)
        reference_kid.update(patches, real=real)
    found = frechet_distance_256(gather(pictures), gather(originals))
    assert found == pytest.approx(reference_fid.compute().item(), rel=1e-4)
    mean, _std = reference_kid.compute()
    assert kernel_distance_256(gather(pictures), gather(originals)).mean == pytest.approx(mean.item(), abs=1e-5)


def test_a_set_is_at_distance_zero_from_itself_and_further_the_more_it_differs() -> None:
    originals, others = random_pictures(6), random_pictures(6, seed=1)
    sets = [gather(originals.lerp(others, share).pow(1 + share)) for share in (0, 0.2, 0.5)]
    distances = [frechet_distance_256(each, sets[0]) for each in sets]
    assert distances[0] == pytest.approx(0, abs=1e-9)
    assert distances[0] < distances[1] < distances[2]


def test_batches_and_places_at_a_time_do_not_matter() -> None:
    pictures, originals = random_pictures(6), gather(random_pictures(6, seed=1))
    at_once = PatchStatistics(RandomFeatures())
    at_once.add(pictures)
    distances = [frechet_distance_256(each, originals) for each in (gather(pictures, places=1), at_once)]
    assert distances[0] == pytest.approx(distances[1], rel=1e-6)
    assert at_once.patches == 12


def test_memory_does_not_grow_with_the_set() -> None:
    statistics = PatchStatistics(RandomFeatures(), capacity=4)
    sizes = []
    for seed in range(4):
        statistics.add(random_pictures(2, seed=seed))
        held = [*vars(statistics.running).values(), statistics.reservoir.features]
        sizes.append(sum(value.untyped_storage().nbytes() for value in held if isinstance(value, Tensor)))
    assert sizes == [8 * (8 + 8 * 8) + 4 * (4 * 8)] * 4
    assert statistics.patches == 16


def test_only_the_network_of_the_fid_paper_gives_fid() -> None:
    other = PatchStatistics(RandomFeatures())
    assert (other.frechet_name, other.kernel_name) == ("FD-random/256", "KD-random/256")
    inception = PatchStatistics(InceptionFeatures.__new__(InceptionFeatures))
    assert (inception.frechet_name, inception.kernel_name) == ("FID/256", "KID/256")


class OtherFeatures(RandomFeatures):
    name = "other"


@pytest.mark.parametrize("other", [OtherFeatures(), RandomFeatures(5)])
def test_features_of_two_kinds_are_never_compared(other: RandomFeatures) -> None:
    first, second = PatchStatistics(RandomFeatures()), PatchStatistics(other)
    for statistics in (first, second):
        statistics.add(random_pictures(1))
    for distance in (frechet_distance_256, kernel_distance_256):
        with pytest.raises(MetricError, match=r"FD-random/256 on 8 features beside .* with one extractor"):
            distance(first, second)


def test_a_single_patch_is_too_little() -> None:
    one = gather(random_pictures(1, size=(256, 256)))
    empty = PatchStatistics(RandomFeatures())
    for distance in (frechet_distance_256, kernel_distance_256):
        for pictures in (one, empty):
            with pytest.raises(MetricError, match="at least 2"):
                distance(pictures, one)


class BrokenFeatures(RandomFeatures):
    def __init__(self, broken: Tensor) -> None:
        super().__init__()
        self.broken: Tensor | None = None
        self.later = broken

    def forward(self, patches: Tensor) -> Tensor:
        return super().forward(patches) if self.broken is None else self.broken


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (torch.zeros(2, 9), r"returned \(2, 9\) for 2 patches; expected \(2, 8\)"),
        (torch.zeros(1, 8), r"returned \(1, 8\) for 2 patches"),
        (torch.zeros(2, 8, 1, 1), "for 2 patches"),
        (torch.full((2, 8), torch.nan), "not finite"),
    ],
)
def test_features_that_do_not_fit_leave_the_statistics_as_they_were(broken: Tensor, message: str) -> None:
    extractor = BrokenFeatures(broken)
    statistics = PatchStatistics(extractor)
    statistics.add(random_pictures(1))
    before = statistics.running.gaussian()
    extractor.broken = extractor.later
    with pytest.raises(MetricError, match=message):
        statistics.add(random_pictures(1, seed=1))
    assert (statistics.patches, statistics.reservoir.seen) == (2, 2)
    assert torch.equal(statistics.running.gaussian().covariance, before.covariance)
