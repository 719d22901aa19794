import { useState } from "preact/hooks";
import { signIn } from "../api.js";
import { useAction } from "./use_action.js";

export function SignIn() {
  const [key, setKey] = useState("");
  const { run, busy, error } = useAction(() => signIn(key));
  const submit = (event) => {
    event.preventDefault();
    run();
  };
  return (
    <form class="card sign-in" onSubmit={submit} aria-labelledby="sign-in-title">
      <h2 id="sign-in-title">Sign in</h2>
      <p>Enter the admin key of this service.</p>
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
      {error && <p class="error" id="sign-in-error" role="alert">Failed to sign in: {error}.</p>}
      <button type="submit" class="button primary" disabled={busy || key === ""}>Sign in</button>
    </form>
  );
}
