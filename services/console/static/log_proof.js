// Receipts, checkpoints and consistency proofs of the log, checked where the page is: nothing is asked of a server.
// The same rules as services/audit/verifier.py, which describes the formats.
import { read, readBase64, refuse } from "./log_text.js";

const LEAF_HEADER = "platewarden.log.entry/v1";
const RECEIPT_FORMAT = "platewarden.receipt/v1";
const CONSISTENCY_FORMAT = "platewarden.consistency/v1";
const PROOF_HEADER = "c2sp.org/tlog-proof@v1";
const ALWAYS_OPEN = ["entry_id", "kind", "record_time"];
const [ED25519, COSIGNATURE] = [1, 4];
const [HASH_BYTES, SALT_BYTES, TIME_BYTES, KEY_ID_BYTES, MOST_PROOF_HASHES] = [32, 16, 8, 4, 63];

const bytesOf = (text) => new TextEncoder().encode(text);
const hex = (bytes) => Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join("");
const same = (one, other) => hex(one) === hex(other);

function joined(...parts) {
  const all = new Uint8Array(parts.reduce((sum, one) => sum + one.length, 0));
  let at = 0;
  for (const one of parts) {
    all.set(one, at);
    at += one.length;
  }
  return all;
}

async function sha256(...parts) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", joined(...parts)));
}

const leafHash = (leaf) => sha256([0], leaf);
const node = (left, right) => sha256([1], left, right);

// --- Keys ---------------------------------------------------------------------------------------------------

async function keyId(name, algorithm, key) {
  return hex((await sha256(bytesOf(`${name}\n`), [algorithm], key)).slice(0, KEY_ID_BYTES));
}

// A line name+id+key, of a log or of a witness.
async function keyOfLine(line, algorithm) {
  const [, name, id, encoded] = /^([^+]*)\+([^+]*)\+(.*)$/su.exec(line) ?? refuse("The key is not a line name+id+key.");
  const raw = readBase64(encoded, "the key");
  const key = raw.slice(1);
  if (raw[0] !== algorithm || key.length !== HASH_BYTES || (await keyId(name, algorithm, key)) !== id) {
    refuse("The key's id does not belong to it.");
  }
  return { name, key };
}

/** The log's keys of a file with a line for each; the first is the newest. */
export async function logKeys(text) {
  const lines = text.trim().split("\n");
  const keys = await Promise.all(lines.map((line) => keyOfLine(line.trim(), ED25519)));
  if (keys.some((one) => one.name !== keys[0].name)) refuse("The public keys are of different logs.");
  return keys;
}

/** The key of a witness. */
export const witnessKey = (text) => keyOfLine(text.trim(), COSIGNATURE);

async function holds(key, message, signature) {
  const imported = await crypto.subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
  return crypto.subtle.verify({ name: "Ed25519" }, imported, signature, message);
}

// --- Checkpoints (c2sp.org/tlog-checkpoint, tlog-cosignature) -----------------------------------------------

function parsed(note) {
  const end = note.lastIndexOf("\n\n");
  const body = `${end < 0 ? "" : note.slice(0, end)}\n`;
  const lines = body.split("\n");
  if (lines.length < 4 || !/^(0|[1-9][0-9]*)$/.test(lines[1])) refuse("This is no checkpoint.");
  return { body, origin: lines[0], size: BigInt(lines[1]), root: readBase64(lines[2], "the checkpoint's root") };
}

function signatures(note, name) {
  const lines = note.slice(note.lastIndexOf("\n\n") + 2).split("\n");
  if (lines.pop() !== "") refuse("The checkpoint's last line has no end.");
  const mine = lines.map((line) => line.split(" ")).filter(([dash, who]) => dash === "\u2014" && who === name);
  return mine.map((parts) => readBase64(parts.slice(2).join(" "), "the checkpoint's signature"));
}

async function signaturesOf(note, name, algorithm, key) {
  const id = await keyId(name, algorithm, key);
  const found = signatures(note, name).filter((one) => hex(one.slice(0, KEY_ID_BYTES)) === id);
  return found.map((one) => one.slice(KEY_ID_BYTES));
}

/** What a checkpoint says, when one of the log's keys has signed it. */
export async function openCheckpoint(note, keys) {
  const checkpoint = parsed(note);
  const { origin } = checkpoint;
  if (keys[0].name !== origin) refuse(`The checkpoint is of the log ${origin}, the key of ${keys[0].name}.`);
  for (const { key } of keys) {
    const [signature] = await signaturesOf(note, origin, ED25519, key);
    if (signature === undefined) continue;
    if (!(await holds(key, bytesOf(checkpoint.body), signature))) refuse("The checkpoint's signature does not hold.");
    return checkpoint;
  }
  return refuse("The checkpoint has no signature by this key.");
}

/** When the witness signed the checkpoint. */
export async function witnessedAt(note, { name, key }) {
  const { body, size } = parsed(note);
  for (const signature of await signaturesOf(note, name, COSIGNATURE, key)) {
    if (signature.length < TIME_BYTES) continue;
    const seconds = new DataView(signature.buffer, signature.byteOffset).getBigUint64(0);
    const message = bytesOf(`cosignature/v1\ntime ${seconds}\n${body}`);
    if (await holds(key, message, signature.slice(TIME_BYTES))) return new Date(1000 * Number(seconds));
  }
  return refuse(`The checkpoint over ${size} entries has no signature of this witness that holds.`);
}

// --- Receipts -----------------------------------------------------------------------------------------------

function commitments(leaf) {
  const text = Array.from(leaf, (one) => String.fromCharCode(one)).join("");
  const [header, ...lines] = text.split("\n");
  const end = lines.pop();
  const found = new Map();
  for (const line of lines) {
    const [name, ...rest] = line.split(" ");
    found.set(name, readBase64(rest.join(" "), "a commitment"));
  }
  const names = [...found.keys()];
  const inOrder = names.length === lines.length && names.every((one, at) => !at || names[at - 1] < one);
  const whole = [...found.values()].every((one) => one.length === HASH_BYTES);
  if (header !== LEAF_HEADER || end !== "" || !inOrder || !whole || found.has("") || leaf.some((one) => one > 127)) {
    refuse("The receipt has a leaf that is in another format.");
  }
  return found;
}

async function opened(leaf, fields) {
  const committed = commitments(leaf);
  const shown = new Map();
  if (!Array.isArray(fields)) refuse("The receipt has no list of fields.");
  for (const one of fields) {
    const { name, salt, value } = one ?? {};
    const texts = [name, salt, value].every((text) => typeof text === "string" && text.isWellFormed());
    if (!texts || Object.keys(one).length !== 3) refuse("A field is not one of name, salt and value.");
    const raw = readBase64(salt, "a salt");
    if (raw.length !== SALT_BYTES) refuse("A salt is not 16 bytes long.");
    if (!committed.has(name) || shown.has(name)) refuse(`It shows a field ${name} to which it does not commit once.`);
    if (!same(await sha256(raw, bytesOf(`${name}\0${value}`)), committed.get(name))) {
      refuse(`It shows the field ${name} with another value than it commits to.`);
    }
    shown.set(name, value);
  }
  const names = [...shown.keys()];
  if (!names.every((one, at) => !at || names[at - 1] < one)) refuse("It shows its fields in another order.");
  for (const name of ALWAYS_OPEN) if (!shown.has(name)) refuse(`It does not show its field ${name}.`);
  return { shown, withheld: [...committed.keys()].filter((one) => !shown.has(one)) };
}

async function rootOfProof(index, size, leaf, hashes) {
  if (index >= size) refuse("The proof is for an entry that the checkpoint does not cover.");
  let [at, last, root] = [index, size - 1n, await leafHash(leaf)];
  for (const one of hashes) {
    if (last === 0n) refuse("The proof is too long.");
    if (at & 1n || at === last) {
      root = await node(one, root);
      while (!(at & 1n) && at) [at, last] = [at >> 1n, last >> 1n];
    } else root = await node(root, one);
    [at, last] = [at >> 1n, last >> 1n];
  }
  if (last) refuse("The proof is too short.");
  return root;
}

async function openProof(text, keys) {
  const end = text.indexOf("\n\n");
  const [header, ...rest] = text.slice(0, end < 0 ? text.length : end).split("\n");
  if (rest[0]?.startsWith("extra ")) rest.shift();
  const index = /^index (0|[1-9][0-9]*)$/.exec(rest.shift() ?? "");
  if (header !== PROOF_HEADER || !index || rest.length > MOST_PROOF_HASHES) refuse("The proof is in another format.");
  const hashes = rest.map((line) => readBase64(line, "a hash of the proof"));
  const checkpoint = await openCheckpoint(end < 0 ? "" : text.slice(end + 2), keys);
  return { index: BigInt(index[1]), hashes, checkpoint };
}

/** The opened fields of a receipt that holds, names of those that are withheld, its place, and its checkpoint. */
export async function checkReceipt(text, keys) {
  const receipt = read(text, ["entry_id", "fields", "format", "leaf", "log_index", "proof"], "receipt");
  if (receipt.format !== RECEIPT_FORMAT) refuse("The receipt is in another format.");
  const leaf = readBase64(receipt.leaf, "the receipt's leaf");
  const { shown, withheld } = await opened(leaf, receipt.fields);
  if (shown.get("entry_id") !== receipt.entry_id) refuse("The receipt names another entry than it shows.");
  const { index, hashes, checkpoint } = await openProof(String(receipt.proof), keys);
  if (typeof receipt.log_index !== "number" || BigInt(receipt.log_index) !== index) {
    refuse("The receipt names another place in the log than its proof.");
  }
  if (!same(await rootOfProof(index, checkpoint.size, leaf, hashes), checkpoint.root)) {
    refuse("The receipt's proof does not lead to its checkpoint.");
  }
  return { shown, withheld, index, checkpoint };
}

// --- Consistency (RFC 9162 2.1.4.2) -------------------------------------------------------------------------

async function isConsistent(first, second, given) {
  if (first.size === second.size || !first.size) return !given.length && (!first.size || same(first.root, second.root));
  if (first.size > second.size) return false;
  const hashes = first.size & (first.size - 1n) ? given : [first.root, ...given];
  if (!hashes.length) return false;
  let [at, last] = [first.size - 1n, second.size - 1n];
  while (at & 1n) [at, last] = [at >> 1n, last >> 1n];
  let [older, newer] = [hashes[0], hashes[0]];
  for (const one of hashes.slice(1)) {
    if (last === 0n) return false;
    if (at & 1n || at === last) {
      [older, newer] = [await node(one, older), await node(one, newer)];
      while (at && !(at & 1n)) [at, last] = [at >> 1n, last >> 1n];
    } else newer = await node(newer, one);
    [at, last] = [at >> 1n, last >> 1n];
  }
  return last === 0n && same(older, first.root) && same(newer, second.root);
}

/** The older and the newer checkpoint of a consistency proof that holds. */
export async function checkConsistency(text, keys) {
  const proof = read(text, ["first", "format", "hashes", "second"], "consistency proof");
  if (proof.format !== CONSISTENCY_FORMAT || !Array.isArray(proof.hashes)) refuse("The proof is in another format.");
  const first = await openCheckpoint(String(proof.first), keys);
  const second = await openCheckpoint(String(proof.second), keys);
  const hashes = proof.hashes.map((one) => readBase64(one, "a hash of the proof"));
  if (!(await isConsistent(first, second, hashes))) {
    refuse(`The log of ${second.size} entries does not begin with the ${first.size} that it signed before.`);
  }
  return { first, second };
}
