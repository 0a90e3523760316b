// Ask the server about what is chosen: what follows at once first, what takes longer after it, and only the latest.

import { ask, pause, words } from "./api.js";
import { byId } from "./dom.js";
import { state } from "./state.js";

const PAUSE = 120; // milliseconds within which further changes become one question
const REST = 250; // milliseconds without a change before the intervals are asked for, which are the most work
const SLOW = 600; // milliseconds after which the page says that it waits
const OTHER = {
  head: "There is no answer: the server has another ontology now than when this page was loaded.",
  texts: ["Load the page anew: what is chosen comes along, as far as the new ontology knows it."],
  anew: true,
};

export const PARTS = ["reasons", "next"];

/** Asks about the page's state; `show` shows it, `part(name, html)` one of the parts that come as HTML. */
export class Asking {
  constructor(show, part) {
    Object.assign(this, { show, part, running: new AbortController(), timer: 0, slow: 0, last: -PAUSE });
  }

  /** Ask at once; of changes that follow each other fast only when no other follows. */
  later() {
    clearTimeout(this.timer);
    this.running.abort();
    for (const name of PARTS) {
      byId(name).querySelector(".part").classList.add("stale");
    }
    const now = performance.now();
    this.timer = setTimeout(() => this.refresh(), now - this.last < PAUSE ? PAUSE : 0);
    this.last = now;
  }

  /** Ask; without `again` only for what is not there yet. */
  async refresh({ again = true } = {}) {
    clearTimeout(this.timer);
    this.running.abort();
    this.running = new AbortController();
    const { signal } = this.running;
    clearTimeout(this.slow);
    this.slow = setTimeout(() => this.became({ slow: !state.fresh }), SLOW);
    try {
      if (again || !state.whole) {
        await this.answer(signal);
      } else {
        await this.explain(signal);
      }
    } catch (error) {
      await this.failed(error, signal);
    }
  }

  async answer(signal) {
    const { chosen, differential } = state;
    const check = { ...(await ask("v1/form/check", { chosen }, signal)), of: chosen };
    if (check.troubles.length > 0) {
      clearTimeout(this.slow);
      this.became({ check, slow: false, failure: null });
      return;
    }
    this.became({ check });
    const asked = { case: check.case, differential };
    const quick = await ask("v1/posterior", { ...asked, reasons: false, surprise: false }, signal);
    clearTimeout(this.slow);
    if (otherOntology(quick)) {
      this.became({ failure: OTHER, slow: false });
      return;
    }
    this.became({ answer: { ...quick, differential }, fresh: true, slow: false, failure: null });
    await this.explain(signal);
    await pause(REST, signal);
    const entire = await ask("v1/posterior", { ...asked, reasons: false, interval: true }, signal);
    this.became({ answer: { ...entire, differential }, whole: true });
  }

  async explain(signal) {
    const { check, chosen, position, differential } = state;
    const asked = { case: check.case, lesion: chosen.lesions[position].id, differential };
    if (byId("reasons").open) {
      const [entity, against] = [byId("entity").value || null, byId("against").value || null];
      this.part("reasons", (await ask("v1/form/reasons", { ...asked, entity, against }, signal)).html);
    }
    if (byId("next").open) {
      this.part("next", (await ask("v1/form/next", asked, signal)).html);
    }
  }

  async failed(error, signal) {
    if (signal.aborted) {
      return; // a newer question is on its way
    }
    clearTimeout(this.slow);
    const head = state.fresh ? "The answer stands, but something beside it is missing." : "There is no answer.";
    let failure = { head, texts: words(error) };
    if (error.status === 422) {
      const form = await ask("v1/form", undefined, signal).catch(() => null); // then what failed first is told
      failure = form && otherOntology(form) ? OTHER : failure;
    }
    if (!signal.aborted) {
      this.became({ failure, slow: false });
    }
  }

  became(news) {
    Object.assign(state, news);
    this.show();
  }
}

/** Return whether something is of another ontology than the form. */
const otherOntology = ({ model }) => model.ontology_sha256 !== state.form.model.ontology_sha256;
