import { count, percent } from "../format.js";
import { hitRate, stats } from "../state.js";

export function Numbers() {
  const { warmStarts, coldStarts, totalRunners, totalExecutingRunners, totalDeployments } = stats.value;
  return (
    <section class="card numbers" aria-label="Counts">
      <HitRate />
      <dl>
        <Number name="Warm" value={warmStarts} note="runs taken by a waiting runner" />
        <Number name="Cold" value={coldStarts} note="runs that nobody took" />
        <Number name="Idle" value={totalRunners} note={`runners of ${count(totalDeployments)} ${totalDeployments === 1 ? "deployment" : "deployments"}`} />
        <Number name="Executing" value={totalExecutingRunners} note="runners that have a run" />
      </dl>
    </section>
  );
}

function HitRate() {
  const rate = hitRate.value;
  return (
    <div class="hit-rate">
      <p class="name" id="hit-rate-name">Hit rate</p>
      <p class="value" data-test="hit-rate">{rate === null ? "–" : <>{percent(rate)}<small> %</small></>}</p>
      <svg class="meter" role="img" aria-label={rate === null ? "no offers yet" : `${percent(rate)} percent of the runs offered were warm`} viewBox="0 0 100 1" preserveAspectRatio="none">
        <rect class="all" width="100" height="1" />
        <rect class="hit" width={rate ?? 0} height="1" />
      </svg>
    </div>
  );
}

const Number = ({ name, value, note }) => (
  <div>
    <dt>{name}</dt>
    <dd class="value" data-test={name.toLowerCase()}>{count(value)}</dd>
    <dd class="note">{note}</dd>
  </div>
);
