// One alert in a pane of the board, or alone as a page: keys, acts without loading the page, the alert anew.
import { fragment } from "./fragment.js";
import { localTimes } from "./times.js";

const NO_ANSWER = "No answer came. Press again: it is done once, however often it is sent.";
const WHY = ["csrf", "case_number_kind", "case_number", "outside_agency", "offence_code", "purpose"];
const panes = new WeakMap();

// The alert in `element`, in place of what was there; `byItself` leaves the focus where it is.
export async function openAlert(element, alertId, options = {}) {
  const pane = work(element);
  await pane.load(alertId, options);
  return pane;
}

// Wires the alert that `element` shows.
export function work(element) {
  if (!panes.has(element)) panes.set(element, new Pane(element));
  return panes.get(element).wired();
}

class Pane {
  #element;
  #said = document.createElement("p");
  #loading = new AbortController();

  constructor(element) {
    this.#element = element;
    this.#said.className = "said";
    this.#said.setAttribute("role", "status");
    element.addEventListener("submit", (event) => this.#submit(event));
    element.addEventListener("keydown", (event) => this.#typed(event));
    element.addEventListener("toggle", ({ target }) => target.dataset.key === "m" && import("./map.js"), true);
    setInterval(() => tick(this.#article), 1000);
  }

  get #article() {
    return this.#element.querySelector("article.alert");
  }

  get alertId() {
    return this.#article?.dataset.alert ?? "";
  }

  wired() {
    if (!this.#said.isConnected) this.#element.prepend(this.#said);
    const article = this.#article;
    if (!article) return this;
    localTimes(article);
    for (const one of article.querySelectorAll("[data-preset]")) one.hidden = false;
    article.skew ??= Date.now() - Date.parse(article.dataset.now);
    tick(article);
    return this;
  }

  async load(alertId, { byItself = false } = {}) {
    this.#loading.abort();
    this.#loading = new AbortController();
    const { signal } = this.#loading;
    const same = alertId === this.alertId;
    try {
      const answer = await (same ? this.#sameAgain(signal) : fragment(`/alerts/${alertId}?part=1`, { signal }));
      if (answer.status === 401) location.reload();
      this.#put(answer.element, { focus: !byItself });
    } catch (error) {
      if (error.name !== "AbortError") this.#say("The alert could not be loaded: no answer came.", true);
    }
  }

  again() {
    return this.load(this.alertId, { byItself: true });
  }

  close() {
    this.#loading.abort();
    this.#element.replaceChildren(this.#said);
  }

  // True when the key was one of the alert's. A field that has the focus keeps its keys.
  key(event) {
    const other = event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented;
    // The board has a switch for single keys (WCAG 2.2, 2.1.4).
    if (other || document.getElementById("single")?.checked === false || event.target.matches("input, select, textarea")) return false;
    if (event.key === "r" && this.alertId) return this.#taken(event, () => this.load(this.alertId));
    const found = this.#found(event.key);
    return found ? this.#taken(event, () => this.#act(found)) : false;
  }

  // Does what the key does; nothing where the alert has no such key now.
  press(key) {
    const found = this.#found(key);
    if (found) this.#act(found);
  }

  #found(key) {
    return this.#article?.querySelector(`[data-key="${CSS.escape(key)}"]`);
  }

  #taken(event, act) {
    event.preventDefault();
    act();
    return true;
  }

  #act(found) {
    const details = found.closest("details");
    if (found === details) details.open = !details.open;
    else if (details) details.open = true;
    if (found.dataset.preset) this.#preset(found);
    else if (found !== details) found.click();
    else if (details.open) details.querySelector("input:not([type=hidden]), select")?.focus();
  }

  #preset(button) {
    button.form.elements.state.value = button.dataset.preset;
    const empty = [button.form.elements.system, button.form.elements.response_id].find((one) => !one.value);
    (empty ?? button.form.querySelector("button:not([type])")).focus();
  }

  #typed(event) {
    if (event.target.matches("[data-preset]") && event.key === "Enter") return;
    if (event.key !== "Escape") {
      this.key(event);
    } else if (event.target !== this.#article) {
      this.#article?.focus();
    } else {
      this.#element.dispatchEvent(new CustomEvent("alert-left", { bubbles: true }));
    }
  }

  async #submit(event) {
    const form = event.target;
    if (!form.dataset.form) return;
    event.preventDefault();
    if (form.hasAttribute("aria-busy")) return;
    form.setAttribute("aria-busy", "true");
    const { alertId } = this;
    const body = new URLSearchParams(new FormData(form, event.submitter));
    body.set("part", this.#part);
    try {
      const { status, element } = await fragment(form.action, { method: "POST", body });
      this.#answered(alertId, status, element, form);
    } catch {
      this.#say(NO_ANSWER, true);
    }
    form.removeAttribute("aria-busy");
  }

  #answered(alertId, status, fresh, form) {
    const refusal = status < 400 ? "" : fresh.querySelector(".refusal")?.innerText ?? "It was not done.";
    const here = alertId === this.alertId;
    // The person may have gone on to another alert meanwhile: what was refused is told even so.
    if (here) this.#put(fresh, { focus: true, acted: form });
    else if (refusal) this.#say(`Of the alert before: ${refusal}`, true);
    // A refusal stands at its form, has the focus, and is an alert by itself.
    if (here) this.#say(refusal ? "" : (fresh.dataset.done ?? ""), false);
    if (!refusal) {
      const detail = { alertId };
      this.#element.dispatchEvent(new CustomEvent("alert-changed", { bubbles: true, detail }));
    }
  }

  get #part() {
    return this.#article?.querySelector("h1") ? "page" : "1";
  }

  // What was opened with case number and purpose is asked for with them.
  #sameAgain(signal) {
    const form = this.#article.querySelector("form:has([name=case_number])");
    if (!form) return fragment(`/alerts/${this.alertId}?part=${this.#part}`, { signal });
    const body = new URLSearchParams(WHY.map((name) => [name, form.elements[name].value]));
    body.set("part", this.#part);
    return fragment(`/alerts/${this.alertId}`, { method: "POST", body, signal });
  }

  #put(fresh, { focus, acted = null }) {
    const old = this.#article;
    const active = document.activeElement;
    const had = old?.contains(active) ?? false;
    const kept = old !== null && old.dataset.alert === fresh.dataset.alert;
    if (kept) keep(old, fresh, acted);
    this.#element.replaceChildren(this.#said, fresh);
    this.wired();
    if (!kept) this.#element.scrollTop = 0;
    const place = focus ? first(fresh) : had ? (active.isConnected ? active : same(active, fresh)) : null;
    place?.focus({ preventScroll: place === fresh });
  }

  #say(sentence, wrong) {
    this.#said.textContent = sentence;
    this.#said.classList.toggle("wrong", wrong);
  }
}

// What a person has begun to write, and what was asked for besides, stays; so do the parts that were opened.
function keep(old, fresh, acted) {
  for (const section of old.querySelectorAll("[data-section]")) {
    const place = fresh.querySelector(`[data-section="${section.dataset.section}"]`);
    if (!place) continue;
    if (!section.contains(acted) && (section.hasAttribute("data-keep") || isWritten(section))) {
      place.replaceWith(section);
      // What an act before this one found is not where to go on.
      for (const one of section.querySelectorAll("[data-first]")) one.removeAttribute("data-first");
    } else if (section.open && !section.contains(acted)) {
      place.open = true;
    }
  }
}

function isWritten(section) {
  return [...section.querySelectorAll("input, select, textarea")].some((one) => {
    if (one.tagName === "SELECT") return !one.selectedOptions[0]?.defaultSelected && one.selectedIndex > 0;
    return one.type === "checkbox" ? one.checked !== one.defaultChecked : one.value !== one.defaultValue;
  });
}

// Where to go on: what was refused, or what an act found, or the alert from its beginning.
function first(fresh) {
  const refusal = fresh.querySelector(".refusal");
  if (refusal) refusal.tabIndex = -1;
  return fresh.querySelector("[aria-invalid]") ?? refusal ?? fresh.querySelector("[data-first]") ?? fresh;
}

function same(active, fresh) {
  const field = active.id && fresh.querySelector(`#${CSS.escape(active.id)}`);
  const key = active.closest("[data-key]")?.dataset.key;
  const found = field || (key && fresh.querySelector(`details[data-key="${key}"] > summary, button[data-key="${key}"]`));
  return found || fresh;
}

function tick(article) {
  if (!article?.dataset.now) return;
  const now = Date.now() - article.skew;
  for (const one of article.querySelectorAll("[data-ago]")) {
    one.textContent = `(${duration(now - Date.parse(one.dataset.ago))} ago)`;
  }
  for (const one of article.querySelectorAll("[data-until]")) {
    const left = Date.parse(one.dataset.until) - now;
    one.textContent = left < 0 ? `OVERDUE ${duration(-left)}` : `${duration(left)} left`;
    one.classList.toggle("late", left < 0);
  }
}

function duration(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (number) => String(number).padStart(2, "0");
  if (seconds < 3600) return `${Math.floor(seconds / 60)}:${two(seconds % 60)}`;
  return `${Math.floor(seconds / 3600)} h ${two(Math.floor((seconds % 3600) / 60))}`;
}

// Alone as a page.
const alone = document.querySelector("main > article.alert");
if (alone) {
  work(alone.parentElement);
  alone.focus();
}
