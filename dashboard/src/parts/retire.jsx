import { useState } from "preact/hooks";
import { retire } from "../api.js";
import { plural } from "../format.js";
import { executing, waiting } from "../state.js";
import { Buttons, Dialog, hide } from "./dialog.jsx";
import { done } from "./notice.jsx";

const FIELDS = [
  ["deployment", "Deployment", "deployment_…"],
  ["version", "Version", "20240101.1"],
  ["runner", "Runner", "the runner's identity"],
];

const wishOf = (fields) => Object.fromEntries(Object.entries(fields).filter(([, text]) => text !== ""));

export function RetireDialog({ deployment = "", version = "", runner = "" }) {
  const [fields, setFields] = useState({ deployment, version, runner });
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const wish = wishOf(fields);
  const nobody = Object.keys(wish).length === 0;
  const go = async () => {
    setBusy(true);
    try {
      const { retired } = await retire(wish);
      hide();
      done(`${plural(retired, "idle runner")} told to exit.`);
    } catch (failure) {
      setError(failure.message);
      setBusy(false);
    }
  };
  return (
    <Dialog title="Retire runners" onSubmit={go}>
      <p>Runners that fit every name given here will exit. Leave empty what does not matter.</p>
      {FIELDS.map(([name, label, hint]) => (
        <label class="field">
          <span>{label}</span>
          <input
            type="text"
            value={fields[name]}
            placeholder={hint}
            onInput={(event) => setFields({ ...fields, [name]: event.currentTarget.value.trim() })}
            autocomplete="off"
            spellcheck={false}
          />
        </label>
      ))}
      <Consequence wish={wish} nobody={nobody} />
      {error && <p class="error" role="alert">That failed: {error}.</p>}
      <Buttons does="Retire" busy={busy} disabled={nobody} />
    </Dialog>
  );
}

/** What will happen, by what is known now. */
function Consequence({ wish, nobody }) {
  if (nobody) return <p class="consequence">Name at least one of them.</p>;
  const fits = (row) => Object.entries(wish).every(([name, text]) => row[name] === text);
  const idle = waiting.list.value.filter(fits).length;
  const busy = executing.list.value.filter(fits).length;
  return (
    <ul class="consequence">
      <li><strong>{plural(idle, "idle runner")}</strong> will be told to exit now.</li>
      <li><strong>{plural(busy, "executing runner")}</strong> will finish and be told when they come back.</li>
      <li>Runners that fit and come within an hour are turned away. This cannot be taken back.</li>
    </ul>
  );
}
