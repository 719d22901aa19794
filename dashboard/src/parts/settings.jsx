import { ago, setting } from "../format.js";
import { about, now } from "../state.js";

const ACK = { kernel: "by the runner's kernel", unconfirmed: "none: warm starts are unconfirmed" };

export function Settings({ of = "warm-starts" }) {
  const { version, ack, config, startedAt } = about.value;
  const host = config.host.includes(":") ? `[${config.host}]` : config.host;
  return (
    <section aria-labelledby="settings-title">
      <div class="section-head"><h2 id="settings-title">Settings in force</h2></div>
      <dl class="card settings">
        {of === "warm-starts" && (
          <>
            <Setting name="Connection time-out" value={zeroRetires(config.connectionTimeoutMs)} />
            <Setting name="Keepalive" value={zeroRetires(config.keepaliveMs)} />
          </>
        )}
        <Setting name="Listens on" value={`${host}:${config.port}`} />
        <Setting name="Acknowledgement" value={ACK[ack]} />
        <Setting name="Version" value={<>{version} · <a href="/assets/licences.txt">licences</a></>} />
        <Setting name="Up for" value={ago(now.value - startedAt)} />
      </dl>
    </section>
  );
}

const Setting = ({ name, value }) => <div><dt>{name}</dt><dd>{value}</dd></div>;

const zeroRetires = (ms) => (ms === 0 ? "0: every runner exits" : setting(ms));
