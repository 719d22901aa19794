import { signal } from "@preact/signals";
import { fetchJobs, fetchRunners } from "../api.js";
import { ChartCard, lastHour } from "../components/chart_card.jsx";
import { Chart } from "../components/chart.jsx";
import { CommandLine } from "../components/command_line.jsx";
import { Count, Percentage } from "../components/figures.jsx";
import { Settings } from "../components/settings.jsx";
import { Table } from "../components/table.jsx";
import { count, duration, percent, plural, time } from "../format.js";
import { jobs, jobSeries } from "../state.js";
import { authorizationOption, CHANGED, JOB, RunnerLink, STATUS, STATUSES, SUBMITTED, TimeAgo, TYPE, withIds } from "./common.jsx";
import { useQuery } from "./use_query.js";

export function JobsPage() {
  const runners = useQuery(fetchRunners, "runners");
  return (
    <>
      <JobCounts />
      <JobCharts />
      <JobList runners={runners.value?.runners ?? []} />
      <JobRunners {...runners} />
      <Settings capability="jobs" />
    </>
  );
}

function JobCounts() {
  const { counts, totals, waiting } = jobs.value;
  const { pending, claimed, in_progress } = counts?.jobs ?? {};
  const submitted = totals.new + totals.joined + totals.cached;
  const hitRate = submitted === 0 ? null : (100 * (totals.joined + totals.cached)) / submitted;
  return (
    <section class="card figures" aria-label="Counts of jobs">
      <Percentage name="Cache hit rate" test="cache-rate" value={hitRate} emptyLabel="no submissions yet" description="percent of the submissions were not computed again" />
      <dl>
        <Count name="Time saved" test="saved" value={duration(totals.savedMs)} note={`${count(totals.cached)} cached, ${count(totals.joined)} joined`} />
        <Count name="Pending" test="pending" value={pending ?? "–"} note="jobs without a runner" />
        <Count name="Running" test="running" value={counts ? claimed + in_progress : "–"} note="jobs leased to a runner" />
        <Count name="Polls" test="polls" value={waiting} note={counts ? `waiting; ${plural(counts.runners.active, "active runner")}` : "waiting"} />
      </dl>
    </section>
  );
}

function JobCharts() {
  const hour = lastHour(jobSeries);
  return (
    <div class="pair">
      <ChartCard title="Cache hit rate" unit="last hour, every 15 s" id="cache-chart">
        <Chart {...cacheChart(hour)} />
      </ChartCard>
      <ChartCard title="Time saved" unit="execution time of cached and joined jobs" id="saved-chart">
        <Chart {...savedChart(hour)} />
      </ChartCard>
    </div>
  );
}

const submissions = (bucket) => bucket.new + bucket.joined + bucket.cached;

function cacheChart({ times, buckets }) {
  const all = buckets.map((bucket) => (bucket && submissions(bucket)) || null);
  const rates = buckets.map((bucket, index) => (all[index] ? (100 * (bucket.joined + bucket.cached)) / all[index] : null));
  const latest = rates.findLast((rate) => rate !== null);
  return {
    label: latest === undefined ? "No submissions in the last hour" : `Cache hit rate over the last hour; latest ${percent(latest)} percent`,
    data: [times, all, rates],
    series: [
      { name: "Submissions", colour: "bars", bars: true, scale: "volume", format: count },
      { name: "Cache hit rate", colour: "accent", fill: "accent-soft", scale: "y", format: (value) => `${percent(value)} %` },
    ],
    scale: { range: () => [0, 102] },
    ticks: () => [0, 25, 50, 75, 100],
    formatTick: (value) => `${value} %`,
    formatTime: (seconds) => time(seconds * 1000),
    isEmpty: latest === undefined,
  };
}

function savedChart({ times, buckets }) {
  const ended = buckets.map((bucket) => (bucket && bucket.completed + bucket.failed) || null);
  const saved = buckets.map((bucket) => (bucket ? bucket.savedMs : null));
  const total = saved.reduce((sum, ms) => sum + (ms ?? 0), 0);
  const isEmpty = buckets.every((bucket) => !bucket);
  return {
    label: isEmpty ? "No jobs in the last hour" : `Time saved over the last hour: ${duration(total)}`,
    data: [times, ended, saved],
    series: [
      { name: "Ended jobs", colour: "bars", bars: true, scale: "volume", format: count },
      { name: "Time saved", colour: "accent", fill: "accent-soft", scale: "y", format: duration },
    ],
    scale: { range: (_, low, high) => [0, Math.max(1000, 1.05 * (high ?? 0))] },
    ticks: (_, __, low, high) => durationTicks(high),
    formatTick: tickLabel,
    formatTime: (seconds) => time(seconds * 1000),
    isEmpty,
  };
}

const TICK_STEPS_MS = [200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000];

/** At most five ticks above 0, at round durations; above five hours the step is a whole number of hours. */
function durationTicks(high) {
  const step = TICK_STEPS_MS.find((step) => high / step <= 5) ?? Math.ceil(high / 5 / 3_600_000) * 3_600_000;
  return Array.from({ length: Math.floor(high / step) + 1 }, (_, index) => index * step);
}

/** 500 ms, 15 s, 2 min, 1.5 h */
function tickLabel(ms) {
  if (ms === 0) return "0";
  if (ms < 1000) return `${ms} ms`;
  if (ms < 60_000) return `${ms / 1000} s`;
  return ms < 3_600_000 ? `${ms / 60_000} min` : `${ms / 3_600_000} h`;
}

/** The status of the listed jobs; "" lists all. */
const statusFilter = signal("");

function JobList({ runners }) {
  const status = statusFilter.value;
  const { value, error } = useQuery(() => fetchJobs(status), status);
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
        <StatusCounts />
        {error && <p class="error" role="alert">Failed to load the jobs: {error.message}.</p>}
        <Table label="Jobs" columns={columns} rows={withIds(value?.jobs ?? [])} empty={value && <NoJobs status={status} />} />
      </div>
    </section>
  );
}

/** The count of each status, as a bar, and as buttons that filter the list. */
function StatusCounts() {
  const counts = jobs.value.counts?.jobs;
  const all = counts?.total ?? 0;
  let from = 0;
  const shares = STATUSES.map(([status]) => {
    const width = all === 0 ? 0 : (100 * counts[status]) / all;
    from += width;
    return { status, from: from - width, width };
  });
  const summary = counts ? STATUSES.map(([status, name]) => `${count(counts[status])} ${name.toLowerCase()}`).join(", ") : "not counted yet";
  return (
    <div class="status-counts">
      <svg class="meter status-bar" role="img" aria-label={`Jobs by status: ${summary}`} viewBox="0 0 100 1" preserveAspectRatio="none">
        <rect class="all" width="100" height="1" />
        {shares.map(({ status, from, width }) => width > 0 && <rect class={`share ${status}`} x={from} width={width} height="1" />)}
      </svg>
      <div class="filters" role="group" aria-label="Filter jobs by status">
        <StatusButton status="" name="All" number={counts && all} />
        {STATUSES.map(([status, name]) => <StatusButton status={status} name={name} number={counts?.[status]} />)}
      </div>
    </div>
  );
}

const StatusButton = ({ status, name, number }) => (
  <button type="button" class="button quiet small" aria-pressed={statusFilter.value === status} onClick={() => (statusFilter.value = status)}>
    {status && <i class={`dot ${status}`} aria-hidden="true" />}{name} <b data-test={`count-${status || "all"}`}>{number === undefined ? "–" : count(number)}</b>
  </button>
);

function NoJobs({ status }) {
  if (status) return <p>No job has this status. <button type="button" class="link" onClick={() => (statusFilter.value = "")}>Show all</button></p>;
  const line = `curl -s ${location.origin}/api/jobs/submit${authorizationOption("SUBMIT_API_KEY")} -H 'content-type: application/json' -d '{"job_type": "hello_world", "input_params": {"name": "World"}}'`;
  return (
    <div class="setup-hint">
      <p><strong>No job was submitted yet.</strong> <a href="#/jobs/new">Submit one here</a>, or from a terminal:</p>
      <CommandLine text={line} test="submit-line" />
      <p>An equal submission is answered from the cache. More in <code>docs/jobs.md</code>.</p>
    </div>
  );
}

const RUNNER_COLUMNS = [
  { name: "Runner", class: "wide", cell: ({ runner_id, name }) => <RunnerLink id={runner_id} name={name} /> },
  { name: "Job types", class: "wide", cell: ({ capabilities }) => <span class="truncated" title={capabilities.join(", ")}>{capabilities.join(", ")}</span> },
  { name: "State", class: "outcome-column", cell: ({ is_active }) => <span class={`outcome ${is_active ? "completed" : ""}`}>{is_active ? "active" : "inactive"}</span> },
  { name: "Last seen", class: "time-ago", cell: ({ last_seen }) => <TimeAgo at={last_seen} /> },
];

function JobRunners({ value, error }) {
  const rows = (value?.runners ?? []).map((runner) => ({ ...runner, id: runner.runner_id }));
  return (
    <section aria-labelledby="job-runners-title">
      <div class="section-head">
        <h2 id="job-runners-title">Job runners</h2>
        {value && value.total > rows.length && <p class="hint">the {count(rows.length)} last seen of {count(value.total)}</p>}
      </div>
      <div class="card list short">
        {error && <p class="error" role="alert">Failed to load the runners: {error.message}.</p>}
        <Table label="Job runners" columns={RUNNER_COLUMNS} rows={rows} empty={value && <NoRunners />} />
      </div>
    </section>
  );
}

function NoRunners() {
  const line = `curl -s ${location.origin}/api/runner/register${authorizationOption("RUNNER_API_KEY")} -H 'content-type: application/json' -d '{"name": "my-runner", "capabilities": ["hello_world"]}'`;
  return (
    <div class="setup-hint">
      <p><strong>No runner has registered.</strong> A runner is any program that polls for jobs. Register one, and it is listed here:</p>
      <CommandLine text={line} test="register-line" />
      <p>The calls of a runner are in <code>docs/jobs.md</code>.</p>
    </div>
  );
}
