/**
 * Numbers that name things of one kind cannot be passed for those of another. The compiler checks it: if it
 * accepted a wrong line, the comment above that line would be an error.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type ThreadId, threadId } from "../../src/base/thread_id.ts";
import {
  type FileHandle,
  fileHandle,
  type NodeId,
  nodeId,
  type Unique,
  unique,
} from "../../src/fuse/ids.ts";
import { type TargetId, targetId, type UnitId, unitId } from "../../src/kcov/ids.ts";

const named = suite("base/named");

const takes = {
  node: (node: NodeId) => node,
  handle: (handle: FileHandle) => handle,
  request: (request: Unique) => request,
  target: (target: TargetId) => target,
  unit: (unit: UnitId) => unit,
  thread: (thread: ThreadId) => thread,
  any: (number: number) => number,
};

named("each is taken where it belongs, and is a number all the same", () => {
  assert.is(takes.node(nodeId(1)), 1);
  assert.is(takes.handle(fileHandle(2)), 2);
  assert.is(takes.request(unique(3)), 3);
  assert.is(takes.target(targetId(4)), 4);
  assert.is(takes.unit(unitId(5)), 5);
  assert.is(takes.thread(threadId(6)), 6);
  assert.is(takes.any(nodeId(7)) + 1, 8);
  assert.is(new Map([[nodeId(1), "one"]]).get(nodeId(1)), "one");
});

named("none is taken for another, and just any number for none", () => {
  // @ts-expect-error: a handle is no node.
  takes.node(fileHandle(1));
  // @ts-expect-error: a node is no handle.
  takes.handle(nodeId(1));
  // @ts-expect-error: a node is no request.
  takes.request(nodeId(1));
  // @ts-expect-error: a unit is no target.
  takes.target(unitId(1));
  // @ts-expect-error: a target is no unit, though it may be the first of one.
  takes.unit(targetId(1));
  // @ts-expect-error: a target is no thread.
  takes.thread(targetId(1));
  // @ts-expect-error: a thread is no target.
  takes.target(threadId(1));
  // @ts-expect-error: nobody has said which things it names.
  takes.node(1);
  // @ts-expect-error: a calculated number names nothing.
  takes.node(nodeId(1) + 1);
  // @ts-expect-error: a set of one kind is none of another.
  const units: ReadonlySet<UnitId> = new Set([targetId(1)]);
  assert.is(units.size, 1);
});

named.run();
