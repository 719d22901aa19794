// A line for a terminal, to be copied.

import { useState } from "preact/hooks";
import { Icon } from "./icon.jsx";
import { failed } from "./notice.jsx";

export const Line = ({ text, test }) => (
  <p class="line"><code data-test={test}>{text}</code>{navigator.clipboard && <Copy text={text} />}</p>
);

/** Browsers give the clipboard only to pages of this machine, or over TLS. */
function Copy({ text }) {
  const [copied, setCopied] = useState(false);
  const copy = () =>
    navigator.clipboard.writeText(text).then(() => {
      setCopied(true);
      setTimeout(() => setCopied(false), 2000);
    });
  return (
    <button type="button" class="button quiet icon-only" aria-label={copied ? "Copied" : "Copy this line"} onClick={() => copy().catch(failed)}>
      <Icon name={copied ? "check" : "copy"} />
    </button>
  );
}
