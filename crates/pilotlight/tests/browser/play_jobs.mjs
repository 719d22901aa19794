// Callers and runners of jobs, for the pictures of docs/dashboard.md. Not a test.

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const some = (from, to) => from + Math.random() * (to - from);
const whole = (from, to) => Math.floor(some(from, to));

const RUNNERS = [
  { name: "gpu-box-1", capabilities: ["render_frame"] },
  { name: "gpu-box-2", capabilities: ["render_frame"] },
  { name: "laptop", capabilities: ["word_count", "transcode"] },
  { name: "ci-worker-7", capabilities: ["transcode"] },
];

/** Small numbers come often, as they do in life. */
const often = (below) => Math.floor(below * Math.random() ** 3);

const WISHES = [
  () => ["render_frame", { scene: "kitchen.blend", frame: often(900), samples: 256 }],
  () => ["word_count", { url: `https://example.org/book-${often(60)}.txt`, words: ["warm", "cold"] }],
  () => ["transcode", { video: `holiday-${often(120)}.mov`, to: "av1", crf: 32 }],
];

/** Plays for as long as the process lives. `base` is the service's address. */
export async function playJobs(base) {
  const ask = async (path, { body, runner } = {}) => {
    const headers = { "content-type": "application/json", ...(runner && { "x-runner-id": runner }) };
    const method = body ? "POST" : "GET";
    const answer = await fetch(base + path, { method, headers, body: body && JSON.stringify(body) });
    return answer.status === 204 ? null : answer.json();
  };
  const submit = () => {
    const [job_type, input_params] = WISHES[whole(0, WISHES.length)]();
    return ask("/api/jobs/submit", { body: { job_type, input_params } });
  };
  const execute = async (job, runner) => {
    const say = (what, more) => ask(`/api/runner/jobs/${job.job_id}/${what}`, { runner, body: { lease: job.lease, ...more } });
    const total = whole(4, 40);
    await say("start");
    for (let current = 1; current <= total; current += 1) {
      await sleep(some(100, 400));
      await say("heartbeat", { progress_current: current, progress_total: total, console_append: `step ${current} of ${total}\n` });
    }
    if (Math.random() < 0.06) await say("error", { error_message: "the input ended too soon" });
    else await say("complete", { output_data: { file: `result-${job.job_id.slice(-6)}.bin`, bytes: whole(1e5, 9e7) } });
  };
  const run = async ({ name, capabilities }) => {
    const { runner_id: runner } = await ask("/api/runner/register", { body: { name, capabilities } });
    const types = capabilities.map((type) => `types[]=${type}`).join("&");
    for (;;) {
      const told = await ask(`/api/runner/jobs/next?${types}&wait_ms=20000`, { runner });
      if (told) await execute(told.job, runner);
    }
  };
  const forEver = async (deed) => {
    for (;;) await deed().catch(() => sleep(500));
  };
  RUNNERS.forEach((runner) => forEver(() => run(runner)));
  forEver(async () => (await submit(), await sleep(some(300, 1300))));
}

/** A job that is under way and will be for some seconds. */
export async function jobUnderWay(base) {
  const ask = async (path) => (await fetch(base + path)).json();
  for (;;) {
    const { jobs } = await ask("/api/admin/jobs?status=in_progress");
    for (const { job_id } of jobs) {
      const { progress } = await ask(`/api/admin/jobs/${job_id}`);
      if (progress && progress.total - progress.current > 20) return job_id;
    }
    await sleep(100);
  }
}
