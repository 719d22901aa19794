// One job, live: its details, fetched whenever its status changes, and its progress and console from the job's event
// stream.

import { useEffect, useState } from "preact/hooks";
import { fetchJob, openJobEvents } from "../api.js";
import { hasEnded, submission } from "./common.jsx";

const RECONNECT_AFTER_MS = 3000;

/** { details, progress, console, error, reload }. `reload` fetches the details and opens the stream again. */
export function useJob(id) {
  const [job, setJob] = useState({ console: "" });
  const [round, setRound] = useState(0);
  const merge = (changes) => setJob((previous) => ({ ...previous, ...changes }));
  const fetchDetails = () => fetchJob(id).then((details) => merge({ details, error: null }), (error) => merge({ error }));
  useEffect(() => {
    fetchDetails();
    return followEvents(id, {
      onStatus: fetchDetails,
      onProgress: (progress) => merge({ progress }),
      onConsole: ({ is_whole, text }) => setJob((previous) => ({ ...previous, console: is_whole ? text : previous.console + text })),
    });
  }, [id, round]);
  // The outcome of a submission is shown on the first visit only.
  useEffect(() => () => submission.value?.id === id && (submission.value = null), [id]);
  return { ...job, reload: () => setRound((previous) => previous + 1) };
}

/** Follows a job's events until the job has ended. Returns a function that stops earlier. */
function followEvents(id, { onStatus, onProgress, onConsole }) {
  let source = null;
  let timer = null;
  const close = () => {
    clearTimeout(timer);
    source?.close();
    source = null;
  };
  const open = () => {
    close();
    source = openJobEvents(id);
    source.addEventListener("progress", (event) => onProgress(JSON.parse(event.data)));
    source.addEventListener("console", (event) => onConsole(JSON.parse(event.data)));
    source.addEventListener("status", (event) => {
      onStatus();
      if (hasEnded(JSON.parse(event.data).status)) stop();
    });
    // A closed stream was refused: the limit of streams is reached, or the job was deleted, which its details show.
    source.addEventListener("error", () => {
      if (source?.readyState !== EventSource.CLOSED) return;
      onStatus();
      close();
      timer = setTimeout(open, RECONNECT_AFTER_MS);
    });
  };
  // Browsers allow only a few connections to one service, so a hidden page closes its stream.
  const onVisibilityChange = () => (document.hidden ? close() : open());
  const stop = () => {
    document.removeEventListener("visibilitychange", onVisibilityChange);
    close();
  };
  document.addEventListener("visibilitychange", onVisibilityChange);
  onVisibilityChange();
  return stop;
}
