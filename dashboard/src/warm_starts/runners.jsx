// The lists of idle and executing runners, with one filter for both. "Retire…" lets idle runners exit.

import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { openDialog } from "../components/dialog.jsx";
import { Icon } from "../components/icon.jsx";
import { Table } from "../components/table.jsx";
import { count, machineSize, plural, wholeDuration } from "../format.js";
import { executing, filteredExecuting, filteredWaiting, now, runnerFilter, stats, waiting } from "../state.js";
import { SetupHint } from "./setup_hint.jsx";

const NameWithDetail = ({ name, detail }) => <span class="name-with-detail" title={`${name} ${detail}`}><b>{name}</b> <small>{detail}</small></span>;
const Since = ({ row }) => wholeDuration(now.value - row.since);

const RUNNER = { name: "Runner", class: "wide", cell: (row) => <NameWithDetail name={row.runner} detail={row.worker} /> };
const DEPLOYMENT = { name: "Deployment", class: "pool", cell: (row) => <NameWithDetail name={row.deployment} detail={row.version} /> };
const MACHINE = { name: "Machine", class: "machine", cell: machineSize };

const IDLE_COLUMNS = [
  RUNNER,
  DEPLOYMENT,
  MACHINE,
  { name: "Idle for", class: "time", cell: (row) => <Since row={row} /> },
  {
    name: <span class="visually-hidden">Actions</span>,
    class: "row-action",
    cell: ({ runner }) => (
      <button type="button" class="button quiet small" aria-label={`Retire ${runner}…`} onClick={() => openDialog("retire", { runner })}>Retire…</button>
    ),
  },
];
const EXECUTING_COLUMNS = [
  RUNNER,
  {
    name: "Run",
    class: "wide",
    cell: ({ run, deployment, version }) => <span class="mono" title={`${run} of ${deployment}:${version}`}>{run}</span>,
  },
  { name: "Running for", class: "time", cell: (row) => <Since row={row} /> },
];

export function Runners() {
  return (
    <section aria-labelledby="runners-title">
      <div class="section-head">
        <h2 id="runners-title">Runners</h2>
        <Filter />
      </div>
      <div class="pair uneven">
        <div class="card">
          <Title name="Idle" shown={filteredWaiting.value.length} all={waiting.list.value.length} />
          <Table label="Idle runners" columns={IDLE_COLUMNS} rows={filteredWaiting.value} empty={<NoIdleRunner />} />
        </div>
        <div class="card">
          <Title name="Executing" shown={filteredExecuting.value.length} all={executing.list.value.length} />
          <Table label="Executing runners" columns={EXECUTING_COLUMNS} rows={filteredExecuting.value} empty={runnerFilter.value ? <NoMatch /> : <NoExecutingRunner />} />
        </div>
      </div>
    </section>
  );
}

const Title = ({ name, shown, all }) => (
  <h3>{name} <span class="badge">{shown === all ? count(all) : `${count(shown)} of ${count(all)}`}</span></h3>
);

/** The setup hint is for new users only. If a run was offered or is executing, runners are set up already. */
function NoIdleRunner() {
  if (runnerFilter.value) return <NoMatch />;
  if (stats.value.totalMatches === 0 && executing.list.value.length === 0) return <SetupHint />;
  return <p><strong>No runner is waiting.</strong> A run that is offered now starts cold.</p>;
}

const NoMatch = () => (
  <p>No runner matches this filter. <button type="button" class="link" onClick={() => (runnerFilter.value = "")}>Show all</button></p>
);

const NoExecutingRunner = () => <p>No runner is executing. A runner is listed here from its dispatch until its next poll.</p>;

const ANNOUNCE_AFTER_MS = 700;

/** What screen readers read aloud when the user stops typing in the filter. The counts change too often to be read at every change. */
const announcement = signal("");

function Filter() {
  useEffect(() => {
    const text = runnerFilter.value
      ? `${plural(filteredWaiting.peek().length, "idle runner")} and ${count(filteredExecuting.peek().length)} executing match`
      : "";
    const timer = setTimeout(() => (announcement.value = text), ANNOUNCE_AFTER_MS);
    return () => clearTimeout(timer);
  }, [runnerFilter.value]);
  return (
    <search class="filter">
      <Icon name="search" />
      <input
        type="search"
        aria-label="Filter runners"
        placeholder="Filter by runner, node, deployment, version or run"
        value={runnerFilter.value}
        onInput={(event) => (runnerFilter.value = event.currentTarget.value)}
        onKeyDown={(event) => event.key === "Escape" && (runnerFilter.value = "")}
        autocomplete="off"
        spellcheck={false}
      />
      <span class="visually-hidden" role="status">{announcement.value}</span>
    </search>
  );
}
