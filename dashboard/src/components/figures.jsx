// The figures at the top of a page: one percentage with a bar, and counts.

import { count, percent } from "../format.js";

/** `value` is in percent, or null while there is none. `description` follows the number for screen readers. */
export function Percentage({ name, test, value, emptyLabel, description }) {
  return (
    <div class="percentage">
      <p class="name">{name}</p>
      <p class="value" data-test={test}>{value === null ? "–" : <>{percent(value)}<small> %</small></>}</p>
      <svg class="meter" role="img" aria-label={value === null ? emptyLabel : `${percent(value)} ${description}`} viewBox="0 0 100 1" preserveAspectRatio="none">
        <rect class="all" width="100" height="1" />
        <rect class="hit" width={value ?? 0} height="1" />
      </svg>
    </div>
  );
}

export const Count = ({ name, test, value, note }) => (
  <div>
    <dt>{name}</dt>
    <dd class="value" data-test={test}>{typeof value === "number" ? count(value) : value}</dd>
    <dd class="note">{note}</dd>
  </div>
);
