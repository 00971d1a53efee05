import { suite } from "uvu";
import * as assert from "uvu/assert";
import * as v from "valibot";
import { type parse, SHAPES } from "../../../src/agent/worker/server_messages.ts";
import { parse as parsed } from "../../../src/agent/worker/server_messages.ts";
import { mutateJson } from "../../hostile/mutate_text.ts";
import { Random } from "../../hostile/random.ts";

const messages = suite("agent/worker/server_messages");

const index = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const object = (entries: v.ObjectEntries) =>
  v.pipe(v.custom((value) => !Array.isArray(value)), v.object(entries));
const AREA = v.pipe(
  object({
    ...{ id: v.string(), path: v.string(), words: index },
    ...{ takesComparisons: v.boolean(), isShared: v.boolean() },
    ...{ turns: v.exactOptional(v.string()), takesMarks: v.exactOptional(v.boolean()) },
  }),
  v.check((area) => !area.isShared || area.turns !== undefined),
);
const WELCOME = object({
  ...{ id: index, name: v.string(), isHeld: v.boolean(), pipe: v.string() },
  holdTimeout: v.pipe(v.number(), v.minValue(0)),
  areas: v.array(AREA),
});

const area = {
  ...{ id: "a", path: "/dev/shm/a", words: 512, takesComparisons: false, isShared: true },
  turns: "/dev/shm/turns",
};
const marks = {
  ...{ id: "b", path: "/dev/shm/b", words: 0, takesComparisons: false, isShared: false },
  takesMarks: true,
};
const welcome = {
  ...{ id: 1, name: "api", holdTimeout: 1000.5, pipe: "/none", isHeld: true },
  areas: [area, marks],
};
/** By name: a value that passes, and the same checks as schemas. */
const KINDS = {
  welcome: [welcome, WELCOME],
  areas: [[area, marks], v.array(AREA)],
  probed: [{ code: "f()" }, object({ code: v.exactOptional(v.string()) })],
  messages: [[[1, "{}"], [2, ""]], v.array(v.looseTuple([index, v.string()]))],
  scriptIds: [["1", "2"], v.array(v.string())],
  globs: [["**/*.js"], v.array(v.string())],
} as const;

function outcome(kind: keyof typeof KINDS, value: unknown): string {
  try {
    parsed(Buffer.from(JSON.stringify(value)), SHAPES[kind] as Parameters<typeof parse>[1]);
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

messages("takes what a schema takes, and nothing else, with a line that says where", () => {
  for (const [kind, [value, schema]] of Object.entries(KINDS)) {
    const name = kind as keyof typeof KINDS;
    assert.is(outcome(name, value), "", kind);
    let refused = 0;
    for (let i = 0; i < 3000; i++) {
      const random = new Random(12, i);
      const other: unknown = JSON.parse(JSON.stringify(mutateJson(value, random)) ?? "null");
      const reason = outcome(name, other);
      assert.is(reason === "", v.is(schema, other), `${kind} ${JSON.stringify(other)}: ${reason}`);
      if (reason !== "") refused++;
      assert.match(reason, /^(?:[\w.]+ must be [ \w]+)?$/);
    }
    assert.ok(refused > 300 && refused < 3000, `${kind}: ${refused} are refused`);
  }
});

messages("what is no JSON, or wrong deep within, is said in a line", () => {
  const refusal = (text: string) => {
    try {
      return parsed(Buffer.from(text), SHAPES.welcome).name;
    } catch (error) {
      return (error as Error).message;
    }
  };
  assert.is(refusal("{"), "it is no JSON");
  assert.is(refusal("[]"), "it must be an object");
  assert.is(
    refusal(JSON.stringify({ ...welcome, areas: [area, { ...area, words: -1 }] })),
    "areas.1.words must be a whole number from 0 on",
  );
});

messages.run();
