import { before, count, machine, micros, time } from "../format.js";
import { now, offers, stats } from "../state.js";
import { Table } from "./table.jsx";

const MEANS = {
  acknowledged: "the runner's kernel has every byte",
  unread: "acknowledged, but the program never read it",
  unconfirmed: "written; this platform cannot tell more",
  cold: "nobody took it; the supervisor starts it cold",
};

const Outcome = ({ outcome }) => <span class={`outcome ${outcome}`} title={MEANS[outcome]}>{outcome}</span>;

const COLUMNS = [
  { name: "Run", class: "wide", cell: ({ run }) => <span class="clip mono" title={run}>{run}</span> },
  { name: "Outcome", class: "outcome-col", cell: Outcome },
  { name: "Answered in", class: "number", cell: ({ answeredInUs }) => micros(answeredInUs) },
  { name: "Dispatches", class: "number narrow", cell: ({ dispatches }) => dispatches },
  { name: "Runner", class: "wide", cell: ({ runner, worker }) => (runner ? <span class="clip" title={`${runner} ${worker}`}>{runner}</span> : <span class="none">nobody</span>) },
  { name: "Deployment", class: "pool", cell: ({ deployment, version }) => <span class="clip" title={`${deployment}:${version}`}>{deployment}<small>:{version}</small></span> },
  { name: "Machine", class: "machine", cell: machine },
  { name: "When", class: "time", cell: ({ at }) => <span title={time(at)}>{before(now.value - at)}</span> },
];

export function Offers() {
  const { recentMatchesCount } = stats.value;
  return (
    <section aria-labelledby="offers-title">
      <div class="section-head">
        <h2 id="offers-title">Recent offers</h2>
        {recentMatchesCount > 0 && <p class="hint">the latest {count(offers.value.length)} of {count(recentMatchesCount)} remembered</p>}
      </div>
      <div class="card tall">
        <Table label="Recent offers" columns={COLUMNS} rows={offers.value} empty={<NoOffers />} />
      </div>
    </section>
  );
}

const NoOffers = () => (
  <p><strong>No run was offered yet.</strong> A supervisor with <code>TRIGGER_WARM_START_URL</code> set offers each run here before it starts one cold.</p>
);
