/**
 * The arguments that Node's own modules are made with: their `require`, and the bindings. Only from there can
 * the agent mend what a program sees of its isolate, without the program seeing any other change.
 *
 * Node gives neither to anybody. V8's inspector lists the variables that a function of Node's sees
 * (`[[Scopes]]`), as it does for a debugger; that takes some 2 ms. Names and places are those of Node 20 to
 * 26.
 */
const { connect } = require("./own_inspector.cjs") as import("./own_inspector.cts").Parts;

/** Node's own `require` and bindings. */
interface Internals {
  readonly require: (id: string) => Record<string, never>;
  readonly binding: (name: string) => Record<string, never>;
}

/** The parts of V8's answers that are read. */
interface Answer {
  readonly result?: RemoteObject | readonly Property[];
  readonly internalProperties?: readonly Property[];
}

interface RemoteObject {
  readonly objectId?: string;
}

interface Property {
  readonly name: string;
  readonly value?: RemoteObject;
}

type Ask = (method: string, params: object) => Answer;

/** The property by which a function hands over its argument. */
const HANDED = Symbol("kcovfs.handed");
const KEY = Symbol.for("kcovfs.handed");

let found: Internals | undefined;

/**
 * @returns undefined where they cannot be had: the isolate has no inspector, for example, or is not Node's.
 */
function findInternals(): Internals | undefined {
  if ("Deno" in globalThis) return undefined;
  try {
    return found ??= find();
  } catch {
    return undefined;
  }
}

function find(): Internals | undefined {
  const { dispatch, disconnect } = connect();
  try {
    let id = 0;
    const ask: Ask = (method, params) => {
      const replies = dispatch(JSON.stringify({ id: ++id, method, params }));
      return JSON.parse(replies[replies.length - 1]).result;
    };
    const ownRequire = variableOf(ask, "process.emitWarning", "require");
    const binding = variableOf(ask, "process.binding", "internalBinding");
    if (!ownRequire || !binding) return undefined;
    return handOver(ask, [ownRequire, binding]);
  } finally {
    disconnect();
  }
}

/** A variable that a function sees: V8's id of its value. */
function variableOf(ask: Ask, fn: string, name: string): string | undefined {
  const { result } = ask("Runtime.evaluate", { expression: fn, silent: true });
  const { internalProperties = [] } = ask("Runtime.getProperties", {
    objectId: (result as RemoteObject).objectId,
    ownProperties: true,
  });
  const scopes = internalProperties.find((property) => property.name === "[[Scopes]]")?.value;
  for (const scope of propertiesOf(ask, scopes)) {
    const variable = propertiesOf(ask, scope.value).find((property) => property.name === name);
    if (variable?.value?.objectId) return variable.value.objectId;
  }
  return undefined;
}

function propertiesOf(ask: Ask, object: RemoteObject | undefined): readonly Property[] {
  if (!object?.objectId) return [];
  const params = { objectId: object.objectId, ownProperties: true };
  return ask("Runtime.getProperties", params).result as readonly Property[];
}

function handOver(ask: Ask, [ownRequire, binding]: readonly string[]): Internals | undefined {
  const global = globalThis as Record<symbol, unknown>;
  const hand = (require: Internals["require"], binding: Internals["binding"]) => {
    global[HANDED] = { require, binding };
  };
  Object.defineProperty(global, KEY, { value: hand, configurable: true });
  try {
    ask("Runtime.callFunctionOn", {
      objectId: ownRequire,
      functionDeclaration:
        `function (binding) { globalThis[Symbol.for("kcovfs.handed")](this, binding) }`,
      arguments: [{ objectId: binding }],
    });
    return global[HANDED] as Internals | undefined;
  } finally {
    delete global[KEY];
    delete global[HANDED];
  }
}

const parts = { findInternals };
module.exports = parts;
export type Parts = typeof parts;
export type { Internals };
