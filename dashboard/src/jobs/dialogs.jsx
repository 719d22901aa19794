import { cancelJob, deleteJob } from "../api.js";
import { closeDialog, dialog, Dialog, DialogButtons } from "../components/dialog.jsx";
import { notifySuccess } from "../components/notice.jsx";
import { useAction } from "../components/use_action.js";
import { plural } from "../format.js";
import { navigate } from "../route.js";

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

function CancelDialog({ id, callers, onCancelled }) {
  const { run, busy, error } = useAction(async () => {
    const { message } = await cancelJob(id);
    closeDialog();
    notifySuccess(`${message[0].toUpperCase()}${message.slice(1)}.`);
    onCancelled();
  });
  return (
    <Dialog title="Cancel this job?" onSubmit={run}>
      <p>
        {callers > 1
          ? `${plural(callers, "caller")} wait for this job. One of them is removed; the job continues for the others.`
          : "The job ends as failed. This failure is not cached: the next equal submission computes the job again. A runner that executes it learns this from its next heartbeat."}
      </p>
      {error && <p class="error" role="alert">Failed to cancel the job: {error}.</p>}
      <DialogButtons confirm="Cancel the job" dismiss="Keep the job" busy={busy} />
    </Dialog>
  );
}

function DeleteDialog({ id, isUnderWay }) {
  const { run, busy, error } = useAction(async () => {
    await deleteJob(id);
    closeDialog();
    notifySuccess("The job is deleted.");
    navigate("#/jobs");
  });
  return (
    <Dialog title="Delete this job?" onSubmit={run}>
      <p>
        Deletes its parameters, console and result, for all callers. The next equal submission computes the job again.
        {isUnderWay && " The job is under way: callers that wait for it get the error that it does not exist."}
      </p>
      {error && <p class="error" role="alert">Failed to delete the job: {error}.</p>}
      <DialogButtons confirm="Delete the job" dismiss="Keep the job" busy={busy} />
    </Dialog>
  );
}
