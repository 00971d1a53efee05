/**
 * A number that names things of one kind. Numbers of another kind and plain numbers cannot be passed for it.
 * It costs nothing at run time. Only one function makes such numbers; it is in the folder that has the
 * things.
 */
export type Named<K extends string> = number & { readonly "~kind": K };
