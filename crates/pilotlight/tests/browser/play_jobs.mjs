// Simulates callers and runners of jobs, for the screenshots of docs/dashboard.md. It is not a test.

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const randomBetween = (from, to) => from + Math.random() * (to - from);
const randomInteger = (from, to) => Math.floor(randomBetween(from, to));

const RUNNERS = [
  { name: "gpu-box-1", capabilities: ["render_frame"] },
  { name: "gpu-box-2", capabilities: ["render_frame"] },
  { name: "laptop", capabilities: ["word_count", "transcode"] },
  { name: "ci-worker-7", capabilities: ["transcode"] },
];

/** A random integer below `below`; small numbers are more frequent, so that some jobs are submitted several times. */
const skewedInteger = (below) => Math.floor(below * Math.random() ** 3);

const SUBMISSIONS = [
  () => ["render_frame", { scene: "kitchen.blend", frame: skewedInteger(900), samples: 256 }],
  () => ["word_count", { url: `https://example.org/book-${skewedInteger(60)}.txt`, words: ["warm", "cold"] }],
  () => ["transcode", { video: `holiday-${skewedInteger(120)}.mov`, to: "av1", crf: 32 }],
];

/** Runs until the process exits. `base` is the service's URL. */
export async function simulateJobs(base) {
  const request = async (path, { body, runner } = {}) => {
    const headers = { "content-type": "application/json", ...(runner && { "x-runner-id": runner }) };
    const method = body ? "POST" : "GET";
    const answer = await fetch(base + path, { method, headers, body: body && JSON.stringify(body) });
    return answer.status === 204 ? null : answer.json();
  };
  const submit = () => {
    const [job_type, input_params] = SUBMISSIONS[randomInteger(0, SUBMISSIONS.length)]();
    return request("/api/jobs/submit", { body: { job_type, input_params } });
  };
  const execute = async (job, runner) => {
    const report = (kind, fields) =>
      request(`/api/runner/jobs/${job.job_id}/${kind}`, { runner, body: { lease: job.lease, ...fields } });
    const total = randomInteger(4, 40);
    await report("start");
    for (let current = 1; current <= total; current += 1) {
      await sleep(randomBetween(100, 400));
      await report("heartbeat", { progress_current: current, progress_total: total, console_append: `step ${current} of ${total}\n` });
    }
    if (Math.random() < 0.06) await report("error", { error_message: "the input ended too soon" });
    else await report("complete", { output_data: { file: `result-${job.job_id.slice(-6)}.bin`, bytes: randomInteger(1e5, 9e7) } });
  };
  const run = async ({ name, capabilities }) => {
    const { runner_id: runner } = await request("/api/runner/register", { body: { name, capabilities } });
    const types = capabilities.map((type) => `types[]=${type}`).join("&");
    for (;;) {
      const answer = await request(`/api/runner/jobs/next?${types}&wait_ms=20000`, { runner });
      if (answer) await execute(answer.job, runner);
    }
  };
  const repeat = async (action) => {
    for (;;) await action().catch(() => sleep(500));
  };
  RUNNERS.forEach((runner) => repeat(() => run(runner)));
  repeat(async () => (await submit(), await sleep(randomBetween(300, 1300))));
}

/** Returns the id of a job that will run for some more seconds. */
export async function findRunningJob(base) {
  const request = async (path) => (await fetch(base + path)).json();
  for (;;) {
    const { jobs } = await request("/api/admin/jobs?status=in_progress");
    for (const { job_id } of jobs) {
      const { progress } = await request(`/api/admin/jobs/${job_id}`);
      if (progress && progress.total - progress.current > 20) return job_id;
    }
    await sleep(100);
  }
}
