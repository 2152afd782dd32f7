"""A headless Chromium driven over the WebDriver protocol (https://www.w3.org/TR/webdriver2), with no library for it."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The key under which the protocol names an element."""
_TIME_LIMIT = 60.0


def missing_browser() -> str | None:
    """Why no browser can be started here, or None."""
    for program in ("chromium", "chromedriver"):
        if shutil.which(program) is None:
            return f"there is no '{program}'; on Debian: apt-get install chromium chromium-driver"
    return None


class Browser:
    """One window of a browser, addressed by CSS selectors."""

    def __init__(self, session: str) -> None:
        self._session = session

    def open(self, page: Path) -> None:
        """Open a file and wait until it is loaded."""
        self._post("url", {"url": page.as_uri()})

    def evaluate(self, script: str, *arguments: object) -> Any:
        """Return what a function's body returns in the page."""
        return self._post("execute/sync", {"script": script, "args": list(arguments)})

    def press(self, selector: str, keys: str) -> None:
        """Focus an element, and type."""
        self._post(f"element/{self._find(selector)}/value", {"text": keys})

    def click(self, selector: str) -> None:
        """Click the middle of an element."""
        self._post(f"element/{self._find(selector)}/click", {})

    def drag(self, selector: str, *, start: tuple[int, int], end: tuple[int, int]) -> None:
        """Press the mouse at one place of an element, move it to another and let go; in pixels from its middle."""
        origin = {_ELEMENT: self._find(selector)}
        moves = [{"type": "pointerMove", "duration": 50, "origin": origin, "x": x, "y": y} for x, y in (start, end)]
        actions = [moves[0], {"type": "pointerDown", "button": 0}, moves[1], {"type": "pointerUp", "button": 0}]
        mouse = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": actions}
        self._post("actions", {"actions": [mouse]})

    def screenshot(self, selector: str | None = None) -> bytes:
        """Return what is seen of the window, or of an element scrolled into view, as a PNG file."""
        path = "screenshot" if selector is None else f"element/{self._find(selector)}/screenshot"
        return base64.b64decode(_ask(f"{self._session}/{path}"))

    def emulate(self, *, width: int, height: int, scheme: str) -> None:
        """Give the window a size in CSS pixels, one device pixel each, and a colour scheme, "light" or "dark"."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._command("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        features.append({"name": "prefers-reduced-motion", "value": "reduce"})  # places stay where they were looked up
        self._command("Emulation.setEmulatedMedia", {"features": features})

    def log(self) -> list[str]:
        """Return what the page complained of: script errors, violated policies, failed requests."""
        return [entry["message"] for entry in self._post("se/log", {"type": "browser"})]

    def _command(self, command: str, parameters: Mapping[str, object]) -> None:
        self._post("goog/cdp/execute", {"cmd": command, "params": parameters})

    def _find(self, selector: str) -> str:
        return str(self._post("element", {"using": "css selector", "value": selector})[_ELEMENT])

    def _post(self, path: str, body: Mapping[str, object]) -> Any:
        return _ask(f"{self._session}/{path}", body)


@contextmanager
def open_browser(profile: Path) -> Iterator[Browser]:
    """Start a browser that keeps its files in the folder `profile`, and end it."""
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-color-profile=srgb"]
    options += ["--disable-background-networking", "--disable-dev-shm-usage", f"--user-data-dir={profile}"]
    program = shutil.which("chromedriver")
    assert program is not None
    with subprocess.Popen([program, "--port=0"], stdout=subprocess.PIPE, text=True) as driver:
        try:
            assert driver.stdout is not None
            address = next(f"http://127.0.0.1:{found[1]}" for line in driver.stdout if (found := _PORT.search(line)))
            chromium = {"args": options, "binary": shutil.which("chromium")}
            wanted = {"browserName": "chrome", "goog:chromeOptions": chromium, "goog:loggingPrefs": {"browser": "ALL"}}
            started = _ask(f"{address}/session", {"capabilities": {"alwaysMatch": wanted}})
            session = f"{address}/session/{started['sessionId']}"
            try:
                yield Browser(session)
            finally:
                _ask(session, method="DELETE")
        finally:
            driver.terminate()


_PORT = re.compile(r"started successfully on port (\d+)")


def _ask(address: str, body: Mapping[str, object] | None = None, *, method: str | None = None) -> Any:
    """Send a command to the driver; an answer that is an error raises `RuntimeError`."""
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(  # noqa: S310 - always http
        address, data=content, headers={"Content-Type": "application/json"}, method=method
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_TIME_LIMIT) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as cause:
        with cause:
            raise RuntimeError(f"{address}: {json.load(cause)['value']['message']}") from cause
