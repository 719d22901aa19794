import { session } from "./api.js";
import { about, connection } from "./state.js";
import { Charts } from "./parts/charts.jsx";
import { ClearDialog } from "./parts/clear.jsx";
import { dialog } from "./parts/dialog.jsx";
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
  return (
    <>
      <a class="skip" href="#main">Skip to content</a>
      <Header />
      <main id="main" tabIndex={-1}>{mustSignIn ? <SignIn /> : <Everything />}</main>
      <Notice />
      {dialog.value?.kind === "retire" && <RetireDialog {...dialog.value} />}
      {dialog.value?.kind === "clear" && <ClearDialog />}
    </>
  );
}

function Everything() {
  if (!about.value) return <Waiting />;
  return (
    <>
      <Numbers />
      <Charts />
      <Runners />
      <Offers />
      <Settings />
    </>
  );
}

/** Until the first snapshot: nothing jumps when it comes. */
function Waiting() {
  const text = { connecting: "", live: "", refused: "The service let nobody in. Trying again.", reconnecting: "The service does not answer. Trying again." }[connection.value.state];
  return <p class="waiting">{text}</p>;
}
