/**
 * Reminders over HTTP: `node service.mjs` listens on a port of its own choice, which it prints. It does not
 * know that it is fuzzed.
 *
 * A posted text says when to remind in the next week, as ISO 8601 does: once, after `PT36H`; five
 * times, every `R5/P1DT12H`; or without end, every `R/PT90M`. The reply says how often that is.
 */
import { createServer } from "node:http";

const WEEK = 7 * 24 * 60;
const LONGEST_NUMBER = 4;

class Text {
  #text;
  #at = 0;

  constructor(text) {
    this.#text = text;
  }

  get isAtEnd() {
    return this.#at === this.#text.length;
  }

  next() {
    return this.#text[this.#at++];
  }

  /** Goes past a character, if that is the next one. */
  take(character) {
    const isNext = this.#text[this.#at] === character;
    if (isNext) this.#at++;
    return isNext;
  }

  number() {
    const [digits] = this.#text.slice(this.#at).match(/^\d*/);
    if (digits === "" || digits.length > LONGEST_NUMBER) throw new SyntaxError("not a number");
    this.#at += digits.length;
    return Number(digits);
  }
}

/** Minutes. */
function dateUnit(letter) {
  switch (letter) {
    case "W":
      return WEEK;
    case "D":
      return 24 * 60;
  }
  throw new SyntaxError("not a unit of dates");
}

/** Minutes. */
function timeUnit(letter) {
  switch (letter) {
    case "H":
      return 60;
    case "M":
      return 1;
  }
  throw new SyntaxError("not a unit of time");
}

/** Minutes: `P1DT12H` is a day and a half. */
function duration(text) {
  if (!text.take("P")) throw new SyntaxError("not a duration");
  let minutes = 0;
  let unit = dateUnit;
  do {
    if (text.take("T")) unit = timeUnit;
    minutes += text.number() * unit(text.next());
  } while (!text.isAtEnd);
  return minutes;
}

/** When to remind, in minutes from now. */
function schedule(text) {
  if (!text.take("R")) return [duration(text)];
  if (!text.take("/")) {
    const count = text.number();
    if (!text.take("/")) throw new SyntaxError("not a repetition");
    const step = duration(text);
    return Array.from({ length: count }, (_, i) => (i + 1) * step);
  }
  const step = duration(text);
  // The bug: a week need not be a whole number of steps.
  const times = new Array(WEEK / step);
  return Array.from(times, (_, i) => (i + 1) * step);
}

function answer(body, response) {
  try {
    const times = schedule(new Text(body)).filter((time) => time <= WEEK);
    response.end(`${times.length} times\n`);
  } catch (error) {
    response.statusCode = error instanceof SyntaxError ? 400 : 500;
    response.end(`${error}\n`);
  }
}

const server = createServer((request, response) => {
  let body = "";
  request.setEncoding("latin1");
  request.on("data", (chunk) => body += chunk);
  request.on("end", () => answer(body, response));
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`${server.address().port}\n`));
