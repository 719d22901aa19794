import { useState } from "preact/hooks";
import { signIn } from "../api.js";

export function SignIn() {
  const [key, setKey] = useState("");
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await signIn(key);
    } catch (failure) {
      setError(failure.message);
      setBusy(false);
    }
  };
  return (
    <form class="card sign-in" onSubmit={submit} aria-labelledby="sign-in-title">
      <h2 id="sign-in-title">Sign in</h2>
      <p>This service asks for its admin key.</p>
      <label class="field">
        <span>Admin key</span>
        <input
          type="password"
          value={key}
          onInput={(event) => setKey(event.currentTarget.value)}
          aria-invalid={error !== null}
          aria-describedby={error ? "sign-in-error" : undefined}
          autocomplete="current-password"
          autofocus
          required
        />
      </label>
      {error && <p class="error" id="sign-in-error" role="alert">{error}</p>}
      <button type="submit" class="button primary" disabled={busy || key === ""}>Sign in</button>
    </form>
  );
}
