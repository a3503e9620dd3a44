// On a page that refuses: the link that this tab came by may be what is missing (a reload lost it).
import { remembered } from "./secrets.js";

const url = new URL(location.href);
const link = remembered(`link:${url.pathname.split("/")[2]}`);
if (link !== null && !url.searchParams.has("link")) {
  url.searchParams.set("link", link);
  location.replace(url);
}
