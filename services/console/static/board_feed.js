// Follows the board's feed: server-sent events by fetch, which can say where to go on and that no person touched
// anything. It comes again by itself, goes on after the last event, and tells how the link stands.
import { clock } from "./board_times.js";
import { NONE_FREE, seat } from "./seat.js";

const QUIET_MS = 11_000; // the service sends a heartbeat at least every five seconds
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 4_000;
const ENDED_PAUSE_MS = 15_000;
const BEHIND_MS = 10_000; // what lies so far back is told of what was missed

export class Feed {
  #address;
  #heard;
  #token = "";
  #failures = 0;
  #refusals = 0;
  #call = null;
  #wake = () => {};
  #heardAt = 0;
  #caughtUp = false;

  // `heard` has: alerts([...]), gap(since), link(state), refused(sentence), left()
  constructor(address, heard) {
    this.#address = address;
    this.#heard = heard;
    setInterval(() => this.#watch(), 1000);
    addEventListener("online", () => this.hurry());
    addEventListener("pageshow", () => this.hurry());
    document.addEventListener("visibilitychange", () => document.hidden || this.hurry());
    this.#run();
  }

  // Begins anew with another address; what came is forgotten.
  restart(address) {
    this.#address = address;
    this.#token = "";
    this.hurry(0);
  }

  // Somebody looks, or the network is back: a link that said nothing for a while is tried anew at once.
  hurry(quietMs = 5500) {
    if (Date.now() - this.#heardAt < quietMs) return;
    this.#failures = 0;
    this.#call?.abort();
    this.#wake();
  }

  #watch() {
    if (this.#call && Date.now() - this.#heardAt > QUIET_MS) this.#call.abort();
  }

  async #run() {
    await seat(() => {
      this.#heard.link("broken");
      this.#heard.refused(NONE_FREE);
    });
    for (;;) {
      const pause = await this.#follow().catch(() => this.#pause());
      if (pause === null) return;
      if (pause) await this.#sleep(pause);
    }
  }

  #pause(least = 0) {
    this.#heard.link("broken");
    const whole = Math.min(FIRST_PAUSE_MS * 2 ** this.#failures, LONGEST_PAUSE_MS);
    this.#failures = Math.min(this.#failures + 1, 10);
    // Half of it is chance: boards that lost the same replica do not come back in one moment.
    return Math.max(least, whole * (0.5 + Math.random() / 2));
  }

  #sleep(ms) {
    return new Promise((done) => {
      this.#wake = done;
      setTimeout(done, ms);
    });
  }

  // One connection until it ends. Gives how long to pause before the next one; null: there is no next one.
  async #follow() {
    const call = (this.#call = new AbortController());
    const address = this.#address;
    this.#heardAt = Date.now(); // the watch counts from here
    this.#caughtUp = false;
    this.#heard.link("connecting");
    try {
      const headers = { "X-Platewarden": "by-itself", Accept: "text/event-stream" };
      if (this.#token) headers["Last-Event-ID"] = this.#token;
      const answer = await fetch(address, { headers, cache: "no-store", signal: call.signal });
      if (answer.status === 401 || answer.redirected) {
        this.#heard.left();
        return null;
      }
      if (!answer.ok) return this.#pause();
      return await this.#read(answer.body.pipeThrough(new TextDecoderStream()).getReader(), address);
    } finally {
      call.abort();
      this.#call = null;
    }
  }

  async #read(reader, address) {
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (address !== this.#address) return 0; // begun anew meanwhile
      if (done) return this.#pause();
      const events = (rest + value).split("\n\n");
      rest = events.pop();
      const end = this.#take(events.map(parsed));
      if (end !== undefined) return end;
    }
  }

  // Takes what came together; gives the pause when the last of it ended the feed.
  #take(events) {
    if (!events.length) return undefined;
    const alerts = events.filter((one) => one.kind === "alert").map((one) => one.value);
    if (alerts.length) this.#heard.alerts(alerts);
    for (const { kind, value, id } of events) {
      if (id) this.#token = id;
      if (kind === "gap") {
        this.#token = "";
        this.#heard.gap(value.since);
      }
      if (kind === "again") return 0;
      if (kind === "over") return this.#over(value);
      this.#alive(value);
    }
    return undefined;
  }

  // A heartbeat says that all has been sent; positions are times in microseconds.
  #alive({ at, position }) {
    this.#heardAt = Date.now();
    this.#failures = 0;
    this.#refusals = 0;
    this.#caughtUp ||= at !== undefined || position / 1000 > clock.now() - BEHIND_MS;
    this.#heard.link(this.#caughtUp ? "live" : "catching-up", at);
  }

  // Entitlements also end when nobody could be asked for a while: asked once more, the service says which it was.
  #over({ sentence, final, seconds }) {
    if (!final || this.#refusals++ === 0) return this.#pause(1000 * seconds);
    this.#heard.link("broken");
    this.#heard.refused(sentence);
    this.#token = ""; // when it goes on after all, the board is empty
    return ENDED_PAUSE_MS;
  }
}

function parsed(text) {
  const event = { kind: "", id: "", value: {} };
  for (const line of text.split("\n")) {
    if (line.startsWith("id: ")) event.id = line.slice(4);
    else if (line.startsWith("event: ")) event.kind = line.slice(7);
    else if (line.startsWith("data: ")) event.value = JSON.parse(line.slice(6));
  }
  return event;
}
