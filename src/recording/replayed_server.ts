import { Backings, type Log, Notifier, Session } from "../fuse/mod.ts";
import { Device, KcovFilesystem } from "../kcov/mod.ts";
import type { RecordedServer } from "./entry.ts";
import { makeScratchFile, type RecordedWorld } from "./recorded_world.ts";
import type { Reporter } from "../base/reporter.ts";

/** Takes the replayed server's messages. */
export interface Listener {
  readonly reply: (bytes: Uint8Array) => void;
  readonly reporter: Reporter;
  /** Takes the device's log. */
  readonly log?: Log | undefined;
}

/** Threads that notifications would occupy if there were a kernel. */
const NOTIFICATIONS = 16;

/**
 * The recorded server without a kernel: the same session, filesystem and device. Notifications are carried out
 * at once.
 */
export class ReplayedServer implements AsyncDisposable {
  readonly #session: Session;
  readonly #device: Device;
  #messages = 0;

  constructor(server: RecordedServer, options: { world: RecordedWorld; listener: Listener }) {
    const { world, listener: { log, ...listener } } = options;
    const notifier = new Notifier(() => Promise.resolve(0), { concurrency: NOTIFICATIONS });
    const messages = () => this.#messages;
    this.#device = new Device(world.source, {
      invalInode: (nodeid, range) => notifier.invalInode(nodeid, range),
      store: (nodeid, offset, data) => notifier.store(nodeid, offset, data),
      get reads() {
        return messages();
      },
    }, {
      // Without passthrough no file can back an area, whatever the recording says.
      files: () => world.isDirect && this.#session.hasPassthrough ? makeScratchFile : undefined,
      callers: world.callers,
      log,
    });
    const backings = new Backings((call) => world.ioctl(-1, call), { hasEnded: () => false });
    const filesystem = new KcovFilesystem(this.#device, {
      ...server,
      files: new Map(server.files.map((name) => [name, () => ""])),
      targets: world.targets,
      backings: () => this.#session.hasPassthrough ? backings : undefined,
      hasDirectMmap: () => this.#session.hasDirectMmap,
      read: messages,
    });
    const { maxWrite, maxReadahead, passthrough } = server;
    const session = { ...listener, maxWrite, maxReadahead, passthrough };
    this.#session = new Session(filesystem, session);
  }

  receive(message: Uint8Array): void {
    this.#messages++;
    this.#session.receive(message);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#session.close();
    await this.#device[Symbol.asyncDispose]();
  }
}
