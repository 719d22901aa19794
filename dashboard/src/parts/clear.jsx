import { useState } from "preact/hooks";
import { clearHistory } from "../api.js";
import { count } from "../format.js";
import { stats } from "../state.js";
import { Buttons, Dialog, hide } from "./dialog.jsx";
import { done } from "./notice.jsx";

export function ClearDialog() {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const clear = async () => {
    setBusy(true);
    try {
      await clearHistory();
      hide();
      done("The history is cleared.");
    } catch (failure) {
      setError(failure.message);
      setBusy(false);
    }
  };
  return (
    <Dialog title="Clear the history?" onSubmit={clear}>
      <p>
        The {count(stats.value.recentMatchesCount)} remembered offers, the counts of warm and cold starts and the charts start
        over, for everybody. Runners are left alone, and the counters under <code>/metrics</code> go on.
      </p>
      {error && <p class="error" role="alert">That failed: {error}.</p>}
      <Buttons does="Clear history" busy={busy} />
    </Dialog>
  );
}
