// Scenarios that are kept, side by side with what is chosen now, for the lesion that is shown.

import { leading, percent } from "./choices.js";
import { byId, make } from "./dom.js";

/** Return a name that no scenario has. */
export function freeName(wanted, kept) {
  const taken = new Set(kept.map((one) => one.name));
  const name = wanted.trim() || `scenario ${kept.length + 1}`;
  let number = 1;
  let free = name;
  while (taken.has(free)) {
    number += 1;
    free = `${name} (${number})`;
  }
  return free;
}

/**
 * Show the scenarios; `now` is what is chosen where no scenario is that, or null; `act` has `bring(scenario)` and
 * `forget(scenario)`. What stands there already stays, and with it the focus.
 */
export function showScenarios(kept, now, lesion, { labels, differentials }, act) {
  const part = byId("scenarios").querySelector(".part");
  byId("scenarios").classList.toggle("none", kept.length === 0);
  if (kept.length === 0) {
    delete part.dataset.listed;
    part.replaceChildren(make("p", { className: "soft" }, "Keep a scenario to compare it with what you choose next."));
    return;
  }
  const columns = now === null ? kept : [...kept, now];
  const listed = JSON.stringify([lesion, columns.map((one) => [one.name, one.stated, one.lesions.map((found) => found.posterior)])]);
  if (part.dataset.listed === listed) {
    return;
  }
  part.dataset.listed = listed;
  const answers = columns.map((one) => one.lesions.find((found) => found.id === lesion));
  const entities = [...new Set(columns.flatMap((one) => differentials[one.differential]))];
  const head = columns.map((one) => make("th", { scope: "col", className: "n" }, one.name));
  const rows = entities.map((entity) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, labels[entity] ?? entity),
      answers.map((answer) => make("td", { className: "n" }, cell(answer, entity))),
    ),
  );
  const buttons = columns.map((one) =>
    make(
      "td",
      { className: "n" },
      one === now ? "" : button("Go back", `Go back to ${one.name}`, () => act.bring(one)),
      one === now ? "" : button("Forget", `Forget ${one.name}`, () => act.forget(one)),
    ),
  );
  const table = make(
    "table",
    {},
    make("caption", {}, `Lesion ${lesion}; ▲ marks the most probable`),
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "entity"), head)),
    make("tbody", {}, rows, make("tr", { className: "acts" }, make("th", { scope: "row" }, "choices"), buttons)),
  );
  const frame = make("div", { className: "scroll", role: "region", "aria-label": "Scenarios", tabIndex: 0 }, table);
  part.replaceChildren(frame, ...changes(columns, labels));
}

function button(text, name, act) {
  const made = make("button", { type: "button", "aria-label": name }, text);
  made.addEventListener("click", act);
  return made;
}

function cell(answer, entity) {
  const value = answer?.posterior[entity];
  if (value === undefined) {
    return "–";
  }
  const top = leading(answer.posterior) === entity;
  return top ? make("b", {}, `▲\u00a0${percent(value)}`) : percent(value);
}

/** Return what every scenario says otherwise than the first. */
function changes([first, ...others], labels) {
  if (others.length === 0) {
    return [];
  }
  const items = others.map((one) => {
    const among = one.differential === first.differential ? [] : [`among the ${labels[one.differential]}`];
    const said = [...among, ...differences(first.stated, one.stated)].join("; ") || "the same";
    return make("li", {}, make("b", {}, one.name), `: ${said}`);
  });
  return [make("p", { className: "soft" }, `Compared with ${first.name}:`), make("ul", { className: "soft" }, items)];
}

function differences(one, other) {
  const [before, after] = [flat(one), flat(other)];
  const names = [...new Set([...before.keys(), ...after.keys()])];
  return names
    .filter((name) => before.get(name) !== after.get(name))
    .map((name) => `${name}: ${after.get(name) ?? "not stated"}`);
}

function flat(parts) {
  const several = parts.filter((part) => part.kind === "lesion").length > 1;
  const title = (part) => (part.kind === "lesion" && several ? `${part.id} ` : "");
  return new Map(
    parts.flatMap((part) => Object.entries(part.values).map(([label, value]) => [title(part) + label, value])),
  );
}
