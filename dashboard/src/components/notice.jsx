// A short notice about the last action, shown for some seconds and read by screen readers.

import { signal } from "@preact/signals";

const SHOWN_FOR_MS = 8000;

const notice = signal(null);
let timer = null;

export const notifySuccess = (text) => showNotice({ text, kind: "success" });
/** `action` is a verb with its object: "sign out". */
export const notifyError = (action, error) => showNotice({ text: `Failed to ${action}: ${error.message}.`, kind: "failed" });

function showNotice(content) {
  notice.value = content;
  clearTimeout(timer);
  timer = setTimeout(() => (notice.value = null), SHOWN_FOR_MS);
}

export const Notice = () => (
  <div class="notice" role="status">{notice.value && <p class={notice.value.kind}>{notice.value.text}</p>}</div>
);
