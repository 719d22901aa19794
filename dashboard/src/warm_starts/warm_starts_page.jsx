import { Settings } from "../components/settings.jsx";
import { Charts } from "./charts.jsx";
import { Counts } from "./counts.jsx";
import { Offers } from "./offers.jsx";
import { Runners } from "./runners.jsx";

export const WarmStartsPage = () => (
  <>
    <Counts />
    <Charts />
    <Runners />
    <Offers />
    <Settings capability="warm-starts" />
  </>
);
