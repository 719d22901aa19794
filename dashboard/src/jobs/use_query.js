import { useEffect, useRef, useState } from "preact/hooks";
import { jobs } from "../state.js";

const MIN_INTERVAL_MS = 1000;

/**
 * Calls `fetchValue` now and again whenever a job changes, at most once a second. Returns { value, error }. `key` names
 * the query: a new key starts over with no value.
 */
export function useQuery(fetchValue, key) {
  const [result, setResult] = useState({ key });
  const requests = useRef({ key: null, sentAt: 0, number: 0, shownNumber: 0 });
  // `revision` changes with jobs of this instance only. Jobs of other instances on the same store change the counts.
  const changes = `${jobs.value?.revision} ${JSON.stringify(jobs.value?.counts)}`;
  useEffect(() => {
    const state = requests.current;
    const wait = state.key === key ? Math.max(0, state.sentAt + MIN_INTERVAL_MS - Date.now()) : 0;
    state.key = key;
    const timer = setTimeout(async () => {
      state.sentAt = Date.now();
      const number = (state.number += 1);
      const next = await fetchValue().then((value) => ({ key, value }), (error) => ({ key, error }));
      // Ignores an answer of another query, and one that a later request overtook.
      if (state.key !== key || number < state.shownNumber) return;
      state.shownNumber = number;
      // While the service does not answer, the last value stays visible beside the error.
      setResult((previous) => (next.error && !next.error.status ? { ...previous, error: next.error } : next));
    }, wait);
    return () => clearTimeout(timer);
  }, [key, changes]);
  useEffect(() => () => (requests.current.key = null), []);
  return result.key === key ? result : { key };
}
