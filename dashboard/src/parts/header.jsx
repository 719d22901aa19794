import { session, signOut } from "../api.js";
import { about, connection } from "../state.js";
import { theme, toggleTheme } from "../theme.js";
import { show } from "./dialog.jsx";
import { Flame, Icon } from "./icon.jsx";
import { failed } from "./notice.jsx";

const SAYS = { connecting: "Connecting", live: "Live", reconnecting: "Reconnecting", refused: "Refused" };

/** Runs, or jobs; `view` is what is shown. */
export function Header({ view }) {
  const { key, signedIn } = session.value ?? {};
  const mayAct = signedIn && connection.value.state === "live";
  return (
    <header class="bar">
      <div class="bar-inner">
        <h1 class="brand"><Flame /> Pilotlight</h1>
        {signedIn && about.value?.serves.warmStarts && about.value.serves.jobs && <Parts view={view} />}
        {signedIn !== false && <Connection />}
        <div class="actions">
          {signedIn && view === "warm-starts" && (
            <>
              <button type="button" class="button quiet" disabled={!mayAct} onClick={() => show("clear")}>Clear history</button>
              <button type="button" class="button" disabled={!mayAct} onClick={() => show("retire")}>Retire…</button>
            </>
          )}
          {key === "needed" && signedIn && (
            <button type="button" class="button quiet icon-only" aria-label="Sign out" onClick={() => signOut().catch(failed)}>
              <Icon name="exit" />
            </button>
          )}
          <ThemeToggle />
        </div>
      </div>
    </header>
  );
}

const Parts = ({ view }) => (
  <nav class="parts" aria-label="Parts">
    <a href="#/warm-starts" aria-current={view === "warm-starts" ? "page" : undefined}>Warm starts</a>
    <a href="#/jobs" aria-current={view === "warm-starts" ? undefined : view === "jobs" ? "page" : "true"}>Jobs</a>
  </nav>
);

/** Said aloud when it changes, and only then. */
function Connection() {
  const { state, why } = connection.value;
  return <p class={`connection ${state}`} role="status"><i aria-hidden="true" />{SAYS[state]}{why && `: ${why}`}</p>;
}

function ThemeToggle() {
  const other = theme.value === "dark" ? "light" : "dark";
  return (
    <button type="button" class="button quiet icon-only" aria-label={`Switch to the ${other} theme`} onClick={toggleTheme}>
      <Icon name={other === "light" ? "sun" : "moon"} />
    </button>
  );
}
