// Works on JSON text instead of parsed values, so that numbers keep digits which a JavaScript number would lose.

/** Each token of a JSON text: a string, a number or literal, or a punctuation mark. */
const TOKENS = /"(?:[^"\\]|\\.)*"|[^\s"{}[\],:]+|[{}[\],:]/g;

/** The closing bracket of each opening bracket. */
const CLOSING = { "{": "}", "[": "]" };

/** The JSON text of one field of a JSON object; undefined when the object has no such field. */
export function fieldText(text, name) {
  const wanted = JSON.stringify(name);
  let depth = 0;
  let valueStart = -1;
  for (const { 0: token, index } of text.matchAll(TOKENS)) {
    if (valueStart >= 0 && depth === 1 && (token === "," || token === "}")) return text.slice(valueStart, index).trim();
    if (token in CLOSING) depth += 1;
    if (token === "}" || token === "]") depth -= 1;
    if (valueStart < 0 && depth === 1 && token === wanted && /^\s*:/.test(text.slice(index + token.length, index + token.length + 64))) {
      valueStart = text.indexOf(":", index + token.length) + 1;
    }
  }
  return undefined;
}

/** Indents a JSON text, one line for each value. */
export function indent(text) {
  const lines = [""];
  let depth = 0;
  let previous = null;
  const append = (token) => (lines[lines.length - 1] += token);
  const newLine = () => lines.push("  ".repeat(depth));
  for (const [token] of text.matchAll(TOKENS)) {
    const closes = token === "}" || token === "]";
    if (closes) depth -= 1;
    if (previous in CLOSING ? token !== CLOSING[previous] : closes) newLine();
    append(token === ":" ? ": " : token);
    if (token in CLOSING) depth += 1;
    if (token === ",") newLine();
    previous = token;
  }
  return lines.join("\n");
}

/** Why a text is not valid as a job's parameters; null when it is valid. */
export function parametersError(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return `This is not JSON: ${error.message}.`;
  }
  return typeof value === "object" && value !== null ? null : "Parameters must be an object or a list, such as {\"name\": \"World\"}.";
}
