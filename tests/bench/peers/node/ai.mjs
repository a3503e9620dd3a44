// node-llama-cpp: `node ai.mjs MODEL THREADS`; the protocol is that of ../ai_lines.py.
//
// As its users would: the sequence keeps the common beginning, each text is worked on behind it by
// controlledEvaluate, and of the last token the logits of the labels are read, with the weight of all.
import readline from "node:readline";
import { getLlama, LlamaChat, LlamaLogLevel } from "node-llama-cpp";

const [file, threads] = process.argv.slice(2);
const seconds = () => performance.now() / 1000;
const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");

let started = seconds();
const llama = await getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.error, maxThreads: Number(threads) });
const model = await llama.loadModel({ modelPath: file });
const context = await model.createContext({ contextSize: 2048, threads: { ideal: Number(threads), min: Number(threads) } });
const sequence = context.getSequence();
const first = (text) => model.tokenize(text, false, "trimLeadingSpace")[0];
say({ load: seconds() - started, bos: model.tokens.shouldPrependBosToken });

async function score({ prefix, rests, labels }) {
  const head = model.tokenize(prefix);
  if (model.tokens.shouldPrependBosToken) head.unshift(model.tokens.bos);
  const wanted = labels.map((label) => model.tokenize(label)[0]);
  const rows = [];
  for (const rest of rests) {
    await sequence.adaptStateToTokens(head, false);
    const missing = head.slice(sequence.nextTokenIndex);
    if (missing.length) await sequence.evaluateWithoutGeneratingNewTokens(missing);
    const tokens = model.tokenize(rest);
    const asked = { generateNext: { logits: { filter: { tokens: wanted, includeMax: true } }, totalLogitWeight: true } };
    const input = [...tokens.slice(0, -1), [tokens.at(-1), asked]];
    const found = (await sequence.controlledEvaluate(input)).at(-1).next;
    const most = Math.max(...found.logits.values());
    rows.push(wanted.map((token) => found.logits.get(token) - most - Math.log(found.totalLogitWeight)));
  }
  return { scores: rows };
}

async function generate({ prompt, most }) {
  const begun = seconds(), times = [];
  const chat = new LlamaChat({ contextSequence: sequence });
  await chat.generateResponse(
    [{ type: "user", text: prompt }, { type: "model", response: [] }],
    { maxTokens: most, temperature: 0, onToken: (tokens) => tokens.forEach(() => times.push(seconds() - begun)) },
  );
  chat.dispose({ disposeSequence: false });
  return { times };
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line), cpu = process.cpuUsage();
  started = seconds();
  const found = await ("rests" in asked ? score(asked) : generate(asked));
  const used = process.cpuUsage(cpu);
  say({ ...found, seconds: seconds() - started, cpu: (used.user + used.system) / 1e6 });
}
process.exit(0);
