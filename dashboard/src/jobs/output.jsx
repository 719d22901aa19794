// What others wrote: parameters, results, console output. It is shown as text, whatever it looks like.

import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { size } from "../format.js";
import { pretty } from "../json.js";

/** More is shown on request: a browser is slow with a megabyte. */
const SHOWN = 20_000;
const CONSOLE_SHOWN = 100_000;

export function Json({ title, text }) {
  const [whole, setWhole] = useState(false);
  const id = `${title.toLowerCase()}-title`;
  const lines = useMemo(() => pretty(text), [text]);
  const isCut = !whole && lines.length > SHOWN;
  return (
    <section class="card text-card" aria-labelledby={id}>
      <h3 id={id}>{title}</h3>
      <pre class="mono" tabIndex={0} role="region" aria-label={title} data-test={title.toLowerCase()}>{isCut ? `${lines.slice(0, SHOWN)} …` : lines}</pre>
      {isCut && <p class="more"><button type="button" class="button small" onClick={() => setWhole(true)}>Show all {size(lines.length)}</button></p>}
    </section>
  );
}

/** Its end stays in sight as it grows, unless somebody reads further up. */
export function Console({ text, isUnderWay }) {
  const [whole, setWhole] = useState(false);
  const box = useRef(null);
  const follows = useRef(true);
  const isCut = !whole && text.length > CONSOLE_SHOWN;
  useLayoutEffect(() => {
    if (follows.current) box.current.scrollTop = box.current.scrollHeight;
  }, [text]);
  const scrolled = ({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
    follows.current = scrollTop + clientHeight > scrollHeight - 24;
  };
  return (
    <section class="card text-card" aria-labelledby="console-title">
      <h3 id="console-title">Console</h3>
      {isCut && <p class="more"><button type="button" class="button small" onClick={() => setWhole(true)}>Show all {size(text.length)}</button> the beginning is not shown</p>}
      <pre class="mono console" tabIndex={0} role="region" aria-label="Console" ref={box} onScroll={scrolled} data-test="console">
        {isCut ? text.slice(-CONSOLE_SHOWN) : text}
      </pre>
      {text === "" && <p class="more">{isUnderWay ? "Nothing was written yet." : "Nothing was written."}</p>}
    </section>
  );
}
