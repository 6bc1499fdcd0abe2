// When the board sounds, and how: tones made here, told apart by category without looking.
const AGAIN_MS = 6_000;
const STROKE_SECONDS = 0.16;
const PAUSE_SECONDS = 0.06;
// Life in danger first, then crimes, then the rest. Each is a row of pitches in hertz.
const TONES = {
  amber: [880, 1320, 880, 1320],
  silver: [880, 1108, 880, 1108],
  felony: [784, 784, 784],
  "stolen vehicle": [659, 523],
  "stolen plate": [523, 659],
  wanted: [440, 440],
  missing: [587],
};
const OTHER = [440];
const LINK_LOST = [330, 247];
const LOUDEST_FIRST = Object.keys(TONES);

export class Bell {
  #context = null;
  #wanted = true;
  #rung = new Set();
  #nextAt = 0;
  #changed;

  // `changed` is called when sound goes on or off.
  constructor(changed) {
    this.#changed = changed;
    if ("AudioContext" in window) {
      this.#context = new AudioContext();
      this.#context.addEventListener("statechange", () => this.#changed());
    }
    // Browsers let no page sound before somebody touched it; the first touch is enough.
    for (const kind of ["keydown", "pointerdown"]) addEventListener(kind, () => this.#allow(), true);
  }

  get on() {
    return this.#wanted && this.#context?.state === "running";
  }

  async switch() {
    this.#wanted = !this.on;
    await this.#allow();
    this.#changed();
  }

  async #allow() {
    if (this.#wanted && this.#context?.state === "suspended") await this.#context.resume();
  }

  // What is due now of `alerts`: what is new sounds once; what must be seen sounds until somebody has. Those that come
  // together sound once, as the most severe of them.
  ring(alerts) {
    const sounding = alerts.filter(sounds);
    const fresh = sounding.filter((one) => !this.#rung.has(one.id));
    this.#rung = new Set(sounding.map((one) => one.id));
    const urgent = Date.now() >= this.#nextAt ? sounding.filter(mustBeSeen) : [];
    const due = [...fresh, ...urgent];
    if (!due.length) return;
    this.#nextAt = Date.now() + AGAIN_MS;
    if (this.on) this.#strike(tonesOf(due));
  }

  lost() {
    if (this.on) this.#strike(LINK_LOST);
  }

  async test(name) {
    await this.#context?.resume();
    this.#strike(name === "link" ? LINK_LOST : TONES[name] ?? OTHER);
  }

  #strike(tones) {
    if (!this.#context) return;
    let at = this.#context.currentTime + 0.02;
    for (const pitch of tones) {
      this.#stroke(pitch, at);
      at += STROKE_SECONDS + PAUSE_SECONDS;
    }
  }

  #stroke(pitch, at) {
    const tone = new OscillatorNode(this.#context, { type: "triangle", frequency: pitch });
    const loud = new GainNode(this.#context, { gain: 0 });
    // Up and down without a click.
    loud.gain.setValueAtTime(0, at);
    loud.gain.linearRampToValueAtTime(0.4, at + 0.015);
    loud.gain.setValueAtTime(0.4, at + STROKE_SECONDS - 0.03);
    loud.gain.linearRampToValueAtTime(0, at + STROKE_SECONDS);
    tone.connect(loud).connect(this.#context.destination);
    tone.start(at);
    tone.stop(at + STROKE_SECONDS);
  }
}

const sounds = (one) =>
  !one.acknowledged && !one.sending && !one.disposition && !one.quiet && one.severity !== "notice";

// Urgent, or escalated because nobody has seen it (IV.D.3).
const mustBeSeen = (one) => one.severity === "urgent" || one.escalated.length > 0;

function tonesOf(alerts) {
  const names = new Set(alerts.flatMap((one) => one.categories));
  return TONES[LOUDEST_FIRST.find((name) => names.has(name))] ?? OTHER;
}
