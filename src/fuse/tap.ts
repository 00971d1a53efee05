import { formatNotification, formatNotified } from "./format.ts";
import type { SendNotification } from "./notifier.ts";
import type { Log } from "./session.ts";

/** Sees everything that passes between a connection and the kernel. Bytes are valid during the call only. */
export interface Tap {
  request(message: Uint8Array): void;
  /** A reply that is about to be sent. */
  reply(bytes: Uint8Array): void;
  /**
   * A notification that is about to be sent.
   *
   * @param serial The notification's number on this connection, from 1 on.
   */
  notification(serial: number, bytes: Uint8Array): void;
  /** The kernel has carried a notification out, or refused with an errno. */
  notified(serial: number, errno: number): void;
}

/** Logs and taps notifications. Without log and tap, `send` is returned as it is. */
export function tapNotifications(
  send: SendNotification,
  { log, tap }: { log?: Log | undefined; tap?: Tap | undefined },
): SendNotification {
  if (!log && !tap) return send;
  let serial = 0;
  return (bytes) => {
    const number = ++serial;
    if (!log?.enabled && !tap) return send(bytes);
    if (log?.enabled) log(formatNotification(number, bytes));
    tap?.notification(number, bytes);
    return send(bytes).then((errno) => {
      if (log?.enabled) log(formatNotified(number, errno));
      tap?.notified(number, errno);
      return errno;
    });
  };
}
