// The answer: a bar for each entity, now and before the last change, with its 95 % interval once that is known.

import { leading, percent } from "./choices.js";
import { byId, make, shown, write } from "./dom.js";

const LONG = 7; // more entities than this leave no room for their reasons below them
const HIDDEN = "unseen"; // the class of text for screen readers alone

/** The answer of one lesion as bars that grow and shrink where they stand. */
export class Bars {
  constructor(labels) {
    this.labels = labels;
    this.rows = new Map();
    this.list = make("ol", { className: "posterior" });
    this.key = make("p", { className: "key soft" });
    byId("bars").replaceChildren(this.list, this.key);
  }

  /**
   * Show a lesion's answer; `before` is that before the last change, or null, `rest` says why there are no intervals.
   * The entities keep their order.
   */
  show(entities, lesion, before, rest) {
    if ([...this.rows.keys()].join() !== entities.join()) {
      this.rows = new Map(entities.map((entity) => [entity, this.row(entity)]));
      byId("results").classList.toggle("long", entities.length > LONG);
      this.list.replaceChildren(...[...this.rows.values()].map((row) => row.item));
    }
    const top = leading(lesion.posterior);
    for (const [entity, row] of this.rows) {
      row.show(lesion.posterior[entity], lesion.interval?.[entity], before?.posterior[entity], entity === top);
    }
    const parts = [
      make("span", {}, make("i", { className: "now" }), " now"),
      before ? make("span", {}, make("i", { className: "was" }), " before the last change") : null,
      lesion.interval
        ? make("span", {}, make("i", { className: "ends" }), " 95 % interval")
        : make("span", {}, rest),
    ];
    this.key.replaceChildren(...parts.filter(Boolean));
  }

  row(entity) {
    const drawn = Object.fromEntries(["now", "was", "ends"].map((name) => [name, make("i", { className: name })]));
    const mark = make("span", { className: "mark" });
    const value = make("b");
    const small = make("span", { className: "small" });
    const item = make(
      "li",
      {},
      make("span", { className: "name" }, mark, this.labels[entity] ?? entity),
      value,
      make("span", { className: "track", "aria-hidden": "true" }, Object.values(drawn)),
      small,
    );
    item.dataset.entity = entity;
    const show = (now, interval, was, top) => {
      value.textContent = percent(now);
      item.classList.toggle("top", top);
      mark.replaceChildren(...(top ? [make("span", { "aria-hidden": "true" }, "▲ "), make("span", { className: HIDDEN }, "most probable: ")] : []));
      reach(drawn.now, 0, now);
      reach(drawn.was, 0, was);
      reach(drawn.ends, interval?.[0], interval?.[1]);
      const texts = [
        interval ? `${percent(interval[0])} to ${percent(interval[1])}` : "",
        was === undefined ? "" : `before ${percent(was)}`,
      ];
      small.replaceChildren(
        make("span", { className: "interval" }, interval ? make("span", { className: HIDDEN }, ", 95 % interval ") : "", texts[0]),
        make("span", { className: "before" }, texts[1] ? make("span", { className: HIDDEN }, ", ") : "", texts[1]),
      );
    };
    return { item, show };
  }
}

function reach(bar, from, to) {
  bar.hidden = to === undefined;
  if (to !== undefined) {
    bar.style.left = `${100 * from}%`;
    bar.style.width = `${100 * (to - from)}%`;
  }
}

/** Return the answer in one sentence. */
export function sentence(lesion, before, labels) {
  const top = leading(lesion.posterior);
  const name = labels[top] ?? top;
  const was = before?.posterior[top];
  const moved = was === undefined || percent(was) === percent(lesion.posterior[top]) ? "" : `, before ${percent(was)}`;
  return [`Lesion ${lesion.id}: `, make("b", {}, name), ` is most probable, ${percent(lesion.posterior[top])}${moved}.`];
}

/** Show what stands beside the bars: subtype, the answer without the other lesions, and warnings. */
export function showBeside(lesion, labels, model) {
  const said = (posterior) => {
    const top = leading(posterior);
    return `${labels[top] ?? top} ${percent(posterior[top])}`;
  };
  const lines = [`Subtype: ${said(lesion.subtype)}`];
  const made = `Prior: the model's own, for what is known of the patient. hepagraph ${model.version}, ontology ${model.ontology_sha256.slice(0, 12)}.`;
  if (lesion.posterior_alone) {
    lines.push(`Without the other lesions: ${said(lesion.posterior_alone)}`);
  }
  const warnings = lesion.warnings.map((one) =>
    make("li", { className: one.level }, make("b", {}, one.level === "info" ? "Note: " : "Warning: "), one.message),
  );
  write(
    byId("beside"),
    lines.map((line) => make("p", { className: "soft" }, line)),
    warnings.length ? make("ul", { className: "warnings" }, warnings) : null,
    make("p", { className: "soft made" }, made),
  );
}

/** Show HTML of the server in a part that folds. */
export function showPart(name, html) {
  const part = byId(name).querySelector(".part");
  part.replaceChildren(...shown(html));
  part.classList.remove("stale");
}

/** Show what counts, part by part. */
export function showStated(parts) {
  const titles = { patient: "Patient", exam: "Examinations" };
  const rows = parts.map((part) => {
    const title = titles[part.kind] ?? `Lesion ${part.id}`;
    const values = Object.entries(part.values).map(([label, value]) => `${label}: ${value}`);
    return [make("dt", {}, title), make("dd", {}, values.join("; ") || "nothing is stated")];
  });
  byId("stated").querySelector(".part").replaceChildren(make("dl", {}, rows));
}
