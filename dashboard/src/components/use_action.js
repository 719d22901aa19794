import { useState } from "preact/hooks";

/**
 * Runs an async action of a form: { run, busy, error }. `error` is the message of the last failure, or null. `busy`
 * stays true after a success, because the form closes then.
 */
export function useAction(action) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const run = async () => {
    setBusy(true);
    try {
      await action();
    } catch (failure) {
      setError(failure.message);
      setBusy(false);
    }
  };
  return { run, busy, error };
}
