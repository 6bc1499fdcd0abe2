// Stays with a vendor's session: it lasts as long as this page follows it. Shows every call once, as it comes.
import { localTimes } from "./times.js";

const place = document.querySelector("[data-follow]");
const link = document.getElementById("link");
const calls = document.getElementById("calls");
const row = document.getElementById("call");
const AGAIN_MS = 1000;
const QUIET_MS = 12_000; // a sign of life comes at least every five seconds
const seen = new Set();
let heard = 0;
let leaving = false; // a form was sent: the page that answers it says how it ended

function say(state, sentence) {
  if (link.dataset.state === state) return;
  link.dataset.state = state;
  link.textContent = sentence;
}

function called({ id, at, action, service }) {
  if (seen.has(id)) return; // it tells all of them again to who comes back
  seen.add(id);
  const line = row.content.cloneNode(true);
  const time = line.querySelector("time");
  time.dateTime = time.title = time.textContent = at;
  line.querySelector(".action").textContent = action;
  line.querySelector(".service").textContent = service || "audit";
  localTimes(line);
  calls.prepend(line);
}

function take(event) {
  heard = performance.now();
  if (event.kind === "call") called(event);
  else if (event.kind === "over") say("over", event.sentence);
  else if (!event.ended) say("live", "You are with the vendor: every call is shown below.");
  else {
    say("over", "The session is over.");
    if (!leaving) location.replace(location.pathname); // that page says how it ended
  }
}

async function follow() {
  const call = new AbortController();
  heard = performance.now();
  const watch = setInterval(() => performance.now() - heard > QUIET_MS && call.abort(), 1000);
  try {
    const headers = { "X-Platewarden": "by-itself" };
    const answer = await fetch(`${location.pathname}/events`, { headers, cache: "no-store", signal: call.signal });
    if (answer.status === 401) return location.reload(); // locked, or signed out
    if (!answer.ok) throw new Error(`${answer.status}`);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return undefined;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      lines.map((line) => JSON.parse(line)).forEach(take);
    }
  } finally {
    clearInterval(watch);
    call.abort();
  }
}

async function stay() {
  for (;;) {
    await follow().catch(() => say("lost", "The link is lost. Unless it comes back within seconds, the session ends."));
    if (link.dataset.state === "over") return;
    if (link.dataset.state !== "live") await new Promise((done) => setTimeout(done, AGAIN_MS));
    else link.dataset.state = "again"; // it ended in good order: at once
  }
}

addEventListener("submit", () => (leaving = true));
if (place) stay();
