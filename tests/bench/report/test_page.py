"""The page: what its tables say, that it fetches nothing, and that nothing in it can break out of its place."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bench_results import NOT_CODED, make_cell, usual_cells
from dirac_enhance.bench.report.scenes import Scene
from report_page import Page

Render = Callable[..., str]

HOSTILE = "</style></script><script>document.title='broken'</script><img src=x onerror=alert(1)>\"'&amp;"


def test_table_has_a_row_a_method_and_a_column_a_rate(render: Render) -> None:
    rows = Page(render()).table("PSNR, dB")

    assert rows == [
        ["rate factor", "10", "20"],
        ["bits per pixel", "0.300", "0.600"],
        ["not enhanced", "26.50", "29.00"],
        ["steps 1", "27.50 +1.00", "30.00 +1.00"],
        ["steps 100", "27.00 +0.50", "29.50 +0.50"],
        ["jpeg2png peer", "26.75 +0.25", "29.25 +0.25"],
        ["Somebody published", "27.25 +0.75", "29.75 +0.75"],
    ]


def test_best_figure_and_gains_follow_what_is_better(render: Render) -> None:
    text = render()

    best = re.findall(r'<td class="best"><strong>([\d.]+)</strong>', text)
    assert best == ["27.50", "30.00", "0.2000", "0.2000"]
    assert '<small class="better">−0.1200</small>' in text
    assert '<small class="worse">+0.0100</small>' in text


def test_cost_is_averaged_over_the_rates(render: Render) -> None:
    assert Page(render()).table("Cost") == [
        ["", "network evaluations", "seconds per megapixel", "peak memory, MiB"],
        ["steps 1", "1", "1.5", "–"],
        ["steps 100", "3", "1.5", "–"],
    ]


def test_two_protocols_never_share_a_table(render: Render) -> None:
    simulated = [
        make_cell("published", 10, {"psnr": 99.0}, peer="DDRM", protocol="ddrm-jpeg"),
        make_cell("steps", 10, {"psnr": 11.0}, protocol="ddrm-jpeg"),
    ]
    text = render(cells=[*usual_cells(), *simulated])
    one, other = re.findall(r"<section id=\"table-\d\">.*?</section>", text, re.DOTALL)

    assert ("jpeg-colour" in one, "ddrm-jpeg" in one, "99.00" in one, "11.00" in one) == (True, False, False, False)
    assert ("jpeg-colour" in other, "ddrm-jpeg" in other, "99.00" in other, "11.00" in other) == (
        *(False, True, True, True),
    )


def test_codecs_of_one_set_have_tables_of_their_own_and_curves_together(render: Render) -> None:
    other = [{**cell, "codec": "vtm"} for cell in usual_cells() if cell["method"] == "base"]
    page = Page(render(cells=[*usual_cells(), *other]))

    assert [row[0] for row in page.table("PSNR, dB")].count("rate factor") == 2
    labels = [attributes["aria-label"] for tag, attributes in page.elements if attributes.get("class") == "chart"]
    assert "jpeg, not enhanced; jpeg, steps 1; jpeg, steps 100; jpeg, jpeg2png; jpeg, Somebody; vtm, not" in labels[0]


def test_curves_are_drawn_over_bits_per_pixel_and_as_differences(render: Render) -> None:
    page = Page(render())

    charts = [attributes["aria-label"] for tag, attributes in page.elements if attributes.get("class") == "chart"]
    assert [chart.partition(":")[0] for chart in charts] == [
        *("Rate–distortion", "Rate–distortion", "Rate–perception", "Rate–perception", "Distortion–perception"),
    ]
    assert "steps 100: 27.00 at 0.300 bpp" in page.text
    assert "Somebody: 27.25 at 0.300 bpp" in page.text  # a published figure without a size has that of its base
    assert "steps 100: −37.5 %, 0.50" in page.text


def test_published_figures_are_printed_as_they_were_with_mark_and_source(render: Render) -> None:
    printed = {"source": "arXiv 1; arXiv 2", "verified": False, "figures": {"psnr": "27.7"}, "marks": {"psnr": "†"}}
    cell = make_cell("published", 10, {"psnr": 27.7}, peer="Elsewhere", bpp=NOT_CODED, published=printed)

    page = Page(render(cells=[*usual_cells(), cell]))

    assert ["Elsewhere published", "27.7† +1.20", "–"] in page.table("PSNR")
    assert "Published figures: arXiv 1; arXiv 2. † remembered, not verified: check before quoting." in page.text
    assert "†" not in Page(render()).text


def test_unverified_figures_are_marked_in_legends_and_tooltips(render: Render) -> None:
    printed = {"source": "arXiv 1", "verified": False, "figures": {"psnr": "27.70"}, "marks": {"psnr": "≈"}}
    metrics = {"psnr": 27.7, "lpips": 0.25}
    cell = make_cell("published", 10, metrics, peer="Elsewhere", bpp=NOT_CODED, published=printed)
    text = render(cells=[*usual_cells(), cell])

    legend = re.findall(r"</svg>([^<]*)</button>", text)
    assert legend == ["jpeg, not enhanced", "steps 1", "steps 100", "jpeg2png", "Elsewhere≈", "Somebody"]
    assert "Elsewhere: 27.70≈ at 0.300 bpp" in Page(text).text
    assert "Elsewhere: 0.2500 at 0.300 bpp" in Page(text).text, "its LPIPS is verified"
    distortion, *_, perception, _, _ = (
        attributes["aria-label"] for _, attributes in Page(text).elements if attributes.get("class") == "chart"
    )
    assert "Elsewhere≈; Somebody" in distortion
    assert "Elsewhere≈" not in perception


def test_codecs_published_by_bits_per_pixel_stand_beside_ours(render: Render) -> None:
    others = [
        make_cell(
            "published",
            None,
            {"psnr": 24 + bpp},
            codec="MS-ILLM",
            peer=f"MS-ILLM at {bpp:g} bpp",
            bpp={"mean": bpp, "values": []},
            protocol="codec",
        )
        for bpp in (0.25, 0.5)
    ]
    text = render(cells=[*usual_cells(), *others])
    _, section = re.findall(r"<section id=\"table-\d\">.*?</section>", text, re.DOTALL)

    page = Page(section)
    assert ["steps 100", "27.00 +0.50", "29.50 +0.50"] in page.table("PSNR")
    assert page.table("PSNR")[-2:] == [["bits per pixel", "0.25", "0.5"], ["MS-ILLM published", "24.25", "24.50"]]
    assert "MS-ILLM: 24.25 at 0.250 bpp" in page.text


def test_figures_that_are_infinite_are_shown_and_not_drawn(render: Render) -> None:
    equal = {"psnr": {"mean": None, "values": [None, 40.0]}}
    cells = [make_cell("base", 10, {}, metrics=equal), make_cell("base", 20, {"psnr": 40.0})]

    assert Page(render(cells=cells)).table("PSNR")[2] == ["not enhanced", "∞", "40.00"]


def test_how_it_was_measured_is_said(render: Render) -> None:
    text = Page(render()).text

    assert "dirac-enhance bench 'my photographs' --rates 10,20" in text
    assert "f4da0d6b7b1b0000" in text
    assert "weights sha25677d2bcde0123" in text


def test_page_says_what_each_of_several_runs_measured(render: Render, scene: Scene) -> None:
    machines = [{"cpu": "EPYC", "gpu": None}, {"cpu": "Xeon", "gpu": "H200"}]
    runs = [{"command": ["bench", str(place)], "device": each, "versions": {}} for place, each in enumerate(machines)]
    cells = [make_cell("base", 10, {"psnr": 30.0}, run=0), make_cell("base", 20, {"psnr": 31.0}, run=1)]
    text = Page(render(scene, version=2, runs=runs, cells=cells)).text

    assert all(each in text for each in ("Run 1 of 2, 1 cells", "Run 2 of 2, 1 cells", "bench 1", "EPYC", "H200"))


def test_page_fetches_nothing(render: Render, scene: Scene) -> None:
    text = render(scene)
    page = Page(text)

    addresses = [
        value for _, attributes in page.elements for name, value in attributes.items() if name in ("src", "href")
    ]
    assert len(addresses) > 6
    assert all(address.startswith(("#", "data:image/")) for address in addresses)
    assert not re.search(r"https?://|url\(|@import|//[a-z]", re.sub(r"data:image/[^\"]+", "", text))
    policy = next(attributes["content"] for _, attributes in page.elements if "http-equiv" in attributes)
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy
    assert not [attributes for _, attributes in page.elements if "style" in attributes]


def test_scene_offers_every_version_on_either_side(render: Render, scene: Scene) -> None:
    page = Page(render(scene, scene))

    radios = [attributes for tag, attributes in page.elements if attributes.get("type") == "radio"]
    assert len(radios) == 2 * 2 * 5
    chosen = [radio["aria-label"] for radio in radios if "checked" in radio]
    assert chosen == 2 * ["jpeg 10 on the left", "steps 100 on the right"]
    assert len({radio["name"] for radio in radios}) == 4
    assert "--crop 01.png:16,8,64,48" in page.text


def _hostile_contents() -> dict[str, Any]:
    cells = [
        make_cell("base", 10, {"psnr": 30.0, HOSTILE: 1.0}, codec=HOSTILE),
        make_cell("steps", 10, {"psnr": 31.0, HOSTILE: 2.0}, codec=HOSTILE, weights_sha256=HOSTILE, spacing=HOSTILE),
        make_cell("peer", 10, {"psnr": 31.0, HOSTILE: 2.0}, codec=HOSTILE, peer=HOSTILE),
        make_cell("published", 10, {"psnr": 31.0}, codec=HOSTILE, peer=HOSTILE),
    ]
    return {
        "cells": cells,
        "command": [HOSTILE],
        "set": {"name": HOSTILE, "images": 2, "pixel_hash": HOSTILE},
        "device": {HOSTILE: {HOSTILE: HOSTILE}},
        "versions": {HOSTILE: [HOSTILE]},
    }


def make_hostile_page(render: Render, scene: Scene) -> str:
    """A page in which every text from outside tries to break out."""
    versions = tuple(replace(version, label=HOSTILE, note=HOSTILE) for version in scene.versions)
    hostile = replace(scene, name=HOSTILE, codec=HOSTILE, versions=versions)
    return render(hostile, title=HOSTILE, **_hostile_contents())


def test_hostile_names_stay_text(render: Render, scene: Scene) -> None:
    page = Page(make_hostile_page(render, scene))

    assert not page.open
    assert [tag for tag, _ in page.elements].count("script") == 1
    assert not [attributes for _, attributes in page.elements if any(name.startswith("on") for name in attributes)]
    assert page.text.count(HOSTILE) > 20


@pytest.mark.parametrize("name", ["report.css", "report.js"])
def test_style_sheet_and_script_cannot_end_early(name: str) -> None:
    from importlib import resources

    text = resources.files("dirac_enhance.bench.report").joinpath(name).read_text(encoding="utf-8")

    assert "</" not in text
    assert "innerHTML" not in text
