"""What goes wrong around the page: servers that are gone, slow or another, tokens, and changes that overtake answers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from hepagraph.inference import Reasoner
from hepagraph.service.doors import Doors
from hepagraph.service.http import Settings

Json = dict[str, Any]
Visit = Callable[..., Any]
Answered = Callable[..., Json]
Served = Callable[[Doors, Settings], AbstractContextManager[str]]
NOTHING: Json = {"lesions": [{"findings": {}}]}


def test_the_last_of_several_changes_is_answered(visit: Visit, answered: Answered, told: Json) -> None:
    """Changes one after the other, a server that is gone for a while, and then is there again."""
    change = told["change"]
    page = visit().ready()
    for _ in range(3):
        for option in page.menu(change["variable"]).evaluate("menu => [...menu.options].map(o => o.value)"):
            page.choose(change["variable"], option)
    page.choose(change["variable"], change["value"])
    case = {"lesions": [{"findings": {change["variable"]: change["value"]}}]}
    page.wait_for_bars(answered(case)["posterior"])
    page.page.route("**/v1/**", lambda route: route.abort())
    page.choose(change["variable"], None)
    page.page.get_by_role("alert").get_by_text("does not answer").wait_for()
    page.page.unroute("**/v1/**")
    page.page.get_by_role("button", name="Try again").click()
    page.wait_for_bars(answered(NOTHING)["posterior"])
    page.page.locator("#troubles .trouble").wait_for(state="detached")
    page.close("ERR_FAILED")


def test_a_token_is_asked_for_and_forgotten(visit: Visit, served: Served, doors: Doors) -> None:
    token = "a token would be longer".replace(" ", "-")
    with served(doors, Settings(token=token)) as address:
        page = visit(address=address)
        word = page.page.get_by_label("token")
        for wrong in ("wrong", token):
            word.wait_for()
            word.fill(wrong)
            word.press("Enter")
        page.ready()
        assert token not in page.page.content()
        page.close("status of 401")


def test_a_server_that_is_gone_leaves_no_answer_that_looks_like_one(visit: Visit, told: Json) -> None:
    change = told["change"]
    page = visit(viewport={"width": 390, "height": 850}).ready()
    page.wait_for_answer()
    page.page.route("**/v1/**", lambda route: route.abort())
    page.choose(change["variable"], change["value"])
    page.page.get_by_role("alert").get_by_text("does not answer").wait_for()
    page.picture("gone")
    assert "stale" in page.page.locator("#bars").get_attribute("class")
    assert page.page.locator("#brief b").inner_text() == "There is no answer"
    assert page.page.locator("#said").inner_text() == "The last answer is shown, in grey."
    page.page.locator("#text").click()
    page.page.locator("#text-troubles").get_by_text("no answer to what is chosen").wait_for()
    assert page.page.locator("#text-copy").is_disabled()
    page.close("ERR_FAILED")


def test_a_page_without_a_form_can_try_again(visit: Visit, answered: Answered) -> None:
    page = visit().ready()
    page.page.route("**/v1/form", lambda route: route.abort())
    page.page.reload()
    again = page.page.get_by_role("button", name="Try again")
    again.wait_for()
    assert "does not answer" in page.page.locator("#message").inner_text()
    page.page.unroute("**/v1/form")
    again.click()
    page.wait_for_bars(answered(NOTHING)["posterior"])
    page.close("ERR_FAILED")


def test_a_slow_server_is_waited_for_and_the_page_says_so(visit: Visit, answered: Answered, told: Json) -> None:
    change = told["change"]
    page = visit().ready()
    page.wait_for_answer()
    waiting: list[Any] = []
    page.page.route("**/v1/posterior", lambda route: route.continue_() if waiting else waiting.append(route))
    page.choose(change["variable"], change["value"])
    page.page.locator("#pending").wait_for()
    page.page.locator("#keep button").click()
    page.page.get_by_text("so nothing was kept").wait_for()
    page.picture("slow")
    assert page.page.locator("#answer").get_attribute("aria-busy") == "true"
    assert "stale" in page.page.locator("#bars").get_attribute("class")
    waiting[0].continue_()
    case = {"lesions": [{"findings": {change["variable"]: change["value"]}}]}
    page.wait_for_bars(answered(case)["posterior"])
    assert page.page.locator("#pending").is_hidden()
    assert page.page.locator("#bars.stale, #said.stale").count() == 0
    page.wait_for_answer()
    page.close()


def test_an_answer_stands_without_what_is_missing_beside_it(visit: Visit, answered: Answered, told: Json) -> None:
    """No intervals, or an answer that is cut off: the numbers that came are shown as they are."""
    change = told["change"]
    page = visit().ready()
    page.wait_for_answer()

    def cut(route: Any) -> None:
        if '"interval":true' in route.request.post_data:
            route.fulfill(status=200, content_type="application/json", body='{"lesions": [')
        else:
            route.continue_()

    page.page.route("**/v1/posterior", cut)
    page.choose(change["variable"], change["value"])
    page.page.get_by_role("alert").get_by_text("The answer stands").wait_for()
    case = {"lesions": [{"findings": {change["variable"]: change["value"]}}]}
    page.wait_for_bars(answered(case)["posterior"])
    assert page.page.locator("#bars.stale").count() == 0
    assert "no 95 % intervals" in page.page.locator("#bars .key").inner_text()
    page.page.unroute("**/v1/posterior")
    page.page.get_by_role("button", name="Try again").click()
    page.wait_for_answer()
    page.page.locator("#troubles .trouble").wait_for(state="detached")
    page.close()


def test_a_server_that_has_another_ontology_now(
    visit: Visit, served: Served, address: str, start: Json, skin: Reasoner, told: Json
) -> None:
    """The page says so, shows no answer under labels that are not its own, and takes along what is known there."""
    page = visit().ready()
    page.load(start)
    page.wait_for_answer()
    before = page.bars()
    with served(Doors(skin), Settings()) as other:
        # asked by Playwright itself, since its port is another one, and so another origin to the browser
        page.page.route(
            "**/v1/**",
            lambda route: route.fulfill(response=route.fetch(url=route.request.url.replace(address, other))),
        )
        page.choose(told["change"]["variable"], told["change"]["value"])
        page.page.get_by_role("alert").get_by_text("another ontology").wait_for()
        assert page.bars() == before
        assert "stale" in page.page.locator("#bars").get_attribute("class")
        page.page.get_by_role("button", name="Load the page anew").click()
        page.page.locator("#notes .note").wait_for()
        notes = page.page.locator("#notes").inner_text()
        assert "made with another ontology" in notes
        assert told["change"]["variable"] in notes and "not known here" in notes
        page.until(lambda: list(page.bars()) == list(skin.entities()))
        ids = page.page.locator("#lesion-choice b").all_inner_texts()
        assert ids == [lesion["id"] for lesion in start["lesions"]]
        page.picture("another_ontology")
        page.page.get_by_role("button", name="Close this note").click()
        assert page.page.locator("#notes").inner_text() == ""
        page.wait_for_answer()
    page.close("status of 422")


def test_a_number_half_typed_outlives_the_answers_that_come(
    visit: Visit, answered: Answered, told: Json, doors: Doors
) -> None:
    number, change = told["number"], told["change"]
    page = visit().ready()
    page.wait_for_answer()
    page.choose(change["variable"], change["value"])
    box = page.number(number["variable"])
    box.press_sequentially(str(number["good"]))
    page.wait_for_answer()
    assert box.input_value() == str(number["good"])
    box.press("Tab")
    case = {"lesions": [{number["key"]: number["good"], "findings": {change["variable"]: change["value"]}}]}
    page.wait_for_bars(answered(case)["posterior"])
    page.page.locator("#undo").click()
    page.until(lambda: box.input_value() == "")
    page.page.locator("#undo").click()
    page.wait_for_bars(answered(NOTHING)["posterior"])
    page.close()
