// survey-core's expressions: a text in, its tree out; a text and values in, what it gives out.
import { createRequire } from "node:module";

const { ConditionsParser, ExpressionRunner, FunctionFactory, settings } = createRequire(import.meta.url)("survey-core");

// {"parse": text} → {"tree": [...]} or {"tree": null} where survey-core cannot run the text.
export function parse(text) {
  const found = new ConditionsParser().parseExpression(text);
  if (!found) return { tree: null };
  try {
    found.hasFunction();
    found.hasAsyncFunction();
    found.setVariables([]);
    return { tree: written(found) };
  } catch {
    return { tree: null };
  }
}

function written(one) {
  if (one === null || one === undefined) return ["null"];
  switch (one.getType()) {
    case "const":
      return ["const", one.correctValue];
    case "variable":
      return ["name", one.variable, one.useValueAsItIs];
    case "array":
      return ["array", ...one.values.map(written)];
    case "function":
      return ["call", one.functionName, ...one.paramValues.map(written)];
    case "unary":
      if (one.expression === null) throw new Error("null");
      return ["unary", one.operator, written(one.expression)];
    default:
      return ["binary", one.operator, written(one.leftOperand), written(one.rightOperand)];
  }
}

// {"run": text, "values": {...}, "now": milliseconds} → {"value": …} or {"threw": true}
export function run(text, values, now) {
  settings.onDateCreated = (date, reason, value) => (value ? date : new Date(now));
  try {
    return { value: told(new ExpressionRunner(text).runValues(values)) };
  } catch (fault) {
    return { threw: String(fault) };
  }
}

export const functions = () => FunctionFactory.Instance.getAll();

// JSON has no word for these.
function told(value) {
  if (value === undefined) return { is: "undefined" };
  if (typeof value === "number" && !Number.isFinite(value)) return { is: String(value) };
  if (value instanceof Date) return { is: "date", at: Number.isNaN(value.getTime()) ? null : value.getTime() };
  if (Array.isArray(value)) return value.map(told);
  return value;
}
