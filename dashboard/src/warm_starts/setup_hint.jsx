// What a new user sees before the first runner polls: which setting connects runners.

import { CommandLine } from "../components/command_line.jsx";
import { serviceInfo } from "../state.js";

const LOOPBACK = /^(127\.|::1$|\[::1\]$|localhost$)/;

export function SetupHint() {
  const line = `TRIGGER_WARM_START_URL=${location.origin}`;
  return (
    <div class="setup-hint">
      <p><strong>No runner is waiting.</strong> Set this variable for your supervisor, which passes it on to its runners:</p>
      <CommandLine text={line} test="url-line" />
      <p>
        A runner appears here when it polls, usually after its first run.
        {LOOPBACK.test(serviceInfo.value.config.host) && <> This service accepts connections from this machine only; start it with <code>HOST=0.0.0.0</code> to accept others. </>}
        {" "}More in <code>docs/configuration.md</code>.
      </p>
    </div>
  );
}
