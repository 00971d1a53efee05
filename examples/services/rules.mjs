/**
 * A service that decides alert rules such as `load > 4 && users < 100`.
 *
 *     node rules.mjs SOCKET
 *
 * acorn, from npm, parses the rules; this file evaluates them. Nothing in it knows that it is fuzzed.
 *
 * On the socket, a request is its length (u32, little endian) and that many bytes; the reply is one
 * u32. A request's bytes are a message:
 *
 *     0 "RL"    2 version    3 command    4 flags    5 length    6 body...
 */
import { createServer } from "node:net";
import * as acorn from "acorn";

const HEADER = 6;
const COMMAND = { check: 1, evaluate: 2, remove: 3 };
const FLAG = { confirmed: 0x20, force: 0x40 };
const BUILT_IN = 0x80;
const REPLY = {
  no: 0,
  yes: 1,
  invalid: 2,
  malformed: 3,
  unknown: 4,
  refused: 5,
  failed: 0xffffffff,
};

const FACTS = new Map([["load", 3], ["users", 120], ["night", 0]]);

const BINARY = {
  "<": (a, b) => Number(a < b),
  ">": (a, b) => Number(a > b),
  "==": (a, b) => Number(a === b),
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
};

function evaluate(node) {
  switch (node.type) {
    case "Literal":
      if (typeof node.value === "number") return node.value;
      break;
    case "Identifier":
      if (FACTS.has(node.name)) return FACTS.get(node.name);
      break;
    case "UnaryExpression":
      if (node.operator === "!") return Number(!evaluate(node.argument));
      if (node.operator === "-") return -evaluate(node.argument);
      break;
    case "BinaryExpression":
      if (Object.hasOwn(BINARY, node.operator)) {
        return BINARY[node.operator](evaluate(node.left), evaluate(node.right));
      }
      break;
    case "LogicalExpression":
      if (node.operator === "&&") return evaluate(node.left) && evaluate(node.right);
      if (node.operator === "||") return evaluate(node.left) || evaluate(node.right);
      break;
    case "ConditionalExpression":
      return evaluate(evaluate(node.test) ? node.consequent : node.alternate);
  }
  throw new SyntaxError(`${node.type} has no place in a rule`);
}

/** A rule is one expression, up to the end of the body. */
function decide(body, isEvaluated) {
  const text = body.toString("latin1");
  try {
    const rule = acorn.parseExpressionAt(text, 0, { ecmaVersion: 2022 });
    if (text.slice(rule.end).trim() !== "") return REPLY.invalid;
    if (!isEvaluated) return REPLY.yes;
    return evaluate(rule) ? REPLY.yes : REPLY.no;
  } catch (error) {
    if (error instanceof SyntaxError) return REPLY.invalid;
    throw error;
  }
}

/** Since version 2 rules can be removed, from a first to a last one; the built-in ones only by force. */
function remove(version, flags, body) {
  if (version < 2) return REPLY.unknown;
  if (body.length < 2) return REPLY.malformed;
  if (!(flags & FLAG.confirmed)) return REPLY.refused;
  const [first, last] = body;
  if (first >= BUILT_IN) {
    if (!(flags & FLAG.force)) return REPLY.refused;
    if (first > last) {
      // The bug: this fails for a range that ends before it begins; below, that is malformed.
      throw new RangeError(`cannot remove ${last - first + 1} rules`);
    }
  }
  return first > last ? REPLY.malformed : REPLY.yes;
}

function handle(message) {
  if (message.length < HEADER) return REPLY.malformed;
  if (message[0] !== 0x52 || message[1] !== 0x4c) return REPLY.malformed;
  const [, , version, command, flags, length] = message;
  if (length > message.length - HEADER) return REPLY.malformed;
  const body = message.subarray(HEADER, HEADER + length);
  switch (command) {
    case COMMAND.check:
      return decide(body, false);
    case COMMAND.evaluate:
      return decide(body, true);
    case COMMAND.remove:
      return remove(version, flags, body);
  }
  return REPLY.unknown;
}

function answer(message) {
  try {
    return handle(message);
  } catch {
    return REPLY.failed;
  }
}

const server = createServer((socket) => {
  let received = Buffer.alloc(0);
  socket.on("data", (chunk) => {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 4 && received.length >= 4 + received.readUInt32LE(0)) {
      const end = 4 + received.readUInt32LE(0);
      const reply = Buffer.alloc(4);
      reply.writeUInt32LE(answer(received.subarray(4, end)));
      socket.write(reply);
      received = received.subarray(end);
    }
  });
  // A client that is killed resets the connection.
  socket.on("error", () => socket.destroy());
});

server.listen(process.argv[2]);
