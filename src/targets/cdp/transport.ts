/** Carries the Chrome DevTools Protocol's messages to and from one session of one target. */
export interface CdpTransport {
  /** Resolves, with a reason, when nothing comes any more. */
  readonly closed: Promise<string>;
  /** Has no effect once it is closed. */
  send(text: string): void;
  /** Hands over each message from now on, in UTF-8; called once, before anything is sent. */
  listen(receive: (message: Buffer) => void): void;
  /**
   * Ends the session.
   *
   * @param reason The value of {@linkcode closed}, unless it has resolved already.
   */
  close(reason: string): void;
}
