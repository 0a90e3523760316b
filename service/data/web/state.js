// What the page knows: what is chosen, what the server answered to it, and the steps back. Nothing is stored elsewhere.

import { NOTHING } from "./choices.js";

const STEPS = 100; // how many changes can be undone

export const state = {
  form: null, // everything that can be chosen, as the server has it
  chosen: NOTHING,
  position: 0, // of the lesion that is shown
  differential: null,
  check: null, // what follows from the choices; `of` is which
  answer: null, // the answer to them, or the last one; `differential` is among which entities
  fresh: false, // whether it is the answer to them
  whole: false, // whether it has its intervals and warnings
  slow: false, // whether it has been waited for so long that one has to say so
  failure: null, // why there is none, or why something beside it is missing
  before: null, // the answer before the last change
  kept: [],
  past: [],
};

/** Return the answer's part about the lesion that is shown, or null. */
export const lesionOf = (answer) =>
  answer?.lesions.find((one) => one.id === state.chosen.lesions[state.position].id) ?? null;

/** Return what stands beside the shown answer as the one before: null where it is none, or of other entities. */
export const previous = () =>
  state.fresh && state.before?.differential === state.answer.differential ? lesionOf(state.before) : null;

export const question = ({ chosen, differential }) => JSON.stringify([chosen, differential]);

/** Take other choices, other entities or another lesion; return whether that is another question. */
export function take({ chosen = state.chosen, differential = state.differential, position = state.position, step = true }) {
  const another = question({ chosen, differential }) !== question(state);
  if (another && step) {
    const { chosen: was, differential: among, position: at } = state;
    state.past = [...state.past.slice(1 - STEPS), { chosen: was, differential: among, position: at }];
  }
  if (another) {
    state.before = state.fresh ? state.answer : state.before;
    Object.assign(state, { chosen, differential, fresh: false, whole: false });
  }
  state.position = Math.min(position, state.chosen.lesions.length - 1);
  return another;
}

/** Return what is chosen now, with its answer, as a scenario to keep; null where there is no answer to it. */
export function scenario(name) {
  if (!state.fresh) {
    return null;
  }
  const { chosen, differential, check, answer } = state;
  return { name, chosen, differential, stated: check.stated, lesions: answer.lesions };
}
