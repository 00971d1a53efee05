/**
 * Orders over HTTP, an app like those in Express's own manual. It does not know that it is fuzzed.
 *
 * A post to `/orders` is a form, `count=24*2`, or the same as JSON. A count may be a calculation:
 * `24*2`, `24-2` or `24/2`, and it may be in dozens: `2d`. The reply says how many labels were printed.
 */
import express from "express";

const app = express();
app.use(express.json(), express.urlencoded());

/** A number at the beginning of a text, and the rest of the text; undefined where there is none. */
function takeNumber(text) {
  const digits = text.match(/^\d{1,4}/)?.[0];
  return digits && { number: Number(digits), rest: text.slice(digits.length) };
}

/** Undefined for an unknown operator. */
function reckon(left, operator, right) {
  switch (operator) {
    case "*":
      return left * right;
    case "-":
      return left - right;
    case "/":
      return right === 0 ? undefined : left / right;
  }
  return undefined;
}

/** Undefined for a text that is no count. */
function parseCount(text) {
  const first = takeNumber(text);
  if (!first) return undefined;
  if (first.rest === "") return first.number;
  if (first.rest === "d") return first.number * 12;
  const second = takeNumber(first.rest.slice(1));
  if (!second || second.rest !== "") return undefined;
  return reckon(first.number, first.rest[0], second.number);
}

app.post("/orders", (request, response) => {
  const { count } = request.body ?? {};
  const number = typeof count === "string" ? parseCount(count) : undefined;
  if (number === undefined) return response.status(400).json({ error: "no count" });
  // The bug: a calculated count need not be a whole number, and may be below 0.
  const labels = new Array(number).fill("label");
  response.json({ labels: labels.length });
});

const port = process.env.PORT ?? 3000;
app.listen(port, "127.0.0.1", () => process.stdout.write(`Listening on port ${port}\n`));
