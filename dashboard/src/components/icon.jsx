// Small icons, hidden from screen readers: the text or label beside an icon says the same.

const PATHS = {
  sun: "M12 4V2m0 20v-2m8-8h2M2 12h2m13.7-5.7 1.4-1.4M4.9 19.1l1.4-1.4m0-11.4L4.9 4.9m14.2 14.2-1.4-1.4M16 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0z",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z",
  search: "m20 20-4.5-4.5M17.5 11a6.5 6.5 0 1 1-13 0 6.5 6.5 0 0 1 13 0z",
  copy: "M9 9h10v11H9zM5 15H4V4h11v1",
  check: "m5 12.5 4.5 4.5L19 7.5",
  exit: "M14 4h5v16h-5M4 12h11m-4-4 4 4-4 4",
};

export const Icon = ({ name }) => (
  <svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d={PATHS[name]} /></svg>
);

export const Flame = () => (
  <svg class="flame" viewBox="0 0 24 24" aria-hidden="true">
    <path class="flame-outer" d="M12 2c1 4.5 6.5 7 6.5 12.5a6.5 6.5 0 0 1-13 0C5.5 9 11 6.5 12 2z" />
    <path class="flame-inner" d="M12 12c.5 2 2.7 2.9 2.7 5.2a2.7 2.7 0 0 1-5.4 0C9.3 14.9 11.5 14 12 12z" />
  </svg>
);
