// The entry of the page: applies the theme, renders the page and connects to the event stream.

import { render } from "preact";
import { App } from "./app.jsx";
import { start } from "./live.js";
import { applyTheme } from "./theme.js";

applyTheme();
render(<App />, document.getElementById("app"));
start();
