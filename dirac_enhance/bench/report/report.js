"use strict";
document.documentElement.classList.add("js");

// A stage shows one version left of the divider and one right of it; the range input is the divider's handle.
for (const scene of document.querySelectorAll(".scene")) {
  const stage = scene.querySelector(".stage");
  const versions = [...stage.querySelectorAll(".version")];
  const divider = stage.querySelector("input[type=range]");
  const chosen = (side) => Number(scene.querySelector(`input[data-side=${side}]:checked`).value);

  const show = () => {
    const left = chosen("left");
    const right = chosen("right");
    const share = Number(divider.value);
    versions.forEach((version, place) => {
      version.classList.toggle("on-left", place === left);
      version.classList.toggle("on-right", place === right);
    });
    stage.style.setProperty("--split", `${share}%`);
    const names = [left, right].map((place) => versions[place].dataset.label);
    stage.querySelector(".badge.left").textContent = names[0];
    stage.querySelector(".badge.right").textContent = names[1];
    divider.setAttribute("aria-valuetext", `${share} % ${names[0]}, ${100 - share} % ${names[1]}`);
  };

  scene.addEventListener("input", show);
  show();
}

// An entry of a legend brings its curve forward in all charts beside it: while pointed at, or until pressed again.
for (const legend of document.querySelectorAll(".legend")) {
  const buttons = [...legend.querySelectorAll("button")];
  const curves = legend.parentElement.querySelectorAll(".charts .curve[data-key]");

  const bringForward = (pointed) => {
    const pressed = buttons.filter((button) => button.getAttribute("aria-pressed") === "true");
    const keys = [...pressed, pointed].filter(Boolean).map((button) => button.dataset.key);
    for (const curve of curves) {
      curve.classList.toggle("dimmed", keys.length > 0 && !keys.includes(curve.dataset.key));
    }
  };

  for (const button of buttons) {
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
      bringForward();
    });
    button.addEventListener("mouseenter", () => bringForward(button));
    button.addEventListener("mouseleave", () => bringForward());
  }
}

// Curves as values, or as differences to the decoded picture's, where they lie closer together than a line is wide.
for (const views of document.querySelectorAll(".views")) {
  const buttons = [...views.querySelectorAll("button")];
  for (const button of buttons) {
    button.addEventListener("click", () => {
      buttons.forEach((each) => each.setAttribute("aria-pressed", String(each === button)));
      views.parentElement.dataset.view = button.dataset.view;
    });
  }
}
