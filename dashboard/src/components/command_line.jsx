// A line for a terminal, with a button that copies it.

import { useState } from "preact/hooks";
import { Icon } from "./icon.jsx";
import { notifyError } from "./notice.jsx";

export const CommandLine = ({ text, test }) => (
  <p class="command-line"><code data-test={test}>{text}</code>{navigator.clipboard && <CopyButton text={text} />}</p>
);

/** Browsers allow access to the clipboard only on loopback addresses and over TLS. */
function CopyButton({ text }) {
  const [copied, setCopied] = useState(false);
  const copy = () =>
    navigator.clipboard.writeText(text).then(() => {
      setCopied(true);
      setTimeout(() => setCopied(false), 2000);
    });
  return (
    <button type="button" class="button quiet icon-only" aria-label={copied ? "Copied" : "Copy this line"} onClick={() => copy().catch((error) => notifyError("copy the line", error))}>
      <Icon name={copied ? "check" : "copy"} />
    </button>
  );
}
