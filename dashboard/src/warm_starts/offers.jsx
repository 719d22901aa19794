import { Table } from "../components/table.jsx";
import { count, machineSize, micros, time, timeAgo } from "../format.js";
import { now, offers, stats } from "../state.js";

const OUTCOME_MEANINGS = {
  acknowledged: "the runner's kernel acknowledged every byte",
  unread: "acknowledged, then the connection was reset before the runner read the run",
  unconfirmed: "written to the socket; this platform cannot confirm more",
  cold: "no poll took the run; the supervisor cold-starts it",
};

const Outcome = ({ outcome }) => <span class={`outcome ${outcome}`} title={OUTCOME_MEANINGS[outcome]}>{outcome}</span>;

const COLUMNS = [
  { name: "Run", class: "wide", cell: ({ run }) => <span class="truncated mono" title={run}>{run}</span> },
  { name: "Outcome", class: "outcome-column", cell: Outcome },
  { name: "Answered in", class: "number", cell: ({ answeredInUs }) => micros(answeredInUs) },
  { name: "Dispatches", class: "number narrow", cell: ({ dispatches }) => dispatches },
  { name: "Runner", class: "wide", cell: ({ runner, worker }) => (runner ? <span class="truncated" title={`${runner} ${worker}`}>{runner}</span> : <span class="none">none</span>) },
  { name: "Deployment", class: "pool", cell: ({ deployment, version }) => <span class="truncated" title={`${deployment}:${version}`}>{deployment}<small>:{version}</small></span> },
  { name: "Machine", class: "machine", cell: machineSize },
  { name: "Time", class: "time", cell: ({ at }) => <span title={time(at)}>{timeAgo(now.value - at)}</span> },
];

export function Offers() {
  const { recentMatchesCount } = stats.value;
  return (
    <section aria-labelledby="offers-title">
      <div class="section-head">
        <h2 id="offers-title">Recent offers</h2>
        {recentMatchesCount > 0 && <p class="hint">the latest {count(offers.value.length)} of {count(recentMatchesCount)} recorded</p>}
      </div>
      <div class="card tall">
        <Table label="Recent offers" columns={COLUMNS} rows={offers.value} empty={<NoOffers />} />
      </div>
    </section>
  );
}

const NoOffers = () => (
  <p><strong>No run was offered yet.</strong> A supervisor with <code>TRIGGER_WARM_START_URL</code> set offers each run here before it cold-starts the run.</p>
);
