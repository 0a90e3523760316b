"""From a choice on the web page to its new bars, in Debian's chromium: ``python -m benchmarks.http_server.page_click``.

Beside it stands what the two questions that a choice waits for cost over HTTP without a browser, in the same run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from typing import Any

import httpx
from playwright.sync_api import sync_playwright

from benchmarks.http_server.server import Served, served

CHROMIUM = "/usr/bin/chromium"
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-component-update", "--disable-sync")
CLICKS = """async ([name, value, clicks, rest]) => {
  const menu = document.querySelector(`[data-variable="${name}"] select`);
  const bars = () => [...document.querySelectorAll("#bars .track .now")].map(bar => bar.style.width).join();
  const took = [];
  for (let click = 0; click < clicks; click += 1) {
    await new Promise(resolve => setTimeout(resolve, rest));
    const before = bars(), from = performance.now();
    menu.value = menu.value === value ? "" : value;
    menu.dispatchEvent(new Event("change"));
    while (bars() === before) await new Promise(resolve => setTimeout(resolve, 1));
    took.push(performance.now() - from);
  }
  return took;
}"""


def in_browser(server: Served, choice: tuple[str, str], clicks: int, rest_ms: int) -> list[float]:
    """Return milliseconds from each change of one choice to and fro until the bars are other ones."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = browser.new_page()
        page.goto(server.url)
        page.locator("#bars .track .now").first.wait_for(state="attached")
        found: list[float] = page.evaluate(CLICKS, [*choice, clicks, rest_ms])
        browser.close()
    return found


def without(server: Served, choice: tuple[str, str], clicks: int) -> list[float]:
    """Return milliseconds of what the page asks for until it has its bars: the check of choices, and the posterior."""
    name, value = choice
    chosen = {"id": "case", "patient": {}, "exams": [], "lesions": [{"id": "L1", "values": {name: value}}]}
    took = []
    with httpx.Client(base_url=server.url, timeout=60) as client:
        for _ in range(clicks):
            started = time.perf_counter()
            checked = client.post("/v1/form/check", json={"chosen": chosen}).raise_for_status().json()
            asked = {"case": checked["case"], "reasons": False, "surprise": False}
            client.post("/v1/posterior", json=asked).raise_for_status()
            took.append(1000 * (time.perf_counter() - started))
    return took


def summary(took: list[float]) -> dict[str, Any]:
    """Return median and extremes, in milliseconds."""
    return {
        "median_ms": round(statistics.median(took), 1),
        "min_ms": round(min(took), 1),
        "max_ms": round(max(took), 1),
    }


def main() -> None:
    """Measure, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clicks", type=int, default=11)
    parser.add_argument("--rest-ms", type=int, default=3000, help="between clicks: what follows one ends")
    given = parser.parse_args()
    with served(token=None) as server:
        field = httpx.get(f"{server.url}/v1/form").json()["groups"][0]["fields"][0]
        choice = (field["name"], field["options"][0]["value"])
        found = {
            "in the browser": summary(in_browser(server, choice, given.clicks, given.rest_ms)),
            "the same questions over HTTP": summary(without(server, choice, given.clicks)),
        }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
