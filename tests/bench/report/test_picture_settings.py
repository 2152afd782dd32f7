"""Picture settings: taken from the cells that a report shows, with a warning where these are of several kinds."""

from __future__ import annotations

import pytest

from dirac_enhance import DiracWarning
from dirac_enhance.bench.cells import Cell, CellKey, Values
from dirac_enhance.bench.preparation import Preparation
from dirac_enhance.bench.report.picture_settings import codec_options_of, preparation_of, sampling_of
from dirac_enhance.bench.results import Results
from dirac_enhance.sampling import DEFAULTS, SamplingSettings

FULL_CHROMA = (("subsampling", "4:4:4"),)
OURS, OTHERS = "a" * 64, "b" * 64


def results(*keys: CellKey, set_name: str = "kodak") -> list[Results]:
    cells = [Cell(key, Values.of([0.3]), {"psnr": Values.of([26.0])}) for key in keys]
    return [Results(set_name, ("a.png",), "0" * 64).with_cells(cells)]


def base(options: tuple[tuple[str, str], ...] = ()) -> CellKey:
    return CellKey("jpeg", 10.0, "base", "codec" if options else "jpeg-colour", codec_options=options)


def steps(weights: str = OURS, **settings: object) -> CellKey:
    usual = {"spacing": "log-snr", "trajectory_evaluations": 4, "late_start": 80, "eta": 0.0, "seed": 0}
    return CellKey("jpeg", 10.0, "steps", "jpeg-colour", weights_sha256=weights, steps=100, **{**usual, **settings})  # type: ignore[arg-type] # settings of several types


def sampling(files: list[Results], seed: int | None = None) -> SamplingSettings:
    return sampling_of(files, "jpeg", codec_options={}, weights_sha256=OURS, seed=seed)


def test_sampling_is_that_of_the_cells() -> None:
    found = sampling(results(base(), steps(late_start=90, eta=0.5, seed=7)))

    assert found == SamplingSettings(late_start=90, spacing="log-snr", evaluations=4, eta=0.5, seed=7)


def test_the_paper_s_spacing_has_no_number_of_evaluations() -> None:
    found = sampling(results(steps(spacing="paper", trajectory_evaluations=20)))

    assert (found.spacing, found.evaluations, found.late_start) == ("paper", None, 80)


def test_a_seed_that_is_given_counts() -> None:
    assert sampling(results(steps(seed=7)), seed=0).seed == 0


def test_cells_of_the_same_weights_and_options_come_first() -> None:
    others = steps(OTHERS, late_start=0), steps(codec_options=FULL_CHROMA, late_start=0)

    assert sampling(results(*others, steps(late_start=90))).late_start == 90
    assert sampling(results(*others[:1])).late_start == 0, "better those of other weights than none"
    assert sampling(results(base())) == DEFAULTS


def test_several_ways_of_sampling_are_told_of() -> None:
    files = results(steps(), steps(spacing="paper", trajectory_evaluations=20, eta=1.0))

    with pytest.warns(
        DiracWarning,
        match="made with log-snr spacing, 4 evaluations, late start 80, η 0, seed 0; with paper spacing, late start 80,"
        " η 1, seed 0: the pictures with the first",
    ):
        assert sampling(files).spacing == "log-snr"


def test_codec_options_are_those_of_the_cells() -> None:
    assert codec_options_of(results(base(FULL_CHROMA)), "jpeg", given={}) == {"subsampling": "4:4:4"}
    assert codec_options_of(results(base(FULL_CHROMA)), "jpeg", given={"subsampling": "4:4:4"}) == dict(FULL_CHROMA)
    assert codec_options_of(results(base()), "vtm", given={"a": "b"}) == {"a": "b"}


def test_other_codec_options_than_those_of_the_figures_are_told_of() -> None:
    message = "the pictures are made with subsampling=4:4:4, but the figures with no codec options"
    with pytest.warns(DiracWarning, match=message):
        codec_options_of(results(base()), "jpeg", given=dict(FULL_CHROMA))
    with pytest.warns(DiracWarning, match="the figures are made with .*; with .*; the pictures with"):
        codec_options_of(results(base(), base(FULL_CHROMA)), "jpeg", given={})


@pytest.mark.parametrize(
    ("set_name", "preparation"),
    [
        ("kodak", Preparation.AS_IT_IS),
        ("my photographs", Preparation.AS_IT_IS),
        ("imagenet-val1k", Preparation.SQUARE_THEN_256),
        ("imagenet-ctest10k, first 10", Preparation.RESIZE_256_THEN_SQUARE),
    ],
)
def test_originals_are_prepared_as_their_preset_says(set_name: str, preparation: Preparation) -> None:
    assert preparation_of(results(base(), set_name=set_name)) is preparation


def test_sets_prepared_in_several_ways_are_told_of() -> None:
    files = results(base()) + results(base(), set_name="imagenet-val1k")

    with pytest.warns(DiracWarning, match="prepared in several ways; the pictures are made of the files as they are"):
        assert preparation_of(files) is Preparation.AS_IT_IS
