"""Scenes as HTML: versions of a crop on each other, a divider between any two, and which two they are."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from dirac_enhance.bench.report.markup import Markup, element
from dirac_enhance.bench.report.scenes import Scene, format_window

_WIDTH = 768
"""Of the room for a crop on a wide screen, in the style sheet's pixels; whole multiples keep pixels square."""
_LARGEST_ZOOM = 6


def render_slider(scene: Scene, *, number: int) -> Markup:
    """Render one scene; without JavaScript its versions stand beside each other."""
    return element(
        "figure",
        element("div", _stage(scene), class_="stage-room"),
        element(
            "figcaption",
            element("h3", scene.name, " ", element("span", f"{scene.codec} {scene.rate:g}", class_="tag")),
            _choices(scene, number=number),
            element("div", _thumbnail(scene), _where(scene), class_="where"),
        ),
        class_="scene",
    )


def _stage(scene: Scene) -> Markup:
    window = scene.window
    zoom = max(1, min(_LARGEST_ZOOM, _WIDTH // window.width))
    size = {"width": zoom * window.width, "height": zoom * window.height}
    versions = [
        element(
            "div",
            element(
                "img",
                src=_data_uri(version.webp, "webp"),
                alt=f"{scene.name}, {version.label}",
                **size,
                decoding="async",
            ),
            element("span", version.label, " ", element("small", version.note)),
            class_="version",
            data_label=version.label,
        )
        for version in scene.versions
    ]
    return element(
        "div",
        element("svg", **size, viewBox=f"0 0 {window.width} {window.height}", class_="spacer", aria_hidden="true"),
        *versions,
        element(
            "input",
            type="range",
            min=0,
            max=100,
            step=1,
            value=50,
            aria_label=f"{scene.name}: how much of the width shows the left version",
        ),
        element("div", element("span"), class_="divider", aria_hidden="true"),
        element("div", class_="badge left", aria_hidden="true"),
        element("div", class_="badge right", aria_hidden="true"),
        class_="stage",
    )


def _choices(scene: Scene, *, number: int) -> Markup:
    """Offer every version for either side of the divider."""
    left, right = _first_sides(scene)
    rows = [
        element(
            "tr",
            _choice(number, "left", place, version.label, checked=place == left),
            _choice(number, "right", place, version.label, checked=place == right),
            element("th", version.label, " ", element("small", version.note), scope="row"),
        )
        for place, version in enumerate(scene.versions)
    ]
    headings = (element("th", text, scope="col") for text in ("left", "right", "version"))
    return element(
        "table",
        element("caption", "which version is shown on which side", class_="unseen"),
        element("thead", element("tr", *headings)),
        element("tbody", *rows),
        class_="versions",
    )


def _first_sides(scene: Scene) -> tuple[int, int]:
    """What is compared at first: the base with the enhancer's last step."""
    kinds = [version.kind for version in scene.versions]
    right = max((place for place, kind in enumerate(kinds) if kind == "steps"), default=0)
    return kinds.index("base") if "base" in kinds else 0, right


def _choice(number: int, side: str, place: int, label: str, *, checked: bool) -> Markup:
    radio = element(
        "input",
        type="radio",
        name=f"scene-{number}-{side}",
        value=place,
        data_side=side,
        checked=checked,
        aria_label=f"{label} on the {side}",
    )
    return element("td", element("label", radio))


def _thumbnail(scene: Scene) -> Markup:
    window = scene.window
    frame = {"x": window.left, "y": window.top, "width": window.width, "height": window.height}
    return element(
        "svg",
        element("image", href=_data_uri(scene.thumbnail, "jpeg"), width=scene.width, height=scene.height),
        element("rect", **frame, class_="frame-below"),
        element("rect", **frame, class_="frame"),
        viewBox=f"0 0 {scene.width} {scene.height}",
        role="img",
        aria_label="where the crop lies in the picture",
        class_="thumbnail",
    )


def _where(scene: Scene) -> Markup:
    return element(
        "p",
        f"{scene.window.width} × {scene.window.height} of {scene.width} × {scene.height} pixels; again with ",
        element("code", f"--crop {scene.name}:{format_window(scene.window)}"),
        ". PSNR is of the whole picture.",
        class_="quiet",
    )


def _data_uri(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def render_sliders(scenes: Sequence[Scene]) -> Markup:
    """Render all scenes as a section; empty if there are none."""
    if not scenes:
        return Markup()
    hint = "Drag the divider, or focus it and use the arrow keys; choose what is on either side."
    figures = [render_slider(scene, number=number) for number, scene in enumerate(scenes)]
    heading = element("h2", "Look closely")
    return element("section", heading, element("p", hint, class_="quiet"), *figures, id="pictures")
