/** A process that uses the device. */
export interface Client {
  readonly pid: number;
  /** As it calls itself, in `/proc/PID/comm`: any text, of 15 bytes at most. */
  readonly name: string;
}
