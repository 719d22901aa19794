import { session, signOut } from "../api.js";
import { connection, serviceInfo } from "../state.js";
import { theme, toggleTheme } from "../theme.js";
import { openDialog } from "./dialog.jsx";
import { Flame, Icon } from "./icon.jsx";
import { notifyError } from "./notice.jsx";

const STATE_LABELS = { connecting: "Connecting", live: "Live", reconnecting: "Reconnecting", refused: "Refused" };

/** `view` is the name of the shown page. */
export function Header({ view }) {
  const { key, signedIn } = session.value ?? {};
  const canWrite = signedIn && connection.value.state === "live";
  return (
    <header class="bar">
      <div class="bar-inner">
        <h1 class="brand"><Flame /> Pilotlight</h1>
        {signedIn && serviceInfo.value?.serves.warmStarts && serviceInfo.value.serves.jobs && <Navigation view={view} />}
        {signedIn !== false && <Connection />}
        <div class="actions">
          {signedIn && view === "warm-starts" && (
            <>
              <button type="button" class="button quiet" disabled={!canWrite} onClick={() => openDialog("clear")}>Clear history</button>
              <button type="button" class="button" disabled={!canWrite} onClick={() => openDialog("retire")}>Retire…</button>
            </>
          )}
          {key === "needed" && signedIn && (
            <button type="button" class="button quiet icon-only" aria-label="Sign out" onClick={() => signOut().catch((error) => notifyError("sign out", error))}>
              <Icon name="exit" />
            </button>
          )}
          <ThemeToggle />
        </div>
      </div>
    </header>
  );
}

const Navigation = ({ view }) => (
  <nav class="navigation" aria-label="Pages">
    <a href="#/warm-starts" aria-current={view === "warm-starts" ? "page" : undefined}>Warm starts</a>
    <a href="#/jobs" aria-current={view === "warm-starts" ? undefined : view === "jobs" ? "page" : "true"}>Jobs</a>
  </nav>
);

/** The state of the event stream. Screen readers read it when it changes, and only then. */
function Connection() {
  const { state, reason } = connection.value;
  return <p class={`connection ${state}`} role="status"><i aria-hidden="true" />{STATE_LABELS[state]}{reason && `: ${reason}`}</p>;
}

function ThemeToggle() {
  const other = theme.value === "dark" ? "light" : "dark";
  return (
    <button type="button" class="button quiet icon-only" aria-label={`Switch to the ${other} theme`} onClick={toggleTheme}>
      <Icon name={other === "light" ? "sun" : "moon"} />
    </button>
  );
}
