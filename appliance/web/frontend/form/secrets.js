// Tokens made here, and those that came in the address, which they leave at once.

// 256 bits in URL-safe base64.
export function token() {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

// The token of a link (`?link=`), kept for this tab, so that the page can be loaded again.
export function takeLink(slug) {
  const name = `link:${slug}`;
  const url = new URL(location.href);
  const given = url.searchParams.get("link");
  if (given === null) return remembered(name);
  remember(name, given);
  url.searchParams.delete("link");
  history.replaceState(null, "", url);
  return given;
}

export const forgetLink = (slug) => remember(`link:${slug}`, null);

// The token of half-filled work (`#resume=`): a fragment is sent to no server.
export function takeResume() {
  const found = /^#resume=([A-Za-z0-9_-]{32,200})$/.exec(location.hash);
  if (found === null) return null;
  history.replaceState(null, "", location.pathname + location.search);
  return found[1];
}

export function remembered(name) {
  try {
    return sessionStorage.getItem(name);
  } catch {
    return null; // storage is switched off, or not for embedded pages
  }
}

function remember(name, value) {
  try {
    if (value === null) sessionStorage.removeItem(name);
    else sessionStorage.setItem(name, value);
  } catch {
    // the page then asks for the link again
  }
}
