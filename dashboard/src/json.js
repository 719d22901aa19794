// JSON as it was written: numbers keep the digits that a JavaScript number would lose.

/** Each token of a JSON text: texts, the rest of what stands between marks, and the marks. */
const TOKENS = /"(?:[^"\\]|\\.)*"|[^\s"{}[\],:]+|[{}[\],:]/g;

const OPENS = { "{": "}", "[": "]" };

/** The text of one field of a JSON object; undefined when it has none. */
export function field(text, name) {
  const wanted = JSON.stringify(name);
  let depth = 0;
  let begins = -1;
  for (const { 0: token, index } of text.matchAll(TOKENS)) {
    if (begins >= 0 && depth === 1 && (token === "," || token === "}")) return text.slice(begins, index).trim();
    if (token in OPENS) depth += 1;
    if (token === "}" || token === "]") depth -= 1;
    if (begins < 0 && depth === 1 && token === wanted && /^\s*:/.test(text.slice(index + token.length, index + token.length + 64))) {
      begins = text.indexOf(":", index + token.length) + 1;
    }
  }
  return undefined;
}

/** With a line for each value. */
export function pretty(text) {
  const lines = [""];
  let depth = 0;
  let before = null;
  const add = (more) => (lines[lines.length - 1] += more);
  const line = () => lines.push("  ".repeat(depth));
  for (const [token] of text.matchAll(TOKENS)) {
    const closes = token === "}" || token === "]";
    if (closes) depth -= 1;
    if (before in OPENS ? token !== OPENS[before] : closes) line();
    add(token === ":" ? ": " : token);
    if (token in OPENS) depth += 1;
    if (token === ",") line();
    before = token;
  }
  return lines.join("\n");
}

/** Why a text cannot be a job's parameters; null when it can. */
export function wrongParameters(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return `This is not JSON: ${error.message}.`;
  }
  return typeof value === "object" && value !== null ? null : "Parameters are an object, such as {\"name\": \"World\"}.";
}
