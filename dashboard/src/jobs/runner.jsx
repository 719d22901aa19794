import { askRunner } from "../api.js";
import { date } from "../format.js";
import { Table } from "../parts/table.jsx";
import { useAnswer } from "./asked.js";
import { CHANGED, JOB, STATUS, SUBMITTED, TYPE, When, withIds } from "./words.jsx";

const COLUMNS = [JOB, TYPE, STATUS, SUBMITTED, CHANGED];

/** One runner of jobs, and the last jobs that it has or had. */
export function JobRunner({ id }) {
  const { value, error } = useAnswer(() => askRunner(id), id);
  return (
    <>
      <p class="crumbs"><a href="#/jobs">All jobs</a> <span aria-hidden="true">/</span> Runner</p>
      {error && <p class="error" role="alert">{error.status === 404 ? `Nobody registered as ${id}. A runner may execute jobs without.` : `That failed: ${error.message}.`}</p>}
      {value && <Found runner={value} />}
    </>
  );
}

const Found = ({ runner }) => (
  <>
    <section class="card facts" aria-labelledby="runner-title">
      <h2 id="runner-title" class="clip">{runner.name}</h2>
      <dl>
        <div><dt>Identity</dt><dd class="mono">{runner.runner_id}</dd></div>
        <div><dt>Types</dt><dd>{runner.capabilities.join(", ")}</dd></div>
        <div><dt>Last seen</dt><dd><When at={runner.last_seen} />{runner.is_active ? "" : ", silent since"}</dd></div>
        <div><dt>Registered</dt><dd>{date(runner.registered_at)}</dd></div>
      </dl>
    </section>
    <section aria-labelledby="runner-jobs-title">
      <div class="section-head"><h2 id="runner-jobs-title">Its last jobs</h2></div>
      <div class="card list">
        <Table label="Its last jobs" columns={COLUMNS} rows={withIds(runner.jobs)} empty={<p>It had no job yet.</p>} />
      </div>
    </section>
  </>
);
