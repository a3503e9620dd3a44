// The page people fill in. Starts with what the server wrote into it; a form with a PIN asks for that first.
import { Api } from "./api.js";
import { Draft } from "./draft.js";
import { announceHeight } from "./embedded.js";
import { Filling } from "./filling.js";
import { page, show, text } from "./page.js";
import { askPin } from "./pin.js";
import { takeLink, takeResume } from "./secrets.js";

async function start() {
  const api = new Api(page.form_id, takeLink(page.slug));
  const draft = new Draft(page.form_id);
  const resumed = takeResume();
  if (resumed !== null && resumed !== draft.state.token) draft.adopt(resumed);
  announceHeight(page.slug);
  const form = page.form ?? (await askPin(api));
  await new Filling(api, draft, form).begin();
}

start().catch((error) => {
  console.error(error);
  show(text("brokenTitle"), text("broken"));
});
