// The server's clock, as heartbeats tell it, and times in few letters. A desk whose clock is wrong counts right.
export const clock = {
  ahead: 0, // of this machine's clock, milliseconds
  now: () => Date.now() + clock.ahead,
  set(at) {
    clock.ahead = Date.parse(at) - Date.now();
  },
};

const short = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export function localTime(text) {
  const element = document.createElement("time");
  element.dateTime = text;
  element.title = `${text.slice(0, 19).replace("T", " ")} UTC`;
  element.textContent = shortTime(Date.parse(text));
  element.dataset.local = "";
  return element;
}

export const shortTime = (at) => short.format(at);

// 0:42, 12:05, 1 h 20
export function span(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (number) => String(number).padStart(2, "0");
  if (seconds < 3600) return `${Math.floor(seconds / 60)}:${two(seconds % 60)}`;
  return `${Math.floor(seconds / 3600)} h ${two(Math.floor((seconds % 3600) / 60))}`;
}
