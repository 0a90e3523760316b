// Make elements. Text is always text; HTML of the server passes through a list of what it may hold.

/** Return an element with properties and children; a child that is a string becomes text. */
export function make(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made && name !== "list") {
      made[name] = value;
    } else {
      made.setAttribute(name, value);
    }
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

export const byId = (name) => document.getElementById(name);

/** Put other nodes in an element where they say something else, so that what is read aloud is read once. */
export function write(element, ...nodes) {
  const next = [...make("div", {}, nodes).childNodes];
  const now = element.childNodes;
  if (next.length !== now.length || next.some((node, at) => !node.isEqualNode(now[at]))) {
    element.replaceChildren(...next);
  }
}

const TAGS = new Set(
  "DIV P B I SPAN SMALL BR A UL OL LI H4 TABLE CAPTION THEAD TBODY TR TH TD".split(" "),
);
const ATTRIBUTES = new Set(
  "class role tabindex scope data-label aria-label aria-hidden aria-valuemin aria-valuemax aria-valuenow aria-valuetext".split(" "),
);
const PLACES = new Set(["left", "width"]);

/** Return what an HTML fragment of the server shows, without anything that is not on the lists above. */
export function shown(html) {
  const read = new DOMParser().parseFromString(html, "text/html");
  return [...read.body.childNodes].map(copied);
}

function copied(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) {
    return document.createTextNode(node.textContent);
  }
  const made = document.createElement(TAGS.has(node.tagName) ? node.tagName : "span");
  for (const { name, value } of node.attributes) {
    if (ATTRIBUTES.has(name)) {
      made.setAttribute(name, value);
    } else if (name === "data-style") {
      place(made, value);
    } else if (name === "href" && value.startsWith("https://")) {
      Object.assign(made, { href: value, target: "_blank", rel: "noreferrer noopener" });
    }
  }
  made.append(...[...node.childNodes].map(copied));
  return made;
}

function place(made, style) {
  for (const part of style.split(";")) {
    const [name, value] = part.split(":");
    if (PLACES.has(name)) {
      made.style.setProperty(name, value);
    }
  }
}

/** Return a list of problems under a heading, with what else there is to it, or nothing where there are none. */
export function troubleList(head, texts, ...more) {
  if (texts.length === 0) {
    return [];
  }
  const list = make("ul", {}, texts.map((one) => make("li", {}, one)));
  return [make("div", { className: "trouble" }, make("p", {}, make("b", {}, head)), list, more)];
}

/** Return a problem of the server as one sentence. */
export function told(problem) {
  const nearest = problem.nearest ? `; did you mean ${problem.nearest}?` : "";
  const allowed = !nearest && problem.allowed?.length ? `; allowed: ${problem.allowed.slice(0, 12).join(", ")}` : "";
  const advice = problem.advice ? `; ${problem.advice}` : "";
  return `${problem.where}: ${problem.what}${nearest}${allowed}${advice}`;
}
