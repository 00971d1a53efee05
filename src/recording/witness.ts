import type { DeviceIoctl } from "../fuse/mod.ts";
import type { Callers, NamedTarget, Owner, Source } from "../kcov/mod.ts";
import type { Fact } from "./entry.ts";

/** The sources that a server's answers depend on, besides the messages. */
export interface Witnessed {
  readonly source: Source;
  readonly callers: Callers;
  readonly targets: () => readonly NamedTarget[];
  /** `ioctl(2)` on the connection; see `ServeOptions`. Undefined without passthrough. */
  readonly ioctl: ((fd: number, call: DeviceIoctl) => number) | undefined;
}

/**
 * The same sources. Each answer that has changed is noted in a recording, if there is one. The executed code
 * is not noted.
 */
export function witness(
  witnessed: Witnessed,
  recorder: { note(fact: Fact): void } | undefined,
): Witnessed {
  if (!recorder) return witnessed;
  const note = (fact: Fact) => recorder.note(fact);
  const { ioctl } = witnessed;
  const targets = noteChanges(witnessed.targets, (targets) => note({ targets }));
  return {
    source: witnessSource(witnessed.source, note),
    callers: witnessCallers(witnessed.callers, note),
    targets,
    ioctl: ioctl && ((fd, call) => {
      let result: number | null = null;
      try {
        return result = ioctl(fd, call);
      } finally {
        note({ ioctl: call.request, result });
      }
    }),
  };
}

function noteChanges<T>(ask: () => T, note: (value: T) => void): () => T {
  let last: string | undefined;
  return () => {
    const value = ask();
    const text = JSON.stringify(value);
    if (text !== last) note(value);
    last = text;
    return value;
  };
}

function witnessSource(source: Source, note: (fact: Fact) => void): Source {
  const comparable = noteAnswers((comparable) => note({ comparable }));
  const written = noteAnswers((written) => note({ written }));
  return {
    stop: (options) => source.stop(options),
    release: (units) => source.release(units),
    unitOf: (target) => source.unitOf(target),
    trace: (areas) => source.trace(areas),
    canCompare: (scope) => comparable(source.canCompare(scope)),
    canWrite: (scope) => written(source.canWrite(scope)),
  };
}

/** Notes an answer that differs from the last one, and returns it. */
function noteAnswers(note: (answer: boolean) => void): (answer: boolean) => boolean {
  let last: boolean | undefined;
  return (answer) => {
    if (answer !== last) note(answer);
    return last = answer;
  };
}

function witnessCallers(callers: Callers, note: (fact: Fact) => void): Callers {
  return {
    async find(tid, onEnd) {
      const ended = () => note({ thread: tid, start: null });
      const owner = await callers.find(tid, () => {
        ended();
        onEnd();
      });
      note({ thread: tid, start: owner?.serial ?? null });
      return owner && witnessOwner(owner, ended);
    },
    nameOf: (tid) => callers.nameOf(tid),
    async readMemory(tid, range) {
      const bytes = await callers.readMemory(tid, range);
      const text = bytes ? Buffer.from(bytes).toString("base64") : null;
      note({ memory: `0x${range.at.toString(16)}`, tid, bytes: text });
      return bytes;
    },
  };
}

function witnessOwner(owner: Owner, ended: () => void): Owner {
  let isTold = false;
  return {
    tid: owner.tid,
    serial: owner.serial,
    get hasEnded() {
      const { hasEnded } = owner;
      if (hasEnded && !isTold) ended();
      isTold ||= hasEnded;
      return hasEnded;
    },
    look: () => owner.look(),
    [Symbol.dispose]: () => owner[Symbol.dispose](),
  };
}
