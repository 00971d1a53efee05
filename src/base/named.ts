/**
 * A number that names things of one kind. Neither a number of another kind nor just any number can be passed
 * for it; it costs nothing when the program runs. The folder whose things they are has the one function that
 * makes such numbers.
 */
export type Named<K extends string> = number & { readonly "~kind": K };
