// One chart on a canvas, with a legend above it. The legend shows the values under the pointer, or the latest values.

import uPlot from "uplot";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { colour, theme } from "../theme.js";

const HEIGHT_PX = 190;

/** Series are drawn in order, one over the other. The last one is the chart's subject and comes first in the legend. */
export function Chart({ label, data, series, scale, ticks, formatTick, formatTime, isEmpty }) {
  const box = useRef(null);
  const plot = useRef(null);
  const [hovered, setHovered] = useState(null);
  const dark = theme.value;
  useLayoutEffect(() => {
    plot.current = new uPlot(options({ series, scale, ticks, formatTick, width: box.current.clientWidth, setHovered }), data, box.current);
    const observer = new ResizeObserver(() => plot.current.setSize({ width: box.current.clientWidth, height: HEIGHT_PX }));
    observer.observe(box.current);
    return () => {
      observer.disconnect();
      plot.current.destroy();
    };
  }, [dark]);
  useLayoutEffect(() => plot.current.setData(data), [data]);
  return (
    <div class="chart">
      <Legend series={series} data={data} hovered={hovered} formatTime={formatTime} />
      <div class="canvas" ref={box} role="img" aria-label={label} data-empty={isEmpty} />
      {isEmpty && <p class="no-data" aria-hidden="true">{label}</p>}
    </div>
  );
}

function Legend({ series, data, hovered, formatTime }) {
  const shown = hovered ?? data.at(-1).findLastIndex((value) => value !== null);
  const entries = series.map((one, index) => ({ ...one, value: data[index + 1][shown] }));
  return (
    <p class="legend" aria-hidden="true">
      {entries.reverse().map(({ name, colour, format, value }) => (
        <span><i class={`key ${colour}`} />{name} <b>{value == null ? "–" : format(value)}</b></span>
      ))}
      <span class="at">{data[0][shown] ? formatTime(data[0][shown]) : ""}</span>
    </p>
  );
}

function options({ series, scale, ticks, formatTick, width, setHovered }) {
  const font = "11px system-ui, sans-serif";
  const axis = { stroke: colour("text-2"), font, grid: { stroke: colour("grid"), width: 1 }, ticks: { show: false } };
  return {
    width,
    height: HEIGHT_PX,
    padding: [8, 4, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { setScale: false, x: false, y: false }, points: { size: 7 } },
    // Bars use the lower third of the chart.
    scales: { x: { time: true, range: paddedTimeRange }, y: scale, volume: { range: (_, low, high) => [0, Math.max(1, high ?? 1) * 3] } },
    axes: [
      { ...axis, grid: { show: false }, values: (_, splits) => splits.map(hourAndMinute), space: 70, size: 26 },
      { ...axis, splits: ticks, values: (_, splits) => splits.map(formatTick), size: 58, gap: 8 },
    ],
    series: [{}, ...series.map(seriesOptions)],
    hooks: { setCursor: [({ cursor }) => setHovered(cursor.idx ?? null)] },
  };
}

function seriesOptions({ name, colour: stroke, fill, dash, bars, scale }) {
  if (bars) {
    const paths = uPlot.paths.bars({ size: [0.7, 14] });
    return { label: name, scale, paths, points: { show: false }, fill: colour(stroke), width: 0 };
  }
  return { label: name, scale, stroke: colour(stroke), fill: fill && colour(fill), width: 1.75, dash, points: { show: true, size: 5, fill: colour(stroke), filter: isolatedPoints } };
}

/** The indexes of values without a neighbour, which a line would not show. */
function isolatedPoints({ data }, seriesIndex) {
  const values = data[seriesIndex];
  const exists = (index) => values[index] != null;
  return values.flatMap((_, index) => (exists(index) && !exists(index - 1) && !exists(index + 1) ? [index] : []));
}

/** Adds half a bucket at each end, so that the first and the last bar are not cut. */
function paddedTimeRange({ data: [times] }, low, high) {
  const half = (times[1] - times[0]) / 2;
  return [low - half, high + half];
}

const hourAndMinute = (seconds) => new Date(seconds * 1000).toLocaleTimeString("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
