import { clearHistory } from "../api.js";
import { closeDialog, Dialog, DialogButtons } from "../components/dialog.jsx";
import { notifySuccess } from "../components/notice.jsx";
import { useAction } from "../components/use_action.js";
import { count } from "../format.js";
import { stats } from "../state.js";

export function ClearDialog() {
  const { run, busy, error } = useAction(async () => {
    await clearHistory();
    closeDialog();
    notifySuccess("The history is cleared.");
  });
  return (
    <Dialog title="Clear the history?" onSubmit={run}>
      <p>
        Deletes the {count(stats.value.recentMatchesCount)} recorded offers, the warm and cold counts, and the charts, for all
        users. Runners and the counters under <code>/metrics</code> do not change.
      </p>
      {error && <p class="error" role="alert">Failed to clear the history: {error}.</p>}
      <DialogButtons confirm="Clear history" busy={busy} />
    </Dialog>
  );
}
