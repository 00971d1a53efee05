/** A writer of an area that is killed in its turn: `dies_in_turn TURNS`. */
import { openSync } from "node:fs";
import { Turns, TURNS_SIZE } from "../../src/messages/turns.ts";
import { mapShared } from "../../src/base/system_calls.ts";

const path = process.argv[2];
const { writer } = new Turns(path);
const { memory } = mapShared(openSync(path, "r+"), TURNS_SIZE);
new Int32Array(memory)[0] = writer << 19 | 1;
process.kill(process.pid, "SIGKILL");
