import { useEffect } from "preact/hooks";
import { session } from "./api.js";
import { closeDialog, dialog } from "./components/dialog.jsx";
import { Header } from "./components/header.jsx";
import { Notice } from "./components/notice.jsx";
import { SignIn } from "./components/sign_in.jsx";
import { JobDialogs } from "./jobs/dialogs.jsx";
import { JobPage } from "./jobs/job_page.jsx";
import { JobsPage } from "./jobs/jobs_page.jsx";
import { RunnerPage } from "./jobs/runner_page.jsx";
import { SubmitPage } from "./jobs/submit_page.jsx";
import { route } from "./route.js";
import { connection, serviceInfo } from "./state.js";
import { ClearDialog } from "./warm_starts/clear.jsx";
import { RetireDialog } from "./warm_starts/retire.jsx";
import { WarmStartsPage } from "./warm_starts/warm_starts_page.jsx";

export function App() {
  const mustSignIn = session.value?.key === "needed" && !session.value.signedIn;
  const { view, id } = servedRoute();
  useEffect(closeDialog, [view, id]);
  return (
    <>
      <a class="skip" href="#main" onClick={focusMain}>Skip to content</a>
      <Header view={view} />
      <main id="main" tabIndex={-1}>{mustSignIn ? <SignIn /> : <Page view={view} id={id} />}</main>
      <Notice />
      {dialog.value?.kind === "retire" && <RetireDialog {...dialog.value} />}
      {dialog.value?.kind === "clear" && <ClearDialog />}
      <JobDialogs />
    </>
  );
}

/** Moves the focus without following the link: the part of the address after `#` is the route. */
function focusMain(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

/** The route in the address, or the first page that the service serves. */
function servedRoute() {
  const { warmStarts, jobs } = serviceInfo.value?.serves ?? { warmStarts: true, jobs: true };
  const { view, id } = route.value;
  if (view === "warm-starts" || view === "home" || !jobs) {
    return { view: warmStarts || !jobs ? "warm-starts" : "jobs" };
  }
  return { view, id };
}

function Page({ view, id }) {
  if (!serviceInfo.value) return <Loading />;
  switch (view) {
    case "jobs":
      return <JobsPage />;
    case "submit":
      return <SubmitPage />;
    case "job":
      return <JobPage key={id} id={id} />;
    case "runner":
      return <RunnerPage key={id} id={id} />;
    default:
      return <WarmStartsPage />;
  }
}

const LOADING_TEXTS = {
  connecting: "",
  live: "",
  refused: "The service refused the connection. Retrying.",
  reconnecting: "The service does not answer. Retrying.",
};

/** Shown until the first snapshot. It takes the height of a page, so that nothing moves when the snapshot arrives. */
const Loading = () => <p class="loading">{LOADING_TEXTS[connection.value.state]}</p>;
