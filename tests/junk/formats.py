"""The doors of other formats: FHIR, CDS Hooks, DICOM, tables of scikit-learn, and what the explorer is given."""

from __future__ import annotations

import copy
import io
import json
import random
import warnings
from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from junk.corpus import SEED, VALUES, bytes_of, json_of, mixed, values_of
from junk.table import DATA, Door, World, command, leaves_nothing, refusable, skin_folder

from hepagraph.ontology.errors import HepagraphError
from hepagraph.service.explorer.remote import RemoteForm
from hepagraph.service.explorer.state import ExplorerState
from hepagraph.service.healthcare import CodeBook, from_dicom_sr, from_fhir, source_image, to_dicom_sr, to_fhir
from hepagraph.service.healthcare.cds import about, respond
from hepagraph.service.healthcare.cds_feedback import feedback

Json = dict[str, Any]
UIDS = ("1.2.826.0.1.3680043.8.498.1", "1.2.826.0.1.3680043.8.498.2", "1.2.826.0.1.3680043.8.498.3")
PICTURE = "1.2.840.10008.5.1.4.1.1.4"


def _codes(world: World) -> CodeBook:
    found: CodeBook = world.once("codes", lambda: CodeBook.load(world.skin, skin_folder()))
    return found


def _packaged(world: World) -> CodeBook:
    found: CodeBook = world.once("packaged codes", lambda: CodeBook.load(world.packaged))
    return found


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=float))


def _bundles(world: World) -> list[Json]:
    foreign = json.loads((DATA / "healthcare" / "foreign.json").read_text(encoding="utf-8"))["bundle"]
    own = [to_fhir(_packaged(world), world.example, None, version) for version in ("R5", "R4B")]
    return [_plain(bundle) for bundle in (*own, foreign)]


def _fhir(world: World, junk: Any) -> bool:
    return refusable(lambda: from_fhir(_packaged(world), junk, today=date(2026, 1, 1)))


def _fhir_junk(world: World) -> Iterator[Any]:
    return values_of(_bundles(world))


def _fhir_file(world: World, junk: bytes) -> bool:
    return command("fhir", "import", world.file("in.json", junk), says="in.json")


def _fhir_file_junk(world: World) -> Iterator[bytes]:
    return json_of(_bundles(world)[:1])


# -- CDS Hooks --------------------------------------------------------------------------------------------------


def _request(world: World) -> Json:
    call: Json = json.loads((DATA / "healthcare" / "cds_hooks.json").read_text(encoding="utf-8"))["call"]
    patient = call["context"]["patientId"]
    entries = to_fhir(_codes(world), world.case, None)["entry"]
    for entry in entries:
        resource = entry["resource"]
        resource.pop("subject", None)
        resource.pop("patient", None)
        if resource["resourceType"] == "Patient":
            resource["id"] = patient
    whole = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
    found: Json = _plain({**call, "prefetch": dict.fromkeys(about()["prefetch"], whole)})
    return found


def _cds(world: World, junk: Any) -> bool:
    return refusable(lambda: respond(world.doors, _codes(world), about()["id"], junk, today=date(2026, 1, 1)))


def _cds_junk(world: World) -> Iterator[Any]:
    return values_of([_request(world)])


def _feedback(world: World, junk: Any) -> bool:
    return refusable(lambda: feedback(about()["id"], junk))


def _feedback_junk(world: World) -> Iterator[Any]:
    return values_of(json.loads((DATA / "healthcare" / "cds_hooks.json").read_text(encoding="utf-8"))["feedback"])


# -- DICOM ------------------------------------------------------------------------------------------------------


def _report(world: World) -> Any:
    return to_dicom_sr(_codes(world), world.case, None, [source_image(*UIDS, PICTURE)])


def _dicom(world: World, junk: bytes) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of values that no standard allows
        return refusable(lambda: from_dicom_sr(_codes(world), world.file("in.dcm", junk)))


def _dicom_junk(world: World) -> Iterator[bytes]:
    file = io.BytesIO()
    _report(world).save_as(file, enforce_file_format=True)
    return bytes_of([file.getvalue()])


def _dicom_file(world: World, junk: bytes) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return command("dicom", "import", world.file("in.dcm", junk), "--ontology", skin_folder(), says="in.dcm")


def _picture_file(world: World, junk: bytes) -> bool:
    folder = world.place("pictures")
    given = (
        "--image",
        world.file("in.dcm", junk),
        "-o",
        folder / "out.dcm",
        "--case-only",
        "--ontology",
        skin_folder(),
    )
    case = world.file("good.json", json.dumps(world.case).encode())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return leaves_nothing(folder, lambda: command("dicom", "export", case, *given))


def _picture_junk(world: World) -> Iterator[bytes]:
    file = io.BytesIO()
    _report(world).save_as(file, enforce_file_format=True)
    return bytes_of([file.getvalue()[:2000], file.getvalue()])


def _dataset(world: World, junk: Any) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return refusable(lambda: from_dicom_sr(_codes(world), junk))


def _dataset_junk(world: World) -> Iterator[Any]:
    """Yield the report with elements taken out, emptied, or changed at random, anywhere in its tree."""
    good = _report(world)
    yield good
    rng = random.Random(SEED)  # noqa: S311
    while True:
        made = copy.deepcopy(good)
        for _ in range(rng.choice((1, 1, 2, 3))):
            holders = [made]
            for element in made.iterall():
                holders += list(element.value) if element.VR == "SQ" else []
            holder = rng.choice(holders)
            if not len(holder):
                continue
            element = rng.choice(list(holder))
            act = rng.randrange(4)
            if act == 0:
                del holder[element.tag]
            elif act == 1 or element.VR == "SQ":
                element.value = [] if element.VR == "SQ" else None
            else:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    try:
                        element.value = rng.choice(("", "x", "1", "NUM", "CONTAINER", "1.2.3", "-1e999", ["a", "b"]))
                    except (TypeError, ValueError, OverflowError):
                        continue
        yield made


# -- tables -----------------------------------------------------------------------------------------------------


def _frame(world: World, junk: Any) -> bool:
    from hepagraph.service.learn import EntityClassifier

    frame, y = junk
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scikit-learn warns of a column where a row is expected
            EntityClassifier(world.skin).fit(frame, y).predict_proba(frame)
    except HepagraphError:
        return False
    except (TypeError, ValueError) as error:
        # What scikit-learn itself refuses of any table it says in its own way.
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        assert trace is not None
        name = trace.tb_frame.f_code.co_filename
        if "sklearn" in name or "/pandas/" in name or "/numpy/" in name:
            assert any("hepagraph" not in part and "sklearn" in part for part in _files(error)), error
            return False
        raise
    return True


def _files(error: BaseException) -> list[str]:
    found, trace = [], error.__traceback__
    while trace is not None:
        found.append(trace.tb_frame.f_code.co_filename)
        trace = trace.tb_next
    return found


def _frame_junk(world: World) -> Iterator[Any]:
    findings = world.case["lesions"][0]["findings"]
    rows = [dict(findings), {name: None for name in findings}, dict(findings)]
    entities = list(world.skin.entities())
    answers = [entities[0], entities[1], entities[0]]
    good = pd.DataFrame(rows)
    yield good, answers
    yield good, None
    count = len(world.skin.reader.variables)
    arrays: list[Any] = [
        *(
            np.zeros((2, count)),
            np.full((2, count), -1),
            np.zeros((0, count)),
            np.zeros((2, 0)),
            np.zeros(3),
            np.array(1),
        ),
        *(np.full((2, count), np.inf), np.full((2, count), 2.0**63), np.full((2, count), 2**64 - 1, dtype=np.uint64)),
        *(
            np.full((2, count), "x"),
            np.full((2, count), None),
            np.zeros((2, count), dtype=complex),
            np.zeros((2, 3, 4)),
        ),
        *(np.zeros((2, count), dtype="datetime64[s]"), np.zeros((2, count), dtype=bool), [[1]], "x", None, 5, {}, []),
        *(
            np.full((2, count), {"a": 1}),
            np.ma.masked_all((2, count)),
            pd.DataFrame(),
            pd.DataFrame([[1, 2]]),
            pd.Series([1]),
        ),
    ]
    for array in arrays:
        yield array, None
    for names in ([1, 2], [None, ""], [("a", "b"), "c"], ["colours", "colours"], ["é" * 500, "\x00"]):
        yield pd.DataFrame([[1, 2], [3, 4]], columns=names), None
    for y in (
        ["x"] * 3,
        [1, 2, 3],
        [None] * 3,
        [float("nan")] * 3,
        [entities[0]],
        [[entities[0]]] * 3,
        "abc",
        3,
        [{}] * 3,
    ):
        yield good, y
    kinds = (object, "string", "category", "Int64", "boolean")
    while True:
        for turn, value in enumerate(VALUES):
            for number, name in enumerate(findings):
                if (turn + number) % 3 == 0:
                    yield pd.DataFrame([{**findings, name: value}, findings]), None
                    yield pd.DataFrame({name: [value, value]}, dtype=object), None
        for kind in kinds:
            yield pd.DataFrame({name: pd.Series([None, None], dtype=kind) for name in findings}), None


# -- the explorer -----------------------------------------------------------------------------------------------


def _state(world: World, junk: bytes) -> bool:
    state = world.once("state", lambda: ExplorerState(world.skin, world.case))
    before = state.selections
    done = refusable(lambda: state.load(junk.decode("utf-8", "surrogateescape")))
    assert done or state.selections == before
    state.answer()
    return done


def _state_junk(world: World) -> Iterator[bytes]:
    return json_of([world.case])


def _form(world: World) -> RemoteForm:
    found: RemoteForm = world.once("form", lambda: RemoteForm.of(world.skin))
    return found


def _read(world: World, junk: Any) -> bool:
    return refusable(lambda: _form(world).read(junk))


def _read_junk(world: World) -> Iterator[Any]:
    return values_of([world.case])


def _check(world: World, junk: Any) -> bool:
    return refusable(lambda: json.dumps(_form(world).check(junk)))


def _check_junk(world: World) -> Iterator[Any]:
    return values_of([_form(world).read(world.case)])


def _case(world: World, junk: Any) -> bool:
    """Give the answer of a case to everything that draws or writes one."""
    from hepagraph.inference.next_best import next_best
    from hepagraph.service.plots import next_best_ranking, posterior_bars, save

    def draw() -> None:
        result = world.skin.posterior(junk)
        labels = world.skin.network.labels
        for lesion in result.lesions[:1]:
            save(posterior_bars(lesion, labels, title=lesion.id), world.folder / "picture.svg")
        for found in next_best(world.skin, world.skin.read(junk))[:1]:
            next_best_ranking(found, labels, title=str(junk.get("id")))

    return refusable(draw)


def _picture(world: World, junk: str) -> bool:
    import contextlib

    from hepagraph.service.plots import posterior_bars, save

    picture = world.once("picture", lambda: posterior_bars(world.coin.posterior(COIN).lesions[0], {}))
    with contextlib.chdir(world.place("here/and/now")):
        return refusable(lambda: save(picture, junk))


COIN = {"lesions": [{"findings": {}}]}
PLACES = (
    "p.svg",
    "p.pdf",
    "p.png",
    "p",
    "p.xyz",
    "",
    ".",
    "/",
    "no/where.svg",
    "x" * 300 + ".svg",
    "\udcff.svg",
    "a\x00.svg",
)


def format_doors() -> Iterator[Door]:
    """Yield the doors of other formats."""
    yield Door("FHIR bundle", ("python from_fhir",), _fhir_junk, _fhir, 150)
    yield Door("FHIR file", (), _fhir_file_junk, _fhir_file, 50)
    yield Door("CDS Hooks request", ("python cds.respond",), _cds_junk, _cds, 150)
    yield Door("CDS Hooks feedback", ("python cds.feedback",), _feedback_junk, _feedback, 1000)
    yield Door("DICOM file", ("python from_dicom_sr",), _dicom_junk, _dicom, 100)
    yield Door("DICOM file of the command", (), _dicom_junk, _dicom_file, 30)
    yield Door("DICOM picture", (), _picture_junk, _picture_file, 40)
    yield Door("DICOM data set", (), _dataset_junk, _dataset, 30)
    yield Door("table for scikit-learn", ("python EntityClassifier",), _frame_junk, _frame, 150)
    yield Door("explorer's case", ("python ExplorerState.load",), _state_junk, _state, 200)
    yield Door("page's case", ("python RemoteForm.read",), _read_junk, _read, 500)
    yield Door("page's choices", ("python RemoteForm.check",), _check_junk, _check, 500)
    yield Door("case in a picture", (), _read_junk, _case, 12)
    yield Door(
        "name of a picture", ("python plots.save",), lambda world: mixed(PLACES, _forever()), _picture, len(PLACES)
    )


def _forever() -> Iterator[str]:
    for raw in bytes_of([b"p.svg"]):
        yield raw.decode("utf-8", "surrogateescape").replace("..", "")
