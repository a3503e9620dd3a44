// A form given as JSON Schema: the questions that follow from it, where it is simple enough to ask them honestly.
// Objects of texts, numbers, true/false, choices, lists of choices and such objects; all else is for the API alone.
const SAID = new Set(["$schema", "$id", "$comment", "title", "description", "default", "examples", "readOnly", "writeOnly", "deprecated"]);
const ASKED = {
  object: ["type", "properties", "required", "additionalProperties"],
  string: ["type", "enum", "const", "minLength", "maxLength", "pattern", "format"],
  number: ["type", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"],
  boolean: ["type"],
  array: ["type", "items", "uniqueItems", "minItems", "maxItems"],
};
const INPUTS = { date: "date", time: "time", email: "email", uri: "url", "date-time": "text" };

class TooMuch extends Error {}

// {definition, toData, nameOf}, or null.
export function shapeOf(schema) {
  const paths = new Map();
  try {
    const elements = properties(schema, [], paths);
    if (elements.length === 0) return null;
    const definition = { title: schema.title, description: schema.description, elements };
    return { definition, toData: (answers) => toData(answers, paths), nameOf: (path) => nameOf(path, paths) };
  } catch (error) {
    if (error instanceof TooMuch) return null;
    throw error;
  }
}

function check(schema, type) {
  if (typeof schema !== "object" || schema === null) throw new TooMuch();
  for (const key of Object.keys(schema)) if (!SAID.has(key) && !ASKED[type].includes(key)) throw new TooMuch();
}

function properties(schema, path, paths) {
  check(schema, "object");
  if (schema.type !== "object" || typeof schema.properties !== "object") throw new TooMuch();
  const required = schema.required ?? [];
  if (required.some((name) => !(name in schema.properties))) throw new TooMuch();
  return Object.entries(schema.properties).map(([name, inner]) => question(inner, [...path, name], required.includes(name), paths));
}

function question(schema, path, isRequired, paths) {
  const title = schema?.title ?? path.at(-1);
  if (schema?.type === "object") return { type: "panel", name: path.join(" / "), title, description: schema.description, elements: properties(schema, path, paths) };
  const name = path.join(" / ").replace(/[{}\0]|^[$#]/g, "_");
  if (paths.has(name)) throw new TooMuch();
  const asked = { name, title, description: schema?.description, isRequired, ...kind(schema) };
  paths.set(name, { path, isNumber: ["number", "integer"].includes(schema.type) });
  return asked;
}

function kind(schema) {
  if (schema?.enum) return { type: schema.enum.length > 6 ? "dropdown" : "radiogroup", choices: choices(schema) };
  switch (schema?.type) {
    case "string":
      check(schema, "string");
      if (schema.const !== undefined || (schema.format && !(schema.format in INPUTS))) throw new TooMuch();
      return (schema.maxLength ?? 0) > 200 ? { type: "comment", maxLength: schema.maxLength } : { type: "text", inputType: INPUTS[schema.format] ?? "text", maxLength: schema.maxLength };
    case "number":
    case "integer":
      check(schema, "number");
      if (schema.const !== undefined) throw new TooMuch();
      return { type: "text", inputType: "number", min: schema.minimum, max: schema.maximum, step: schema.multipleOf ?? (schema.type === "integer" ? 1 : "any") };
    case "boolean":
      check(schema, "boolean");
      return { type: "boolean" };
    case "array":
      check(schema, "array");
      if (!schema.items?.enum) throw new TooMuch();
      return { type: "checkbox", choices: choices(schema.items), minSelectedChoices: schema.minItems, maxSelectedChoices: schema.maxItems };
    default:
      throw new TooMuch();
  }
}

function choices(schema) {
  for (const key of Object.keys(schema)) if (!SAID.has(key) && key !== "enum" && key !== "type") throw new TooMuch();
  if (!schema.enum.every((one) => ["string", "number"].includes(typeof one))) throw new TooMuch();
  return schema.enum;
}

function toData(answers, paths) {
  const data = {};
  for (const [name, { path }] of paths) {
    if (!(name in answers)) continue;
    let place = data;
    for (const part of path.slice(0, -1)) place = place[part] ??= {};
    place[path.at(-1)] = answers[name];
  }
  return data;
}

// From an error's path in the data to the question; one about an object is about its first question.
function nameOf(parts, paths) {
  for (const [name, { path }] of paths) {
    if (path.every((part, index) => part === parts[index])) return [name, ...parts.slice(path.length)];
  }
  for (const [name, { path }] of paths) if (parts.every((part, index) => part === path[index])) return [name];
  return parts;
}
