import { sendDatagram } from "../base/system_calls.ts";
import type { Reporter } from "../base/reporter.ts";

/** What is told of a service, as `sd_notify(3)` spells it. */
export type ServiceState = "READY=1" | "STOPPING=1" | `STATUS=${string}`;

/** What has started this process and waits for it to be ready, if anything has: systemd, with `Type=notify`. */
export interface ServiceManager {
  /** Tells it at once; where nobody waits, it does nothing. */
  tell(...states: readonly ServiceState[]): void;
}

/**
 * The service manager that the environment names in `NOTIFY_SOCKET`.
 *
 * The variable is deleted: it is not meant for what this process starts.
 *
 * @param reporter Is told when it cannot be told, for it may end a service that is never ready.
 */
export function serviceManager(reporter: Reporter): ServiceManager {
  const address = process.env["NOTIFY_SOCKET"];
  delete process.env["NOTIFY_SOCKET"];
  return {
    tell(...states) {
      if (!address) return;
      try {
        sendDatagram(address, Buffer.from(states.join("\n")));
      } catch (error) {
        reporter.warn(`Cannot tell the service manager: ${(error as Error).message}`);
      }
    },
  };
}
