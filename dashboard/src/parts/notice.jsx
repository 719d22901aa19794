// A sentence about what was done or went wrong, seen and heard.

import { signal } from "@preact/signals";

const notice = signal(null);
let timer = null;

export const done = (text) => say({ text, kind: "done" });
export const failed = (error) => say({ text: `That failed: ${error.message}.`, kind: "failed" });

function say(what) {
  notice.value = what;
  clearTimeout(timer);
  timer = setTimeout(() => (notice.value = null), 8000);
}

export const Notice = () => (
  <div class="notice" role="status">{notice.value && <p class={notice.value.kind}>{notice.value.text}</p>}</div>
);
