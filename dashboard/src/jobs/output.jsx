// Text written by callers and runners: parameters, results, console output. It is always rendered as text, never as
// HTML.

import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { byteSize } from "../format.js";
import { indent } from "../json.js";

/** Longer text is cut until the user asks for all of it: browsers render a megabyte slowly. In characters. */
const JSON_SHOWN = 20_000;
const CONSOLE_SHOWN = 100_000;

export function Json({ title, text }) {
  const [showAll, setShowAll] = useState(false);
  const id = `${title.toLowerCase()}-title`;
  const indented = useMemo(() => indent(text), [text]);
  const isCut = !showAll && indented.length > JSON_SHOWN;
  return (
    <section class="card text-card" aria-labelledby={id}>
      <h3 id={id}>{title}</h3>
      <pre class="mono" tabIndex={0} role="region" aria-label={title} data-test={title.toLowerCase()}>{isCut ? `${indented.slice(0, JSON_SHOWN)} …` : indented}</pre>
      {isCut && <p class="more"><button type="button" class="button small" onClick={() => setShowAll(true)}>Show all {byteSize(indented.length)}</button></p>}
    </section>
  );
}

/** Scrolls to the end as the text grows, unless the user has scrolled up. */
export function Console({ text, isUnderWay }) {
  const [showAll, setShowAll] = useState(false);
  const box = useRef(null);
  const isAtEnd = useRef(true);
  const isCut = !showAll && text.length > CONSOLE_SHOWN;
  useLayoutEffect(() => {
    if (isAtEnd.current) box.current.scrollTop = box.current.scrollHeight;
  }, [text]);
  const onScroll = ({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
    isAtEnd.current = scrollTop + clientHeight > scrollHeight - 24;
  };
  return (
    <section class="card text-card" aria-labelledby="console-title">
      <h3 id="console-title">Console</h3>
      {isCut && <p class="more"><button type="button" class="button small" onClick={() => setShowAll(true)}>Show all {byteSize(text.length)}</button> Only the end is shown.</p>}
      <pre class="mono console" tabIndex={0} role="region" aria-label="Console" ref={box} onScroll={onScroll} data-test="console">
        {isCut ? text.slice(-CONSOLE_SHOWN) : text}
      </pre>
      {text === "" && <p class="more">{isUnderWay ? "No output yet." : "No output."}</p>}
    </section>
  );
}
