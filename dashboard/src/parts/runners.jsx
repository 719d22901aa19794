import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ago, count, machine, plural } from "../format.js";
import { executing, now, query, shownExecuting, shownWaiting, stats, waiting } from "../state.js";
import { show } from "./dialog.jsx";
import { FirstRunner } from "./first_runner.jsx";
import { Icon } from "./icon.jsx";
import { Table } from "./table.jsx";

const Named = ({ name, under }) => <span class="named" title={`${name} ${under}`}><b>{name}</b> <small>{under}</small></span>;
const Since = ({ row }) => ago(now.value - row.since);

const WHO = { name: "Runner", class: "wide", cell: (row) => <Named name={row.runner} under={row.worker} /> };
const POOL = { name: "Deployment", class: "pool", cell: (row) => <Named name={row.deployment} under={row.version} /> };
const MACHINE = { name: "Machine", class: "machine", cell: machine };

const IDLE = [
  WHO,
  POOL,
  MACHINE,
  { name: "Waits for", class: "time", cell: (row) => <Since row={row} /> },
  {
    name: <span class="unseen">Actions</span>,
    class: "act",
    cell: ({ runner }) => (
      <button type="button" class="button quiet small" aria-label={`Retire ${runner}…`} onClick={() => show("retire", { runner })}>Retire…</button>
    ),
  },
];
const AT_WORK = [
  WHO,
  {
    name: "Run",
    class: "wide",
    cell: ({ run, deployment, version }) => <span class="mono" title={`${run} of ${deployment}:${version}`}>{run}</span>,
  },
  { name: "Executes for", class: "time", cell: (row) => <Since row={row} /> },
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
          <Title name="Idle" shown={shownWaiting.value.length} all={waiting.list.value.length} />
          <Table label="Idle runners" columns={IDLE} rows={shownWaiting.value} empty={<NobodyWaits />} />
        </div>
        <div class="card">
          <Title name="Executing" shown={shownExecuting.value.length} all={executing.list.value.length} />
          <Table label="Executing runners" columns={AT_WORK} rows={shownExecuting.value} empty={query.value ? <NothingFits /> : <NobodyWorks />} />
        </div>
      </div>
    </section>
  );
}

const Title = ({ name, shown, all }) => (
  <h3>{name} <span class="badge">{shown === all ? count(all) : `${count(shown)} of ${count(all)}`}</span></h3>
);

/** A newcomer is told what to set; where runs were offered already, somebody knows. */
function NobodyWaits() {
  if (query.value) return <NothingFits />;
  if (stats.value.totalMatches === 0 && executing.list.value.length === 0) return <FirstRunner />;
  return <p><strong>No runner is waiting.</strong> A run that is offered now starts cold.</p>;
}

const NothingFits = () => (
  <p>No runner fits this filter. <button type="button" class="link" onClick={() => (query.value = "")}>Show all</button></p>
);

const NobodyWorks = () => <p>Nobody executes a run. A runner is listed here from its match until it polls again.</p>;

/** What is said aloud once somebody has stopped typing; the counts themselves change all the time. */
const found = signal("");

function Filter() {
  useEffect(() => {
    const said = query.value
      ? `${plural(shownWaiting.peek().length, "idle runner")} and ${count(shownExecuting.peek().length)} executing fit`
      : "";
    const timer = setTimeout(() => (found.value = said), 700);
    return () => clearTimeout(timer);
  }, [query.value]);
  return (
    <search class="filter">
      <Icon name="search" />
      <input
        type="search"
        aria-label="Filter runners"
        placeholder="Filter by runner, node, deployment, version or run"
        value={query.value}
        onInput={(event) => (query.value = event.currentTarget.value)}
        onKeyDown={(event) => event.key === "Escape" && (query.value = "")}
        autocomplete="off"
        spellcheck={false}
      />
      <span class="unseen" role="status">{found.value}</span>
    </search>
  );
}
