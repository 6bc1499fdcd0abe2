// A crew's page: what is sent to the car comes in by itself, and the centre sees that the page has it.
import { Feed } from "./board_feed.js";
import { Bell } from "./board_sound.js";
import { fragment } from "./fragment.js";
import { localTimes } from "./times.js";

const { csrf } = document.body.dataset;
const LINKS = { live: "Live: what the centre sends comes in by itself.", connecting: "Connecting", broken: "NO LINK: nothing comes in just now." };
const told = new Set();
const link = document.getElementById("link");
const rung = new Set();
const sound = document.getElementById("sound");
const isAboard = document.getElementById("position") !== null;

function messages() {
  return [...document.querySelectorAll("[data-message]")];
}

// The centre is told once for each message; a word that was lost is said again with the next look.
async function tellReceived() {
  for (const { dataset } of messages()) {
    if (told.has(dataset.message)) continue;
    const body = new URLSearchParams({ csrf, request_id: dataset.receivedId, delivery_id: dataset.message });
    const headers = { "X-Platewarden": "by-itself" };
    const answer = await fetch("/patrol/received", { method: "POST", body, headers }).catch(() => null);
    if (answer?.ok) told.add(dataset.message);
  }
}

// One who drives does not look at a screen: what is new sounds once.
function ring(bell) {
  const fresh = messages().filter(({ dataset }) => !rung.has(dataset.message));
  for (const { dataset } of fresh) rung.add(dataset.message);
  if (fresh.length && bell.on) bell.test(fresh[0].dataset.sound);
}

function showSound() {
  sound.hidden = false;
  sound.textContent = bell.on ? "Sound is on: turn off" : "Sound is OFF: turn on";
}

async function look() {
  const { status, element } = await fragment("/patrol?part=1");
  if (status === 401) location.reload();
  if (status !== 200) return;
  const had = document.activeElement?.closest("[data-message]")?.dataset.message;
  document.getElementById("messages").replaceWith(element);
  localTimes(element);
  if (had) element.querySelector(`[data-message="${had}"] button`)?.focus();
  ring(bell);
  await tellReceived();
}

const heard = {
  alerts(all) {
    const shown = new Set(messages().map((one) => one.dataset.message));
    if (all.some((one) => !shown.has(one.id))) look().catch(() => heard.link("broken"));
    else tellReceived();
  },
  link(state) {
    link.textContent = LINKS[state] ?? "";
    link.classList.toggle("late", state === "broken");
  },
  refused(sentence) {
    link.textContent = sentence;
  },
  gap() {},
  left() {
    location.reload();
  },
};

function here() {
  const button = document.getElementById("here");
  if (!button || !navigator.geolocation) return;
  button.hidden = false;
  button.addEventListener("click", () => {
    const { form } = button;
    const found = ({ coords }) => {
      form.elements.latitude.value = coords.latitude.toFixed(5);
      form.elements.longitude.value = coords.longitude.toFixed(5);
      form.requestSubmit();
    };
    const failed = () => (link.textContent = "This device does not say where it is.");
    navigator.geolocation.getCurrentPosition(found, failed, { timeout: 10_000 });
  });
}

const bell = isAboard ? new Bell(showSound) : null;
if (bell) {
  for (const { dataset } of messages()) rung.add(dataset.message);
  sound.addEventListener("click", () => bell.switch());
  showSound();
  new Feed("/patrol/feed", heard);
  here();
}
