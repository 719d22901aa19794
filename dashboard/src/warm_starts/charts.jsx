import { ChartCard, lastHour } from "../components/chart_card.jsx";
import { Chart } from "../components/chart.jsx";
import { count, micros, percent, time } from "../format.js";
import { offerSeries } from "../state.js";

export function Charts() {
  const hour = lastHour(offerSeries);
  return (
    <div class="pair">
      <ChartCard title="Hit rate" unit="last hour, every 15 s" id="hit-rate-chart">
        <Chart {...hitRateChart(hour)} />
      </ChartCard>
      <ChartCard title="Delivery time" unit="offer to answer, warm starts" id="delivery-chart">
        <Chart {...deliveryChart(hour)} />
      </ChartCard>
    </div>
  );
}

function hitRateChart({ times, buckets }) {
  const rates = buckets.map((bucket) => (bucket ? (100 * bucket.warm) / (bucket.warm + bucket.cold) : null));
  const latest = rates.findLast((rate) => rate !== null);
  return {
    label: latest === undefined ? "No offers in the last hour" : `Hit rate over the last hour; latest ${percent(latest)} percent`,
    data: [times, buckets.map((bucket) => (bucket ? bucket.warm + bucket.cold : null)), rates],
    series: [
      { name: "Offers", colour: "bars", bars: true, scale: "volume", format: count },
      { name: "Hit rate", colour: "accent", fill: "accent-soft", scale: "y", format: (value) => `${percent(value)} %` },
    ],
    scale: { range: () => [0, 102] },
    ticks: () => [0, 25, 50, 75, 100],
    formatTick: (value) => `${value} %`,
    formatTime: (seconds) => time(seconds * 1000),
    isEmpty: latest === undefined,
  };
}

function deliveryChart({ times, buckets }) {
  const valuesOf = (field) => buckets.map((bucket) => (bucket?.warm ? bucket[field] : null));
  const [p50, p99] = [valuesOf("p50Us"), valuesOf("p99Us")];
  const latest = p99.findLastIndex((value) => value !== null);
  return {
    label: latest < 0 ? "No warm starts in the last hour" : `Delivery time over the last hour; latest p50 ${micros(p50[latest])}, p99 ${micros(p99[latest])}`,
    data: [times, p99, p50],
    series: [
      { name: "p99", colour: "second", dash: [5, 4], scale: "y", format: micros },
      { name: "p50", colour: "accent", scale: "y", format: micros },
    ],
    scale: { distr: 3, log: 10, range: (_, low, high) => decadeRange(low, high) },
    ticks: (_, __, low, high) => powersOfTen(low, high),
    formatTick: micros,
    formatTime: (seconds) => time(seconds * 1000),
    isEmpty: latest < 0,
  };
}

/** The powers of ten around the values, at least two decades. */
function decadeRange(low, high) {
  if (low === null || high === null) return [10, 10_000];
  const from = Math.max(0, Math.floor(Math.log10(low)));
  return [10 ** from, 10 ** Math.max(from + 2, Math.ceil(Math.log10(high)))];
}

function powersOfTen(low, high) {
  const all = [];
  for (let power = low; power <= high * 1.001; power *= 10) all.push(power);
  return all;
}
