// The form: a menu for each variable, a box where it has a unit, and what the examinations cannot show.

import { indented, said } from "./choices.js";
import { byId, make } from "./dom.js";

const OTHER = "\u0000other"; // the menu's entry for a value that it does not list
let numbered = 0;

/** A menu of all levels of a variable, and a box for a number where it has a unit. */
export class FieldControl {
  constructor(field, hidden, choose) {
    this.field = field;
    this.choose = choose;
    this.value = null;
    this.written = ""; // what the box for a number was last set to
    const id = `field-${(numbered += 1)}`;
    this.select = make("select", { id, autocomplete: "off" });
    this.select.append(...this.options(hidden));
    this.select.addEventListener("change", () => this.picked());
    this.note = make("p", { id: `${id}-note`, className: "field-note", hidden: true });
    const inputs = [this.select];
    if (field.measure !== null) {
      this.number = make("input", { id: `${id}-number`, inputMode: "decimal", autocomplete: "off", size: 7 });
      this.number.setAttribute("aria-label", `${field.label} in ${field.measure.unit}`);
      this.number.addEventListener("change", () => this.typed());
      inputs.push(this.number);
    }
    this.box = make(
      "div",
      { className: "field" },
      make("label", { htmlFor: id }, field.label, field.measure === null ? "" : ` (${field.measure.unit})`),
      make("div", { className: "inputs" }, inputs),
      this.note,
    );
    this.box.dataset.variable = field.name;
  }

  options(hidden) {
    const levels = this.field.options.map((option) => make("option", { value: option.value }, indented(option)));
    const more = this.field.hideable ? [make("option", { value: hidden }, "not assessable")] : [];
    this.listed = new Set([hidden, ...this.field.options.map((option) => option.value)]);
    return [make("option", { value: "" }, "not stated"), ...levels, ...more];
  }

  /** Show a value. `note` says what is wrong or why the field is closed; `reason` is the id of a text that says why. */
  show(value, { band, closed, waiting, trouble, reason } = {}) {
    this.value = value;
    const key = this.key(value, band);
    if (key !== OTHER) {
      this.other?.remove();
      this.other = null;
    }
    if (this.select.value !== key) {
      this.select.value = key; // not otherwise, for its list may be open
    }
    const typed = typeof value === "number" || (typeof value === "string" && !this.listed.has(value));
    const written = typed ? String(value) : "";
    if (this.number && written !== this.written) {
      this.number.value = written; // not otherwise, for a number may be half typed
      this.written = written;
    }
    this.note.textContent = trouble || (waiting ? "kept, but not counted" : "");
    this.note.hidden = this.note.textContent === "";
    const described = [this.note.hidden ? "" : this.note.id, closed || waiting ? reason : ""].filter(Boolean).join(" ");
    for (const control of [this.select, this.number].filter(Boolean)) {
      control.disabled = Boolean(closed);
      control.title = closed ?? "";
      control.toggleAttribute("aria-invalid", false);
      if (trouble) {
        control.setAttribute("aria-invalid", "true");
      }
      if (described) {
        control.setAttribute("aria-describedby", described);
      } else {
        control.removeAttribute("aria-describedby");
      }
    }
    this.box.classList.toggle("stated", value !== null && !closed && !waiting);
    this.box.classList.toggle("closed", Boolean(closed));
    this.box.classList.toggle("waiting", Boolean(waiting));
    this.box.classList.toggle("wrong", Boolean(trouble));
  }

  key(value, band) {
    if (value === null) {
      return "";
    }
    if (typeof value === "string" && this.listed.has(value)) {
      return value;
    }
    if (typeof value === "number") {
      return band ?? "";
    }
    if (typeof value === "string") {
      return "";
    }
    this.other?.remove();
    this.other = make("option", { value: OTHER }, said(this.field, value));
    this.select.append(this.other);
    return OTHER;
  }

  picked() {
    if (this.select.value !== OTHER) {
      this.choose(this.field, this.select.value || null);
    }
  }

  typed() {
    const written = this.number.value.trim().replace(",", ".");
    const number = Number(written);
    this.written = null; // the box holds what is typed, whatever becomes of it
    this.choose(this.field, written === "" ? null : Number.isFinite(number) ? number : written);
  }
}

/** The fields of the patient, of a lesion and of its findings. */
export class Fields {
  constructor(form, choose) {
    this.controls = new Map();
    this.groups = [];
    const controls = (fields) =>
      fields.map((field) => {
        const control = new FieldControl(field, form.not_assessable, choose);
        this.controls.set(field.name, control);
        return control.box;
      });
    byId("patient").append(make("div", { className: "fields" }, controls(form.patient)));
    const all = [...(form.lesion.length ? [{ title: "measured", fields: form.lesion }] : []), ...form.groups];
    for (const [at, group] of all.entries()) {
      const notes = make("ul", { className: "notes" });
      const size = group.fields.length < 3 ? `few n${group.fields.length}` : "";
      byId("groups").append(
        make(
          "fieldset",
          { className: size },
          make("legend", {}, make("h4", {}, group.title)),
          make("div", { className: "fields" }, controls(group.fields)),
          notes,
        ),
      );
      this.groups.push({ ...group, notes, id: `why-${at}` });
    }
  }

  /** Show what is chosen of the patient and of one lesion, and what follows from it. */
  show(chosen, position, check) {
    const values = { ...chosen.patient, ...chosen.lesions[position].values };
    const bands = { ...check?.bands.patient, ...check?.bands.lesions[position] };
    const waiting = check?.waiting[position] ?? {};
    const closed = check?.closed ?? {};
    const why = this.explain({ ...waiting, ...closed });
    for (const [name, control] of this.controls) {
      control.show(values[name] ?? null, {
        band: bands[name],
        closed: closed[name],
        waiting: name in waiting,
        trouble: check?.troubles.find((trouble) => trouble.variables.includes(name))?.text,
        reason: why.get(name),
      });
    }
  }

  /** Write under each group why fields of it cannot be chosen; return the id of the text for each of them. */
  explain(reasons) {
    const ids = new Map();
    for (const group of this.groups) {
      const found = new Map();
      for (const field of group.fields.filter((field) => field.name in reasons)) {
        const reason = reasons[field.name];
        found.set(reason, [...(found.get(reason) ?? []), field]);
      }
      const items = [...found].map(([reason, fields], at) => {
        const id = `${group.id}-${at}`;
        fields.forEach((field) => ids.set(field.name, id));
        const names = group.fields.length > 1 ? `: ${fields.map((field) => field.label).join(", ")}` : "";
        return make("li", { id }, make("b", {}, `Not visible here${names}`), ` (${reason})`);
      });
      group.notes.replaceChildren(...items);
    }
    return ids;
  }
}

/** A row of menus for each examination; each menu lists what goes with the rest of its row. */
export class ExamRows {
  constructor(form, change, remove) {
    Object.assign(this, { form, change, remove, rows: [] });
  }

  /** Show the examinations; `fresh` says whether the check is of these, or of those before the last change. */
  show(exams, check, fresh) {
    byId("no-exam").hidden = exams.length > 0;
    if (this.rows.length !== exams.length) {
      this.rows = exams.map((_, at) => this.row(at));
      byId("exam-rows").replaceChildren(...this.rows.map((row) => row.box));
    }
    exams.forEach((exam, at) => {
      for (const field of this.form.exam) {
        const value = (fresh ? check.exams[at] : exam)[field.name] ?? "";
        const fits = new Set(check?.options[at]?.[field.name] ?? field.options.map((option) => option.value));
        const menu = this.rows[at].menus.get(field.name);
        const options = field.options.filter((option) => fits.has(option.value) || option.value === value);
        const wanted = ["", ...options.map((option) => option.value)].join("\n");
        if (menu.dataset.listed !== wanted) {
          menu.dataset.listed = wanted;
          menu.replaceChildren(
            make("option", { value: "" }, "not stated"),
            ...options.map((option) => make("option", { value: option.value }, option.label)),
          );
        }
        if (menu.value !== value) {
          menu.value = value;
        }
      }
    });
  }

  row(at) {
    const menus = new Map();
    const fields = this.form.exam.map((field) => {
      const id = `exam-${at}-${field.name}`;
      const menu = make("select", { id, autocomplete: "off" });
      menu.addEventListener("change", () => this.change(at, field.name, menu.value || null));
      menus.set(field.name, menu);
      return make("div", { className: "field" }, make("label", { htmlFor: id }, field.label), menu);
    });
    const remove = make("button", { type: "button", "aria-label": `Remove examination ${at + 1}` }, "Remove");
    remove.addEventListener("click", () => this.remove(at));
    const box = make("div", { className: "exam", role: "group", "aria-label": `Examination ${at + 1}` }, fields, remove);
    return { box, menus };
  }
}
