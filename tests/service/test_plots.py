"""Pictures say what the results say, and can be read: nothing leaves the sheet, overlaps, or is too small."""

from __future__ import annotations

import itertools
import json
import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import numpy as np
import pytest
from matplotlib import rc_context, rcParams
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyArrowPatch, Rectangle
from matplotlib.text import Text
from nbclient import NotebookClient
from PIL import Image

from hepagraph import kg
from hepagraph.inference import Reasoner
from hepagraph.inference.evaluation import Evaluation, NaiveBayesPredictor, ReasonerPredictor, Settings, TruthReader
from hepagraph.inference.evaluation import evaluate as run_evaluation
from hepagraph.inference.ledger import Ledger, explain
from hepagraph.inference.naive_bayes import build_naive_bayes
from hepagraph.inference.network import ENTITY
from hepagraph.inference.next_best import NextBest, next_best
from hepagraph.inference.result import NOTICE, LesionResult
from hepagraph.inference.sensitivity import Sensitivity, sensitivity
from hepagraph.inference.what_if import Scenario, WhatIf, sweep, what_if
from hepagraph.ontology.errors import CaseError, HepagraphError, OntologyError
from hepagraph.service import plots
from hepagraph.service.plots.canvas import PAPER
from hepagraph.service.text import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from hepagraph.service.plots import Picture

SMALLEST = 8  # points


class Told:
    """What a reasoner says of the first lesion of a case, and all pictures of it."""

    def __init__(self, reasoner: Reasoner, data: dict[str, Any], position: int = 0) -> None:
        self.reasoner, self.data, self.case = reasoner, data, reasoner.read(data)
        self.labels = dict(reasoner.network.labels)
        self.id = self.case.lesions[position].id
        self.lesion: LesionResult = reasoner.posterior(data, interval=True, draws=20).lesions[position]
        self.ledger: Ledger = explain(reasoner, self.case)[position]
        self.sensitivity: Sensitivity = sensitivity(reasoner, self.case, draws=20)[position]
        self.next: NextBest = next_best(reasoner, self.case)[position]
        # Those with most states, of which the examinations can show every one, make the widest labels and largest grid.
        variables, rules = reasoner.reader.variables, reasoner.reader.assessability
        features = [
            name
            for name in sorted(reasoner.network.variables("feature"), key=lambda n: -len(variables[n].states))
            if all(rules.reason_against(variables[name], [s], self.case.exams) is None for s in variables[name].states)
        ]
        self.swept = tuple(features[:2])
        self.sweep = what_if(reasoner, data, sweep(reasoner, features[0]), lesion=self.id)
        seen = next(iter(self.case.lesions[position].findings))
        without = [Scenario(f"without {name}", {name: None}) for name in (seen, features[0])]
        self.scenarios = what_if(reasoner, data, without, lesion=self.id)
        self.path = next((entry.path for entry in self.ledger.entries if entry.path), ())

    @cached_property
    def grid(self) -> WhatIf | None:
        if len(self.swept) < 2:
            return None
        return what_if(self.reasoner, self.data, sweep(self.reasoner, *self.swept), lesion=self.id)

    def pictures(self) -> dict[str, Picture]:
        labels = self.labels
        found = {
            "posterior": plots.posterior_bars(self.lesion, labels),
            "waterfall": plots.ledger_waterfall(self.ledger, labels),
            "tornado": plots.tornado(self.sensitivity, labels),
            "ranking": plots.next_best_ranking(self.next, labels),
            "sweep": plots.what_if_panels(self.sweep, labels, lesion=self.id),
            "scenarios": plots.what_if_panels(self.scenarios, labels, lesion=self.id),
            "network": plots.network_structure(plots.shading(self.reasoner, self.case, lesion=self.id), labels),
        }
        if self.path:
            found["path"] = plots.explanation_path(self.reasoner.graph, self.path)
        grid = self.grid
        return found if grid is None else {**found, "grid": plots.what_if_grid(grid, labels, lesion=self.id)}


@pytest.fixture(scope="module")
def real(reasoner: Reasoner, root: Path) -> Told:
    """The example with most lesions, its last one: what others of the patient say is there too."""
    cases = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((root / "examples").glob("*.json"))]
    data = max(cases, key=lambda case: len(case["lesions"]))
    return Told(reasoner, data, len(data["lesions"]) - 1)


@pytest.fixture(scope="module")
def sparse(reasoner: Reasoner, root: Path) -> Told:
    """The example of which least is told."""
    cases = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((root / "examples").glob("*.json"))]
    return Told(reasoner, min(cases, key=lambda case: len(case["lesions"][0]["findings"])))


@pytest.fixture(scope="module")
def toy(coin: Reasoner) -> Told:
    (name,) = coin.network.variables("feature")
    return Told(coin, {"id": "toy", "lesions": [{"findings": {name: coin.network.states[name][0]}}]})


@pytest.fixture(scope="module")
def other(skin: Reasoner) -> Told:
    name = skin.network.variables("feature")[0]
    return Told(skin, {"id": "other", "lesions": [{"findings": {name: skin.network.states[name][0]}}]})


@pytest.fixture(scope="module")
def evaluation(data: Path) -> Evaluation:
    dice = Reasoner.load(data / "evaluation" / "dice")
    lines = (data / "evaluation" / "proven.jsonl").read_text(encoding="utf-8").splitlines()
    reader = TruthReader(dice.reader, dice.network.states[ENTITY], dice.network.parent_of)
    proven = reader.read([(f"line {number}", json.loads(line)) for number, line in enumerate(lines, 1)])
    settings = Settings(dice.network.default_differential, dice.entities(), {}, (), draws=5, seed=0)
    models = [ReasonerPredictor(dice), NaiveBayesPredictor(build_naive_bayes(dice.graph))]
    return run_evaluation(proven, models, settings, name="as given")


def bars(axes: Axes) -> list[Rectangle]:
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


def texts(picture: Picture) -> list[str]:
    return [found.get_text() for found in shown(picture)]


def shown(picture: Picture) -> list[Text]:
    found = picture.findobj(Text)
    return [one for one in found if isinstance(one, Text) and one.get_visible() and one.get_text().strip()]


def check_readable(picture: Picture, dpi: int = 100) -> None:
    """Nothing leaves the sheet, no two texts touch, none is too small, and the notice stands there once."""
    picture.set_dpi(dpi)
    canvas = FigureCanvasAgg(picture)
    canvas.draw()
    wide, high = canvas.get_width_height()
    found = [(one, one.get_window_extent(canvas.get_renderer())) for one in shown(picture)]
    assert found
    for one, box in found:
        where = f"{one.get_text()!r} at {box.extents.round(1)} of {wide} x {high}"
        assert one.get_fontsize() >= SMALLEST, where
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= wide and box.y1 <= high, where
    for number, (one, box) in enumerate(found):
        for two, against in found[:number]:
            across = min(box.x1, against.x1) - max(box.x0, against.x0)
            up = min(box.y1, against.y1) - max(box.y0, against.y0)
            lean = dpi / 50  # the leading above and below a line's letters may run together
            assert across <= 1 or up <= lean, f"{one.get_text()!r} runs into {two.get_text()!r}"
    for axes in picture.axes:
        for patch in bars(axes):
            room = patch.get_window_extent(canvas.get_renderer())
            for one, box in found:
                inside = one.axes is axes and room.x0 < (box.x0 + box.x1) / 2 < room.x1
                if inside and room.y0 < (box.y0 + box.y1) / 2 < room.y1:
                    assert box.x0 >= room.x0 and box.x1 <= room.x1, f"{one.get_text()!r} leaves its box"
    assert " ".join(" ".join(texts(picture)).split()).count(NOTICE) == 1
    assert plots.alt_text(picture).endswith(NOTICE)


@pytest.mark.parametrize("which", ["real", "sparse", "toy", "other"])
def test_every_picture_can_be_read(which: str, request: pytest.FixtureRequest) -> None:
    told: Told = request.getfixturevalue(which)
    for picture in told.pictures().values():
        check_readable(picture, 200 if which == "sparse" else 100)


def test_long_labels_and_names_are_wrapped(real: Told) -> None:
    """Labels twice as long as any, a lesion id without a space, and one that is no mathematics."""
    longest = max(real.labels.values(), key=len)
    labels = {name: f"{label} {longest}"[:160] for name, label in real.labels.items()}
    lesion = replace(real.lesion, id="$x_1$" + "y" * 120)
    for picture in (
        plots.posterior_bars(lesion, labels),
        plots.ledger_waterfall(replace(real.ledger, lesion="\x1b[31m"), labels),
        plots.tornado(real.sensitivity, labels),
        plots.what_if_panels(real.sweep, labels, lesion=real.id),
        plots.what_if_panels(real.scenarios, labels, lesion=real.id),
        plots.network_structure(plots.shading(real.reasoner, real.case, lesion=real.id), labels),
    ):
        check_readable(picture)
    assert "$x_1$" in "".join(texts(plots.posterior_bars(lesion, labels)))


def test_posterior_bars_are_the_posterior(real: Told) -> None:
    lesion, picture = real.lesion, plots.posterior_bars(real.lesion, real.labels)
    (axes,) = picture.axes
    ranked = sorted(lesion.posterior, key=lambda entity: -lesion.posterior[entity])
    assert [bar.get_width() for bar in bars(axes)] == [lesion.posterior[entity] for entity in ranked]
    assert [tick.get_text().replace("\n", " ") for tick in axes.get_yticklabels()] == [real.labels[e] for e in ranked]
    assert lesion.interval is not None and lesion.posterior_alone is not None
    drawn = [tuple(line.get_xdata()) for line in axes.lines if line.get_label() == "interval"]
    assert drawn == [lesion.interval[entity] for entity in ranked]
    alone = [float(line.get_xdata()[0]) for line in axes.lines if line.get_label() == "alone"]
    assert alone == [lesion.posterior_alone[entity] for entity in ranked]
    for part in (real.labels[lesion.leading], percent(lesion.posterior[lesion.leading]), "95 % interval", real.id):
        assert part in picture.alt_text
    bare = plots.posterior_bars(replace(lesion, interval=None, posterior_alone=None), real.labels, title="mine")
    assert not bare.axes[0].lines and "interval" not in bare.alt_text and bare.title == "mine"


def test_waterfall_ends_at_the_odds_after_all(real: Told, toy: Told) -> None:
    for told, top in ((real, 12), (real, 3), (toy, 12)):
        ledger = told.ledger
        picture = plots.ledger_waterfall(ledger, told.labels, top=top)
        (axes,) = picture.axes
        steps, at = bars(axes), ledger.before
        for step, entry in zip(steps, ledger.entries[: min(top, len(steps) - 1)], strict=False):
            assert step.get_width() == pytest.approx(entry.weight, abs=1e-12)
        for step in steps:
            assert step.get_x() == pytest.approx(
                min(at, at + step.get_width()) if step.get_width() > 0 else at, abs=1e-9
            )
            at += step.get_width()
        assert at == pytest.approx(ledger.after, abs=1e-9)
        ends = {line.get_label(): float(line.get_xdata()[0]) for line in axes.lines}
        assert ends["before"] == ledger.before and ends["after"] == ledger.after
        low, high = axes.get_xlim()
        assert low < min(ledger.before, ledger.after) and high > max(ledger.before, ledger.after)
        for tick in axes.get_xticklabels():
            left, right = (float(part.replace(",", "")) for part in tick.get_text().split("\n")[0].split(" : "))
            assert tick.get_position()[0] == pytest.approx(math.log(left / right), abs=1e-9)
        assert told.labels[ledger.entity] in picture.alt_text and "for, ×" in picture.alt_text


def test_tornado_spans_the_ranges(sparse: Told) -> None:
    found = sparse.sensitivity
    picture = plots.tornado(found, sparse.labels, top=5)
    (axes,) = picture.axes
    halves = bars(axes)
    drawn = [(a.get_x(), b.get_x() + b.get_width()) for a, b in zip(halves[::2], halves[1::2], strict=True)]
    assert drawn == [pytest.approx((r.low, r.high)) for r in found.ranges[:5]]
    assert axes.lines[-1].get_xdata()[0] == found.posterior
    low, high = axes.get_xlim()
    assert low <= min(r.low for r in found.ranges) and high >= max(r.high for r in found.ranges)
    assert sparse.labels[found.leading] in picture.alt_text and percent(found.posterior) in picture.alt_text
    for posterior in (0.9999, 0.5, 0.0001):
        narrow = plots.tornado(replace(found, posterior=posterior, ranges=()), sparse.labels)
        check_readable(narrow)
        low, high = narrow.axes[0].get_xlim()
        assert 0 <= low <= posterior <= high <= 1


def test_panels_show_every_scenario(real: Told) -> None:
    outcomes = [outcome for outcome in real.scenarios.outcomes if outcome.lesion == real.id]
    picture = plots.what_if_panels(real.scenarios, real.labels, lesion=real.id)
    drawn = [[bar.get_width() for bar in bars(axes)] for axes in picture.axes]
    assert drawn == [list(outcome.posterior.values()) for outcome in outcomes]
    by_entity = plots.what_if_panels(real.scenarios, real.labels, lesion=real.id, panels="entity")
    turned = [[bar.get_width() for bar in bars(axes)] for axes in by_entity.axes]
    assert turned == [list(column) for column in zip(*drawn, strict=True)]
    swept = plots.what_if_panels(real.sweep, real.labels, lesion=real.id)
    assert len(swept.axes) == len(real.reasoner.entities())
    assert real.labels[real.swept[0]] in swept.title
    leading = real.lesion.leading
    assert f"as it is: {real.labels[leading]} {percent(real.lesion.posterior[leading])}" in swept.alt_text
    with pytest.raises(CaseError, match="no lesion has the id 'nobody'"):
        plots.what_if_panels(real.sweep, real.labels, lesion="nobody")


def test_an_examination_that_shows_less_is_said(real: Told, told_exam: dict[str, str]) -> None:
    found = what_if(real.reasoner, real.data, [Scenario("another look", {}, [told_exam])], lesion=real.id)
    unseen = found.outcomes[-1].unseen
    assert unseen
    picture = plots.what_if_panels(found, real.labels, lesion=real.id)
    note = " ".join(" ".join(texts(picture)).split())
    assert "Not seen in another look: " + ", ".join(real.labels[name] for name in unseen) in note
    check_readable(picture)


@pytest.fixture
def told_exam(real: Told) -> dict[str, str]:
    """The examination that shows fewest of the features."""
    (modality,) = (v for v in real.reasoner.reader.variables.values() if v.section == "exam" and v.name == "modality")
    rules, variables = real.reasoner.reader.assessability, real.reasoner.reader.variables
    findings = real.case.lesions[-1].findings

    def shows(state: str) -> int:
        exams = real.reasoner.read({"exam": [{"modality": state}], "lesions": [{"findings": {}}]}).exams
        return sum(rules.reason_against(variables[n], variables[n].states, exams) is None for n in findings)

    return {"modality": min(modality.states, key=shows)}


def test_grid_is_a_heat_map_of_one_entity(real: Told) -> None:
    grid = real.grid
    assert grid is not None
    entity = real.reasoner.entities()[1]
    picture = plots.what_if_grid(grid, real.labels, lesion=real.id, entity=entity)
    (axes,) = picture.axes
    cells = {}
    for patch in bars(axes):
        if patch.get_fill():
            cells[int(patch.get_x()), int(patch.get_y())] = patch.get_facecolor()[0]
    written = {
        (int(t.get_position()[0]), int(t.get_position()[1])): t.get_text()
        for t in axes.texts
        if t.get_text()[-1] == "%"
    }
    values = [outcome.posterior[entity] for outcome in grid.outcomes if outcome.lesion == real.id][1:]
    assert sorted(written.values()) == sorted(map(percent, values)) and len(cells) == len(values)
    numbers = {place: float(re.sub(r"[^\d.]", "", text)) for place, text in written.items()}
    ranked = sorted(cells, key=lambda place: numbers[place])
    shades = [cells[place] for place in ranked]
    assert all(b <= a + 0.002 for a, b in itertools.pairwise(shades))
    assert (
        f"{real.labels[entity]} in lesion {real.id}, {percent(real.lesion.posterior[entity])} as it is"
        in picture.alt_text
    )
    with pytest.raises(CaseError, match="not a sweep of two"):
        plots.what_if_grid(real.sweep, real.labels, lesion=real.id)
    with pytest.raises(CaseError, match="not in the differential"):
        plots.what_if_grid(grid, real.labels, lesion=real.id, entity="nobody")


def test_ranking_is_in_bits(sparse: Told) -> None:
    found = sparse.next
    picture = plots.next_best_ranking(found, sparse.labels, top=3)
    (axes,) = picture.axes
    ranked = [*found.looks[:3], *found.protocols[:3], *found.tests[:3]]
    assert [bar.get_width() for bar in bars(axes)] == [one.information for one in ranked]
    assert axes.get_xlim() == (0, pytest.approx(found.uncertainty))
    assert found.largest_loss is not None
    nets = [found.looks[0].saving, *(one.net for one in [*found.protocols[:3], *found.tests[:3]])]
    for net in nets:
        assert net is not None and f"{net:.2f}".replace("-", "\N{MINUS SIGN}") in texts(picture)
    for part in (sparse.labels[found.leading], f"{found.looks[0].information:.2f} bits", found.looks[0].label):
        assert part in picture.alt_text
    free = replace(found, largest_loss=None, management=None, tests=(), protocols=())
    assert "saving" not in " ".join(texts(plots.next_best_ranking(free, sparse.labels)))
    done = replace(free, looks=(), uncertainty=0.0)
    check_readable(plots.next_best_ranking(done, sparse.labels))
    assert "Nothing is left" in plots.next_best_ranking(done, sparse.labels).alt_text


def test_paths_name_nodes_and_relations(real: Told) -> None:
    graph = real.reasoner.graph
    chains = [entry.path for entry in real.ledger.entries if len(entry.path) > 1]
    nodes = (chains[0][-1].cause, chains[0][-1].effect)
    found = kg.explanation_paths(graph, *nodes)[0]
    for picture in (plots.explanation_path(graph, found), plots.explanation_path(graph, *chains[:3])):
        check_readable(picture)
        written = " ".join(" ".join(texts(picture)).split())
        for node in nodes:
            assert graph.nodes[node]["label"] in written and graph.nodes[node]["label"] in picture.alt_text
        arrows = [patch for axes in picture.axes for patch in axes.patches if isinstance(patch, FancyArrowPatch)]
        assert len(arrows) == picture.alt_text.count("-- ") >= 1
    assert chains[0][-1].relation in written.replace(" ", "") or chains[0][-1].relation in written
    check_readable(plots.explanation_path(graph, nodes[:1]))
    with pytest.raises(OntologyError, match="no causal relation"):
        plots.explanation_path(graph, nodes[::-1])
    with pytest.raises(OntologyError, match="1 to 3 paths"):
        plots.explanation_path(graph)


def test_network_is_shaded_by_the_posterior(real: Told) -> None:
    found = plots.shading(real.reasoner, real.case, lesion=real.id)
    assert (found.leading, found.posterior) == (
        real.lesion.leading,
        pytest.approx(real.lesion.posterior[real.lesion.leading]),
    )
    by_name = {variable.name: variable for variable in found.variables}
    for state in by_name[ENTITY].states:
        assert state.after == pytest.approx(real.lesion.posterior[state.state])
    for name, variable in by_name.items():
        if variable.layer == "mechanism":
            assert variable.states[0].after == pytest.approx(real.lesion.mechanisms[name])
    findings = real.case.lesions[-1].findings
    assert {name for name, variable in by_name.items() if variable.layer == "feature"} == set(findings)
    assert all(
        child in by_name and parent in real.reasoner.network.tables[child].parents for parent, child in found.arrows
    )
    picture = plots.network_structure(found, real.labels)
    (axes,) = picture.axes
    states = [state.after for variable in found.variables for state in variable.states]
    fills = [to_rgb(box.get_facecolor()) for box in bars(axes) if box.get_linewidth() < 2]
    order = np.argsort(states)
    assert len(fills) == len(states) and all(np.diff([fills[n][0] for n in order]) <= 1e-9)
    given = [to_rgb(box.get_facecolor()) for box in bars(axes) if box.get_linewidth() > 2]
    assert set(given) == {to_rgb(PAPER)} and len(given) == len([v for v in found.variables if v.given])
    leading = by_name[ENTITY].states[0]
    assert f"{percent(leading.before)} → {percent(leading.after)}" in texts(picture)
    assert f"{real.labels[leading.state]} {percent(leading.after)}" in picture.alt_text
    with pytest.raises(CaseError, match="no lesion has the id"):
        plots.shading(real.reasoner, real.case, lesion="nobody")


def test_reliability_shows_bins_and_counts(evaluation: Evaluation) -> None:
    picture = plots.reliability_diagram(evaluation)
    diagram, counts = picture.axes
    check_readable(picture)
    for model in evaluation.models:
        (line,) = (one for one in diagram.lines if one.get_label() == model.name)
        assert [tuple(map(float, point)) for point in line.get_xydata()] == [
            (b.stated, b.observed) for b in model.reliability
        ]
        assert f"{model.name} ({model.right} of {len(evaluation.lesions)} right)" in picture.alt_text
    written = [text.get_text() for text in counts.texts if text.get_text().isdigit()]
    assert written == [str(b.count) for model in evaluation.models for b in model.reliability]
    name = evaluation.models[1].name
    (line,) = (
        one for one in plots.reliability_diagram(evaluation, models=[name]).axes[0].lines if one.get_label() == name
    )
    assert len(line.get_xdata()) == len(evaluation.models[1].reliability)
    many = replace(evaluation, models=tuple(replace(evaluation.models[0], name=f"model {n}") for n in range(4)))
    check_readable(plots.reliability_diagram(many))
    with pytest.raises(CaseError, match="was not evaluated"):
        plots.reliability_diagram(evaluation, models=["nobody"])


def test_files_carry_the_words(real: Told, tmp_path: Path) -> None:
    picture = plots.posterior_bars(replace(real.lesion, id="<L&1>"), real.labels)
    png, svg, pdf = (plots.save(picture, tmp_path / f"a.{form}") for form in ("png", "svg", "pdf"))
    with Image.open(png) as image:
        assert image.info["Description"] == picture.alt_text and image.info["Title"] == picture.title
        assert image.size == tuple(round(200 * inches) for inches in picture.get_size_inches())
    root = ET.fromstring(svg.read_text(encoding="utf-8"))  # noqa: S314
    space = "{http://www.w3.org/2000/svg}"
    assert root.get("role") == "img"
    assert [root.findtext(space + name) for name in ("title", "desc")] == [picture.title, picture.alt_text]
    assert b"/Subject" in pdf.read_bytes() and pdf.read_bytes().startswith(b"%PDF")
    for first in (png, svg, pdf):
        assert plots.save(picture, tmp_path / f"b{first.suffix}").read_bytes() == first.read_bytes()
    with pytest.raises(HepagraphError, match="pdf, png, svg"):
        plots.save(picture, tmp_path / "a.gif")


def test_the_users_settings_neither_matter_nor_change(toy: Told) -> None:
    def image(make: Callable[[], Picture]) -> bytes:
        canvas = FigureCanvasAgg(make())
        canvas.draw()
        return bytes(canvas.buffer_rgba())

    def draw() -> Picture:
        return plots.posterior_bars(toy.lesion, toy.labels)

    before = dict(rcParams)
    plain = image(draw)
    with rc_context({"font.size": 30, "font.family": "serif", "text.usetex": True, "figure.dpi": 33}):
        assert image(draw) == plain
    assert dict(rcParams) == before


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


DRAWN = """
import sys
from hepagraph.inference.result import LesionResult
from hepagraph.service import plots
names = [getattr(plots, name) for name in plots.__all__ if name != "Picture"]
assert "matplotlib" not in sys.modules
lesion = LesionResult("L1", {"a": 0.75, "b": 0.25}, {}, {}, 0.0)
"""


def test_matplotlib_comes_with_the_first_picture_and_never_pyplot() -> None:
    printed = python(DRAWN + "plots.posterior_bars(lesion, {})\nprint(*sys.modules)").split()
    assert "matplotlib" in printed and "matplotlib.pyplot" not in printed


def test_without_matplotlib_the_error_says_what_to_install() -> None:
    code = (
        DRAWN
        + "sys.modules['matplotlib'] = None\ntry:\n    plots.posterior_bars(lesion, {})\nexcept Exception as e:\n    print(repr(e))"
    )
    assert re.search(r"MissingExtraError\(.*pip install 'hepagraph\[plot\]'", python(code))


@pytest.fixture(params=["", "import matplotlib.pyplot\n", "%matplotlib inline\n"], ids=["bare", "pyplot", "inline"])
def shown_in_notebook(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    notebook = nbformat.v4.new_notebook()
    code = (
        request.param
        + DRAWN.replace('assert "matplotlib" not in sys.modules\n', "")
        + "plots.posterior_bars(lesion, {})"
    )
    notebook.cells = [nbformat.v4.new_code_cell(code)]
    NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    yield notebook.cells[0].outputs


def test_a_notebook_shows_it_once_with_the_words(shown_in_notebook: list[Any]) -> None:
    (output,) = (one for one in shown_in_notebook if one.output_type != "stream")
    assert output.data["image/png"].startswith("iVBOR")
    assert "a 75.0 %" in output.metadata["image/png"]["alt"] and output.metadata["image/png"]["width"] == 720
