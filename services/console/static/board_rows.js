// The rows of the board: one for each alert, newest first, each with the latest word on it.
import { clock, localTime, span } from "./board_times.js";

const template = document.getElementById("row");
const DAY_MS = 24 * 3600 * 1000;
const FRESH_MS = 4000; // so long a new row calls for the eye
const ROUND_SECONDS = 60; // rows that nobody sees are this old at most

export class Rows {
  #list;
  #shows;
  #rows = new Map(); // alert id to {alert, epoch, position, at, item, parts}
  #round = this.#rows.values();

  // `shows` says of an alert whether it is shown.
  constructor(list, shows) {
    this.#list = list;
    this.#shows = shows;
    addEventListener("scroll", () => this.#tickNear(), { passive: true });
    addEventListener("beforeprint", () => this.#rows.forEach((row) => this.#tick(row)));
  }

  get alerts() {
    return [...this.#rows.values()].map((row) => row.alert);
  }

  get(id) {
    return this.#rows.get(id)?.alert;
  }

  // Puts the word on the board unless a newer one stands there; says whether it did. Positions are the feed's: what is
  // sent again has the same one.
  put(alert, epoch, position) {
    const row = this.#rows.get(alert.id);
    if (row && epoch && row.epoch === epoch && row.position >= position) return false;
    const mark = epoch ? { epoch, position } : {};
    if (row) Object.assign(row, mark, { alert: { ...alert, sending: row.alert.sending, mine: row.alert.mine } });
    else this.#add({ alert, ...mark });
    this.draw(alert.id);
    return true;
  }

  // Marks of this window's own: `sending` while an act is on its way, `mine` when it was done here.
  mark(id, marks) {
    const row = this.#rows.get(id);
    if (!row) return;
    Object.assign(row.alert, marks);
    this.draw(id);
  }

  clear() {
    this.#rows.clear();
    this.#list.replaceChildren();
  }

  // After another choice of what is shown, or some time: takes off what is done and older than a day.
  filter() {
    for (const [id, { alert, at, item }] of this.#rows) {
      if (alert.disposition && clock.now() - at > DAY_MS) {
        this.#rows.delete(id);
        item.remove();
      } else item.hidden = !this.#shows(alert);
    }
  }

  // Each second: what is near the screen, and of the others, which may be read out or found, as many as make a round.
  tick() {
    this.#tickNear();
    for (let left = Math.ceil(this.#rows.size / ROUND_SECONDS); left > 0; left -= 1) {
      const { value, done } = this.#round.next();
      if (done) this.#round = this.#rows.values();
      else this.#tick(value);
    }
  }

  // What is on the screen, and a screen above and below.
  #tickNear() {
    const shown = [...this.#list.children].filter((one) => !one.hidden);
    for (const item of shown.slice(firstBelow(shown, -innerHeight), firstBelow(shown, 2 * innerHeight))) {
      this.#tick(this.#rows.get(item.dataset.alert));
    }
  }

  #add(row) {
    const item = template.content.firstElementChild.cloneNode(true);
    const { alert } = row;
    row.at = Date.parse(alert.raised);
    row.item = item;
    item.dataset.alert = alert.id;
    item.id = `row-${alert.id}`;
    item.firstElementChild.href = `/alerts/${alert.id}`;
    row.parts = Object.fromEntries([...item.querySelectorAll("span")].map((part) => [part.className.slice(2), part]));
    this.#rows.set(alert.id, row);
    let after = this.#list.firstElementChild;
    while (after && this.#rows.get(after.dataset.alert).at > row.at) after = after.nextElementSibling;
    this.#list.insertBefore(item, after);
  }

  draw(id) {
    const row = this.#rows.get(id);
    const { alert, item, parts } = row;
    item.dataset.severity = alert.severity;
    item.dataset.sure = alert.confirmed ? "confirmed" : alert.standing.includes("unverified") ? "no" : "other";
    item.classList.toggle("unseen", !alert.acknowledged && !alert.disposition);
    item.classList.toggle("done", Boolean(alert.disposition));
    parts.loud.textContent = alert.severity;
    parts.doubts.textContent = alert.warnings.length ? `Doubtful: ${alert.warnings.join(", ")}` : "";
    parts.standing.textContent = alert.standing;
    parts.plate.textContent = alert.plate;
    parts.state.textContent = alert.state;
    parts.about.textContent = alert.categories.join(", ");
    showListed(parts.listed, alert);
    parts.where.replaceChildren(`· ${alert.place} · ${alert.probability} % · seen `, localTime(alert.captured));
    item.hidden = !this.#shows(alert);
    this.#tick(row);
  }

  #tick({ alert, at, item, parts }) {
    const now = clock.now();
    item.classList.toggle("fresh", now - at < FRESH_MS);
    put(parts.waits, waits(alert, now));
    const due = dueAt(alert);
    const late = due && now > due;
    put(parts.due, due ? (late ? `overdue ${span(now - due)}` : `due in ${span(due - now)}`) : escalated(alert));
    parts.due.classList.toggle("late", Boolean(late || (!due && alert.escalated.length)));
  }
}

// Where the first of `items`, which stand below each other, is that ends below `y`; few are asked where they are.
function firstBelow(items, y) {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (items[middle].getBoundingClientRect().bottom > y) high = middle;
    else low = middle + 1;
  }
  return low;
}

function put(part, text) {
  if (part.textContent !== text) part.textContent = text;
}

function waits(alert, now) {
  if (alert.sending) return `${alert.sending}: being sent`;
  if (alert.disposition) return alert.disposition;
  const what = !alert.acknowledged
    ? "unseen"
    : alert.standing.includes("unverified")
      ? "unverified"
      : "undisposed";
  return `${what} ${span(now - Date.parse(alert.raised))}`;
}

const escalated = (alert) => (alert.escalated.length ? `escalated: ${alert.escalated.join(", ")}` : "");

// What comes first of what is to be done by a time, in milliseconds; 0 for nothing.
function dueAt(alert) {
  const times = [alert.acknowledgeBy, alert.verifyBy].filter(Boolean).map(Date.parse);
  return times.length ? Math.min(...times) : 0;
}

// The list, and the plate on it where it is another text than the plate read, the characters that differ marked.
function showListed(part, { plate, listed }) {
  part.replaceChildren(listed.name);
  if (!listed.plate || listed.plate === plate) return;
  part.append(" lists ");
  const same = listed.plate.length === plate.length;
  for (const [at, character] of [...listed.plate].entries()) {
    if (!same || character === plate[at]) {
      part.append(character);
      continue;
    }
    const mark = document.createElement("mark");
    mark.textContent = character;
    part.append(mark);
  }
}
