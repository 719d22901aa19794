// The state of the page. live.js writes it from the service's events; the components read it.

import { batch, computed, signal } from "@preact/signals";

/** { state, reason }: connecting, live, reconnecting or refused; `reason` is the service's error text. */
export const connection = signal({ state: "connecting" });

/** The version and settings of the service; null until the first snapshot. */
export const serviceInfo = signal(null);
export const stats = signal(null);
export const offers = signal([]);

/** Offers of the last hour, in buckets. */
export const offerSeries = rollingSeries();

/** The counts of jobs; null when the service does not serve jobs. */
export const jobs = signal(null);
/** Submissions and ended jobs of the last hour, in buckets. */
export const jobSeries = rollingSeries();

/** Runners with a parked poll. */
export const waiting = runnerTable();
/** Runners with a run. */
export const executing = runnerTable();
/** The text in the filter field above the tables of runners. */
export const runnerFilter = signal("");

/** The service's time in epoch milliseconds. It changes once a second, which is enough for shown durations. */
export const now = signal(Date.now());
/** The service's clock minus the browser's. */
let clockOffsetMs = 0;
export const serverNow = () => Date.now() + clockOffsetMs;
setInterval(() => (now.value = serverNow()), 1000);

export const filteredWaiting = computed(() => filtered(waiting.list.value, runnerFilter.value));
export const filteredExecuting = computed(() => filtered(executing.list.value, runnerFilter.value));

/** Warm starts in percent of all offers; null while there are no offers. */
export const hitRate = computed(() => {
  const { warmStarts = 0, totalMatches = 0 } = stats.value ?? {};
  return totalMatches === 0 ? null : (100 * warmStarts) / totalMatches;
});

export function applySnapshot(snapshot) {
  batch(() => {
    const { version, ack, serves, config, startedAt, bucketMs, buckets, offersShown } = snapshot;
    serviceInfo.value = { version, ack, serves, config, startedAt, bucketMs, buckets, offersShown };
    setClock(snapshot.now);
    // Each served capability adds its own fields.
    stats.value = snapshot.stats ?? null;
    waiting.replace(snapshot.waiting ?? []);
    executing.replace(snapshot.executing ?? []);
    offers.value = snapshot.offers ?? [];
    offerSeries.replace(snapshot.series ?? []);
    jobSeries.replace(snapshot.jobs?.series ?? []);
    jobs.value = snapshot.jobs ?? null;
  });
}

export function applyUpdate(update) {
  batch(() => {
    setClock(update.now);
    if (update.stats) {
      stats.value = update.stats;
      waiting.apply(update.waiting);
      executing.apply(update.executing);
      mergeOffers(update.offers);
      offerSeries.apply(update.series);
    }
    if (update.jobs) {
      jobSeries.apply(update.jobs.series);
      jobs.value = update.jobs;
    }
  });
}

function setClock(at) {
  clockOffsetMs = at - Date.now();
  // A smaller difference would only redraw durations between two ticks.
  if (Math.abs(at - now.value) > 1500) now.value = at;
}

function mergeOffers(changed) {
  if (changed.length === 0) return;
  const changedIds = new Set(changed.map((offer) => offer.id));
  const all = [...changed, ...offers.value.filter((offer) => !changedIds.has(offer.id))];
  all.sort((a, b) => b.id - a.id);
  offers.value = all.slice(0, serviceInfo.value.offersShown);
}

/** The buckets of the last hour by number. The map is changed in place; `version` changes with it. */
function rollingSeries() {
  const byNumber = new Map();
  const version = signal(0);
  const apply = (changed) => {
    if (changed.length === 0) return;
    for (const bucket of changed) byNumber.set(bucket.number, bucket);
    const oldest = currentBucket() - serviceInfo.value.buckets;
    for (const number of byNumber.keys()) if (number <= oldest) byNumber.delete(number);
    version.value += 1;
  };
  const replace = (all) => {
    byNumber.clear();
    version.value += 1;
    apply(all);
  };
  return { byNumber, version, apply, replace };
}

/** The number of the bucket that covers the present time. */
export const currentBucket = () => Math.floor((serverNow() - serviceInfo.value.startedAt) / serviceInfo.value.bucketMs);

/** Rows by id, in the order in which the service sent them: the oldest first. */
function runnerTable() {
  const rows = new Map();
  const list = signal([]);
  const add = (row) => rows.set(row.id, Object.assign(row, { text: searchText(row) }));
  const publish = () => (list.value = [...rows.values()]);
  return {
    list,
    replace(all) {
      rows.clear();
      all.forEach(add);
      publish();
    },
    apply({ came, left }) {
      if (came.length + left.length === 0) return;
      left.forEach((id) => rows.delete(id));
      came.forEach(add);
      publish();
    },
  };
}

const searchText = ({ runner, worker, deployment, version, run = "" }) =>
  `${runner} ${worker} ${deployment}:${version} ${run}`.toLowerCase();

/** The rows whose search text contains every word of the filter. */
function filtered(rows, filter) {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return rows;
  return rows.filter(({ text }) => words.every((word) => text.includes(word)));
}
