// What the log's files are spelled in: JSON in which nothing is named twice, and canonical base64.
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\]:,]|[^\s"{}[\]:,]+/gsu;

/** Something does not hold; the text is one sentence. */
export class ProofError extends Error {}

/** Throws the sentence as a ProofError. */
export function refuse(sentence) {
  throw new ProofError(sentence);
}

/** The bytes of the base64 in its one spelling. */
export function readBase64(text, what) {
  let raw;
  try {
    raw = atob(text);
  } catch {
    return refuse(`There is no canonical base64 where ${what} should be.`);
  }
  if (typeof text !== "string" || btoa(raw) !== text) refuse(`There is no canonical base64 where ${what} should be.`);
  return Uint8Array.from(raw, (one) => one.charCodeAt(0));
}

/** The object of a JSON text with just these parts. */
export function read(text, parts, what) {
  let found;
  try {
    found = JSON.parse(text);
  } catch {
    refuse(`The ${what} is not JSON.`);
  }
  if (found === null || typeof found !== "object" || Array.isArray(found)) refuse(`The ${what} is not a JSON object.`);
  if (!isPlain(text)) refuse(`The ${what} names something twice, or has a number that is not whole.`);
  if (Object.keys(found).sort().join() !== parts.join()) refuse(`The ${what} has other parts than a ${what} has.`);
  return found;
}

// JSON.parse takes the last of two values of one name, where others take the first.
function isPlain(text) {
  const tokens = text.match(TOKEN);
  const open = [];
  for (const [at, token] of tokens.entries()) {
    if (token === "{" || token === "[") open.push(new Set());
    else if (token === "}" || token === "]") open.pop();
    else if (token[0] === '"' && tokens[at + 1] === ":") {
      const name = JSON.parse(token);
      if (open.at(-1).has(name)) return false;
      open.at(-1).add(name);
    } else if (/^[-0-9]/.test(token) && !isWhole(token)) return false;
  }
  return true;
}

const isWhole = (token) => /^(0|[1-9][0-9]*)$/.test(token) && Number.isSafeInteger(Number(token));
