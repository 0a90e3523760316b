// The two dialogs: a case as JSON in and out, and the link that holds it.

import { Failed, ask } from "./api.js";
import { save, toFragment } from "./choices.js";
import { byId, told, troubleList } from "./dom.js";

/** Listen to both. `state` has `chosen()`, `counted()`, which is the case that counts, and `take(chosen)`. */
export function listenToDialogs(state) {
  const click = (id, act) => byId(id).addEventListener("click", act);
  click("file", () => {
    byId("file-troubles").replaceChildren();
    byId("file-text").value = JSON.stringify(state.counted(), null, 2);
    byId("file-open").value = "";
    byId("file-dialog").showModal();
  });
  click("file-save", () => save(state.chosen().id, byId("file-text").value));
  click("file-take", () => take(state));
  byId("file-open").addEventListener("change", async () => {
    const [file] = byId("file-open").files;
    if (file) {
      byId("file-text").value = await file.text();
      take(state);
    }
  });
  click("share", () => {
    byId("share-link").value = location.href.replace(/#.*$/, "") + toFragment(state.chosen());
    byId("share-said").textContent = "";
    byId("share-dialog").showModal();
    byId("share-link").select();
  });
  click("share-copy", async () => {
    byId("share-link").select();
    const done = await navigator.clipboard?.writeText(byId("share-link").value).then(() => true, () => false);
    byId("share-said").textContent = done ? "Copied." : "Copy the link that is selected.";
  });
  for (const button of document.querySelectorAll("[data-close]")) {
    button.addEventListener("click", () => button.closest("dialog").close());
  }
}

/** Take the case that the dialog holds, or say there what is wrong with it. */
async function take(state) {
  let texts;
  try {
    const found = await ask("v1/form/read", { case: JSON.parse(byId("file-text").value) });
    byId("file-dialog").close();
    state.take(found);
    return;
  } catch (error) {
    if (error instanceof SyntaxError) {
      texts = [`This is no JSON: ${error.message}`];
    } else if (error instanceof Failed) {
      texts = error.problems.length > 0 ? error.problems.map(told) : [error.message];
    } else {
      throw error;
    }
  }
  byId("file-troubles").replaceChildren(...troubleList("This is no case that can be read.", texts));
}
