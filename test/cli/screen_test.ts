import { EventEmitter } from "node:events";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Screen, type Terminal } from "../../src/cli/screen.ts";

const screen = suite("cli/screen");

const [ENTER, LEAVE] = ["\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"];

/** A terminal that notes the calls. */
function made({ isTTY = true, columns = 100, rows = 30 } = {}) {
  const done: string[] = [];
  const output = Object.assign(new EventEmitter(), {
    ...{ columns, rows },
    write: (text: string) => done.push(text) > 0,
  });
  const input = Object.assign(new EventEmitter(), {
    isTTY,
    setRawMode: (isRaw: boolean) => void done.push(`raw ${isRaw}`),
    resume: () => void done.push("resume"),
    pause: () => void done.push("pause"),
  });
  const keys: string[] = [];
  let resized = 0;
  const subject = new Screen({ output, input } as unknown as Terminal, {
    onKey: (key) => keys.push(key),
    onResize: () => resized++,
  });
  return { subject, done, output, input, keys, resized: () => resized };
}

screen("the terminal is as it was when the screen goes", () => {
  const { subject, done, output, input } = made();
  assert.equal(done.splice(0), [ENTER, "raw true", "resume"]);
  subject[Symbol.dispose]();
  assert.equal(done, ["raw false", "pause", LEAVE]);
  assert.equal(
    [...output.eventNames(), ...input.eventNames()].filter((name) =>
      output.listenerCount(name) + input.listenerCount(name) > 0
    ),
    [],
  );
});

screen("lines are drawn over those before, of which nothing stays", () => {
  const { subject, done } = made();
  done.length = 0;
  subject.draw(["one", "", "three"]);
  assert.equal(done, ["\x1b[Hone\x1b[K\n\x1b[K\nthree\x1b[K\x1b[J"]);
});

screen("keys are told one by one, and that the size has changed", () => {
  const { output, input, keys, resized } = made();
  input.emit("data", Buffer.from("ab\x03"));
  output.emit("resize");
  assert.equal([keys, resized()], [["a", "b", "\x03"], 1]);
});

screen("where keys come from no terminal they are left alone", () => {
  const { subject, done, input, keys } = made({ isTTY: false });
  input.emit("data", Buffer.from("q"));
  subject[Symbol.dispose]();
  assert.equal([done, keys], [[ENTER, LEAVE], []]);
});

screen("a terminal that does not know its size has that of the first ones", () => {
  assert.equal(made().subject.size, { columns: 100, rows: 30 });
  assert.equal(made({ columns: 0, rows: 0 }).subject.size, { columns: 80, rows: 24 });
});

screen.run();
