/** What has happened since some beginning. Each only grows. */
export interface Counts {
  /**
   * Executions: times that an area got something to read after it was emptied. One that recorded nothing is
   * not seen.
   */
  executions: number;
  /** PCs, or comparisons, that were recorded. */
  pcs: number;
  /** Executions that filled their area: if there was more, it was dropped, as in the kernel. */
  full: number;
  /** Page faults for which targets were collected from, and held. */
  faults: number;
  /** µs of these faults: until what had run was collected, and the targets stood still; */
  collecting: number;
  /** then until the client's page was ready; */
  answering: number;
  /** and then until it was taken back: from there on the targets may run, if no other client's is there. */
  holding: number;
}

/** Counts of nothing. */
export function noCounts(): Counts {
  return {
    ...{ executions: 0, pcs: 0, full: 0 },
    ...{ faults: 0, collecting: 0, answering: 0, holding: 0 },
  };
}
