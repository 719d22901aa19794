import { useState } from "preact/hooks";
import { cancelJob, deleteJob } from "../api.js";
import { plural } from "../format.js";
import { Buttons, Dialog, dialog, hide } from "../parts/dialog.jsx";
import { done } from "../parts/notice.jsx";
import { go } from "../route.js";

export function JobDialogs() {
  switch (dialog.value?.kind) {
    case "cancel-job":
      return <CancelDialog {...dialog.value} />;
    case "delete-job":
      return <DeleteDialog {...dialog.value} />;
    default:
      return null;
  }
}

/** Does it, and says why when it failed. */
function useDeed(deed) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const go = async () => {
    setBusy(true);
    try {
      await deed();
    } catch (failure) {
      setError(failure.message);
      setBusy(false);
    }
  };
  return { go, busy, error };
}

function CancelDialog({ id, callers, after }) {
  const { go: cancel, busy, error } = useDeed(async () => {
    const { message } = await cancelJob(id);
    hide();
    done(`${message[0].toUpperCase()}${message.slice(1)}.`);
    after();
  });
  return (
    <Dialog title="Cancel this job?" onSubmit={cancel}>
      <p>
        {callers > 1
          ? `${plural(callers, "submission")} wait for it: one of them is taken back, and the job goes on for the others.`
          : "It ends as failed, which is not remembered: the next submission computes it. A runner that has it is told with its next heartbeat."}
      </p>
      {error && <p class="error" role="alert">That failed: {error}.</p>}
      <Buttons does="Cancel the job" keeps="Keep it" busy={busy} />
    </Dialog>
  );
}

function DeleteDialog({ id, isUnderWay }) {
  const { go: remove, busy, error } = useDeed(async () => {
    await deleteJob(id);
    hide();
    done("The job is deleted.");
    go("#/jobs");
  });
  return (
    <Dialog title="Delete this job?" onSubmit={remove}>
      <p>
        Its parameters, console and result are forgotten, for everybody; an equal submission computes it again.
        {isUnderWay && " It is under way: whoever waits for it is told that there is no such job."}
      </p>
      {error && <p class="error" role="alert">That failed: {error}.</p>}
      <Buttons does="Delete the job" keeps="Keep it" busy={busy} />
    </Dialog>
  );
}
