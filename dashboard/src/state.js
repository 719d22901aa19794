// What the page knows: told by the service's events, read by the parts.

import { batch, computed, signal } from "@preact/signals";

/** connecting, live, reconnecting, or refused (then `why` says what the service said). */
export const connection = signal({ state: "connecting" });

/** The service as it is set up; null until the first snapshot. */
export const about = signal(null);
export const stats = signal(null);
export const offers = signal([]);

/** Buckets of the last hour by number. Changed in place; `seriesVersion` says when. */
export const series = new Map();
export const seriesVersion = signal(0);

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
    const { version, ack, config, startedAt, bucketMs, buckets, offersShown } = snapshot;
    about.value = { version, ack, config, startedAt, bucketMs, buckets, offersShown };
    setClock(snapshot.now);
    stats.value = snapshot.stats;
    waiting.replace(snapshot.waiting);
    executing.replace(snapshot.executing);
    offers.value = snapshot.offers;
    series.clear();
    takeBuckets(snapshot.series);
    seriesVersion.value += 1;
  });
}

export function takeUpdate(update) {
  batch(() => {
    setClock(update.now);
    stats.value = update.stats;
    waiting.change(update.waiting);
    executing.change(update.executing);
    takeOffers(update.offers);
    if (update.series.length > 0) {
      takeBuckets(update.series);
      seriesVersion.value += 1;
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

function takeBuckets(changed) {
  for (const bucket of changed) series.set(bucket.number, bucket);
  const oldest = currentBucket() - about.value.buckets;
  for (const number of series.keys()) if (number <= oldest) series.delete(number);
}

/** The number of the bucket that offers are counted in now. */
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
