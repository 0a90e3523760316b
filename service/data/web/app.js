// The page: what is chosen, what the server answers to it, and nothing kept anywhere else. Nothing is stored.

import { Bars, sentence, showBeside, showPart, showStated, showTroubles } from "./answer.js";
import { Failed, ask, pause } from "./api.js";
import {
  NOTHING, fromFragment, leading, percent, withExam, withLesion, withNewLesion, withValue, without,
} from "./choices.js";
import { listenToDialogs } from "./dialogs.js";
import { byId, make, told } from "./dom.js";
import { ExamRows, Fields } from "./fields.js";
import { freeName, showScenarios } from "./scenarios.js";

const PAUSE = 120; // milliseconds within which several changes become one question
const REST = 250; // milliseconds without a change before the intervals are asked for, which are the most work
const STEPS = 100; // how many changes can be undone

let form; // everything that can be chosen, as the server has it
let fields, exams, bars;
let chosen = NOTHING;
let position = 0; // of the lesion that is shown
let differential;
let check = null; // what follows from the choices
let answer = null; // the answer to them, or the last one
let fresh = false; // whether it is the answer to them
let whole = false; // whether it has its intervals and warnings
let before = null; // the answer before the last change
let kept = [];
let past = [];
let running = new AbortController();
let timer;

const parts = ["reasons", "next"];
const lesionOf = (found) => found?.lesions.find((one) => one.id === chosen.lesions[position].id) ?? null;

// -- changes --------------------------------------------------------------------------------------------------------

/** Choose something else; the answer follows. */
function change(next, { at = position, step = true, focus = null } = {}) {
  if (JSON.stringify(next) === JSON.stringify(chosen)) {
    showLesion(at);
    return;
  }
  if (step) {
    past = [...past.slice(1 - STEPS), { chosen, position }];
  }
  if (fresh) {
    before = answer;
  }
  if (location.hash) {
    history.replaceState(null, "", location.pathname + location.search); // the link no longer says what is chosen
  }
  chosen = next;
  position = Math.min(at, next.lesions.length - 1);
  [fresh, whole] = [false, false];
  show();
  later();
  focus?.();
}

/** Show another lesion; nothing that is chosen changes. */
function showLesion(at) {
  const moved = at !== position;
  position = at;
  show();
  if (moved) {
    refresh({ again: false });
  }
}

function choose(field, value) {
  const own = form.patient.some((one) => one.name === field.name && !one.shared);
  change(
    own
      ? { ...chosen, patient: withValue(chosen.patient, field.name, value) }
      : withLesion(chosen, position, field, value),
  );
}

function later() {
  clearTimeout(timer);
  running.abort();
  for (const name of parts) {
    byId(name).querySelector(".part").classList.add("stale");
  }
  timer = setTimeout(() => refresh(), PAUSE);
}

// -- answers --------------------------------------------------------------------------------------------------------

/** Ask for the answer to what is chosen: what follows at once first, what takes longer after it. */
async function refresh({ again = true } = {}) {
  clearTimeout(timer);
  running.abort();
  running = new AbortController();
  const { signal } = running;
  try {
    if (again || !whole) {
      check = { ...(await ask("v1/form/check", { chosen }, signal)), of: chosen };
      show();
      if (check.troubles.length > 0) {
        return;
      }
      const asked = { case: check.case, differential };
      answer = await ask("v1/posterior", { ...asked, reasons: false, surprise: false }, signal);
      fresh = true;
      show();
      await explain(signal);
      await pause(REST, signal);
      answer = await ask("v1/posterior", { ...asked, reasons: false, interval: true }, signal);
      whole = true;
      show();
    } else {
      await explain(signal);
    }
  } catch (error) {
    failed(error, signal);
  }
}

async function explain(signal) {
  const asked = { case: check.case, lesion: chosen.lesions[position].id, differential };
  if (byId("reasons").open) {
    const [entity, against] = [byId("entity").value || null, byId("against").value || null];
    showPart("reasons", (await ask("v1/form/reasons", { ...asked, entity, against }, signal)).html);
  }
  if (byId("next").open) {
    showPart("next", (await ask("v1/form/next", asked, signal)).html);
  }
}

function failed(error, signal) {
  if (signal?.aborted) {
    return; // a newer question is on its way
  }
  if (!(error instanceof Failed)) {
    throw error;
  }
  showTroubles([error.message, ...error.problems.map(told)], "There is no answer.");
  const again = make("button", { type: "button" }, "Try again");
  again.addEventListener("click", () => refresh());
  byId("troubles").firstElementChild.append(again);
  stale(true);
}

// -- what is shown --------------------------------------------------------------------------------------------------

function show() {
  fields.show(chosen, position, check?.waiting.length === chosen.lesions.length ? check : null);
  exams.show(chosen.exams, check, check?.of === chosen);
  showLesions();
  byId("undo").disabled = past.length === 0;
  const troubles = check?.troubles ?? [];
  const found = lesionOf(answer);
  const previous = fresh ? lesionOf(before) : null;
  if (fresh || troubles.length > 0) {
    showTroubles(troubles.map((one) => one.text));
  }
  stale(!fresh);
  if (found !== null) {
    bars.show(form.differentials[differential], found, previous);
    showBeside(found, form.labels);
  }
  if (fresh) {
    byId("said").replaceChildren(...sentence(found, previous, form.labels));
    showStated(check.stated);
    brief(found);
  } else if (troubles.length > 0) {
    byId("brief").firstElementChild.textContent = "These choices cannot be combined";
    byId("said").replaceChildren(answer === null ? "" : "The last answer is shown, in grey.");
  }
  showKept();
}

function stale(on) {
  for (const name of ["bars", "beside"]) {
    byId(name).classList.toggle("stale", on && (check?.troubles.length ?? 0) > 0);
  }
}

function brief(found) {
  const top = leading(found.posterior);
  byId("brief").hidden = false;
  const whose = chosen.lesions.length > 1 ? ` (${found.id})` : "";
  byId("brief").firstElementChild.textContent = `${percent(found.posterior[top])} ${form.labels[top]}${whose}`;
}

function showLesions() {
  const ids = JSON.stringify(chosen.lesions.map((lesion) => lesion.id));
  if (byId("lesion-choice").dataset.ids !== ids) {
    byId("lesion-choice").dataset.ids = ids;
    byId("lesion-choice").replaceChildren(...chosen.lesions.map(lesionButton));
  }
  for (const [at, box] of [...byId("lesion-choice").children].entries()) {
    const found = fresh ? answer.lesions[at] : null;
    const top = found && leading(found.posterior);
    box.querySelector("input").checked = at === position;
    box.querySelector("small").textContent = top ? `${form.labels[top]} ${percent(found.posterior[top])}` : "…";
  }
  byId("remove-lesion").disabled = chosen.lesions.length === 1;
  byId("add-lesion").disabled = chosen.lesions.length >= form.most_lesions;
  byId("findings-title").textContent = `Findings of lesion ${chosen.lesions[position].id}`;
}

function lesionButton(lesion, at) {
  const input = make("input", { type: "radio", name: "lesion" });
  input.addEventListener("change", () => showLesion(at));
  return make("label", {}, input, make("span", {}, make("b", {}, lesion.id), make("small")));
}

function showKept() {
  const now = fresh ? scenario("now") : null;
  showScenarios(kept, now, chosen.lesions[position].id, form.labels, {
    bring: (one) => {
      setDifferential(one.differential);
      change(one.chosen, { at: 0, focus: () => byId("scenarios").querySelector("summary").focus() });
    },
    forget: (one) => {
      kept = kept.filter((other) => other !== one);
      showKept();
      byId("keep-name").focus();
    },
  });
}

function scenario(name) {
  return {
    name,
    chosen,
    differential,
    key: JSON.stringify([chosen, differential]),
    stated: check.stated,
    lesions: answer.lesions,
    entities: form.differentials[differential],
  };
}

function say(text) {
  byId("message").textContent = text;
}

// -- the case as a whole --------------------------------------------------------------------------------------------

function setDifferential(name) {
  differential = name;
  byId("differential").value = name;
  const entities = form.differentials[name];
  for (const [id, first] of [["entity", "the most probable"], ["against", "all the others"]]) {
    byId(id).replaceChildren(
      make("option", { value: "" }, first),
      ...entities.map((entity) => make("option", { value: entity }, form.labels[entity])),
    );
  }
}

/** Take the case of the address, if there is one, which is checked like any other. */
async function takeLink() {
  try {
    const found = fromFragment(location.hash);
    if (found !== null) {
      await ask("v1/form/check", { chosen: found });
      past = [...past, { chosen, position }];
      [chosen, position, check, before] = [found, 0, null, null];
      [fresh, whole] = [false, false];
    }
    return "";
  } catch (error) {
    if (error instanceof Failed && error.status !== 422) {
      throw error;
    }
    return "The link holds no case that can be read. It may have been cut off.";
  }
}

function listen() {
  const click = (id, act) => byId(id).addEventListener("click", act);
  click("add-exam", () => {
    const field = form.exam[0];
    const listed = new Set(chosen.exams.map((exam) => exam[field.name]));
    const kind = field.options.find((option) => !listed.has(option.value)) ?? field.options[0];
    const row = chosen.exams.length;
    const focus = () => byId(`exam-${row}-${field.name}`).focus();
    change({ ...chosen, exams: [...chosen.exams, { [field.name]: kind.value }] }, { focus });
  });
  click("add-lesion", () => {
    const shared = new Set(form.patient.filter((field) => field.shared).map((field) => field.name));
    change(withNewLesion(chosen, shared), { at: chosen.lesions.length });
    say(`Lesion ${chosen.lesions[position].id} is added and shown.`);
  });
  click("remove-lesion", () => {
    say(`Lesion ${chosen.lesions[position].id} is removed.`);
    const focus = () => byId("lesion-choice").querySelector("input:checked").focus();
    change({ ...chosen, lesions: without(chosen.lesions, position) }, { focus });
  });
  click("afresh", () => change(NOTHING, { at: 0 }));
  click("example", () =>
    ask("v1/form/read", { case: form.example }).then((found) => change(found, { at: 0 }), (error) => failed(error)),
  );
  click("undo", () => {
    const last = past.pop();
    change(last.chosen, { at: last.position, step: false });
  });
  click("print", () => window.print());
  window.addEventListener("beforeprint", () => {
    byId("stated").open = true; // what is folded is not printed
  });
  listenToDialogs({
    chosen: () => chosen,
    counted: () => check?.case ?? {},
    take: (found) => change(found, { at: 0 }),
  });
  byId("differential").addEventListener("change", () => {
    setDifferential(byId("differential").value);
    [fresh, whole, before] = [false, false, null];
    later();
  });
  for (const id of ["entity", "against"]) {
    byId(id).addEventListener("change", () => refresh({ again: false }));
  }
  for (const name of parts) {
    byId(name).addEventListener("toggle", () => byId(name).open && fresh && refresh({ again: false }));
  }
  byId("keep").addEventListener("submit", (event) => {
    event.preventDefault();
    if (fresh) {
      kept = [...kept, scenario(freeName(byId("keep-name").value, kept))];
      byId("keep-name").value = "";
      showKept();
    }
  });
  for (const link of document.querySelectorAll("[data-to]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault(); // the address stays free for a case
      const target = byId(link.dataset.to);
      target.focus({ preventScroll: true });
      target.scrollIntoView();
    });
  }
  window.addEventListener("hashchange", async () => {
    const trouble = await takeLink();
    say(trouble);
    show();
    later();
  });
}

async function start() {
  try {
    form = await ask("v1/form");
  } catch (error) {
    say(error.message);
    return;
  }
  setDifferential(form.default_differential);
  const sizes = Object.values(form.differentials).map((members) => members.length);
  const alike = new Set(sizes).size < sizes.length;
  byId("differential").replaceChildren(
    ...Object.entries(form.differentials).map(([name, members]) =>
      make("option", { value: name }, `${members.length} entities${alike ? ` (${name})` : ""}`),
    ),
  );
  byId("differential").value = differential;
  byId("differential-box").hidden = Object.keys(form.differentials).length < 2;
  byId("example").hidden = form.example === null;
  fields = new Fields(form, choose);
  exams = new ExamRows(
    form,
    (at, name, value) => change(withExam(chosen, at, name, value)),
    (at) => change({ ...chosen, exams: without(chosen.exams, at) }, { focus: () => byId("add-exam").focus() }),
  );
  bars = new Bars(form.labels);
  listen();
  let trouble = "";
  try {
    trouble = await takeLink();
  } catch (error) {
    trouble = error.message;
  }
  say(trouble);
  byId("panes").hidden = false;
  document.querySelector(".tools").hidden = false;
  show();
  await refresh();
}

start();
