/** Stands for `@jazzer.js/core` where that is not installed: what targets import of it. */
export { FuzzedDataProvider } from "./fuzzed_data_provider.ts";

/** Guidance that a target asks for; here the fuzzer has it from comparisons. */
export function guideTowardsEquality(): void {}
export function guideTowardsContainment(): void {}
export function exploreState(): void {}

/** The same as one object, as some import it. */
export const jazzer = { guideTowardsEquality, guideTowardsContainment, exploreState };
