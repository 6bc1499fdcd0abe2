// Receipts, checkpoints and proofs of a page, checked by the page itself; and files that the reader chooses.
import { checkConsistency, checkReceipt, logKeys, openCheckpoint, witnessedAt, witnessKey } from "./log_proof.js";
import { ProofError } from "./log_text.js";

const ours = document.querySelector('meta[name="log-keys"]')?.content ?? "";
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
const count = new Intl.NumberFormat();

const works = {
  async receipt(text, keys) {
    const { shown, withheld, index, checkpoint } = await checkReceipt(text, keys);
    const closed = withheld.length ? `; ${withheld.length} fields are closed` : "";
    return {
      sentence: `Holds: it is entry ${index} of ${checkpoint.origin}, under the checkpoint over ${count.format(checkpoint.size)} entries${closed}.`,
      facts: [...shown],
    };
  },
  async checkpoint(text, keys, witness) {
    const notes = text.startsWith("{") ? text.trim().split("\n").map((line) => String(JSON.parse(line).checkpoint)) : [text];
    let newest;
    for (const note of notes) {
      const found = await openCheckpoint(note, keys);
      const time = witness ? await witnessedAt(note, witness) : null;
      if (!newest || found.size > newest.size) newest = { ...found, time };
    }
    const signed = newest.time ? `, signed by the witness ${moment.format(newest.time)}` : "";
    const more = notes.length > 1 ? ` All ${notes.length} checkpoints hold.` : "";
    return { sentence: `Holds: the log ${newest.origin} signed that it has ${count.format(newest.size)} entries${signed}.${more}`, facts: [] };
  },
  async consistency(text, keys) {
    const { first, second } = await checkConsistency(text, keys);
    return {
      sentence: `Holds: the log of ${count.format(second.size)} entries begins with the ${count.format(first.size)} that it signed before.`,
      facts: [],
    };
  },
};

function why(error) {
  if (error instanceof ProofError) return `Does not hold: ${error.message}`;
  if (error.name === "NotSupportedError") return "This browser does not know Ed25519 signatures; take the program that checks offline.";
  return "Does not hold: this is no file of the log.";
}

async function say(place, work) {
  let found = { facts: [] };
  try {
    found = await work();
    place.textContent = found.sentence;
  } catch (error) {
    place.textContent = why(error);
  }
  place.dataset.holds = found.sentence ? "yes" : "no";
  return found.facts;
}

function table(facts) {
  const list = document.createElement("dl");
  list.className = "facts";
  for (const [name, value] of facts) {
    for (const [kind, text] of [["dt", name], ["dd", value]]) {
      list.append(Object.assign(document.createElement(kind), { textContent: text }));
    }
  }
  return list;
}

async function check(form, place) {
  const text = (name) => form.elements[name]?.files[0]?.text() ?? "";
  const says = Object.assign(document.createElement("p"), { className: "says" });
  says.setAttribute("role", "status");
  place.replaceChildren(says);
  const facts = await say(says, async () => {
    const keys = await logKeys((await text("keys")) || ours);
    const witness = await text("witness");
    return works[form.dataset.check](await text("file"), keys, witness && (await witnessKey(witness)));
  });
  if (facts.length) place.append(table(facts));
}

for (const form of document.querySelectorAll("form[data-check]")) {
  form.querySelector("fieldset").disabled = false;
  const place = form.parentElement.querySelector("[data-result]");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    check(form, place);
  });
}

for (const kind of ours ? Object.keys(works) : []) {
  for (const place of document.querySelectorAll(`[data-${kind}]`)) {
    const run = () => say(place, async () => works[kind](place.dataset[kind], await logKeys(ours)));
    const closed = place.closest("details:not([open])");
    if (closed) closed.addEventListener("toggle", run, { once: true });
    else run();
  }
}

for (const button of document.querySelectorAll("button[data-keep]")) {
  const file = new Blob([document.querySelector("[data-consistency]").dataset.consistency], { type: "application/json" });
  button.hidden = false;
  button.addEventListener("click", () => {
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(file), download: button.dataset.keep });
    link.click();
    URL.revokeObjectURL(link.href);
  });
}
