import { count, micros, percent, time } from "../format.js";
import { about, currentBucket, now, series } from "../state.js";
import { Chart } from "./chart.jsx";

export function Charts() {
  const hour = lastHour(series);
  return (
    <div class="pair">
      <Card title="Hit rate" unit="last hour, every 15 s" id="hit-rate-chart">
        <Chart {...hitRateChart(hour)} />
      </Card>
      <Card title="Delivery time" unit="offer to answer, warm starts" id="delivery-chart">
        <Chart {...deliveryChart(hour)} />
      </Card>
    </div>
  );
}

export const Card = ({ title, unit, id, children }) => (
  <section class="card chart-card" aria-labelledby={id}>
    <h2 id={id}>{title} <small>{unit}</small></h2>
    {children}
  </section>
);

/** Of a service that has just started the chart shows this much, and grows to an hour with it. */
const AT_LEAST_MS = 600_000;

/** One place for each bucket, also where nothing happened; a place stands for the middle of its time. */
export function lastHour(series) {
  void (series.version.value, Math.floor(now.value / about.value.bucketMs));
  const { startedAt, bucketMs, buckets } = about.value;
  const last = currentBucket();
  const shown = Math.min(buckets, Math.max(AT_LEAST_MS / bucketMs, last + 1));
  const numbers = Array.from({ length: shown }, (_, index) => last - shown + 1 + index);
  return {
    at: numbers.map((number) => (startedAt + (number + 0.5) * bucketMs) / 1000),
    found: numbers.map((number) => series.byNumber.get(number)),
  };
}

function hitRateChart({ at, found }) {
  const rates = found.map((bucket) => (bucket ? (100 * bucket.warm) / (bucket.warm + bucket.cold) : null));
  const latest = rates.findLast((rate) => rate !== null);
  return {
    label: latest === undefined ? "No offers in the last hour" : `Hit rate over the last hour; latest ${percent(latest)} percent`,
    data: [at, found.map((bucket) => (bucket ? bucket.warm + bucket.cold : null)), rates],
    lines: [
      { name: "Offers", colour: "bars", bars: true, scale: "offers", show: count },
      { name: "Hit rate", colour: "accent", fill: "accent-soft", scale: "y", show: (value) => `${percent(value)} %` },
    ],
    scale: { range: () => [0, 102] },
    ticks: () => [0, 25, 50, 75, 100],
    show: (value) => `${value} %`,
    when: (value) => time(value * 1000),
    isEmpty: latest === undefined,
  };
}

function deliveryChart({ at, found }) {
  const of = (name) => found.map((bucket) => (bucket?.warm ? bucket[name] : null));
  const [p50, p99] = [of("p50Us"), of("p99Us")];
  const latest = p99.findLastIndex((value) => value !== null);
  return {
    label: latest < 0 ? "No warm starts in the last hour" : `Delivery time over the last hour; latest p50 ${micros(p50[latest])}, p99 ${micros(p99[latest])}`,
    data: [at, p99, p50],
    lines: [
      { name: "p99", colour: "second", dash: [5, 4], scale: "y", show: micros },
      { name: "p50", colour: "accent", scale: "y", show: micros },
    ],
    scale: { distr: 3, log: 10, range: (_, low, high) => decades(low, high) },
    ticks: (_, __, low, high) => powers(low, high),
    show: micros,
    when: (value) => time(value * 1000),
    isEmpty: latest < 0,
  };
}

/** Whole powers of ten around what there is, at least two decades. */
function decades(low, high) {
  if (low === null || high === null) return [10, 10_000];
  const from = Math.max(0, Math.floor(Math.log10(low)));
  return [10 ** from, 10 ** Math.max(from + 2, Math.ceil(Math.log10(high)))];
}

function powers(low, high) {
  const all = [];
  for (let power = low; power <= high * 1.001; power *= 10) all.push(power);
  return all;
}
