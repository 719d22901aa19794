// What the page knows: told by the service's events, read by the parts.

import { batch, computed, signal } from "@preact/signals";

/** connecting, live, reconnecting, or refused (then `why` says what the service said). */
export const connection = signal({ state: "connecting" });

/** The service as it is set up; null until the first snapshot. */
export const about = signal(null);
export const stats = signal(null);
export const offers = signal([]);

/** Offers of the last hour. */
export const series = lastHour();

/** Counts of jobs; null where they are not served. */
export const jobs = signal(null);
/** Submissions and jobs of the last hour. */
export const jobSeries = lastHour();

export const waiting = table();
export const executing = table();
export const query = signal("");

/** The service's clock. It ticks once a second, for durations. */
export const now = signal(Date.now());
let ahead = 0;
export const serverNow = () => Date.now() + ahead;
setInterval(() => (now.value = serverNow()), 1000);

export const shownWaiting = computed(() => filtered(waiting.list.value, query.value));
export const shownExecuting = computed(() => filtered(executing.list.value, query.value));

/** Hits in percent; null while nothing was offered. */
export const hitRate = computed(() => {
  const { warmStarts = 0, totalMatches = 0 } = stats.value ?? {};
  return totalMatches === 0 ? null : (100 * warmStarts) / totalMatches;
});

export function takeSnapshot(snapshot) {
  batch(() => {
    const { version, ack, serves, config, startedAt, bucketMs, buckets, offersShown } = snapshot;
    about.value = { version, ack, serves, config, startedAt, bucketMs, buckets, offersShown };
    setClock(snapshot.now);
    stats.value = snapshot.stats;
    waiting.replace(snapshot.waiting);
    executing.replace(snapshot.executing);
    offers.value = snapshot.offers;
    series.replace(snapshot.series);
    jobSeries.replace(snapshot.jobs?.series ?? []);
    jobs.value = snapshot.jobs;
  });
}

export function takeUpdate(update) {
  batch(() => {
    setClock(update.now);
    stats.value = update.stats;
    waiting.change(update.waiting);
    executing.change(update.executing);
    takeOffers(update.offers);
    series.change(update.series);
    if (update.jobs) {
      jobSeries.change(update.jobs.series);
      jobs.value = update.jobs;
    }
  });
}

function setClock(at) {
  ahead = at - Date.now();
  // Durations tick by the second; a finer clock would only redraw them.
  if (Math.abs(at - now.value) > 1500) now.value = at;
}

function takeOffers(changed) {
  if (changed.length === 0) return;
  const fresh = new Set(changed.map((offer) => offer.id));
  const all = [...changed, ...offers.value.filter((offer) => !fresh.has(offer.id))];
  all.sort((a, b) => b.id - a.id);
  offers.value = all.slice(0, about.value.offersShown);
}

/** Buckets by number. Changed in place; `version` says when. */
function lastHour() {
  const byNumber = new Map();
  const version = signal(0);
  const change = (changed) => {
    if (changed.length === 0) return;
    for (const bucket of changed) byNumber.set(bucket.number, bucket);
    const oldest = currentBucket() - about.value.buckets;
    for (const number of byNumber.keys()) if (number <= oldest) byNumber.delete(number);
    version.value += 1;
  };
  const replace = (all) => {
    byNumber.clear();
    version.value += 1;
    change(all);
  };
  return { byNumber, version, change, replace };
}

/** The number of the bucket that is counted in now. */
export const currentBucket = () => Math.floor((serverNow() - about.value.startedAt) / about.value.bucketMs);

/** Rows by id, in the order they came. */
function table() {
  const rows = new Map();
  const list = signal([]);
  const add = (row) => rows.set(row.id, Object.assign(row, { text: searchable(row) }));
  const publish = () => (list.value = [...rows.values()]);
  return {
    list,
    replace(all) {
      rows.clear();
      all.forEach(add);
      publish();
    },
    change({ came, left }) {
      if (came.length + left.length === 0) return;
      left.forEach((id) => rows.delete(id));
      came.forEach(add);
      publish();
    },
  };
}

const searchable = ({ runner, worker, deployment, version, run = "" }) =>
  `${runner} ${worker} ${deployment}:${version} ${run}`.toLowerCase();

/** Those in which every word stands somewhere. */
function filtered(rows, query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return rows;
  return rows.filter(({ text }) => words.every((word) => text.includes(word)));
}
