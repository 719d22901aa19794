import { useEffect, useState } from "preact/hooks";
import { askJobs, askRunners, submitJob } from "../api.js";
import { wrongParameters } from "../json.js";
import { go, toJob } from "../route.js";
import { arrival } from "./words.jsx";

/** How a submission came to its job, by what it was answered. */
export const how = ({ isNew, status }) => (isNew ? "new" : status === "completed" || status === "failed" ? "cached" : "joined");

export function Submit() {
  const [fields, setFields] = useState({ jobType: "", input: "{\n  \n}", priority: "0", fresh: false });
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const wrong = wrongParameters(fields.input);
  const set = (name, of = "value") => (event) => setFields({ ...fields, [name]: event.currentTarget[of] });
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      const told = await submitJob({ ...fields, priority: Number(fields.priority) });
      arrival.value = { id: told.job_id, how: how(told) };
      go(toJob(told.job_id));
    } catch (failure) {
      setError(failure.message);
      setBusy(false);
    }
  };
  return (
    <>
      <p class="crumbs"><a href="#/jobs">All jobs</a> <span aria-hidden="true">/</span> Submit</p>
      <form class="card submit" onSubmit={submit} aria-labelledby="submit-title">
        <h2 id="submit-title">Submit a job</h2>
        <p class="note">Equal parameters are one job, in whatever order they are written: what is known is answered at once.</p>
        <label class="field">
          <span>Type</span>
          <input type="text" value={fields.jobType} onInput={set("jobType")} list="known-types" placeholder="hello_world" autocomplete="off" spellcheck={false} required />
        </label>
        <KnownTypes />
        <label class="field">
          <span>Parameters</span>
          <textarea
            class="mono"
            rows={10}
            value={fields.input}
            onInput={set("input")}
            aria-invalid={wrong !== null}
            aria-describedby="parameters-say"
            spellcheck={false}
            autocapitalize="off"
          />
        </label>
        <p class={`says ${wrong ? "bad" : ""}`} id="parameters-say" role="status">{wrong ?? "Valid JSON."}</p>
        <div class="row">
          <label class="field">
            <span>Priority</span>
            <input type="number" value={fields.priority} onInput={set("priority")} step="1" min="-2147483648" max="2147483647" required />
          </label>
          <label class="tick">
            <input type="checkbox" checked={fields.fresh} onInput={set("fresh", "checked")} />
            <span>Compute it again, whatever is known</span>
          </label>
        </div>
        {error && <p class="error" role="alert">That failed: {error}.</p>}
        <div class="buttons">
          <a class="button quiet" href="#/jobs">Back</a>
          <button type="submit" class="button primary" disabled={busy || wrong !== null || fields.jobType.trim() === ""}>Submit</button>
        </div>
      </form>
    </>
  );
}

/** Suggestions: what runners can do, and what was submitted lately. */
function KnownTypes() {
  const [types, setTypes] = useState([]);
  useEffect(() => {
    Promise.all([askRunners(), askJobs("")]).then(
      ([{ runners }, { jobs }]) =>
        setTypes([...new Set([...runners.flatMap(({ capabilities }) => capabilities), ...jobs.map(({ job_type }) => job_type)])].sort()),
      () => {}, // It is typed then.
    );
  }, []);
  return <datalist id="known-types">{types.map((type) => <option value={type} />)}</datalist>;
}
