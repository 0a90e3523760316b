"""The page for everybody: with the keyboard alone, read aloud, in the dark, on a phone, in one's own colours."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hepagraph.inference.result import NOTICE

Json = dict[str, Any]
Visit = Callable[..., Any]
Answered = Callable[..., Json]


def test_a_finding_with_the_keyboard_alone(visit: Visit, answered: Answered, address: str, told: Json) -> None:
    page = visit().ready()
    keys, name = page.page.keyboard, told["change"]["variable"]
    keys.press("Tab")
    assert page.page.evaluate("document.activeElement.className") == "skip"
    assert page.page.evaluate("document.activeElement.getBoundingClientRect().top >= 0")
    keys.press("Enter")
    assert page.page.evaluate("document.activeElement.id") == "choices"
    assert page.page.url == address
    for _ in range(80):
        keys.press("Tab")
        seen = page.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert seen != "none"
        if page.page.evaluate("document.activeElement.closest('.field')?.dataset.variable") == name:
            break
    keys.press("ArrowDown")
    value = page.menu(name).input_value()
    assert value
    case = {"lesions": [{"findings": {name: value}}]}
    page.wait_for_bars(answered(case)["posterior"])
    assert page.page.locator("#said").get_attribute("aria-live") == "polite"
    assert "most probable" in page.page.locator("#said").inner_text()
    assert page.page.evaluate("document.activeElement.closest('.field').dataset.variable") == name
    page.close()


NAMED = {"button", "combobox", "textbox", "radio", "link", "checkbox", "group", "region", "dialog"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_names_landmarks_contrast_and_width(
    visit: Visit, answered: Answered, start: Json, told: Json, data: Path, width: int, scheme: str
) -> None:
    calm = json.loads((data / "web_page.json").read_text(encoding="utf-8"))["calm"]
    options = {"viewport": {"width": width, "height": 850}, "color_scheme": scheme, **calm}
    page = visit(**options).ready()
    page.load(start)
    page.wait_for_bars(answered(start)["posterior"])
    page.page.locator("#keep button").click()
    page.page.locator("#next .next-best").wait_for()
    for both in told["conflict"]:
        page.choose(both["variable"], both["value"])
    page.page.locator("#troubles .trouble").wait_for()
    page.page.locator("#stated summary").click()
    page.picture(f"{width}_{scheme}")
    assert page.page.locator("#brief b").text_content() == "These choices cannot be combined"
    assert page.page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.page.evaluate("getComputedStyle(document.querySelector('.now')).transitionDuration") == "0s"

    colours = page.page.evaluate((data / "contrast.js").read_text(encoding="utf-8"))
    assert (colours["page"] == "rgb(20, 24, 31)") == (scheme == "dark")
    weakest = colours["texts"]
    assert len(weakest) > 100
    assert weakest[0][0] >= 4.5, weakest[:5]

    nodes = page.context.new_cdp_session(page.page).send("Accessibility.getFullAXTree")["nodes"]
    seen = [(n["role"]["value"], n.get("name", {}).get("value", "")) for n in nodes if not n["ignored"]]
    assert [(role, name) for role, name in seen if role in NAMED and not name.strip()] == []
    roles = [role for role, _ in seen]
    assert [roles.count(role) for role in ("main", "banner", "contentinfo")] == [1, 1, 1]
    levels = page.page.locator("h1:visible, h2:visible, h3:visible, h4:visible")
    found = [int(tag[1]) for tag in levels.evaluate_all("all => all.map(one => one.tagName)")]
    assert found.count(1) == 1 and found[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(found))
    footer = page.page.locator("footer").bounding_box()
    assert footer["y"] + footer["height"] <= 850 + 1
    assert page.page.get_by_text(NOTICE).count() == 1
    page.close()


def test_each_answer_is_read_aloud_once(visit: Visit, start: Json, told: Json) -> None:
    """Intervals and reasons that come later are no news; a trouble is told once; an open menu of scenarios stays."""
    page = visit().ready()
    page.load(start)
    page.wait_for_answer()
    page.page.locator("#keep button").click()
    page.page.locator("#scenarios table button").first.focus()
    count = """() => {
      window.news = {said: 0, troubles: 0, message: 0};
      for (const name of Object.keys(news)) {
        new MutationObserver(() => (news[name] += 1)).observe(document.getElementById(name),
          {subtree: true, childList: true, characterData: true});
      }
    }"""
    page.page.evaluate(count)
    change = told["change"]
    page.choose(change["variable"], change["value"])
    page.until(lambda: "before" in page.page.locator("#said").inner_text())
    page.wait_for_answer()
    assert page.page.evaluate("news") == {"said": 1, "troubles": 0, "message": 0}
    for both in told["conflict"]:
        page.choose(both["variable"], both["value"])
    page.page.locator("#troubles .trouble").wait_for()
    page.page.locator("#lesion-choice").get_by_role("radio").nth(1).check()
    page.page.locator("#lesion-choice").get_by_role("radio").nth(0).check()
    page.page.wait_for_timeout(300)
    assert page.page.evaluate("news.troubles") == 1
    page.close()


def test_nothing_takes_the_focus_away(visit: Visit, answered: Answered, start: Json, told: Json) -> None:
    page = visit().ready()
    page.load(start)
    page.wait_for_bars(answered(start)["posterior"])
    page.page.locator("#keep button").click()
    page.page.get_by_role("button", name="Go back to").focus()
    page.wait_for_answer()  # intervals came in between
    assert page.page.evaluate("document.activeElement.textContent") == "Go back"
    change = told["change"]
    page.choose(change["variable"], change["value"])
    undo = page.page.locator("#undo")
    while undo.is_enabled():
        undo.focus()
        page.page.keyboard.press("Enter")
    assert page.page.evaluate("document.activeElement.id") == "afresh"
    page.close()


@pytest.mark.parametrize("width", [320, 700, 1400])
def test_what_is_pressed_is_large_enough_and_nothing_sticks_out(visit: Visit, start: Json, width: int) -> None:
    """700 pixels is a screen of 1,400 at 200 %, 320 one of 1,280 at 400 %; long names everywhere."""
    page = visit(viewport={"width": width, "height": 475}).ready()
    name = "a_lesion_with_a_name_that_does_not_end_" * 4
    page.load({**start, "lesions": [{**start["lesions"][0], "id": name}, *start["lesions"][1:]]})
    page.wait_for_answer()
    page.page.locator("#keep-name").fill(name)
    page.page.locator("#keep-name").press("Enter")
    page.page.locator("#stated summary").click()
    page.picture(f"long_{width}")
    assert page.page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.page.locator("footer").bounding_box()["height"] < 120
    read = """all => all.filter(one => one.checkVisibility()).map(one => [one.outerHTML.slice(0, 90),
      one.getBoundingClientRect().width, one.getBoundingClientRect().height])"""
    found = page.page.locator("button, select, input, summary, main a, .lesions label").evaluate_all(read)
    assert len(found) > 40
    assert [(what, w, h) for what, w, h in found if min(w, h) < 24] == []
    page.close()


def test_with_colours_of_ones_own(visit: Visit, start: Json, told: Json) -> None:
    """Bars and weights are drawn, and a stated field differs from one that is not, when the page's colours are gone."""
    page = visit(forced_colors="active").ready()
    page.load(start)
    page.wait_for_answer()
    change = told["change"]
    page.choose(change["variable"], change["value"])
    page.page.locator("#bars .track .was").first.wait_for()
    page.wait_for_answer()
    page.picture("forced_colours")
    look = "one => getComputedStyle(one)"
    ground = page.page.evaluate("getComputedStyle(document.body)['background-color']")
    for drawn in ("#bars .track .now", "#bars .track .was", "#reasons .for .weight i"):
        assert page.page.locator(drawn).first.evaluate(f"{look}['background-color']") != ground
    assert "gradient" in page.page.locator("#reasons .against .weight i").first.evaluate(f"{look}['background-image']")
    edge = f"{look}['border-left-color']"
    assert page.page.locator(".field.stated").first.evaluate(edge) != ground
    assert page.page.locator(".field:not(.stated)").first.evaluate(edge) == ground
    page.close()


def test_on_paper(visit: Visit, start: Json) -> None:
    """What counts, the answer with a key to it, the reasons and the notice; no form and no button, whatever the screen."""
    page = visit(color_scheme="dark").ready()
    page.load(start)
    page.wait_for_answer()
    page.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.page.emulate_media(media="print")
    shown = page.page.locator("body").inner_text()
    for text in ("What counts", "95 % interval", "Speaks for it", "What to look at next", NOTICE, "Prior:"):
        assert text in shown
    for lesion in start["lesions"]:
        assert f"Lesion {lesion['id']}" in shown
    assert page.page.locator("button:visible, #choices:visible, #scenarios:visible").count() == 0
    assert page.page.evaluate("getComputedStyle(document.body).color") == "rgb(29, 36, 48)"
    page.page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.page.pdf().startswith(b"%PDF")
    page.page.emulate_media(media="screen")
    assert page.page.locator("#stated").get_attribute("open") is None
    page.close()
