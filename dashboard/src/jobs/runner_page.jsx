import { fetchRunner } from "../api.js";
import { Table } from "../components/table.jsx";
import { date } from "../format.js";
import { CHANGED, JOB, STATUS, SUBMITTED, TimeAgo, TYPE, withIds } from "./common.jsx";
import { useQuery } from "./use_query.js";

const COLUMNS = [JOB, TYPE, STATUS, SUBMITTED, CHANGED];

/** One registered job runner and its latest jobs. */
export function RunnerPage({ id }) {
  const { value, error } = useQuery(() => fetchRunner(id), id);
  return (
    <>
      <p class="breadcrumbs"><a href="#/jobs">All jobs</a> <span aria-hidden="true">/</span> Runner</p>
      {error && <p class="error" role="alert">{error.status === 404 ? `No runner is registered as ${id}. Runners may execute jobs without registering.` : `Failed to load the runner: ${error.message}.`}</p>}
      {value && <RunnerDetails runner={value} />}
    </>
  );
}

const RunnerDetails = ({ runner }) => (
  <>
    <section class="card facts" aria-labelledby="runner-title">
      <h2 id="runner-title" class="truncated">{runner.name}</h2>
      <dl>
        <div><dt>Runner id</dt><dd class="mono">{runner.runner_id}</dd></div>
        <div><dt>Job types</dt><dd>{runner.capabilities.join(", ")}</dd></div>
        <div><dt>Last seen</dt><dd><TimeAgo at={runner.last_seen} />{runner.is_active ? "" : ", inactive"}</dd></div>
        <div><dt>Registered</dt><dd>{date(runner.registered_at)}</dd></div>
      </dl>
    </section>
    <section aria-labelledby="runner-jobs-title">
      <div class="section-head"><h2 id="runner-jobs-title">Latest jobs</h2></div>
      <div class="card list">
        <Table label="Latest jobs" columns={COLUMNS} rows={withIds(runner.jobs)} empty={<p>This runner has had no job yet.</p>} />
      </div>
    </section>
  </>
);
