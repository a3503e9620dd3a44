// One submission, sent until its verdict is known. The same body under the same key is one response, however often it comes.
import { say, text } from "./page.js";

const LONGEST = 30; // seconds between two tries

// Raises the Problem of a refusal.
export async function send(api, draft) {
  const { key, body } = draft.state.pending;
  for (let tries = 1; ; tries += 1) {
    say(text("sending"));
    try {
      return await api.submit(body, key);
    } catch (problem) {
      // The first one may still be under way: its verdict is what counts.
      const inFlight = problem.kind === "conflict" && tries === 2;
      if (!problem.passes && !inFlight) throw problem;
      await rest(Math.min(problem.retryAfter ?? 2 ** tries, LONGEST));
    }
  }
}

// Until the time is over, the network is back or the person asks for it.
function rest(seconds) {
  return new Promise((done) => {
    const end = () => {
      clearInterval(clock);
      removeEventListener("online", end);
      done();
    };
    const tell = () => say(text("offline", { seconds }), { action: { label: text("tryNow"), run: end }, urgent: true });
    const clock = setInterval(() => ((seconds -= 1) > 0 ? tell() : end()), 1000);
    addEventListener("online", end);
    tell();
  });
}
