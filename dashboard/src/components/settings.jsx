import { configDuration, wholeDuration } from "../format.js";
import { now, serviceInfo } from "../state.js";
import { BackgroundTasks } from "./background_tasks.jsx";

const ACK_MODES = { kernel: "by the runner's kernel", unconfirmed: "none: warm starts are unconfirmed" };

/** The settings of a running service. `capability` is "warm-starts" or "jobs". */
export function Settings({ capability }) {
  const { version, ack, config, startedAt } = serviceInfo.value;
  const host = config.host.includes(":") ? `[${config.host}]` : config.host;
  return (
    <section aria-labelledby="settings-title">
      <div class="section-head"><h2 id="settings-title">Settings</h2></div>
      <dl class="card settings">
        {capability === "warm-starts" && (
          <>
            <Setting name="Connection timeout" value={timeout(config.connectionTimeoutMs)} />
            <Setting name="Keepalive" value={timeout(config.keepaliveMs)} />
          </>
        )}
        <Setting name="Address" value={`${host}:${config.port}`} />
        <Setting name="Acknowledgement" value={ACK_MODES[ack]} />
        <Setting name="Version" value={<>{version} · <a href="/assets/licences.txt">licences</a></>} />
        <Setting name="Uptime" value={wholeDuration(now.value - startedAt)} />
      </dl>
      <BackgroundTasks />
    </section>
  );
}

const Setting = ({ name, value }) => <div><dt>{name}</dt><dd>{value}</dd></div>;

const timeout = (ms) => (ms === 0 ? "0: every runner exits" : configDuration(ms));
