// The browser's own modal dialog: it keeps the focus inside and gives it back.

import { signal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";

/** Which dialog is open: null, or { kind, .. }. */
export const dialog = signal(null);
export const show = (kind, more = {}) => (dialog.value = { kind, ...more });
export const hide = () => (dialog.value = null);

export function Dialog({ title, onSubmit, children }) {
  const element = useRef(null);
  useLayoutEffect(() => {
    const shown = element.current;
    shown.showModal();
    // Closed first: only then is the focus given back.
    return () => shown.close();
  }, []);
  const submit = (event) => {
    event.preventDefault();
    onSubmit();
  };
  return (
    <dialog ref={element} aria-labelledby="dialog-title" onCancel={hide} onClick={(event) => event.target === element.current && hide()}>
      <form onSubmit={submit}>
        <h2 id="dialog-title">{title}</h2>
        {children}
      </form>
    </dialog>
  );
}

export const Buttons = ({ does, keeps = "Cancel", busy, disabled }) => (
  <div class="buttons">
    <button type="button" class="button quiet" onClick={hide}>{keeps}</button>
    <button type="submit" class="button danger" disabled={busy || disabled}>{does}</button>
  </div>
);
