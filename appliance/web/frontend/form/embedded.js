// In a frame: tells the page around how high the form is, and that it was sent. No answers are told.
const framed = window.parent !== window;

function tell(message) {
  if (framed) window.parent.postMessage(message, "*");
}

export function announceHeight(slug) {
  if (!framed) return;
  document.documentElement.classList.add("framed");
  const measure = () => tell({ type: "form-height", slug, height: Math.ceil(document.body.getBoundingClientRect().height) });
  new ResizeObserver(measure).observe(document.body);
}

export const announceEnd = (slug) => tell({ type: "form-sent", slug });
