import { sendDatagram } from "../base/system_calls.ts";
import type { Reporter } from "../base/reporter.ts";

/** A state of a service, in the words of `sd_notify(3)`. */
export type ServiceState = "READY=1" | "STOPPING=1" | `STATUS=${string}`;

/** The program, if any, that has started this one and waits until it is ready: systemd, with `Type=notify`. */
export interface ServiceManager {
  /** Sends states at once; without such a program it does nothing. */
  tell(...states: readonly ServiceState[]): void;
}

/**
 * The service manager that the environment names in `NOTIFY_SOCKET`.
 *
 * The variable is deleted: it is not meant for programs that this process starts.
 *
 * @param reporter Gets a warning when nothing can be sent, since a service that is never ready may be ended.
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
