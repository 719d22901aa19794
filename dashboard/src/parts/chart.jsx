// One chart on a canvas. The pointer's place, or the latest value, is told in words above it.

import uPlot from "uplot";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { colour, theme } from "../theme.js";

const HEIGHT_PX = 190;

/** The lines are drawn one over the other: the last of them is what the chart is about, and stands first in words. */
export function Chart({ label, data, lines, scale, ticks, show, when, isEmpty }) {
  const box = useRef(null);
  const plot = useRef(null);
  const [pointed, setPointed] = useState(null);
  const dark = theme.value;
  useLayoutEffect(() => {
    plot.current = new uPlot(options({ lines, scale, ticks, show, width: box.current.clientWidth, setPointed }), data, box.current);
    const sized = new ResizeObserver(() => plot.current.setSize({ width: box.current.clientWidth, height: HEIGHT_PX }));
    sized.observe(box.current);
    return () => {
      sized.disconnect();
      plot.current.destroy();
    };
  }, [dark]);
  useLayoutEffect(() => plot.current.setData(data), [data]);
  return (
    <div class="chart">
      <Legend lines={lines} data={data} at={pointed} when={when} />
      <div class="canvas" ref={box} role="img" aria-label={label} data-empty={isEmpty} />
      {isEmpty && <p class="no-data" aria-hidden="true">{label}</p>}
    </div>
  );
}

function Legend({ lines, data, at, when }) {
  const shown = at ?? data.at(-1).findLastIndex((value) => value !== null);
  const entries = lines.map((line, index) => ({ ...line, value: data[index + 1][shown] }));
  return (
    <p class="legend" aria-hidden="true">
      {entries.reverse().map(({ name, colour, show, value }) => (
        <span><i class={`key ${colour}`} />{name} <b>{value == null ? "–" : show(value)}</b></span>
      ))}
      <span class="at">{data[0][shown] ? when(data[0][shown]) : ""}</span>
    </p>
  );
}

function options({ lines, scale, ticks, show, width, setPointed }) {
  const font = "11px system-ui, sans-serif";
  const axis = { stroke: colour("text-2"), font, grid: { stroke: colour("grid"), width: 1 }, ticks: { show: false } };
  return {
    width,
    height: HEIGHT_PX,
    padding: [8, 4, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { setScale: false, x: false, y: false }, points: { size: 7 } },
    scales: { x: { time: true, range: wholeBuckets }, y: scale, offers: { range: (_, low, high) => [0, Math.max(1, high ?? 1) * 3] } },
    axes: [
      { ...axis, grid: { show: false }, values: (_, splits) => splits.map(minutes), space: 70, size: 26 },
      { ...axis, splits: ticks, values: (_, splits) => splits.map(show), size: 58, gap: 8 },
    ],
    series: [{}, ...lines.map(line)],
    hooks: { setCursor: [({ cursor }) => setPointed(cursor.idx ?? null)] },
  };
}

function line({ name, colour: stroke, fill, dash, bars, scale }) {
  if (bars) {
    const paths = uPlot.paths.bars({ size: [0.7, 14] });
    return { label: name, scale, paths, points: { show: false }, fill: colour(stroke), width: 0 };
  }
  return { label: name, scale, stroke: colour(stroke), fill: fill && colour(fill), width: 1.75, dash, points: { show: true, size: 5, fill: colour(stroke), filter: lonely } };
}

/** Values without a neighbour, which no line would show. */
function lonely({ data }, which) {
  const values = data[which];
  const isThere = (index) => values[index] != null;
  return values.flatMap((_, index) => (isThere(index) && !isThere(index - 1) && !isThere(index + 1) ? [index] : []));
}

/** Half a bucket beyond the first and the last place, so that their bars are whole. */
function wholeBuckets({ data: [at] }, low, high) {
  const half = (at[1] - at[0]) / 2;
  return [low - half, high + half];
}

const minutes = (at) => new Date(at * 1000).toLocaleTimeString("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
