/** A file in memory that a client maps through the filesystem, and targets map by its path. */
export interface AreaFile extends Disposable {
  readonly path: string;
  readonly fd: number;
  /** Path of a file by which several targets that write into this one take turns; clients do not map it. */
  readonly turns?: string;
  /**
   * Makes it so many bytes long, by zeros; never shorter.
   *
   * @throws when the system cannot.
   */
  grow(bytes: number): void;
}
