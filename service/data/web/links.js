// A link that holds what is chosen, in the part of an address after its #, which browsers send to no server.

import { Failed, ask } from "./api.js";
import { told } from "./dom.js";

const MARK = "#case=";
const VERSION = 2; // 1 held the choices alone
const LONGEST = 30_000; // characters
const MOST = 8; // scenarios
const KEYS = new Set(["link", "made", "chosen", "differential", "lesion", "weighed", "kept"]);
const DAMAGED = "The link holds no case that can be read. It may have been cut off.";

/** A link that is not read, and why. */
class BadLink extends Failed {
  constructor(detail) {
    super(422, detail);
  }
}

/** Return the part of an address that holds a state, the names of scenarios that it has no room for, and whether all fits. */
export function toFragment({ form, chosen, differential, position, kept }, weighed) {
  const made = { version: form.model.version, ontology: form.model.ontology_sha256 };
  const held = kept.map((one) => ({ name: one.name, chosen: one.chosen, differential: one.differential }));
  let room = Math.min(held.length, MOST);
  const written = () =>
    MARK + toLetters({ link: VERSION, made, chosen, differential, lesion: position, weighed, kept: held.slice(0, room) });
  while (room > 0 && written().length > LONGEST) {
    room -= 1;
  }
  return { fragment: written(), without: held.slice(room).map((one) => one.name), fits: written().length <= LONGEST };
}

/**
 * Return what such a part holds, or null where it holds nothing.
 * Throws BadLink where it is damaged, too long, or of a later version.
 */
export function fromFragment(fragment) {
  if (!fragment.startsWith(MARK)) {
    return null;
  }
  if (fragment.length > LONGEST) {
    throw new BadLink(`The link is longer than ${LONGEST} characters, so it was not read.`);
  }
  let held;
  try {
    held = fromLetters(fragment.slice(MARK.length));
  } catch {
    throw new BadLink(DAMAGED);
  }
  if (isObject(held) && !("link" in held)) {
    held = { link: 1, chosen: held };
  }
  if (!isObject(held) || !Number.isInteger(held.link) || held.link < 1) {
    throw new BadLink(DAMAGED);
  }
  if (held.link > VERSION) {
    throw new BadLink(`The link is of version ${held.link}, this page reads up to ${VERSION}. Ask for the case as a file.`);
  }
  const { made = {}, chosen, differential = null, lesion = 0, weighed = [], kept = [] } = held;
  const good =
    Object.keys(held).every((name) => KEYS.has(name)) &&
    isObject(made) && isObject(chosen) && isName(differential) && Number.isInteger(lesion) && lesion >= 0 &&
    Array.isArray(weighed) && weighed.length <= 2 && weighed.every(isName) &&
    Array.isArray(kept) && kept.length <= MOST &&
    kept.every((one) => isObject(one) && typeof one.name === "string" && isObject(one.chosen) && isName(one.differential));
  if (!good) {
    throw new BadLink(DAMAGED);
  }
  return { made, chosen, differential, lesion, weighed, kept };
}

/**
 * Return what a link restores with this form, and in words what it does not; null where there is no link.
 * Throws BadLink, or Failed where the server does not answer.
 */
export async function opened(fragment, form) {
  const held = fromFragment(fragment);
  if (held === null) {
    return null;
  }
  const main = await known(held);
  const notes = [];
  if (typeof held.made.ontology === "string" && held.made.ontology !== form.model.ontology_sha256) {
    notes.push(
      `The link was made with another ontology (${held.made.ontology.slice(0, 12)}, here ${form.model.ontology_sha256.slice(0, 12)}): the same choices may have another answer.`,
    );
  }
  notes.push(...main.left_out);
  const members = new Set(form.differentials[main.differential]);
  const weighed = [0, 1].map((at) => held.weighed[at] || "");
  for (const name of weighed.filter((one) => one !== "" && !members.has(one))) {
    notes.push(`what was weighed: ${JSON.stringify(name.slice(0, 60))} is not in the differential`);
  }
  const kept = [];
  for (const one of held.kept) {
    try {
      kept.push(await answered(one, notes));
    } catch (error) {
      if (!(error instanceof Failed && error.status === 422)) {
        throw error;
      }
      notes.push(`scenario ${JSON.stringify(one.name.slice(0, 60))}: ${error.message}`);
    }
  }
  return {
    chosen: main.chosen,
    differential: main.differential,
    position: Math.min(held.lesion, main.chosen.lesions.length - 1),
    weighed: weighed.map((one) => (members.has(one) ? one : "")),
    kept,
    notes,
  };
}

async function known({ chosen, differential }) {
  try {
    return await ask("v1/form/restore", { chosen, differential });
  } catch (error) {
    if (error instanceof Failed && error.status === 422) {
      throw new BadLink([DAMAGED, ...error.problems.slice(0, 5).map(told)].join(" "));
    }
    throw error;
  }
}

/** Return a scenario of a link with its answer. */
async function answered(one, notes) {
  const { chosen, differential, left_out } = await known(one);
  notes.push(...left_out.map((text) => `scenario ${JSON.stringify(one.name.slice(0, 60))}: ${text}`));
  const check = await ask("v1/form/check", { chosen });
  if (check.troubles.length > 0) {
    throw new BadLink(check.troubles.map((trouble) => trouble.text).join("; "));
  }
  const { lesions } = await ask("v1/posterior", { case: check.case, differential, reasons: false, surprise: false });
  return { name: one.name.slice(0, 60), chosen, differential, stated: check.stated, lesions };
}

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const isName = (value) => value === null || value === undefined || typeof value === "string";

function toLetters(value) {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  const letters = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function fromLetters(letters) {
  const bytes = Uint8Array.from(atob(letters.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
  return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
}
