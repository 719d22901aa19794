import { currentBucket, now, serviceInfo } from "../state.js";

/** A card with a title, the title's unit in small letters, and a chart. */
export const ChartCard = ({ title, unit, id, children }) => (
  <section class="card chart-card" aria-labelledby={id}>
    <h2 id={id}>{title} <small>{unit}</small></h2>
    {children}
  </section>
);

/** The shortest time that a chart shows. A chart of a service that has just started grows from this to one hour. */
const MIN_SHOWN_MS = 600_000;

/**
 * The shown buckets of a series, oldest first: { times, buckets }. `times` are the middles of the buckets in epoch
 * seconds; a bucket in which nothing happened is undefined.
 */
export function lastHour(series) {
  // Reads both signals, so that a chart is drawn again when a bucket changes and when a new bucket begins.
  void (series.version.value, Math.floor(now.value / serviceInfo.value.bucketMs));
  const { startedAt, bucketMs, buckets } = serviceInfo.value;
  const last = currentBucket();
  const shown = Math.min(buckets, Math.max(MIN_SHOWN_MS / bucketMs, last + 1));
  const numbers = Array.from({ length: shown }, (_, index) => last - shown + 1 + index);
  return {
    times: numbers.map((number) => (startedAt + (number + 0.5) * bucketMs) / 1000),
    buckets: numbers.map((number) => series.byNumber.get(number)),
  };
}
