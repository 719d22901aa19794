// What a newcomer does next.

import { about } from "../state.js";
import { Line } from "./line.jsx";

const LOOPBACK = /^(127\.|::1$|\[::1\]$|localhost$)/;

export function FirstRunner() {
  const line = `TRIGGER_WARM_START_URL=${location.origin}`;
  return (
    <div class="first">
      <p><strong>No runner is waiting.</strong> Set this for your supervisor, which passes it on to the runners it starts:</p>
      <Line text={line} test="url-line" />
      <p>
        A runner shows up here as soon as it polls, mostly after its first run.
        {LOOPBACK.test(about.value.config.host) && <> This service answers only this machine; start it with <code>HOST=0.0.0.0</code> for others. </>}
        {" "}More in <code>docs/configuration.md</code>.
      </p>
    </div>
  );
}
