// A table of any length of which only the rows in sight are in the document. Rows have one height; the browser scrolls.

import { useLayoutEffect, useRef, useState } from "preact/hooks";

const ROW_PX = 38;
const SPARE_ROWS = 6;

/**
 * columns: [{ name, class, cell(row) }], the first of which names its row.
 * rows: objects with an `id`. empty: what stands there when there are none.
 */
export function Table({ label, columns, rows, empty }) {
  const box = useRef(null);
  const { first, last } = useSight(box, rows.length);
  return (
    <div class="scroller" ref={box} tabIndex={0} role="region" aria-label={label}>
      <table aria-rowcount={rows.length + 1}>
        <caption class="unseen">{label}</caption>
        <thead>
          <tr aria-rowindex={1}>{columns.map(({ name, class: kind }) => <th scope="col" class={kind}>{name}</th>)}</tr>
        </thead>
        <tbody>
          <Gap rows={first} />
          {rows.slice(first, last).map((row, index) => (
            <tr key={row.id} aria-rowindex={first + index + 2}>
              {columns.map(({ cell, class: kind }, column) =>
                column === 0 ? <th scope="row" class={kind}>{cell(row)}</th> : <td class={kind}>{cell(row)}</td>,
              )}
            </tr>
          ))}
          <Gap rows={rows.length - last} />
        </tbody>
      </table>
      {rows.length === 0 && <div class="empty">{empty}</div>}
    </div>
  );
}

/** The room of rows that are not there. */
const Gap = ({ rows }) => (rows > 0 ? <tr aria-hidden="true" class="gap" style={{ height: `${rows * ROW_PX}px` }} /> : null);

/** Which rows are in sight: from `first` to before `last`. */
function useSight(box, count) {
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(0);
  useLayoutEffect(() => {
    const element = box.current;
    const scrolled = () => setTop(Math.floor(element.scrollTop / ROW_PX));
    const sized = new ResizeObserver(() => setHeight(element.clientHeight));
    element.addEventListener("scroll", scrolled, { passive: true });
    sized.observe(element);
    return () => {
      element.removeEventListener("scroll", scrolled);
      sized.disconnect();
    };
  }, []);
  const inSight = Math.ceil(height / ROW_PX) + 2 * SPARE_ROWS;
  const first = Math.max(0, Math.min(top - SPARE_ROWS, count - inSight));
  return { first, last: Math.min(count, first + inSight) };
}
