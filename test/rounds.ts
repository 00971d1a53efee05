/**
 * The number of repetitions in tests. `npm test` repeats often enough to find what there is to find;
 * `npm run test:long`, which sets `KCOVFS_TEST_LONG=1`, repeats all of it.
 */

export const IS_LONG: boolean = process.env["KCOVFS_TEST_LONG"] === "1";

/** How many rounds, requests or inputs there are. */
export function rounds(usual: number, { long }: { readonly long: number }): number {
  return IS_LONG ? long : usual;
}

/** At most so many items of a list; all of it in the long tests. */
export function some<T>(list: readonly T[], { usual }: { readonly usual: number }): readonly T[] {
  return IS_LONG ? list : list.slice(0, usual);
}

type Values = readonly unknown[];
type Row<Lists extends readonly Values[]> = { [I in keyof Lists]: Lists[I][number] };

/**
 * Rows in which each value of each list occurs, with values going round; all possible rows in the long tests.
 */
export function eachOf<const Lists extends readonly Values[]>(...lists: Lists): Row<Lists>[] {
  if (IS_LONG) return product(lists) as Row<Lists>[];
  const length = Math.max(...lists.map((list) => list.length));
  return Array.from(
    { length },
    (_, i) => lists.map((list) => list[i % list.length]) as Row<Lists>,
  );
}

/** Rows in which each two values of two lists occur; all possible rows in the long tests. */
export function pairsOf<const Lists extends readonly Values[]>(...lists: Lists): Row<Lists>[] {
  const all = product(lists.map((list) => [...list.keys()]));
  const chosen = IS_LONG ? all : chooseByPairs(all);
  return chosen.map((row) => row.map((at, list) => lists[list][at]) as Row<Lists>);
}

function product<T>(lists: readonly (readonly T[])[]): T[][] {
  return lists.reduce<T[][]>(
    (rows, list) => rows.flatMap((row) => list.map((value) => [...row, value])),
    [[]],
  );
}

/** Takes the row with the most pairs that no row before it has, until all pairs are there. */
function chooseByPairs(rows: readonly number[][]): number[][] {
  const missing = new Set(rows.flatMap(pairs));
  const chosen: number[][] = [];
  while (missing.size > 0) {
    const gains = rows.map((row) => pairs(row).filter((pair) => missing.has(pair)).length);
    const row = rows[gains.indexOf(Math.max(...gains))];
    for (const pair of pairs(row)) missing.delete(pair);
    chosen.push(row);
  }
  return chosen;
}

function pairs(row: readonly number[]): string[] {
  return row.flatMap((a, i) => row.slice(i + 1).map((b, j) => `${i} ${a} ${i + 1 + j} ${b}`));
}
