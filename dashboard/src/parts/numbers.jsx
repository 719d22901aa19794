import { count, percent } from "../format.js";
import { hitRate, stats } from "../state.js";

export function Numbers() {
  const { warmStarts, coldStarts, totalRunners, totalExecutingRunners, totalDeployments } = stats.value;
  return (
    <section class="card numbers" aria-label="Counts">
      <HitRate />
      <dl>
        <Count name="Warm" value={warmStarts} note="runs taken by a waiting runner" />
        <Count name="Cold" value={coldStarts} note="runs that nobody took" />
        <Count name="Idle" value={totalRunners} note={`runners of ${count(totalDeployments)} ${totalDeployments === 1 ? "deployment" : "deployments"}`} />
        <Count name="Executing" value={totalExecutingRunners} note="runners that have a run" />
      </dl>
    </section>
  );
}

const HitRate = () => (
  <Share name="Hit rate" test="hit-rate" rate={hitRate.value} none="no offers yet" says="percent of the runs offered were warm" />
);

/** A share in percent, or null. */
export function Share({ name, test, rate, none, says }) {
  return (
    <div class="hit-rate">
      <p class="name">{name}</p>
      <p class="value" data-test={test}>{rate === null ? "–" : <>{percent(rate)}<small> %</small></>}</p>
      <svg class="meter" role="img" aria-label={rate === null ? none : `${percent(rate)} ${says}`} viewBox="0 0 100 1" preserveAspectRatio="none">
        <rect class="all" width="100" height="1" />
        <rect class="hit" width={rate ?? 0} height="1" />
      </svg>
    </div>
  );
}

export const Count = ({ name, value, note }) => (
  <div>
    <dt>{name}</dt>
    <dd class="value" data-test={name.toLowerCase()}>{typeof value === "number" ? count(value) : value}</dd>
    <dd class="note">{note}</dd>
  </div>
);
