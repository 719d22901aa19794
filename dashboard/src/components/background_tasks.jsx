import { useEffect, useState } from "preact/hooks";
import { fetchBackgroundTasks } from "../api.js";
import { wholeDuration } from "../format.js";
import { now } from "../state.js";

const REFRESH_MS = 5000;

/** The background tasks of the service with their last results. They are fetched only while the list is open. */
export function BackgroundTasks() {
  const [open, setOpen] = useState(false);
  const { tasks, error } = useBackgroundTasks(open);
  return (
    <details class="card background-tasks" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Background tasks</summary>
      {error && <p class="error" role="alert">Failed to read the background tasks: {error.message}.</p>}
      {tasks && <ul>{tasks.map((task) => <Task key={`${task.capability} ${task.name}`} {...task} />)}</ul>}
    </details>
  );
}

function Task({ capability, name, description, last_run_at: lastRunAt, last_result: lastResult, last_error: lastError }) {
  const age = lastRunAt === undefined ? "has not run yet" : `${wholeDuration(now.value - lastRunAt)} ago`;
  return (
    <li>
      <div><strong>{capability}: {name}</strong> <span>{description}</span></div>
      <div>
        {lastError ? <span class="failed">{lastError}</span> : lastResult} <span>{age}</span>
      </div>
    </li>
  );
}

/** { tasks, error }: the last answer; while the service does not answer, the tasks before stay. */
function useBackgroundTasks(open) {
  const [result, setResult] = useState({});
  useEffect(() => {
    if (!open) return;
    let isOpen = true;
    const refresh = async () => {
      const next = await fetchBackgroundTasks().then(({ tasks }) => ({ tasks }), (error) => ({ error }));
      if (isOpen) setResult((previous) => (next.error ? { ...previous, ...next } : next));
    };
    refresh();
    const timer = setInterval(refresh, REFRESH_MS);
    return () => {
      isOpen = false;
      clearInterval(timer);
    };
  }, [open]);
  return result;
}
