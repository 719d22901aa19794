import { session, signOut } from "../api.js";
import { connection } from "../state.js";
import { theme, toggleTheme } from "../theme.js";
import { show } from "./dialog.jsx";
import { Flame, Icon } from "./icon.jsx";
import { failed } from "./notice.jsx";

const SAYS = { connecting: "Connecting", live: "Live", reconnecting: "Reconnecting", refused: "Refused" };

export function Header() {
  const { key, signedIn } = session.value ?? {};
  const mayAct = signedIn && connection.value.state === "live";
  return (
    <header class="bar">
      <div class="bar-inner">
        <h1 class="brand"><Flame /> Pilotlight</h1>
        {signedIn !== false && <Connection />}
        <div class="actions">
          {signedIn && (
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
