// What the server wrote into the page, and the few elements around the survey.
export const page = JSON.parse(document.getElementById("page").textContent);

export const element = (id) => document.getElementById(id);

// The page's own words in its language; `{name}` is filled in.
export function text(key, values = {}) {
  return (page.texts[key] ?? key).replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
}

let latest = 0;

// One line below the form, read out by screen readers. `action`: {label, run} makes it a button beside.
export function say(message, { action, urgent = false } = {}) {
  latest += 1;
  const line = element("status");
  line.setAttribute("role", urgent ? "alert" : "status");
  line.classList.toggle("urgent", urgent);
  line.replaceChildren(message);
  if (action) line.append(" ", button(action.label, action.run));
  return latest;
}

// Only if nothing else was said since.
export function unsay(said) {
  if (said === latest) say("");
}

export function button(label, run, kind = "plain") {
  const made = document.createElement("button");
  made.type = "button";
  made.className = kind;
  made.textContent = label;
  made.addEventListener("click", run);
  return made;
}

// A page of words instead of the form.
export function show(title, ...paragraphs) {
  const heading = document.createElement("h1");
  heading.textContent = title;
  heading.tabIndex = -1;
  const lines = paragraphs.filter(Boolean).map((words) => {
    const line = document.createElement("p");
    line.append(words);
    return line;
  });
  const box = document.createElement("div");
  box.className = "notice";
  box.append(heading, ...lines);
  element("form").replaceChildren(box);
  heading.focus();
  return box;
}
