// A modal dialog: the browser's own <dialog>, which keeps the focus inside and returns it when it closes.

import { signal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";

/** The open dialog: null, or { kind, .. } with the properties of that kind. */
export const dialog = signal(null);
export const openDialog = (kind, properties = {}) => (dialog.value = { kind, ...properties });
export const closeDialog = () => (dialog.value = null);

export function Dialog({ title, onSubmit, children }) {
  const element = useRef(null);
  useLayoutEffect(() => {
    const shown = element.current;
    shown.showModal();
    // The browser returns the focus only when the dialog closes before it leaves the document.
    return () => shown.close();
  }, []);
  const submit = (event) => {
    event.preventDefault();
    onSubmit();
  };
  return (
    <dialog ref={element} aria-labelledby="dialog-title" onCancel={closeDialog} onClick={(event) => event.target === element.current && closeDialog()}>
      <form onSubmit={submit}>
        <h2 id="dialog-title">{title}</h2>
        {children}
      </form>
    </dialog>
  );
}

export const DialogButtons = ({ confirm, dismiss = "Cancel", busy, disabled }) => (
  <div class="buttons">
    <button type="button" class="button quiet" onClick={closeDialog}>{dismiss}</button>
    <button type="submit" class="button danger" disabled={busy || disabled}>{confirm}</button>
  </div>
);
