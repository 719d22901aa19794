import { signal } from "@preact/signals";
import { askJobs, askRunners } from "../api.js";
import { count, lasting, percent, plural, time } from "../format.js";
import { Chart } from "../parts/chart.jsx";
import { Card, lastHour } from "../parts/charts.jsx";
import { Line } from "../parts/line.jsx";
import { Count, Share } from "../parts/numbers.jsx";
import { Settings } from "../parts/settings.jsx";
import { Table } from "../parts/table.jsx";
import { jobs, jobSeries } from "../state.js";
import { useAnswer } from "./asked.js";
import { CHANGED, JOB, keyed, RunnerLink, STATUS, STATUSES, SUBMITTED, TYPE, When, withIds } from "./words.jsx";

export function Jobs() {
  const runners = useAnswer(askRunners, "runners");
  return (
    <>
      <JobNumbers />
      <JobCharts />
      <Latest runners={runners.value?.runners ?? []} />
      <JobRunners {...runners} />
      <Settings of="jobs" />
    </>
  );
}

function JobNumbers() {
  const { counts, totals, waiting } = jobs.value;
  const { pending, claimed, in_progress } = counts?.jobs ?? {};
  const asked = totals.new + totals.joined + totals.cached;
  const rate = asked === 0 ? null : (100 * (totals.joined + totals.cached)) / asked;
  return (
    <section class="card numbers" aria-label="Counts of jobs">
      <Share name="Answered without computing" test="cache-rate" rate={rate} none="no submissions yet" says="percent of the submissions were not computed again" />
      <dl>
        <Count name="Saved" value={lasting(totals.savedMs)} note={`${count(totals.cached)} from the cache, ${count(totals.joined)} joined`} />
        <Count name="Pending" value={pending ?? "–"} note="jobs that wait for a runner" />
        <Count name="Running" value={counts ? claimed + in_progress : "–"} note="jobs that a runner has" />
        <Count name="Waiting" value={waiting} note={counts ? `polls; ${plural(counts.runners.active, "runner")} active` : "polls"} />
      </dl>
    </section>
  );
}

function JobCharts() {
  const hour = lastHour(jobSeries);
  return (
    <div class="pair">
      <Card title="Cache hits" unit="last hour, every 15 s" id="cache-chart">
        <Chart {...cacheChart(hour)} />
      </Card>
      <Card title="Saved time" unit="execution that was not spent again" id="saved-chart">
        <Chart {...savedChart(hour)} />
      </Card>
    </div>
  );
}

const submissions = (bucket) => bucket.new + bucket.joined + bucket.cached;

function cacheChart({ at, found }) {
  const all = found.map((bucket) => (bucket && submissions(bucket)) || null);
  const rates = found.map((bucket, index) => (all[index] ? (100 * (bucket.joined + bucket.cached)) / all[index] : null));
  const latest = rates.findLast((rate) => rate !== null);
  return {
    label: latest === undefined ? "No submissions in the last hour" : `Cache hits over the last hour; latest ${percent(latest)} percent`,
    data: [at, all, rates],
    lines: [
      { name: "Submissions", colour: "bars", bars: true, scale: "offers", show: count },
      { name: "Not computed again", colour: "accent", fill: "accent-soft", scale: "y", show: (value) => `${percent(value)} %` },
    ],
    scale: { range: () => [0, 102] },
    ticks: () => [0, 25, 50, 75, 100],
    show: (value) => `${value} %`,
    when: (value) => time(value * 1000),
    isEmpty: latest === undefined,
  };
}

function savedChart({ at, found }) {
  const ended = found.map((bucket) => (bucket && bucket.completed + bucket.failed) || null);
  const saved = found.map((bucket) => (bucket ? bucket.savedMs : null));
  const all = saved.reduce((sum, ms) => sum + (ms ?? 0), 0);
  const nothing = found.every((bucket) => !bucket);
  return {
    label: nothing ? "No jobs in the last hour" : `Saved time over the last hour: ${lasting(all)}`,
    data: [at, ended, saved],
    lines: [
      { name: "Jobs ended", colour: "bars", bars: true, scale: "offers", show: count },
      { name: "Saved", colour: "accent", fill: "accent-soft", scale: "y", show: lasting },
    ],
    scale: { range: (_, low, high) => [0, Math.max(1000, 1.05 * (high ?? 0))] },
    ticks: (_, __, low, high) => steps(high),
    show: step,
    when: (value) => time(value * 1000),
    isEmpty: nothing,
  };
}

const STEPS_MS = [200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000];

/** Whole steps of time up to this, five at most; beyond hours as many hours as it takes. */
function steps(high) {
  const fits = STEPS_MS.find((step) => high / step <= 5) ?? Math.ceil(high / 5 / 3_600_000) * 3_600_000;
  return Array.from({ length: Math.floor(high / fits) + 1 }, (_, index) => index * fits);
}

/** 500 ms, 15 s, 2 min, 1.5 h */
function step(ms) {
  if (ms === 0) return "0";
  if (ms < 1000) return `${ms} ms`;
  if (ms < 60_000) return `${ms / 1000} s`;
  return ms < 3_600_000 ? `${ms / 60_000} min` : `${ms / 3_600_000} h`;
}

/** Of which status jobs are listed; "" is of all. */
const wanted = signal("");

function Latest({ runners }) {
  const status = wanted.value;
  const { value, error } = useAnswer(() => askJobs(status), status);
  const names = new Map(runners.map(({ runner_id, name }) => [runner_id, name]));
  const columns = [
    JOB,
    TYPE,
    STATUS,
    { name: "Runner", class: "wide", cell: ({ claimed_by }) => <RunnerLink id={claimed_by} name={names.get(claimed_by)} /> },
    SUBMITTED,
    CHANGED,
  ];
  return (
    <section aria-labelledby="jobs-title">
      <div class="section-head">
        <h2 id="jobs-title">Jobs</h2>
        {value && value.total > value.jobs.length && <p class="hint">the latest {count(value.jobs.length)} of {count(value.total)}</p>}
        <a class="button primary end" href="#/jobs/new">Submit a job</a>
      </div>
      <div class="card list">
        <States />
        {error && <p class="error" role="alert">The list could not be read: {error.message}.</p>}
        <Table label="Jobs" columns={columns} rows={withIds(value?.jobs ?? [])} empty={value && <NoJobs status={status} />} />
      </div>
    </section>
  );
}

/** How many there are of each status, as a bar and as what filters the list. */
function States() {
  const counts = jobs.value.counts?.jobs;
  const all = counts?.total ?? 0;
  let from = 0;
  const parts = STATUSES.map(([status, name]) => {
    const width = all === 0 ? 0 : (100 * counts[status]) / all;
    from += width;
    return { status, name, from: from - width, width };
  });
  const says = counts ? STATUSES.map(([status, name]) => `${count(counts[status])} ${name.toLowerCase()}`).join(", ") : "not counted yet";
  return (
    <div class="states">
      <svg class="meter states-bar" role="img" aria-label={`Jobs by status: ${says}`} viewBox="0 0 100 1" preserveAspectRatio="none">
        <rect class="all" width="100" height="1" />
        {parts.map(({ status, from, width }) => width > 0 && <rect class={`part ${status}`} x={from} width={width} height="1" />)}
      </svg>
      <div class="filters" role="group" aria-label="Filter jobs by status">
        <StateButton status="" name="All" number={counts && all} />
        {STATUSES.map(([status, name]) => <StateButton status={status} name={name} number={counts?.[status]} />)}
      </div>
    </div>
  );
}

const StateButton = ({ status, name, number }) => (
  <button type="button" class="button quiet small" aria-pressed={wanted.value === status} onClick={() => (wanted.value = status)}>
    {status && <i class={`dot ${status}`} aria-hidden="true" />}{name} <b data-test={`count-${status || "all"}`}>{number === undefined ? "–" : count(number)}</b>
  </button>
);

function NoJobs({ status }) {
  if (status) return <p>No job has this status. <button type="button" class="link" onClick={() => (wanted.value = "")}>Show all</button></p>;
  const line = `curl -s ${location.origin}/api/jobs/submit${keyed("SUBMIT_API_KEY")} -H 'content-type: application/json' -d '{"job_type": "hello_world", "input_params": {"name": "World"}}'`;
  return (
    <div class="first">
      <p><strong>No job was submitted yet.</strong> <a href="#/jobs/new">Submit one here</a>, or from a terminal:</p>
      <Line text={line} test="submit-line" />
      <p>The second time it is answered from the cache. More in <code>docs/jobs.md</code>.</p>
    </div>
  );
}

const RUNNERS = [
  { name: "Runner", class: "wide", cell: ({ runner_id, name }) => <RunnerLink id={runner_id} name={name} /> },
  { name: "Types", class: "wide", cell: ({ capabilities }) => <span class="clip" title={capabilities.join(", ")}>{capabilities.join(", ")}</span> },
  { name: "State", class: "outcome-col", cell: ({ is_active }) => <span class={`outcome ${is_active ? "completed" : ""}`}>{is_active ? "active" : "silent"}</span> },
  { name: "Last seen", class: "when", cell: ({ last_seen }) => <When at={last_seen} /> },
];

function JobRunners({ value, error }) {
  const rows = (value?.runners ?? []).map((runner) => ({ ...runner, id: runner.runner_id }));
  return (
    <section aria-labelledby="job-runners-title">
      <div class="section-head">
        <h2 id="job-runners-title">Runners of jobs</h2>
        {value && value.total > rows.length && <p class="hint">the last seen {count(rows.length)} of {count(value.total)}</p>}
      </div>
      <div class="card list short">
        {error && <p class="error" role="alert">The runners could not be read: {error.message}.</p>}
        <Table label="Runners of jobs" columns={RUNNERS} rows={rows} empty={value && <NoRunners />} />
      </div>
    </section>
  );
}

function NoRunners() {
  const line = `curl -s ${location.origin}/api/runner/register${keyed("RUNNER_API_KEY")} -H 'content-type: application/json' -d '{"name": "my-runner", "capabilities": ["hello_world"]}'`;
  return (
    <div class="first">
      <p><strong>No runner has registered.</strong> A runner is any program that asks for jobs; registered ones are listed here:</p>
      <Line text={line} test="register-line" />
      <p>What it does then stands in <code>docs/jobs.md</code>.</p>
    </div>
  );
}
