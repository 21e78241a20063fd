// The stand-alone page: the panel fills it.

import { createPanel, dress } from "./page.js";
import { fitViewport } from "../client/viewport.js";

const query = new URLSearchParams(location.search);
const host = document.querySelector("main");
const { client, panel, texts } = await createPanel({ language: query.get("lang"), name: query.get("name") });
document.documentElement.lang = texts.language;
document.title = texts.title;
host.append(panel.element);
fitViewport(host);
client.start();
panel.shown(true);
await dress({ panel, host, texts });
document.title = panel.title;
