import { useEffect, useState } from "preact/hooks";
import { fetchJobs, fetchRunners, submitJob } from "../api.js";
import { useAction } from "../components/use_action.js";
import { parametersError } from "../json.js";
import { jobHref, navigate } from "../route.js";
import { submission } from "./common.jsx";

/** What the service's answer to a submission means: a new job, a cached result, or a job under way that it joined. */
export const submissionOutcome = ({ isNew, status }) => (isNew ? "new" : status === "completed" || status === "failed" ? "cached" : "joined");

export function SubmitPage() {
  const [fields, setFields] = useState({ jobType: "", input: "{\n  \n}", priority: "0", fresh: false });
  const invalid = parametersError(fields.input);
  const setter = (name, property = "value") => (event) => setFields({ ...fields, [name]: event.currentTarget[property] });
  const { run, busy, error } = useAction(async () => {
    const answer = await submitJob({ ...fields, priority: Number(fields.priority) });
    submission.value = { id: answer.job_id, outcome: submissionOutcome(answer) };
    navigate(jobHref(answer.job_id));
  });
  const submit = (event) => {
    event.preventDefault();
    run();
  };
  return (
    <>
      <p class="breadcrumbs"><a href="#/jobs">All jobs</a> <span aria-hidden="true">/</span> Submit</p>
      <form class="card submit" onSubmit={submit} aria-labelledby="submit-title">
        <h2 id="submit-title">Submit a job</h2>
        <p class="note">Jobs of the same type with equal parameters are the same job, in any order of fields. A cached result is returned at once.</p>
        <label class="field">
          <span>Type</span>
          <input type="text" value={fields.jobType} onInput={setter("jobType")} list="known-types" placeholder="hello_world" autocomplete="off" spellcheck={false} required />
        </label>
        <KnownTypes />
        <label class="field">
          <span>Parameters</span>
          <textarea
            class="mono"
            rows={10}
            value={fields.input}
            onInput={setter("input")}
            aria-invalid={invalid !== null}
            aria-describedby="parameters-validation"
            spellcheck={false}
            autocapitalize="off"
          />
        </label>
        <p class={`validation ${invalid ? "invalid" : ""}`} id="parameters-validation" role="status">{invalid ?? "Valid JSON."}</p>
        <div class="row">
          <label class="field">
            <span>Priority</span>
            <input type="number" value={fields.priority} onInput={setter("priority")} step="1" min="-2147483648" max="2147483647" required />
          </label>
          <label class="checkbox">
            <input type="checkbox" checked={fields.fresh} onInput={setter("fresh", "checked")} />
            <span>Compute again, even if a result is cached</span>
          </label>
        </div>
        {error && <p class="error" role="alert">Failed to submit the job: {error}.</p>}
        <div class="buttons">
          <a class="button quiet" href="#/jobs">Back</a>
          <button type="submit" class="button primary" disabled={busy || invalid !== null || fields.jobType.trim() === ""}>Submit</button>
        </div>
      </form>
    </>
  );
}

/** Suggests the job types of registered runners and of recent jobs. */
function KnownTypes() {
  const [types, setTypes] = useState([]);
  useEffect(() => {
    Promise.all([fetchRunners(), fetchJobs("")]).then(
      ([{ runners }, { jobs }]) =>
        setTypes([...new Set([...runners.flatMap(({ capabilities }) => capabilities), ...jobs.map(({ job_type }) => job_type)])].sort()),
      () => {}, // Without suggestions the user types the job type.
    );
  }, []);
  return <datalist id="known-types">{types.map((type) => <option value={type} />)}</datalist>;
}
