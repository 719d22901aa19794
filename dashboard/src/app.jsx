import { useEffect } from "preact/hooks";
import { session } from "./api.js";
import { JobDialogs } from "./jobs/dialogs.jsx";
import { Job } from "./jobs/job.jsx";
import { Jobs } from "./jobs/overview.jsx";
import { JobRunner } from "./jobs/runner.jsx";
import { Submit } from "./jobs/submit.jsx";
import { route } from "./route.js";
import { about, connection } from "./state.js";
import { Charts } from "./parts/charts.jsx";
import { ClearDialog } from "./parts/clear.jsx";
import { dialog, hide } from "./parts/dialog.jsx";
import { Header } from "./parts/header.jsx";
import { Numbers } from "./parts/numbers.jsx";
import { Offers } from "./parts/offers.jsx";
import { RetireDialog } from "./parts/retire.jsx";
import { Runners } from "./parts/runners.jsx";
import { Settings } from "./parts/settings.jsx";
import { SignIn } from "./parts/sign_in.jsx";
import { Notice } from "./parts/notice.jsx";

export function App() {
  const mustSignIn = session.value?.key === "needed" && !session.value.signedIn;
  const { view, id } = shown();
  useEffect(hide, [view, id]);
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>Skip to content</a>
      <Header view={view} />
      <main id="main" tabIndex={-1}>{mustSignIn ? <SignIn /> : <View view={view} id={id} />}</main>
      <Notice />
      {dialog.value?.kind === "retire" && <RetireDialog {...dialog.value} />}
      {dialog.value?.kind === "clear" && <ClearDialog />}
      <JobDialogs />
    </>
  );
}

/** The address stays: it says what is shown. */
function skip(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

/** What the address says, as far as the service serves it. */
function shown() {
  const { warmStarts, jobs } = about.value?.serves ?? { warmStarts: true, jobs: true };
  const { view, id } = route.value;
  if (view === "warm-starts" || view === "home" || !jobs) {
    return { view: warmStarts || !jobs ? "warm-starts" : "jobs" };
  }
  return { view, id };
}

function View({ view, id }) {
  if (!about.value) return <Waiting />;
  switch (view) {
    case "jobs":
      return <Jobs />;
    case "submit":
      return <Submit />;
    case "job":
      return <Job key={id} id={id} />;
    case "runner":
      return <JobRunner key={id} id={id} />;
    default:
      return <WarmStarts />;
  }
}

const WarmStarts = () => (
  <>
    <Numbers />
    <Charts />
    <Runners />
    <Offers />
    <Settings />
  </>
);

/** Until the first snapshot: nothing jumps when it comes. */
function Waiting() {
  const text = { connecting: "", live: "", refused: "The service let nobody in. Trying again.", reconnecting: "The service does not answer. Trying again." }[connection.value.state];
  return <p class="waiting">{text}</p>;
}
