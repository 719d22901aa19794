// Answers that are asked for again when something of a job changed, at most once a second.

import { useEffect, useRef, useState } from "preact/hooks";
import { jobs } from "../state.js";

const AT_MOST_EVERY_MS = 1000;

/** What `ask` was answered: { value, error }. Another `key` is another question. */
export function useAnswer(ask, key) {
  const [answer, setAnswer] = useState({ key });
  const asked = useRef({ key: null, at: 0, number: 0, shown: 0 });
  // Changes of other instances show in the counts.
  const changes = `${jobs.value?.revision} ${JSON.stringify(jobs.value?.counts)}`;
  useEffect(() => {
    const state = asked.current;
    const wait = state.key === key ? Math.max(0, state.at + AT_MOST_EVERY_MS - Date.now()) : 0;
    state.key = key;
    const timer = setTimeout(async () => {
      state.at = Date.now();
      const number = (state.number += 1);
      const told = await ask().then((value) => ({ key, value }), (error) => ({ key, error }));
      if (state.key !== key || number < state.shown) return;
      state.shown = number;
      // What was told before stays in sight while the service cannot be reached.
      setAnswer((before) => (told.error && !told.error.status ? { ...before, error: told.error } : told));
    }, wait);
    return () => clearTimeout(timer);
  }, [key, changes]);
  useEffect(() => () => (asked.current.key = null), []);
  return answer.key === key ? answer : { key };
}
