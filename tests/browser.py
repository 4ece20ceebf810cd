"""Headless Chromium, asked over its own pipe (DevTools protocol): what a page shows, requests and complains of."""

import base64
import fcntl
import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --hide-scrollbars"
LOOK = """(() => {
  const printed = matchMedia("print").matches, all = (names) => [...document.querySelectorAll(names)];
  if (!printed) for (const part of all("details")) part.open = true;
  const root = document.documentElement;
  const out = all("body *").filter((e) => {
    const box = e.getBoundingClientRect();
    const scrolls = !printed && e.closest(".wide, .table-wrapper, pre, .sidebar-drawer, .toc-drawer");
    return box.width && box.right > root.clientWidth + 1 && !scrolls;
  });
  return {
    overflow: root.scrollWidth - root.clientWidth,
    out: out.slice(0, 3).map((e) => e.tagName + " " + e.className + " " + e.textContent.slice(0, 40)),
    broken: [...document.images].filter((i) => !i.complete || !i.naturalWidth).map((i) => i.alt || i.src),
    images: document.images.length,
    paper: getComputedStyle(document.body).backgroundColor,
    folded: all("details > :not(summary)").filter((e) => !e.getBoundingClientRect().height).length,
    tallest: Math.max(0, ...all("figure, tr, .pair").map((e) => e.getBoundingClientRect().height)),
    load_ms: performance.getEntriesByType("navigation")[0].duration,
  };
})()"""


@dataclass
class Seen:
    """What was found on a page."""

    facts: dict = field(default_factory=dict)  # what LOOK returns
    complaints: list[str] = field(default_factory=list)  # of the console
    requests: list[str] = field(default_factory=list)  # beyond files and data


class Browser:
    """Chromium in a profile of its own under ``folder``; a context that ends it."""

    def __init__(self, folder: Path) -> None:
        program = next((found for name in NAMES if (found := shutil.which(name))), None)
        if program is None:
            raise FileNotFoundError(f"expected Chromium ({', '.join(NAMES)}), found none: apt-get install chromium")
        ours, theirs = [os.pipe() for _ in range(2)]
        # far from 3 and 4, where Chromium wants them
        read, write = (fcntl.fcntl(end, fcntl.F_DUPFD, 20) for end in (ours[0], theirs[1]))
        command = f"exec {program} {OPTIONS} --remote-debugging-pipe --user-data-dir={folder} 3<&{read} 4>&{write}"
        self._process = subprocess.Popen(["bash", "-c", command], pass_fds=(read, write), stderr=subprocess.DEVNULL)
        for end in (ours[0], theirs[1], read, write):
            os.close(end)
        self._out, self._in = ours[1], os.fdopen(theirs[0], "rb")
        self._count, self._rest, self._events = 0, b"", []

    def __enter__(self) -> "Browser":
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._ask(f"{domain}.enable")
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()
        self._in.close()
        os.close(self._out)

    def see(
        self, page: Path, width: int, dark: bool = False, picture: Path | None = None, media: str = "screen"
    ) -> Seen:
        """Open ``page`` at ``width`` pixels, as on a screen or in ``print``; ``picture``: where to put a screenshot."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._ask("Emulation.setEmulatedMedia", media=media, features=[scheme])
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self._ask("Emulation.setDeviceMetricsOverride", **size)
        self._events.clear()
        self._ask("Page.navigate", url=page.resolve().as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self._events):
            self._hear()
        told = self._ask("Runtime.evaluate", expression=LOOK, returnByValue=True, awaitPromise=True)
        if picture is not None:
            shot = self._ask("Page.captureScreenshot", captureBeyondViewport=True, format="png")
            picture.write_bytes(base64.b64decode(shot["data"]))
        return Seen(told["result"]["value"], *self._sort_events())

    def _sort_events(self) -> tuple[list[str], list[str]]:
        complaints, requests = [], []
        for event in self._events:
            told = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                complaints.append(told["exceptionDetails"]["text"])
            elif event["method"] == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
                complaints.append(str([part.get("value") for part in told["args"]]))
            elif event["method"] == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
                complaints.append(told["entry"]["text"])
            elif event["method"] == "Network.requestWillBeSent":
                requests.append(told["request"]["url"])
        return complaints, [url[:100] for url in requests if not url.startswith(("file:", "data:", "about:", "blob:"))]

    def _ask(self, method: str, **params: object) -> dict:
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if hasattr(self, "_session"):
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while (answer := self._hear()).get("id") != self._count:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def _hear(self) -> dict:
        while b"\0" not in self._rest:
            if not (more := self._in.read1(1 << 20)):
                raise RuntimeError("Chromium ended before it answered.")
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\0")
        message = json.loads(line)
        if "method" in message:
            self._events.append(message)
        return message
