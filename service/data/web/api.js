// Ask the server that this page came from, and no other. The token stays in this module's memory.

import { told } from "./dom.js";

let token = "";
let asking = null;

/** A question that was not answered: the HTTP status (0: no server), what to tell, and every problem. */
export class Failed extends Error {
  constructor(status, detail, problems = []) {
    super(detail);
    this.status = status;
    this.problems = problems;
  }
}

/** Return what there is to tell of a question that was not answered; any other error is thrown on. */
export function words(error) {
  if (!(error instanceof Failed)) {
    throw error;
  }
  return [error.message, ...error.problems.map(told)];
}

/** Return the JSON answer to a question; without a body it is a GET. Waits where the server is busy. */
export async function ask(path, body, signal) {
  for (let tries = 1; ; tries += 1) {
    const response = await sent(path, body, signal);
    if (response.ok) {
      return read(response, signal);
    }
    if (response.status === 401) {
      await newToken(token !== "");
    } else if (response.status === 503 && tries < 4) {
      await pause(1000 * Number(response.headers.get("Retry-After") || 1), signal);
    } else {
      const told = await response.json().catch(() => ({}));
      throw new Failed(response.status, told.detail || `The server answered ${response.status}.`, told.problems);
    }
  }
}

async function read(response, signal) {
  try {
    return await response.json();
  } catch {
    signal?.throwIfAborted();
    throw new Failed(0, "The server's answer was cut off. Nothing that you chose is lost.");
  }
}

async function sent(path, body, signal) {
  const headers = token === "" ? {} : { Authorization: `Bearer ${token}` };
  const request = { headers, signal, cache: "no-store", credentials: "omit", redirect: "error" };
  if (body !== undefined) {
    request.method = "POST";
    request.body = JSON.stringify(body);
    headers["Content-Type"] = "application/json";
  }
  try {
    return await fetch(path, request);
  } catch {
    signal?.throwIfAborted();
    throw new Failed(0, "The server does not answer. Is it still running? Nothing that you chose is lost.");
  }
}

/** Wait; rejects when the signal aborts. */
export function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

/** Show the form for a token and wait until one is given; several questions wait for the same one. */
function newToken(wrong) {
  asking ??= new Promise((resolve) => {
    const form = document.getElementById("token");
    const word = document.getElementById("token-word");
    const why = document.getElementById("token-why");
    if (wrong) {
      why.textContent = "The server does not know this token. Try again.";
    }
    form.hidden = false;
    document.getElementById("message").textContent = "";
    word.focus();
    form.addEventListener(
      "submit",
      (event) => {
        event.preventDefault();
        token = word.value.trim();
        word.value = "";
        form.hidden = true;
        asking = null;
        resolve();
      },
      { once: true },
    );
  });
  return asking;
}
