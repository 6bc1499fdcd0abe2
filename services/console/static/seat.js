// A page that follows alerts holds a connection as long as it is open, and over HTTP/1.1 a browser has six to one
// server, all windows together. So four pages follow; the others wait until one is closed, and say so. The rest of the
// connections are for what people do.
const SEATS = ["1", "2", "3", "4"].map((number) => `following-${number}`);
const SHARED = new Set(["h2", "h3"]); // where one connection carries any number of streams

export const NONE_FREE =
  "Four pages of this browser follow alerts already, and it holds no more connections. Nothing comes in here. " +
  "Close one of them, and this page goes on by itself.";

// Resolves when this page may follow; it keeps its seat until it is closed. `wait` is called when there is none.
export async function seat(wait) {
  if (!navigator.locks || SHARED.has(performance.getEntriesByType("navigation")[0]?.nextHopProtocol)) return;
  for (const name of SEATS) if (await taken(name, { ifAvailable: true })) return;
  wait();
  const others = new AbortController();
  await Promise.any(SEATS.map((name) => taken(name, { signal: others.signal })));
  others.abort();
}

let sits = false;

// Resolves to whether the page has the seat now. One is enough: what it gets besides it gives back at once.
function taken(name, options) {
  return new Promise((resolve, reject) => {
    const held = (lock) => {
      const mine = lock !== null && !sits;
      sits ||= mine;
      resolve(mine);
      return mine ? new Promise(() => {}) : null;
    };
    navigator.locks.request(name, options, held).catch(reject);
  });
}
