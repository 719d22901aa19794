import { useState } from "preact/hooks";
import { retire } from "../api.js";
import { closeDialog, Dialog, DialogButtons } from "../components/dialog.jsx";
import { notifySuccess } from "../components/notice.jsx";
import { useAction } from "../components/use_action.js";
import { plural } from "../format.js";
import { executing, waiting } from "../state.js";

/** [name in the request, label, placeholder] */
const FIELDS = [
  ["deployment", "Deployment", "deployment_…"],
  ["version", "Version", "20240101.1"],
  ["runner", "Runner", "runner id"],
];

/** The fields that are filled in. */
const runnerFilterOf = (fields) => Object.fromEntries(Object.entries(fields).filter(([, text]) => text !== ""));

export function RetireDialog({ deployment = "", version = "", runner = "" }) {
  const [fields, setFields] = useState({ deployment, version, runner });
  const filter = runnerFilterOf(fields);
  const isEmpty = Object.keys(filter).length === 0;
  const { run, busy, error } = useAction(async () => {
    const { retired } = await retire(filter);
    closeDialog();
    notifySuccess(`${plural(retired, "idle runner")} retired.`);
  });
  return (
    <Dialog title="Retire runners" onSubmit={run}>
      <p>Retires the runners that match every filled field.</p>
      {FIELDS.map(([name, label, placeholder]) => (
        <label class="field">
          <span>{label}</span>
          <input
            type="text"
            value={fields[name]}
            placeholder={placeholder}
            onInput={(event) => setFields({ ...fields, [name]: event.currentTarget.value.trim() })}
            autocomplete="off"
            spellcheck={false}
          />
        </label>
      ))}
      <Consequence filter={filter} isEmpty={isEmpty} />
      {error && <p class="error" role="alert">Failed to retire runners: {error}.</p>}
      <DialogButtons confirm="Retire" busy={busy} disabled={isEmpty} />
    </Dialog>
  );
}

/** What the request will do, as far as the page can compute it from the runners that it shows. */
function Consequence({ filter, isEmpty }) {
  if (isEmpty) return <p class="consequence">Fill in at least one field.</p>;
  const matches = (row) => Object.entries(filter).every(([name, text]) => row[name] === text);
  const idle = waiting.list.value.filter(matches).length;
  const busy = executing.list.value.filter(matches).length;
  return (
    <ul class="consequence">
      <li><strong>{plural(idle, "idle runner")}</strong> will exit now.</li>
      <li><strong>{plural(busy, "executing runner")}</strong> will exit after the run.</li>
      <li>Matching runners that poll within one hour exit too. This cannot be undone.</li>
    </ul>
  );
}
