// The dispatch board: what the feed says on rows, what the person does by keys, what is open beside the list.
import { acknowledge } from "./board_acts.js";
import { Feed } from "./board_feed.js";
import { Keys } from "./board_keys.js";
import { Rows } from "./board_rows.js";
import { Bell } from "./board_sound.js";
import { clock, shortTime, span } from "./board_times.js";

const FRESH_MS = 10_000; // a link that said nothing for so long is not called live any more
const LOST_MS = 15_000; // and after so long it is heard
const CHOOSING_MS = 400;
const BESIDE = matchMedia("(min-width: 70rem)");
const at = (id) => document.getElementById(id);
const list = at("alerts");
const bell = new Bell(showSound);
const link = { state: "connecting", heardAt: 0, since: Date.now(), lostHeard: false };
let refused = false;
let pane = null;

const shows = {
  open: (one) => !one.disposition,
  unseen: () => false,
  mine: (one) => one.mine,
  all: () => true,
};
// What nobody has acknowledged is in every view: no choice here takes it away (IV.D.2).
const isShown = (one) => (!one.acknowledged && !one.disposition) || shows[at("show")?.value ?? "open"](one);
const rows = new Rows(list, isShown);

const feed = new Feed(address(), {
  alerts(events) {
    const fresh = events.filter(({ alert, epoch, position }) => rows.put(alert, epoch, position));
    settle();
    tell(fresh.filter((one) => one.fresh).map((one) => one.alert));
    if (fresh.some(({ alert }) => alert.id === pane?.id)) pane.work.again();
  },
  gap(since) {
    show("gap", `Alerts from before ${shortTime(Date.parse(since))} may be missing here: the feed was restored.`);
  },
  link(state, serverTime) {
    if (serverTime) clock.set(serverTime);
    const hears = state === "live" || state === "catching-up";
    const first = hears && !link.heardAt;
    if (hears) Object.assign(link, { heardAt: Date.now(), lostHeard: false });
    if (first) count();
    // Coming again in time is no news.
    if (state !== "connecting" || !isFresh()) link.state = state;
    if (hears && refused) show("said", "");
    refused &&= !hears;
    showLink();
  },
  refused(sentence) {
    Object.assign(link, { heardAt: 0, since: Date.now() });
    empty();
    refused = true;
    show("said", sentence);
  },
  left: leave,
});

const keys = new Keys(list, {
  open,
  acknowledge: act,
  urgent: mostUrgent,
  sound: () => bell.switch(),
  help: () => at("keys")?.showModal(),
  pane: () => pane,
});

function address() {
  const chosen = [...document.querySelectorAll("[name=category]")];
  const wanted = chosen.filter((one) => one.checked);
  if (wanted.length === chosen.length) return list.dataset.feed;
  // None of them: the floor alone, which one of its own categories stands for.
  const numbers = wanted.length ? wanted.map((one) => one.value) : ["3"];
  return list.dataset.feed + numbers.map((one) => `&category=${one}`).join("");
}

// After anything changed: what sounds, how many there are, which row is selected.
function settle() {
  bell.ring(rows.alerts);
  count();
  keys.keep();
}

function choose() {
  rows.filter();
  settle();
}

function count() {
  // A board that hears nothing does not say that there is nothing.
  for (const id of ["counts", "none"]) at(id).hidden = !link.heardAt;
  const alerts = rows.alerts;
  const open = alerts.filter((one) => !one.disposition);
  const unseen = open.filter((one) => !one.acknowledged);
  const urgent = unseen.filter((one) => one.severity === "urgent").length;
  at("counts").textContent = `${open.length} open, ${unseen.length} not acknowledged, ${urgent} of them urgent`;
  at("counts").classList.toggle("late", urgent > 0);
  document.title = unseen.length ? `(${unseen.length}) Alerts` : "Alerts";
  at("none").hidden ||= list.querySelector("li:not([hidden])") !== null;
}

// For who hears the page: one new alert in words, or how many came together.
function tell(alerts) {
  const loud = alerts.filter((one) => !one.acknowledged && one.severity !== "notice");
  if (!loud.length || link.state !== "live") return;
  const [one] = loud;
  at("news").textContent =
    loud.length > 1
      ? `${loud.length} new alerts`
      : `${one.severity} alert, ${one.standing}: ${one.categories.join(", ")}, ${[...one.plate].join(" ")}, ${one.place}`;
}

const isFresh = () => Date.now() - link.heardAt < FRESH_MS;

function showLink() {
  const quiet = Date.now() - (link.heardAt || link.since);
  const state = isFresh() ? link.state : link.heardAt ? "stale" : link.state;
  const text = {
    live: "Live",
    "catching-up": "Catching up",
    connecting: "Connecting",
  }[state] ?? (link.heardAt ? `Stale since ${shortTime(link.heardAt)}` : "Not connected");
  at("link").dataset.state = state === "broken" ? "stale" : state;
  if (at("link").textContent !== text) at("link").textContent = text;
  at("link").title = state === "live" ? "" : span(quiet);
  if (quiet > LOST_MS && !link.lostHeard) {
    link.lostHeard = true;
    bell.lost();
  }
}

function showSound() {
  at("sound").textContent = bell.on ? "Sound is on: turn off" : "Sound is OFF: turn on";
  at("sound").classList.toggle("late", !bell.on);
}

function show(id, text) {
  at(id).textContent = text;
  at(id).hidden = !text;
}

async function act(id) {
  const alert = rows.get(id);
  if (!alert || alert.acknowledged || alert.sending) return;
  rows.mark(id, { sending: "acknowledge" });
  count();
  const answer = await acknowledge(id);
  rows.mark(id, { sending: "" });
  if (answer === null) return leave();
  if (answer.alert) {
    rows.put(answer.alert);
    rows.mark(id, { mine: true });
  }
  show("said", answer.sentence ?? "");
  settle();
}

// `key` is one of the alert's own, pressed in the list.
async function open(id, key = "") {
  rows.mark(id, { mine: true });
  if (!BESIDE.matches || !at("pane")) {
    location.href = `/alerts/${id}`;
    return;
  }
  const { openAlert } = await import("./alert.js");
  const work = await openAlert(at("pane"), id, { byItself: false });
  pane = { id, work };
  if (key) work.press(key);
}

// Nobody has seen it, the most severe and of these the longest waiting.
function mostUrgent() {
  const order = ["urgent", "high", "notice"];
  const waiting = rows.alerts.filter((one) => !one.disposition);
  waiting.sort(
    (one, other) =>
      one.acknowledged - other.acknowledged ||
      order.indexOf(one.severity) - order.indexOf(other.severity) ||
      Date.parse(one.raised) - Date.parse(other.raised),
  );
  return waiting[0]?.id;
}

function empty() {
  rows.clear();
  pane?.work.close();
  pane = null;
  settle();
}

// The sign-in is over or the screen has locked: nothing of the alerts stays.
function leave() {
  document.body.replaceChildren();
  location.reload();
}

// Another window of this browser may have locked the screen or signed out; the feed would not hear of it at once.
async function look() {
  const answer = await fetch("/still", { headers: { "X-Platewarden": "by-itself" } }).catch(() => null);
  if (answer?.status === 401) leave();
}

// Paper says when it was printed, and on each sheet what it is good for: in the words of the alerts (II.A).
function printed() {
  const now = new Date();
  at("printed").textContent =
    `As of ${now.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" })}`;
  at("notice").textContent = rows.alerts.find((one) => !one.confirmed)?.notice ?? "";
}

let choosing = 0;
at("filters")?.addEventListener("change", (event) => {
  if (event.target.name !== "category") return choose();
  clearTimeout(choosing); // who chooses one often chooses more
  choosing = setTimeout(() => {
    empty();
    feed.restart(address());
  }, CHOOSING_MS);
});
at("filters")?.addEventListener("submit", (event) => event.preventDefault());
at("sound").addEventListener("click", () => bell.switch());
at("help")?.addEventListener("click", () => at("keys").showModal());
at("tests")?.addEventListener("click", () => at("tones").showModal());
at("tones")?.addEventListener("click", ({ target }) => target.dataset.tone && bell.test(target.dataset.tone));
at("pane")?.addEventListener("alert-changed", ({ detail }) => rows.mark(detail.alertId, { mine: true }));
at("pane")?.addEventListener("alert-left", () => keys.focus());
setInterval(() => {
  rows.tick();
  bell.ring(rows.alerts);
  showLink();
}, 1000);
addEventListener("beforeprint", printed);
setInterval(look, 10_000);
setInterval(choose, 60_000);
showSound();
