// What a newcomer does next.

import { useState } from "preact/hooks";
import { about } from "../state.js";
import { Icon } from "./icon.jsx";
import { failed } from "./notice.jsx";

const LOOPBACK = /^(127\.|::1$|\[::1\]$|localhost$)/;

export function FirstRunner() {
  const line = `TRIGGER_WARM_START_URL=${location.origin}`;
  return (
    <div class="first">
      <p><strong>No runner is waiting.</strong> Set this for your supervisor, which passes it on to the runners it starts:</p>
      <p class="line"><code data-test="url-line">{line}</code>{navigator.clipboard && <Copy text={line} />}</p>
      <p>
        A runner shows up here as soon as it polls, mostly after its first run.
        {LOOPBACK.test(about.value.config.host) && <> This service answers only this machine; start it with <code>HOST=0.0.0.0</code> for others. </>}
        {" "}More in <code>docs/configuration.md</code>.
      </p>
    </div>
  );
}

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
