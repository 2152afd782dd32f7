"""The published figures: carried over as printed, each with source, protocol and evidence, and marked where unsure."""

from __future__ import annotations

import json
import re
from importlib import resources
from typing import Any, get_args

import pytest

from dirac_enhance import BenchmarkError
from dirac_enhance.bench.presets import PRESETS
from dirac_enhance.bench.protocols import PROTOCOLS
from dirac_enhance.bench.published import (
    Evidence,
    Published,
    RateUnit,
    Table,
    load_published,
    parse_published,
)
from dirac_enhance.bench.published_markdown import HEADINGS, MARKS, format_figure, to_markdown

# Sets that papers measure and for which there is no preset.
OTHER_SETS = {"classic5", "icb", "div2k-val"}


@pytest.fixture(scope="module")
def published() -> Published:
    return load_published()


def test_every_figure_says_where_from_and_how_measured(published: Published) -> None:
    figures = [figure for table in published.tables for figure in table.figures]

    assert len(figures) > 700
    for table in published.tables:
        assert table.figures
        assert table.rate_unit in get_args(RateUnit)
        assert {figure.protocol for figure in table.figures} == {table.protocol}
    for figure in figures:
        assert figure.source
        assert figure.protocol in PROTOCOLS
        assert figure.evidence in get_args(Evidence)
        assert figure.set_id in PRESETS or figure.set_id in OTHER_SETS
        assert figure.metric in HEADINGS
        assert figure.verified == (figure.evidence in ("read", "measured"))


def test_no_figure_stands_twice(published: Published) -> None:
    for table in published.tables:
        keys = [(f.method, f.set_id, f.rate, f.metric, f.setting) for f in table.figures]
        assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("low", "high", "metrics"),
    [
        (15, 50, ("psnr", "psnr_b")),
        (0.3, 1, ("ssim", "ssim_uniform_8")),
        (0, 0.6, ("lpips", "dists", "maniqa", "kid_256")),
        (0.7, 0.8, ("clipiqa",)),
        (70, 80, ("musiq",)),
        (1, 50, ("fid", "fid_256")),
        (50, 300, ("inception_score",)),
        (50, 100, ("accuracy_percent", "fid_256_improvement_percent")),
        (0, 200, ("perceptual_distance",)),
    ],
)
def test_figures_are_in_the_range_of_their_metric(
    published: Published, low: float, high: float, metrics: tuple[str, ...]
) -> None:
    for metric in metrics:
        figures = [figure for table in published.tables for figure in table.figures if figure.metric == metric]
        assert figures
        assert all(low <= figure.value <= high for figure in figures), metric


@pytest.mark.parametrize(
    ("table_id", "method", "set_id", "rate", "metric", "printed", "verified"),
    [
        ("fbcnn-gray", "FBCNN", "classic5", 10, "psnr_b", "29.80", True),
        ("fbcnn-gray", "QGAC", "live1", 10, "ssim", ".825", True),
        ("fbcnn-gray", "AR-CNN", "bsds500-test", 40, "psnr", "33.55", True),
        ("fbcnn-gray", "DnCNN-3", "live1", 40, "psnr_b", "33.28", True),
        ("swinir-gray", "SwinIR", "live1", 10, "ssim", ".8287", True),
        ("swinir-gray", "DRUNet", "classic5", 40, "psnr", "34.41", True),
        ("torchjpeg-gray", "QGAC", "live1", 10, "ssim_uniform_8", ".840", True),
        ("fbcnn-colour", "FBCNN", "live1", 10, "psnr", "27.77", False),
        ("fbcnn-colour", "JPEG", "live1", 10, "psnr", "25.69", True),
        ("fbcnn-colour", "QGAC", "icb", 30, "ssim", ".857", False),
        ("swinir-colour", "SwinIR", "live1", 10, "psnr", "28.06", True),
        ("classical-colour", "jpeg2png", "live1", 10, "psnr", "26.14", True),
        ("codiff", "CODiff", "live1", 5, "lpips", ".2062", True),
        ("codiff", "OSEDiff", "div2k-val", 20, "dists", ".0721", True),
        ("codiff", "DiffBIR", "live1", 10, "lpips", ".2160", True),
        ("codiff", "SODiff", "live1", 5, "dists", ".1173", True),
        ("palette", "Palette", "imagenet-ctest10k", 5, "fid", "8.3", True),
        ("palette", "ΠGDM", "imagenet-ctest10k", 20, "accuracy_percent", "74.4", False),
        ("ms-illm", "MS-ILLM", "clic2020-test", 0.1206, "fid_256", "2.65", True),
        ("ms-illm", "MS-ILLM", "kodak", 0.1532, "lpips", ".0732", True),
        ("generative-codecs", "DC-VIC", "clic2020-test", 0.1158, "fid", "2.41", True),
        ("diffc", "DiffC", "kodak", 0.02, "psnr", "21.6", False),
        ("anchors-kodak", "VTM", "kodak", 0.8748, "psnr", "37.42", True),
        ("dirac", "JPEG+DIRAC-100", "clic2020-test", None, "fid_256_improvement_percent", "78", True),
    ],
)
def test_a_sample_is_as_printed(
    published: Published,
    table_id: str,
    method: str,
    set_id: str,
    rate: float | None,
    metric: str,
    printed: str,
    verified: bool,
) -> None:
    figure = published.table(table_id).figure(method=method, set_id=set_id, rate=rate, metric=metric)

    assert (figure.printed, figure.value, figure.verified) == (printed, float(printed), verified)


def test_a_figure_asked_for_without_its_setting_is_ambiguous(published: Published) -> None:
    with pytest.raises(BenchmarkError, match="'fbcnn-double' has 2 figures for FBCNN-A on live1 at 30, psnr; expected"):
        published.table("fbcnn-double").figure(method="FBCNN-A", set_id="live1", rate=30, metric="psnr")


def test_methods_named_in_the_papers_are_here_or_known_to_be_missing(published: Published) -> None:
    here = {figure.method for table in published.tables for figure in table.figures}
    missing = {entry.method for entry in published.missing}

    assert {
        "QGAC", "FBCNN", "DnCNN-3", "SwinIR", "CODiff", "SODiff", "OSEDiff", "DiffBIR", "Palette", "ΠGDM", "MS-ILLM",
    } <= here  # fmt: skip
    assert {"DDRM", "DDRM (A)", "HiFiC", "MultiRealism", "CDC"} == missing - here
    assert all(entry.source and entry.protocol in PROTOCOLS and entry.set_id in PRESETS for entry in published.missing)


def test_selecting_narrows_figures_and_columns(published: Published) -> None:
    table = published.table("fbcnn-gray")

    part = table.select(set_id="live1", metric="psnr", rate=10)

    assert part.metrics == ("psnr",)
    assert [figure.method for figure in part.figures] == [
        "JPEG", "AR-CNN", "MWCNN", "DnCNN-3", "DCSC", "QGAC", "FBCNN",
    ]  # fmt: skip
    assert table.select(method="none").figures == ()
    assert table.select() == table


def test_only_the_same_protocol_stands_beside_ours(published: Published) -> None:
    beside = published.beside(PROTOCOLS["jpeg-colour"], set_id="live1")

    assert {table.id for table in beside} == {"fbcnn-colour", "swinir-colour", "classical-colour"}
    assert all(figure.protocol == "jpeg-colour" for table in beside for figure in table.figures)
    assert published.beside(PROTOCOLS["ddrm-jpeg"], set_id="imagenet-val1k") == ()


def test_an_unknown_table_lists_the_known_ones(published: Published) -> None:
    with pytest.raises(BenchmarkError, match="unknown published table 'fbcnn'; expected one of fbcnn-gray, "):
        published.table("fbcnn")


def test_unverified_figures_are_marked_and_explained(published: Published) -> None:
    text = to_markdown(published.table("fbcnn-colour").select(set_id="live1", rate=10))

    colour = PROTOCOLS["jpeg-colour"]
    assert text.splitlines() == [
        "**FBCNN, single JPEG, colour**",
        "",
        "| set | quality | method | PSNR, dB | SSIM | PSNR-B, dB |",
        "| --- | --- | --- | --- | --- | --- |",
        "| live1 | 10 | JPEG | 25.69 | .743 | – |",
        "| live1 | 10 | QGAC | 27.62† | .804† | 27.43† |",
        "| live1 | 10 | FBCNN | 27.77† | .803† | 27.51† |",
        "",
        f"Protocol jpeg-colour: {colour.coding}; {colour.measuring}.",
        "Sources: measured for this project with Pillow 13.0 (libjpeg-turbo); arXiv 2109.14573, table 2.",
        "† remembered, not verified: check before quoting.",
    ]


def test_no_unverified_figure_is_rendered_without_its_mark(published: Published) -> None:
    for table in published.tables:
        for figure in table.figures:
            text = to_markdown(replace_figures(table, figure))
            assert format_figure(figure) in text
            assert (not figure.verified) == bool(re.search("[≈†]", text))
    assert {MARKS[evidence] for evidence in ("plotted", "remembered")} == {"≈", "†"}


def replace_figures(table: Table, figure: Any) -> Table:
    return Table(table.id, table.title, table.protocol, table.rate_unit, (figure.metric,), (figure,))


def test_settings_tell_rows_apart(published: Published) -> None:
    text = to_markdown(published.table("fbcnn-double").select(method="FBCNN-A", rate=30))

    assert "| live1 | 30 | FBCNN-A (quality 30 first) | 31.94 |" in text
    assert "| live1 | 30 | FBCNN-A (quality 10 first) | 29.38 |" in text


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data.update(schema_version=2), "schema 2 given; expected 1"),
        (lambda data: data["tables"][0].update(protocol="jpg"), "unknown protocol 'jpg'"),
        (lambda data: data["tables"][0]["rows"][0].update(values=["27.82"]), "damaged"),
        (lambda data: data["tables"][0]["rows"][0].update(values=["a", "b", "c"]), "damaged"),
        (lambda data: data["tables"][0].pop("source"), "damaged"),
        (lambda data: data["tables"][8].pop("lpips_backbone"), "damaged"),
        (lambda data: data.pop("missing"), "damaged"),
    ],
)
def test_damaged_data_are_told(damage: Any, message: str) -> None:
    data = json.loads(resources.files("dirac_enhance.bench").joinpath("published.json").read_text(encoding="utf-8"))
    damage(data)

    with pytest.raises(BenchmarkError, match=message):
        parse_published(json.dumps(data))
    with pytest.raises(BenchmarkError, match="damaged"):
        parse_published("{")
