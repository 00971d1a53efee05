import type { Enabling, Instance } from "./instance.ts";
import type { EnabledArea, Source } from "./source.ts";

/**
 * The areas of enabled instances, however they are kept; targets are told of them. An instance is in this
 * list already before it is enabled, so that none of its PCs is missed. So the list differs from the
 * instances' states.
 */
export class EnabledAreas {
  readonly #source: Pick<Source, "trace">;
  readonly #told = new Map<Instance, EnabledArea>();

  constructor(source: Pick<Source, "trace">) {
    this.#source = source;
  }

  /** Resolves when targets know of it. */
  async add(instance: Instance, enabling: Enabling): Promise<void> {
    this.#told.set(instance, instance.enabledArea(enabling));
    await this.#tell();
  }

  /** Resolves when targets know of it. */
  async remove(instance: Instance): Promise<void> {
    if (this.#told.delete(instance)) await this.#tell();
  }

  async clear(): Promise<void> {
    this.#told.clear();
    await this.#tell();
  }

  /** For a log: `n1001, n1004`. */
  toString(): string {
    return [...this.#told.keys()].map(({ id }) => `n${id}`).join(", ");
  }

  #tell(): Promise<void> {
    return this.#source.trace([...this.#told.values()]);
  }
}
