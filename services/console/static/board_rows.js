// The rows of the board: one for each alert, newest first, each with the latest word on it.
import { clock, localTime, span } from "./board_times.js";

const template = document.getElementById("row");
const DAY_MS = 24 * 3600 * 1000;

export class Rows {
  #list;
  #rows = new Map(); // alert id to {alert, epoch, position, at, item, parts}
  #seen = new Set(); // rows on the screen: only they tick
  #watcher;

  constructor(list) {
    this.#list = list;
    this.#watcher = new IntersectionObserver((changes) => {
      for (const { target, isIntersecting } of changes) {
        const row = this.#rows.get(target.dataset.alert);
        if (!row) continue;
        if (isIntersecting) this.#tick(row);
        this.#seen[isIntersecting ? "add" : "delete"](row);
      }
    });
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
    this.#watcher.disconnect();
    this.#rows.clear();
    this.#seen.clear();
    this.#list.replaceChildren();
  }

  // Hides what `shows` says no to, and takes off what is done and older than a day.
  filter(shows) {
    for (const [id, { alert, item }] of this.#rows) {
      if (alert.disposition && clock.now() - Date.parse(alert.raised) > DAY_MS) {
        this.#rows.delete(id);
        this.#watcher.unobserve(item);
        item.remove();
      } else item.hidden = !shows(alert);
    }
  }

  tick() {
    for (const row of this.#seen) this.#tick(row);
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
    this.#watcher.observe(item);
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
    this.#tick(row);
  }

  #tick({ alert, parts }) {
    const now = clock.now();
    put(parts.waits, waits(alert, now));
    const due = dueAt(alert);
    const late = due && now > due;
    put(parts.due, due ? (late ? `overdue ${span(now - due)}` : `due in ${span(due - now)}`) : escalated(alert));
    parts.due.classList.toggle("late", Boolean(late || (!due && alert.escalated.length)));
  }
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
