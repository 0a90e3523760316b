"""The report in a real browser: it shows without error, fits narrow and wide screens, and prints on A4."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_it(browser: Any, page: Path, width: int, scheme: str) -> None:
    view = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said_by_it: list[str] = []
    asked_for: list[str] = []
    view.on("console", lambda message: said_by_it.append(message.text))
    view.on("pageerror", lambda error: said_by_it.append(str(error)))
    view.on("request", lambda request: asked_for.append(request.url))
    view.goto(page.as_uri())
    assert said_by_it == [] and asked_for == [page.as_uri()]
    assert view.evaluate("document.documentElement.scrollWidth") == width
    wide = "[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1"
    assert view.evaluate(f"{wide} && !e.closest('.scroll')).map(e => e.outerHTML.slice(0, 80))") == []
    look = "(s => [s.color, s.getPropertyValue([...s].find(name => /ground-color$/.test(name)))])"
    ink, paper = view.evaluate(f"{look}(getComputedStyle(document.body))")
    brightness = [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in (ink, paper)]
    assert abs(brightness[0] - brightness[1]) > 450 and (brightness[1] > 382) == (scheme == "light")
    bar = "e => [e.querySelector('.fill').getBoundingClientRect().width / e.clientWidth, +e.getAttribute('aria-valuenow')]"
    for drawn, value in view.eval_on_selector_all(".track[role=meter]", f"all => all.map({bar})"):
        assert drawn == pytest.approx(value / 100, abs=0.01)
    view.close()


def test_it_prints(browser: Any, page: Path) -> None:
    view = browser.new_page(color_scheme="dark")
    view.goto(page.as_uri())
    sheet = view.pdf(prefer_css_page_size=True)
    pages = len(re.findall(rb"/Type\s*/Page\b", sheet))
    assert 4 <= pages <= 14
    sizes = {tuple(round(float(v)) for v in box.split()[2:]) for box in re.findall(rb"/MediaBox\s*\[([^]]+)\]", sheet)}
    assert sizes and all(abs(width - 595) <= 1 and abs(height - 842) <= 1 for width, height in sizes)
    view.emulate_media(media="print")
    assert view.evaluate("getComputedStyle(document.body).color") == "rgb(29, 36, 48)"
    folded = "[...document.querySelectorAll('details > :not(summary)')].map(e => e.getBoundingClientRect().height)"
    assert all(height > 0 for height in view.evaluate(folded))
    view.close()
