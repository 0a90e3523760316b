// The dialogs: a case as JSON in and out, the link that holds what is chosen, and the answer as text.

import { Failed, ask, words } from "./api.js";
import { save } from "./choices.js";
import { byId, troubleList, write } from "./dom.js";
import { toFragment } from "./links.js";
import { lesionOf, state } from "./state.js";

/** Listen to them. `page` has `counted()`, the case that counts, `weighed()`, and `take(chosen)`. */
export function listenToDialogs(page) {
  const click = (id, act) => byId(id).addEventListener("click", act);
  click("file", () => openFile(page));
  click("file-save", () =>
    save(state.chosen.id, byId("file-text").value, { type: "application/json", ending: "json" }),
  );
  click("file-take", () => take(page));
  byId("file-open").addEventListener("change", async () => {
    const [file] = byId("file-open").files;
    if (file) {
      byId("file-text").value = await file.text();
      take(page);
    }
  });
  click("share", () => openShare(page));
  click("text", () => openText(page));
  click("text-save", () => save(state.chosen.id, byId("text-text").value, { type: "text/plain", ending: "txt" }));
  for (const [name, field] of [["share", "share-link"], ["text", "text-text"]]) {
    click(`${name}-copy`, () => copy(byId(field), byId(`${name}-said`)));
  }
  for (const button of document.querySelectorAll("[data-close]")) {
    button.addEventListener("click", () => button.closest("dialog").close());
  }
}

/** Copy what a field holds; a browser that does not let a page do so leaves it selected. */
async function copy(field, said) {
  field.select();
  const done = await navigator.clipboard?.writeText(field.value).then(() => true, () => false);
  said.textContent = done ? "Copied." : "It is selected: copy it with the keys or the menu of your browser.";
}

function openFile(page) {
  byId("file-troubles").replaceChildren();
  byId("file-text").value = JSON.stringify(page.counted(), null, 2);
  byId("file-open").value = "";
  const { check, chosen, form } = state;
  const names = new Set(check?.of === chosen ? check.waiting.flatMap((one) => Object.keys(one)) : []);
  const fields = [...form.patient, ...form.lesion, ...form.groups.flatMap((group) => group.fields)];
  const labels = fields.filter((field) => names.has(field.name)).map((field) => field.label);
  write(byId("file-without"), labels.length ? `Not in it, since no listed examination shows it: ${labels.join(", ")}.` : "");
  byId("file-dialog").showModal();
}

function openShare(page) {
  const { fragment, without, fits } = toFragment(state, page.weighed());
  byId("share-link").value = fits ? location.href.replace(/#.*$/, "") + fragment : "";
  byId("share-copy").disabled = !fits;
  const said = fits ? without.map((name) => `The link has no room for the scenario ${name}.`) : ["This case is too long for a link: save it as a file."];
  byId("share-said").textContent = said.join(" ");
  byId("share-dialog").showModal();
  byId("share-link").select();
}

async function openText(page) {
  const field = byId("text-text");
  field.value = "";
  byId("text-troubles").replaceChildren();
  byId("text-said").textContent = "Being worked out …";
  const usable = (yes) => ["text-copy", "text-save"].forEach((id) => (byId(id).disabled = !yes));
  usable(false);
  byId("text-dialog").showModal();
  const [entity, against] = page.weighed().map((name) => name || null);
  try {
    if (!state.fresh) {
      throw new Failed(0, "There is no answer to what is chosen now.");
    }
    const { differential, check, answer } = state;
    const asked = { case: check.case, differential, lesion: lesionOf(answer).id, entity, against };
    field.value = (await ask("v1/form/text", asked)).text;
    byId("text-said").textContent = "";
    usable(true);
  } catch (error) {
    byId("text-said").textContent = "";
    byId("text-troubles").replaceChildren(...troubleList("There is no text.", words(error)));
  }
}

/** Take the case that the dialog holds, or say there what is wrong with it. */
async function take(page) {
  let found;
  try {
    found = await ask("v1/form/read", { case: JSON.parse(byId("file-text").value) });
  } catch (error) {
    const texts = error instanceof SyntaxError ? [`This is no JSON: ${error.message}`] : words(error);
    byId("file-troubles").replaceChildren(...troubleList("This is no case that can be read.", texts));
    return;
  }
  byId("file-dialog").close();
  page.take(found);
}
