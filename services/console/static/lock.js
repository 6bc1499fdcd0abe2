// The screen locks after the CJIS idle time. The server decides; this looks and tells it of keys and clicks.
const { csrf, locksAfter } = document.body.dataset;
const TELL_SECONDS = 60;
const idleMs = 1000 * Number(locksAfter);
let touched = performance.now();
let told = touched;

async function touch() {
  touched = performance.now();
  if (touched - told < 1000 * TELL_SECONDS) return;
  told = touched;
  const answer = await fetch("/touch", { method: "POST", headers: { "X-Csrf": csrf } }).catch(() => null);
  // After a sign-in that has ended the page stays: what is written in it can still be sent (services.console.kept).
  if (answer && answer.headers.get("X-Platewarden") === "locked") location.reload();
}

async function look() {
  if (performance.now() - touched < idleMs) return;
  const answer = await fetch("/still", { headers: { "X-Platewarden": "by-itself" } }).catch(() => null);
  if (answer && answer.ok) return; // another window was touched
  document.body.replaceChildren(); // whatever the page showed is gone, with or without a server
  if (answer) location.reload();
}

for (const kind of ["keydown", "pointerdown"]) addEventListener(kind, touch, { passive: true });
addEventListener("visibilitychange", look);
setInterval(look, 5000);
