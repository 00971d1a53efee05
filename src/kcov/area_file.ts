/** A file in memory that a client maps through the filesystem, and targets map by its path. */
export interface AreaFile extends Disposable {
  readonly path: string;
  readonly fd: number;
  /**
   * Makes it so many bytes long, by zeros; never shorter.
   *
   * @throws when the system cannot.
   */
  grow(bytes: number): void;
}
