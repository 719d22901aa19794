import { Count, Percentage } from "../components/figures.jsx";
import { plural } from "../format.js";
import { hitRate, stats } from "../state.js";

export function Counts() {
  const { warmStarts, coldStarts, totalRunners, totalExecutingRunners, totalDeployments } = stats.value;
  return (
    <section class="card figures" aria-label="Counts">
      <Percentage name="Hit rate" test="hit-rate" value={hitRate.value} emptyLabel="no offers yet" description="percent of the offered runs started warm" />
      <dl>
        <Count name="Warm" test="warm" value={warmStarts} note="runs taken by a runner" />
        <Count name="Cold" test="cold" value={coldStarts} note="runs that no runner took" />
        <Count name="Idle" test="idle" value={totalRunners} note={`runners of ${plural(totalDeployments, "deployment")}`} />
        <Count name="Executing" test="executing" value={totalExecutingRunners} note="runners with a run" />
      </dl>
    </section>
  );
}
