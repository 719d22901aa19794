// A table of any length. Only the visible rows are in the document; spacers of the other rows' height let the browser
// scroll. All rows have the same height.

import { useLayoutEffect, useRef, useState } from "preact/hooks";

/** `--row` in style/theme.css. */
const ROW_PX = 38;
/** Rows rendered above and below the visible ones, so that scrolling does not show gaps. */
const OVERSCAN_ROWS = 6;

/**
 * columns: [{ name, class, cell(row) }]; the first column is the row's header.
 * rows: objects with an `id`. empty: the content shown when there are no rows.
 */
export function Table({ label, columns, rows, empty }) {
  const box = useRef(null);
  const { first, last } = useVisibleRows(box, rows.length);
  return (
    <div class="scroller" ref={box} tabIndex={0} role="region" aria-label={label}>
      <table aria-rowcount={rows.length + 1}>
        <caption class="visually-hidden">{label}</caption>
        <thead>
          <tr aria-rowindex={1}>{columns.map(({ name, class: className }) => <th scope="col" class={className}>{name}</th>)}</tr>
        </thead>
        <tbody>
          <Spacer rows={first} />
          {rows.slice(first, last).map((row, index) => (
            <tr key={row.id} aria-rowindex={first + index + 2}>
              {columns.map(({ cell, class: className }, column) =>
                column === 0 ? <th scope="row" class={className}>{cell(row)}</th> : <td class={className}>{cell(row)}</td>,
              )}
            </tr>
          ))}
          <Spacer rows={rows.length - last} />
        </tbody>
      </table>
      {rows.length === 0 && <div class="empty">{empty}</div>}
    </div>
  );
}

/** Takes the height of rows that are not rendered. */
const Spacer = ({ rows }) => (rows > 0 ? <tr aria-hidden="true" class="spacer" style={{ height: `${rows * ROW_PX}px` }} /> : null);

/** The rows to render: from `first` up to, but without, `last`. */
function useVisibleRows(box, count) {
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(0);
  useLayoutEffect(() => {
    const element = box.current;
    const onScroll = () => setTop(Math.floor(element.scrollTop / ROW_PX));
    const observer = new ResizeObserver(() => setHeight(element.clientHeight));
    element.addEventListener("scroll", onScroll, { passive: true });
    observer.observe(element);
    return () => {
      element.removeEventListener("scroll", onScroll);
      observer.disconnect();
    };
  }, []);
  const rendered = Math.ceil(height / ROW_PX) + 2 * OVERSCAN_ROWS;
  const first = Math.max(0, Math.min(top - OVERSCAN_ROWS, count - rendered));
  return { first, last: Math.min(count, first + rendered) };
}
