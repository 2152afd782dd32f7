"""What is said of published figures that stand in no table."""

from __future__ import annotations

import pytest

from dirac_enhance.bench.cells import Cell, CellKey, Values
from dirac_enhance.bench.protocols import PROTOCOLS
from dirac_enhance.bench.published import load_published
from dirac_enhance.bench.published_cells import published_cells, with_published
from dirac_enhance.bench.published_markdown import to_markdown
from dirac_enhance.bench.published_notes import about_published
from dirac_enhance.bench.results import Results
from dirac_enhance.bench.results_table import tables_of


def results(set_name: str, protocol: str = "jpeg-colour") -> Results:
    metrics = {"psnr": Values.of([26.0]), "lpips": Values.of([0.3])}
    cell = Cell(CellKey("jpeg", 10.0, "base", protocol), Values.of([0.3]), metrics)
    return with_published(Results(set_name, ("a.png",), "0" * 64).with_cells([cell]))


@pytest.mark.parametrize(
    ("set_name", "note"),
    [
        (
            "imagenet-val1k",
            (
                "published on 'imagenet-val1k' in the protocol ddrm-jpeg, but not at hand: DDRM, DDRM (A), QGAC"
                " (arXiv 2209.11888)"
            ),
        ),
        (
            "imagenet-ctest10k",
            (
                "published on 'imagenet-ctest10k', for reference only: Regression, Palette, Palette multi-task,"
                " original images, ΠGDM; their FID is a distance from other pictures than the originals, which have"
                " 2.7 in it and not 0, and the other figures are a classifier's"
            ),
        ),
        ("my photographs", "nothing was published on 'my photographs' in the protocol jpeg-colour"),
    ],
)
def test_what_stands_in_no_table_is_said(set_name: str, note: str) -> None:
    assert about_published(results(set_name), shown={"jpeg-colour"}) == (note,)


def test_nothing_is_said_where_the_table_says_it() -> None:
    assert about_published(results("imagenet-val1k", "ddrm-jpeg"), shown={"ddrm-jpeg"}) == ()
    assert about_published(results("clic2020-test"), shown={"jpeg-colour", "codec"}) == ()
    assert about_published(results("live1"), shown={"jpeg-colour", "jpeg-colour-perceptual"}) == ()


@pytest.mark.parametrize(
    ("set_name", "protocol", "missing"),
    [
        (
            "clic2020-test",
            "codec",
            "HiFiC (Mentzer et al., NeurIPS 2020); MultiRealism (arXiv 2212.13824)",
        ),
        ("kodak", "codec", "CDC (Yang and Mandt, buggyyang/CDC_compression)"),
        ("imagenet-val1k", "ddrm-jpeg", "DDRM, DDRM (A), QGAC (arXiv 2209.11888)"),
    ],
)
def test_a_table_names_the_methods_whose_figures_are_missing(set_name: str, protocol: str, missing: str) -> None:
    tables = {table.protocol.id: table for table in tables_of([results(set_name, protocol)])}

    assert f"Published, but not at hand: {missing}." in tables[protocol].footer()


def test_every_missing_method_is_named_in_a_table_of_its_protocol() -> None:
    for each in load_published().missing:
        (table,) = [
            table for table in tables_of([results(each.set_id, each.protocol)]) if table.protocol.id == each.protocol
        ]
        assert any(each.method in line and each.source in line for line in table.footer())


def test_lpips_of_a_backbone_that_is_not_known_stays_beside_nothing_of_ours() -> None:
    cells = published_cells(set_name="kodak", protocols=["jpeg-colour"], measures=["psnr", "lpips"], rates=[10.0])

    assert cells
    assert {name for cell in cells for name in cell.metrics} == {"psnr"}
    _, table = tables_of([results("kodak")])
    assert "LPIPS left out, since it is not known to be of AlexNet: MS-ILLM, StableCodec, DiffC, PerCo (SD)." in (
        table.footer()
    )
    assert "LPIPS left out" not in "".join(tables_of([results("live1")])[0].footer())


def test_lpips_of_pyiqa_stands_beside_ours() -> None:
    cells = published_cells(set_name="live1", protocols=["jpeg-colour"], measures=["lpips"], rates=[10.0])

    assert {cell.key.protocol for cell in cells} == {"jpeg-colour-perceptual"}
    assert "CODiff (1 step)" in {cell.key.peer for cell in cells}


def test_every_lpips_figure_says_its_backbone_or_that_it_is_not_known() -> None:
    published = load_published()
    figures = [figure for table in published.tables for figure in table.figures]

    assert {figure.backbone for figure in figures if figure.metric == "lpips"} == {"alexnet", None}
    assert {figure.backbone for figure in figures if figure.metric != "lpips"} == {None}
    note = "LPIPS: not known to be of AlexNet, and not comparable with ours."
    assert note in to_markdown(published.table("ms-illm")).splitlines()
    assert note not in to_markdown(published.table("ms-illm").select(metric="psnr"))
    assert note not in to_markdown(published.table("codiff"))


def test_only_figures_that_nothing_is_measured_like_are_for_reference_only() -> None:
    assert [each.id for each in PROTOCOLS.values() if each.reference_only] == ["jpeg-imagenet-ctest10k"]
