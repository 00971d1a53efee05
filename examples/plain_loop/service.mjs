/**
 * A service to be fuzzed, which does not know that: messages of 8 bytes come on standard input. Each
 * is answered by a byte: the number of its command, 0 for no command, 255 for a failure.
 *
 *     0 "DB"    2 command    3 table    4 first row    5 last row    6 unused
 */

const COMMAND = { count: 1, drop: 2 };
const FAILED = 255;
const TABLES = 3;
const ROWS = 100;

function isRange(first, last) {
  if (first >= ROWS) return false;
  if (last >= ROWS) return false;
  return true;
}

function drop(table, first, last) {
  if (table >= TABLES) return 0;
  if (!isRange(first, last)) return 0;
  if (last < first) {
    // The bug: the last row may be before the first.
    throw new RangeError(`Cannot drop ${last - first + 1} rows`);
  }
  return COMMAND.drop;
}

function answer([d, b, command, table, first, last]) {
  if (d !== 0x44) return 0;
  if (b !== 0x42) return 0;
  switch (command) {
    case COMMAND.count:
      return COMMAND.count;
    case COMMAND.drop:
      return drop(table, first, last);
  }
  return 0;
}

function reply(message) {
  try {
    return answer(message);
  } catch (error) {
    process.stderr.write(`${error.stack}\n`);
    return FAILED;
  }
}

process.stdin.on("data", (message) => process.stdout.write(Buffer.of(reply(message))));
