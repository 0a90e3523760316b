// What is chosen, as one value that is never changed in place, and how it is said.

const INDENT = "\u2003";
export const NOTHING = { id: "case", patient: {}, exams: [], lesions: [{ id: "L1", values: {} }] };

/** Return an object with another value of a name; null takes it away. */
export function withValue(values, name, value) {
  const { [name]: _, ...rest } = values;
  if (value === null) {
    return rest;
  }
  return name in values ? { ...values, [name]: value } : { ...rest, [name]: value };
}

export function withExam(chosen, position, name, value) {
  const exams = chosen.exams.map((exam, at) => (at === position ? withValue(exam, name, value) : exam));
  return { ...chosen, exams };
}

/** Return the choices with another value of a lesion, or of all lesions where the field is of the patient. */
export function withLesion(chosen, position, field, value) {
  const lesions = chosen.lesions.map((lesion, at) =>
    at === position || field.shared ? { ...lesion, values: withValue(lesion.values, field.name, value) } : lesion,
  );
  return { ...chosen, lesions };
}

/** Return the choices with one more lesion, of which nothing is stated but what holds for the patient. */
export function withNewLesion(chosen, shared) {
  const taken = new Set(chosen.lesions.map((lesion) => lesion.id));
  let number = chosen.lesions.length + 1;
  while (taken.has(`L${number}`)) {
    number += 1;
  }
  const values = Object.fromEntries(Object.entries(chosen.lesions[0].values).filter(([name]) => shared.has(name)));
  return { ...chosen, lesions: [...chosen.lesions, { id: `L${number}`, values }] };
}

export const without = (list, position) => list.filter((_, at) => at !== position);

export const indented = (option) => INDENT.repeat(option.depth) + option.label;

/** Return a value that no menu lists, such as several states or likelihoods, as a reader sees it. */
export function said(field, value) {
  const label = (state) => field.options.find((option) => option.value === state)?.label ?? String(state);
  if (Array.isArray(value)) {
    return value.map(label).join(" or ");
  }
  if (value !== null && typeof value === "object") {
    return Object.entries(value).map(([state, weight]) => `${label(state)} ${weight}`).join(", ");
  }
  return label(value);
}

/** Return a probability as a reader expects it, never as 0 % or 100 %. */
export function percent(probability) {
  if (probability > 0.999) {
    return "> 99.9\u00a0%";
  }
  return probability < 0.001 ? "< 0.1\u00a0%" : `${(100 * probability).toFixed(1)}\u00a0%`;
}

/** Return the name with the largest probability. */
export const leading = (posterior) => Object.keys(posterior).reduce((a, b) => (posterior[b] > posterior[a] ? b : a));

/** Hand a text to the reader as a file. */
export function save(name, text, { type, ending }) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  Object.assign(link, { href: address, download: `${name.replace(/[^\w.-]+/g, "_").slice(0, 60) || "case"}.${ending}` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
