// The page: what is chosen, what the server answers to it, and nothing kept anywhere else. Nothing is stored.

import { showPart } from "./answer.js";
import { ask, words } from "./api.js";
import { Asking, PARTS } from "./asking.js";
import { NOTHING, withExam, withLesion, withNewLesion, withValue, without } from "./choices.js";
import { listenToDialogs } from "./dialogs.js";
import { byId, make, write } from "./dom.js";
import { opened, toFragment } from "./links.js";
import { freeName } from "./scenarios.js";
import { question, scenario, state, take } from "./state.js";
import { View } from "./view.js";

let view;
const asking = new Asking(() => view.show(), showPart);

// -- changes --------------------------------------------------------------------------------------------------------

/** Choose something else; the answer follows. */
function change(next, { weighed, focus } = {}) {
  const [among, at] = [state.differential, state.position];
  const another = take(next);
  if (state.differential !== among || weighed) {
    view.showDifferential(weighed);
  }
  if (another && location.hash) {
    history.replaceState(null, "", location.pathname + location.search); // the link no longer says what is chosen
  }
  view.show();
  if (another) {
    asking.later();
  } else if (state.position !== at || weighed) {
    asking.refresh({ again: false });
  }
  focus?.();
}

function choose(field, value) {
  const { chosen, position } = state;
  const own = state.form.patient.some((one) => one.name === field.name && !one.shared);
  const next = own
    ? { ...chosen, patient: withValue(chosen.patient, field.name, value) }
    : withLesion(chosen, position, field, value);
  change({ chosen: next });
}

const act = {
  choose,
  changeExam: (at, name, value) => change({ chosen: withExam(state.chosen, at, name, value) }),
  removeExam: (at) =>
    change(
      { chosen: { ...state.chosen, exams: without(state.chosen.exams, at) } },
      { focus: () => byId("add-exam").focus() },
    ),
  showLesion: (position) => change({ position }),
  bring: ({ chosen, differential }) =>
    change({ chosen, differential, position: 0 }, { focus: () => byId("scenarios").querySelector("summary").focus() }),
  forget: (one) => {
    state.kept = state.kept.filter((other) => other.name !== one.name);
    view.showKept();
    byId("keep-name").focus();
  },
  again: () => {
    byId("troubles").replaceChildren(); // what is told again is then read aloud again
    byId("answer").focus();
    asking.refresh();
  },
  anew: () => {
    history.replaceState(null, "", toFragment(state, weighed()).fragment); // it leaves the address with the first change
    location.reload();
  },
};

const weighed = () => [byId("entity").value, byId("against").value];

function addExam() {
  const { chosen, form } = state;
  const field = form.exam[0];
  const listed = new Set(chosen.exams.map((exam) => exam[field.name]));
  const kind = field.options.find((option) => !listed.has(option.value)) ?? field.options[0];
  const focus = () => byId(`exam-${chosen.exams.length}-${field.name}`).focus();
  change({ chosen: { ...chosen, exams: [...chosen.exams, { [field.name]: kind.value }] } }, { focus });
}

function addLesion() {
  const { chosen, form } = state;
  const shared = new Set(form.patient.filter((field) => field.shared).map((field) => field.name));
  change({ chosen: withNewLesion(chosen, shared), position: chosen.lesions.length });
  say(`Lesion ${state.chosen.lesions[state.position].id} is added and shown.`);
}

function removeLesion() {
  const { chosen, position } = state;
  say(`Lesion ${chosen.lesions[position].id} is removed.`);
  const focus = () => byId("lesion-choice").querySelector("input:checked").focus();
  change({ chosen: { ...chosen, lesions: without(chosen.lesions, position) } }, { focus });
}

async function takeExample() {
  try {
    change({ chosen: await ask("v1/form/read", { case: state.form.example }), position: 0 });
  } catch (error) {
    say(words(error).join(" "));
  }
}

function undo() {
  const last = state.past.pop();
  change({ ...last, step: false }, { focus: () => state.past.length === 0 && byId("afresh").focus() });
}

function keep() {
  const kept = scenario(freeName(byId("keep-name").value, state.kept));
  byId("keep-said").textContent = kept === null ? "There is no answer to what is chosen now, so nothing was kept." : "";
  if (kept !== null) {
    state.kept = [...state.kept, kept];
    byId("keep-name").value = "";
    view.showKept();
  }
}

function say(text) {
  write(byId("message"), text);
}

// -- links ----------------------------------------------------------------------------------------------------------

/** Take what the link of the address holds, if it is one, and say what of it is not restored. */
async function takeLink() {
  try {
    const found = await opened(location.hash, state.form);
    if (found !== null) {
      const { kept, notes, weighed: chosen, ...rest } = found;
      const address = location.href;
      for (const one of kept.filter((other) => !state.kept.some((has) => question(has) === question(other)))) {
        state.kept = [...state.kept, { ...one, name: freeName(one.name, state.kept) }];
      }
      change(rest, { weighed: chosen });
      history.replaceState(null, "", address);
      note("Not all of the link could be restored.", notes);
    }
  } catch (error) {
    note("The link was not opened.", words(error));
  }
}

/** Show notes that stay until they are closed. */
function note(head, texts) {
  if (texts.length === 0) {
    byId("notes").replaceChildren();
    return;
  }
  const close = make("button", { type: "button" }, "Close this note");
  close.addEventListener("click", () => {
    byId("notes").replaceChildren();
    byId("choices").focus();
  });
  const list = make("ul", {}, texts.map((text) => make("li", {}, text)));
  byId("notes").replaceChildren(make("div", { className: "note" }, make("p", {}, make("b", {}, head)), list, close));
}

// -- the whole ------------------------------------------------------------------------------------------------------

function listen() {
  const click = (id, what) => byId(id).addEventListener("click", what);
  click("add-exam", addExam);
  click("add-lesion", addLesion);
  click("remove-lesion", removeLesion);
  click("afresh", () => change({ chosen: NOTHING, position: 0 }));
  click("example", takeExample);
  click("undo", undo);
  click("print", () => window.print());
  listenToDialogs({
    counted: () => state.check?.case ?? {},
    weighed,
    take: (chosen) => change({ chosen, position: 0 }),
  });
  byId("differential").addEventListener("change", () => change({ differential: byId("differential").value }));
  for (const id of ["entity", "against"]) {
    byId(id).addEventListener("change", () => asking.refresh({ again: false }));
  }
  for (const name of PARTS) {
    byId(name).addEventListener("toggle", () => byId(name).open && state.fresh && asking.refresh({ again: false }));
  }
  byId("keep").addEventListener("submit", (event) => {
    event.preventDefault();
    keep();
  });
  for (const link of document.querySelectorAll("[data-to]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault(); // the address stays free for a case
      const target = byId(link.dataset.to);
      target.focus({ preventScroll: true });
      target.scrollIntoView();
    });
  }
  listenToPrinting();
  window.addEventListener("hashchange", takeLink);
}

/** What is folded is not printed, so what counts is unfolded for as long as it takes. */
function listenToPrinting() {
  let folded = false;
  window.addEventListener("beforeprint", () => {
    folded ||= !byId("stated").open;
    byId("stated").open = true;
  });
  window.addEventListener("afterprint", () => {
    byId("stated").open = !folded;
    folded = false;
  });
}

async function start() {
  try {
    state.form = await ask("v1/form");
  } catch (error) {
    const again = make("button", { type: "button" }, "Try again");
    again.addEventListener("click", start, { once: true });
    write(byId("message"), words(error).join(" "), " ", again);
    return;
  }
  state.differential = state.form.default_differential;
  view = new View(act);
  listen();
  say("");
  byId("panes").hidden = false;
  document.querySelector(".tools").hidden = false;
  view.show();
  await takeLink();
  await asking.refresh();
}

start();
