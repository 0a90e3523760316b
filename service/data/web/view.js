// Show the page's state. Nothing is decided here; what is clicked is told to `act`.

import { Bars, sentence, showBeside, showStated } from "./answer.js";
import { leading, percent } from "./choices.js";
import { byId, make, troubleList, write } from "./dom.js";
import { ExamRows, Fields } from "./fields.js";
import { showScenarios } from "./scenarios.js";
import { lesionOf, previous, question, scenario, state } from "./state.js";

const CONFLICT = "These choices cannot be combined. Nothing is lost: change one of them.";

/** The form, the lesions, the answer and what stands beside it. */
export class View {
  /** `act` has `choose`, `changeExam`, `removeExam`, `showLesion`, `bring`, `forget`, `again` and `anew`. */
  constructor(act) {
    this.act = act;
    const { form } = state;
    this.fields = new Fields(form, act.choose);
    this.exams = new ExamRows(form, act.changeExam, act.removeExam);
    this.bars = new Bars(form.labels);
    byId("differential").replaceChildren(
      ...Object.entries(form.differentials).map(([name, members]) =>
        make("option", { value: name }, `${form.labels[name]} (${members.length})`),
      ),
    );
    byId("example").hidden = form.example === null;
    this.showDifferential();
  }

  /** Show what one can weigh among the entities that are asked about. */
  showDifferential([entity, against] = ["", ""]) {
    const { form, differential } = state;
    byId("differential").value = differential;
    for (const [id, first, chosen] of [["entity", "the most probable", entity], ["against", "all the others", against]]) {
      byId(id).replaceChildren(
        make("option", { value: "" }, first),
        ...form.differentials[differential].map((name) => make("option", { value: name }, form.labels[name])),
      );
      byId(id).value = chosen;
    }
  }

  show() {
    const { chosen, position, check, past } = state;
    this.fields.show(chosen, position, check?.waiting.length === chosen.lesions.length ? check : null);
    this.exams.show(chosen.exams, check, check?.of === chosen);
    this.showLesions();
    byId("undo").disabled = past.length === 0;
    this.showTroubles();
    this.showAnswer();
    this.showKept();
  }

  showTroubles() {
    const { failure, check, fresh } = state;
    const troubles = check?.of === state.chosen ? check.troubles : [];
    if (failure !== null) {
      const button = failure.anew
        ? this.button("Load the page anew", this.act.anew)
        : this.button("Try again", this.act.again);
      write(byId("troubles"), troubleList(failure.head, failure.texts, button));
    } else if (fresh || troubles.length > 0) {
      write(byId("troubles"), troubleList(CONFLICT, troubles.map((one) => one.text)));
    }
  }

  showAnswer() {
    const { answer, check, failure, form, fresh, slow, whole } = state;
    const impossible = !fresh && check?.of === state.chosen && check.troubles.length > 0;
    const waits = !fresh && !impossible && failure === null;
    byId("answer").setAttribute("aria-busy", String(waits));
    byId("pending").hidden = !(waits && slow);
    byId("said").classList.toggle("stale", waits && slow);
    if (!waits || slow) {
      for (const name of ["bars", "beside"]) {
        byId(name).classList.toggle("stale", !fresh);
      }
    }
    const found = lesionOf(answer);
    if (found !== null) {
      const rest = whole ? "" : fresh && failure !== null ? "no 95 % intervals" : "95 % intervals are being worked out …";
      this.bars.show(form.differentials[answer.differential], found, previous(), rest);
      showBeside(found, form.labels, answer.model);
    }
    if (fresh) {
      write(byId("said"), ...sentence(found, previous(), form.labels));
      showStated(check.stated);
      this.brief(found);
    } else if (impossible || failure !== null) {
      write(byId("said"), answer === null ? "" : "The last answer is shown, in grey.");
      byId("brief").hidden = false;
      write(byId("brief").firstElementChild, impossible ? "These choices cannot be combined" : "There is no answer");
    }
  }

  brief(found) {
    const top = leading(found.posterior);
    const whose = state.chosen.lesions.length > 1 ? ` (${found.id})` : "";
    byId("brief").hidden = false;
    write(byId("brief").firstElementChild, `${percent(found.posterior[top])} ${state.form.labels[top]}${whose}`);
  }

  showLesions() {
    const { answer, chosen, form, fresh, position } = state;
    const ids = JSON.stringify(chosen.lesions.map((lesion) => lesion.id));
    const choice = byId("lesion-choice");
    if (choice.dataset.ids !== ids) {
      choice.dataset.ids = ids;
      choice.replaceChildren(...chosen.lesions.map((lesion, at) => this.lesionButton(lesion, at)));
    }
    for (const [at, box] of [...choice.children].entries()) {
      const found = fresh ? answer.lesions[at] : null;
      const top = found && leading(found.posterior);
      box.querySelector("input").checked = at === position;
      box.querySelector("small").textContent = top ? `${form.labels[top]} ${percent(found.posterior[top])}` : "…";
    }
    byId("remove-lesion").disabled = chosen.lesions.length === 1;
    byId("add-lesion").disabled = chosen.lesions.length >= form.most_lesions;
    byId("findings-title").textContent = `Findings of lesion ${chosen.lesions[position].id}`;
  }

  lesionButton(lesion, at) {
    const input = make("input", { type: "radio", name: "lesion", autocomplete: "off" });
    input.addEventListener("change", () => this.act.showLesion(at));
    return make("label", {}, input, make("span", {}, make("b", {}, lesion.id), make("small")));
  }

  showKept() {
    const now = scenario("now");
    const listed = now === null || state.kept.some((one) => question(one) === question(now)) ? null : now;
    showScenarios(state.kept, listed, state.chosen.lesions[state.position].id, state.form, this.act);
  }

  button(text, act) {
    const made = make("button", { type: "button" }, text);
    made.addEventListener("click", act);
    return made;
  }
}
